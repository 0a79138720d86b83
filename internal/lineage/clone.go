package lineage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// clone is a repository of charts or sources that can be read: a folder, or an
// address.
type clone struct {
	place  string
	remote *git.Remote // nil for a folder
	store  *git.Store
	refs   map[string]git.Hash
	all    []git.Hash // commits of its branches, when they were needed
	err    error      // what keeps it from being read
}

func (c *clone) close() error {
	var errs []error
	if c.store != nil {
		errs = append(errs, c.store.Close())
	}
	if c.remote != nil {
		errs = append(errs, c.remote.Close())
	}
	return errors.Join(errs...)
}

// clone is the repository with that address; nil when the reader was not told
// where it can be read.
func (r *Reader) clone(ctx context.Context, address string) (*clone, error) {
	name := RepositoryName(address)
	c, ok := r.clones[name]
	if !ok {
		if c = r.openClone(ctx, name); c == nil {
			r.missing[name] = true
			return nil, nil //nolint:nilnil // documented
		}
		r.clones[name] = c
	}
	if c.err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", c.err)
	}
	return c, nil
}

// openClone opens the repository of that name; nil when nobody says where it can be read.
func (r *Reader) openClone(ctx context.Context, name string) *clone {
	for given, place := range r.options.Clones {
		if RepositoryName(given) == name {
			c := &clone{place: place}
			c.err = c.open(ctx)
			return c
		}
	}
	for given, access := range r.options.Access {
		if RepositoryName(given) == name {
			c := &clone{place: git.PublicAddress(access.URI)}
			c.err = c.fetch(ctx, access, git.Options{Logf: r.options.Logf})
			return c
		}
	}
	return nil
}

func (c *clone) open(ctx context.Context) error {
	if info, err := os.Stat(c.place); err == nil && info.IsDir() {
		return c.openFolder()
	}
	return c.fetch(ctx, git.Access{URI: c.place, Branch: "main"}, git.Options{}) // all refs are read; an access must name one
}

// fetch reads the refs of a repository at an address.
func (c *clone) fetch(ctx context.Context, access git.Access, o git.Options) error {
	remote, err := git.Open(access, o)
	if err != nil {
		return err
	}
	refs, err := remote.RefsUnder(ctx, "refs/heads/", "refs/tags/", "refs/remotes/")
	if err != nil {
		return errors.Join(err, remote.Close())
	}
	store, err := remote.Store("")
	if err != nil {
		return errors.Join(err, remote.Close())
	}
	c.remote, c.store, c.refs = remote, store, refs
	return nil
}

func (c *clone) openFolder() error {
	local, err := git.OpenClone(c.place)
	if err != nil {
		return err
	}
	refs, err := local.Refs()
	if err != nil {
		return errors.Join(err, local.Close())
	}
	maps.DeleteFunc(refs, func(name string, _ git.Hash) bool {
		return !strings.HasPrefix(name, "refs/heads/") && !strings.HasPrefix(name, tagRefs) && !strings.HasPrefix(name, "refs/remotes/")
	})
	c.store, c.refs = local.Store, refs
	return nil
}

// commit is the one with that full hash; nil when the repository has none.
func (c *clone) commit(ctx context.Context, hash string) (*git.Commit, error) {
	h, ok := deployments.FullCommit(hash)
	if !ok {
		return nil, nil //nolint:nilnil // documented
	}
	found, err := c.store.Commit(ctx, h)
	if errors.Is(err, git.ErrNotFound) {
		return nil, nil //nolint:nilnil // documented
	}
	if err != nil {
		return nil, fmt.Errorf("read commit %.7s of %s: %w", hash, c.place, err)
	}
	return found, nil
}

// unresolvedError says why a name is not a commit of a repository.
type unresolvedError struct{ why string }

func (e *unresolvedError) Error() string { return e.why }

