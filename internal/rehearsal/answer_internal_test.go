package rehearsal

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// What a program of somebody else prints is an answer with a version, or an error.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		`{"version": {"ref": "1f3c"}, "metadata": [{"name": "a", "value": "b"}, null]}`, `[{"ref": "1f3c"}, null, {}]`, `{"version": {"n": 1}}`, "null", "[", "", `{"version": null}`, `{"version": {}} {}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		if a, err := decodeAnswer("in", out); err == nil {
			assert.NotEmpty(t, a.Version)
		} else {
			assert.Contains(t, err.Error(), "in printed")
		}
		if _, err := decodeVersions(out); err != nil {
			assert.Contains(t, err.Error(), "check printed")
		}
	})
}

// The file of a load_var is a value, or an error.
func FuzzLoaded(f *testing.F) {
	f.Add("json", []byte(`{"a": [1, null]} `))
	f.Add("json", []byte(`1 2`))
	f.Add("yaml", []byte("a: &x [1]\nb: *x\n<<: {c: 1}\n"))
	f.Add("yml", []byte("? [a]\n: 1\n"))
	f.Add("trim", []byte(" x\n"))
	f.Add("odd", []byte("x"))
	f.Fuzz(func(t *testing.T, format string, text []byte) {
		value, err := loaded(format, text)
		if err == nil && (format == "raw" || format == "trim") {
			assert.IsType(t, "", value)
		}
	})
}
