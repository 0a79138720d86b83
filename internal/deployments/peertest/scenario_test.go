package peertest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// corners are what a history may have besides edits of files and deployments
// in order, and how many histories in a hundred have it.
func corners() map[string]int {
	return map[string]int{
		"merges":   35, // branches that are merged
		"foxtrots": 5,  // merges whose first parent is the side branch
		"removals": 70, // files deleted and renamed
		"gates":    45, // gates moved forth and back
		"ontrunk":  8,  // the gates file is in the branch itself
		"queue":    85, // the queue is used; else source.ignore_queue is set
		"configs":  35, // rules changed
		"drops":    15, // environments leave the config and come back
		"early":    20, // environments checked and deployed in any order
		"delays":   35, // others commit between get and put
		"dirt":     12, // files changed by the deployment
		"losses":   10, // state files removed or put back by hand
		"again":    15, // deployed again with nothing new
		"shadow":   10, // files both propagated and latest
		"modes":    6,  // exec bits changed
		"links":    4,  // symbolic links
		"broken":   6,  // a config that does not parse, for one commit
	}
}

// scenario is one history and what both programs make of it.
type scenario struct {
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	has     map[string]bool
	w       *world
	config  config
	gates   map[string]string
	cepler  *peer
	ours    *peer
	given   map[string][2]version
	waiting []deployment
	emitted []emission
	dropped []environment
	back    map[string]bool   // environments that may be rolled back: their gate was set, or their state lost
	modes   map[string]string // of each path with each content, the last
	mode    bool              // an exec bit was changed alone, perhaps by a content that came back
	broke   bool
	step    int
	act     string
	report  *report
}

// deployment is one that was got and not yet put.
type deployment struct {
	environment string
	name        string
	versions    [2]version
	head        *commit // the branch when it was got
	dirty       bool
	again       bool
	mixed       bool // ours puts the folder that cepler filled
	late        bool // the record of another environment has changed since the get
}

// emission is a version that ours gave out, and what a get of it delivered.
type emission struct {
	environment string
	version     version
	delivered   tree // nil: not got yet
}

