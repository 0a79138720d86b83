package deployments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// Gate is how far an environment may see, resolved to a commit of the branch.
type Gate struct {
	cepler.Gate
	// Commit is where the environment's view of the branch ends.
	Commit *git.Commit
	// Gated is false when nothing holds the environment back: there is no
	// gates file, or the gate is HEAD without further rules.
	Gated bool
}

// headGate is the gate that is always open.
const headGate = "HEAD"

// errNoCommit says that a name points to no commit.
var errNoCommit = errors.New("not a commit")

// errOffBranch says that a commit cannot be a gate.
var errOffBranch = errors.New("is not on branch")

// shortCommit is what a person copies from `git log --oneline`.
var shortCommit = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-fA-F]{7,40}$`) })

// gate resolves the gate of an environment: a commit, a short commit, a tag, a
// branch or HEAD. It must lie on the branch.
func (r *Repository) gate(ctx context.Context, v *View, environment string) (*Gate, error) {
	if v.Gates == nil {
		return &Gate{Commit: v.Head}, nil
	}
	rule, ok := v.Gates.For(environment)
	if !ok { // the file alone decides, for a resource as for a person who looks at a clone
		return nil, fmt.Errorf("%w: %s of branch %s has no gate for %s%s; add `%s: HEAD`, or the commit it may deploy up to", errNothingYet, r.src.GatesFile, r.src.GatesBranchName(), environment, misspelt(v, environment), environment)
	}
	if rule.Commit == headGate {
		return &Gate{Gate: rule, Commit: v.Head, Gated: rule.HasRules()}, nil
	}
	h, err := r.resolve(ctx, v, rule.Commit)
	if err != nil {
		return nil, fmt.Errorf("gate of %s in %s: %w", environment, r.src.GatesFile, err)
	}
	on, err := r.store.IsAncestor(ctx, h, v.Head.Hash)
	if err != nil && !errors.Is(err, git.ErrNotFound) {
		return nil, fmt.Errorf("gate of %s: look for %s on branch %s: %w", environment, short(h), r.src.Branch, err)
	}
	if !on {
		return nil, fmt.Errorf("gate of %s in %s is %q, which %w %s: set it to a commit of that branch, or to HEAD", environment, r.src.GatesFile, rule.Commit, errOffBranch, r.src.Branch)
	}
	commit, err := r.store.Commit(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("gate of %s: %w", environment, err)
	}
	return &Gate{Gate: rule, Commit: commit, Gated: true}, nil
}

// misspelt mentions a gate that may be meant for the environment, where it has none.
func misspelt(v *View, environment string) string {
	if name := stranger(v, environment); name != "" {
		return fmt.Sprintf(", but one for %s (is that a misspelt %s?)", name, environment)
	}
	return ""
}

// stranger is a gate with nearly the name of an environment, which is not that of another environment; "" for
// none. Gates with other names may be those of another config.
func stranger(v *View, environment string) string {
	if v.Gates == nil {
		return ""
	}
	var strangers []string
	for _, name := range v.Gates.Environments() {
		if _, err := v.Config.Environment(name); err != nil {
			strangers = append(strangers, name)
		}
	}
	return nearest.Of(environment, strangers)
}

// resolve finds the commit that a person named.
func (r *Repository) resolve(ctx context.Context, v *View, name string) (git.Hash, error) {
	if name == headGate {
		return v.Head.Hash, nil
	}
	if h, ok := parseHash(name); ok {
		return h, nil
	}
	if shortCommit().MatchString(name) {
		h, err := r.byPrefix(ctx, v.Head.Hash, strings.ToLower(name))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return h, err
		}
	}
	return r.byRef(ctx, v, name)
}

// byRef is the commit that a tag or branch called name points to. Both are
// looked up even if the first is there, so that a cached answer notices either.
func (r *Repository) byRef(ctx context.Context, v *View, name string) (git.Hash, error) {
	tag, branch := "refs/tags/"+name, "refs/heads/"+name
	refs, err := r.refs(ctx, tag, branch)
	if err != nil {
		return git.Hash{}, fmt.Errorf("look up %q: %w", name, err)
	}
	v.Refs[tag], v.Refs[branch] = git.Hash{}, git.Hash{}
	maps.Copy(v.Refs, refs)
	for _, ref := range []string{tag + "^{}", tag, branch} {
		if h, ok := refs[ref]; ok && !h.IsZero() {
			return h, nil
		}
	}
	return git.Hash{}, fmt.Errorf("%q is %w of branch %s, and not a tag or a branch of %s: write a full or short commit, a tag, a branch or HEAD", name, errNoCommit, r.src.Branch, r.store.URL())
}

// byPrefix is the nearest commit of the branch whose hash starts so.
func (r *Repository) byPrefix(ctx context.Context, head git.Hash, prefix string) (git.Hash, error) {
	seen := map[git.Hash]bool{head: true}
	for queue := []git.Hash{head}; len(queue) > 0; queue = queue[1:] {
		if strings.HasPrefix(queue[0].String(), prefix) {
			return queue[0], nil
		}
		parents, err := r.store.Parents(ctx, queue[0])
		if err != nil {
			return git.Hash{}, fmt.Errorf("look for commit %s: %w", prefix, err)
		}
		for _, p := range parents {
			if !seen[p] {
				seen[p] = true
				queue = append(queue, p)
			}
		}
	}
	return git.Hash{}, fs.ErrNotExist
}

// gateHistory bounds how far back the mover of a gate is looked for.
const gateHistory = 200

// GateMove is the commit that gave an environment the gate it has now; nil when
// that was too long ago to matter, or nothing is gated.
func (r *Repository) GateMove(ctx context.Context, v *View, environment string) (*git.Commit, error) {
	return r.moveOf(ctx, v, environment, cepler.Gate{}, func(was, is cepler.Gate) bool { return reflect.DeepEqual(was, is) })
}

// moveOf is GateMove for gates that are the same as far as same says. An environment that had no gate yet
// counts as having had the gate none.
func (r *Repository) moveOf(ctx context.Context, v *View, environment string, none cepler.Gate, same func(was, is cepler.Gate) bool) (*git.Commit, error) {
	if v.Gates == nil {
		return nil, nil //nolint:nilnil // no gate, no move: documented
	}
	now, _ := v.Gates.For(environment)
	line, err := r.gateLine(ctx, v.gatesHead)
	if err != nil {
		return nil, fmt.Errorf("look for who moved the gate of %s: %w", environment, err)
	}
	for i, at := range line[:len(line)-1] {
		was := none
		gates, _, err := r.GatesAt(ctx, line[i+1])
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return at, nil // a gates file that did not parse is a move too
		}
		if err == nil {
			if had, ok := gates.For(environment); ok {
				was = had
			}
		}
		if !same(was, now) {
			return at, nil
		}
	}
	if oldest := line[len(line)-1]; len(oldest.Parents) == 0 && !same(none, now) {
		return oldest, nil
	}
	return nil, nil //nolint:nilnil // too long ago: documented
}

// gateMovedSince reports whether the environment's gate has another value than it had when a record was
// made. The record's Gate trailer says which; without one, the history of the gates file does. A first gate
// that is HEAD is no decision: the record may have been made before all environments had one.
func (r *Repository) gateMovedSince(ctx context.Context, v *View, environment string, rec *git.Commit) (bool, error) {
	if v.Gates == nil {
		return false, nil
	}
	now, _ := v.Gates.For(environment)
	if then := trailer(rec.Message, gateTrailer); then != "" {
		return then != gateText(now), nil
	}
	move, err := r.moveOf(ctx, v, environment, cepler.Gate{Commit: headGate}, func(was, is cepler.Gate) bool { return was.Commit == is.Commit })
	if err != nil || move == nil {
		return false, err
	}
	return move.Committer.When.After(rec.Committer.When), nil
}

// gateText is a gate as a record's trailer has it.
func gateText(g cepler.Gate) string { return strings.Join(strings.Fields(g.Commit), " ") }

// gateLine are the commits back from head along the first parents, as far as
// they are at hand, with their gates files fetched in one request.
func (r *Repository) gateLine(ctx context.Context, head *git.Commit) ([]*git.Commit, error) {
	line := []*git.Commit{head}
	var blobs []git.Hash
	for c := head; len(c.Parents) > 0 && r.store.Has(c.Parents[0]) && len(line) < gateHistory; {
		var err error
		if c, err = r.store.Commit(ctx, c.Parents[0]); err != nil {
			return nil, err
		}
		line = append(line, c)
		entry, ok, err := r.find(ctx, c, r.src.GatesFile)
		if err != nil {
			return nil, err
		}
		if ok && !slices.Contains(blobs, entry.Hash) {
			blobs = append(blobs, entry.Hash)
		}
	}
	return line, r.store.Need(ctx, blobs...)
}
