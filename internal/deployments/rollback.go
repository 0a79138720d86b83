package deployments

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// Rollback says that an environment runs less than it did: its record is of a deployment that comes
// before an earlier one on the branch. What that took back stays back, whatever Concourse forgets, until
// a commit changes one of its files or a person decides otherwise.
//
// It is worked out from git alone. A record says with the trailer Rollback-Of what it takes back; without
// the trailer, the order of the triggers of two records says it.
type Rollback struct {
	// Record is the rollback's own number.
	Record uint64 `json:"record"`
	// Of is the number of the record that was taken back.
	Of uint64 `json:"of"`
	// To is the number of the version that was deployed instead; 0 when it is not known.
	To uint64 `json:"to,omitempty"`
	// Commit and Subject are the trigger of the version that was deployed instead.
	Commit  string `json:"commit"`
	Subject string `json:"subject,omitempty"`
	// At is when the rollback was recorded, and Build by which build; "" when the record does not say.
	At    time.Time `json:"at"`
	Build string    `json:"build,omitempty"`
	// Files are the paths that were taken back, sorted; of those that hold something, if any do.
	Files []string `json:"files"`
	// Held says that the pending files would bring some of that back, and are not offered.
	Held bool `json:"held"`
	// Released says why pending files that would bring some of it back are offered all the same.
	Released string `json:"released,omitempty"`

	own       *cepler.State
	statePath string
	commit    *git.Commit // of the record
	// taken are the files that the rollback took back and, where rollbacks followed each other, those that
	// all of them took back together. Each set holds for itself.
	taken []takenFiles
}

// takenFiles are files that were taken back, by path.
type takenFiles map[string]takenFile

// takenFile is a file that was taken back: an id of it in the rollback and before. An id is a hash or,
// where only the mode differs, that mode; it is "" for a file that is not there. From is the commit that
// the file came with before, and runsFrom the one that it came with in the rollback.
type takenFile struct {
	runs, taken    string
	runsFrom, from string
	mode           bool
}

// rollbackDepth bounds how many rollbacks in a row are followed back where trailers are missing.
const rollbackDepth = 20

// rollback is the rollback that the environment's newest record is; nil when it is an ordinary record.
func (r *Repository) rollback(ctx context.Context, v *View, environment string, own *cepler.State) (*Rollback, error) {
	p := v.Config.StatePath(environment)
	commit, err := r.newestRecord(ctx, v, p)
	if err != nil || commit == nil {
		return nil, err
	}
	taken, err := r.takenBack(ctx, p, record{commit, own}, rollbackDepth)
	if err != nil || taken == nil {
		return nil, err
	}
	said := TrailersOf(commit)
	out := &Rollback{
		Record: own.Version, Of: taken.Version, To: said.Deployed,
		Commit: own.Current.Head, Subject: r.subjectOf(ctx, own.Current.Head), At: commit.Committer.When, Build: said.Build,
		own: own, statePath: p, commit: commit,
	}
	return out, r.addTaken(ctx, out, taken)
}

// addTaken works out which files were taken back.
func (r *Repository) addTaken(ctx context.Context, b *Rollback, highest *cepler.State) error {
	states := []*cepler.State{highest}
	_, replaced, err := r.before(ctx, b.commit, b.statePath)
	if err != nil {
		return err
	}
	if replaced != nil && replaced.Version != highest.Version {
		order, err := r.order(ctx, b.statePath, b.own.Current, replaced)
		if err != nil {
			return err
		}
		if order < 0 {
			states = append(states, replaced)
		}
	}
	for _, state := range states {
		files, err := r.takenFiles(ctx, b.own.Current, state.Current)
		if err != nil {
			return err
		}
		b.taken = append(b.taken, files)
	}
	b.Files = slices.Sorted(maps.Keys(b.taken[0]))
	return nil
}

