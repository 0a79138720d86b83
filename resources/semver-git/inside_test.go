package semvergit

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// Puts of equal content in the very same second make different commits, so that
// each of them gets a version of its own.
func TestPutsOfTheSameSecond(t *testing.T) {
	server, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	repo, err := server.Create("code")
	require.NoError(t, err)
	_, err = repo.Commit("version", "init", map[string]string{"version": "1.2.3\n"})
	require.NoError(t, err)
	src := Source{Access: git.Access{URI: repo.URL(), Branch: "version"}, File: "version"}
	second := time.Unix(1_800_000_000, 0)

	puts := gittest.Writers(5, 20)
	numbers := make([]string, puts)
	var group sync.WaitGroup
	for i := range puts {
		group.Go(func() {
			b, err := openBranch(src, t.Logf)
			if !assert.NoError(t, err) {
				return
			}
			defer func() { _ = b.Close() }()
			p := &put{branch: b, step: concourse.Step{Logf: t.Logf}, params: putParams{Bumping: Bumping{Bump: "patch"}}, now: second}
			tip, err := b.store.UpdateRef(t.Context(), src.ref(), p.build)
			if assert.NoError(t, err) {
				numbers[i] = p.last.next.String() + " " + tip.Hash.String()
			}
		})
	}
	group.Wait()
	history, err := repo.Log("%H %ct", "version")
	require.NoError(t, err)
	require.Len(t, history, puts+1)
	onBranch := map[string]bool{}
	for _, line := range history[:puts] {
		h, when, _ := strings.Cut(line, " ")
		assert.Equal(t, "1800000000", when)
		number, err := repo.Show(h, "version")
		require.NoError(t, err)
		onBranch[strings.TrimSpace(number)+" "+h] = true
	}
	assert.Len(t, onBranch, puts)
	for _, claimed := range numbers {
		assert.True(t, onBranch[claimed], "%s is claimed and not there", claimed)
	}
}

func TestMessagesDiffer(t *testing.T) {
	assert.NotEqual(t, message{subject: "bump to 1.0.0"}.String(), message{subject: "bump to 1.0.0"}.String())
}

// What a message says about a version is read again as it was.
func FuzzMessage(f *testing.F) {
	f.Add("bump to 1.0.0", "## [1.0.0] - 2026-01-01\n\n### Features\n\n- Loans", "v1.0.0")
	f.Add("chore: x\n\n## [1.0.0] in the subject", "## [1.0.0] - 2026-01-01", "")
	f.Add("a", "", "1.0.0")
	f.Fuzz(func(t *testing.T, subject, notes, tag string) {
		if strings.TrimSpace(subject) == "" || strings.ContainsAny(tag, "\n\r") || strings.TrimSpace(tag) != tag || strings.Contains(notes, "\r") {
			t.Skip("no subject, tag or notes of ours")
		}
		commit := git.Hash{1}
		r := parseMessage(message{subject: subject, notes: notes, tag: tag, commit: commit}.String(), "1.0.0")
		assert.Equal(t, tag, r.tag)
		assert.Equal(t, commit.String(), r.commit)
		if trimmed := strings.TrimSpace(notes); strings.HasPrefix(trimmed, "## [1.0.0]") && !strings.Contains(subject, "## [") {
			assert.Equal(t, trimmed+"\n", r.notes)
		}
	})
}

// Of any commit's message, something can be made.
func FuzzParseMessage(f *testing.F) {
	f.Add("bump to 1.0.0\n\n## [1.0.0]\n\nTag: v1.0.0\n")
	f.Add("\n\n\n\n")
	f.Add("## [1.0.0]\n\nPut: x")
	f.Fuzz(func(t *testing.T, text string) {
		r := parseMessage(text, "1.0.0")
		assert.False(t, r.notes != "" && !strings.HasPrefix(r.notes, "## [1.0.0]"))
		assert.NotContains(t, r.tag+r.commit, "\n")
	})
}
