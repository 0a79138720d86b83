package deployments

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// ErrVersion says that a version is not available in the repository any more.
var ErrVersion = errors.New("version not found")

// Restored is a version's content, worked out again from the version alone.
type Restored struct {
	Version     Version
	Trigger     *git.Commit
	Config      *cepler.Config
	Environment cepler.Environment
	// Upstream is what the environment took its propagated files from, and
	// UpstreamVersion that record's number; empty without one.
	Upstream        string
	UpstreamVersion uint64

	content      *content
	configCommit *git.Commit
}

// Restore finds what version stands for. The answer depends on nothing but the
// version and the history below it, so it is the same at any later time. Only
// versions of the Rust resource, which do not name their content, depend on
// what is recorded at the branch's head.
func (r *Repository) Restore(ctx context.Context, version Version, environment string) (*Restored, error) {
	out, err := r.restoring(ctx, version, environment)
	if err != nil {
		return nil, err
	}
	if version.Files == "" {
		return out, r.restoreUnnamed(ctx, out)
	}
	return out, r.restoreNamed(ctx, out)
}

// restoring is Restore without the content: the trigger, and the config that decided.
func (r *Repository) restoring(ctx context.Context, version Version, environment string) (*Restored, error) {
	h, ok := parseHash(version.Trigger)
	if !ok {
		return nil, fmt.Errorf("version.trigger: %q is not a full commit hash", version.Trigger)
	}
	if version.Version != "" && version.number() == 0 {
		return nil, fmt.Errorf("version.version: %q is not the number of a version", version.Version)
	}
	head, unreadable := r.headWith(ctx, h) // its states are needed next
	trigger, err := r.commit(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("trigger %s: %w", short(h), err)
	}
	out := &Restored{Version: version, Trigger: trigger, configCommit: trigger}
	if version.Config != "" {
		if out.configCommit, err = r.configCommit(ctx, version.Config); err != nil {
			return nil, err
		}
	}
	if unreadable != nil {
		head = out.configCommit // a branch that is gone is not in the way of a version
	}
	tree := git.Hash{}
	if r.delivers {
		tree = trigger.Tree
	}
	if err := r.needConfig(ctx, out.configCommit, head, tree); err != nil {
		return nil, fmt.Errorf("read the config at %s: %w", short(out.configCommit.Hash), err)
	}
	if out.Config, _, err = r.configAt(ctx, out.configCommit); err != nil {
		return nil, err
	}
	if out.Environment, err = out.Config.Environment(environment); err != nil {
		return nil, fmt.Errorf("at %s: %w", short(out.configCommit.Hash), err)
	}
	return out, nil
}

func (r *Repository) configCommit(ctx context.Context, name string) (*git.Commit, error) {
	h, ok := parseHash(name)
	if !ok {
		return nil, fmt.Errorf("version.config: %q is not a full commit hash", name)
	}
	c, err := r.commit(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("config commit %s: %w", short(h), err)
	}
	return c, nil
}

// commit is a commit of the past; one that is gone is ErrVersion.
func (r *Repository) commit(ctx context.Context, h git.Hash) (*git.Commit, error) {
	c, err := r.store.Commit(ctx, h)
	if errors.Is(err, git.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s has no such commit; if branch %s was rewritten, a check lists the versions that it has now", ErrVersion, r.store.URL(), r.src.Branch)
	}
	return c, err
}

// restoreNamed finds the content that the version names.
func (r *Repository) restoreNamed(ctx context.Context, out *Restored) error {
	found, err := r.choose(ctx, out, func(c *content) bool { return c.contentDigest() == out.Version.Files })
	if err == nil && !found {
		err = fmt.Errorf("%w: no state of %s at %s has the content %s", ErrVersion, out.Environment.Name, short(out.Trigger.Hash), out.Version.Files)
	}
	return err
}

// choose tries every state that the upstream offered at the trigger, and takes the first one with which the content is right.
func (r *Repository) choose(ctx context.Context, out *Restored, right func(*content) bool) (found bool, err error) {
	u := rules{config: out.Config, environment: out.Environment}
	own, err := r.latest(ctx, out.Trigger, u)
	if err != nil {
		return false, err
	}
	candidates, err := r.candidates(ctx, out.Trigger, u)
	if err != nil {
		return false, err
	}
	for _, candidate := range candidates {
		c := &content{Snapshot: cepler.Compose(out.Environment, own.blobs, candidate.snapshot), target: candidate.snapshot, modes: own.modes}
		if right(c) {
			out.content = c
			if candidate.snapshot != nil {
				out.Upstream, out.UpstreamVersion = out.Environment.Passed, candidate.version
			}
			return true, nil
		}
	}
	return false, nil
}

// candidate is a state that an upstream offers, with the number it was recorded
// under.
type candidate struct {
	snapshot *cepler.Snapshot
	version  uint64
}