// takenBack is the state that a record takes back; nil for an ordinary record. Of several rollbacks in a
// row it is the state before all of them.
func (r *Repository) takenBack(ctx context.Context, p string, rec record, depth int) (*cepler.State, error) {
	on, replaced, err := r.before(ctx, rec.commit, p)
	if err != nil || replaced == nil {
		return nil, err
	}
	if of := trailerNumber(rec.commit.Message, rollbackTrailer); of > 0 {
		return r.numbered(ctx, on, p, of)
	}
	order, err := r.order(ctx, p, rec.state.Current, replaced)
	if err != nil || order >= 0 || depth == 0 {
		return nil, err
	}
	earlier, err := r.recordOf(ctx, on, p)
	if err != nil || earlier == nil {
		return replaced, err
	}
	further, err := r.takenBack(ctx, p, *earlier, depth-1)
	if err != nil || further != nil {
		return further, err
	}
	return replaced, nil
}

// numbered is the state with a number among the records up to c; the newest one when none has it.
func (r *Repository) numbered(ctx context.Context, c *git.Commit, p string, number uint64) (*cepler.State, error) {
	var newest *cepler.State
	for range maxRecords {
		rec, err := r.recordOf(ctx, c, p)
		if err != nil || rec == nil {
			return newest, err
		}
		if newest == nil || rec.state.Version == number {
			newest = rec.state
		}
		if rec.state.Version <= number {
			break
		}
		if c, _, err = r.before(ctx, rec.commit, p); err != nil || c == nil {
			return newest, err
		}
	}
	return newest, nil
}

// order says how a deployment stands to a recorded one on the branch: negative before it, positive after
// it, 0 when the commits don't say.
func (r *Repository) order(ctx context.Context, p string, s cepler.Snapshot, than *cepler.State) (int, error) {
	if s.Head == than.Current.Head {
		return r.orderOf(ctx, s.PropagatedHead, than.Current.PropagatedHead)
	}
	if after, err := r.hasRecord(ctx, s.Head, p, than); err != nil || after {
		return 1, err
	}
	order, err := r.orderOf(ctx, s.Head, than.Current.Head)
	if err != nil || order >= 0 {
		return order, err
	}
	if older, err := r.isOlder(ctx, p, s, than); err != nil || older {
		return order, err
	}
	return 0, nil
}

// isOlder reports whether the files bear out that a deployment comes before a recorded one, as their triggers say. The Rust
// cepler records a deployment whose task changed a file with the head that the branch had at the get, which may be later
// than the trigger of what comes next.
func (r *Repository) isOlder(ctx context.Context, p string, s cepler.Snapshot, than *cepler.State) (bool, error) {
	differ, err := r.takenFiles(ctx, latestOf(s), latestOf(than.Current))
	if err != nil || len(differ) > 0 || s.PropagatedHead == than.Current.PropagatedHead {
		return len(differ) > 0, err
	}
	if order, err := r.orderOf(ctx, s.PropagatedHead, than.Current.PropagatedHead); err != nil || order > 0 {
		return false, err
	}
	h, _ := parseHash(s.Head)
	c, err := r.store.Commit(ctx, h)
	if err != nil {
		return false, err
	}
	upstream, err := r.StateAt(ctx, c, path.Join(path.Dir(p), than.PropagatedFrom+".state"))
	if err != nil || upstream == nil {
		return true, ignoreBroken(err)
	}
	had := func(one cepler.Snapshot) bool { return one.Head == than.Current.PropagatedHead }
	return !had(upstream.Current) && !slices.ContainsFunc(upstream.Queue, had), nil
}

// latestOf has the files that an environment took from its own commit.
func latestOf(s cepler.Snapshot) cepler.Snapshot {
	s.Files = maps.Clone(s.Files)
	maps.DeleteFunc(s.Files, func(key string, _ cepler.File) bool {
		source, _ := cepler.SplitKey(key)
		return source != latestSource
	})
	return s
}

// hasRecord reports whether a commit has a record in its history, as far as its own tree says so.
func (r *Repository) hasRecord(ctx context.Context, commit, p string, recorded *cepler.State) (bool, error) {
	h, ok := parseHash(commit)
	if !ok {
		return false, nil
	}
	c, err := r.store.Commit(ctx, h)
	if err != nil {
		return false, ignoreNotFound(err)
	}
	state, err := r.StateAt(ctx, c, p)
	if err != nil || state == nil {
		return false, ignoreBroken(err)
	}
	return state.Version == recorded.Version && state.Current.Head == recorded.Current.Head, nil
}

