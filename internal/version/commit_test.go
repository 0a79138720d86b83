package version_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/version"
)

func TestParseCommit(t *testing.T) {
	for name, c := range map[string]struct {
		message string
		want    version.Conventional
	}{
		"only a title": {
			"feat: transfers",
			version.Conventional{Type: "feat", Subject: "transfers"},
		},
		"everything": {
			"fix(api)!: refuse old tokens\n\nThey were accepted\nby mistake.\n\nNobody noticed.\n\nReviewed-by: Z\nRefs #133\nBREAKING CHANGE: old tokens\n  are refused\n\nSigned-off-by: Y",
			version.Conventional{
				Type: "fix", Scope: "api", Breaking: true, Subject: "refuse old tokens",
				Body: "They were accepted\nby mistake.\n\nNobody noticed.",
				Footers: []version.Footer{
					{Token: "Reviewed-by", Value: "Z"},
					{Token: "Refs", Value: "133", Number: true},
					{Token: "BREAKING CHANGE", Value: "old tokens\n  are refused"},
					{Token: "Signed-off-by", Value: "Y"},
				},
			},
		},
		"a body that looks like a footer within a paragraph": {
			"docs: notes\n\nThree things:\nNote: one\n\nand more",
			version.Conventional{Type: "docs", Subject: "notes", Body: "Three things:\nNote: one\n\nand more"},
		},
		"a colon in the subject": {
			"fix: parse a: b: c",
			version.Conventional{Type: "fix", Subject: "parse a: b: c"},
		},
		"several blanks": {
			"  fix:    array   \n\n\n\n  text  \n\n",
			version.Conventional{Type: "fix", Subject: "array", Body: "text"},
		},
		"no footers behind the title": {
			"revert: feat: b\n\nRefs: 676104e, a215868",
			version.Conventional{Type: "revert", Subject: "feat: b", Footers: []version.Footer{{Token: "Refs", Value: "676104e, a215868"}}},
		},
		"a number sign in BREAKING CHANGE is not a declaration": {
			"fix: b\n\nBREAKING CHANGE #12",
			version.Conventional{Type: "fix", Subject: "b", Footers: []version.Footer{{Token: "BREAKING CHANGE", Value: "12", Number: true}}},
		},
		"a type in another script": {
			"исправление: b",
			version.Conventional{Type: "исправление", Subject: "b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := version.ParseCommit(c.message)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			crlf, err := version.ParseCommit(strings.ReplaceAll(c.message, "\n", "\r\n"))
			require.NoError(t, err)
			assert.Equal(t, c.want, crlf)
		})
	}
}

func TestParseCommitSaysHowToWriteIt(t *testing.T) {
	_, err := version.ParseCommit("Update README\n\nfeat: not here")
	require.ErrorIs(t, err, version.ErrNotConventional)
	assert.EqualError(t, err, `not a conventional commit: "Update README", write it like "feat(scope): what is new"`)
	_, err = version.ParseCommit("")
	require.ErrorIs(t, err, version.ErrNotConventional)
}

func FuzzParseCommit(f *testing.F) {
	for _, message := range []string{
		"feat: b", "feat(api)!: b", "fix: b\n\ntext\n\nBREAKING CHANGE: c\n\nRefs #1", "fixup! feat: b", "feat: b\r\n\r\nBREAKING-CHANGE: c",
		"Revert \"feat: b\"\n\nThis reverts commit 0123.", "a: b\nBREAKING CHANGE: \nBREAKING CHANGE: c", "feat(a(b)): c", "feat(: b", "", "\n\n: b",
	} {
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message string) {
		read := version.Rules{}.Read(version.Commit{Message: message}, nil)
		require.NotContains(t, read.Problem, "\n")
		c, err := version.ParseCommit(message)
		if err != nil {
			require.ErrorIs(t, err, version.ErrNotConventional)
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.NotEmpty(t, c.Type)
		require.NotEmpty(t, c.Subject)
		require.NotContains(t, c.Subject, "\n")
		for _, footer := range c.Footers {
			require.NotEmpty(t, footer.Token)
			require.NotEmpty(t, footer.Value)
			require.Contains(t, message, footer.Token)
			if footer.IsBreaking() {
				require.True(t, c.Breaking)
			}
		}
		// White space around a message never matters.
		again, err := version.ParseCommit("\n" + message + "\n\n")
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}
