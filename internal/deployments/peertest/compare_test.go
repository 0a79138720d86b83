package peertest

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// classes returns the differences that are meant, each as the READMEs have it under "Coming from the Rust resource": what
// cepler does.
func classes() map[string]string {
	return map[string]string{
		"BROKEN":   "a commit with a config that does not parse makes later checks, gets and puts fail",
		"SHADOW":   "a check gets stuck on a state of the queue that changes nothing here",
		"LEFT":     "the queue of an environment keeps growing for environments that left the config",
		"LINK":     "a symbolic link is dirty at each record",
		"EARLY":    "a gate before the first record of the environment before offers the removal of its files",
		"MERGE":    "an unrelated merge moves the trigger",
		"CLEAN":    "leftovers in the folder of a get (ignored files, links, empty folders)",
		"STATES":   "the config and the states in the folder of a get are those that the branch has at the get",
		"UPSTREAM": "a red check until the upstream has deployed",
		"MODE":     "a change of the exec bit is not deployed",
		"GATE":     "an environment missing in the gates file is a red check, and a red get of what it has",
		"TAIL":     "a gates file in the branch itself is removed by a get, and the put fails",
		"STAY":     "a content that a merge took off the line of first parents is a new version",
		"SOIL":     "what a task changed in the folder is recorded with the commit that the branch had at the get",
		"GONE":     "a file that the deployment removed is back after a get with `prepare: false`",
		"SAME":     "a state that is recorded already is recorded again, under the next number",
		"MOVED":    "a put fails when the branch moved after the fetch, although the deployment is done",
		"PRUNE":    "with several environments behind it, the queue ends at the one whose name sorts last",
		"LATE":     "the queue is pruned by what the other environments had at the get",
		"TRIGGER":  "a new state with the trigger of the one before is not noticed",
		"HELD":     "what was taken back is offered again by the next check that may see it: as soon as the gate is moved on, or the pin is removed and Concourse has forgotten its versions",
		"HISTORY":  "a check without a given version has the pending version only, so after a rotation there is nothing to pin",
	}
}

// differ reports a difference; class "" is one that nobody meant.
func (s *scenario) differ(class, format string, args ...any) {
	s.t.Helper()
	s.report.add(s.seed, class)
	line := fmt.Sprintf("seed %d step %d (%s): %s", s.seed, s.step, s.act, fmt.Sprintf(format, args...))
	switch {
	case class == "" || slices.Contains(s.report.refused, class):
		s.t.Errorf("%s %s", class, line)
	case s.report.trace:
		s.t.Logf("%s %s", class, line)
	}
}

// compareChecks compares two answers to the same check.
func (s *scenario) compareChecks(name string, given [2]version, theirs, mine answer) {
	s.report.compare(&s.report.checks)
	if s.report.trace {
		s.t.Logf("step %d (%s) %s given %v: %v %t | %v %t at %.7s", s.step, s.act, name, given, theirs.versions, theirs.failed, mine.versions, mine.failed, s.w.main.hash)
	}
	if theirs.failed {
		s.compareFailed(name, given, theirs, mine)
		return
	}
	if mine.failed {
		s.differ("", "check of %s fails: %s", name, mine.stderr)
		return
	}
	a, inA := theirs.newest()
	b, inB := mine.newest()
	sameGiven := given[0].same(given[1])
	if inA == inB && a.same(b) && (!sameGiven || len(theirs.versions) == len(mine.versions)) {
		return
	}
	if inA == inB && a.same(b) && given[1].raw == "" {
		s.differ("HISTORY", "check of %s, given none: cepler %v, ours %v", name, theirs.versions, mine.versions)
		return
	}
	class := s.checkClass(name, given[1], mine)
	if class == "" && b.same(given[1]) && s.ours.check(s.source(name), version{}).newestIs(a) {
		class = "STAY"
	}
	if class == "" && (s.back[name] || s.wentBack(name)) && (mine.said("it was rolled back from") || mine.said("goes on after the rollback from")) {
		class = "HELD"
	}
	if class == "" && a.same(given[0]) && b.Trigger == a.Trigger && s.cepler.check(s.source(name), version{}).newestIs(b) {
		class = "TRIGGER"
	}
	if class == "" && s.broke && theirs.newestIs(given[0]) && mine.newestIs(given[1]) {
		class = "BROKEN" // each repeats what it gave out; ours found its own when cepler failed
	}
	if class == "" && s.parted(name, given, theirs, mine) {
		return
	}
	s.differ(class, "check of %s, given %v: cepler %v, ours %v\n%s", name, given, theirs.versions, mine.versions, mine.stderr)
}

