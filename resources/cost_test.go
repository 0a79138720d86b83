package resources_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	ceplerboard "github.com/taxiway-ci/taxiway/resources/cepler-board"
	chartbump "github.com/taxiway-ci/taxiway/resources/chart-bump"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
	vendirbump "github.com/taxiway-ci/taxiway/resources/vendir-bump"
)

// What each step of the types that need a git server alone asks of it, with nothing at hand: a put, a check, that check again
// and a get. git's own fetch, commit and push make five requests, and its ls-remote two. Bytes are those of all bodies, of a repository
// with a handful of files. cepler-in and cepler-out have such a test of their own.
func TestCostOfEachStep(t *testing.T) {
	const push, look = " POST-git-receive-pack", "GET-git-receive-pack"
	bots := botsOf()
	for name, c := range map[string]struct {
		run            func(*testing.T, concourse.Process) int
		source, params object
		put, check, in string // the requests
		bytes          int64  // of each step at most
	}{
		"semver-git": {
			putTo(semvergit.Resource{}),
			object{"branch": "version", "file": "version"},
			object{"bump": "patch"},
			look + push, "ls-refs fetch fetch", "fetch", 1500,
		},
		"chart-bump": {
			putTo(chartbump.Resource{}), with(bots["bot-chart"].source, object{"mode": "push"}, ""), bots["bot-chart"].params,
			look + " fetch fetch" + push, "ls-refs fetch fetch", "fetch fetch", 4000,
		},
		"vendir-bump": {
			putTo(vendirbump.Resource{}),
			object{"directory": "vendor"},
			bots["bot-vendir"].params,
			look + " fetch fetch" + push, "", "", 4000, // a check has nothing to ask for
		},
		"cepler-board": {
			putTo(ceplerboard.Resource{}), nil,
			object{},
			look + " ls-refs fetch fetch" + push, "ls-refs", "fetch fetch", 12_000, // the page
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := served(t, gittest.Options{})
			repo, _, dir := monorepoOn(t, server)
			_, err := repo.Commit("main", "feat: cepler", map[string]string{"cepler.yml": "environments: {tf: {latest: [charts/bank/values.yaml]}}\n"})
			require.NoError(t, err)
			source := object{"uri": repo.URL(), "branch": "main"}
			maps.Copy(source, c.source)
			step := func(verb, dir string, more object) (answer json.RawMessage, requests string) {
				t.Helper()
				server.Reset()
				request := object{"source": source}
				maps.Copy(request, more)
				data, err := json.Marshal(request)
				require.NoError(t, err)
				var out, log bytes.Buffer
				p := concourse.Process{Args: []string{verb, dir}, Stdin: bytes.NewReader(data), Stdout: &out, Stderr: &log}
				if verb == "check" {
					p.Args = p.Args[:1]
				}
				require.Zero(t, c.run(t, p), "%s: %s", verb, &log)
				requests, size := server.Asked()
				t.Logf("%s: %s, %d bytes", verb, requests, size)
				assert.LessOrEqual(t, size, c.bytes, "bytes of %s", verb)
				return out.Bytes(), requests
			}
			t.Setenv("TMPDIR", t.TempDir())
			_, requests := step("out", dir, object{"params": c.params})
			assert.Equal(t, c.put, requests, "out")

			t.Setenv("TMPDIR", t.TempDir())
			answer, requests := step("check", "", nil)
			assert.Equal(t, c.check, requests, "check")
			var versions []json.RawMessage
			require.NoError(t, json.Unmarshal(answer, &versions))
			if c.check == "" {
				require.Empty(t, versions)
				return
			}
			require.Len(t, versions, 1)
			_, requests = step("check", "", object{"version": versions[0]})
			assert.Equal(t, "ls-refs", requests, "check again")

			t.Setenv("TMPDIR", t.TempDir())
			_, requests = step("in", t.TempDir(), object{"version": versions[0]})
			assert.Equal(t, c.in, requests, "in")
		})
	}
}
