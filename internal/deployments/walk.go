package deployments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// position is one step of a walk back through history.
type position struct {
	commit  *git.Commit
	rules   rules
	content *content
	// own says that the rules are from the commit's own config.
	own bool
}

// origin is where a walk ended.
type origin struct {
	position

	// before is the position after it, where the content is another one; nil when history ends first, or
	// has no such content there.
	before *position
}

// trigger walks back along the first parents while the content stays the same.
// The last such commit is the one the content became complete with. First
// parents are what the branch itself was: a merged branch counts with its merge
// commit, and an unrelated one does not move the trigger.
func (r *Repository) trigger(ctx context.Context, from position) (origin, error) {
	var ahead lookahead
	config, ok, err := r.find(ctx, from.commit, from.rules.config.Path)
	if err != nil {
		return origin{}, err
	}
	from.own = ok && config.Hash == from.rules.configHash
	for {
		parents, err := r.store.Parents(ctx, from.commit.Hash)
		if err != nil {
			return origin{}, fmt.Errorf("walk back from %s: %w", short(from.commit.Hash), err)
		}
		if len(parents) == 0 {
			return origin{position: from}, nil
		}
		parent, err := r.store.Commit(ctx, parents[0])
		if err != nil {
			return origin{}, fmt.Errorf("walk back from %s: %w", short(from.commit.Hash), err)
		}
		before, same, err := r.step(ctx, from, parent, &ahead)
		switch {
		case err != nil:
			return origin{}, err
		case same:
			from = before
		case before.content == nil:
			return origin{position: from}, nil
		default:
			return origin{from, &before}, nil
		}
	}
}

// step is the position at parent, and whether its content is still from's.
func (r *Repository) step(ctx context.Context, from position, parent *git.Commit, ahead *lookahead) (position, bool, error) {
	untouched, err := r.untouched(ctx, from, parent)
	if err != nil {
		return position{}, false, err
	}
	if untouched {
		return position{commit: parent, rules: from.rules, content: from.content, own: true}, true, nil
	}
	u, err := r.rulesAt(ctx, parent, from.rules)
	if err != nil || u == nil {
		return position{}, false, err
	}
	if err := ahead.fetch(ctx, r, parent, *u); err != nil {
		return position{}, false, err
	}
	before, err := r.contentAt(ctx, parent, *u)
	if r.endsWalk(parent, err) {
		return position{}, false, nil
	}
	if err != nil {
		return position{}, false, err
	}
	same, err := r.same(ctx, before, from.content)
	return position{commit: parent, rules: *u, content: before, own: true}, same, err
}

// rulesAt are the rules as parent's config has them; nil when it has none for
// this environment, which ends the walk.
func (r *Repository) rulesAt(ctx context.Context, parent *git.Commit, u rules) (*rules, error) {
	config, h, err := r.configAt(ctx, parent)
	if isNotExist(err) || r.endsWalk(parent, err) {
		return nil, nil //nolint:nilnil // documented
	}
	if err != nil {
		return nil, err
	}
	env, ok := config.Environments[u.environment.Name]
	if !ok {
		return nil, nil //nolint:nilnil // documented
	}
	u.config, u.configHash, u.environment = config, h, env
	return &u, nil
}

// endsWalk reports whether err is a file that does not parse, and says so.
func (r *Repository) endsWalk(c *git.Commit, err error) bool {
	if !isBroken(err) {
		return false
	}
	r.logf("commit %s is taken as a change: %v", short(c.Hash), err)
	return true
}

// errTouched ends a diff at the first difference that matters.
var errTouched = errors.New("touched")