// orderOf says how two commits stand to each other: negative when a comes before b, 0 when they are the
// same or on different branches.
func (r *Repository) orderOf(ctx context.Context, a, b string) (int, error) {
	x, ok := parseHash(a)
	y, ok2 := parseHash(b)
	if !ok || !ok2 || x == y {
		return 0, nil
	}
	after, err := r.isAncestor(ctx, y, x)
	if err != nil || after {
		return 1, err
	}
	before, err := r.isAncestor(ctx, x, y)
	if err != nil || !before {
		return 0, err
	}
	return -1, nil
}

// isAncestor reports whether old is young or comes before it. A commit that is gone comes before nothing.
func (r *Repository) isAncestor(ctx context.Context, old, young git.Hash) (bool, error) {
	before, err := r.store.IsAncestor(ctx, old, young)
	if ignoreNotFound(err) != nil {
		return false, fmt.Errorf("find out whether %s comes before %s: %w", short(old), short(young), err)
	}
	return before, nil
}

func ignoreNotFound(err error) error {
	if errors.Is(err, git.ErrNotFound) {
		return nil
	}
	return err
}

func ignoreBroken(err error) error {
	if isBroken(err) {
		return nil
	}
	return err
}

// takes is the number of the record that is taken back by recording next as the version with that number
// on top of tip, 0 for an ordinary record.
func (r *Repository) takes(ctx context.Context, tip *git.Commit, p string, own *cepler.State, next cepler.Snapshot, number uint64) (uint64, error) {
	if own == nil {
		return 0, nil
	}
	if after, err := r.hasRecord(ctx, next.Head, p, own); err != nil || after {
		return 0, err // the ordinary case, and the cheap one
	}
	line, err := r.lineTo(ctx, tip, p)
	if err != nil || len(line) == 0 {
		return 0, err
	}
	rec := record{line[len(line)-1], own}
	taken, err := r.takenBack(ctx, p, rec, rollbackDepth)
	if err != nil {
		return 0, err
	}
	back, err := r.comesBefore(ctx, p, next, number, own, rec.number())
	if err != nil {
		return 0, err
	}
	if back && taken == nil {
		return own.Version, nil
	}
	if !back && taken != nil {
		back, err = r.comesBefore(ctx, p, next, number, taken, taken.Version)
	}
	if err != nil || !back {
		return 0, err
	}
	return taken.Version, nil
}

// comesBefore reports whether a version comes before what a record deployed. Where the commits don't say,
// the numbers under which both were offered do.
func (r *Repository) comesBefore(ctx context.Context, p string, next cepler.Snapshot, number uint64, than *cepler.State, thanNumber uint64) (bool, error) {
	order, err := r.order(ctx, p, next, than)
	if err != nil || order != 0 {
		return order < 0, err
	}
	return number > 0 && number < thanNumber, nil
}

// takenFiles are the files that differ between what runs and what was taken back, by path. A file counts as it was
// when the task got it, before the task changed it.
func (r *Repository) takenFiles(ctx context.Context, runs, taken cepler.Snapshot) (takenFiles, error) {
	is, was := runs.ByPath(), taken.ByPath()
	var origins []string
	for p, f := range is {
		if g, ok := was[p]; ok && f.From != g.From && (f.Hash == g.Hash || f.Dirty || g.Dirty) {
			origins = append(origins, f.From, g.From)
		}
	}
	if err := r.needOrigins(ctx, origins); err != nil {
		return nil, err
	}
	all := takenFiles{}
	for p, f := range is {
		g, ok := was[p]
		if ok && f.From == g.From && f.From != "" {
			continue
		}
		file := takenFile{runs: r.given(ctx, p, f), taken: r.given(ctx, p, g), runsFrom: f.From, from: g.From}
		if ok && file.runs == file.taken {
			file.runs, file.taken, file.mode = r.modeAt(ctx, f.From, p), r.modeAt(ctx, g.From, p), true
			if file.runs == file.taken || file.runs == "" || file.taken == "" {
				continue
			}
		}
		all[p] = file
	}
	for p, g := range was {
		if _, ok := is[p]; !ok {
			all[p] = takenFile{taken: r.given(ctx, p, g), from: g.From}
		}
	}
	return all, nil
}

