package internal_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"
)

var systems = flag.String("systems", "", "systems whose packages are checked by TestOtherSystems, with commas between them")

// Whether everything, tests included, compiles for other systems. The type
// checker says so in seconds; "go vet", which compiles the dependencies
// first, takes minutes for each system.
func TestOtherSystems(t *testing.T) {
	if *systems == "" {
		t.Skip("make lint says -systems")
	}
	for system := range strings.SplitSeq(*systems, ",") {
		t.Run(system, func(t *testing.T) {
			assert.Empty(t, typeErrors(t, "..", system))
		})
	}
}

func TestTypeErrorsOfOtherSystemsAreFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":             "module example.org/m\ngo 1.26\n",
		"all.go":             "package m\n",
		"all_windows.go":     "package m\nvar x int = \"\"\n",
		"m_darwin_test.go":   "package m\nvar y = missing\n",
		"other_linux.go":     "package m\nfunc\n",
		"sub/other_plan9.go": "package sub\n",
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	for system, want := range map[string]string{"windows": "cannot use", "darwin": "undefined: missing"} {
		found := typeErrors(t, dir, system)
		require.Len(t, found, 1, system)
		assert.Contains(t, found[0], want)
	}
	assert.Empty(t, typeErrors(t, dir, "freebsd"))
}

// typeErrors has the errors of all packages of the module in dir, tests
// included, as they are for another system. Dependencies are read from their
// sources, without the bodies of functions.
func typeErrors(t *testing.T, dir, system string) []string {
	t.Helper()
	found, err := packages.Load(&packages.Config{
		Context: t.Context(),
		Dir:     dir,
		Env:     append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0"),
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps | packages.NeedTypes |
			packages.NeedTypesSizes | packages.NeedSyntax | packages.NeedTypesInfo,
		Tests: true,
	}, "./...")
	require.NoError(t, err)
	require.NotEmpty(t, found)
	var errs []string
	for pkg := range packages.Postorder(found) {
		for _, e := range pkg.Errors {
			errs = append(errs, e.Error())
		}
	}
	slices.Sort(errs)
	return slices.Compact(errs)
}
