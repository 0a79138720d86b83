package scripttest

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

// forgeToken is what the stand-in for GitHub takes.
const forgeToken = "t0ken"

// forge starts a stand-in for GitHub with the repositories of git-server:
//
//	forge [-app]
//
// It sets API_URL and FORGE_TOKEN; with -app also APP_ID and APP_KEY of a GitHub App that may see those repositories.
func forge(ts *testscript.TestScript, neg bool, args []string) {
	state := stateOf(ts)
	app := len(args) == 1 && args[0] == "-app"
	if neg || len(args) > 0 && !app || state.server == nil {
		ts.Fatalf("usage: forge [-app], after git-server")
	}
	server := github.New(github.Options{Git: state.server, Tokens: []string{forgeToken}})
	ts.Defer(server.Close)
	state.forge = server
	ts.Setenv("API_URL", server.APIURL())
	ts.Setenv("FORGE_TOKEN", forgeToken)
	if app {
		key, err := server.AddApp("7", slices.Collect(maps.Keys(state.repos))...)
		ts.Check(err)
		ts.Setenv("APP_ID", "7")
		ts.Setenv("APP_KEY", key)
	}
}

// seen is a pull request as a script reads it, with the statuses of its newest commit.
type seen struct {
	Title  string   `json:"title"`
	Body   string   `json:"body"`
	Labels []string `json:"labels"`
	Files  []string `json:"files"`
	Open   bool     `json:"open"`
	Draft  bool     `json:"draft"`
	Merged bool     `json:"merged"`

	Reviewers []string                 `json:"reviewers,omitempty"`
	Comments  []string                 `json:"comments,omitempty"`
	Statuses  map[string]github.Status `json:"statuses,omitempty"`
}

// pull looks at a pull request, or does to it what a person does:
//
//	pull show REPOSITORY NUMBER FILE
//	pull merge REPOSITORY NUMBER merge|squash|rebase
//	pull close REPOSITORY NUMBER
//	pull open REPOSITORY BRANCH TITLE
//
// show writes it as JSON; merge makes a draft ready first.
func pull(ts *testscript.TestScript, neg bool, args []string) {
	const least, most = 3, 4
	state := stateOf(ts)
	if neg || len(args) < least || len(args) > most || state.forge == nil {
		ts.Fatalf("usage: pull show|merge|close|open REPOSITORY NUMBER|BRANCH [FILE|METHOD|TITLE], after forge")
	}
	repo := state.forge.Repository(args[1])
	if args[0] == "open" && len(args) == most {
		_, err := repo.Open(args[2], "main", args[3], "ann")
		ts.Check(err)
		return
	}
	number, err := strconv.Atoi(args[2])
	ts.Check(err)
	switch verb := args[0]; {
	case verb == "show" && len(args) == most:
		p, err := repo.Pull(number)
		ts.Check(err)
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		ts.Check(enc.Encode(seen{p.Title, p.Body, p.Labels, p.Files, p.Open, p.Draft, p.Merged, p.Reviewers, p.Comments, repo.Statuses(p.HeadCommit)}))
		ts.Check(os.WriteFile(ts.MkAbs(args[3]), text.Bytes(), 0o600))
	case verb == "merge" && len(args) == most:
		ts.Check(repo.Ready(number))
		_, err = repo.Merge(number, args[3], "ana")
		ts.Check(err)
	case verb == "close" && len(args) == least:
		ts.Check(repo.ClosePull(number))
	default:
		ts.Fatalf("pull %v is not a use of pull", args)
	}
}
