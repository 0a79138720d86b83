package deployments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// GateChange is a commit of the gates branch that moved an environment's gate.
type GateChange struct {
	Commit *git.Commit
	// Gate is what it moved the gate to, as it is written; "" if it took the gate away. Previous is what
	// the gate was before; "" if it is new.
	Gate, Previous string
}

// maxGateCommits bounds the commits of the gates branch that one check or get looks at.
const maxGateCommits = 5000

// GateChanges lists the commits that moved the gate of an environment, the newest first, from tip back
// along the first parents until until says so of one. A merge moved the gate if the branch was different
// before it. Commits in which the file does not parse are passed over.
func (r *Repository) GateChanges(ctx context.Context, tip git.Hash, environment string, until func(GateChange) bool) ([]GateChange, error) {
	var found []GateChange
	err := r.gateMoves(ctx, tip, []string{environment}, maxGateCommits, func(_ string, c GateChange) bool {
		found = append(found, c)
		return !until(c)
	})
	return found, err
}

// GateHistory lists for each environment the commits that moved its gate as GateChanges does, in one walk over at most so many
// commits that changed the gates file. It is empty for a view without gates.
func (r *Repository) GateHistory(ctx context.Context, v *View, environments []string, commits int) (map[string][]GateChange, error) {
	found := map[string][]GateChange{}
	if v.Gates == nil {
		return found, nil
	}
	err := r.gateMoves(ctx, v.gatesHead.Hash, environments, commits, func(environment string, c GateChange) bool {
		found[environment] = append(found[environment], c)
		return true
	})
	return found, err
}

// gateMoves gives the moves of each environment's gate, the newest first, until take wants no more.
func (r *Repository) gateMoves(ctx context.Context, tip git.Hash, environments []string, most int, take func(environment string, c GateChange) (more bool)) error {
	last := map[string]GateChange{} // their commits may not be those that moved the gates
	seen := 0
	for c, err := range r.gateLog(ctx, tip) {
		if err != nil {
			return fmt.Errorf("list the commits that moved the gate of %s: %w", strings.Join(environments, ", "), err)
		}
		gates, err := r.readableGates(ctx, c)
		if err != nil {
			return err
		}
		if gates == nil {
			continue
		}
		for _, name := range environments {
			rule, _ := gates.For(name)
			now := GateChange{Commit: c, Gate: gateText(rule)}
			if after, ok := last[name]; ok && after.Gate != now.Gate {
				after.Previous = now.Gate
				if !take(name, after) {
					return nil
				}
			}
			last[name] = now
		}
		seen++
		if seen == most {
			r.logf("only the last %d commits of branch %s are looked at", most, r.src.GatesBranchName())
			return nil
		}
	}
	for name, first := range last {
		if first.Gate != "" {
			take(name, first)
		}
	}
	return nil
}

// gateLog gives the commits on the line of first parents that changed the gates file.
func (r *Repository) gateLog(ctx context.Context, tip git.Hash) func(yield func(*git.Commit, error) bool) {
	return r.store.Log(ctx, git.Range{
		From: []git.Hash{tip}, FirstParent: true, Paths: git.OnlyPath(r.src.GatesFile),
		Prefetch: func(ctx context.Context, c *git.Commit) ([]git.Hash, error) {
			entry, _, err := r.find(ctx, c, r.src.GatesFile)
			return []git.Hash{entry.Hash}, err
		},
	})
}

// readableGates are the gates as a commit has them, none if it does not have the file; nil when the file does not parse.
func (r *Repository) readableGates(ctx context.Context, c *git.Commit) (*cepler.Gates, error) {
	gates, _, err := r.GatesAt(ctx, c)
	switch {
	case err == nil:
		return gates, nil
	case errors.Is(err, fs.ErrNotExist):
		return &cepler.Gates{}, nil
	case ctx.Err() != nil, errors.Is(err, git.ErrNotFound):
		return nil, err
	}
	r.logf("commit %s of branch %s is passed over: %v", short(c.Hash), r.src.GatesBranchName(), err)
	return nil, nil //nolint:nilnil // documented
}

// GatesTip is the newest commit of the gates branch, which must have the gates file.
func (r *Repository) GatesTip(ctx context.Context, refs Refs) (*git.Commit, error) {
	tip, err := r.tip(ctx, refs, r.src.GatesRef())
	if err != nil {
		return nil, err
	}
	_, ok, err := r.find(ctx, tip, r.src.GatesFile)
	if err == nil && !ok {
		err = r.noGates(tip)
	}
	return tip, err
}

// SeenAt is what an environment would consist of if its view of the branch ended at a commit and nothing
// of it was deployed: a function of the commit alone.
func (r *Repository) SeenAt(ctx context.Context, commit git.Hash, environment string) (*cepler.Snapshot, error) {
	c, err := r.store.Commit(ctx, commit)
	if err != nil {
		return nil, fmt.Errorf("read commit %s of branch %s: %w", short(commit), r.src.Branch, err)
	}
	if err := r.needConfig(ctx, c, c, git.Hash{}); err != nil {
		return nil, err
	}
	config, hash, err := r.configAt(ctx, c)
	if err != nil {
		return nil, err
	}
	env, err := config.Environment(environment)
	if err != nil {
		return nil, fmt.Errorf("at commit %s: %w", short(commit), err)
	}
	seen, err := r.contentAt(ctx, c, rules{config: config, configHash: hash, environment: env, ignoreQueue: true})
	if err != nil {
		return nil, err
	}
	seen.Head = c.Hash.String()
	return &seen.Snapshot, nil
}

// FullCommit is the commit that a gate names in full; false for a short one, a tag, a branch and HEAD.
func FullCommit(gate string) (git.Hash, bool) { return parseHash(strings.TrimSpace(gate)) }

// RunningNow is what an environment has recorded; nil before its first record.
func (r *Repository) RunningNow(ctx context.Context, v *View, environment string) (*Running, *cepler.State, error) {
	state, err := r.StateAt(ctx, v.Head, v.Config.StatePath(environment))
	if err != nil || state == nil {
		return nil, nil, err
	}
	records, err := r.newestRecords(ctx, v, []string{environment})
	if err != nil {
		return nil, nil, err
	}
	return r.running(ctx, state, records[v.Config.StatePath(environment)]), state, nil
}

// RolledBack is the rollback that an environment's newest record is; nil for an ordinary record.
func (r *Repository) RolledBack(ctx context.Context, v *View, environment string, own *cepler.State) (*Rollback, error) {
	if own == nil {
		return nil, nil //nolint:nilnil // documented
	}
	return r.rollback(ctx, v, environment, own)
}
