package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// A finding quotes the pipeline, and nothing in it acts on the terminal.
func TestFindingsOfHostileTextAreVisible(t *testing.T) {
	var out bytes.Buffer
	findings := pipeline.Findings{{File: "p\x1b[2J.yml", Text: "job \x1b]52;c;ZXZpbA==\a\nwaits", Rule: "cycle"}}
	require.NoError(t, printFindings(&out, withRule, findings))
	assert.NotContains(t, out.String(), "\x1b")
	assert.Contains(t, out.String(), `p\x1b[2J.yml`)
	assert.Equal(t, 1, strings.Count(out.String(), "\n"))
}