// parted reports whether each program repeats what it gave out before the two parted, and no more: that they parted is in a
// class already. Cepler, asked anew, must not have anything that ours has not given out.
func (s *scenario) parted(name string, given [2]version, theirs, mine answer) bool {
	if given[0].same(given[1]) || len(theirs.versions) != 1 || len(mine.versions) != 1 || !theirs.newestIs(given[0]) || !mine.newestIs(given[1]) {
		return false
	}
	anew := s.cepler.check(s.source(name), version{})
	_, offers := anew.newest()
	return !anew.failed && (!offers || anew.newestIs(given[1]))
}

// wentBack reports whether the newest record of an environment is of an older commit than one before it.
func (s *scenario) wentBack(name string) bool {
	place := map[string]int{} // on the line of first parents, the newest first
	line := s.w.firstParents()
	for i, c := range line {
		place[c.hash] = i
	}
	newest := -1
	for _, c := range line {
		st, err := parseState(c.tree[s.config.statePath(name)].content)
		at, ok := place[st.Current.Head]
		if err != nil || !ok {
			continue
		}
		if newest < 0 {
			newest = at
		}
		if at < newest {
			return true
		}
	}
	return false
}

// compareMigrated asks ours with the version that cepler gave out, as after the image was changed: the newest version must be
// the one that it finds from its own.
func (s *scenario) compareMigrated(name string, given [2]version, theirs, mine answer) {
	if mine.failed || given[0].raw == given[1].raw || !given[0].same(given[1]) {
		return
	}
	s.report.compare(&s.report.migrated)
	s.ours.forget()
	migrated := s.ours.check(s.source(name), given[0])
	s.ours.forget()
	a, inA := migrated.newest()
	b, inB := mine.newest()
	if c, inC := theirs.newest(); s.w.merged() && inA && inC && a.same(c) {
		return // STAY, as cepler's version does not name its content
	}
	if migrated.failed || inA != inB || !a.same(b) {
		class := ""
		st, _ := s.state(name)
		switch {
		case migrated.failed:
		case theirs.newestIs(given[0]) && migrated.newestIs(given[0]) && st.Current.Head != given[0].Trigger:
			class = "TRIGGER" // not deployed, so it may be what is pending: as cepler answers
		case s.shadows(name) && st.Current.Head == given[0].Trigger:
			class = "SHADOW" // what cepler delivered for that trigger is recorded, so what ours has for it is pending
		}
		s.differ(class, "check of %s, given %v: %v, given cepler's %v: %v", name, given[1], mine.versions, given[0], migrated.versions)
	}
}

// compareFailed compares an answer of ours with a failure of cepler's.
func (s *scenario) compareFailed(name string, given [2]version, theirs, mine answer) {
	_, offers := mine.offer(given[1])
	class := ""
	switch {
	case mine.failed && (theirs.said("not found in config") || theirs.said("EOF while parsing") && mine.said("the file is empty")):
		return
	case mine.failed:
	case theirs.said("not deployed yet") && !offers:
		class = "UPSTREAM"
	case theirs.said("missing in gates file") && !offers:
		class = "GATE"
	case s.broke:
		class = "BROKEN"
	}
	s.differ(class, "check of %s: cepler fails, %sours: %v failed %t\n%s", name, theirs.stderr, mine.versions, mine.failed, mine.stderr)
}

// checkClass finds the reason why two checks differ.
func (s *scenario) checkClass(name string, given version, mine answer) string {
	_, offers := mine.offer(given)
	switch {
	case s.gatedBeforeUpstream(name) && !offers:
		return "EARLY"
	case s.mode:
		return "MODE"
	case s.has["links"]:
		return "LINK"
	case s.w.merged() && s.linearAgrees(name):
		return "MERGE"
	case s.shadows(name):
		return "SHADOW"
	}
	return ""
}

// shadows reports whether an environment's queue may get stuck.
func (s *scenario) shadows(name string) bool {
	e, _ := s.config.find(name)
	return s.has["shadow"] && s.has["queue"] && e.passed != ""
}

// gatedBeforeUpstream reports whether the environment's gate ends before its
// upstream was recorded.
func (s *scenario) gatedBeforeUpstream(name string) bool {
	e, _ := s.config.find(name)
	gate, ok := s.gates[name]
	if !ok || gate == "HEAD" || e.passed == "" {
		return false
	}
	c := s.w.find(gate)
	if c == nil {
		return false
	}
	_, recorded := c.tree[s.config.statePath(e.passed)]
	return !recorded
}

