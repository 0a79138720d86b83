package deployments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Recorded is what Record left on the branch.
type Recorded struct {
	Version Version
	// Commit is the state commit; nil when the state was recorded already.
	Commit *git.Commit
	// Changes are the differences to the state recorded before.
	Changes []cepler.Change
	// RollbackOf is the number of the record that this one takes back, 0 for an ordinary record.
	RollbackOf uint64
}

// trailers say in the commit what later readers could not work out: what is taken back, and under which
// number and config the version was offered where the record and its trigger say another one.
func (r *Recorded) trailers(deployed Version, number uint64) []string {
	var lines []string
	if r.RollbackOf > 0 {
		lines = append(lines, fmt.Sprintf("%s: %d", rollbackTrailer, r.RollbackOf))
	}
	if n := deployed.number(); n > 0 && n != number {
		lines = append(lines, fmt.Sprintf("%s: %d", versionTrailer, n))
	}
	if deployed.Config != "" {
		lines = append(lines, configTrailer+": "+deployed.Config)
	}
	return lines
}

// Recording is the act of recording a deployed version.
type Recording struct {
	// Version is what was deployed, and Environment where.
	Restored *Restored
	// Dir is the folder the deployment was made from.
	Dir string
	// Trailers are lines like "Build: https://…" for the end of the commit.
	Trailers []string
	// Now is the commit's time.
	Now time.Time
}

// Record writes the environment's new state on top of the branch. It is done
// when the remote has it, and only then; other writers are waited for. A state
// that is recorded already, to the last file, is not recorded again.
func (r *Repository) Record(ctx context.Context, rec Recording) (*Recorded, error) {
	env := rec.Restored.Environment
	statePath := rec.Restored.Config.StatePath(env.Name)
	next, err := r.deployed(ctx, rec)
	if err != nil {
		return nil, err
	}
	out := &Recorded{Version: rec.Restored.Version}
	var number uint64
	var already bool
	out.Commit, err = r.store.UpdateRef(ctx, r.src.branchRef(), func(ctx context.Context, tip *git.Commit) (*git.Built, error) {
		own, err := r.recordedOn(ctx, tip, rec.Restored.Trigger.Hash, statePath)
		if err != nil {
			return nil, err
		}
		if already = own != nil && alike(own.Current, next); already {
			out.Changes, number = nil, own.Version
			return nil, nil //nolint:nilnil // nothing to do: see git.Store.Change
		}
		others, err := r.others(ctx, tip, rec.Restored.Config, env.Name)
		if err != nil {
			return nil, err
		}
		state := own.Record(env, next, others)
		number, out.Changes = state.Version, cepler.Diff(current(own), next)
		if out.RollbackOf, err = r.takes(ctx, tip, statePath, own, next, rec.Restored.Version.number()); err != nil {
			return nil, err
		}
		return r.recording(ctx, tip, rec, state, out.trailers(rec.Restored.Version, number))
	})
	if err != nil {
		return nil, fmt.Errorf("record %s in %s: %w", env.Name, statePath, err)
	}
	if already {
		out.Commit = nil
	}
	out.Version.Version = strconv.FormatUint(number, 10)
	return out, nil
}

// recording is the commit that has the environment's new state.
func (r *Repository) recording(ctx context.Context, tip *git.Commit, rec Recording, state *cepler.State, trailers []string) (*git.Built, error) {
	writer, config, env := r.identity(rec.Now), rec.Restored.Config, rec.Restored.Environment.Name
	return r.store.Build(ctx, git.NewCommit{
		Parent: tip.Hash, Author: writer, Committer: writer,
		Edits:   map[string]git.Edit{config.StatePath(env): {Mode: filemode.Regular, Content: state.Marshal()}},
		Message: message(config.Deployment, env, append(slices.Clone(rec.Trailers), trailers...)),
	})
}

// recordedOn is the state that the tip of the branch has. A commit that was deployed and that the branch does not have is refused,
// although the server may still have it: the branch was rewritten after the version was offered.
func (r *Repository) recordedOn(ctx context.Context, tip *git.Commit, deployed git.Hash, statePath string) (*cepler.State, error) {
	if tip == nil {
		return nil, fmt.Errorf("branch %s: %w: it was there when this version was made", r.src.Branch, git.ErrNoBranch)
	}
	on, err := r.isAncestor(ctx, deployed, tip.Hash)
	if err != nil {
		return nil, err
	}
	if !on {
		return nil, fmt.Errorf("%w: commit %s is not on branch %s, which was rewritten since; deploy the version that a check finds now", ErrVersion, short(deployed), r.src.Branch)
	}
	return r.StateAt(ctx, tip, statePath)
}

func current(s *cepler.State) *cepler.Snapshot {
	if s == nil {
		return nil
	}
	return &s.Current
}

// alike reports whether two records say the same.
func alike(a, b cepler.Snapshot) bool {
	return a.Head == b.Head && a.PropagatedHead == b.PropagatedHead && a.AnyDirty == b.AnyDirty && maps.Equal(a.Files, b.Files)
}

// identity signs the commits; without git_user as the Rust cepler does.
func (r *Repository) identity(now time.Time) git.Signature {
	access := r.src.Access
	access.GitUser = cmp.Or(access.GitUser, "Cepler <bot@cepler.io>")
	return access.Committer(now)
}

