package gates_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/gates"
)

const commit = "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0"

// Each row is a whole file before and after; everything that the edit is not about must stay as it is.
func TestEdits(t *testing.T) {
	open := func(file string, data []byte, environment string) ([]byte, error) {
		return gates.SetCommit(file, data, environment, commit)
	}
	approve := func(file string, data []byte, environment string) ([]byte, error) {
		return gates.Approve(file, data, environment, "Ana: Lima", commit)
	}
	resume := func(file string, data []byte, environment string) ([]byte, error) {
		return gates.Resume(file, data, environment, 7)
	}
	freeze := func(file string, data []byte, environment string) ([]byte, error) {
		return gates.Freeze(file, data, environment, " an\nincident: #7 ")
	}
	freezeBare := func(file string, data []byte, environment string) ([]byte, error) {
		return gates.Freeze(file, data, environment, "")
	}
	given := `{by: "Ana: Lima", commit: ` + commit + `}`
	for name, c := range map[string]struct {
		edit          func(string, []byte, string) ([]byte, error)
		before, after string
	}{
		"a line":                    {open, "# who may\nqa:   HEAD\nprod: HEAD # closed\r\n", "# who may\nqa:   HEAD\nprod: " + commit + " # closed\r\n"},
		"in quotes":                 {open, "'prod': \"HEAD\"\nqa: HEAD\n", "'prod': \"" + commit + "\"\nqa: HEAD\n"},
		"open already":              {open, "prod: " + commit + "\n", "prod: " + commit + "\n"},
		"with rules":                {open, "prod:\n  soak: 2h\n  # by hand\n  commit: 1234567\n  freeze: [ {from: 2026-12-20, to: 2027-01-03} ]\n", "prod:\n  soak: 2h\n  # by hand\n  commit: " + commit + "\n  freeze: [ {from: 2026-12-20, to: 2027-01-03} ]\n"},
		"rules alone":               {open, "prod:\n    soak: 2h\nqa: HEAD\n", "prod:\n    commit: " + commit + "\n    soak: 2h\nqa: HEAD\n"},
		"rules in one line":         {open, "prod: {soak: 2h} # slow\n", "prod: {commit: " + commit + ", soak: 2h} # slow\n"},
		"a new environment":         {open, "qa: HEAD", "qa: HEAD\nprod: " + commit + "\n"},
		"a new one, in one line":    {open, "{qa: HEAD}\n", "{prod: " + commit + ", qa: HEAD}\n"},
		"a first approval":          {approve, "prod:\n  approvals:\n    need: 2\n", "prod:\n  approvals:\n    given: [" + given + "]\n    need: 2\n"},
		"an approval, no list yet":  {approve, "prod: {approvals: {need: 1, given: []}}\n", "prod: {approvals: {need: 1, given: [" + given + "]}}\n"},
		"an approval, empty":        {approve, "prod:\n  approvals:\n    given: # by whom\n", "prod:\n  approvals:\n    given: [" + given + "] # by whom\n"},
		"one more approval":         {approve, "prod:\n  approvals:\n    given:\n    - {by: ben, commit: 1234567}\n    need: 2\n", "prod:\n  approvals:\n    given:\n    - " + given + "\n    - {by: ben, commit: 1234567}\n    need: 2\n"},
		"the same approval again":   {approve, "prod:\n  approvals:\n    given:\n    - " + given + "\n", "prod:\n  approvals:\n    given:\n    - " + given + "\n"},
		"resume a line":             {resume, "prod: HEAD # x\n", "prod: {commit: HEAD, resume: 7} # x\n"},
		"resume with rules":         {resume, "prod:\n  soak: 2h\n", "prod:\n  resume: 7\n  soak: 2h\n"},
		"resume once more":          {resume, "prod:\n  resume: 3 # then\n", "prod:\n  resume: 7 # then\n"},
		"freeze a line":             {freezeBare, "prod: HEAD # x\n", "prod: {commit: HEAD, freeze: true} # x\n"},
		"freeze with a reason":      {freeze, "prod: HEAD\n", "prod: {commit: HEAD, freeze: \"an incident: #7\"}\n"},
		"freeze again":              {freezeBare, "prod:\n  freeze: false # since June\n", "prod:\n  freeze: true # since June\n"},
		"freeze for another reason": {freeze, "prod: {freeze: true}\n", "prod: {freeze: \"an incident: #7\"}\n"},
		"freeze beside a plan":      {freezeBare, "prod:\n  freeze:\n    - {from: 2026-12-20, to: 2027-01-03}\n", "prod:\n  freeze:\n    - {reason: by hand}\n    - {from: 2026-12-20, to: 2027-01-03}\n"},
		"unfreeze":                  {gates.Unfreeze, "prod:\n  soak: 2h\n  freeze: an incident # 7\n", "prod:\n  soak: 2h\n  freeze: false # 7\n"},
		"unfreeze what is not":      {gates.Unfreeze, "prod: HEAD\n", "prod: HEAD\n"},
	} {
		t.Run(name, func(t *testing.T) {
			after, err := c.edit("gates.yml", []byte(c.before), "prod")
			require.NoError(t, err)
			assert.Equal(t, c.after, string(after))
			again, err := c.edit("gates.yml", after, "prod")
			require.NoError(t, err)
			assert.Equal(t, c.after, string(again), "twice does what once does")
		})
	}
}

