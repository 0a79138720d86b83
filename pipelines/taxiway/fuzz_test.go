package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A baseline is read as lint wrote it, or is an error that names its file.
func FuzzBaseline(f *testing.F) {
	f.Add([]byte(`{"file": "p.yml", "line": 3, "rule": "unused", "text": "x", "severity": "error"}` + "\n" + `{"file": "p.yml"}`))
	f.Add([]byte("null 7"))
	f.Add([]byte("[{}]"))
	f.Add([]byte(`{"line": 1e400}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "known.json")
		require.NoError(t, os.WriteFile(file, data, 0o600))
		known, err := readBaseline(file)
		if err != nil {
			assert.Contains(t, err.Error(), "known.json")
			return
		}
		assert.GreaterOrEqual(t, known.left(), len(known))
	})
}

// A file of variables, and a variable on the command line, are values or an error that names the flag.
func FuzzVars(f *testing.F) {
	f.Add([]byte("a: {b: 1}\n"), "a.b=2")
	f.Add([]byte("- a\n"), "=")
	f.Add([]byte("a: &x {c: *x}\n"), "a.c.d=..")
	f.Add([]byte("1: 2\n"), "...=x")
	f.Fuzz(func(t *testing.T, data []byte, given string) {
		file := filepath.Join(t.TempDir(), "vars.yml")
		require.NoError(t, os.WriteFile(file, data, 0o600))
		flags := varFlags{files: []string{file}, vars: []string{given}}
		if _, err := flags.lookup(); err != nil {
			assert.Regexp(t, `--(load-vars-from|var)`, err.Error())
		}
	})
}
