package deployments_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/deployments"
)

// Every version that was ever offered can be fetched again at the end of a
// random history, with the same bytes as the first time: of the files and of
// .git.
func TestEveryVersionStaysFetchable(t *testing.T) {
	w := newWorld(t)
	random := rand.New(rand.NewPCG(7, 11))
	type offered struct {
		environment string
		version     deployments.Version
		fingerprint string
	}
	var all []offered
	records := 0
	wanted := 200
	if testing.Short() {
		wanted = 20
	}
	for step := 0; records < wanted; step++ {
		w.randomCommit(random, step)
		for _, environment := range []string{"tf", "st", "qa", "pr"} {
			if random.IntN(3) == 0 {
				continue
			}
			src := w.source(environment)
			versions := w.check(src, nil)
			if len(versions) == 0 {
				continue
			}
			newest := versions[len(versions)-1]
			dir := w.get(src, newest)
			all = append(all, offered{environment, newest, fingerprint(t, dir)})
			if random.IntN(4) == 0 {
				continue // offered, never deployed
			}
			require.NoError(t, w.put(src, dir))
			records++
		}
	}
	require.GreaterOrEqual(t, len(all), wanted)
	for _, o := range all {
		again := fingerprint(t, w.get(w.source(o.environment), o.version))
		assert.Equal(t, o.fingerprint, again, "%s %+v", o.environment, o.version)
	}
	require.NoError(t, w.repo.Fsck())
}

// randomCommit changes something: a file, its mode, a deletion, a rename, a
// merged branch, or nothing that matters.
func (w *world) randomCommit(random *rand.Rand, step int) {
	w.t.Helper()
	files := []string{"a.yml", "k/x", "k/y", "k/z", "m/one/main.tf", "m/two/main.tf", "s.yml", "q.yml", "p.yml"}
	file := files[random.IntN(len(files))]
	text := fmt.Sprintf("%d\n", random.IntN(1000))
	imports := w.repo.Import()
	message := fmt.Sprintf("step %d: %s", step, file)
	switch random.IntN(8) {
	case 0:
		imports.Commit("main", message).Exec(file, text)
	case 1:
		imports.Commit("main", "remove k/z").Write("k/z", text)
		imports.Commit("main", "removed").Delete("k/z")
	case 2:
		imports.Commit("main", message).Link("k/link", "../"+files[random.IntN(3)])
	case 3:
		base := imports.Commit("main", "base")
		side := imports.Commit("side", message).From(base).Write(file, text)
		imports.Commit("main", "other").From(base).Write("README.md", text)
		imports.Commit("main", "merge").Merge(side).Write(file, text)
	case 4:
		imports.Commit("main", "unrelated").Write("README.md", text)
	default:
		imports.Commit("main", message).Write(file, text)
	}
	require.NoError(w.t, imports.Done())
}
