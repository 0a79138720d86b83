package peertest

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	first   = flag.Uint64("peer.first", 1, "the first seed")
	seeds   = flag.Uint64("peer.seeds", 12, "how many seeds")
	steps   = flag.Int("peer.steps", 25, "acts in a history")
	without = flag.String("peer.without", "", "corners kept out of the histories, with commas; see corners")
	refuse  = flag.String("peer.refuse", "", "classes of differences that fail the test, with commas; see classes")
	given   = flag.String("peer.programs", "", "a folder with cepler-in and cepler-out to be tested; default: they are built")
	keep    = flag.String("peer.keep", "", "a new folder in which the repository and the folders of gets are kept")
	trace   = flag.Bool("peer.trace", false, "show every answer")
)

// TestPeers runs random histories with cepler and with the programs of this
// suite, and compares.
func TestPeers(t *testing.T) {
	requireCepler(t)
	require.NotZero(t, *seeds, "no seeds")
	programs := *given
	if programs == "" {
		programs = buildPrograms(t)
	}
	r := &report{refused: list(*refuse), trace: *trace, seen: map[string]map[uint64]int{}}
	for seed := *first; seed < *first+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			newScenario(t, seed, list(*without), programs, r).run(*steps)
		})
	}
	r.print(t)
}

func list(words string) []string {
	return strings.FieldsFunc(words, func(c rune) bool { return c == ',' })
}

// buildPrograms builds cepler-in and cepler-out and returns their folder.
func buildPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"cepler-in", "cepler-out"} {
		const module = "github.com/taxiway-ci/taxiway/resources/"
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, name), module+name+"/cmd/"+name)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return dir
}

// report counts what was compared and what differed.
type report struct {
	refused []string
	trace   bool
	// seen counts differences by class and seed; class "" is NOT MEANT.
	seen map[string]map[uint64]int
	// migrated are checks that were given a version of cepler's, and unequal the answers that differ.
	acts, checks, migrated, gets, puts, unequal int
	// equal are states equal to the byte, and linear triggers confirmed on a straightened history.
	equal, linear int
	// counted says that the answer being compared is among the unequal.
	counted bool
}

// compare begins the comparison of one more answer.
func (r *report) compare(kind *int) {
	*kind++
	r.counted = false
}

func (r *report) add(seed uint64, class string) {
	if r.seen[class] == nil {
		r.seen[class] = map[uint64]int{}
	}
	r.seen[class][seed]++
	if !r.counted {
		r.unequal++
		r.counted = true
	}
}

// print sums up: how much was compared, how much of it is equal, and the differences by class.
func (r *report) print(t *testing.T) {
	t.Helper()
	differing := map[uint64]bool{}
	for _, bySeed := range r.seen {
		for seed := range bySeed {
			differing[seed] = true
		}
	}
	all := r.checks + r.migrated + r.gets + r.puts
	t.Logf("%d histories of %d acts, %d of them agree wholly; %d answers compared (%d checks, %d checks given a version of cepler's, %d gets, %d puts), %d equal, %d in a class, %d NOT MEANT; %d states equal to the byte, %d triggers confirmed on a straightened history",
		*seeds, r.acts, *seeds-uint64(len(differing)), all, r.checks, r.migrated, r.gets, r.puts, all-r.unequal, r.unequal-r.sum(""), r.sum(""), r.equal, r.linear)
	for _, class := range slices.Sorted(maps.Keys(r.seen)) {
		in := slices.Sorted(maps.Keys(r.seen[class]))
		t.Logf("%-8s %5d times in %3d histories: %s; first seeds %v", cmp.Or(class, "-"), r.sum(class), len(in), cmp.Or(classes()[class], "NOT MEANT"), in[:min(5, len(in))])
	}
}

// sum is how many differences there are of a class.
func (r *report) sum(class string) int {
	total := 0
	for _, n := range r.seen[class] {
		total += n
	}
	return total
}
