package deployments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Trailers of a record's commit that later readers go by.
const (
	buildTrailer    = "Build"
	pipelineTrailer = "Pipeline"
	gateTrailer     = "Gate"
	// rollbackTrailer has the number of the record that a rollback takes back.
	rollbackTrailer = "Rollback-Of"
	// versionTrailer has the number of the version that was deployed, where that is not the record's:
	// a version that is pinned keeps its number, and the record gets the next one.
	versionTrailer = "Deployed-Version"
	// configTrailer has the version's config commit; see Version.Config.
	configTrailer = "Deployed-Config"
)

// Trailers are what the commit of a record says; a record of the Rust cepler says none of it.
type Trailers struct {
	// Build is the address of the build, Pipeline its pipeline, and Gate the environment's gate then.
	Build, Pipeline, Gate string
	// RollbackOf is the number of the record that it takes back, 0 for an ordinary one, and Deployed the number of the version that
	// was deployed where that is not the record's own.
	RollbackOf, Deployed uint64
}

// TrailersOf reads the trailers of a record's commit.
func TrailersOf(record *git.Commit) Trailers {
	m := record.Message
	return Trailers{trailer(m, buildTrailer), trailer(m, pipelineTrailer), trailer(m, gateTrailer), trailerNumber(m, rollbackTrailer), trailerNumber(m, versionTrailer)}
}

// maxRecords bounds the records that one check lists.
const maxRecords = 500

// HistoryLength is how many records a check lists when Concourse knows no version.
const HistoryLength = 20

// record is one act of recording an environment: its commit, and the state that it wrote.
type record struct {
	commit *git.Commit
	state  *cepler.State
}

// number is the number of the version that was deployed.
func (r record) number() uint64 {
	if n := trailerNumber(r.commit.Message, versionTrailer); n > 0 {
		return n
	}
	return r.state.Version
}

// trailerNumber is a trailer's number, 0 when the message has none.
func trailerNumber(message, key string) uint64 { return number(trailer(message, key)) }

// lineTo lists the commits from c back to the one that wrote the file at p as c has it, which is the
// last of them. Where branches were merged the line follows a parent that has the same file. It is empty
// when c has no such file.
func (r *Repository) lineTo(ctx context.Context, c *git.Commit, p string) ([]*git.Commit, error) {
	entry, ok, err := r.find(ctx, c, p)
	if err != nil || !ok {
		return nil, err
	}
	line := []*git.Commit{c}
	for {
		parent, err := r.parentWith(ctx, line[len(line)-1], p, entry.Hash)
		if err != nil {
			return nil, fmt.Errorf("look for the commit that wrote %s: %w", p, err)
		}
		if parent == nil {
			return line, nil
		}
		line = append(line, parent)
	}
}

// parentWith is the first parent of c whose file at p is the blob h; nil when no parent has it.
func (r *Repository) parentWith(ctx context.Context, c *git.Commit, p string, h git.Hash) (*git.Commit, error) {
	parents, err := r.store.Parents(ctx, c.Hash)
	if err != nil {
		return nil, err
	}
	for _, id := range parents {
		parent, err := r.store.Commit(ctx, id)
		if err != nil {
			return nil, err
		}
		entry, ok, err := r.find(ctx, parent, p)
		if err != nil {
			return nil, err
		}
		if ok && entry.Hash == h {
			return parent, nil
		}
	}
	return nil, nil //nolint:nilnil // documented
}

// recordOf is the record that wrote the state file at p as c has it; nil when c has none.
func (r *Repository) recordOf(ctx context.Context, c *git.Commit, p string) (*record, error) {
	line, err := r.lineTo(ctx, c, p)
	if err != nil || len(line) == 0 {
		return nil, err
	}
	last := line[len(line)-1]
	state, err := r.StateAt(ctx, last, p)
	if err != nil {
		return nil, err
	}
	return &record{last, state}, nil
}