// message is cepler's own, with the trailers of this suite after it.
func message(deployment, environment string, trailers []string) string {
	title := fmt.Sprintf("ci(cepler): Updated '%s' state in '%s'", deployment, environment)
	if deployment == defaultDeployment {
		title = fmt.Sprintf("ci(cepler): Updated '%s' state", environment)
	}
	if len(trailers) == 0 {
		return title
	}
	return title + "\n\n" + strings.Join(trailers, "\n") + "\n"
}

const defaultDeployment = "default"

// others are the recorded states of the deployment's other environments. Only
// those that the config still has can hold back the queue.
func (r *Repository) others(ctx context.Context, tip *git.Commit, fallback *cepler.Config, environment string) (map[string]*cepler.State, error) {
	config, _, err := r.configAt(ctx, tip)
	if isBroken(err) || isNotExist(err) {
		config, err = fallback, nil
	}
	if err != nil {
		return nil, err
	}
	if err := r.needStates(ctx, tip, config, slices.Sorted(maps.Keys(config.Environments))...); err != nil {
		return nil, err
	}
	states := map[string]*cepler.State{}
	for name := range config.Environments {
		if name == environment {
			continue
		}
		state, err := r.StateAt(ctx, tip, config.StatePath(name))
		if isBroken(err) {
			r.logf("the state of %s does not hold back the queue: %v", name, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		if state != nil {
			states[name] = state
		}
	}
	return states, nil
}

// deployed is the snapshot to record: what the version is made of, and what
// was really on disk.
func (r *Repository) deployed(ctx context.Context, rec Recording) (cepler.Snapshot, error) {
	v := rec.Restored
	next := v.content.Snapshot
	next.Head = v.Version.Trigger
	next.AnyDirty = false
	next.Files = maps.Clone(next.Files)
	root, err := os.OpenRoot(rec.Dir)
	if err != nil {
		return next, fmt.Errorf("open the deployed folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	origins, err := r.origins(ctx, v)
	if err != nil {
		return next, err
	}
	for key, f := range next.Files {
		source, p := cepler.SplitKey(key)
		if source == latestSource && f.From == "" {
			f.From, f.Message = origins[p].Commit, origins[p].Message
		}
		onDisk, err := hashOnDisk(root, p)
		if err != nil {
			return next, fmt.Errorf("hash %s: %w", path.Join(rec.Dir, p), err)
		}
		f.Dirty = onDisk != f.Hash || f.Dirty && source == latestSource
		f.Hash = onDisk
		next.AnyDirty = next.AnyDirty || f.Dirty
		next.Files[key] = f
	}
	return next, nil
}

// hashOnDisk is the blob id of the file at p, as git stores it: a symbolic link
// is its target. It is empty for what is not a file.
func hashOnDisk(root *os.Root, p string) (string, error) {
	info, err := root.Lstat(p)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return "", nil
		}
		return "", err
	}
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		target, err := root.Readlink(p)
		if err != nil {
			return "", err
		}
		return hashOf(strings.NewReader(target), int64(len(target)))
	case info.Mode().IsRegular():
		f, err := root.Open(p)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		return hashOf(f, info.Size())
	}
	return "", nil
}

func hashOf(content io.Reader, size int64) (string, error) {
	h, err := git.HashBlob(content, size)
	if err != nil {
		return "", err
	}
	return h.String(), nil
}

// origins finds the commit that last changed each of the latest files.
func (r *Repository) origins(ctx context.Context, v *Restored) (map[string]cepler.Origin, error) {
	var paths []string
	for key, f := range v.content.Files {
		if source, p := cepler.SplitKey(key); source == latestSource && f.From == "" {
			paths = append(paths, p)
		}
	}
	known, err := r.knownOrigins(ctx, v)
	if err != nil {
		return nil, err
	}
	found, err := cepler.Origins(ctx, history{r.store}, v.Trigger.Hash.String(), paths, known)
	if err != nil {
		return nil, fmt.Errorf("find the commits that %s came with: %w", v.Environment.Name, err)
	}
	return found, nil
}

// knownOrigins answers from what is recorded at the branch's head: a record
// holds the origins as seen from its own head commit.
func (r *Repository) knownOrigins(ctx context.Context, v *Restored) (cepler.Known, error) {
	head, err := r.head(ctx)
	if err != nil {
		return nil, err
	}
	// the others come with it, as they will be needed to record
	if err := r.needStates(ctx, head, v.Config, slices.Sorted(maps.Keys(v.Config.Environments))...); err != nil {
		return nil, err
	}
	own, err := r.StateAt(ctx, head, v.Config.StatePath(v.Environment.Name))
	if err != nil {
		return nil, err
	}
	records := map[string]cepler.Snapshot{}
	if own != nil {
		for _, s := range append([]cepler.Snapshot{own.Current}, own.Queue...) {
			records[s.Head] = s
		}
	}
	return func(commit string) func(string) (cepler.Origin, bool) {
		record, ok := records[commit]
		if !ok {
			return nil
		}
		return func(p string) (cepler.Origin, bool) {
			f, ok := record.Files[cepler.LatestKey(p)]
			if !ok || f.Dirty || f.From == "" {
				return cepler.Origin{}, false
			}
			return cepler.Origin{Commit: f.From, Message: f.Message}, true
		}
	}, nil
}
