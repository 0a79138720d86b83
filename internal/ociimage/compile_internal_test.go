package ociimage

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// "make demo" compiles its own program with the flags of the images, so that the packages of both are compiled once.
func TestTheDemoSharesCompiledPackagesWithTheImages(t *testing.T) {
	program, err := exec.LookPath("make")
	if err != nil {
		t.Skip("make is not installed")
	}
	list := []string{"-export", "-f", "{{.ImportPath}} {{.BuildID}}", "net/http", "./internal/git", "./internal/ociimage"}
	rule := filepath.Join(t.TempDir(), "listed.mk") // its recipe takes the place of the demo's, in the same environment
	require.NoError(t, os.WriteFile(rule, []byte("demo:\n\t@go list '"+strings.Join(list, "' '")+"'\n"), 0o600))
	command := exec.CommandContext(t.Context(), program, "-C", "../..", "--no-print-directory", "-f", "Makefile", "-f", rule, "demo")
	command.Env = append(os.Environ(), "MAKEFLAGS=", "GOFLAGS=")
	got, err := command.Output()
	require.NoError(t, err)
	here := v1.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}
	want, err := goCommand(t.Context(), "../..", "list", here, false, list...)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

func TestHTTP2IsAFlagLess(t *testing.T) {
	t.Parallel()
	assert.Contains(t, goFlags(false), omitHTTP2)
	assert.NotContains(t, goFlags(true), omitHTTP2)
	assert.Len(t, goFlags(true), len(goFlags(false))-1)
}
