package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A finding quotes the pipeline, and nothing in it acts on the terminal.
func TestFindingsOfHostileTextAreVisible(t *testing.T) {
	var out bytes.Buffer
	_, err := lint(&out, "p.yml", []byte("jobs:\n- name: \"x\\e]52;c;ZXZpbA==\\a\"\n  plan: [{get: \"no\\e[2Jsuch\"}]\n"), nil)
	require.NoError(t, err)
	assert.NotContains(t, out.String(), "\x1b")
	assert.Contains(t, out.String(), `\x1b`)
}
