package deployments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/fault"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Refs are the refs a view was made of, with the values they had. While none
// of them moved, everything derived from the view holds.
type Refs map[string]git.Hash

// View is the deployments repository at one moment: the branch's head and what
// governs it.
type View struct {
	Head   *git.Commit
	Config *cepler.Config
	// Gates is nil when the source names no gates file.
	Gates *cepler.Gates
	// Refs are all refs that were looked at.
	Refs Refs

	configHash git.Hash
	gatesHead  *git.Commit
}

// RefNames are the refs that are needed to begin with.
func (s Source) RefNames() []string {
	names := []string{s.branchRef()}
	if s.GatesFile != "" && s.GatesRef() != s.branchRef() {
		names = append(names, s.GatesRef())
	}
	return names
}

// View reads the head that refs names. What is wrong with the repository as a
// whole (no such branch, no config, a config that does not parse) is an error
// here.
func (r *Repository) View(ctx context.Context, refs Refs) (*View, error) {
	if err := r.advance(ctx, refs, git.Hash{}); err != nil {
		return nil, err
	}
	head, err := r.tip(ctx, refs, r.src.branchRef())
	if err != nil {
		return nil, err
	}
	v := &View{Head: head, Refs: maps.Clone(refs)}
	if err := r.needConfig(ctx, head, head, git.Hash{}); err != nil {
		return nil, fmt.Errorf("read the config of branch %s at %s: %w", r.src.Branch, short(head.Hash), err)
	}
	v.Config, v.configHash, err = r.configAt(ctx, head)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("branch %s has no config %s at %s: set source.config (or --config) to its path in the repository", r.src.Branch, r.src.ConfigPath(), short(head.Hash))
	}
	if err != nil {
		return nil, err
	}
	if err := v.Config.Mistakes(); err != nil {
		return nil, fmt.Errorf("config of branch %s at %s: %w", r.src.Branch, short(head.Hash), err)
	}
	return v, r.readGates(ctx, v)
}

// advance makes the branches that the source names readable with one request. A commit beside them, which may be gone, comes along.
func (r *Repository) advance(ctx context.Context, refs Refs, beside git.Hash) error {
	tips := map[string]git.Hash{}
	for _, name := range r.src.RefNames() {
		if h, ok := refs[name]; ok {
			tips[name] = h
		}
	}
	if r.src.GatesFile != "" {
		r.gatesTip = refs[r.src.GatesRef()]
	}
	return r.store.AdvanceAll(ctx, tips, beside)
}

// tip is the commit that ref points to.
func (r *Repository) tip(ctx context.Context, refs Refs, ref string) (*git.Commit, error) {
	h, ok := refs[ref]
	name := strings.TrimPrefix(ref, "refs/heads/")
	if !ok {
		if len(refs) == 0 {
			return nil, r.noBranch(ctx, name)
		}
		return nil, noBranch(ref == r.src.branchRef(), name, r.store.URL())
	}
	if err := r.store.Advance(ctx, ref, h); err != nil {
		return nil, fmt.Errorf("fetch branch %s of %s: %w", name, r.store.URL(), err)
	}
	return r.store.Commit(ctx, h)
}

// noBranch tells a repository without commits from one without this branch.
func (r *Repository) noBranch(ctx context.Context, name string) error {
	head, err := r.refs(ctx, headGate)
	if err == nil && len(head) == 0 {
		return fmt.Errorf("branch %s: %s: %w; push a first commit", name, r.store.URL(), git.ErrEmpty)
	}
	return noBranch(name == r.src.Branch, name, r.store.URL())
}

func noBranch(deployed bool, name, url string) error {
	key := "gates_branch"
	if deployed {
		key = "branch"
	}
	return fmt.Errorf("source.%s: %w %q in %s; names are matched exactly", key, git.ErrNoBranch, name, url)
}

// readGates reads the gates file, if the source names one.
func (r *Repository) readGates(ctx context.Context, v *View) error {
	if r.src.GatesFile == "" {
		return nil
	}
	v.gatesHead = v.Head
	if ref := r.src.GatesRef(); ref != r.src.branchRef() {
		var err error
		if v.gatesHead, err = r.tip(ctx, v.Refs, ref); err != nil {
			return err
		}
	}
	var err error
	v.Gates, _, err = r.GatesAt(ctx, v.gatesHead)
	return err
}

func (r *Repository) noGates(c *git.Commit) error {
	return fault.Of(fs.ErrNotExist, "branch %s has no gates file %s at %s: set source.gates_file and source.gates_branch to where it is",
		r.src.GatesBranchName(), r.src.GatesFile, short(c.Hash))
}

// GatesAt is the gates file as commit c has it, and its bytes. A file that is not there is fs.ErrNotExist.
func (r *Repository) GatesAt(ctx context.Context, c *git.Commit) (*cepler.Gates, []byte, error) {
	entry, ok, err := r.find(ctx, c, r.src.GatesFile)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, r.noGates(c)
	}
	data, err := r.store.Blob(ctx, entry.Hash)
	if err != nil {
		return nil, nil, fmt.Errorf("read gates file %s at %s: %w", r.src.GatesFile, short(c.Hash), err)
	}
	gates, err := cepler.ParseGates(r.src.GatesFile, data)
	return gates, data, err
}
