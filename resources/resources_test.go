package resources_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
	ceplerout "github.com/taxiway-ci/taxiway/resources/cepler-out"
)

// The scripts use, besides the programs themselves, two small ones: "step" runs
// a check, get or put as Concourse would, and "repo" is the people who commit.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"cepler-in":  func() { concourse.Main(ceplerin.Resource{}, ceplerin.Explain()) },
		"cepler-out": func() { concourse.Main(ceplerout.Resource{}) },
		"step":       func() { os.Exit(runStep(os.Args[1:])) },
		"repo":       func() { exit(runRepo(os.Args[1:])) },
	})
}

func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts found: %v", err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("URI", filepath.Join(env.WorkDir, "r.git"))
			env.Setenv("NO_COLOR", "1")
			env.Setenv("TMPDIR", filepath.Join(env.WorkDir, "tmp"))
			return os.Mkdir(filepath.Join(env.WorkDir, "tmp"), 0o755)
		},
	})
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runStep is: step check|get|put ENVIRONMENT [DIR] [key=value…]
//
// A key is one of the source's, or given=FILE (the version a check is given),
// version=FILE (what a get fetches, default last.json) or param.KEY. The last
// version of an answer is kept in last.json.
func runStep(args []string) int {
	verb, environment, rest := args[0], args[1], args[2:]
	source := map[string]any{"uri": os.Getenv("URI"), "branch": "main", "environment": environment}
	if environment == "-" {
		delete(source, "environment")
	}
	request := map[string]any{"source": source}
	params := map[string]any{}
	versionFile := "last.json"
	dir := ""
	if verb != "check" {
		dir, rest = rest[0], rest[1:]
	}
	for _, arg := range rest {
		key, value, _ := strings.Cut(arg, "=")
		switch {
		case key == "given" || key == "version":
			versionFile = value
			if key == "given" {
				request["version"] = json.RawMessage(read(value))
			}
		case strings.HasPrefix(key, "param."):
			params[strings.TrimPrefix(key, "param.")] = parse(value)
		default:
			source[key] = parse(value)
		}
	}
	request["params"] = params
	p := concourse.Process{Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Environ()}
	var answer bytes.Buffer
	p.Stdout = &answer
	run := func(args ...string) int {
		data, err := json.Marshal(request)
		exit(err)
		p.Args, p.Stdin = args, bytes.NewReader(data)
		if verb == "put" {
			return concourse.Run(context.Background(), p, ceplerout.Resource{})
		}
		return concourse.Run(context.Background(), p, ceplerin.Resource{})
	}
	var status int
	switch verb {
	case "check":
		status = run("check")
	case "get":
		request["version"] = json.RawMessage(read(versionFile))
		status = run("in", dir)
	case "put":
		if _, ok := params["repository"]; !ok {
			params["repository"] = filepath.Base(dir)
		}
		if params["repository"] == "" {
			delete(params, "repository")
		}
		status = run("out", filepath.Dir(dir))
	}
	os.Stdout.Write(answer.Bytes())
	keepLast(answer.Bytes())
	return status
}

// keepLast writes the newest version of an answer to last.json.
func keepLast(answer []byte) {
	var list []json.RawMessage
	if json.Unmarshal(answer, &list) == nil && len(list) > 0 {
		exit(os.WriteFile("last.json", list[len(list)-1], 0o644))
	}
	var result struct{ Version json.RawMessage }
	if json.Unmarshal(answer, &result) == nil && result.Version != nil {
		exit(os.WriteFile("last.json", result.Version, 0o644))
	}
}

func read(file string) []byte {
	data, err := os.ReadFile(file)
	exit(err)
	return data
}

// parse is a JSON value, or else a string.
func parse(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) == nil {
		if _, number := v.(float64); !number {
			return v
		}
	}
	return text
}

// runRepo is: repo init | commit [branch=B] [from=REV] MESSAGE CHANGE… | merge BRANCH MESSAGE CHANGE… | state ENV [REV] | …
//
// A change is path=content, -path, +x:path=content or link:path=target; in it
// and in a message \n is a line break and \xHH a byte.
func runRepo(args []string) error {
	dir := os.Getenv("URI")
	if args[0] == "init" {
		return initRepo(dir, args[1:])
	}
	repo := gittest.Open(dir)
	switch args[0] {
	case "commit":
		return commit(repo, args[1:])
	case "state":
		return showState(repo, args[1:])
	case "hook":
		return repo.Hook("pre-receive", "#!/bin/sh\necho \""+args[1]+"\" >&2\nexit 1\n")
	case "fsck":
		return repo.Fsck()
	case "shallow":
		return shallowCopy(repo, args[1])
	case "log":
		lines, err := repo.Log("%s", args[1:]...)
		fmt.Println(strings.Join(lines, "\n"))
		return err
	}
	return errors.New("repo: unknown command " + args[0])
}

