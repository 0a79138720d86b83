package board_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/board"
	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// hostile is text that would act on what shows it.
const hostile = "</style><script>alert(1)</script>' onmouseover=\"alert(2)\" \u202egnp\u202c \x1b]52;c;aGk=\a javascript:alert(3)"

// small is a fleet of two chains in which everything happens that a board can show: production of the first one is behind a closed
// gate, the other one was rolled back, preprod waits for approval, and names and subjects are hostile.
func small(tb testing.TB) *fleet {
	tb.Helper()
	f := newFleet(tb, 2, 20)
	i := f.repo.Continue("main")
	changed := map[string]*gittest.Commit{}
	f.change(i.Commit("main", "feat: "+hostile+strings.Repeat("long ", 2000)).By(hostileName+" <eve@example.com>"), "modules/bank/values.yaml", changed)
	f.change(i.Commit("main", "feat: a file "+hostile), "modules/bank/"+hostilePath, changed)
	f.done(i, changed)
	f.records(0, 1, 4, 5, 6, 7)
	f.rollback("r01-production")
	head, err := f.repo.RevParse("main~12")
	require.NoError(tb, err)
	gates := f.repo.Continue("cepler-gates")
	text := "r00-staging: HEAD\nr00-qa: HEAD\nr00-preprod: {commit: HEAD, approvals: {need: 2}, reason: \"" + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x1b", `\e`, "\a", `\a`).Replace(hostile) + "\"}\n"
	gates.Commit("cepler-gates", "chore: gates").Write("bank.yml", text+"r00-production: HEAD\nr01-staging: HEAD\n")
	gates.Commit("cepler-gates", "chore: close "+hostile).By(hostileName+" <eve@example.com>").Write("bank.yml", text+"r00-production: "+head+"\nr01-staging: HEAD\nr01-production: HEAD\nr01-qa: {commit: HEAD, soak: 2h}\nr01-preprod: {freeze: true}\n")
	require.NoError(tb, gates.Done())
	return f
}

const (
	hostileName = "Eve \u202e\x1b[31m \"&lt;"
	hostilePath = "</script> \u202e\x1b[31m.yaml"
)

// records deploys the newest commit to environments by their numbers.
func (f *fleet) records(numbers ...int) {
	f.t.Helper()
	i := f.repo.Continue("main")
	for _, n := range numbers {
		f.record(i, f.environments()[n], n)
	}
	require.NoError(f.t, i.Done())
}

// rollback records what an environment ran before.
func (f *fleet) rollback(env string) {
	f.t.Helper()
	text, err := f.repo.Show("main~20", ".cepler/bank/"+env+".state")
	if err != nil || text == "" {
		text, err = f.firstState(env)
	}
	require.NoError(f.t, err)
	earlier, err := cepler.ParseState(env, []byte(text))
	require.NoError(f.t, err)
	i := f.repo.Continue("main")
	state := f.states[env].Record(cepler.Environment{Name: env, Passed: "r01-preprod"}, earlier.Current, nil)
	message := "ci(cepler): Updated 'bank' state in '" + env + "'\n\nBuild: https://ci.example/teams/main/pipelines/p/jobs/deploy-" + env + "/builds/8\nRollback-Of: 2\nDeployed-Version: 1\n"
	i.Commit("main", message).Write(".cepler/bank/"+env+".state", string(state.Marshal()))
	require.NoError(f.t, i.Done())
	f.states[env] = state
}

func (f *fleet) firstState(env string) (string, error) {
	all, err := f.repo.Log("%H", "main", "--", ".cepler/bank/"+env+".state")
	if err != nil {
		return "", err
	}
	return f.repo.Show(all[len(all)-1], ".cepler/bank/"+env+".state")
}

func (f *fleet) open(o board.Options) *board.Repository {
	f.t.Helper()
	if o.Deployments == "" {
		o.Deployments = f.repo.Dir
	}
	r, err := board.Open(o, "")
	require.NoError(f.t, err)
	f.t.Cleanup(func() { _ = r.Close() })
	return r
}

// board is the board at a fixed time.
func (f *fleet) board() *board.Board {
	f.t.Helper()
	r := f.open(board.Options{})
	refs, err := r.Refs(f.t.Context())
	require.NoError(f.t, err)
	b, err := r.Board(f.t.Context(), refs, later())
	require.NoError(f.t, err)
	return b
}

func later() time.Time { return time.Date(2020, 1, 1, 3, 0, 0, 0, time.UTC) }

func at(dir string) board.Options { return board.Options{Options: lineage.Options{Deployments: dir}} }