func newScenario(t *testing.T, seed uint64, without []string, programs string, r *report) *scenario {
	t.Helper()
	dir := t.TempDir()
	if *keep != "" {
		dir = filepath.Join(*keep, fmt.Sprint(seed))
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	s := &scenario{
		t: t, seed: seed, rng: rng, report: r,
		has: map[string]bool{}, gates: map[string]string{}, back: map[string]bool{}, modes: map[string]string{}, given: map[string][2]version{},
		w:      newWorld(t, filepath.Join(dir, "remote.git")),
		cepler: theirs(t, dir), ours: ours(t, dir, programs),
	}
	for _, name := range slices.Sorted(maps.Keys(corners())) {
		s.has[name] = rng.IntN(100) < corners()[name] && !slices.Contains(without, name)
	}
	s.config = newConfig(rng, s.has["shadow"])
	return s
}

// run makes the history of steps acts.
func (s *scenario) run(steps int) {
	s.begin()
	for s.step = 1; s.step <= steps; s.step++ {
		s.one()
		s.checkAll()
	}
	for len(s.waiting) > 0 {
		s.finish(0)
	}
	s.act = "get every version again"
	s.getAgain()
	s.w.git("", "fsck", "--strict", "--no-dangling")
}

// begin makes the first commit and, unless things are to happen early, deploys
// every environment once in the order of the chain.
func (s *scenario) begin() {
	s.act = "begin"
	now := tree{s.config.path: {regular, s.config.yaml()}}
	for _, p := range paths() {
		if s.rng.IntN(3) > 0 {
			now[p] = s.file(p)
		}
	}
	s.w.push("init", now)
	if s.has["gates"] {
		for _, e := range s.config.environments {
			s.gates[e.name] = "HEAD"
		}
		s.writeGates()
	}
	if s.has["early"] {
		return
	}
	for _, e := range s.config.environments {
		s.check(e.name)
		s.deploy(e.name, false)
	}
}

func (s *scenario) file(p string) file {
	f := file{regular, fmt.Sprintf("%d\n", s.rng.IntN(4))}
	if strings.HasSuffix(p, "/y") {
		f.mode = executable
	}
	if s.rng.IntN(40) == 0 {
		f.content = ""
	}
	if s.has["links"] && s.rng.IntN(6) == 0 {
		return file{link, pick(s.rng, "a.yml", "../a.yml", "nowhere")}
	}
	return f
}

// acts are what can happen, by how often.
func (s *scenario) one() {
	type act struct {
		name   string
		weight int
		do     func()
	}
	acts := []act{
		{"edit", 12, s.edit},
		{"edit what nobody deploys", 4, s.unrelated},
		{"deploy", 14, s.deployAny},
		{"get what is recorded", 2, s.getRecorded},
	}
	add := func(corner, name string, weight int, do func()) {
		if s.has[corner] {
			acts = append(acts, act{name, weight, do})
		}
	}
	add("removals", "remove", 3, s.remove)
	add("removals", "rename", 3, s.rename)
	add("merges", "merge", 6, s.merge)
	add("gates", "move a gate", 5, s.moveGate)
	add("configs", "change the rules", 3, s.reword)
	add("drops", "drop an environment or bring it back", 3, s.drop)
	add("losses", "lose a state", 2, s.lose)
	add("again", "deploy again", 3, s.deployAgain)
	add("modes", "change an exec bit", 3, s.chmod)
	add("broken", "break the config", 2, s.breakConfig)
	if len(s.waiting) > 0 {
		acts = append(acts, act{"put", 8, func() { s.finish(s.rng.IntN(len(s.waiting))) }})
	}
	total := 0
	for _, a := range acts {
		total += a.weight
	}
	at := s.rng.IntN(total)
	for _, a := range acts {
		if at -= a.weight; at < 0 {
			s.act = a.name
			s.report.acts++
			a.do()
			return
		}
	}
}

func (s *scenario) message(what string) string {
	return pick(s.rng, what, "feat: "+what, "fix("+what+"): \"x\" # 1", "multi\nline "+what+"\n\nbody", "12e3", "null", "- "+what, "ü "+what, "  lead", "'q'", "a  b", "trail \n", "{x}", "")
}

// commit pushes the branch's tree with changes.
func (s *scenario) commit(what string, change func(tree)) {
	now := maps.Clone(s.w.main.tree)
	change(now)
	for _, t := range []tree{s.w.main.tree, now} {
		for p, f := range t {
			if was, ok := s.modes[p+" "+f.content]; ok && was != f.mode {
				s.mode = true
			}
			s.modes[p+" "+f.content] = f.mode
		}
	}
	s.w.push(s.message(what), now)
	s.act += ": " + what
}

func (s *scenario) edit() {
	s.commit("edit", func(now tree) { s.editIn(now, 1+s.rng.IntN(3)) })
}

func (s *scenario) editIn(now tree, n int) {
	for _, p := range some(s.rng, n, paths()) {
		was, ok := now[p]
		f := s.file(p)
		if ok && was.mode != link && f.mode != link {
			f.mode = was.mode
		}
		now[p] = f
		s.act += " " + p
	}
}

func (s *scenario) unrelated() {
	s.commit("notes", func(now tree) { now["docs/notes"] = file{regular, fmt.Sprint(s.step)} })
}

// present are the files that are there now.
func (s *scenario) present() []string {
	return slices.DeleteFunc(paths(), func(p string) bool { _, ok := s.w.main.tree[p]; return !ok })
}

func (s *scenario) remove() {
	for _, p := range some(s.rng, 1, s.present()) {
		s.commit("remove "+p, func(now tree) { delete(now, p) })
	}
}

func (s *scenario) rename() {
	for _, p := range some(s.rng, 1, s.present()) {
		to := pick(s.rng, paths()...)
		s.commit("rename "+p+" to "+to, func(now tree) {
			f := now[p]
			delete(now, p)
			now[to] = f
		})
	}
}

func (s *scenario) chmod() {
	for _, p := range some(s.rng, 1, s.present()) {
		f := s.w.main.tree[p]
		switch f.mode {
		case link:
			return
		case regular:
			f.mode = executable
		default:
			f.mode = regular
		}
		s.commit("mode of "+p, func(now tree) { now[p] = f })
	}
}

// merge forks from one of the last commits, edits there and perhaps here, and
// merges with a merge commit.
func (s *scenario) merge() {
	line := s.w.firstParents()
	fork := line[s.rng.IntN(min(6, len(line)))]
	side := fork
	for range 1 + s.rng.IntN(2) {
		now := maps.Clone(side.tree)
		s.editIn(now, s.rng.IntN(3))
		side = s.w.commit(sideRef, s.message("side"), now, side)
	}
	if s.rng.IntN(3) == 0 {
		s.edit()
	}
	now := maps.Clone(s.w.main.tree)
	for _, p := range paths() {
		is, there := side.tree[p]
		if was := fork.tree[p]; was != is && s.rng.IntN(8) > 0 {
			now[p] = is
		}
		if _, had := fork.tree[p]; had && !there {
			delete(now, p)
		}
	}
	parents := []*commit{s.w.main, side}
	if s.has["foxtrots"] && s.rng.IntN(2) == 0 {
		slices.Reverse(parents)
	}
	s.w.main = s.w.commit(mainRef, s.message("merge"), now, parents...)
	s.act += ": merge"
}

// ontrunk reports whether the gates are in the branch itself.
func (s *scenario) ontrunk() bool { return s.has["ontrunk"] }

const gatesPath = "gates.d/gates"

func (s *scenario) writeGates() {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.gates)) {
		fmt.Fprintf(&text, "%s: %s\n", name, s.gates[name])
	}
	if s.ontrunk() {
		s.commit("gates", func(now tree) { now[gatesPath] = file{regular, text.String()} })
		return
	}
	var parents []*commit
	if s.w.gates != nil {
		parents = append(parents, s.w.gates)
	}
	s.w.gates = s.w.commit(gatesRef, "gates", tree{gatesPath: {regular, text.String()}}, parents...)
}