// candidates are what the upstream recorded at c offers, newest first; one
// empty candidate where there is no upstream.
func (r *Repository) candidates(ctx context.Context, c *git.Commit, u rules) ([]candidate, error) {
	p := u.upstreamPath()
	if p == "" {
		return []candidate{{}}, nil
	}
	upstream, err := r.StateAt(ctx, c, p)
	if err != nil || upstream == nil {
		return []candidate{{}}, err
	}
	all := []candidate{{&upstream.Current, upstream.Version}}
	for i := range upstream.Queue {
		all = append(all, candidate{&upstream.Queue[i], upstream.Version - uint64(i) - 1})
	}
	return all, nil
}

// restoreUnnamed does what the Rust resource does: the recorded state if it is
// the version's, else what the trigger and today's record make of it. A folder
// that it filled has no number: then what is pending at the trigger comes first.
func (r *Repository) restoreUnnamed(ctx context.Context, out *Restored) error {
	own, err := r.recordedNow(ctx, out.Config.StatePath(out.Environment.Name))
	if err != nil {
		return err
	}
	n := out.Version.number()
	recorded := own != nil && own.Current.Head == out.Version.Trigger
	if recorded && n == own.Version {
		out.content, err = r.contentOf(ctx, own.Current)
		return err
	}
	plan, err := r.today(ctx, out.Environment.Name)
	if err != nil {
		return err
	}
	if plan.Pending() && plan.Trigger.Hash == out.Trigger.Hash {
		return r.takePlan(ctx, out, plan)
	}
	if recorded && n == 0 {
		out.content, err = r.contentOf(ctx, own.Current)
		return err
	}
	u := rules{config: out.Config, environment: out.Environment, own: own, ignoreQueue: r.src.IgnoreQueue}
	out.content, err = r.contentAt(ctx, out.Trigger, u)
	return err
}

// today is what the environment would deploy now.
func (r *Repository) today(ctx context.Context, environment string) (*Plan, error) {
	view, err := r.ViewNow(ctx)
	if err != nil {
		return nil, err
	}
	return r.Plan(ctx, view, environment, time.Now())
}

// takePlan makes out what the plan says, by the config that the plan was made by.
func (r *Repository) takePlan(ctx context.Context, out *Restored, p *Plan) error {
	out.content = p.content
	if p.config == "" {
		return nil
	}
	var err error
	if out.configCommit, err = r.configCommit(ctx, p.config); err != nil {
		return err
	}
	if out.Config, _, err = r.configAt(ctx, out.configCommit); err != nil {
		return err
	}
	out.Environment, err = out.Config.Environment(out.Environment.Name)
	return err
}

// recordedNow is the state at path p on the branch's present head.
func (r *Repository) recordedNow(ctx context.Context, p string) (*cepler.State, error) {
	head, err := r.head(ctx)
	if err != nil {
		return nil, err
	}
	return r.StateAt(ctx, head, p)
}

// head is the branch's present head.
func (r *Repository) head(ctx context.Context) (*git.Commit, error) {
	return r.headWith(ctx, git.Hash{})
}

// headWith is head, fetched together with another commit. That the other commit is gone is not an error.
func (r *Repository) headWith(ctx context.Context, beside git.Hash) (*git.Commit, error) {
	refs, err := r.ownRefs(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.advance(ctx, refs, beside); err != nil {
		return nil, err
	}
	return r.tip(ctx, refs, r.src.branchRef())
}

// contentOf is the content that a record describes.
func (r *Repository) contentOf(ctx context.Context, s cepler.Snapshot) (*content, error) {
	c := &content{Snapshot: s, modes: map[string]filemode.FileMode{}}
	for key, file := range s.Files {
		source, p := cepler.SplitKey(key)
		if source != latestSource || file.Hash == "" {
			continue
		}
		entry, err := r.entryAt(ctx, file.From, p)
		if err != nil {
			return nil, err
		}
		c.modes[p] = entry.Mode
	}
	return c, nil
}

// restoreRecorded is the state that was recorded under version's number or,
// while that is not recorded, the last one that is.
func (r *Repository) restoreRecorded(ctx context.Context, version Version, environment string) (*Restored, error) {
	out, err := r.Restore(ctx, version, environment)
	if err != nil {
		return nil, err
	}
	state, err := r.recordedAs(ctx, out.Config.StatePath(environment), version.number())
	if err != nil {
		return nil, err
	}
	h, ok := parseHash(state.Current.Head)
	if !ok {
		return nil, fmt.Errorf("the recorded state of %s: head_commit %q is not a full commit hash", environment, state.Current.Head)
	}
	if out.Trigger, err = r.commit(ctx, h); err != nil {
		return nil, fmt.Errorf("the recorded state of %s: %w", environment, err)
	}
	if out.content, err = r.contentOf(ctx, state.Current); err != nil {
		return nil, err
	}
	out.Upstream = ""
	out.Version = Version{
		Trigger: state.Current.Head, Version: strconv.FormatUint(state.Version, 10),
		Files: out.content.contentDigest(), Config: version.Config,
	}
	return out, nil
}

// recordedAs walks back through the records at path p to the one numbered n.
func (r *Repository) recordedAs(ctx context.Context, p string, n uint64) (*cepler.State, error) {
	state, err := r.recordedNow(ctx, p)
	if err != nil {
		return nil, err
	}
	if state == nil {
		return nil, fmt.Errorf("%s is not there yet: nothing is recorded; get with prepare: true (the default)", p)
	}
	if n == 0 || state.Version <= n {
		return state, nil
	}
	rec, err := r.recordNumbered(ctx, p, n)
	return rec.state, err
}

// delivery are the files of the version, as they are to be on disk: those of
// the environment, the config and this deployment's states, as of the trigger.
func (r *Repository) delivery(ctx context.Context, v *Restored) ([]git.File, error) {
	files, err := r.environmentFiles(ctx, v)
	if err != nil {
		return nil, err
	}
	entry, ok, err := r.find(ctx, v.configCommit, v.Config.Path)
	if err != nil {
		return nil, err
	}
	if ok {
		files[v.Config.Path] = git.File{Path: v.Config.Path, Mode: entry.Mode, Hash: entry.Hash}
	}
	if err := r.stateFiles(ctx, v, files); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(files), func(a, b git.File) int { return strings.Compare(a.Path, b.Path) }), nil
}

