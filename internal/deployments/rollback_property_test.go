package deployments_test

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

var (
	worldsFlag = flag.Int("rollback.worlds", gittest.Writers(25, 300), "how many random worlds are tried")
	firstFlag  = flag.Int("rollback.first", 1, "seed of the first of them")
)

// After a rollback, no sequence of checks without new commits offers what was taken back: with any given
// version or none, with gates or without, in chains and with queues. With new commits, it is offered only
// when one of its files was changed after the rollback, or the gate was moved.
//
// What was taken back is worked out here from the files that gets deliver, and from nothing that the
// resources say about rollbacks.
func TestWhatWasTakenBackStaysBack(t *testing.T) {
	worlds := *worldsFlag
	if testing.Short() {
		worlds = min(worlds, 30)
	}
	repo := newRepository(t)
	total := map[string]int{}
	for seed := range worlds {
		w := newRollbackWorld(t, repo, *firstFlag+seed)
		w.play()
		w.close()
		for what, n := range w.counts {
			total[what] += n
		}
	}
	t.Log(total)
	for _, what := range []string{"rollbacks", "checks", "held", "offers after a change", "offers after a gate", "fixes that went"} {
		require.NotZero(t, total[what], "the worlds never had any: %s", what)
	}
	require.NoError(t, repo.Fsck())
}

// delivery is what a get delivered: each of the environment's files, with its mode.
type delivery map[string]string

// deployed is something that an environment runs or ran.
type deployed struct {
	version deployments.Version
	files   delivery
}

// stage is an environment, as a person who watches it from outside knows it.
type stage struct {
	name    string
	gate    string // "" where there is none
	history []deployed
	conn    *deployments.Connection
	// high is what ran before the environment was rolled back, nil while it is not. Taken are the files
	// that the last rollback took back, and those that all of them did; since is how many writes there
	// were then, and gateThen the gate.
	high     *deployed
	taken    [][]string
	since    int
	gateThen string
}

func (s *stage) runs() deployed { return s.history[len(s.history)-1] }

// write is a commit's change of one file: its content and mode, "" when it was removed.
type write struct{ path, file string }

// rollbackWorld is a branch of a repository, with environments of its own.
type rollbackWorld struct {
	t      *testing.T
	random *rand.Rand
	repo   *gittest.Repository
	branch string
	stages []*stage
	writes []write
	tree   map[string]string // content by path, of the branch
	old    map[string][]string
	moves  []string // commits that a gate may be set to
	now    time.Time
	step   int
	counts map[string]int
	log    []string
	// kinds of this world
	gated, ignoreQueue bool
}

func newRollbackWorld(t *testing.T, repo *gittest.Repository, seed int) *rollbackWorld {
	t.Helper()
	w := &rollbackWorld{
		t: t, repo: repo, branch: fmt.Sprintf("world-%d", seed), random: rand.New(rand.NewPCG(uint64(seed), 42)),
		tree: map[string]string{}, old: map[string][]string{}, counts: map[string]int{}, now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC),
	}
	w.gated, w.ignoreQueue = w.random.IntN(2) == 0, w.random.IntN(4) == 0
	names := []string{"tf", "st", "pr"}[:1+w.random.IntN(3)]
	var config strings.Builder
	config.WriteString("environments:\n")
	for i, name := range names {
		w.stages = append(w.stages, &stage{name: name})
		own := fmt.Sprintf("  %s:\n    latest: [%s.yml, \"x/*\"]\n", name, name)
		if i == 0 {
			own = "  tf:\n    latest: [tf.yml, \"f/*\", \"x/*\"]\n"
		} else {
			own += fmt.Sprintf("    passed: %s\n    propagated: [\"f/*\"]\n", names[i-1])
		}
		config.WriteString(own)
		if w.gated && w.random.IntN(4) > 0 {
			w.stages[i].gate = "HEAD"
		}
	}
	files := map[string]string{"cepler.yml": config.String()}
	for _, p := range rollbackPaths() {
		files[p] = "0\n"
	}
	w.commit("init", files)
	w.writeGates()
	return w
}

func rollbackPaths() []string {
	return []string{"tf.yml", "st.yml", "pr.yml", "f/a", "f/b", "f/c", "x/shared"}
}

