package scripttest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// repo is the people who work with the script's repository, a bare one in the folder $URI:
//
//	repo init
//	repo commit [branch=B] [from=REVISION] MESSAGE CHANGE…
//	repo commit [branch=B] merge=BRANCH MESSAGE
//	repo state ENVIRONMENT|FILE.state [REVISION]
//	repo hook TEXT
//	repo shallow DIR
//	repo fsck
//	repo log ARGUMENT…
//
// Init makes the folder repo, where there is one, the first commit of main. A CHANGE is path=content, -path (removes it),
// +x:path=content (executable) or link:path=target; in it and in MESSAGE \n is a line break and \xHH a byte. State prints a
// state file with commits as <subject> and blobs as {content}. Hook makes the repository refuse pushes with TEXT. Shallow
// makes a bare copy that has only the newest commit.
func repo(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: repo init|commit|state|hook|shallow|fsck|log")
	}
	p := people{repo: gittest.Open(ts.Getenv("URI")), folder: ts.MkAbs("repo"), out: ts.Stdout()}
	err := p.run(args[0], args[1:])
	if (err != nil) != neg {
		ts.Fatalf("repo %s: %v", strings.Join(args, " "), err)
	}
}

// people run the commands of "repo".
type people struct {
	repo   *gittest.Repository
	folder string // of the first commit
	out    io.Writer
}

func (p people) run(command string, args []string) error {
	switch {
	case command == "init":
		return p.init()
	case command == "fsck":
		return p.repo.Fsck()
	case command == "log":
		lines, err := p.repo.Log("%s", args...)
		p.say(strings.Join(lines, "\n"))
		return err
	case len(args) == 0:
		return errors.New("an argument is missing")
	case command == "commit":
		return p.commit(args)
	case command == "state":
		return p.state(args)
	case command == "hook":
		return p.repo.Hook("pre-receive", "#!/bin/sh\necho \""+args[0]+"\" >&2\nexit 1\n")
	case command == "shallow":
		_, err := p.repo.Git("clone", "-q", "--bare", "--depth=1", "--branch=main", "file://"+p.repo.Dir, args[0])
		return err
	}
	return errors.New("unknown command")
}

func (p people) say(line string) { _, _ = fmt.Fprintln(p.out, line) }

func (p people) init() error {
	made, err := gittest.Init(p.repo.Dir)
	if err != nil {
		return err
	}
	series := made.Import()
	first := series.Commit("main", "init")
	if err := first.Folder(p.folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return series.Done()
}

func (p people) commit(args []string) error {
	branch, merge, from := "main", "", ""
	options := map[string]*string{"branch": &branch, "merge": &merge, "from": &from}
	for len(args) > 0 {
		name, value, _ := strings.Cut(args[0], "=")
		option := options[name]
		if option == nil {
			break
		}
		*option, args = value, args[1:]
	}
	if len(args) == 0 {
		return errors.New("the message is missing")
	}
	if from != "" {
		if err := p.repo.UpdateRef("refs/heads/"+branch, from); err != nil {
			return err
		}
	}
	if merge != "" {
		return p.merge(branch, merge, args[0])
	}
	series := p.repo.Import()
	c := series.Commit(branch, unescape(args[0]))
	for _, text := range args[1:] {
		change(c, text)
	}
	if err := series.Done(); err != nil {
		return err
	}
	p.say(c.Hash())
	return nil
}

// merge merges a branch, as `git merge --no-ff` does.
func (p people) merge(into, branch, message string) error {
	tree, err := p.repo.Git("merge-tree", "--write-tree", into, branch)
	if err != nil {
		return err
	}
	ours, err := p.repo.RevParse(into)
	if err != nil {
		return err
	}
	theirs, err := p.repo.RevParse(branch)
	if err != nil {
		return err
	}
	h, err := p.repo.CommitTree(strings.TrimSpace(tree), message, ours, theirs)
	if err != nil {
		return err
	}
	return p.repo.UpdateRef("refs/heads/"+into, h)
}

func unescape(text string) string {
	text = regexp.MustCompile(`\\x[0-9a-f]{2}`).ReplaceAllStringFunc(text, func(escape string) string {
		b, _ := hex.DecodeString(escape[2:])
		return string(b)
	})
	return strings.ReplaceAll(text, `\n`, "\n")
}

func change(c *gittest.Commit, text string) {
	if path, ok := strings.CutPrefix(text, "-"); ok {
		c.Delete(path)
		return
	}
	path, content, _ := strings.Cut(unescape(text), "=")
	if file, ok := strings.CutPrefix(path, "+x:"); ok {
		c.Exec(file, content)
	} else if link, ok := strings.CutPrefix(path, "link:"); ok {
		c.Link(link, content)
	} else {
		c.Write(path, content)
	}
}

func (p people) state(args []string) error {
	revision, path := "main", args[0]
	if len(args) > 1 {
		revision = args[1]
	}
	if !strings.HasSuffix(path, ".state") {
		path = ".cepler/default/" + path + ".state"
	}
	text, err := p.repo.Show(revision, path)
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, h := range regexp.MustCompile(`[0-9a-f]{40}`).FindAllString(text, -1) {
		names[h] = p.readable(h)
	}
	for _, h := range slices.Sorted(maps.Keys(names)) {
		text = strings.ReplaceAll(text, h, names[h])
	}
	_, err = io.WriteString(p.out, text)
	return err
}

// readable returns a commit as <subject>, a blob as {content} and any other hash as it is.
func (p people) readable(h string) string {
	kind, err := p.repo.Git("cat-file", "-t", h)
	if err != nil {
		return h
	}
	switch strings.TrimSpace(kind) {
	case "commit":
		subject, _ := p.repo.Git("log", "-1", "--format=%s", h)
		return "<" + strings.TrimSpace(subject) + ">"
	case "blob":
		content, _ := p.repo.Git("cat-file", "blob", h)
		return "{" + strings.TrimSpace(content) + "}"
	}
	return h
}