func (r *Repository) environmentFiles(ctx context.Context, v *Restored) (map[string]git.File, error) {
	commits := make(map[string]string, len(v.content.Files))
	for key, f := range v.content.Files {
		if source, p := cepler.SplitKey(key); source != latestSource || f.Dirty {
			commits[key] = v.commitWith(p, f)
		}
	}
	if err := r.needOrigins(ctx, slices.Collect(maps.Values(commits))); err != nil {
		return nil, err
	}
	files := make(map[string]git.File, len(v.content.Files))
	for key, f := range v.content.Files {
		source, p := cepler.SplitKey(key)
		if f.Hash == "" {
			continue // it was not there when its environment was deployed
		}
		if source == latestSource && !f.Dirty {
			h, _ := parseHash(f.Hash)
			files[p] = git.File{Path: p, Mode: v.content.modes[p], Hash: h}
			continue
		}
		entry, err := r.entryAt(ctx, commits[key], p)
		if commits[key] != f.From && (err != nil || entry.Hash.String() != f.Hash) {
			entry, err = r.entryAt(ctx, f.From, p)
		}
		if err != nil {
			return nil, err
		}
		files[p] = git.File{Path: p, Mode: entry.Mode, Hash: entry.Hash}
	}
	return files, nil
}

// commitWith is a commit that has the propagated file p as the one that it came from has it, by which it was last changed: the
// trigger of the environment that took it from its own commit. That is one commit for all files, and mostly at hand.
func (out *Restored) commitWith(p string, f cepler.File) string {
	target := out.content.target
	if target == nil || f.Dirty {
		return f.From
	}
	if _, ok := target.Files[cepler.LatestKey(p)]; ok {
		return target.Head
	}
	upstream, err := out.Config.Environment(out.Environment.Passed)
	if err != nil || upstream.Passed == "" {
		return f.From
	}
	if first, err := out.Config.Environment(upstream.Passed); err != nil || first.Passed != "" || target.PropagatedHead == "" {
		return f.From
	}
	return target.PropagatedHead
}

// needOrigins fetches in one request the commits that files came from. One that
// is gone is missed by whoever reads it.
func (r *Repository) needOrigins(ctx context.Context, from []string) error {
	var origins []git.Hash
	for _, name := range from {
		if h, ok := parseHash(name); ok && !slices.Contains(origins, h) {
			origins = append(origins, h)
		}
	}
	if err := r.store.NeedCommits(ctx, origins...); err != nil && !errors.Is(err, git.ErrNotFound) {
		return fmt.Errorf("fetch the commits that propagated files come from: %w", err)
	}
	return nil
}

// entryAt is the file p as the commit named from has it: what a record means
// by a file, with its mode.
func (r *Repository) entryAt(ctx context.Context, from, p string) (git.Entry, error) {
	h, ok := parseHash(from)
	if !ok {
		return git.Entry{}, fmt.Errorf("state of %s: from_commit %q is not a full commit hash", p, from)
	}
	c, err := r.commit(ctx, h)
	if err != nil {
		return git.Entry{}, fmt.Errorf("%s comes from commit %s: %w", p, short(h), err)
	}
	entry, ok, err := r.find(ctx, c, p)
	if err == nil && !ok {
		err = fmt.Errorf("%w: the state says that %s comes from commit %s, which has no such file", ErrVersion, p, short(h))
	}
	return entry, err
}

// stateFiles adds the direct children of the state folder.
func (r *Repository) stateFiles(ctx context.Context, v *Restored, files map[string]git.File) error {
	dir := v.Config.StateDir()
	descend := func(d string) bool { return d == dir || strings.HasPrefix(dir, d+"/") }
	err := r.store.Walk(ctx, v.Trigger.Tree, descend, func(p string, e git.Entry) error {
		if path.Dir(p) == dir && e.Mode != filemode.Submodule {
			files[p] = git.File{Path: p, Mode: e.Mode, Hash: e.Hash}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list %s at %s: %w", dir, short(v.Trigger.Hash), err)
	}
	return nil
}
