package local

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What git reads in a file is what is read here, and what git refuses is refused.
func TestSettingsAreReadAsGitReadsThem(t *testing.T) {
	texts := []string{
		"", "\ufeff[a]\nb=c", "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = ssh://git@example.com/a # here\n\tpromisor\n",
		"[a \"b \\\"c\\\\d\"]\r\n  Key = \"  x ; y  \" z  ; comment\r\n\tcontinued = one \\\n  two\n", "[A.B]c=\"\\t\\n\\b\"", "[a] b = c", "[a]\nb = \"open", "b = c", "[a]b\\c", "[a", "[a]\nb=\\q",
	}
	parts := []string{
		"\n[a]", "\n[a \"B\"]", "\n[A.b] ", "\n[", "]", "\"", "\"", "\\", "\n", "\nkey = ", "\nName=\"", "\r\n", " ", "  ", "=", "-k", "9", "x", ";", "#", "\\n", "\\t", "\\\n", "value\n", "\n[c]\nd = ", "\f", "é", ".",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		var text strings.Builder
		text.WriteString("[s]\nKey = ")
		for range random.IntN(12) {
			text.WriteString(parts[random.IntN(len(parts))])
		}
		texts = append(texts, text.String())
	}
	file := filepath.Join(t.TempDir(), "config")
	read := 0
	for _, text := range texts {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		listed, failed := exec.CommandContext(t.Context(), "git", "config", "--file", file, "--list", "--null").Output()
		found, err := parseConfig(text)
		if failed != nil {
			require.Error(t, err, "%q", text)
			continue
		}
		require.NoError(t, err, "%q", text)
		want := config{}
		for entry := range bytes.SplitSeq(bytes.TrimSuffix(listed, []byte{0}), []byte{0}) {
			name, value, given := strings.Cut(string(entry), "\n")
			if !given {
				value = "true"
			}
			if name != "" {
				want[name] = value
				read++
			}
		}
		assert.Equal(t, want, found, "%q", text)
	}
	assert.Greater(t, read, 100)
}
