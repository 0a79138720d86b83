package proposal

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const hash = "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0"

func TestSettings(t *testing.T) {
	pull := Settings{Mode: ModePull, BotBranch: "bot"}
	for want, s := range map[string]Settings{
		`mode: "both" is not one of pull-request, push`:                                                                {Mode: "both"},
		"mode: push makes no pull request: set mode: pull-request, or remove bot_branch, labels, draft and auto_merge": {Mode: ModePush, Draft: true},
		"github: is required for a pull request, or set mode: push":                                                    pull,
	} {
		require.EqualError(t, s.Validate("main"), want)
	}
	require.NoError(t, Settings{Mode: ModePush}.Validate("main"))
	for bot, want := range map[string]string{
		"main": "bot_branch: main is the base branch", "a b": "bot_branch:", "refs/heads/x": "bot_branch: write the short name",
	} {
		require.ErrorContains(t, CheckBranch(bot, "main"), want)
	}
}

func FuzzMark(f *testing.F) {
	for _, seed := range []string{
		"bump\n\nProposal: test " + hash + " " + hash + "\n", "Proposal: \r\n", "Proposal: a b c", "Proposal: x " + hash + " " + hash + "\nProposal: y " + hash + " " + hash, "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, message string) {
		m, ok := markOf(message)
		if !ok {
			return
		}
		again, ok := markOf("subject\n\n" + m.String() + "\n")
		require.True(t, ok)
		assert.Equal(t, m, again)
		assert.NotEmpty(t, m.owner)
	})
}

func FuzzAutoMerge(f *testing.F) {
	for _, seed := range []string{"true", `"false"`, `"squash"`, `"fast"`, "null", "1", "{"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var merge AutoMerge
		if merge.UnmarshalJSON(data) == nil {
			assert.True(t, merge.On || merge.Method == "")
		}
	})
}
