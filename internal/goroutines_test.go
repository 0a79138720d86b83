package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unguarded are the files whose goroutines need no guard.
func unguarded() map[string]string {
	return map[string]string{
		"internal/concourse/main.go": "waits for a signal and does nothing else",
	}
}

// Every goroutine of what is shipped in an image turns a panic into an error: it calls guard.Run.
func TestGoroutinesAreGuarded(t *testing.T) {
	files, found := token.NewFileSet(), 0
	for _, top := range []string{"internal", "resources"} {
		require.NoError(t, filepath.WalkDir(filepath.Join("..", top), func(name string, d fs.DirEntry, err error) error {
			name = filepath.ToSlash(name)
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || isTestHelp(name) {
				return err
			}
			file, err := parser.ParseFile(files, name, nil, 0)
			if err != nil || unguarded()[strings.TrimPrefix(name, "../")] != "" {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if starts(n) {
					found++
					assert.True(t, guarded(n), "%s: this goroutine does not call guard.Run", files.Position(n.Pos()))
				}
				return true
			})
			return nil
		}))
	}
	assert.NotZero(t, found)
}

func isTestHelp(name string) bool {
	for _, part := range []string{"/standin/", "/gittest/", "/scripttest/", "/conformance/", "/peertest/", "/rehearsal/", "/testdata/"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// starts reports a go statement, or a call of the method Go with a function.
func starts(n ast.Node) bool {
	if _, ok := n.(*ast.GoStmt); ok {
		return true
	}
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return false
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && method.Sel.Name == "Go"
}

func guarded(n ast.Node) bool {
	calls := false
	ast.Inspect(n, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "guard" && s.Sel.Name == "Run" {
				calls = true
			}
		}
		return !calls
	})
	return calls
}