// linearAgrees asks cepler about the branch as if it had been one line, the
// first parents: there it must find the trigger that ours finds with merges.
func (s *scenario) linearAgrees(name string) bool {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "linear.git")
	names, err := s.w.linear(dir)
	require.NoError(s.t, err)
	src := s.source(name)
	mine := s.ours.check(src, version{})
	src.URI = dir
	if gate, ok := s.gates[name]; ok && gate != "HEAD" {
		moved, on := names[gate]
		if !on {
			return true // a gate beside the line has no counterpart
		}
		w := *s.w
		w.dir = dir
		w.gates = w.commit(gatesRef, "gates", tree{gatesPath: {regular, name + ": " + moved + "\n"}})
	}
	if s.ontrunk() {
		return true
	}
	s.cepler.forget()
	theirs := s.cepler.check(src, version{})
	s.cepler.forget()
	if s.broke && theirs.said("while parsing") {
		return true // the merge led its walk around the commit at which it fails on the line
	}
	a, inA := theirs.offer(version{})
	b, inB := mine.offer(version{})
	if inA != inB {
		return false
	}
	s.report.linear++
	return !inA || (names[b.Trigger] == a.Trigger && a.Version == b.Version)
}

// compareGets compares what two gets delivered.
func (s *scenario) compareGets(d deployment, theirs, mine answer) bool {
	s.report.compare(&s.report.gets)
	if theirs.failed || mine.failed {
		class := ""
		switch {
		case mine.failed:
		case theirs.said("missing in gates file"):
			class = "GATE"
		case s.broke:
			class = "BROKEN"
		}
		if theirs.failed != mine.failed || s.report.trace {
			s.differ(class, "get of %s %v: cepler failed %t, ours failed %t\n%s\n%s", d.environment, d.versions, theirs.failed, mine.failed, theirs.stderr, mine.stderr)
		}
		return false
	}
	a, b := onDisk(s.t, s.cepler.dir(d.name)), onDisk(s.t, s.ours.dir(d.name))
	s.compareStates(d, b)
	if x, y := s.bookkeeping(a), s.bookkeeping(b); !maps.Equal(x, y) {
		s.differ("STATES", "get of %s %v (cepler | ours):%s", d.environment, d.versions, describe(x, y, false))
	}
	a, b = s.deployable(a), s.deployable(b)
	if maps.Equal(a, b) {
		return true
	}
	class := ""
	switch {
	case s.has["links"]:
		class = "CLEAN"
	case d.dirty:
		class = "GONE"
	case s.mode:
		class = "MODE"
	case !d.versions[0].same(d.versions[1]) && s.w.merged():
		class = "MERGE"
	case s.shadows(d.environment):
		class = "SHADOW"
	}
	s.differ(class, "get of %s %v (cepler | ours):%s", d.environment, d.versions, describe(a, b, true))
	return class != ""
}

// compareStates compares the state files that ours delivered with those that
// the version's trigger has.
func (s *scenario) compareStates(d deployment, got tree) {
	c := s.w.find(d.versions[1].Trigger)
	if c == nil {
		return // a trigger on a side branch that was merged away
	}
	inStates := func(p string) bool { return filepath.Dir(p) == s.config.stateDir() }
	want, have := tree{}, tree{}
	for from, to := range map[*tree]tree{&c.tree: want, &got: have} {
		for p, f := range *from {
			if inStates(p) {
				to[p] = f
			}
		}
	}
	if !maps.Equal(want, have) {
		s.differ("", "get of %s %v: the states are not those of the trigger (want | got):%s", d.environment, d.versions, describe(want, have, false))
	}
}

// deployable are the files of a folder that a task deploys: all but the config and the states, in which deployments are recorded.
func (s *scenario) deployable(all tree) tree {
	all = maps.Clone(all)
	maps.DeleteFunc(all, func(p string, _ file) bool { return s.isBookkeeping(p) })
	return all
}

// bookkeeping is the config and the states of a folder: ours delivers them as of the version's trigger, cepler as of the branch's head.
func (s *scenario) bookkeeping(all tree) tree {
	all = maps.Clone(all)
	maps.DeleteFunc(all, func(p string, _ file) bool { return !s.isBookkeeping(p) })
	return all
}

func (s *scenario) isBookkeeping(p string) bool {
	return p == s.config.path || strings.HasPrefix(p, s.config.stateDir()+"/")
}

func describe(a, b tree, content bool) string {
	var out strings.Builder
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	for _, p := range slices.Sorted(maps.Keys(keys)) {
		x, y := a[p], b[p]
		switch {
		case x == y:
		case content:
			fmt.Fprintf(&out, "\n    %s: %s %q | %s %q", p, x.mode, x.content, y.mode, y.content)
		default:
			fmt.Fprintf(&out, "\n    %s (%d | %d bytes)", p, len(x.content), len(y.content))
		}
	}
	return out.String()
}

