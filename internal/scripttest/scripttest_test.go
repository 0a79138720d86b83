package scripttest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	Main(m, "echo-request", echoRequest, map[string]func(){"other": func() { fmt.Fprintln(stdout(), "other") }})
}

// echoRequest stands for a program of a resource type.
func echoRequest() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil || !json.Valid(text) {
		fmt.Fprintln(os.Stderr, "error: no JSON")
		os.Exit(1) //nolint:forbidigo // it is a program of its own
	}
	fmt.Fprintf(stdout(), `{"name": %q, "request": %s}`, os.Args[0], text)
}

func stdout() io.Writer { return os.Stdout } //nolint:forbidigo // of a program of its own

func TestScripts(t *testing.T) { Run(t, "testdata/script") }

// failing is a test that may fail without failing the one around it.
type failing struct{ log string }

func (f *failing) Skip(args ...any)  { panic(fmt.Sprint(args...)) }
func (f *failing) Fatal(args ...any) { f.log += fmt.Sprint(args...); panic(f) }
func (f *failing) Parallel()         {}
func (f *failing) Log(args ...any)   { f.log += fmt.Sprint(args...) }
func (f *failing) FailNow()          { panic(f) }
func (f *failing) Verbose() bool     { return true }
func (f *failing) Run(_ string, run func(testscript.T)) {
	defer func() {
		if fault := recover(); fault != nil && fault != any(f) {
			panic(fault)
		}
	}()
	run(f)
}

func TestCommandsFailWithAReason(t *testing.T) {
	all := commands()
	maps.Copy(all, Steps(nil, nil))
	for script, want := range map[string]string{
		"json equal a.json b.json":         `-want \+got`,
		"! json equal a.json a.json":       "a.json is as in a.json",
		"json equal a.json text":           "text is not JSON",
		"json contains a.json b.json":      `-want \+got`,
		"json same a.json b.json":          "usage: json",
		"json-get X a.json y":              `no "y" on the path y`,
		"json-get X a.json l.5":            "the list has 2",
		"json-get X a.json x.y":            "nothing below",
		"expand unset":                     `\$NOT_THERE is not set`,
		"expand":                           "usage: expand",
		"git-server":                       "usage: git-server",
		"repo":                             "usage: repo",
		"repo commit":                      "an argument is missing",
		"repo push main":                   "unknown command",
		"! repo init":                      "repo init: <nil>",
		"step push tf":                     "usage: step",
		"step push tf dir":                 "want check, get, put or reget",
		"git-commit nowhere m folder":      `no repository "nowhere"`,
		"git-fault 500":                    "no server",
		"git-requests 1":                   "usage: git-requests",
		"git-server r\ngit-requests 1":     "the server saw 0 requests",
		"git-server r\ngit-fault nonsense": "invalid syntax",
		"git-server r\ngit-hook r":         "usage: git-hook",
		"git-server r\nmkdir empty\ngit-commit r m empty": "empty has no files",
	} {
		t.Run(script, func(t *testing.T) {
			file := t.TempDir() + "/s.txtar"
			text := script + "\n-- a.json --\n{\"x\": 1, \"l\": [1, 2]}\n-- b.json --\n{\"x\": 2}\n-- text --\nno\n-- unset --\n$NOT_THERE\n"
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
			f := &failing{}
			testscript.RunT(f, testscript.Params{Files: []string{file}, Setup: setup, Condition: condition, Cmds: all})
			assert.Regexp(t, want, f.log)
		})
	}
}

func TestSubstitute(t *testing.T) {
	get := func(name string) string {
		return map[string]string{"KEY": "a\n\"b\"", "V": `{"x": 1}`}[name]
	}
	got, err := substitute(`{"k": "\"$KEY", "v": $V, "w": "${V}s"}`, true, get)
	require.NoError(t, err)
	assert.JSONEq(t, `{"k": "\"a\n\"b\"", "v": {"x": 1}, "w": "{\"x\": 1}s"}`, got)
	got, err = substitute("$V $lower $$", false, get)
	require.NoError(t, err)
	assert.Equal(t, `{"x": 1} $lower $$`, got)
}