func (s *scenario) moveGate() {
	e := pick(s.rng, s.config.environments...)
	switch line := s.w.firstParents(); {
	case s.rng.IntN(3) == 0:
		s.gates[e.name] = "HEAD"
	case s.has["early"] && s.rng.IntN(10) == 0:
		delete(s.gates, e.name)
	default:
		line = s.sinceUpstream(e, line[:min(12, len(line))])
		s.gates[e.name] = pick(s.rng, line...).hash
	}
	s.back[e.name] = true
	s.act += fmt.Sprintf(" of %s to %.7s", e.name, s.gates[e.name])
	s.writeGates()
}

// sinceUpstream keeps of the commits those that have the state of the upstream,
// unless things are to happen early.
func (s *scenario) sinceUpstream(e environment, line []*commit) []*commit {
	if e.passed == "" || s.has["early"] {
		return line
	}
	kept := slices.DeleteFunc(slices.Clone(line), func(c *commit) bool {
		_, ok := c.tree[s.config.statePath(e.passed)]
		return !ok
	})
	if len(kept) == 0 {
		return line[:1]
	}
	return kept
}

func (s *scenario) setConfig(what string, c config) {
	s.config = c
	s.commit(what, func(now tree) { now[c.path] = file{regular, c.yaml()} })
}

func (s *scenario) reword() { s.setConfig("rules", s.config.reworded(s.rng)) }

func (s *scenario) drop() {
	if n := len(s.dropped); n > 0 && s.rng.IntN(2) == 0 {
		c := s.config.clone()
		c.environments = append(c.environments, s.dropped[n-1])
		s.dropped = s.dropped[:n-1]
		s.setConfig("bring back", c)
		return
	}
	c := s.config.without(s.rng)
	for _, e := range s.config.environments {
		if _, ok := c.find(e.name); !ok {
			if s.isWaiting(e.name) {
				return
			}
			s.dropped = append(s.dropped, e)
		}
	}
	s.setConfig("drop", c)
}

func (s *scenario) breakConfig() {
	s.broke = true
	s.commit("broken", func(now tree) { now[s.config.path] = file{regular, "environments: ["} })
	s.commit("mended", func(now tree) { now[s.config.path] = file{regular, s.config.yaml()} })
}

// lose removes a state file, or puts an older one back.
func (s *scenario) lose() {
	e := pick(s.rng, s.config.environments...)
	p := s.config.statePath(e.name)
	if s.isWaiting(e.name) {
		return
	}
	s.back[e.name] = true
	line := s.w.firstParents()
	older := pick(s.rng, line...).tree
	s.commit("lose "+e.name, func(now tree) {
		if f, ok := older[p]; ok && (s.rng.IntN(2) == 0 || !s.has["early"]) {
			now[p] = f
		} else if s.has["early"] {
			delete(now, p)
		}
	})
	s.recordChanged()
}