// initRepo makes the bare repository, with the folder repo/ as its first commit.
func initRepo(dir string, _ []string) error {
	repo, err := gittest.Init(dir)
	if err != nil {
		return err
	}
	series := repo.Import()
	first := series.Commit("main", "init")
	if _, err := os.Stat("repo"); err == nil {
		if err := first.Folder("repo"); err != nil {
			return err
		}
	}
	return series.Done()
}

func commit(repo *gittest.Repository, args []string) error {
	branch, merge, from := "main", "", ""
	for len(args) > 0 {
		if value, ok := strings.CutPrefix(args[0], "branch="); ok {
			branch = value
		} else if value, ok := strings.CutPrefix(args[0], "merge="); ok {
			merge = value
		} else if value, ok := strings.CutPrefix(args[0], "from="); ok {
			from = value
		} else {
			break
		}
		args = args[1:]
	}
	if from != "" {
		if err := repo.UpdateRef("refs/heads/"+branch, from); err != nil {
			return err
		}
	}
	if merge != "" {
		return mergeCommit(repo, branch, merge, args[0])
	}
	series := repo.Import()
	c := series.Commit(branch, unescape(args[0]))
	change(c, args[1:])
	if err := series.Done(); err != nil {
		return err
	}
	fmt.Println(c.Hash())
	return nil
}

// shallowCopy makes a bare repository that has only the newest commit.
func shallowCopy(repo *gittest.Repository, to string) error {
	_, err := repo.Git("clone", "-q", "--bare", "--depth=1", "--branch=main", "file://"+repo.Dir, to)
	return err
}

// mergeCommit merges a branch, as `git merge --no-ff` does.
func mergeCommit(repo *gittest.Repository, into, branch, message string) error {
	tree, err := repo.Git("merge-tree", "--write-tree", into, branch)
	if err != nil {
		return err
	}
	ours, err := repo.RevParse(into)
	if err != nil {
		return err
	}
	theirs, err := repo.RevParse(branch)
	if err != nil {
		return err
	}
	h, err := repo.CommitTree(strings.TrimSpace(tree), message, ours, theirs)
	if err != nil {
		return err
	}
	return repo.UpdateRef("refs/heads/"+into, h)
}

var byteEscape = regexp.MustCompile(`\\x[0-9a-f]{2}`)

func unescape(text string) string {
	text = byteEscape.ReplaceAllStringFunc(text, func(escape string) string {
		b, _ := hex.DecodeString(escape[2:])
		return string(b)
	})
	return strings.ReplaceAll(text, `\n`, "\n")
}

func change(c *gittest.Commit, changes []string) {
	for _, text := range changes {
		if path, ok := strings.CutPrefix(text, "-"); ok {
			c.Delete(path)
			continue
		}
		path, content, _ := strings.Cut(unescape(text), "=")
		switch {
		case strings.HasPrefix(path, "+x:"):
			c.Exec(strings.TrimPrefix(path, "+x:"), content)
		case strings.HasPrefix(path, "link:"):
			c.Link(strings.TrimPrefix(path, "link:"), content)
		default:
			c.Write(path, content)
		}
	}
}

var fullHash = regexp.MustCompile(`[0-9a-f]{40}`)

// showState prints a state file with commits as <subject> and blobs as
// {content}, so that it can be read.
func showState(repo *gittest.Repository, args []string) error {
	revision, path := "main", args[0]
	if len(args) > 1 {
		revision = args[1]
	}
	if !strings.HasSuffix(path, ".state") {
		path = ".cepler/default/" + path + ".state"
	}
	text, err := repo.Show(revision, path)
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, h := range fullHash.FindAllString(text, -1) {
		names[h] = h
		if kind, err := repo.Git("cat-file", "-t", h); err == nil {
			switch strings.TrimSpace(kind) {
			case "commit":
				subject, _ := repo.Git("log", "-1", "--format=%s", h)
				names[h] = "<" + strings.TrimSpace(subject) + ">"
			case "blob":
				content, _ := repo.Git("cat-file", "blob", h)
				names[h] = "{" + strings.TrimSpace(content) + "}"
			}
		}
	}
	for _, h := range slices.Sorted(maps.Keys(names)) {
		text = strings.ReplaceAll(text, h, names[h])
	}
	fmt.Print(text)
	return nil
}
