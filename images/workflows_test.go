package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// defaults of a workflow or a job.
type defaults struct {
	Run struct {
		Shell string `yaml:"shell"`
	} `yaml:"run"`
}

type workflow struct {
	Defaults defaults `yaml:"defaults"`
	Jobs     map[string]struct {
		Defaults defaults `yaml:"defaults"`
		Steps    []struct {
			Name  string `yaml:"name"`
			Run   string `yaml:"run"`
			Shell string `yaml:"shell"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

// A workflow's default shell is bash without pipefail: only with "shell: bash" does a step fail when a program in front of a
// pipe fails.
func TestAFailureBehindAPipeFailsTheWorkflow(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.yml")
	require.NoError(t, err)
	pipes := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var w workflow
		require.NoError(t, yaml.Unmarshal(text, &w), file)
		for name, job := range w.Jobs {
			for _, step := range job.Steps {
				if !strings.Contains(strings.ReplaceAll(step.Run, "||", ""), "|") {
					continue
				}
				pipes++
				shell := step.Shell
				for _, d := range []defaults{job.Defaults, w.Defaults} {
					if shell == "" {
						shell = d.Run.Shell
					}
				}
				assert.Equal(t, "bash", shell, "%s, job %s: %s", file, name, step.Run)
			}
		}
	}
	assert.Positive(t, pipes, "no step has a pipe: this test looks in the wrong place")
}

// A step is run as GitHub runs one with "shell: bash", beside programs of these names.
func runStep(t *testing.T, script, folder string, programs map[string]string, env ...string) (string, error) {
	t.Helper()
	bin := t.TempDir()
	for name, text := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/usr/bin/env bash\n"+text), 0o755))
	}
	file := filepath.Join(bin, "step.sh")
	require.NoError(t, os.WriteFile(file, []byte(script), 0o600))
	step := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", file)
	step.Dir = folder
	step.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	step.Env = append(step.Env, env...)
	out, err := step.CombinedOutput()
	return string(out), err
}

// releaseStep is the script of a step of the release workflow.
func releaseStep(t *testing.T, job, name string) string {
	t.Helper()
	text, err := os.ReadFile("../.github/workflows/release.yml")
	require.NoError(t, err)
	var w workflow
	require.NoError(t, yaml.Unmarshal(text, &w))
	for _, step := range w.Jobs[job].Steps {
		if step.Name == name {
			return step.Run
		}
	}
	require.Fail(t, "no such step", "%s: %s", job, name)
	return ""
}

const somePushed = `registry.example.org/taxiway/cepler-in@sha256:1111  0.1.0 0.1 latest
registry.example.org/taxiway/cepler-in@sha256:2222  sbom
registry.example.org/taxiway/semver-git@sha256:3333  0.1.0 0.1 latest
registry.example.org/taxiway/semver-git@sha256:4444  sbom
`

// A push that dies half way fails the job, and so does every later step in which a program fails.
func TestStepsOfTheReleaseFailWithTheirPrograms(t *testing.T) {
	t.Parallel()
	dies := func(after string) string { return "printf '%s' '" + after + "'; echo 'connection reset' >&2; exit 1\n" }
	for what, c := range map[string]struct {
		job, step string
		programs  map[string]string
	}{
		"push":              {"images", "push", map[string]string{"go": dies("registry.example.org/taxiway/cepler-in@sha256:1111  0.1.0\n")}},
		"the last signing":  {"images", "sign each image and its bill of materials", map[string]string{"cosign": "case $3 in *4444) exit 1 ;; esac\n"}},
		"the first signing": {"images", "sign each image and its bill of materials", map[string]string{"cosign": "case $3 in *1111) exit 1 ;; esac\n"}},
		"a signature":       {"publish", "pull and verify each image", map[string]string{"cosign": "exit 1\n", "docker": "", "gh": ""}},
		"a pull":            {"publish", "pull and verify each image", map[string]string{"cosign": "", "docker": "case $3 in *1111) exit 1 ;; esac\n", "gh": ""}},
		"the provenance":    {"publish", "pull and verify each image", map[string]string{"cosign": "", "docker": "", "gh": "exit 1\n"}},
		"another digest":    {"publish", "build the images again and compare", map[string]string{"go": "echo 'build/images/cepler-in  sha256:1111'; echo 'build/images/semver-git  sha256:9999'\n"}},
		"a build":           {"publish", "build the images again and compare", map[string]string{"go": dies("build/images/cepler-in  sha256:1111\n")}},
	} {
		folder := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(folder, "pushed.txt"), []byte(somePushed), 0o600))
		out, err := runStep(t, releaseStep(t, c.job, c.step), folder, c.programs)
		assert.Error(t, err, "%s: %s", what, out)
	}
}

func TestStepsOfTheRelease(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "pushed.txt"), []byte(somePushed), 0o600))
	seen := "echo \"$(basename \"$0\") $*\" >>seen.txt\n"
	for step, job := range map[string]string{
		"sign each image and its bill of materials": "images", "list what the provenance is about": "images",
		"pull and verify each image": "publish", "build the images again and compare": "publish",
	} {
		out, err := runStep(t, releaseStep(t, job, step), folder, map[string]string{
			"cosign": seen, "docker": seen, "gh": seen,
			"go": "echo 'build/images/semver-git  sha256:3333'; echo 'build/images/cepler-in  sha256:1111'\n",
		}, "IDENTITY=me", "ISSUER=them", "GITHUB_REPOSITORY=taxiway-ci/taxiway")
		require.NoError(t, err, "%s: %s", step, out)
	}
	done, err := os.ReadFile(filepath.Join(folder, "seen.txt"))
	require.NoError(t, err)
	assert.Equal(t, 4, strings.Count(string(done), "cosign sign --yes"))
	assert.Equal(t, 4, strings.Count(string(done), "cosign verify --certificate-identity me --certificate-oidc-issuer them"))
	assert.Contains(t, string(done), "docker pull --quiet registry.example.org/taxiway/semver-git@sha256:3333\n")
	assert.NotContains(t, string(done), "docker pull --quiet registry.example.org/taxiway/semver-git@sha256:4444")
	subjects, err := os.ReadFile(filepath.Join(folder, "subjects.txt"))
	require.NoError(t, err)
	assert.Equal(t, "1111  registry.example.org/taxiway/cepler-in", strings.Split(string(subjects), "\n")[0])
}

func TestReleaseNotesAreASectionOfTheChangelog(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	script := releaseStep(t, "notes", "take the notes from CHANGELOG.md")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "CHANGELOG.md"), []byte("# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2027-01-02\n\n- two\n\n## [0.1.0] - 2026-12-01\n\n- one\n"), 0o600))
	out, err := runStep(t, script, folder, nil, "GITHUB_REF_NAME=v0.2.0")
	require.NoError(t, err, out)
	notes, err := os.ReadFile(filepath.Join(folder, "notes.md"))
	require.NoError(t, err)
	assert.Equal(t, "- two", strings.TrimSpace(string(notes)))
	out, err = runStep(t, script, folder, nil, "GITHUB_REF_NAME=v0.3.0")
	require.Error(t, err)
	assert.Contains(t, out, "CHANGELOG.md has no section [0.3.0]")
}

// A file that git does not ignore would make the commit "dirty": for goreleaser, for the stamp of the images, and for Go's own version.
func TestTheReleaseLeavesTheTreeClean(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../.github/workflows/release.yml")
	require.NoError(t, err)
	written := regexp.MustCompile(`(?:[^&0-9]>|\| tee |--dir |, path: )([a-z]+(?:\.[a-z]+)?)\b`).FindAllStringSubmatch(string(text), -1)
	require.GreaterOrEqual(t, len(written), 5)
	for _, name := range append(written, []string{"", "dist/x"}, []string{"", "notes/x"}, []string{"", "files/x"}) {
		if name[1] == "notes" || name[1] == "files" {
			continue // folders, see above
		}
		check := exec.CommandContext(t.Context(), "git", "check-ignore", "--quiet", name[1])
		check.Dir = ".."
		assert.NoError(t, check.Run(), "git does not ignore %s", name[1])
	}
}

// A fix of an older line, and a candidate, leave "latest" where it is.
func TestTheHighestReleaseIsTheLatest(t *testing.T) {
	t.Parallel()
	script := releaseStep(t, "publish", `publish it; "latest" is the highest version, and no candidate`)
	gh := "if [ \"$2\" = list ]; then echo v0.9.0; echo v0.10.1; else echo \"$*\"; fi\n"
	for tag, latest := range map[string]string{"v0.9.1": "false", "v0.10.2": "true", "v0.11.0-rc.1": "false", "v1.0.0": "true"} {
		out, err := runStep(t, script, t.TempDir(), map[string]string{"gh": gh}, "GITHUB_REF_NAME="+tag)
		require.NoError(t, err, out)
		assert.Equal(t, "release edit "+tag+" --draft=false --latest="+latest, strings.TrimSpace(out))
	}
	out, err := runStep(t, script, t.TempDir(), map[string]string{"gh": "exit 1\n"}, "GITHUB_REF_NAME=v1.0.0")
	require.Error(t, err, out)
}

// What goreleaser makes can be had where goreleaser is; here it says whether its file is right.
func TestGoreleaserTakesItsFile(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("goreleaser"); err != nil {
		t.Skip("goreleaser is not on PATH")
	}
	clone := filepath.Join(t.TempDir(), "clone")
	for _, args := range [][]string{{"clone", "-q", "--no-checkout", "..", clone}, {"-C", clone, "remote", "set-url", "origin", "https://github.com/taxiway-ci/taxiway"}} {
		out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	text, err := os.ReadFile("../.goreleaser.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(clone, ".goreleaser.yaml"), text, 0o600))
	check := exec.CommandContext(t.Context(), "goreleaser", "check")
	check.Dir = clone
	out, err := check.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestTheBillOfMaterialsOfAProgram(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	status, out, progress := images(t, "sbom", "--module", "..", "--version", "0.1.0", program)
	require.Zero(t, status, progress)
	var document struct {
		SPDXVersion string `json:"spdxVersion"`
		Packages    []struct {
			Name string `json:"name"`
			File string `json:"packageFileName"`
		} `json:"packages"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &document))
	assert.Equal(t, "SPDX-2.3", document.SPDXVersion)
	var names []string
	for _, p := range document.Packages {
		names = append(names, p.Name)
	}
	assert.Equal(t, filepath.Base(program), document.Packages[0].File)
	assert.Contains(t, names, "github.com/spf13/cobra")
	status, _, progress = images(t, "sbom", "--module", "..", "commands.go")
	assert.Equal(t, 1, status)
	assert.Contains(t, progress, "commands.go is not a program that Go has built")
}
