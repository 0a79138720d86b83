package board

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// History is what was recorded when.
type History struct {
	// Records are the newest ones, the newest first; Total is how many there are.
	Records []Record
	Total   int
	// Weeks are the numbers of records in the weeks up to the board's moment, the oldest first.
	Weeks []int
	// Since is the time of the oldest record.
	Since time.Time
	Keys  Keys
}

// Record is one record of an environment.
type Record struct {
	Environment string // deployment/name
	Number      uint64 // 0 when its state does not parse
	When        time.Time
	Commit      lineage.Commit
	// To is the commit that was deployed, From the one before it; zero for a first record, or where it is not known.
	To, From lineage.Commit
	// Change is the newest change among its files; zero when that is not known.
	Change  lineage.Commit
	Changed int // files
	Build   string
	// Opened is who moved the gate before it; nil when nobody did since the record before.
	Opened *Move
	// RollbackOf is the number of the record that it takes back, 0 for an ordinary one.
	RollbackOf uint64
	Dirty      bool
	// Lead is the time since the newest of its changes was committed; 0 when that is not known.
	Lead time.Duration
	// Last says that no environment comes after this one.
	Last bool
}

// Bounds of the history.
const (
	maxShown = 150 // records on the page
	fewShown = 100 // where there are many environments
	maxWeeks = 12
	week     = 7 * 24 * time.Hour
)

// ledger is who wrote which state file, for all environments: one walk over the branch's history.
type ledger struct {
	paths   map[string]string // environments, as deployment/name, by the path of their state file
	passed  map[string]bool   // environments that another one comes after
	touches []touch           // the newest first
}

type touch struct {
	commit *git.Commit
	path   string
}

// recordsOf walks back through the branch.
func recordsOf(ctx context.Context, reader *lineage.Reader, store *git.Store, sources []deployments.Source) (*ledger, error) {
	l := &ledger{paths: map[string]string{}, passed: map[string]bool{}}
	store.ExpectFar()
	if err := reader.TellApart(ctx, sources); err != nil {
		return nil, err
	}
	var head *git.Commit // that of all sources
	for _, src := range sources {
		var config *cepler.Config
		var err error
		if head, config, err = reader.Config(ctx, src); err != nil {
			return nil, err
		}
		own := lineage.Environment{Deployment: reader.Deployment(config), Name: src.Environment}
		before := lineage.Environment{Deployment: own.Deployment, Name: config.Environments[src.Environment].Passed}
		l.paths[config.StatePath(src.Environment)], l.passed[before.Key()] = own.Key(), true
	}
	err := l.walk(ctx, store, head)
	return l, err
}

