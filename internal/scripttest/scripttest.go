// Package scripttest runs the scripts of a resource type: txtar files that start
// its program as Concourse does and look at what it says and leaves behind. The
// language is the one of github.com/rogpeppe/go-internal/testscript; README.md
// lists the commands and conditions that are added here.
package scripttest

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// Main is the whole TestMain of a resource type's tests. Scripts and tests find
// its program on the PATH as check, in, out and under its own name, and the
// programs of others under theirs. It does not return.
func Main(m *testing.M, name string, program func(), others map[string]func()) {
	commands := map[string]func(){"check": program, "in": program, "out": program, name: program}
	maps.Copy(commands, others)
	testscript.Main(m, commands)
}

// Commands are commands of scripts by name.
type Commands map[string]func(ts *testscript.TestScript, neg bool, args []string)

// Run runs the scripts in dir, each as a test of its own, all at the same time, with the commands of README.md and more.
// A folder without scripts fails the test. With UPDATE_SCRIPTS set, the files that cmp compares with are rewritten.
func Run(t *testing.T, dir string, more ...Commands) {
	t.Helper()
	require.NotEmpty(t, scripts(t, dir), "no scripts (*.txtar) in %s", dir)
	t.Setenv("TMPDIR", t.TempDir()) // of what runs in this process
	all := commands()
	for _, these := range more {
		maps.Copy(all, these)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		Setup:               setup,
		Condition:           condition,
		Cmds:                all,
		RequireExplicitExec: false,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

func scripts(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	require.NoError(t, err)
	return found
}

func commands() Commands {
	return Commands{
		"expand":       expand,
		"json":         compareJSON,
		"json-get":     getJSON,
		"git-server":   gitServer,
		"git-commit":   gitCommit,
		"git-hook":     gitHook,
		"git-fault":    gitFault,
		"git-requests": gitRequests,
		"forge":        forge,
		"pull":         pull,
		"repo":         repo,
	}
}

// setup gives each script a home of its own and keeps the machine's git
// configuration away.
func setup(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, ".home")
	if err := os.Mkdir(home, 0o750); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"HOME":                home,
		"URI":                 filepath.Join(env.WorkDir, "r.git"), // of the command repo
		"NO_COLOR":            "1",                                 // so that patterns may start with ^
		"GIT_CONFIG_NOSYSTEM": "1",
		"GIT_CONFIG_GLOBAL":   os.DevNull,
		"GIT_TERMINAL_PROMPT": "0",
		"GIT_AUTHOR_NAME":     "Tester",
		"GIT_AUTHOR_EMAIL":    "tester@example.com",
		"GIT_COMMITTER_NAME":  "Tester",
		"GIT_COMMITTER_EMAIL": "tester@example.com",
	} {
		env.Setenv(name, value)
	}
	env.Values[gitKey{}] = &gitState{}
	return nil
}

// condition knows the programs that may be missing: [git], [sshd], [cepler],
// [fly].
func condition(name string) (bool, error) {
	_, err := exec.LookPath(name)
	if err != nil && name == "sshd" { // usually not on the PATH of users
		_, err = os.Stat("/usr/sbin/sshd")
	}
	return err == nil, nil
}
