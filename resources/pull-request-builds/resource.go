// Package pullrequestbuilds is the resource type that builds pull requests: each commit of an open one
// is a version; a put sets a commit status, stops an outdated build, or has all of them built again.
// README.md lists its source, params and files.
//
// With the integration tools merge and rebase a version also names the commit of the base branch, and
// a get makes the merge or rebase itself, from these two commits. GitHub has a merge of its own, the
// ref refs/pull/N/merge that Actions check out. A get does not rely on it: the ref follows the
// branches late and only when somebody looks, and it forgets a merge as soon as one of them moves, so
// that the same version would give other files tomorrow, or none. Files and trees are the same; only
// the commit is another one, with dates that follow from its parents. The forge's merge helps in one
// case: renames, which the merge made here does not follow. If that finds a conflict and the forge has
// a merge of exactly these two commits, its tree is delivered.
package pullrequestbuilds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/forge"
)

// Resource is pull-request-builds.
type Resource struct{}

// Result is the answer of a get or put.
type Result = concourse.Result[Version]

// getParams are the params of a get step.
type getParams struct {
	// SkipDownload leaves the code out: only .git/resource is there.
	SkipDownload bool `json:"skip_download"`
	// GitDepth is accepted: the history that a get delivers is always one commit deep.
	GitDepth int `json:"git_depth"`

	// What a get of github-pr-resource has and this one has not.
	Submodules       bool `json:"submodules" concourse:"refused"`
	ListChangedFiles bool `json:"list_changed_files" concourse:"refused"`
	FetchTags        bool `json:"fetch_tags" concourse:"refused"`
}

// Validate refuses what a get does not deliver.
func (p getParams) Validate() error {
	switch {
	case p.Submodules:
		return errors.New("submodules: they are empty folders here: remove it, and fetch them in the job")
	case p.ListChangedFiles:
		return errors.New("list_changed_files: is not there: remove it, and ask GitHub's API in the job")
	case p.FetchTags:
		return errors.New("fetch_tags: what is delivered has no tags: remove it, and get them with a git resource")
	}
	return nil
}

// Check lists the commits of open pull requests that were not offered yet.
func (Resource) Check(ctx context.Context, step concourse.Step, src Source, given *Version) ([]Version, error) {
	offers, err := current(ctx, step, src)
	if err != nil {
		return nil, err
	}
	return since(given, offers), nil
}

// current lists what there is to offer, by number.
func current(ctx context.Context, step concourse.Step, src Source) ([]offer, error) {
	pulls, err := open(ctx, step, src)
	if err != nil {
		return nil, err
	}
	bases := map[string]string{}
	if src.integrates() && len(pulls) > 0 {
		if bases, err = tips(ctx, step, src, pulls); err != nil {
			return nil, err
		}
	}
	offers := make([]offer, 0, len(pulls))
	for _, p := range pulls {
		o := offer{number: p.Number, commit: p.HeadCommit, base: bases[p.Base], url: p.URL}
		if src.integrates() && o.base == "" {
			step.Logf("pull request %d is left out: its base branch %s does not exist", p.Number, p.Base)
			continue
		}
		offers = append(offers, o)
	}
	return offers, nil
}