func (w *rollbackWorld) source(s *stage) deployments.Source {
	src := deployments.Source{Access: git.Access{URI: w.repo.Dir, Branch: w.branch}, Environment: s.name, IgnoreQueue: w.ignoreQueue}
	if w.gated {
		src.GatesFile, src.GatesBranch = "gates.yml", w.branch+"-gates"
	}
	return src
}

// commit writes files, "" removes one; an executable begins with "+x".
func (w *rollbackWorld) commit(message string, files map[string]string) {
	w.t.Helper()
	edits := map[string]git.Edit{}
	for p, text := range files {
		mode := filemode.Regular
		if strings.HasPrefix(text, "+x") {
			mode = filemode.Executable
		}
		edits[p] = git.Edit{Mode: mode, Content: []byte(text), Delete: text == ""}
		w.tree[p] = text
		w.old[p] = append(w.old[p], text)
		w.writes = append(w.writes, write{p, text})
	}
	w.moves = append(w.moves, w.push(w.branch, message, edits))
	w.note("commit %s: %v", message, slices.Sorted(maps.Keys(files)))
}

// push makes a commit without the git program, which would take most of the time.
func (w *rollbackWorld) push(branch, message string, edits map[string]git.Edit) string {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	by := git.Signature{Name: "Tester", Email: "tester@example.com", When: w.now}
	store, err := w.connect(w.stages[0]).Remote.Store("")
	require.NoError(w.t, err)
	defer func() { _ = store.Close() }()
	made, err := store.UpdateRef(w.t.Context(), "refs/heads/"+branch, func(ctx context.Context, tip *git.Commit) (*git.Built, error) {
		change := git.NewCommit{Edits: edits, Author: by, Committer: by, Message: message}
		if tip != nil {
			change.Parent = tip.Hash
		}
		return store.Build(ctx, change)
	})
	require.NoError(w.t, err)
	return made.Hash.String()
}

func (w *rollbackWorld) writeGates() {
	if !w.gated {
		return
	}
	var text strings.Builder
	for _, s := range w.stages {
		gate := s.gate
		if gate == "" {
			gate = "HEAD"
		}
		text.WriteString(s.name + ": " + gate + "\n")
	}
	w.push(w.branch+"-gates", fmt.Sprintf("gates %d", len(w.writes)), map[string]git.Edit{"gates.yml": {Content: []byte(text.String())}})
}

func (w *rollbackWorld) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

func (w *rollbackWorld) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("-args -rollback.worlds 1 -rollback.first %s: %s\n  %s", strings.TrimPrefix(w.branch, "world-"), fmt.Sprintf(format, args...), strings.Join(w.log, "\n  "))
}

// play lets things happen until environments were rolled back, and looks at all checks in between.
func (w *rollbackWorld) play() {
	for w.step = range 6 + w.random.IntN(10) {
		w.happens()
	}
	for range 1 + w.random.IntN(3) {
		if !w.rollBack() {
			break
		}
		for range w.random.IntN(5) {
			w.storm()
			w.happens()
		}
		w.storm()
	}
	w.fix()
}

// happens is one thing that people or pipelines do.
func (w *rollbackWorld) happens() {
	w.step++
	switch n := w.random.IntN(10); {
	case n < 4:
		w.change()
	case n < 7 && w.gated:
		w.moveGate()
	default:
		s := w.stages[w.random.IntN(len(w.stages))]
		w.deploy(s)
	}
}

// change commits something: new content, what was there before, another mode, a removal.
func (w *rollbackWorld) change() {
	files := map[string]string{}
	for range 1 + w.random.IntN(2) {
		p := rollbackPaths()[w.random.IntN(len(rollbackPaths()))]
		switch w.random.IntN(6) {
		case 0:
			before := w.old[p]
			files[p] = before[w.random.IntN(len(before))]
		case 1:
			files[p] = "+x" + strings.TrimPrefix(w.tree[p], "+x")
		case 2:
			if strings.Contains(p, "/") {
				files[p] = ""
			}
		}
		if _, ok := files[p]; !ok {
			files[p] = fmt.Sprintf("%d\n", w.step*10+len(files)+1000)
		}
	}
	for p, text := range files {
		if text == w.tree[p] {
			delete(files, p) // no change
		}
	}
	if len(files) > 0 {
		w.commit(fmt.Sprintf("step %d", w.step), files)
	}
}