// untouched reports whether nothing that decides the content differs between
// parent and from: the config, the upstream's state and the latest files.
func (r *Repository) untouched(ctx context.Context, from position, parent *git.Commit) (bool, error) {
	if !from.own {
		return false, nil
	}
	u := from.rules
	state, config := u.upstreamPath(), u.config.Path
	descend := func(dir string) bool {
		return u.environment.Latest.Descend(dir) || strings.HasPrefix(config, dir+"/") || strings.HasPrefix(state, dir+"/")
	}
	err := r.store.Diff(ctx, parent.Tree, from.commit.Tree, descend, func(p string, before, after *git.Entry) error {
		if p == state || p == config || u.touches(p, before) || u.touches(p, after) {
			return errTouched
		}
		return nil
	})
	if errors.Is(err, errTouched) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("compare %s with %s: %w", short(parent.Hash), short(from.commit.Hash), err)
	}
	return true, nil
}

func (u rules) touches(p string, e *git.Entry) bool { return e != nil && u.owns(p, e.Mode) }

// lookahead fetches the upstream states of the commits that a walk is about to
// reach, in growing batches: a long queue changes them at nearly every step,
// and one request each would be slow.
type lookahead struct{ batch int }

// maxLookahead bounds the commits that one batch looks at.
const maxLookahead = 128

func (l *lookahead) fetch(ctx context.Context, r *Repository, c *git.Commit, u rules) error {
	p := u.upstreamPath()
	if p == "" {
		return nil
	}
	entry, ok, err := r.find(ctx, c, p)
	if err != nil || !ok || r.store.Has(entry.Hash) {
		return err
	}
	l.batch = min(max(1, 2*l.batch), maxLookahead)
	blobs := []git.Hash{entry.Hash}
	for range l.batch - 1 {
		if len(c.Parents) == 0 || !r.store.Has(c.Parents[0]) {
			break
		}
		if c, err = r.store.Commit(ctx, c.Parents[0]); err != nil {
			return fmt.Errorf("look ahead of %s: %w", short(c.Hash), err)
		}
		if entry, ok, err = r.find(ctx, c, p); err != nil {
			return err
		}
		if ok && entry.Hash != blobs[len(blobs)-1] {
			blobs = append(blobs, entry.Hash)
		}
	}
	if err := r.store.Need(ctx, blobs...); err != nil {
		return fmt.Errorf("fetch the states of %s: %w", u.environment.Passed, err)
	}
	return nil
}

// modeChanges are the files whose exec bit is not the recorded one. The state
// keeps no modes, but the commits that it names do.
func (r *Repository) modeChanges(ctx context.Context, own *cepler.State, now *content) ([]cepler.Change, error) {
	changes, err := r.latestModes(ctx, own, now)
	if err != nil {
		return nil, err
	}
	keys, err := r.propagatedModes(ctx, own.Current.Files, now.Files)
	for _, key := range keys {
		_, p := cepler.SplitKey(key)
		before, after := own.Current.Files[key], now.Files[key]
		changes = append(changes, cepler.Change{Key: key, Path: p, Kind: cepler.Changed, Before: &before, After: &after})
	}
	return changes, err
}

func (r *Repository) latestModes(ctx context.Context, own *cepler.State, now *content) ([]cepler.Change, error) {
	h, ok := parseHash(own.Current.Head)
	if !ok || len(now.modes) == 0 {
		return nil, nil
	}
	recorded, err := r.store.Commit(ctx, h)
	if errors.Is(err, git.ErrNotFound) {
		return nil, nil // history was rewritten: nothing can be said
	}
	if err != nil {
		return nil, fmt.Errorf("read the recorded commit: %w", err)
	}
	var changes []cepler.Change
	for key, file := range now.Files {
		source, p := cepler.SplitKey(key)
		if source != latestSource {
			continue
		}
		was, ok, err := r.find(ctx, recorded, p)
		if err != nil {
			return nil, err
		}
		if ok && was.Hash.String() == file.Hash && !sameMode(was.Mode, now.modes[p]) && was.Mode != filemode.Symlink {
			before := own.Current.Files[key]
			changes = append(changes, cepler.Change{Key: key, Path: p, Kind: cepler.Changed, Before: &before, After: &file})
		}
	}
	return changes, nil
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