// comparePuts compares what two puts left on the branch.
func (s *scenario) comparePuts(d deployment, theirs, mine answer, left, right *pushed) {
	s.report.compare(&s.report.puts)
	if mine.failed {
		s.differ("", "put of %s %v fails: %s", d.environment, d.versions, mine.stderr)
		return
	}
	if theirs.failed {
		class := ""
		switch {
		case s.ontrunk() && theirs.said("gates file"):
			class = "TAIL"
		case s.has["links"]:
			class = "CLEAN"
		case d.head != s.w.main && theirs.said("code=Conflict"):
			class = "MOVED"
		case s.broke && theirs.said("while parsing"):
			class = "BROKEN"
		}
		s.differ(class, "put of %s: cepler fails, ours does not: %s", d.environment, theirs.stderr)
		return
	}
	if left == nil || right == nil {
		class := ""
		switch {
		case left != nil && s.recordedAlready(d, left):
			class = "SAME"
		case s.has["links"]:
			class = "LINK"
		}
		s.differ(class, "put of %s %v: cepler pushed %t, ours pushed %t\n%s\n%s", d.environment, d.versions, left != nil, right != nil, theirs.stderr, mine.stderr)
		return
	}
	s.compareCommits(d, left, right)
	same := left.content == right.content
	if same && theirs.versions[0].same(mine.versions[0]) {
		s.report.equal++
		return
	}
	if same {
		s.differ("", "put of %s: the same state, but the version is %v for cepler and %v for ours", d.environment, theirs.versions, mine.versions)
		return
	}
	a, errA := parseState(left.content)
	b, errB := parseState(right.content)
	require.NoError(s.t, errA)
	if errB != nil {
		s.differ("", "put of %s: ours is not a YAML: %v", d.environment, errB)
		return
	}
	c := contrast(a, b)
	d.dirty = d.dirty || a.dirty() // an upstream's soil reaches further down
	class := s.putClass(d, c)
	if class == "" && len(c) == 1 && c["queue"] != nil && strings.HasPrefix(heads(a.Queue), heads(b.Queue)) && s.downstreams(d.environment) > 1 {
		class = "PRUNE"
	}
	s.differ(class, "put of %s %v (cepler | ours):%s%s", d.environment, d.versions, text(c), bytesOnly(c, left, right))
}

// recordedAlready reports whether what cepler pushed is, but for the counter and
// the queue, what was recorded before.
func (s *scenario) recordedAlready(d deployment, left *pushed) bool {
	before, ok := s.state(d.environment)
	after, err := parseState(left.content)
	if !ok || err != nil {
		return false
	}
	c := contrast(before, after)
	delete(c, "version")
	delete(c, "queue")
	if d.again || before.dirty() { // cepler looks for the trigger anew
		delete(c, "head")
		delete(c, "origin")
	}
	return len(c) == 0
}

// compareCommits compares everything but the state's bytes.
func (s *scenario) compareCommits(d deployment, left, right *pushed) {
	x, y := *left, *right
	x.content, y.content, x.paths, y.paths = "", "", nil, nil
	want := []string{s.config.statePath(d.environment)}
	if fmt.Sprint(x) != fmt.Sprint(y) || !slices.Equal(left.paths, want) || !slices.Equal(right.paths, want) {
		s.differ("", "put of %s: cepler's commit is %+v of %v, ours %+v of %v", d.environment, x, left.paths, y, right.paths)
	}
}

// downstreams counts the recorded environments that an environment's queue is
// kept for.
func (s *scenario) downstreams(name string) int {
	n := 0
	for p, f := range s.w.main.tree {
		if st, err := parseState(f.content); filepath.Dir(p) == s.config.stateDir() && err == nil && st.PropagatedFrom == name {
			n++
		}
	}
	return n
}

// putClass finds the reason for a contrast of kinds of fields.
func (s *scenario) putClass(d deployment, c map[string][]string) string {
	kinds := kindsOf(c)
	only := func(allowed ...string) bool {
		return len(kinds) > 0 && !slices.ContainsFunc(kinds, func(k string) bool { return !slices.Contains(allowed, k) })
	}
	switch {
	case s.has["links"]:
		return "LINK"
	case only("queue") && s.has["drops"]:
		return "LEFT"
	case only("queue") && d.late:
		return "LATE"
	case d.dirty && only("head", "origin", "queue"):
		return "SOIL"
	case s.mode && only("head", "origin", "queue"):
		return "MODE"
	case d.versions[0].Trigger != d.versions[1].Trigger && only("head", "origin", "queue") && s.w.merged():
		return "MERGE"
	case d.again:
		return "SAME"
	case s.shadows(d.environment):
		return "SHADOW"
	}
	return ""
}

func bytesOnly(c map[string][]string, left, right *pushed) string {
	if len(c) > 0 {
		return ""
	}
	return fmt.Sprintf("\n%s\n%s", left.content, right.content)
}
