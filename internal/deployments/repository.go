package deployments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// errNothingYet says that an environment can't have a state yet, for a reason
// that time or another environment will remove. It is no fault.
var errNothingYet = errors.New("nothing yet")

// Repository reads one deployments repository at one or more commits.
// Everything it has parsed is kept for its lifetime; blobs are immutable.
type Repository struct {
	src    Source
	remote RefReader
	store  *git.Store
	logf   func(format string, args ...any) // for the person who reads the build

	configs map[plumbing.Hash]parsed[*cepler.Config]
	states  map[plumbing.Hash]parsed[*cepler.State]
	records map[stateFile]*git.Commit // that wrote state files, as far as they are known

	gatesTip git.Hash // of the branch with the gates file, once advance was called
	delivers bool     // a version's files are needed
}

// stateFile is a state file as a commit has it.
type stateFile struct {
	commit git.Hash
	path   string
}

// parsed is the outcome of parsing one blob.
type parsed[T any] struct {
	value T
	err   error
}

// RefReader says what refs point to; those that are not there are left out. A
// git.Remote is one.
type RefReader interface {
	Refs(ctx context.Context, names ...string) (map[string]git.Hash, error)
}

// NewRepository reads from store what src names, with the refs that remote has.
func NewRepository(src Source, remote RefReader, store *git.Store, logf func(format string, args ...any)) *Repository {
	return &Repository{
		src:     src,
		remote:  remote,
		store:   store,
		logf:    logf,
		configs: map[plumbing.Hash]parsed[*cepler.Config]{},
		states:  map[plumbing.Hash]parsed[*cepler.State]{},
		records: map[stateFile]*git.Commit{},
	}
}

// refs asks the remote for refs by their full names.
func (r *Repository) refs(ctx context.Context, names ...string) (Refs, error) {
	refs, err := r.remote.Refs(ctx, names...)
	return Refs(refs), err
}

// historyOf gives the commits that changed the file at p, the newest first. The file's contents are
// fetched many at a time, if expected is not 0 those of so many commits.
func (r *Repository) historyOf(ctx context.Context, start git.Hash, p string, expected int) iter.Seq2[*git.Commit, error] {
	return r.store.Log(ctx, git.Range{
		From: []git.Hash{start}, Paths: git.OnlyPath(p), Expected: expected,
		Prefetch: func(ctx context.Context, c *git.Commit) ([]git.Hash, error) {
			entry, _, err := r.find(ctx, c, p)
			return []git.Hash{entry.Hash}, err
		},
	})
}

// find is the entry at p in a commit's tree, and whether there is one.
func (r *Repository) find(ctx context.Context, c *git.Commit, p string) (entry git.Entry, found bool, err error) {
	entry, err = r.store.Lookup(ctx, c.Tree, p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return git.Entry{}, false, nil
	case err != nil:
		return git.Entry{}, false, fmt.Errorf("read %s at %s: %w", p, short(c.Hash), err)
	case entry.Mode == filemode.Dir || entry.Mode == filemode.Submodule:
		return git.Entry{}, false, nil
	}
	return entry, true, nil
}

// configAt is the config as it is in commit c. Its error says where it is
// broken; a config that is not there is fs.ErrNotExist.
func (r *Repository) configAt(ctx context.Context, c *git.Commit) (*cepler.Config, git.Hash, error) {
	p := r.src.ConfigPath()
	entry, ok, err := r.find(ctx, c, p)
	if err != nil {
		return nil, git.Hash{}, err
	}
	if !ok {
		return nil, git.Hash{}, fmt.Errorf("config %s is not in commit %s: %w", p, short(c.Hash), fs.ErrNotExist)
	}
	if done, ok := r.configs[entry.Hash]; ok {
		return done.value, entry.Hash, done.err
	}
	data, err := r.store.Blob(ctx, entry.Hash)
	if err != nil {
		return nil, git.Hash{}, fmt.Errorf("read config %s at %s: %w", p, short(c.Hash), err)
	}
	config, err := cepler.ParseConfig(p, data)
	if err != nil {
		err = &brokenError{fmt.Errorf("config at commit %s: %w", short(c.Hash), err)}
	}
	r.configs[entry.Hash] = parsed[*cepler.Config]{config, err}
	return config, entry.Hash, err
}

// fewStates is how many state files are fetched together with a config.
const fewStates = 100