// tips reads the newest commits of the base branches, by name, in one request. The forge's list is
// no source for them: it names the commit that a base had when the pull request was last pushed to.
func tips(ctx context.Context, step concourse.Step, src Source, pulls []*forge.Pull) (map[string]string, error) {
	var refs []string
	for _, p := range pulls {
		if ref := headsOf + p.Base; !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	remote, err := src.remote(step)
	if err != nil {
		return nil, err
	}
	defer func() { _ = remote.Close() }()
	values, err := remote.Refs(ctx, refs...)
	if err != nil {
		return nil, fmt.Errorf("read the base branches of %s: %w", src.Repository, err)
	}
	out := map[string]string{}
	for ref, hash := range values {
		out[strings.TrimPrefix(ref, headsOf)] = hash.String()
	}
	return out, nil
}

// headsOf begins the full names of branches.
const headsOf = "refs/heads/"

// open lists the pull requests that are to be built, by number.
func open(ctx context.Context, step concourse.Step, src Source) ([]*forge.Pull, error) {
	f, err := src.open(forge.Options{Logf: step.Logf})
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
func (Resource) In(ctx context.Context, step concourse.Step, src Source, v Version, p getParams) (Result, error) {
	if err := v.check(); err != nil {
		return Result{}, fmt.Errorf("version: %w", err)
	}
	f, err := src.open(forge.Options{Logf: step.Logf})
	if err != nil {
		return Result{}, err
	}
	out := Result{Version: v}
	page := f.WebURL() + "/pull/" + v.PR
	out.Metadata.Add("pull request", "%s", page)
	out.Metadata.Add("commit", "%s", v.Commit)
	if src.integrates() && v.Base != "" {
		out.Metadata.Add("base", "%s", v.Base)
	}
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
		return fmt.Errorf("pr: %q is not the number of a pull request", v.PR)
	}
	commit := regexp.MustCompile(`^[0-9a-f]{40}$`)
	if !commit.MatchString(v.Commit) {
		return fmt.Errorf("commit: %q is not a full commit hash", v.Commit)
	}
	if v.Base != "" && !commit.MatchString(v.Base) {
		return fmt.Errorf("base: %q is not a full commit hash", v.Base)
	}
	return nil
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
	files := map[string]string{"pr": v.PR, "head_sha": v.Commit, "url": page, "version.json": string(data)}
	if v.Base != "" {
		files["base_sha"] = v.Base
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(at, name), []byte(content), 0o644); err != nil {
			return fmt.Errorf("write the version: %w", err)
		}
	}
	return nil
}

// putParams are the params of a put step: a status, or building again.
type putParams struct {
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
	// StopOutdated fails unless the commit is still the pull request's newest, and the base its
	// base branch's.
	StopOutdated bool `json:"stop_outdated"`
	// BuildAgain offers every open pull request once more.
	BuildAgain bool `json:"build_again"`

	// What a put of github-pr-resource has and this one has not.
	Comment                string `json:"comment" concourse:"refused"`
	CommentFile            string `json:"comment_file" concourse:"refused"`
	DeletePreviousComments bool   `json:"delete_previous_comments" concourse:"refused"`
	DescriptionFile        string `json:"description_file" concourse:"refused"`
}

// withoutEffect reports a param of github-pr-resource whose meaning this resource type does not have.
func (p putParams) withoutEffect() error {
	switch {
	case p.Comment != "" || p.CommentFile != "" || p.DeletePreviousComments:
		return errors.New("comment, comment_file and delete_previous_comments: a put sets statuses and writes no comments: remove them, and comment with a task")
	case p.DescriptionFile != "":
		return errors.New("description_file: is not there: load the file with load_var, and set description to it")
	}
	return nil
}

// Validate reports combinations that make no sense.
func (p putParams) Validate() error {
	if err := p.withoutEffect(); err != nil {
		return err
	}
	states := []string{string(forge.Pending), string(forge.Success), string(forge.Failure), string(forge.Error)}
	switch {
	case p.BuildAgain && p != (putParams{BuildAgain: true}):
		return errors.New("build_again: is about all pull requests: remove the other params")
	case p.BuildAgain:
		return nil
	case p.Path == "":
		return errors.New("path: is required: the folder of a get of this resource, or build_again")
	case p.Status == "" && !p.StopOutdated:
		return errors.New("status: is required beside path, or stop_outdated")
	case p.Status == "" && (p.Context != "" || p.BaseContext != "" || p.Description != "" || p.TargetURL != ""):
		return errors.New("status: is required beside context, base_context, description and target_url")
	case p.Status != "" && !slices.Contains(states, strings.ToLower(p.Status)):
		return fmt.Errorf("status: %q is not one of %s", p.Status, strings.Join(states, ", "))
	case p.Status != "" && p.Context == "" && p.BaseContext == "":
		return errors.New("context: is required beside status")
	}
	return nil
}

