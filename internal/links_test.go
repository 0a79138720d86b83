package internal_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every link of a page to a file of this repository leads somewhere, its #part included.
func TestLinksOfPages(t *testing.T) {
	t.Parallel()
	listed := exec.CommandContext(t.Context(), "git", "ls-files", "*.md")
	listed.Dir = ".."
	out, err := listed.Output()
	require.NoError(t, err, "the pages are those that git knows")
	link := regexp.MustCompile(`\]\(([^)\s]*)\)`)
	links := 0
	for page := range strings.FieldsSeq(string(out)) {
		for _, found := range link.FindAllStringSubmatch(prose(t, page), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			links++
			to, part, _ := strings.Cut(found[1], "#")
			target := page
			if to != "" {
				target = filepath.Join(filepath.Dir(page), filepath.FromSlash(to))
			}
			_, err := os.Stat(filepath.Join("..", target))
			if assert.NoError(t, err, "%s has a link to %s", page, found[1]) && part != "" {
				assert.Contains(t, anchors(t, target), part, "%s has a link to %s", page, found[1])
			}
		}
	}
	assert.NotZero(t, links)
}

// prose is a page without its blocks of code.
func prose(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	require.NoError(t, err)
	return regexp.MustCompile("(?ms)^```.*?\n```$").ReplaceAllString(string(text), "")
}

// anchors are the names by which GitHub makes the headings of a page reachable.
func anchors(t *testing.T, page string) []string {
	t.Helper()
	var names []string
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(prose(t, page), -1) {
		name := strings.ReplaceAll(strings.ToLower(h[1]), " ", "-")
		names = append(names, regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(name, ""))
	}
	return names
}