// needConfig fetches the config of commit c, and with it the states beside it at head and the gates, which whoever reads a config
// needs next. Of which deployment the states are only the config says, so all of them come, unless they are many. A tree that is
// not zero is one of which files are needed then.
func (r *Repository) needConfig(ctx context.Context, c, head *git.Commit, tree git.Hash) error {
	config, ok, err := r.find(ctx, c, r.src.ConfigPath())
	if err != nil || !ok || r.store.Has(config.Hash) {
		return err
	}
	blobs := []git.Hash{config.Hash}
	dir, err := r.store.Lookup(ctx, head.Tree, path.Join(path.Dir(r.src.ConfigPath()), cepler.StatesFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && dir.Mode == filemode.Dir {
		err = r.store.Walk(ctx, dir.Hash, func(string) bool { return true }, func(_ string, e git.Entry) error {
			if e.Mode.IsFile() {
				blobs = append(blobs, e.Hash)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(blobs) > fewStates {
		blobs = blobs[:1]
	}
	if r.store.Has(r.gatesTip) {
		gates, err := r.store.Commit(ctx, r.gatesTip)
		if err != nil {
			return err
		}
		if entry, ok, err := r.find(ctx, gates, r.src.GatesFile); err != nil {
			return err
		} else if ok {
			blobs = append(blobs, entry.Hash)
		}
	}
	if !tree.IsZero() {
		return r.store.NeedWith(ctx, tree, blobs...)
	}
	return r.store.Need(ctx, blobs...)
}

// StateAt is the state at path p in commit c; nil when it has none there. One that does not parse is cepler.ErrState.
func (r *Repository) StateAt(ctx context.Context, c *git.Commit, p string) (*cepler.State, error) {
	entry, ok, err := r.find(ctx, c, p)
	if err != nil || !ok {
		return nil, err
	}
	state, err := r.state(ctx, p, entry.Hash)
	if err != nil {
		err = fmt.Errorf("at commit %s: %w", short(c.Hash), err)
	}
	return state, err
}

// needStates fetches in one request the states that the named environments have
// in commit c.
func (r *Repository) needStates(ctx context.Context, c *git.Commit, config *cepler.Config, environments ...string) error {
	var blobs []git.Hash
	for _, name := range environments {
		entry, ok, err := r.find(ctx, c, config.StatePath(name))
		if err != nil {
			return err
		}
		if ok {
			blobs = append(blobs, entry.Hash)
		}
	}
	if err := r.store.Need(ctx, blobs...); err != nil {
		return fmt.Errorf("fetch the states at %s: %w", short(c.Hash), err)
	}
	return nil
}

// state parses the blob h, which is the state file p.
func (r *Repository) state(ctx context.Context, p string, h git.Hash) (*cepler.State, error) {
	if done, ok := r.states[h]; ok {
		return done.value, done.err
	}
	data, err := r.store.Blob(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("read state %s: %w", p, err)
	}
	state, err := cepler.ParseState(p, data)
	if err != nil {
		err = &brokenError{err}
	}
	r.states[h] = parsed[*cepler.State]{state, err}
	return state, err
}

// brokenError is a file in the repository that does not parse. In a walk over
// history it ends the walk, as a commit that differs does.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

func isBroken(err error) bool {
	_, is := errors.AsType[*brokenError](err)
	return is
}

// content is what an environment consists of at one commit.
type content struct {
	// Snapshot has the files as cepler's state names them. Those from the
	// commit's own tree have no From and no Message yet.
	cepler.Snapshot
	// target is what the propagated files come from; nil where that is not known.
	target *cepler.Snapshot
	// modes has the mode of every file from the commit's own tree, by path.
	modes map[string]filemode.FileMode
	// submodules are at these paths, and would belong to it if they were files.
	submodules []string
}

// rules are what decides which files an environment has: a config, read from
// some commit, and the environment's own recorded state, which holds its place
// in the upstream's queue.
type rules struct {
	config      *cepler.Config
	configHash  git.Hash
	environment cepler.Environment
	own         *cepler.State
	ignoreQueue bool
	// skip are the heads of queued upstream states that are passed over: those that would bring back
	// what a rollback took back.
	skip map[string]bool
}

// own is what the tree of a commit holds for an environment by itself, by path.
type own struct {
	blobs map[string]string
	modes map[string]filemode.FileMode
	// submodules are left out: their files are in another repository.
	submodules []string
}

// latest is what the tree of c holds for the environment by itself.
func (r *Repository) latest(ctx context.Context, c *git.Commit, u rules) (own, error) {
	out := own{blobs: map[string]string{}, modes: map[string]filemode.FileMode{}}
	globs := u.environment.Latest
	err := r.store.Walk(ctx, c.Tree, globs.Descend, func(p string, e git.Entry) error {
		if u.owns(p, e.Mode) {
			out.blobs[p] = e.Hash.String()
			out.modes[p] = e.Mode
		}
		if e.Mode == filemode.Submodule && (globs.Match(p) || globs.Descend(p)) {
			out.submodules = append(out.submodules, p)
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("list the files of %s at %s: %w", u.environment.Name, short(c.Hash), err)
	}
	return out, nil
}

// owns reports whether the file at p is one of the environment's latest files:
// a blob that its patterns match, but neither the config nor a state file.
func (u rules) owns(p string, mode filemode.FileMode) bool {
	if mode == filemode.Submodule || p == u.config.Path || path.Dir(p) == u.config.StateDir() {
		return false
	}
	return u.environment.Latest.Match(p)
}

// upstreamPath is the state file of the environment that must be passed, ""
// when there is none.
func (u rules) upstreamPath() string {
	if u.environment.Passed == "" {
		return ""
	}
	return u.config.StatePath(u.environment.Passed)
}

// queued is the upstream's state without the states that are passed over.
func (u rules) queued(upstream *cepler.State) *cepler.State {
	if len(u.skip) == 0 {
		return upstream
	}
	out := *upstream
	out.Queue = slices.DeleteFunc(slices.Clone(upstream.Queue), func(s cepler.Snapshot) bool { return u.skip[s.Head] })
	return &out
}

// contentAt is the content of the environment as commit c has it: its latest
// files and those that the upstream state recorded in c lets through.
func (r *Repository) contentAt(ctx context.Context, c *git.Commit, u rules) (*content, error) {
	own, err := r.latest(ctx, c, u)
	if err != nil {
		return nil, err
	}
	var target *cepler.Snapshot
	if p := u.upstreamPath(); p != "" {
		upstream, err := r.StateAt(ctx, c, p)
		if err != nil {
			return nil, err
		}
		if upstream != nil {
			target = u.environment.Target(u.own, u.queued(upstream), own.blobs, u.ignoreQueue)
		}
	}
	return &content{Snapshot: cepler.Compose(u.environment, own.blobs, target), target: target, modes: own.modes, submodules: own.submodules}, nil
}

// same reports whether two contents would be deployed alike.
func (r *Repository) same(ctx context.Context, a, b *content) (bool, error) {
	if len(cepler.Diff(&a.Snapshot, b.Snapshot)) > 0 || len(a.modes) != len(b.modes) {
		return false, nil
	}
	for p, mode := range a.modes {
		if !sameMode(b.modes[p], mode) {
			return false, nil
		}
	}
	changed, err := r.propagatedModes(ctx, a.Files, b.Files)
	return len(changed) == 0, err
}

// propagatedModes are the keys of propagated files whose content is the same on
// both sides but not their exec bit. Such a file comes from another commit, in
// which the bit can be seen.
func (r *Repository) propagatedModes(ctx context.Context, before, after map[string]cepler.File) ([]string, error) {
	var keys, origins []string
	for key, is := range after {
		was, ok := before[key]
		if source, _ := cepler.SplitKey(key); source == latestSource || !ok || was.From == is.From || was.Hash != is.Hash {
			continue
		}
		keys = append(keys, key)
		origins = append(origins, was.From, is.From)
	}
	if err := r.needOrigins(ctx, origins); err != nil {
		return nil, err
	}
	var changed []string
	for _, key := range keys {
		_, p := cepler.SplitKey(key)
		was, err := r.entryAt(ctx, before[key].From, p)
		if errors.Is(err, ErrVersion) {
			continue // history was rewritten: nothing can be said
		}
		if err != nil {
			return nil, err
		}
		is, err := r.entryAt(ctx, after[key].From, p)
		if err != nil && !errors.Is(err, ErrVersion) {
			return nil, err
		}
		if err == nil && !sameMode(was.Mode, is.Mode) {
			changed = append(changed, key)
		}
	}
	slices.Sort(changed)
	return changed, nil
}

// sameMode reports whether two modes are delivered alike: git's 0100664 is a
// regular file.
func sameMode(a, b filemode.FileMode) bool { return modeText(a) == modeText(b) }

// modeText is a mode by which files are told apart.
func modeText(m filemode.FileMode) string {
	if m == filemode.Deprecated {
		m = filemode.Regular
	}
	return m.String()
}

// short is a commit as people write it.
func short(h git.Hash) string { return h.String()[:7] }

// subject is a commit's first paragraph on one line.
func subject(c *git.Commit) string { return cepler.Summary(c.Message) }

// subjectOf is the subject of a commit by its full hash; "" when it is not there.
func (r *Repository) subjectOf(ctx context.Context, commit string) string {
	if h, ok := parseHash(commit); ok {
		if c, err := r.store.Commit(ctx, h); err == nil {
			return subject(c)
		}
	}
	return ""
}

// parseHash is the hash that s spells in full, and whether it spells one.
func parseHash(s string) (git.Hash, bool) {
	if !plumbing.IsHash(strings.ToLower(s)) {
		return git.Hash{}, false
	}
	return plumbing.NewHash(s), true
}
