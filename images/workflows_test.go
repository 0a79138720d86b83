package main

import (
	"os"
	"path/filepath"
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
