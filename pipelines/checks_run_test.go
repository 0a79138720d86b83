package pipelines

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/actions"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

// checkedPull runs some checks of the reference team for a pull request with these files, in a world where these commands fail once,
// or always. It returns what the checks came to, and the commands of nix and pnpm that ran.
func checkedPull(t *testing.T, names []string, files map[string]string, once, always string) (came map[string]string, ran []string) {
	t.Helper()
	git, err := gittest.New(gittest.Options{Dir: t.TempDir()})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = git.Close() })
	_, err = git.Create("acme-bank/lana-bank")
	require.NoError(t, err)
	forge := github.New(github.Options{Git: git})
	t.Cleanup(forge.Close)
	r := forge.Repository("acme-bank/lana-bank")
	base, err := r.Push("main", "ben", "feat: begin", map[string]string{"apps/admin-panel/package.json": "{}\n", "apps/customer-portal/package.json": "{}\n"})
	require.NoError(t, err)
	require.NoError(t, r.Git().UpdateRef("refs/heads/topic", base))
	_, err = r.Push("topic", "ana", "feat: topic", files)
	require.NoError(t, err)
	_, err = r.Open("topic", "main", "feat: topic", "ana")
	require.NoError(t, err)

	bin := t.TempDir()
	log := filepath.Join(bin, "log")
	script := "#!/bin/sh\necho \"$(basename \"$0\") $*\" >>" + log + "\ncase \"$*\" in\n'" + always + "') exit 1 ;;\n'" + once + "') test -e " + bin + "/once || { touch " + bin + "/once; exit 1; } ;;\nesac\n"
	for _, name := range []string{"nix", "pnpm"} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700))
	}
	workflows := map[string][]byte{}
	for _, name := range names {
		workflows[name+".yml"] = committed(t, exampleOf("lana-bank", Checks))[path.Join(workflowsFolder, name+".yml")]
	}
	runner, err := actions.New(r, workflows, filepath.Join(t.TempDir(), "actions"), bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	require.NoError(t, err)
	results, err := runner.Run(t.Context())
	require.NoError(t, err)
	require.Len(t, results, 1)
	came = map[string]string{}
	for _, c := range results[0].Checks {
		came[c.Name] = c.Conclusion
	}
	text, err := os.ReadFile(log)
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(t, err)
		ran = strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	return came, ran
}

// What the data pipeline's check makes is removed whatever happened, and it makes nothing where it is not concerned.
func TestWhatACheckMakesIsRemoved(t *testing.T) {
	t.Parallel()
	const up, test, down = "run .#data-pipeline-up -- pr-1", "run .#data-pipeline-test -- pr-1", "run .#data-pipeline-down -- pr-1"
	for _, tc := range []struct {
		name, file, fails, want string
		ran                     []string
	}{
		{"passes", "dagster/asset.py", "", "success", []string{up, test, down}},
		{"fails", "dagster/asset.py", test, "failure", []string{up, test, down}},
		{"cannot be set up", "tf/bq-setup/main.tf", up, "failure", []string{up, down}},
		{"cannot be removed", "dagster/asset.py", down, "failure", []string{up, test, down}},
		{"is not concerned", "README.md", up, "success", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			came, ran := checkedPull(t, []string{"data-pipeline"}, map[string]string{tc.file: "x\n"}, "", tc.fails)
			assert.Equal(t, map[string]string{"data-pipeline": tc.want}, came)
			for i, want := range tc.ran {
				tc.ran[i] = "nix " + want
			}
			assert.Equal(t, tc.ran, ran)
		})
	}
}

func TestACheckIsTriedAgain(t *testing.T) {
	t.Parallel()
	files := map[string]string{"README.md": "x\n"}
	came, ran := checkedPull(t, []string{"bats", "nextest"}, files, "run .#bats", "")
	assert.Equal(t, map[string]string{"bats": "success", "nextest": "success"}, came)
	assert.Equal(t, []string{"nix run .#bats", "nix run .#bats", "nix run .#nextest"}, ran)
	came, ran = checkedPull(t, []string{"bats", "nextest"}, files, "run .#nextest", "run .#bats")
	assert.Equal(t, map[string]string{"bats": "failure", "nextest": "failure"}, came)
	assert.Len(t, ran, 3, "bats twice, nextest once")
}

func TestOneAppThatFailsIsEnough(t *testing.T) {
	t.Parallel()
	came, ran := checkedPull(t, []string{"check-code-apps"}, map[string]string{"README.md": "x\n"}, "run type-check", "")
	assert.Equal(t, map[string]string{
		"check-code-apps (apps/admin-panel)": "failure", "check-code-apps (apps/customer-portal)": "success", "check-code-apps": "failure",
	}, came)
	assert.Len(t, ran, 3+4, "the first app stops at its types, the other one goes on to its build")
}

// What a pull request may touch, and what is a commit type, is the same for the check and for the release.
func TestChecksAgreeWithTheRelease(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"lana-bank", "go-service"} {
		var release struct {
			Version struct {
				Cog   string         `yaml:"cog_toml"`
				Types map[string]any `yaml:"commit_types"`
			}
			Promote struct {
				Branch  string   `yaml:"bot_branch"`
				Allowed []string `yaml:"allowed_files"`
			}
		}
		var checks struct {
			Commits struct {
				Cog   string         `yaml:"cog_toml"`
				Types map[string]any `yaml:"commit_types"`
			}
			FileCheck struct {
				Branch  string   `yaml:"bot_branch"`
				Allowed []string `yaml:"allowed_files"`
			} `yaml:"promote_rc_file_check"`
		}
		for template, into := range map[string]any{"release": &release, Checks: &checks} {
			values, err := os.ReadFile(exampleOf(user, template).Rendering().Values)
			require.NoError(t, err)
			require.NoError(t, yaml.Unmarshal(values, into))
		}
		assert.Equal(t, release.Promote.Allowed, checks.FileCheck.Allowed, user)
		assert.Equal(t, release.Promote.Branch, checks.FileCheck.Branch, user)
		assert.Equal(t, release.Version.Types, checks.Commits.Types, user)
		assert.Contains(t, []string{"", "cog.toml"}, release.Version.Cog, "the check finds cog.toml by itself")
		assert.Empty(t, checks.Commits.Cog, user)
	}
}

// A check of an outdated commit is cancelled, one that has something to remove ends first; the runs of each pull request are apart.
func TestOutdatedChecksStop(t *testing.T) {
	t.Parallel()
	for _, c := range checkExamples(t) {
		for name, data := range committed(t, c) {
			if name == RulesetFile {
				continue
			}
			var w struct {
				Name        string
				Concurrency struct {
					Group  string `yaml:"group"`
					Cancel string `yaml:"cancel-in-progress"`
				}
			}
			require.NoError(t, yaml.Unmarshal(data, &w))
			assert.Equal(t, w.Name+"-${{ github.event.pull_request.number || github.ref }}", w.Concurrency.Group, name)
			want := "${{ github.event_name == 'pull_request' }}"
			if w.Name == "data-pipeline" {
				want = "false"
			}
			assert.Equal(t, want, w.Concurrency.Cancel, name)
		}
	}
}

// The page names tests of this module.
func TestThePageOfTheChecksNamesRealTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(Checks, "README.md"))
	require.NoError(t, err)
	names := regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(names), 15)
	var all strings.Builder
	for _, pattern := range []string{"*_test.go", "../internal/*/*_test.go", "../internal/standin/*/*_test.go", "../resources/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			all.Write(text)
		}
	}
	for _, name := range names {
		assert.Contains(t, all.String(), "\nfunc "+name[1]+"(")
	}
}
