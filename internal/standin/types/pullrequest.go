package types

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// PullRequest stands in for the resource type pull-request (github-pr), against
// a forge on this machine: the open pull requests, each commit of theirs a
// version; a get of what merging it would give; a put of a commit status or a
// comment.
type PullRequest struct{ GitHub GitHub }

type pullSource struct {
	Repository    string   `json:"repository"`
	BaseBranch    string   `json:"base_branch"`
	Paths         []string `json:"paths"`
	IgnorePaths   []string `json:"ignore_paths"`
	Labels        []string `json:"labels"`
	States        []string `json:"states"`
	IgnoreDrafts  bool     `json:"ignore_drafts"`
	DisableForks  bool     `json:"disable_forks"`
	DisableCISkip bool     `json:"disable_ci_skip"`
	// in place of these there is the forge on this machine
	AccessToken         string `json:"access_token"`
	V3Endpoint          string `json:"v3_endpoint"`
	V4Endpoint          string `json:"v4_endpoint"`
	SkipSSLVerification bool   `json:"skip_ssl_verification"`
}

type pullGet struct {
	SkipDownload     bool   `json:"skip_download"`
	IntegrationTool  string `json:"integration_tool"`
	GitDepth         int    `json:"git_depth"`
	FetchTags        bool   `json:"fetch_tags"`
	Submodules       bool   `json:"submodules"`
	ListChangedFiles bool   `json:"list_changed_files"`
}

type pullPut struct {
	Path        string `json:"path"`
	Status      string `json:"status"`
	Context     string `json:"context"`
	BaseContext string `json:"base_context"`
	TargetURL   string `json:"target_url"`
	Description string `json:"description"`
	Comment     string `json:"comment"`
	CommentFile string `json:"comment_file"`
}

// pull is a pull request as the forge lists it.
type pull struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
	URL    string `json:"html_url"`
	State  string `json:"state"`
	Draft  bool   `json:"draft"`
	Labels []struct {
		Name string `json:"name"`
	} `json:"labels"`
	Head end `json:"head"`
	Base end `json:"base"`
}

// end is one end of a pull request.
type end struct {
	Ref  string `json:"ref"`
	SHA  string `json:"sha"`
	Repo struct {
		FullName string `json:"full_name"`
	} `json:"repo"`
}

// pullCommit is the newest commit of a pull request.
type pullCommit struct {
	message, author, email string
	committed              time.Time
}

// Run does one verb.
func (p PullRequest) Run(ctx context.Context, call rehearsal.Call) ([]byte, error) {
	return verbs[pullSource, pullGet, pullPut]{p.check, p.in, p.out}.run(ctx, "pull-request", call)
}

func (p PullRequest) check(ctx context.Context, c container, source pullSource, from rehearsal.Version) ([]rehearsal.Version, error) {
	if len(source.States) > 0 && !slices.Equal(source.States, []string{"OPEN"}) {
		return nil, fmt.Errorf("%w: states other than OPEN", errRequest)
	}
	open, err := pages[pull](ctx, p.GitHub, "/repos/"+source.Repository+"/pulls?state=open")
	if err != nil {
		return nil, err
	}
	if err := c.mirror(ctx, p.GitHub.Clone(source.Repository), "+refs/heads/*:refs/heads/*"); err != nil {
		return nil, err
	}
	var versions []rehearsal.Version
	for _, r := range open {
		commit, err := c.pullCommit(ctx, c.mirrored(), r.Head.SHA)
		if err != nil {
			return nil, err
		}
		ok, err := p.wanted(ctx, source, r, commit)
		if err != nil {
			return nil, err
		}
		if ok {
			versions = append(versions, rehearsal.Version{
				"pr": strconv.Itoa(r.Number), "commit": r.Head.SHA, "committed": commit.committed.UTC().Format(time.RFC3339),
				"approved_review_count": "0", "state": "OPEN",
			})
		}
	}
	return newerPulls(versions, from), nil
}