// Out sets a status, or offers all pull requests again. With StopOutdated it fails if the build is
// outdated. A build on top of an older base than the branch has now sets no status.
func (Resource) Out(ctx context.Context, step concourse.Step, src Source, p putParams) (Result, error) {
	if p.BuildAgain {
		return again(ctx, step, src)
	}
	v, err := got(step, p.Path)
	if err != nil {
		return Result{}, fmt.Errorf("params.path: %w", err)
	}
	f, err := src.open(forge.Options{Logf: step.Logf})
	if err != nil {
		return Result{}, err
	}
	out := Result{Version: v}
	out.Metadata.Add("pull request", "%s", f.WebURL()+"/pull/"+v.PR)
	if p.StopOutdated || src.integrates() && v.Base != "" {
		err := newest(ctx, step, src, f, v)
		var old *outdated
		switch {
		case errors.As(err, &old) && !p.StopOutdated && !old.base:
		case errors.As(err, &old) && !p.StopOutdated:
			step.Logf("no status: %s", old.why)
			return out, nil
		case err != nil:
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

func (p putParams) status(step concourse.Step) forge.Status {
	name := strings.Trim(p.BaseContext+"/"+p.Context, "/")
	link := p.TargetURL
	if link == "" {
		link = step.Build.URL()
	}
	return forge.Status{State: forge.State(strings.ToLower(p.Status)), Context: name, Description: p.Description, URL: link}
}

// got reads what a get delivered.
func got(step concourse.Step, name string) (Version, error) {
	var v Version
	if _, err := step.Artifacts().Path(name); err != nil {
		return v, err
	}
	data, err := step.Artifacts().Read(path.Join(name, resourceDir, "version.json"), artifact.MaxDocument)
	if errors.Is(err, fs.ErrNotExist) {
		return v, fmt.Errorf("%s is not the folder of a get of pull-request-builds: it has no %s/version.json", name, resourceDir)
	}
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("read the version in %s: %w", name, err)
	}
	if err := v.check(); err != nil {
		return v, fmt.Errorf("the version in %s: %w", name, err)
	}
	return v, nil
}

// outdated is the error for a build that is no longer needed.
type outdated struct {
	why string
	// base says that the commit is the newest one, and the base is not. The build on top of the newer
	// base sets the statuses of the commit.
	base bool
}

// Error says why.
func (o *outdated) Error() string { return o.why }

// newest returns *outdated for builds whose result nobody waits for.
func newest(ctx context.Context, step concourse.Step, src Source, f *forge.Forge, v Version) error {
	number, err := strconv.Atoi(v.PR)
	if err != nil {
		return fmt.Errorf("pr: %q is not the number of a pull request", v.PR)
	}
	name := fmt.Sprintf("pull request %d of %s", number, f.Repository())
	pull, err := f.PullByNumber(ctx, number)
	switch {
	case err != nil:
		return err
	case !pull.Open:
		return &outdated{why: name + " is closed: this build stops, nobody waits for it"}
	case pull.HeadCommit != v.Commit:
		return &outdated{why: fmt.Sprintf("%s has the newer commit %.7s: this build of %.7s stops, nobody waits for it", name, pull.HeadCommit, v.Commit)}
	case !src.integrates() || v.Base == "":
		return nil
	}
	bases, err := tips(ctx, step, src, []*forge.Pull{pull})
	if err != nil {
		return err
	}
	if base := bases[pull.Base]; base != v.Base {
		return &outdated{base: true, why: fmt.Sprintf("the base branch %s of %s has the newer commit %.7s: the build on top of it counts, not this one on top of %.7s",
			pull.Base, name, base, v.Base)}
	}
	return nil
}

// again makes a version of the first open pull request that knows of no other,
// so that the next check offers all others as well.
func again(ctx context.Context, step concourse.Step, src Source) (Result, error) {
	offers, err := current(ctx, step, src)
	if err != nil {
		return Result{}, err
	}
	if len(offers) == 0 {
		return Result{}, fmt.Errorf("%s has no open pull request to build again (drafts and forks are left out unless the source says otherwise)", src.Repository)
	}
	now := Version{Commit: "none", Again: time.Now().UTC().Format("2006-01-02T15:04:05.000Z")}
	out := Result{Version: since(&now, offers)[1]}
	for _, o := range offers {
		step.Logf("again: pull request %d at commit %.7s", o.number, o.commit)
		out.Metadata.Add(fmt.Sprintf("#%d", o.number), "%s", o.url)
	}
	return out, nil
}
