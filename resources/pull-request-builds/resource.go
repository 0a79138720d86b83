// Package pullrequestbuilds is the resource type that builds pull requests: each
// commit of an open one is a version, a put says at the pull request how its
// build goes, stops a build that nobody waits for any more, or asks for all to
// be built again. README.md lists its source, params and files.
package pullrequestbuilds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Resource is pull-request-builds.
type Resource struct{}

// Result is the answer of a get or put.
type Result = concourse.Result[Version]

// GetParams are the params of a get step.
type GetParams struct {
	// SkipDownload leaves the code out: only .git/resource is there.
	SkipDownload bool `json:"skip_download"`
}

// Check lists the commits of open pull requests that were not offered yet.
func (Resource) Check(ctx context.Context, step concourse.Step, src Source, given *Version) ([]Version, error) {
	pulls, err := open(ctx, step, src)
	if err != nil {
		return nil, err
	}
	return since(given, pulls), nil
}

// open lists the pull requests that are to be built, by number.
func open(ctx context.Context, step concourse.Step, src Source) ([]*forge.Pull, error) {
	f, err := src.Open(forge.Options{Logf: step.Logf})
	if err != nil {
		return nil, err
	}
	pulls, err := f.OpenPulls(ctx)
	if err != nil {
		return nil, err
	}
	pulls = slices.DeleteFunc(pulls, func(p *forge.Pull) bool { return !src.wants(p) })
	slices.SortFunc(pulls, func(a, b *forge.Pull) int { return a.Number - b.Number })
	return pulls, nil
}

// In delivers the commit, and says beside it whose it is.
func (Resource) In(ctx context.Context, step concourse.Step, src Source, v Version, p GetParams) (Result, error) {
	if err := v.check(); err != nil {
		return Result{}, fmt.Errorf("the version to get: %w", err)
	}
	f, err := src.Open(forge.Options{Logf: step.Logf})
	if err != nil {
		return Result{}, err
	}
	out := Result{Version: v}
	page := f.WebURL() + "/pull/" + v.PR
	out.Metadata.Add("pull request", "%s", page)
	out.Metadata.Add("commit", "%s", v.Commit)
	if !p.SkipDownload {
		commit, err := deliver(ctx, step, src, v)
		if err != nil {
			return Result{}, fmt.Errorf("get commit %s of pull request %s of %s: %w", v.Commit, v.PR, src.Repository, err)
		}
		subject, _, _ := strings.Cut(strings.TrimSpace(commit.Message), "\n")
		out.Metadata.Add("message", "%s", subject)
		out.Metadata.Add("author", "%s", commit.Author.Name)
	}
	return out, label(step.Dir, v, page)
}

// check refuses what is not a version of this type.
func (v Version) check() error {
	if _, err := strconv.ParseUint(v.PR, 10, 63); err != nil {
		return fmt.Errorf("%q is not a number of a pull request", v.PR)
	}
	if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(v.Commit) {
		return fmt.Errorf("%q is not a commit", v.Commit)
	}
	return nil
}

// deliver writes the commit's files into the step's folder.
func deliver(ctx context.Context, step concourse.Step, src Source, v Version) (*git.Commit, error) {
	access, err := src.git()
	if err != nil {
		return nil, err
	}
	remote, err := git.Open(access, git.Options{Logf: step.Logf})
	if err != nil {
		return nil, err
	}
	defer func() { _ = remote.Close() }()
	store, err := remote.Store("")
	if err != nil {
		return nil, err
	}
	defer func() { _ = store.Close() }()
	hash := plumbing.NewHash(v.Commit)
	if err := store.NeedCommits(ctx, hash); err != nil {
		return nil, err
	}
	commit, err := store.Commit(ctx, hash)
	if err != nil {
		return nil, err
	}
	var files []git.File
	err = store.Walk(ctx, commit.Tree, func(string) bool { return true }, func(path string, e git.Entry) error {
		files = append(files, git.File{Path: path, Mode: e.Mode, Hash: e.Hash})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := store.Checkout(ctx, step.Dir, files); err != nil {
		return nil, err
	}
	step.Logf("delivered %d files of commit %.7s", len(files), v.Commit)
	return commit, store.WriteGitDir(ctx, step.Dir, git.GitDir{Head: hash, URL: store.URL(), Files: files, Whole: true})
}

// resourceDir is where a get says what it delivered, as other pull request
// resource types do.
const resourceDir = ".git/resource"

func label(dir string, v Version, page string) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write the version: %w", err)
	}
	at := filepath.Join(dir, filepath.FromSlash(resourceDir))
	if err := os.MkdirAll(at, 0o755); err != nil { //nolint:gosec // later steps read it, as other users
		return fmt.Errorf("write the version: %w", err)
	}
	for name, content := range map[string]string{"pr": v.PR, "head_sha": v.Commit, "url": page, "version.json": string(data)} {
		if err := os.WriteFile(filepath.Join(at, name), []byte(content), 0o644); err != nil {
			return fmt.Errorf("write the version: %w", err)
		}
	}
	return nil
}

