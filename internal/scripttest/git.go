package scripttest

import (
	"errors"
	"flag"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

type (
	gitKey   struct{}
	gitState struct {
		server *gittest.Server
		repos  map[string]*gittest.Repository
		forge  *github.Server
	}
)

func stateOf(ts *testscript.TestScript) *gitState {
	state, ok := ts.Value(gitKey{}).(*gitState)
	if !ok {
		ts.Fatalf("the script was not set up by this package")
	}
	return state
}

func (g *gitState) repository(ts *testscript.TestScript, name string) *gittest.Repository {
	repo := g.repos[name]
	if repo == nil {
		ts.Fatalf("no repository %q: make it with git-server", name)
	}
	return repo
}

// gitServer makes a repository and serves it on loopback:
//
//	git-server [-ssh] [-tls] [-user U -password P] NAME [FOLDER]
//
// The first use starts the script's server with the flags, later ones add
// repositories to it. What FOLDER holds becomes the first commit of main. Sets
// URL, REPO (the bare repository's folder) and HEAD; with -ssh also SSH_URL,
// SSH_KEY and KNOWN_HOSTS; with -tls also CA.
func gitServer(ts *testscript.TestScript, neg bool, args []string) {
	var o gittest.Options
	flags := newFlags("git-server")
	flags.BoolVar(&o.SSH, "ssh", false, "")
	flags.BoolVar(&o.TLS, "tls", false, "")
	flags.StringVar(&o.Username, "user", "", "")
	flags.StringVar(&o.Password, "password", "", "")
	if err := flags.Parse(args); err != nil || neg || flags.NArg() < 1 || flags.NArg() > 2 {
		ts.Fatalf("usage: git-server [-ssh] [-tls] [-user U -password P] NAME [FOLDER]")
	}
	state := stateOf(ts)
	if state.server == nil {
		state.start(ts, o)
	}
	name := flags.Arg(0)
	repo, err := state.server.Create(name)
	ts.Check(err)
	state.repos[name] = repo
	ts.Setenv("URL", repo.URL())
	ts.Setenv("REPO", repo.Dir)
	if ssh := repo.SSHURL(); ssh != "" {
		ts.Setenv("SSH_URL", ssh)
	}
	if flags.NArg() == 2 {
		commit(ts, repo, "main", "first commit", flags.Arg(1))
	}
}

func (g *gitState) start(ts *testscript.TestScript, o gittest.Options) {
	server, err := gittest.New(o)
	if errors.Is(err, gittest.ErrNoSSHD) || errors.Is(err, gittest.ErrNoGit) {
		ts.Fatalf("%v: guard the script with [!git] skip or [!sshd] skip", err)
	}
	ts.Check(err)
	ts.Defer(func() { _ = server.Close() })
	g.server, g.repos = server, map[string]*gittest.Repository{}
	if o.TLS {
		ts.Setenv("CA", server.CA())
	}
	if o.SSH {
		key, err := gittest.NewKey("ed25519", "")
		ts.Check(err)
		ts.Check(server.Authorise(key.Authorised))
		ts.Setenv("SSH_KEY", key.Private)
		ts.Setenv("KNOWN_HOSTS", server.KnownHosts())
	}
}

// gitCommit adds a commit to a branch:
//
//	git-commit [-branch NAME] [-delete PATH] REPOSITORY MESSAGE [FOLDER]
//
// FOLDER's files are added or replaced; the others stay. It sets HEAD.
func gitCommit(ts *testscript.TestScript, neg bool, args []string) {
	flags := newFlags("git-commit")
	branch := flags.String("branch", "main", "")
	remove := flags.String("delete", "", "")
	if err := flags.Parse(args); err != nil || neg || flags.NArg() < 2 || flags.NArg() > 3 || (flags.NArg() == 3) == (*remove != "") {
		ts.Fatalf("usage: git-commit [-branch NAME] REPOSITORY MESSAGE FOLDER\n       git-commit [-branch NAME] -delete PATH REPOSITORY MESSAGE")
	}
	repo := stateOf(ts).repository(ts, flags.Arg(0))
	if *remove == "" {
		commit(ts, repo, *branch, flags.Arg(1), flags.Arg(2))
		return
	}
	head, err := repo.Delete(*branch, flags.Arg(1), *remove)
	ts.Check(err)
	ts.Setenv("HEAD", head)
}

func commit(ts *testscript.TestScript, repo *gittest.Repository, branch, message, folder string) {
	files := map[string]string{}
	root := os.DirFS(ts.MkAbs(folder))
	ts.Check(fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, path)
		files[path] = string(content)
		return err
	}))
	if len(files) == 0 {
		ts.Fatalf("%s has no files", folder)
	}
	head, err := repo.Commit(branch, message, files)
	ts.Check(err)
	ts.Setenv("HEAD", head)
}

// gitHook makes a file a hook of a repository, or removes the hook:
//
//	git-hook REPOSITORY pre-receive [FILE]
func gitHook(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: git-hook REPOSITORY HOOK [FILE]")
	}
	repo := stateOf(ts).repository(ts, args[0])
	if len(args) == 2 {
		ts.Check(os.Remove(filepath.Join(repo.Dir, "hooks", args[1])))
		return
	}
	ts.Check(repo.Hook(args[1], ts.ReadFile(args[2])))
}

// gitFault makes the server misbehave:
//
//	git-fault [-service NAME] [-method M] [-skip N] [-times N] FAULT
//
// FAULT is an HTTP status, "hang", "cut-push", which carries a push out and then
// breaks the connection, or "heal", which ends all of them.
func gitFault(ts *testscript.TestScript, neg bool, args []string) {
	var f gittest.Fault
	flags := newFlags("git-fault")
	flags.StringVar(&f.Path, "service", "", "")
	flags.StringVar(&f.Method, "method", "", "")
	flags.StringVar(&f.Body, "body", "", "")
	flags.IntVar(&f.Skip, "skip", 0, "")
	flags.IntVar(&f.Times, "times", 0, "")
	if err := flags.Parse(args); err != nil || neg || flags.NArg() != 1 {
		ts.Fatalf("usage: git-fault [-service NAME] [-method M] [-skip N] [-times N] [-body TEXT] STATUS|hang|cut-push|heal")
	}
	server := stateOf(ts).server
	if server == nil {
		ts.Fatalf("no server: start one with git-server")
	}
	var err error
	switch what := flags.Arg(0); what {
	case "heal":
		server.Heal()
		return
	case "hang":
		f.Hang = true
	case "cut-push":
		f.Path, f.Method, f.Lose = gittest.ReceivePack, http.MethodPost, true
	default:
		f.Status, err = strconv.Atoi(what)
	}
	ts.Check(err)
	server.Inject(f)
}

// gitRequests compares the number of HTTP requests since the last reset:
//
//	[!] git-requests N
//	git-requests reset
func gitRequests(ts *testscript.TestScript, neg bool, args []string) {
	server := stateOf(ts).server
	if len(args) != 1 || server == nil {
		ts.Fatalf("usage: git-requests N|reset, after git-server")
	}
	if args[0] == "reset" {
		server.Reset()
		return
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	seen := server.Requests()
	if (len(seen) == want) != neg {
		return
	}
	for _, r := range seen {
		ts.Logf("%s %s %s %s: %d", r.Method, r.Path, r.Service, r.Command, r.Status)
	}
	ts.Fatalf("the server saw %d requests", len(seen))
}

func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}
