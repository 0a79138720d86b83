package pipelines

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// The README of every resource type has a whole pipeline, or says which other one has it,
// and lint has nothing to say about it: no warning either.
func TestPipelinesInReadmesLintClean(t *testing.T) {
	t.Parallel()
	readmes, err := filepath.Glob("../resources/*/README.md")
	require.NoError(t, err)
	require.NotEmpty(t, readmes)
	block := regexp.MustCompile("(?ms)^```ya?ml\n(.*?\n)```$")
	elsewhere := regexp.MustCompile(`The whole pipeline is in \[.*\]\((\.\./[a-z-]+/README\.md)#example\)`)
	whole := map[string]bool{}
	pointed := map[string]string{}
	for _, file := range readmes {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, at := range block.FindAllSubmatchIndex(text, -1) {
			example := text[at[2]:at[3]]
			if !regexp.MustCompile(`(?m)^jobs:`).Match(example) {
				continue // a part, or another kind of file
			}
			whole[file] = true
			// so that a finding has the README's line
			lines := bytes.Repeat([]byte("\n"), bytes.Count(text[:at[2]], []byte("\n")))
			findings := pipeline.Lint(file, append(lines, example...), OwnTypes())
			assert.Empty(t, findings, "%s", findings)
		}
		if to := elsewhere.FindSubmatch(text); to != nil {
			pointed[file] = filepath.Join(filepath.Dir(file), string(to[1]))
		}
	}
	for _, file := range readmes {
		assert.True(t, whole[file] || whole[pointed[file]], "%s has no whole pipeline", file)
	}
}

// A key that a type takes stands in its README, or in the one that it points to for what they share.
func TestReadmesNameEveryKey(t *testing.T) {
	t.Parallel()
	for name, own := range OwnTypes() {
		described, ok := own.(concourse.Schema)
		require.True(t, ok, name)
		text, err := os.ReadFile(filepath.Join("..", "resources", name, "README.md"))
		require.NoError(t, err)
		for _, shared := range regexp.MustCompile(`\]\(\.\./([a-z-]+)/README\.md#source\)`).FindAllSubmatch(text, -1) {
			more, err := os.ReadFile(filepath.Join("..", "resources", string(shared[1]), "README.md"))
			require.NoError(t, err)
			text = append(text, more...)
		}
		for _, keys := range [][]concourse.Key{described.SourceKeys(), described.GetKeys(), described.PutKeys()} {
			for _, k := range keys {
				assert.Regexp(t, "`"+k.Name+"[`:]", string(text), "%s has a key %s that its README does not name", name, k.Name)
			}
		}
	}
}

// All pages name the images by one reference: where the README pushes them, and as the version that it gives them.
func TestReadmesNameOneImageReference(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	pushed := regexp.MustCompile(`go run \./images push (\S+) --version ([0-9.]+\d)`).FindSubmatch(readme)
	require.NotNil(t, pushed, "the README pushes the images")
	image := regexp.MustCompile(`repository: (\S+)/([a-z-]+)(?:,|\n) *tag: "?([^\s"}]+)`)
	named := 0
	for _, pattern := range []string{"../*.md", "*.md", "*/*.md", "../resources/*/README.md", "../images/README.md"} {
		pages, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, page := range pages {
			text, err := os.ReadFile(page)
			require.NoError(t, err)
			for _, found := range image.FindAllSubmatch(text, -1) {
				if _, own := OwnTypes()[string(found[2])]; own {
					named++
					assert.Equal(t, string(pushed[1])+" "+string(pushed[2]), string(found[1])+" "+string(found[3]), "%s: %s", page, found[0])
				}
			}
		}
	}
	assert.GreaterOrEqual(t, named, len(OwnTypes()))
}

// The smallest example of each resource type stands before its keys. Its keys are those that the type takes.
func TestReadmesBeginWithTheSmallestExample(t *testing.T) {
	t.Parallel()
	block := regexp.MustCompile("(?ms)^```yaml\n(.*?\n)```$")
	for name := range OwnTypes() {
		file := filepath.Join("..", "resources", name, "README.md")
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		before, _, ok := bytes.Cut(text, []byte("\n## Source"))
		require.True(t, ok, file)
		example := block.FindSubmatch(before)
		require.NotNil(t, example, "%s has no example before its keys", file)
		resources, steps, _ := bytes.Cut(example[1], []byte("- put: "))
		if at := bytes.Index(example[1], []byte("- get: ")); at >= 0 {
			resources, steps = example[1][:at], example[1][at:]
		} else {
			steps = append([]byte("- put: "), steps...)
		}
		if !bytes.Contains(resources, []byte("resources:")) {
			continue // of a type whose source is that of another one, or stands right below
		}
		whole := "resource_types:\n- name: " + name + "\n  type: registry-image\n  source: {repository: example.org/" + name + ", tag: 1.0.0}\n" + string(resources) +
			"jobs:\n- name: job\n  plan:\n" + regexp.MustCompile(`(?m)^`).ReplaceAllString(string(steps), "  ")
		for _, f := range pipeline.Lint(file, []byte(whole), OwnTypes()) {
			assert.Equal(t, "missing-artifact", f.Rule, "only the steps before are left out: %s", f)
		}
	}
}
