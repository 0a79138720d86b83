package internal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every promise of SECURITY.md names tests, and they exist in the packages that it names.
func TestPromisesHaveTheirTests(t *testing.T) {
	text, err := os.ReadFile("../SECURITY.md")
	require.NoError(t, err)
	_, promises, ok := strings.Cut(string(text), "\n## What the suite promises\n")
	require.True(t, ok)
	promises, _, ok = strings.Cut(promises, "\n## ")
	require.True(t, ok)
	list := strings.Split(promises, "\n- **")[1:]
	require.NotEmpty(t, list)
	for _, promise := range list {
		named := 0
		dir := ""
		for _, word := range regexp.MustCompile("`[a-z/-]+`|\\b(Test|Fuzz)[A-Z]\\w+").FindAllString(promise, -1) {
			if folder, is := strings.CutPrefix(word, "`"); is {
				dir = strings.TrimSuffix(folder, "`")
				continue
			}
			if word == "TestConformance" {
				dirs, err := filepath.Glob("../resources/*/cmd")
				require.NoError(t, err)
				require.NotEmpty(t, dirs)
				for _, d := range dirs {
					assert.Contains(t, testsIn(t, filepath.Dir(d)), word, d)
				}
				continue
			}
			named++
			assert.Contains(t, testsIn(t, filepath.Join("..", dir)), word, "SECURITY.md names a test of %s that is not there", dir)
		}
		assert.NotZero(t, named, "no test is named for: %.60s", promise)
	}
}

// testsIn are the names of the tests and fuzz targets of a package's folder.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	found := map[string]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, match := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = true
		}
	}
	return found
}