// An environment without a gate gets nothing: a rule beside HEAD would open it, and nobody opened it.
func TestRulesOpenNoGate(t *testing.T) {
	for name, edit := range map[string]func(string, []byte, string) ([]byte, error){
		"freeze": func(file string, data []byte, e string) ([]byte, error) { return gates.Freeze(file, data, e, "") },
		"resume": func(file string, data []byte, e string) ([]byte, error) { return gates.Resume(file, data, e, 7) },
	} {
		_, err := edit("gates.yml", []byte("qa: HEAD\n"), "prod")
		require.ErrorIs(t, err, gates.ErrNoGate, name)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		before, says string
	}{
		"broken":               {"prod: {\n", "gates.yml:1: not YAML"},
		"twice":                {"prod: HEAD\nprod: HEAD\n", "gates.yml:2: the gates file has prod twice"},
		"an unknown rule":      {"prod: {sock: 2h}\n", `did you mean "soak"?`},
		"behind an alias":      {"qa: &all {approvals: {need: 1}}\nprod: *all\n", "edit the gate of prod in gates.yml"},
		"an approval in place": {"prod: {approvals: {given: {by: ben, commit: 1234567}}}\n", "edit the gate of prod"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gates.Approve("gates.yml", []byte(c.before), "prod", "ana", commit)
			assert.ErrorContains(t, err, c.says)
		})
	}
	_, err := gates.Approve("gates.yml", []byte("prod: HEAD\n"), "prod", "ana", commit)
	require.ErrorIs(t, err, gates.ErrNoApprovals)
	_, err = gates.Unfreeze("gates.yml", []byte("prod: {freeze: [{from: 2026-12-20}]}\n"), "prod")
	require.ErrorIs(t, err, gates.ErrPlanned)
	_, err = gates.Freeze("gates.yml", []byte("prod: HEAD\n"), "prod", strings.Repeat("x", 1001))
	assert.ErrorContains(t, err, "at most 1000 are shown")
}

// An edit of any file either fails or leaves every other gate, and every line it is not about.
func FuzzSetCommit(f *testing.F) {
	for _, seed := range []string{
		"prod: HEAD\n", "qa: HEAD\n", "prod: {soak: 2h}\n", "prod:\n  soak: 2h\n", "---\nprod: HEAD\n...\n", "'prod' : \"HEAD\"\r\n", "prod: &a HEAD\nqa: *a\n", "prod:\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		after, err := gates.SetCommit("gates.yml", data, "prod", commit)
		if err != nil {
			return
		}
		parsed, err := cepler.ParseGates("gates.yml", after)
		require.NoError(t, err)
		gate, ok := parsed.For("prod")
		assert.True(t, ok)
		assert.Equal(t, commit, gate.Commit)
		if lines := len(strings.Split(string(after), "\n")) - len(strings.Split(string(data), "\n")); lines < 0 || lines > 2 {
			t.Errorf("%q became %q", data, after)
		}
	})
}