// newerPulls are the versions that were committed since from, the oldest first; without it the newest.
func newerPulls(versions []rehearsal.Version, from rehearsal.Version) []rehearsal.Version {
	slices.SortStableFunc(versions, func(a, b rehearsal.Version) int {
		return cmp.Or(strings.Compare(a["committed"], b["committed"]), strings.Compare(a["pr"], b["pr"]))
	})
	if from == nil {
		return versions[max(0, len(versions)-1):]
	}
	newer := slices.DeleteFunc(versions, func(v rehearsal.Version) bool { return v["committed"] < from["committed"] })
	if len(newer) == 0 {
		return []rehearsal.Version{from}
	}
	return newer
}

func (c container) pullCommit(ctx context.Context, dir, hash string) (pullCommit, error) {
	f, err := c.gitLog(ctx, dir, hash, "%cI", "%an", "%ae", "%B")
	if err != nil {
		return pullCommit{}, err
	}
	committed, err := time.Parse(time.RFC3339, f[0])
	return pullCommit{f[3], f[1], f[2], committed}, err
}

// wanted tells whether the source is about such a pull request.
func (p PullRequest) wanted(ctx context.Context, source pullSource, r pull, commit pullCommit) (bool, error) {
	skip := regexp.MustCompile(`(?i)\[(ci skip|skip ci)\]`)
	switch {
	case source.BaseBranch != "" && r.Base.Ref != source.BaseBranch,
		source.IgnoreDrafts && r.Draft,
		source.DisableForks && r.Head.Repo.FullName != r.Base.Repo.FullName,
		!source.DisableCISkip && (skip.MatchString(r.Title) || skip.MatchString(commit.message)):
		return false, nil
	}
	if len(source.Labels) > 0 && !slices.ContainsFunc(r.Labels, func(l struct {
		Name string `json:"name"`
	},
	) bool {
		return slices.Contains(source.Labels, l.Name)
	}) {
		return false, nil
	}
	if len(source.Paths)+len(source.IgnorePaths) == 0 {
		return true, nil
	}
	type file struct {
		Name string `json:"filename"`
	}
	files, err := pages[file](ctx, p.GitHub, fmt.Sprintf("/repos/%s/pulls/%d/files", source.Repository, r.Number))
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(files, func(f file) bool {
		return (len(source.Paths) == 0 || matchesAny(source.Paths, f.Name)) && !matchesAny(source.IgnorePaths, f.Name)
	}), nil
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := doublestar.Match(p, name)
		return err == nil && ok || strings.HasPrefix(name, strings.TrimSuffix(p, "/")+"/")
	})
}

func (p PullRequest) in(ctx context.Context, c container, source pullSource, version rehearsal.Version, params pullGet) (result, error) {
	if params.SkipDownload {
		return result{Version: version}, nil
	}
	var r pull
	if err := p.GitHub.call(ctx, http.MethodGet, "/repos/"+source.Repository+"/pulls/"+version["pr"], nil, &r); err != nil {
		return result{}, err
	}
	base, err := p.clone(ctx, c, source, version, params, r)
	if err != nil {
		return result{}, err
	}
	commit, err := c.pullCommit(ctx, c.dir, version["commit"])
	if err != nil {
		return result{}, err
	}
	message, _, _ := strings.Cut(commit.message, "\n")
	metadata := fields(
		"pr", version["pr"], "title", r.Title, "url", r.URL,
		"head_name", r.Head.Ref, "head_sha", version["commit"], "base_name", r.Base.Ref, "base_sha", base,
		"message", message, "author", commit.author, "author_email", commit.email, "state", "OPEN",
	)
	return result{version, metadata}, describePull(c, version, metadata)
}