// shortCommit is what is written down for a commit.
func shortCommit() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-fA-F]{4,40}$`) }

// resolve is the commit that a full or short hash means. Its error is an
// unresolvedError when there is none, or more than one.
func (c *clone) resolve(ctx context.Context, name string) (*git.Commit, error) {
	if !shortCommit().MatchString(name) {
		return nil, &unresolvedError{fmt.Sprintf("%q is not a commit", name)}
	}
	if _, full := deployments.FullCommit(name); full {
		found, err := c.commit(ctx, name)
		if found != nil || err != nil {
			return found, err
		}
		return nil, &unresolvedError{fmt.Sprintf("%s has no commit %.7s", c.place, name)}
	}
	matching, err := c.matching(ctx, strings.ToLower(name))
	switch {
	case err != nil:
		return nil, err
	case len(matching) == 0:
		return nil, &unresolvedError{fmt.Sprintf("no branch or tag of %s has a commit %s", c.place, name)}
	case len(matching) > 1:
		return nil, &unresolvedError{fmt.Sprintf("%s has %d commits that begin with %s", c.place, len(matching), name)}
	}
	return c.store.Commit(ctx, matching[0])
}

// matching are the commits of all branches and tags that begin so.
func (c *clone) matching(ctx context.Context, prefix string) ([]git.Hash, error) {
	if c.all == nil {
		all, err := c.history(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the history of %s: %w", c.place, err)
		}
		c.all = all
	}
	var found []git.Hash
	for _, h := range c.all {
		if strings.HasPrefix(h.String(), prefix) {
			found = append(found, h)
		}
	}
	return found, nil
}

// history are the commits that can be reached from branches and tags.
func (c *clone) history(ctx context.Context) ([]git.Hash, error) {
	c.store.ExpectFar()
	var tips, all []git.Hash
	named := map[string]git.Hash{}
	for name := range c.refs {
		named[name] = c.tip(name)
	}
	if err := c.store.AdvanceAll(ctx, named, git.Hash{}); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		tip := named[name]
		if _, err := c.store.Commit(ctx, tip); err == nil { // else it is a tag of something else
			tips = append(tips, tip)
		}
	}
	for commit, err := range c.store.Log(ctx, git.Range{From: tips}) {
		if err != nil {
			return nil, err
		}
		all = append(all, commit.Hash)
	}
	return all, nil
}

// tip is the commit that a ref points to, also through a tag.
func (c *clone) tip(name string) git.Hash {
	if h, ok := c.refs[name+"^{}"]; ok {
		return h
	}
	return c.refs[name]
}

const tagRefs = "refs/tags/"

// tag is a release.
type tag struct {
	name    string
	commit  git.Hash
	version version.Version
}

// tags are those that are versions, with or without a prefix, the oldest
// version first.
func (c *clone) tags() []tag {
	pattern := regexp.MustCompile(`^(?:.*[^0-9.])?(\d+\.\d+\.\d+.*)$`)
	var all []tag
	for ref := range c.refs {
		name, ok := strings.CutPrefix(ref, tagRefs)
		m := pattern.FindStringSubmatch(name)
		if !ok || m == nil || strings.HasSuffix(ref, "^{}") {
			continue
		}
		if v, err := version.Parse(m[1]); err == nil {
			all = append(all, tag{name, c.tip(ref), v})
		}
	}
	sort.Slice(all, func(i, j int) bool {
		return cmp.Or(all[i].version.Compare(all[j].version), strings.Compare(all[i].name, all[j].name)) < 0
	})
	return all
}

// releases are the versions on a commit, the newest first, and the first final one that has the
// commit in its history when none is on it.
func (c *clone) releases(ctx context.Context, of *git.Commit) (on []string, in string, err error) {
	tags := c.tags()
	for _, t := range tags {
		if t.commit == of.Hash {
			on = append(on, t.name)
		}
	}
	if len(on) > 0 {
		slices.Reverse(on)
		return on, "", nil
	}
	for _, t := range tags {
		if !t.version.IsFinal() {
			continue
		}
		if err := c.store.Advance(ctx, tagRefs+t.name, t.commit); err != nil {
			return nil, "", err
		}
		has, err := c.store.IsAncestor(ctx, of.Hash, t.commit)
		if err != nil && !errors.Is(err, git.ErrNotFound) { // what a shallow clone does not have comes before nothing
			return nil, "", fmt.Errorf("look for %.7s in release %s of %s: %w", of.Hash, t.name, c.place, err)
		}
		if has {
			return nil, t.name, nil
		}
	}
	return nil, "", nil
}

// RepositoryName is what all addresses of one repository have in common:
// github.com/acme/bank.
func RepositoryName(address string) string {
	address = strings.TrimSpace(address)
	host, p := "", address
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		host, p = u.Host, u.Path
	} else if before, after, ok := strings.Cut(address, ":"); ok && !strings.ContainsAny(before, "/") {
		_, host, _ = strings.Cut(before, "@")
		if host == "" {
			host = before
		}
		p = after
	}
	p = strings.TrimSuffix(strings.Trim(p, "/"), ".git")
	if host == "" {
		return p
	}
	return strings.ToLower(host) + "/" + p
}

func sameRepository(a, b string) bool {
	return strings.EqualFold(RepositoryName(a), RepositoryName(b))
}

// Origin is the address from which the clone in a folder was made: that of its remote
// origin.
func Origin(dir string) (string, error) {
	c, err := git.OpenClone(dir)
	if err != nil {
		return "", err
	}
	origin := c.Origin()
	if err := c.Close(); err != nil {
		return "", err
	}
	if origin == "" {
		return "", fmt.Errorf("the clone %s has no remote called origin, so that its address is not known", dir)
	}
	return origin, nil
}
