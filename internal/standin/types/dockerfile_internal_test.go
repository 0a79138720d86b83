package types

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func FuzzDockerfile(f *testing.F) {
	for _, text := range []string{
		"", "FROM scratch", "FROM a AS one\nCOPY x /\nFROM one AS two\nRUN \\\n  a \\\n  b\n", "ARG V\nFROM a\nLABEL a=b", "# comment\n\n  FROM x as y\n", "\\\n", "COPY",
	} {
		f.Add(text, "")
		f.Add(text, "two")
	}
	f.Fuzz(func(t *testing.T, text, target string) {
		all := dockerfile(text)
		for _, i := range all {
			assert.NotEmpty(t, i.word)
			assert.Equal(t, strings.ToUpper(i.word), i.word)
		}
		chosen, err := stage(all, target)
		if err != nil {
			return
		}
		assert.LessOrEqual(t, len(chosen), len(all))
		froms := 0
		for _, i := range chosen {
			if i.word == "FROM" {
				froms++
			}
		}
		assert.Equal(t, 1, froms, "one stage")
	})
}
