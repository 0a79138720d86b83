package peertest

import (
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
	// seen counts differences by class and seed.
	seen                              map[string]map[uint64]int
	checks, gets, puts, equal, linear int
}

func (r *report) add(seed uint64, class string) {
	if r.seen[class] == nil {
		r.seen[class] = map[uint64]int{}
	}
	r.seen[class][seed]++
}

// print sums up: how many histories agree wholly, and the differences by class.
func (r *report) print(t *testing.T) {
	t.Helper()
	differing := map[uint64]bool{}
	for _, bySeed := range r.seen {
		for seed := range bySeed {
			differing[seed] = true
		}
	}
	t.Logf("%d of %d seeds agree wholly; %d checks, %d gets and %d puts compared, %d states equal to the byte, %d triggers confirmed on a straightened history",
		*seeds-uint64(len(differing)), *seeds, r.checks, r.gets, r.puts, r.equal, r.linear)
	for _, class := range slices.Sorted(maps.Keys(r.seen)) {
		total := 0
		for _, n := range r.seen[class] {
			total += n
		}
		what := classes()[class]
		if class == "" {
			class, what = "-", "NOT MEANT"
		}
		in := slices.Sorted(maps.Keys(r.seen[class]))
		if class == "-" {
			in = slices.Sorted(maps.Keys(r.seen[""]))
		}
		t.Logf("%-5s %4d times in %3d seeds: %s; first seeds %v", class, total, len(in), what, in[:min(5, len(in))])
	}
}
