package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

var update = flag.Bool("update", false, "write the answers of testdata/messages.txtar anew")

// Each mistake in testdata/messages.txtar has exactly the answer that is written there: a line with the arguments, then
// the exit status and what the program prints, each line after a tab. The archive's other files are in the folder in which it runs,
// beside dep, a clone of a deployments repository.
func TestMessages(t *testing.T) {
	const file = "testdata/messages.txtar"
	archive, err := txtar.ParseFile(file)
	require.NoError(t, err)
	root, err := filepath.Abs(file)
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	t.Setenv("COLUMNS", "500")
	t.Setenv("GIT_CEILING_DIRECTORIES", "/")
	for _, f := range archive.Files[1:] {
		require.NoError(t, os.WriteFile(f.Name, f.Data, 0o600))
	}
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip(err)
	}
	require.NoError(t, os.Mkdir("bin", 0o700))
	require.NoError(t, os.Symlink(git, "bin/git"))
	require.NoError(t, os.WriteFile("bin/fly", []byte("#!/bin/sh\n"), 0o700))
	here, err := os.Getwd()
	require.NoError(t, err)
	t.Setenv("PATH", filepath.Join(here, "bin"))
	repo, err := gittest.Init(filepath.Join(here, "origin.git"))
	require.NoError(t, err)
	_, err = repo.Commit("main", "feat: x", map[string]string{"cepler.yml": "environments:\n  staging: {latest: [a]}\n  prod: {passed: staging, propagated: [a]}\n", "a": "1\n"})
	require.NoError(t, err)
	_, err = repo.Git("clone", "--quiet", "--branch", "main", repo.Dir, filepath.Join(here, "dep"))
	require.NoError(t, err)
	var now strings.Builder
	for line := range strings.Lines(string(archive.Files[0].Data)) {
		if line == "\n" || strings.HasPrefix(line, "\t") {
			continue
		}
		got := wholeProgram(t, words(line)...)
		assert.NotZero(t, got.status, line)
		text := strings.ReplaceAll(got.stdout+got.stderr, "\n", "\n\t")
		_, _ = fmt.Fprintf(&now, "%s\t%d: %s\n\n", line, got.status, strings.TrimSpace(text))
	}
	if *update {
		archive.Files[0].Data = []byte(now.String())
		require.NoError(t, os.WriteFile(root, txtar.Format(archive), 0o600))
		return
	}
	assert.Empty(t, cmp.Diff(string(archive.Files[0].Data), now.String()), "-file +now, -update writes it")
}

// words are the arguments of a line, of which some stand in quotes.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(strings.TrimSpace(line), `"`) {
		if i%2 == 1 {
			all = append(all, part)
			continue
		}
		all = append(all, strings.Fields(part)...)
	}
	return all
}