func (s *scenario) isWaiting(name string) bool {
	return slices.ContainsFunc(s.waiting, func(d deployment) bool { return d.environment == name })
}

func (s *scenario) source(name string) source {
	src := source{URI: s.w.dir, Branch: "main", Environment: name, Config: s.config.path, IgnoreQueue: !s.has["queue"]}
	if s.has["gates"] {
		src.GatesFile = gatesPath
		if !s.ontrunk() {
			src.GatesBranch = "gates"
		}
	}
	return src
}

func (s *scenario) checkAll() {
	for _, e := range s.config.environments {
		s.check(e.name)
	}
}

// check asks both what is new for an environment.
func (s *scenario) check(name string) {
	given := s.given[name]
	if s.rng.IntN(6) == 0 {
		given = [2]version{}
	}
	if s.rng.IntN(12) == 0 {
		s.cepler.forget()
		s.ours.forget()
	}
	src := s.source(name)
	theirs, mine := s.cepler.check(src, given[0]), s.ours.check(src, given[1])
	s.compareChecks(name, given, theirs, mine)
	s.compareMigrated(name, given, theirs, mine)
	next := s.given[name]
	for i, a := range []answer{theirs, mine} {
		if v, ok := a.offer(given[i]); ok {
			next[i] = v
		}
	}
	if v, ok := mine.offer(given[1]); ok {
		s.emitted = append(s.emitted, emission{environment: name, version: v})
	}
	s.given[name] = next
}

// deployAny deploys one of the environments that have something to deploy.
func (s *scenario) deployAny() {
	names := []string{}
	for _, e := range s.config.environments {
		names = append(names, e.name)
	}
	for _, name := range some(s.rng, len(names), names) {
		if !s.isWaiting(name) && s.deploy(name, s.has["delays"] && s.rng.IntN(2) == 0) {
			return
		}
	}
}

// deploy gets and puts what is pending now; the put may wait.
func (s *scenario) deploy(name string, wait bool) bool {
	src := s.source(name)
	theirs, mine := s.cepler.check(src, version{}), s.ours.check(src, version{})
	a, ok := theirs.offer(version{})
	b, both := mine.offer(version{})
	if !ok || !both {
		return false
	}
	d := deployment{environment: name, name: fmt.Sprintf("%s-%d", name, s.w.count), versions: [2]version{a, b}, head: s.w.main}
	s.act += fmt.Sprintf(": %s %s %s", name, a, b)
	s.emitted = append(s.emitted, emission{environment: name, version: b})
	if !wait && a.same(b) && s.rng.IntN(3) == 0 {
		d.versions[1] = a // a version that the Rust program gave out
	}
	s.given[name] = [2]version{a, b}
	if !s.get(&d) {
		return true
	}
	if s.has["dirt"] && s.rng.IntN(3) == 0 {
		s.soil(&d)
	}
	d.mixed = !wait && a.same(b) && !d.dirty && !s.has["links"] && s.rng.IntN(6) == 0
	s.waiting = append(s.waiting, d)
	if !wait {
		s.finish(len(s.waiting) - 1)
	}
	return true
}

// get fills a folder with each program and compares what is in them.
func (s *scenario) get(d *deployment) bool {
	src := s.source(d.environment)
	theirs := s.cepler.get(src, d.versions[0], d.name, true)
	mine := s.ours.get(src, d.versions[1], d.name, true)
	if !s.compareGets(*d, theirs, mine) {
		return false
	}
	s.remember(*d)
	return true
}

// remember keeps what a get of ours delivered.
func (s *scenario) remember(d deployment) {
	all := readTree(s.t, s.ours.dir(d.name), false)
	for i := range s.emitted {
		e := &s.emitted[i]
		if e.environment == d.environment && e.version.raw == d.versions[1].raw && e.delivered == nil {
			e.delivered = all
		}
	}
}

