package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// Options say how a repository is read.
type Options struct {
	// TagPrefix stands before the versions in tags; empty takes v1.2.3 and 1.2.3.
	TagPrefix string
	// Paths are globs, in which ** stands for any folders; a folder stands for all
	// that is in it. When there are any, only commits that touch them count.
	Paths []string
	// Remote is asked for tags and history that the clone lacks, if it has the
	// clone's commit. It may be nil.
	Remote *git.Remote
	// Logf gets what is worth knowing; nil drops it.
	Logf func(format string, args ...any)
}

// Tag is a tag that marks a version.
type Tag struct {
	Name    string // without refs/tags/
	Version version.Version
	Commit  git.Hash
}

// Code is one commit of a code repository and what came before it. It is for one
// goroutine at a time.
type Code struct {
	o     Options
	head  git.Hash
	local *git.Clone
	far   *git.Store // of the remote, once it was needed
	// tooShort says that the clone's history was found to be cut off, and told
	// that this was said.
	tooShort, told bool

	localTags []Tag
	refs      map[string]git.Hash // of the remote
	related   verdict             // whether the remote is the same repository
	there     verdict             // whether it has head
	lines     map[git.Hash]*line  // by the base's commit
	packages  []version.Package   // of the rules
}

type verdict int

const (
	unknown verdict = iota
	yes
	no
)

// Open reads a clone that a build has made below root, at its HEAD.
func Open(ctx context.Context, root, dir string, o Options) (*Code, error) {
	clone, err := git.OpenCloneWithin(root, dir)
	if err != nil {
		return nil, fmt.Errorf("%w: give it the folder of a get of a git resource", err)
	}
	c := &Code{o: o, local: clone, lines: map[git.Hash]*line{}}
	if err := c.open(ctx); err != nil {
		return nil, errors.Join(err, clone.Close())
	}
	return c, nil
}

func (c *Code) open(ctx context.Context) error {
	var err error
	if c.head, err = c.local.Ref("HEAD"); err != nil {
		return fmt.Errorf("find the commit that is checked out: %w", err)
	}
	refs, err := c.local.Refs()
	if err != nil {
		return err
	}
	c.localTags = Tags(refs, c.o.TagPrefix)
	if err := c.Refresh(ctx); err != nil {
		return err
	}
	for name, h := range refs {
		if name != "HEAD" && !h.IsZero() && c.refs[remoteName(name)] == h {
			c.related = yes
		}
	}
	return nil
}

// remoteName is the name that a clone's ref has at the remote.
func remoteName(name string) string {
	if rest, ok := strings.CutPrefix(name, "refs/remotes/"); ok {
		_, branch, _ := strings.Cut(rest, "/")
		return "refs/heads/" + branch
	}
	return name
}

// Refresh reads the remote's refs again.
func (c *Code) Refresh(ctx context.Context) error {
	if c.o.Remote == nil {
		return nil
	}
	refs, err := c.o.Remote.RefsUnder(ctx, "refs/tags/", "refs/heads/")
	if err != nil {
		return err
	}
	c.refs = refs
	for _, h := range refs {
		if h == c.head {
			c.related, c.there = yes, yes
		}
	}
	return nil
}

// Ref is what a ref of the remote was when the refs were last read; zero when it
// is not there.
func (c *Code) Ref(name string) git.Hash { return c.refs[name] }

// Close gives files back.
func (c *Code) Close() error {
	err := c.local.Close()
	if c.far != nil {
		err = errors.Join(err, c.far.Close())
	}
	return err
}

// Head is the commit that everything is about.
func (c *Code) Head() git.Hash { return c.head }

// file reads a file as the commit has it. The error is fs.ErrNotExist if it does not have the file.
func (c *Code) file(ctx context.Context, name string) ([]byte, error) {
	s := c.local.Store
	commit, err := s.Commit(ctx, c.head)
	if err != nil {
		return nil, err
	}
	e, err := s.Lookup(ctx, commit.Tree, name)
	if err != nil {
		return nil, fmt.Errorf("read %s at %s: %w", name, short(c.head), err)
	}
	if !e.Mode.IsFile() {
		return nil, fmt.Errorf("read %s at %s: it is not a file: %w", name, short(c.head), fs.ErrNotExist)
	}
	return s.Blob(ctx, e.Hash)
}