func (w *rollbackWorld) moveGate() {
	s := w.stages[w.random.IntN(len(w.stages))]
	if s.gate == "" {
		return
	}
	s.gate = "HEAD"
	if w.random.IntN(3) > 0 {
		s.gate = w.moves[w.random.IntN(len(w.moves))]
	}
	w.writeGates()
	w.note("gate of %s: %s", s.name, s.gate)
}

// connect is the environment's connection. It is kept, as its objects are what takes the time.
func (w *rollbackWorld) connect(s *stage) *deployments.Connection {
	w.t.Helper()
	if s.conn == nil {
		var err error
		s.conn, err = deployments.Connect(w.source(s), git.Open, func(string, ...any) {})
		require.NoError(w.t, err)
	}
	s.conn.LookAgain()
	return s.conn
}

func (w *rollbackWorld) close() {
	for _, s := range w.stages {
		if s.conn != nil {
			require.NoError(w.t, s.conn.Close())
		}
	}
}

// check is what a check answers.
func (w *rollbackWorld) check(s *stage, given *deployments.Version) []deployments.Version {
	w.t.Helper()
	w.counts["checks"]++
	src, conn := w.source(s), w.connect(s)
	refs, err := conn.Remote.Refs(w.t.Context(), src.RefNames()...)
	require.NoError(w.t, err)
	view, err := conn.View(w.t.Context(), refs)
	require.NoError(w.t, err)
	plan, err := conn.Plan(w.t.Context(), view, s.name, w.now)
	require.NoError(w.t, err)
	if plan.Rollback != nil && plan.Rollback.Held {
		w.counts["held"]++
	}
	versions, err := conn.Offer(w.t.Context(), plan, given)
	require.NoError(w.t, err)
	return versions
}

// deploy deploys what a check offers, if it does.
func (w *rollbackWorld) deploy(s *stage) {
	var given *deployments.Version
	if len(s.history) > 0 {
		given = &s.history[w.random.IntN(len(s.history))].version
	}
	versions := w.check(s, given)
	if len(versions) == 0 || given != nil && versions[len(versions)-1] == *given {
		return
	}
	v := versions[len(versions)-1]
	if len(s.history) > 0 && v == s.runs().version {
		return // what runs
	}
	w.judge(s, v, given)
	w.put(s, v)
	s.high = nil
}

// get fetches a version.
func (w *rollbackWorld) get(s *stage, v deployments.Version) (string, delivery) {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "get")
	conn := w.connect(s)
	_, err := conn.Get(w.t.Context(), v, dir, true)
	require.NoError(w.t, err, "%s", strings.Join(w.log, "\n"))
	files := delivery{}
	require.NoError(w.t, fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(p, ".") || p == "cepler.yml" {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, p))
		files[p] = string(content)
		return err
	}))
	return dir, files
}

// put deploys a version and records it, and watches whether that takes something back.
func (w *rollbackWorld) put(s *stage, v deployments.Version) {
	w.t.Helper()
	dir, files := w.get(s, v)
	conn := w.connect(s)
	restored, err := conn.Restore(w.t.Context(), v, s.name)
	require.NoError(w.t, err)
	var trailers []string
	if w.gated && w.random.IntN(4) > 0 { // the others are of a program that does not say it
		gate, err := conn.GateNow(w.t.Context(), s.name)
		require.NoError(w.t, err)
		trailers = append(trailers, "Gate: "+gate)
	}
	w.now = w.now.Add(time.Minute)
	_, err = conn.Record(w.t.Context(), deployments.Recording{Restored: restored, Dir: dir, Now: w.now, Trailers: trailers})
	require.NoError(w.t, err)
	s.history = append(s.history, deployed{v, files})
	w.note("%s deploys %s %.7s %v", s.name, v.Version, v.Trigger, files)
}

// rollBack pins an older version of an environment and deploys it.
func (w *rollbackWorld) rollBack() bool {
	for range 10 {
		s := w.stages[w.random.IntN(len(w.stages))]
		if len(s.history) < 2 {
			w.deploy(s)
			continue
		}
		to := s.history[w.random.IntN(len(s.history)-1)]
		from := s.runs()
		if !w.comesBefore(to.version, s.runs().version) {
			continue // as after a gate that was set back: this is the way forward again
		}
		w.note("%s is rolled back", s.name)
		w.put(s, to.version)
		if s.high == nil {
			s.high = &from
		}
		s.taken = [][]string{differing(s.runs().files, from.files), differing(s.runs().files, s.high.files)}
		s.since, s.gateThen = len(w.writes), s.gate
		w.counts["rollbacks"]++
		return true
	}
	return false
}

