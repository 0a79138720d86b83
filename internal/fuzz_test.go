package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A fuzz target without seeds tests nothing in an ordinary run and starts from nothing in a long one; seeds without a target
// are never read.
func TestEveryFuzzTargetHasSeeds(t *testing.T) {
	targets := 0
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && filepath.Base(filepath.Dir(path)) == "fuzz" && filepath.Base(filepath.Dir(filepath.Dir(path))) == "testdata" {
			assertTarget(t, path)
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		for name, added := range fuzzTargets(t, path) {
			targets++
			files, err := os.ReadDir(filepath.Join(filepath.Dir(path), "testdata", "fuzz", name))
			assert.True(t, added || err == nil && len(files) > 0, "%s of %s has no seeds: add some with f.Add, or in testdata/fuzz/%s", name, path, name)
		}
		return nil
	}))
	assert.NotZero(t, targets)
}

// fuzzTargets returns the fuzz targets of a test file, and whether each adds seeds.
func fuzzTargets(t *testing.T, file string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	targets := map[string]bool{}
	for _, declared := range parsed.Decls {
		target, ok := declared.(*ast.FuncDecl)
		if !ok || target.Recv != nil || !strings.HasPrefix(target.Name.Name, "Fuzz") {
			continue
		}
		added := false
		ast.Inspect(target, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			added = added || ok && call.Sel.Name == "Add"
			return true
		})
		targets[target.Name.Name] = added
	}
	return targets
}

// assertTarget looks for the target of a folder of seeds, testdata/fuzz/NAME of a package.
func assertTarget(t *testing.T, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "..", "..", "..", "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		if _, ok := fuzzTargets(t, file)[filepath.Base(folder)]; ok {
			return
		}
	}
	t.Errorf("%s: the package has no such target", folder)
}
