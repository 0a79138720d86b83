package strict

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFewValues(t *testing.T) {
	for name, text := range map[string]string{
		"a list": "[" + strings.Repeat("1,", maxValues) + "]", "a block": strings.Repeat("- 1\n", maxValues+1), "a mapping": strings.Repeat("a: 1\n", maxValues+1),
		"empty lists": strings.Repeat("- ", maxValues+1), "TOML": strings.Repeat("a=1\n", maxValues+1),
	} {
		require.ErrorContains(t, Few([]byte(text)), "more than 200000 values", name)
		require.ErrorContains(t, Twice([]byte(text)), "more than 200000 values", name)
	}
	require.ErrorContains(t, Few(make([]byte, maxBytes+1)), "it has more than 8 MiB, and no more are read")
	assert.NoError(t, Few([]byte(strings.Repeat("some-words of a text\n", 100_000))), "a long text")
}
