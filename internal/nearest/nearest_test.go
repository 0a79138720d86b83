package nearest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/taxiway-ci/taxiway/internal/nearest"
)

func TestOf(t *testing.T) {
	known := []string{"branch", "private_key", "private_key_passphrase", "uri", "username", "staging", "production"}
	for word, want := range map[string]string{
		"brnach":     "branch", // two neighbours swapped
		"branches":   "branch",
		"privateKey": "private_key",
		"URI":        "uri",
		"url":        "uri",
		"stagin":     "staging",
		"producton":  "production",
		"user_name":  "username",
		"privat-key": "private_key",
		"user":       "",
		"b":          "",
		"qa":         "",
		"":           "",
		"timeout":    "",
	} {
		assert.Equal(t, want, nearest.Of(word, known), word)
	}
	assert.Empty(t, nearest.Of("branch", nil))
	assert.Empty(t, nearest.Of(strings.Repeat("x", 1<<20), known))
	assert.Empty(t, nearest.Of("branch", []string{strings.Repeat("branch", 1<<16)}))
	assert.Equal(t, "aa", nearest.Of("ab", []string{"aa", "bb"}), "the first of equals")
}

func TestPart(t *testing.T) {
	known := []string{"repository", "access_token", "depth", "environment", "gates_file", "gates_branch", "username", "skip_ssl_verification"}
	for word, want := range map[string]string{
		"repo": "repository", "token": "access_token", "git_depth": "depth", "env": "environment", "user": "username", "skip_ssl": "skip_ssl_verification",
		"gates": "", // two begin so
		"re":    "", // too short
		"":      "",
		"oken":  "",
	} {
		assert.Equal(t, want, nearest.Part(word, known), word)
	}
}