// before is the commit that a record was made on, and the state that it replaced; nil for a first record.
func (r *Repository) before(ctx context.Context, rec *git.Commit, p string) (*git.Commit, *cepler.State, error) {
	parents, err := r.store.Parents(ctx, rec.Hash)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range parents {
		parent, err := r.store.Commit(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		state, err := r.StateAt(ctx, parent, p)
		if isBroken(err) {
			continue // nothing can be said about what it replaced
		}
		if err != nil || state != nil {
			return parent, state, err
		}
	}
	return nil, nil, nil
}

// recordsFrom lists the records of an environment from the one numbered first to the newest, the oldest
// first; at most limit of them, the newest ones. A state that does not parse is left out.
func (r *Repository) recordsFrom(ctx context.Context, head *git.Commit, p string, first uint64, limit int) ([]record, error) {
	expected := 0
	if newest, err := r.StateAt(ctx, head, p); err == nil && newest != nil && newest.Version >= first {
		expected = int(min(uint64(limit), newest.Version-first+1)) //nolint:gosec // at most limit
	}
	var records []record
	seen := 0
	for c, err := range r.historyOf(ctx, head.Hash, p, expected) {
		if err != nil {
			return nil, fmt.Errorf("list the records in %s: %w", p, err)
		}
		state, err := r.StateAt(ctx, c, p)
		if err != nil && ignoreBroken(err) != nil {
			return nil, err
		}
		if err != nil {
			r.logf("the record in commit %s is left out: %v", short(c.Hash), err)
		} else if state != nil && state.Version >= first {
			records = append(records, record{c, state})
		}
		seen++
		if seen == limit {
			break
		}
	}
	slices.Reverse(records)
	return records, nil
}

// versionsOf are the versions that the records deployed, the oldest first. A version that was deployed
// more than once is listed once, at its last place, as Concourse knows it by one object. A record whose
// version can't be worked out any more is left out, and named.
func (r *Repository) versionsOf(ctx context.Context, u rules, records []record) ([]Version, error) {
	environment := u.environment.Name
	if err := r.needRecorded(ctx, u.upstreamPath(), records); err != nil {
		return nil, fmt.Errorf("fetch what %s deployed: %w", environment, err)
	}
	versions := []Version{}
	for _, rec := range records {
		version, err := r.versionOf(ctx, environment, rec)
		if errors.Is(err, ErrVersion) || errors.Is(err, cepler.ErrUnknownEnvironment) || isBroken(err) || isNotExist(err) {
			r.logf("record #%d of %s is left out of the history: %v", rec.state.Version, environment, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		versions = slices.DeleteFunc(versions, func(v Version) bool { return v == version })
		versions = append(versions, version)
	}
	return versions, nil
}

// needRecorded fetches, in two requests, the commits that the records were deployed from and the states
// that the upstream had in them.
func (r *Repository) needRecorded(ctx context.Context, upstream string, records []record) error {
	var heads []string
	for _, rec := range records {
		heads = append(heads, rec.state.Current.Head)
	}
	if err := r.needOrigins(ctx, heads); err != nil || upstream == "" {
		return err
	}
	var blobs []git.Hash
	for _, name := range heads {
		h, ok := parseHash(name)
		if !ok || !r.store.Has(h) {
			continue
		}
		c, err := r.store.Commit(ctx, h)
		if err != nil {
			return err
		}
		entry, ok, err := r.find(ctx, c, upstream)
		if err != nil {
			return err
		}
		if ok {
			blobs = append(blobs, entry.Hash)
		}
	}
	return r.store.Need(ctx, blobs...)
}

// versionOf is the version that a record deployed, as the check offered it then.
func (r *Repository) versionOf(ctx context.Context, environment string, rec record) (Version, error) {
	version := Version{
		Trigger: rec.state.Current.Head,
		Version: strconv.FormatUint(rec.number(), 10),
		Config:  trailer(rec.commit.Message, configTrailer),
	}
	out, err := r.restoring(ctx, version, environment)
	if err != nil {
		return version, err
	}
	found, err := r.choose(ctx, out, func(c *content) bool {
		return c.PropagatedHead == rec.state.Current.PropagatedHead && c.recordedAs(rec.state.Current)
	})
	if err != nil {
		return version, err
	}
	if !found {
		return version, fmt.Errorf("%w: %s at %s does not have the files that were recorded", ErrVersion, environment, short(out.Trigger.Hash))
	}
	version.Files = out.content.contentDigest()
	return version, nil
}

// recordedAs reports whether a record is one of this content: the same files, except for those that were
// changed on disk before the record was made.
func (c *content) recordedAs(s cepler.Snapshot) bool {
	if len(c.Files) != len(s.Files) {
		return false
	}
	for key, f := range c.Files {
		was, ok := s.Files[key]
		if !ok || was.Hash != f.Hash && !was.Dirty {
			return false
		}
	}
	return true
}