// PutParams are the params of a put step: a status, or building again.
type PutParams struct {
	// Path is the folder of a get: whose commit it is about.
	Path string `json:"path"`
	// Status is pending, success, failure or error.
	Status string `json:"status"`
	// Context names what the status is about; BaseContext stands before it.
	Context     string `json:"context"`
	BaseContext string `json:"base_context"`
	// Description is what people read beside it.
	Description string `json:"description"`
	// TargetURL is where they get to; empty is the build.
	TargetURL string `json:"target_url"`
	// StopOutdated fails unless the commit is still the pull request's newest.
	StopOutdated bool `json:"stop_outdated"`
	// BuildAgain offers every open pull request once more.
	BuildAgain bool `json:"build_again"`
}

// Validate reports combinations that make no sense.
func (p PutParams) Validate() error {
	states := []string{string(forge.Pending), string(forge.Success), string(forge.Failure), string(forge.Error)}
	switch {
	case p.BuildAgain && p != (PutParams{BuildAgain: true}):
		return errors.New("build_again: is for all pull requests, and stands alone")
	case p.BuildAgain:
		return nil
	case p.Path == "":
		return errors.New("path: is required: the folder of a get of this resource, or build_again")
	case p.Status == "" && !p.StopOutdated:
		return errors.New("status or stop_outdated: one of them is required beside path")
	case p.Status == "" && (p.Context != "" || p.BaseContext != "" || p.Description != "" || p.TargetURL != ""):
		return errors.New("status: is missing")
	case p.Status != "" && !slices.Contains(states, p.Status):
		return fmt.Errorf("status: %q is not one of %s", p.Status, strings.Join(states, ", "))
	case p.Status != "" && p.Context == "" && p.BaseContext == "":
		return errors.New("context: is required beside status")
	}
	return nil
}

// Out sets a status, after having made sure, if asked to, that somebody still
// waits for the build; or offers all pull requests again.
func (Resource) Out(ctx context.Context, step concourse.Step, src Source, p PutParams) (Result, error) {
	if p.BuildAgain {
		return again(ctx, step, src)
	}
	v, err := got(step, p.Path)
	if err != nil {
		return Result{}, fmt.Errorf("params.path: %w", err)
	}
	f, err := src.Open(forge.Options{Logf: step.Logf})
	if err != nil {
		return Result{}, err
	}
	out := Result{Version: v}
	out.Metadata.Add("pull request", "%s", f.WebURL()+"/pull/"+v.PR)
	if p.StopOutdated {
		if err := newest(ctx, f, v); err != nil {
			return Result{}, err
		}
	}
	if p.Status == "" {
		step.Logf("commit %.7s is the newest of pull request %s", v.Commit, v.PR)
		return out, nil
	}
	status := p.status(step)
	if err := f.SetStatus(ctx, v.Commit, status); err != nil {
		return Result{}, err
	}
	step.Logf("status: %s of commit %.7s is %s", status.Context, v.Commit, status.State)
	out.Metadata.Add(status.Context, "%s", status.State)
	return out, nil
}

func (p PutParams) status(step concourse.Step) forge.Status {
	name := strings.Trim(p.BaseContext+"/"+p.Context, "/")
	link := p.TargetURL
	if link == "" {
		link = step.Build.URL()
	}
	return forge.Status{State: forge.State(p.Status), Context: name, Description: p.Description, URL: link}
}

// got reads what a get delivered.
func got(step concourse.Step, name string) (Version, error) {
	var v Version
	data, err := step.Artifacts().Read(path.Join(name, resourceDir, "version.json"), artifact.MaxDocument)
	if err != nil {
		return v, fmt.Errorf("%s is not a folder of a get of pull requests: %w", name, err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("read the version in %s: %w", name, err)
	}
	if err := v.check(); err != nil {
		return v, fmt.Errorf("the version in %s: %w", name, err)
	}
	return v, nil
}

// newest stops builds whose result nobody waits for.
func newest(ctx context.Context, f *forge.Forge, v Version) error {
	number, err := strconv.Atoi(v.PR)
	if err != nil {
		return fmt.Errorf("%q is not a number of a pull request", v.PR)
	}
	pull, err := f.PullByNumber(ctx, number)
	switch {
	case err != nil:
		return err
	case !pull.Open:
		return fmt.Errorf("pull request %d of %s is closed: this build stops, nobody waits for it", number, f.Repository())
	case pull.HeadCommit != v.Commit:
		return fmt.Errorf("pull request %d of %s has the newer commit %.7s: this build of %.7s stops, nobody waits for it", number, f.Repository(), pull.HeadCommit, v.Commit)
	}
	return nil
}

// again makes a version of the first open pull request that knows of no other,
// so that the next check offers all others as well.
func again(ctx context.Context, step concourse.Step, src Source) (Result, error) {
	pulls, err := open(ctx, step, src)
	if err != nil {
		return Result{}, err
	}
	if len(pulls) == 0 {
		return Result{}, fmt.Errorf("%s has no open pull request to build again (drafts and forks are left out unless the source says otherwise)", src.Repository)
	}
	now := Version{Commit: "none", Again: time.Now().UTC().Format("2006-01-02T15:04:05.000Z")}
	out := Result{Version: since(&now, pulls)[1]}
	for _, p := range pulls {
		step.Logf("again: pull request %d at commit %.7s, %s", p.Number, p.HeadCommit, p.Title)
		out.Metadata.Add(fmt.Sprintf("#%d", p.Number), "%s", p.URL)
	}
	return out, nil
}