// walk lists the commits back from head that wrote a state file.
func (l *ledger) walk(ctx context.Context, store *git.Store, head *git.Commit) error {
	paths := make([]string, 0, len(l.paths))
	for p := range l.paths {
		if _, err := store.Lookup(ctx, head.Tree, p); err == nil {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	for t, err := range store.LogEach(ctx, head.Hash, paths) {
		if err != nil {
			return fmt.Errorf("list the records: %w", err)
		}
		for _, p := range t.Paths {
			l.touches = append(l.touches, touch{t.Commit, p})
		}
	}
	return nil
}

// history makes records of the newest commits. Moves are those of each environment's gate, the newest first.
func (l *ledger) history(ctx context.Context, store *git.Store, repository *deployments.Repository, moves map[string][]deployments.GateChange, now time.Time) (History, error) {
	h := History{Total: len(l.touches), Weeks: make([]int, maxWeeks)}
	last := 0
	for _, t := range l.touches {
		if n := int(now.Sub(t.commit.Committer.When) / week); n >= 0 && n < maxWeeks {
			h.Weeks[maxWeeks-1-n]++
			if !l.passed[l.paths[t.path]] {
				last++
			}
		}
	}
	shown, before := l.shown()
	if n := len(l.touches); n > 0 {
		h.Since = l.touches[n-1].commit.Committer.When.UTC()
	}
	states := states{store, repository}
	if err := states.fetch(ctx, shown, before); err != nil {
		return h, err
	}
	for at, t := range shown {
		r, err := l.record(ctx, &states, t, before[at], moves[l.paths[t.path]])
		if err != nil {
			return h, err
		}
		h.Records = append(h.Records, r)
	}
	sort.SliceStable(h.Records, func(i, j int) bool { return h.Records[i].When.After(h.Records[j].When) })
	h.Keys = keysOf(h.Records, float64(last)/float64(weeksSince(h.Since, now)))
	return h, nil
}

// shown are the newest records, and the record before each of them by its place.
func (l *ledger) shown() (shown []touch, before map[int]touch) {
	most := maxShown
	if len(l.paths) > many {
		most = fewShown
	}
	before = map[int]touch{}
	open := map[string]int{} // the place of the oldest shown record of each path
	for _, t := range l.touches {
		if at, ok := open[t.path]; ok {
			before[at] = t
			delete(open, t.path)
		}
		if len(shown) < most {
			open[t.path] = len(shown)
			shown = append(shown, t)
		}
	}
	return shown, before
}

func (l *ledger) record(ctx context.Context, s *states, t, before touch, moves []deployments.GateChange) (Record, error) {
	name := l.paths[t.path]
	trailers := deployments.TrailersOf(t.commit)
	r := Record{
		Environment: name, When: t.commit.Committer.When.UTC(), Commit: lineage.CommitOf(t.commit), Build: trailers.Build, RollbackOf: trailers.RollbackOf, Last: !l.passed[name],
	}
	is, err := s.at(ctx, t)
	if err != nil || is == nil {
		return r, err
	}
	was, err := s.at(ctx, before)
	if err != nil {
		return r, err
	}
	r.Number, r.Dirty = is.Version, is.Current.AnyDirty
	r.To = s.known(ctx, is.Current.Head)
	var earlier *cepler.Snapshot
	if was != nil {
		r.From, earlier = s.known(ctx, was.Current.Head), &was.Current
	}
	changes := cepler.Diff(earlier, is.Current)
	r.Changed = len(changes)
	r.Change = s.newest(ctx, changes)
	if at := r.Change.When; r.RollbackOf == 0 && was != nil && !at.IsZero() && !at.After(r.When) {
		r.Lead = max(r.When.Sub(at), time.Second)
	}
	r.Opened = opened(moves, before, r.When)
	return r, nil
}

// opened is the newest move of a gate between two records.
func opened(moves []deployments.GateChange, before touch, when time.Time) *Move {
	for _, m := range moves {
		moved := m.Commit.Committer.When
		if moved.After(when) {
			continue
		}
		if before.commit != nil && !moved.After(before.commit.Committer.When) {
			return nil
		}
		return moveOf(m)
	}
	return nil
}

// states reads state files of the history.
type states struct {
	store      *git.Store
	repository *deployments.Repository
}

// fetch gets the state files in one request.
func (s *states) fetch(ctx context.Context, shown []touch, before map[int]touch) error {
	var blobs []git.Hash
	add := func(t touch) {
		if e, err := s.store.Lookup(ctx, t.commit.Tree, t.path); err == nil {
			blobs = append(blobs, e.Hash)
		}
	}
	for at, t := range shown {
		add(t)
		if b, ok := before[at]; ok {
			add(b)
		}
	}
	if err := s.store.Need(ctx, blobs...); err != nil {
		return fmt.Errorf("fetch the states of the history: %w", err)
	}
	return nil
}

// at is the state that a commit wrote; nil when it took the file away, or when that does not parse.
func (s *states) at(ctx context.Context, t touch) (*cepler.State, error) {
	if t.commit == nil {
		return nil, nil //nolint:nilnil // documented
	}
	state, err := s.repository.StateAt(ctx, t.commit, t.path)
	if errors.Is(err, cepler.ErrState) {
		return nil, nil //nolint:nilnil // documented
	}
	return state, err
}

// known is a commit by its full hash; of one that the repository does not have only the hash is known.
func (s *states) known(ctx context.Context, hash string) lineage.Commit {
	if h, ok := deployments.FullCommit(hash); ok && s.store.Has(h) {
		if c, err := s.store.Commit(ctx, h); err == nil {
			return lineage.CommitOf(c)
		}
	}
	return lineage.Commit{Hash: hash}
}

// newest is the newest commit among changes.
func (s *states) newest(ctx context.Context, changes []cepler.Change) (newest lineage.Commit) {
	seen := map[string]bool{}
	for _, c := range changes {
		if c.After == nil || seen[c.After.From] {
			continue
		}
		seen[c.After.From] = true
		if found := s.known(ctx, c.After.From); found.When.After(newest.When) {
			newest = found
		}
	}
	return newest
}

// Keys are what git knows of the four key measures of delivery.
type Keys struct {
	// PerWeek is the mean number of records of last environments, which no other one comes after, in the last weeks.
	PerWeek float64
	// Lead is the median time from a commit to its record in an environment that no other one comes after, and Leads how many
	// records it is of.
	Lead  time.Duration
	Leads int
	// Rollbacks is how many of the records that were looked at take something back.
	Rollbacks int
	Looked    int
}

// weeksSince is how many weeks of a repository's life count, the one that has begun as a whole one.
func weeksSince(oldest, now time.Time) int {
	return min(maxWeeks, max(1, int((now.Sub(oldest)+week-1)/week)))
}

func keysOf(records []Record, perWeek float64) Keys {
	k := Keys{Looked: len(records), PerWeek: perWeek}
	var leads []time.Duration
	for _, r := range records {
		if r.RollbackOf > 0 {
			k.Rollbacks++
		}
		if r.Last && r.Lead > 0 {
			leads = append(leads, r.Lead)
		}
	}
	slices.Sort(leads)
	if k.Leads = len(leads); k.Leads > 0 {
		k.Lead = leads[k.Leads/2]
	}
	return k
}