// given is the hash of a file as its task was given it: where the task changed it, as the commit that it came with has it.
func (r *Repository) given(ctx context.Context, p string, f cepler.File) string {
	if f.Dirty {
		if entry, err := r.entryAt(ctx, f.From, p); err == nil {
			return entry.Hash.String()
		}
	}
	return f.Hash
}

// modeAt is the mode of the file p in a commit; "" when it can't be said any more.
func (r *Repository) modeAt(ctx context.Context, commit, p string) string {
	entry, err := r.entryAt(ctx, commit, p)
	if err != nil {
		return ""
	}
	return modeText(entry.Mode)
}

// hold decides whether a pending content is held because the environment was rolled back, and says so in b.
func (r *Repository) hold(ctx context.Context, v *View, u rules, g *Gate, pending *content, b *Rollback) error {
	b.Held, b.Released = false, ""
	for _, taken := range b.taken {
		if !r.bringsBack(ctx, pending, taken) {
			continue
		}
		released, err := r.released(ctx, v, u, g, pending, b, taken)
		if err != nil {
			return fmt.Errorf("find out whether the rollback of %s holds: %w", u.environment.Name, err)
		}
		if b.Released = released; released == "" {
			b.Held, b.Files = true, slices.Sorted(maps.Keys(taken))
			return nil
		}
	}
	return ctx.Err()
}

// bringsBack reports whether a content has any of the files that were taken back otherwise than they run.
func (r *Repository) bringsBack(ctx context.Context, c *content, taken takenFiles) bool {
	now := c.ByPath()
	for p, f := range taken {
		if from := now[p].From; from != "" && from == f.runsFrom {
			continue
		}
		is := now[p].Hash
		if f.mode {
			is = r.modeOf(ctx, c, p, now[p])
		}
		if is != f.runs {
			return true
		}
	}
	return false
}

// modeOf is the mode of a content's file at p.
func (r *Repository) modeOf(ctx context.Context, c *content, p string, f cepler.File) string {
	if mode, own := c.modes[p]; own {
		return modeText(mode)
	}
	return r.modeAt(ctx, f.From, p)
}

// released is why files that were taken back may come again, "" when nothing says that they may.
func (r *Repository) released(ctx context.Context, v *View, u rules, g *Gate, c *content, b *Rollback, taken takenFiles) (string, error) {
	if g.Resume == b.Record {
		return fmt.Sprintf("resume: %d in %s", g.Resume, r.src.GatesFile), nil
	}
	moved, err := r.gateMovedSince(ctx, v, u.environment.Name, b.commit)
	if err != nil {
		return "", err
	}
	if moved {
		return "the gate was moved since", nil
	}
	changed, err := r.changedSince(ctx, u, g, c, b, taken)
	if err != nil || changed == "" {
		return "", err
	}
	return changed + " was changed since", nil
}

// changedSince is one of the files taken back that a commit changed after the rollback was recorded, as
// the content has it; "" when none was.
func (r *Repository) changedSince(ctx context.Context, u rules, g *Gate, c *content, b *Rollback, taken takenFiles) (string, error) {
	paths := slices.Sorted(maps.Keys(taken))
	onBranch, err := r.changedOnBranch(ctx, g.Commit, u, b, paths)
	if err != nil {
		return "", err
	}
	for _, p := range paths {
		changed := onBranch[p]
		if f, propagated := c.Files[cepler.PropagatedKey(u.environment.Passed, p)]; propagated || !u.environment.Latest.Match(p) {
			if changed, err = r.propagatedSince(ctx, c, p, f, b, taken[p].from); err != nil {
				return "", err
			}
		}
		if changed {
			return p, nil
		}
	}
	return "", nil
}