// comesBefore reports whether a version is an earlier one on the branch, or was offered earlier at the same
// commit.
func (w *rollbackWorld) comesBefore(a, b deployments.Version) bool {
	w.t.Helper()
	commits, err := w.repo.Log("%H", w.branch) // the newest first
	require.NoError(w.t, err)
	x, y := slices.Index(commits, a.Trigger), slices.Index(commits, b.Trigger)
	return x > y || x == y && number(a) < number(b)
}

func number(v deployments.Version) int {
	n, _ := strconv.Atoi(v.Version)
	return n
}

// storm asks every environment with every version there was, with numbers, and with none.
func (w *rollbackWorld) storm() {
	for _, s := range w.stages {
		if s.high == nil {
			continue
		}
		asks := []*deployments.Version{nil, {Version: "1"}, {Version: strconv.Itoa(1 + w.random.IntN(len(s.history)))}, {Version: "99"}}
		for range 4 {
			asks = append(asks, &s.history[w.random.IntN(len(s.history))].version)
		}
		for _, given := range asks {
			w.look(s, w.check(s, given), given)
		}
	}
}

// look judges the answer to a check.
func (w *rollbackWorld) look(s *stage, versions []deployments.Version, given *deployments.Version) {
	w.t.Helper()
	if len(versions) == 0 {
		return
	}
	newest := versions[len(versions)-1]
	switch {
	case given != nil && newest == *given:
	case newest != s.runs().version:
		w.judge(s, newest, given)
	case given == nil:
		w.fail("%s: a check without a version names %v, which runs already", s.name, newest)
	}
}

// judge fails when an offered version brings back what was taken back.
func (w *rollbackWorld) judge(s *stage, offered deployments.Version, given *deployments.Version) {
	w.t.Helper()
	if s.high == nil {
		return
	}
	_, files := w.get(s, offered)
	for _, taken := range s.taken {
		w.judgeFiles(s, offered, files, given, taken)
	}
}

func (w *rollbackWorld) judgeFiles(s *stage, offered deployments.Version, files delivery, given *deployments.Version, taken []string) {
	w.t.Helper()
	now := s.runs().files
	switch {
	case !slices.ContainsFunc(taken, func(p string) bool { return files[p] != now[p] }):
		w.counts["offers of other files"]++
	case s.gate != s.gateThen:
		w.counts["offers after a gate"]++
	case w.changedSince(s, files, taken):
		w.counts["offers after a change"]++
	default:
		w.fail("%s: a check with %v offers %v, %v, which brings back some of %v; it runs %v", s.name, given, offered, files, taken, now)
	}
}

// changedSince reports whether one of the files that were taken back was offered as a commit after the
// rollback made it.
func (w *rollbackWorld) changedSince(s *stage, offered delivery, taken []string) bool {
	for _, p := range taken {
		for _, later := range w.writes[s.since:] {
			if later.path == p && later.file == offered[p] {
				return true
			}
		}
	}
	return false
}

func differing(a, b delivery) []string {
	var all []string
	for p := range a {
		if b[p] != a[p] {
			all = append(all, p)
		}
	}
	for p := range b {
		if _, ok := a[p]; !ok {
			all = append(all, p)
		}
	}
	slices.Sort(all)
	return all
}

// fix changes a file that was taken back: then the first environment goes on.
func (w *rollbackWorld) fix() {
	s := w.stages[0]
	if s.high == nil || s.gate != "" && s.gate != "HEAD" {
		return
	}
	for _, p := range s.taken[0] {
		if !slices.Contains(s.taken[1], p) {
			continue
		}
		w.commit("fix", map[string]string{p: "fixed\n"})
		versions := w.check(s, nil)
		if len(versions) == 0 || number(versions[len(versions)-1]) != len(s.history)+1 {
			w.fail("%s: %s was changed, and a check offers %v", s.name, p, versions)
		}
		w.counts["fixes that went"]++
		return
	}
}