// clone checks out what the merge would give, or the pull request itself, and
// returns the base's commit.
func (p PullRequest) clone(ctx context.Context, c container, source pullSource, version rehearsal.Version, params pullGet, r pull) (string, error) {
	uri := p.GitHub.Clone(source.Repository)
	steps := [][]string{
		{"clone", "--quiet", "--branch", r.Base.Ref, uri, "."},
		{"fetch", "--quiet", "origin", version["commit"]},
	}
	if params.GitDepth > 0 {
		steps[0] = slices.Insert(steps[0], 1, "--depth", strconv.Itoa(params.GitDepth))
	}
	if params.FetchTags {
		steps = append(steps, []string{"fetch", "--quiet", "--tags", "origin"})
	}
	if err := c.gitSteps(ctx, steps); err != nil {
		return "", err
	}
	base, err := c.git(ctx, c.dir, "rev-parse", "HEAD")
	if err != nil {
		return "", err
	}
	switch params.IntegrationTool {
	case "", "merge":
		_, err = c.git(ctx, c.dir, "merge", "--quiet", "--no-stat", version["commit"])
	case "checkout":
		_, err = c.git(ctx, c.dir, "checkout", "--quiet", "-B", r.Head.Ref, version["commit"])
	case "rebase":
		_, err = c.git(ctx, c.dir, "rebase", "--quiet", base, version["commit"])
	default:
		err = fmt.Errorf("integration_tool %q: merge, rebase or checkout is wanted", params.IntegrationTool)
	}
	if err != nil {
		return "", err
	}
	if !params.ListChangedFiles {
		return base, nil
	}
	changed, err := c.git(ctx, c.dir, "diff", "--name-only", base+"..."+version["commit"])
	if err != nil {
		return "", err
	}
	return base, c.write(".git/resource/changed_files", changed+"\n")
}

// describePull writes what the type says about a pull request.
func describePull(c container, version rehearsal.Version, metadata []rehearsal.MetadataField) error {
	v, err := json.Marshal(version)
	if err != nil {
		return err
	}
	m, err := json.Marshal(metadata)
	if err != nil {
		return err
	}
	errs := []error{c.write(".git/resource/version.json", string(v)), c.write(".git/resource/metadata.json", string(m))}
	for _, field := range metadata {
		errs = append(errs, c.write(".git/resource/"+field.Name, field.Value))
	}
	return errors.Join(errs...)
}

func (p PullRequest) out(ctx context.Context, c container, source pullSource, params pullPut) (result, error) {
	at, err := c.path(params.Path)
	if err != nil {
		return result{}, fmt.Errorf("path: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(at, ".git", "resource", "version.json"))
	if err != nil {
		return result{}, fmt.Errorf("path %s is not a get of a pull request: %w", params.Path, err)
	}
	var version rehearsal.Version
	if err := json.Unmarshal(text, &version); err != nil {
		return result{}, err
	}
	repository := "/repos/" + source.Repository
	if params.Status != "" {
		status := map[string]string{
			"state": strings.ToLower(params.Status), "context": cmp.Or(params.BaseContext, "concourse-ci") + "/" + cmp.Or(params.Context, "status"),
			"description": c.expand(cmp.Or(params.Description, "Concourse CI build "+params.Status)), "target_url": c.expand(cmp.Or(params.TargetURL, "$BUILD_URL")),
		}
		if err := p.GitHub.call(ctx, http.MethodPost, repository+"/statuses/"+version["commit"], status, nil); err != nil {
			return result{}, err
		}
	}
	comment := params.Comment
	if params.CommentFile != "" {
		if comment, err = c.text(params.CommentFile); err != nil {
			return result{}, err
		}
	}
	if comment != "" {
		if err := p.GitHub.call(ctx, http.MethodPost, repository+"/issues/"+version["pr"]+"/comments", map[string]string{"body": c.expand(comment)}, nil); err != nil {
			return result{}, err
		}
	}
	return result{Version: version}, nil
}

// expand fills in the BUILD_… variables.
func (c container) expand(s string) string {
	return os.Expand(s, func(name string) string {
		if value, ok := c.env[name]; ok {
			return value
		}
		return "$" + name
	})
}
