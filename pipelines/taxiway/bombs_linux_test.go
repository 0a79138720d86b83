package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mostMemory is what taxiway may take at any time, as the operating system measures it, whatever a file holds that it reads.
const mostMemory = 128 << 20

// TestBombsAreRefused lets the program itself read hostile files: each is refused by the name of the file or of a limit, at a peak of
// 128 MB, and in time. Those of servers, and of repositories over the network, are in package resources.
func TestBombsAreRefused(t *testing.T) {
	peak := filepath.Join(t.TempDir(), "peak")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", peak, "../../resources/testdata/peak").CombinedOutput()
	require.NoError(t, err, string(out))
	env := withTaxiway(t)
	dir := hostile(t)
	for args, want := range bombs() {
		t.Run(args, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // none of them is slow, and a busy machine is
			defer cancel()
			file := filepath.Join(t.TempDir(), "peak")
			cmd := exec.CommandContext(ctx, peak, append([]string{file, "taxiway"}, strings.Fields(args)...)...)
			cmd.Dir, cmd.Env = dir, env
			said, err := cmd.CombinedOutput()
			require.NoError(t, ctx.Err(), "it is held up")
			require.Error(t, err, string(said))
			text := string(said[:min(len(said), 4096)])
			assert.Contains(t, text, want)
			assert.NotContains(t, text, "goroutine ")
			measured, err := os.ReadFile(file)
			require.NoError(t, err)
			kib, err := strconv.ParseInt(string(measured), 10, 64)
			require.NoError(t, err)
			t.Logf("%d MiB", kib>>10)
			assert.LessOrEqual(t, kib<<10, int64(mostMemory), "%d MiB", kib>>10)
		})
	}
}

// bombs are command lines, and the words that refuse them.
func bombs() map[string]string {
	const many, large, odd = "it has more than 200000 values", "it has more than 8 MiB", "it is not a file"
	all := map[string]string{
		"lint aliases":                        "too large once its aliases are written out",
		"lint values":                         "too large once its aliases are written out",
		"lint deep":                           "nested too deeply",
		"lint folder":                         "lint: folder is a folder; name the files in it",
		"lint circle":                         "too many levels of symbolic links",
		"lint --load-vars-from aliases plain": "excessive aliasing",
		"lint --baseline brackets plain":      "exceeded max depth",
		"commits --file parentheses":          "not a conventional commit",
		"render deployments --values aliases": "excessive aliasing",
		"doctor aliases":                      "error: aliases: has 1 error",
		"rehearse plain --repository wide-config --vars aliases": "excessive aliasing",
	}
	for _, command := range []string{"lint", "lint --load-vars-from", "lint --baseline", "commits --file", "commits --title x --cog", "render deployments --values", "rehearse plain --repository wide-config --vars", "rehearse plain --repository wide-config --scenario"} {
		after := ""
		if strings.HasPrefix(command, "lint -") {
			after = " plain"
		}
		all[command+" pipe"+after], all[command+" zero"+after] = "read pipe: "+odd, "read zero: "+odd
		all[command+" large"+after] = large
		if strings.HasPrefix(command, "render") {
			all[command+" values"] = "it has more than 50000 values"
			continue
		}
		if command != "lint --baseline" && command != "commits --file" {
			all[command+" wide"+after] = many
		}
	}
	for _, verb := range []string{"trace", "diff dev prod", "board --html board.html"} {
		for clone, want := range map[string]string{
			"refs": "has more than 150000 refs", "megabytes-of-refs": "has more than 33554432 bytes", "pipe-for-a-branch": "is not a file", "pipe-for-refs": "is not a file",
			"many-environments": "at most 2000 are allowed", "wide-config": many, "alias-config": "environments: want a mapping", "large-config": "more than the 67108864 that are read at once",
		} {
			all[verb+" --deployments "+clone] = want
		}
	}
	return all
}

// hostile is a folder with these files and clones.
func hostile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 8), i)
	}
	for name, text := range map[string]string{
		"plain": "jobs: []\n", "aliases": laughs.String() + "jobs: *a9\n", "values": "jobs: [" + strings.Repeat("1,", 190_000) + "1]\n",
		"wide": "jobs: [" + strings.Repeat("1,", 500_000) + "1]\n", "deep": "jobs: " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "\n", "large": "jobs: '" + strings.Repeat("word ", 2<<20) + "'\n",
		"brackets": strings.Repeat("[", 5<<20), "parentheses": "feat" + strings.Repeat("(", 7<<20),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	at := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	require.NoError(t, os.Mkdir(at("folder"), 0o750))
	require.NoError(t, os.Symlink("circle", at("circle")))
	require.NoError(t, os.Symlink("/dev/zero", at("zero")))
	require.NoError(t, syscall.Mkfifo(at("pipe"), 0o600))

	const config = "deployment: bank\nenvironments:\n  dev: {latest: [chart/*]}\n  prod: {passed: dev, propagated: [chart/*]}\n"
	clone := func(name, config string) string {
		require.NoError(t, os.MkdirAll(at(name, "chart"), 0o750))
		require.NoError(t, os.WriteFile(at(name, "cepler.yml"), []byte(config), 0o600))
		require.NoError(t, os.WriteFile(at(name, "chart", "a"), []byte("0\n"), 0o600))
		for _, args := range []string{"init -q -b main", "add .", "-c user.name=a -c user.email=a@example.com commit -qm init"} {
			out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", at(name)}, strings.Fields(args)...)...).CombinedOutput()
			require.NoError(t, err, string(out))
		}
		return at(name, ".git")
	}
	var environments strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&environments, "  e%d: {latest: [a/*]}\n", i)
	}
	clone("many-environments", "environments:\n"+environments.String())
	clone("wide-config", "environments: ["+strings.Repeat("1,", 500_000)+"1]\n")
	clone("alias-config", laughs.String()+"environments: *a9\n")
	clone("large-config", strings.Repeat("x", 70<<20))
	for name, n := range map[string]int{"refs": 200_000, "megabytes-of-refs": 1_000_000} {
		var packed bytes.Buffer
		packed.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
		for i := range n {
			fmt.Fprintf(&packed, "%040x refs/tags/%07d\n", 1, i)
		}
		require.NoError(t, os.WriteFile(filepath.Join(clone(name, config), "packed-refs"), packed.Bytes(), 0o600))
	}
	branch := filepath.Join(clone("pipe-for-a-branch", config), "refs", "heads", "main")
	require.NoError(t, os.Remove(branch))
	require.NoError(t, syscall.Mkfifo(branch, 0o600))
	require.NoError(t, syscall.Mkfifo(filepath.Join(clone("pipe-for-refs", config), "packed-refs"), 0o600))
	return dir
}