// remoteStore is a copy of the remote that has the commit: errNoCommit when it
// has not.
func (c *Code) remoteStore(ctx context.Context) (*git.Store, error) {
	if c.o.Remote == nil || c.there == no {
		return nil, errNoCommit
	}
	if c.far == nil {
		s, err := c.o.Remote.Store("")
		if err != nil {
			return nil, err
		}
		c.far = s
	}
	_, err := c.far.Commit(ctx, c.head)
	switch {
	case errors.Is(err, git.ErrNotFound), errors.Is(err, git.ErrNoBranch), errors.Is(err, git.ErrEmpty):
		c.there = no
		return nil, fmt.Errorf("%w: %s in %s", errNoCommit, short(c.head), c.o.Remote.URL())
	case err != nil:
		return nil, err
	}
	c.related, c.there = yes, yes
	return c.far, nil
}

// OnRemote reports whether the remote has the commit.
func (c *Code) OnRemote(ctx context.Context) (bool, error) {
	if c.o.Remote == nil {
		return false, nil
	}
	if c.there == unknown {
		if _, err := c.remoteStore(ctx); err != nil && !errors.Is(err, errNoCommit) {
			return false, err
		}
	}
	return c.there == yes, nil
}

// Related reports whether the clone is one of the remote: it has the commit, or
// a ref in common.
func (c *Code) Related(ctx context.Context) (bool, error) {
	if c.related == unknown {
		if _, err := c.OnRemote(ctx); err != nil {
			return false, err
		}
	}
	return c.related == yes, nil
}

// Tags are the tags that mark versions, the highest version first: those of the
// remote, if it is the same repository, and those of the clone.
func (c *Code) Tags(ctx context.Context) ([]Tag, error) {
	tags := slices.Clone(c.localTags)
	remote := Tags(c.refs, c.o.TagPrefix)
	if c.news(remote) {
		related, err := c.Related(ctx)
		if err != nil {
			return nil, err
		}
		if related {
			tags = slices.DeleteFunc(tags, func(t Tag) bool {
				return slices.ContainsFunc(remote, func(r Tag) bool { return r.Name == t.Name })
			})
			tags = append(tags, remote...)
		}
	}
	sort.Slice(tags, func(i, j int) bool {
		return cmp.Or(tags[j].Version.Compare(tags[i].Version), strings.Compare(tags[i].Name, tags[j].Name)) < 0
	})
	return tags, nil
}

// news says that the remote has tags that the clone does not have.
func (c *Code) news(remote []Tag) bool {
	return slices.ContainsFunc(remote, func(r Tag) bool {
		return !slices.ContainsFunc(c.localTags, func(t Tag) bool { return t.Name == r.Name && t.Commit == r.Commit })
	})
}

// Tags are the versions among the tags of refs. The prefix is what stands before a version in a tag.
func Tags(refs map[string]git.Hash, prefix string) []Tag {
	var tags []Tag
	for name, h := range refs {
		short, ok := strings.CutPrefix(name, "refs/tags/")
		if !ok || strings.HasSuffix(short, "^{}") {
			continue
		}
		v, ok := version.ParseTag(short, prefix)
		if !ok {
			continue
		}
		if commit, ok := refs[name+"^{}"]; ok {
			h = commit
		}
		tags = append(tags, Tag{Name: short, Version: v, Commit: h})
	}
	return tags
}

// Highest is the highest of the versions that are wanted, nil if none is.
func Highest(tags []Tag, wanted func(version.Version) bool) *version.Version {
	var highest *version.Version
	for _, tag := range tags {
		if wanted(tag.Version) && (highest == nil || tag.Version.Compare(*highest) > 0) {
			highest = &tag.Version
		}
	}
	return highest
}

func (c *Code) logf(format string, args ...any) {
	if c.o.Logf != nil {
		c.o.Logf(format, args...)
	}
}

func short(h git.Hash) string { return h.String()[:7] }