// soil changes a delivered file in both folders.
func (s *scenario) soil(d *deployment) {
	dir := s.ours.dir(d.name)
	files := slices.DeleteFunc(slices.Sorted(maps.Keys(onDisk(s.t, dir))), func(p string) bool {
		return s.isBookkeeping(p)
	})
	for _, p := range some(s.rng, 1, files) {
		remove := s.rng.IntN(3) == 0
		for _, peer := range []*peer{s.cepler, s.ours} {
			full := filepath.Join(peer.dir(d.name), p)
			require.NoError(s.t, os.Remove(full))
			if !remove {
				require.NoError(s.t, os.WriteFile(full, []byte("soiled\n"), 0o644))
			}
		}
		d.dirty = true
		s.act += " soiled " + p
	}
}

// finish records a deployment with each program, compares, and lets the branch
// go on with what one of them wrote.
func (s *scenario) finish(i int) {
	d := s.waiting[i]
	s.waiting = slices.Delete(s.waiting, i, i+1)
	src := s.source(d.environment)
	p := s.config.statePath(d.environment)
	if d.mixed {
		require.NoError(s.t, os.RemoveAll(s.ours.dir(d.name)))
		require.NoError(s.t, os.CopyFS(s.ours.dir(d.name), os.DirFS(s.cepler.dir(d.name))))
	}
	theirs := s.cepler.put(src, d.name)
	left := s.w.takeBack(p)
	mine := s.ours.put(src, d.name)
	right := s.w.takeBack(p)
	s.comparePuts(d, theirs, mine, left, right)
	chosen := right
	if left != nil && (right == nil || s.rng.IntN(2) == 0) {
		chosen = left
	}
	if chosen == nil {
		return
	}
	now := maps.Clone(s.w.main.tree)
	now[p] = file{regular, chosen.content}
	s.w.push(chosen.subject, now)
	s.recordChanged()
}

// recordChanged says so to the deployments that wait for their put.
func (s *scenario) recordChanged() {
	for i := range s.waiting {
		s.waiting[i].late = true
	}
}

// deployAgain puts an environment that has nothing pending.
func (s *scenario) deployAgain() {
	e := pick(s.rng, s.config.environments...)
	if s.isWaiting(e.name) {
		return
	}
	state, ok := s.state(e.name)
	if !ok {
		return
	}
	src := s.source(e.name)
	theirs, mine := s.cepler.check(src, version{}), s.ours.check(src, version{})
	if theirs.failed || mine.failed || len(theirs.versions) > 0 || len(mine.versions) > 0 {
		return
	}
	v := state.asVersion()
	d := deployment{environment: e.name, name: fmt.Sprintf("%s-%d", e.name, s.w.count), versions: [2]version{v, v}, head: s.w.main, again: true}
	s.act += ": " + e.name
	if s.get(&d) {
		s.waiting = append(s.waiting, d)
		s.finish(len(s.waiting) - 1)
	}
}

// getRecorded gets what is recorded, as a build that only reads does.
func (s *scenario) getRecorded() {
	e := pick(s.rng, s.config.environments...)
	state, ok := s.state(e.name)
	if !ok {
		return
	}
	v := state.asVersion()
	d := deployment{environment: e.name, name: "recorded", versions: [2]version{v, v}, head: s.w.main, dirty: state.dirty()}
	src := s.source(e.name)
	s.act += ": " + e.name + " " + v.String()
	s.compareGets(d, s.cepler.get(src, v, d.name, false), s.ours.get(src, v, d.name, false))
}

// getAgain gets versions that ours gave out during the history once more. They
// must be what they were, to the last byte.
func (s *scenario) getAgain() {
	s.rng.Shuffle(len(s.emitted), func(i, j int) { s.emitted[i], s.emitted[j] = s.emitted[j], s.emitted[i] })
	for _, e := range s.emitted[:min(8, len(s.emitted))] {
		got := s.ours.get(s.source(e.environment), e.version, "again", true)
		if got.failed {
			s.differ("", "version %s of %s can't be fetched any more: %s", e.version, e.environment, got.stderr)
			continue
		}
		if now := readTree(s.t, s.ours.dir("again"), false); e.delivered != nil && !maps.Equal(now, e.delivered) {
			s.differ("", "version %s of %s is not what it was:%s", e.version, e.environment, describe(e.delivered, now, false))
		}
	}
}