// changedOnBranch are the files taken back that differ between two commits of the line from the gate back
// to the rollback's record. There is no such line when the gate ends before the record.
func (r *Repository) changedOnBranch(ctx context.Context, gate *git.Commit, u rules, b *Rollback, paths []string) (map[string]bool, error) {
	line, err := r.lineTo(ctx, gate, u.config.StatePath(u.environment.Name))
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	if len(line) == 0 || line[len(line)-1].Hash != b.commit.Hash {
		return all, nil
	}
	set := cepler.NewPathSet(paths...)
	for i, c := range line[:len(line)-1] {
		changed, err := history{r.store}.Changed(ctx, c.Hash.String(), line[i+1].Hash.String(), set)
		if err != nil {
			return nil, err
		}
		for _, p := range changed {
			all[p] = true
		}
	}
	return all, nil
}

// propagatedSince reports whether the file p, as the upstream's state has it, was changed by a commit
// that the rollback's record does not have in its history. A file that is not in that state has no
// commit: it was changed when it was there at the record, and is not in a later commit of the upstream.
// Taken is the commit that it was of when it was taken back.
func (r *Repository) propagatedSince(ctx context.Context, c *content, p string, f cepler.File, b *Rollback, taken string) (bool, error) {
	if f.From != "" {
		if f.From == taken {
			return false, nil
		}
		return r.afterRecord(ctx, f.From, b)
	}
	if _, was, err := r.find(ctx, b.commit, p); err != nil || !was {
		return false, err
	}
	if later, err := r.afterRecord(ctx, c.PropagatedHead, b); err != nil || !later {
		return false, err
	}
	_, err := r.entryAt(ctx, c.PropagatedHead, p)
	if errors.Is(err, ErrVersion) {
		return true, nil
	}
	return false, err
}

// afterRecord reports whether a commit is not in the history of the rollback's record. A commit that is
// gone proves nothing.
func (r *Repository) afterRecord(ctx context.Context, commit string, b *Rollback) (bool, error) {
	h, ok := parseHash(commit)
	if !ok {
		return false, nil
	}
	if later, err := r.hasRecord(ctx, commit, b.statePath, b.own); err != nil || later {
		return later, err
	}
	if _, err := r.store.Commit(ctx, h); err != nil {
		return false, ignoreNotFound(err)
	}
	before, err := r.isAncestor(ctx, h, b.commit.Hash)
	return !before && err == nil, err
}

// String is what happened: "it was rolled back from #2 to #1 on 28 Nov 2025 at 14:03 UTC by build …".
func (b *Rollback) String() string {
	to := fmt.Sprintf("%.7s (%s)", b.Commit, b.Subject)
	if b.To > 0 {
		to = fmt.Sprintf("#%d", b.To)
	}
	text := fmt.Sprintf("it was rolled back from #%d to %s on %s", b.Of, to, b.At.UTC().Format("2 Jan 2006 at 15:04 UTC"))
	if b.Build != "" {
		text += " by build " + b.Build
	}
	return text
}

// why is what holds the pending commit, and what lets it go.
func (b *Rollback) why(pending *git.Commit, resume string) string {
	return fmt.Sprintf("%s; %s (%s) is held until %s, or: %s", b, short(pending.Hash), subject(pending), b.until(), resume)
}

// until names the files of which one must change.
func (b *Rollback) until() string {
	if len(b.Files) == 1 {
		return b.Files[0] + " changes"
	}
	return fmt.Sprintf("one of %d files changes (%s)", len(b.Files), visible.List(b.Files, 3))
}

// resume says how a person lets the environment go on after a rollback.
func (r *Repository) resume(v *View, b *Rollback, environment string) string {
	if v.Gates == nil {
		return fmt.Sprintf("pin the version to be deployed and start the job, or name a gates file in the source and write resume: %d there", b.Record)
	}
	rule, _ := v.Gates.For(environment)
	how := fmt.Sprintf("set resume: %d", b.Record)
	if rule.Resume == 0 {
		how = fmt.Sprintf("write `%s: {commit: %s, resume: %d}`", environment, rule.Commit, b.Record)
		if rule.HasRules() {
			how = fmt.Sprintf("add `resume: %d` to %s", b.Record, environment)
		}
	}
	return fmt.Sprintf("%s in %s of branch %s", how, r.src.GatesFile, r.src.GatesBranchName())
}
