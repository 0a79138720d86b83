// Package chartbump is the resource type that writes image digests into a Helm
// chart and keeps one pull request open for it. README.md lists its source,
// params and files.
package chartbump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// Resource is chart-bump.
type Resource struct{}

// Version is a commit of the base branch, or of the bot branch while its pull
// request is open.
type Version struct {
	Commit string `json:"commit"`
	// PR is the number of the open pull request; empty otherwise.
	PR string `json:"pr,omitempty"`
}

// Result is the answer of a get or put.
type Result = concourse.Result[Version]

// Out brings new digests into the chart.
func (Resource) Out(ctx context.Context, step concourse.Step, src Source, p PutParams) (out Result, err error) {
	code, err := codeOf(ctx, step, p)
	if err != nil {
		return Result{}, err
	}
	if code != nil {
		defer func() { err = errors.Join(err, code.Close()) }()
	}
	w, err := newWish(ctx, step, src, p, code)
	if err != nil {
		return Result{}, err
	}
	remote, store, err := open(src, step)
	if err != nil {
		return Result{}, err
	}
	defer closeAll(store, remote)
	b := &bumper{src: src, step: step, remote: remote, store: store, wish: w, now: time.Now}
	if src.Mode == modePush {
		return b.answerPush(ctx)
	}
	hub, err := src.GitHub.Open(forge.Options{Logf: step.Logf})
	if err != nil {
		return Result{}, fmt.Errorf("source.github: %w", err)
	}
	defer hub.Disconnect()
	return b.pullRequest(ctx, hub, code, p.RequireAutoMerge)
}

func open(src Source, step concourse.Step) (*git.Remote, *git.Store, error) {
	remote, err := git.Open(src.Access, git.Options{Logf: step.Logf})
	if err != nil {
		return nil, nil, err
	}
	store, err := remote.Store("")
	if err != nil {
		return nil, nil, errors.Join(err, remote.Close())
	}
	return remote, store, nil
}

func closeAll(all ...io.Closer) {
	for _, c := range all {
		_ = c.Close() // what was asked for is done, or its error is on the way
	}
}

// codeOf opens the put's source repository, if it has one.
func codeOf(ctx context.Context, step concourse.Step, p PutParams) (*sourceRepository, error) {
	if p.SourceRepository == "" {
		return nil, nil //nolint:nilnil // no repository is an answer
	}
	dir, err := step.Path(p.SourceRepository)
	if err != nil {
		return nil, fmt.Errorf("params.source_repository: %w", err)
	}
	code, err := openCode(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("params.source_repository %s: %w", p.SourceRepository, err)
	}
	return code, nil
}

// newWish reads everything that params name. It uses no network but for images
// that are looked up in a registry.
func newWish(ctx context.Context, step concourse.Step, src Source, p PutParams, code *sourceRepository) (wish, error) {
	var w wish
	if err := checkExtra(src, p); err != nil {
		return w, err
	}
	if p.VersionFile != "" {
		v, err := readVersion(step, p.VersionFile)
		if err != nil {
			return w, fmt.Errorf("params.version_file: %w", err)
		}
		w.version = &v
	} else if src.wantsVersion() {
		return w, errors.New("params.version_file: is required, as the source has app_version_paths or chart_app_version")
	}
	if err := w.readCopies(step, p); err != nil {
		return w, err
	}
	var err error
	w.targets, err = resolver{step: step, src: src, code: code}.targets(ctx, p.Images)
	return w, err
}

// checkExtra refuses to write over what the bump itself writes.
func checkExtra(src Source, p PutParams) error {
	own := []string{src.values(), "Chart.yaml"}
	for i, c := range p.Copy {
		for _, name := range own {
			if c.To == name || strings.HasPrefix(name, c.To+"/") {
				return fmt.Errorf("params.copy[%d].to: %s is, or holds, the chart's %s", i, c.To, name)
			}
		}
	}
	for i, f := range p.Files {
		if slices.Contains(own, f.Path) {
			return fmt.Errorf("params.files[%d].path: %s is changed by path, in the source", i, f.Path)
		}
	}
	return nil
}

func readVersion(step concourse.Step, name string) (version.Version, error) {
	file, err := step.Path(name)
	if err != nil {
		return version.Version{}, err
	}
	data, err := readSmall(file)
	if err != nil {
		return version.Version{}, fmt.Errorf("read %s: %w", name, err)
	}
	v, err := version.Parse(string(data))
	if err != nil {
		return v, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// answerPush commits to the base branch.
func (b *bumper) answerPush(ctx context.Context) (Result, error) {
	p, done, err := b.push(ctx)
	if err != nil {
		return Result{}, err
	}
	out := Result{Version: Version{Commit: done.Hash.String()}}
	if p.built == nil {
		b.step.Logf("%s on branch %s is as wished already", b.src.Chart, b.src.Branch)
		out.Metadata.Add("changed", "nothing: %s is as wished already", b.src.Branch)
		return out, nil
	}
	b.step.Logf("%s is commit %s on branch %s", subject(p.built.Commit.Message), short(done.Hash.String()), b.src.Branch)
	b.describe(&out, p, done.Hash)
	return out, nil
}

// pullRequest keeps the bot branch and its pull request up to date.
func (b *bumper) pullRequest(ctx context.Context, hub *forge.Forge, code *sourceRepository, requireMerge bool) (Result, error) {
	p, err := b.branch(ctx)
	if err != nil {
		return Result{}, err
	}
	if p.built == nil {
		return b.nothing(ctx, hub, p)
	}
	m := message{src: b.src, wish: b.wish, changes: p.changes, build: b.step.Build}
	if code != nil {
		m.commits, m.reached = b.codeCommits(ctx, code, p)
	}
	pull, done, err := hub.Ensure(ctx, forge.PullWish{
		Head: b.src.BotBranch, Base: b.src.Branch, Title: m.title(), Body: m.body(), Labels: b.src.Labels, Draft: b.src.Draft,
	})
	if err != nil {
		return Result{}, fmt.Errorf("branch %s is pushed, but has no pull request as wished; put again: %w", b.src.BotBranch, err)
	}
	pull.HeadCommit = p.built.Hash.String() // which GitHub may not yet have seen
	switch {
	case done.Created:
		b.step.Logf("opened %s", pull.URL)
	case len(done.Changed) > 0:
		b.step.Logf("updated %s: %s", pull.URL, strings.Join(done.Changed, ", "))
	default:
		b.step.Logf("%s is as wished already", pull.URL)
	}
	out := Result{Version: Version{Commit: p.built.Hash.String(), PR: strconv.Itoa(pull.Number)}}
	out.Metadata.Add("pull request", "%s", pull.URL)
	if err := b.autoMerge(ctx, hub, pull, requireMerge, &out); err != nil {
		return Result{}, err
	}
	b.describe(&out, p, p.built.Hash)
	return out, nil
}

// autoMerge sets the pull request to merge by itself, if the source wants it.
func (b *bumper) autoMerge(ctx context.Context, hub *forge.Forge, pull *forge.Pull, required bool, out *Result) error {
	if !b.src.AutoMerge.On {
		return nil
	}
	err := hub.AutoMerge(ctx, pull, b.src.AutoMerge.Method)
	switch {
	case errors.Is(err, forge.ErrAutoMergeOff) && !required:
		b.step.Logf("warning: %v", err)
		out.Metadata.Add("auto-merge", "not possible: the pull request waits for a person or a workflow")
	case err != nil:
		return err
	case pull.Merged:
		b.step.Logf("%s was merged at once", pull.URL)
		out.Metadata.Add("auto-merge", "merged at once")
		out.Version = Version{Commit: pull.MergeCommit}
	default:
		out.Metadata.Add("auto-merge", "on")
	}
	return nil
}

// nothing ends a put whose wishes the base branch has already: a pull request
// that is open has nothing to say any more.
func (b *bumper) nothing(ctx context.Context, hub *forge.Forge, p proposal) (Result, error) {
	out := Result{Version: Version{Commit: p.base.Hash.String()}}
	out.Metadata.Add("changed", "nothing: %s is as wished already", b.src.Branch)
	b.step.Logf("%s on branch %s is as wished already", b.src.Chart, b.src.Branch)
	pull, err := hub.Pull(ctx, b.src.BotBranch, b.src.Branch)
	if errors.Is(err, forge.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return Result{}, err
	}
	if err := b.own(ctx, p.base.Hash); errors.Is(err, ErrEdited) {
		b.step.Logf("warning: %s stays open: %v", pull.URL, err)
		return out, nil
	} else if err != nil {
		return Result{}, err
	}
	reason := fmt.Sprintf("Closed, as branch `%s` has everything that this pull request was for since %s.", b.src.Branch, short(p.base.Hash.String()))
	if err := hub.Close(ctx, pull.Number, reason); err != nil {
		return Result{}, err
	}
	b.step.Logf("closed %s, which has nothing left to bring", pull.URL)
	out.Metadata.Add("closed", "%s", pull.URL)
	return out, nil
}

// own is ErrEdited when someone else has changed the bot branch.
func (b *bumper) own(ctx context.Context, head git.Hash) error {
	refs, err := b.remote.Refs(ctx, b.src.botRef())
	if err != nil || refs[b.src.botRef()].IsZero() || refs[b.src.botRef()] == head {
		return err
	}
	_, err = b.botCommit(ctx, refs[b.src.botRef()], head)
	return err
}

// codeCommits lists what is new in the code since the oldest of the bumped
// images. It is for people, so what can't be read is left out.
func (b *bumper) codeCommits(ctx context.Context, code *sourceRepository, p proposal) ([]codeCommit, bool) {
	for _, c := range p.images {
		if c.oldCommit == "" {
			continue
		}
		commits, reached, err := code.since(ctx, c.oldCommit)
		if err != nil {
			b.step.Logf("the commits since %s can't be listed: %v", c.oldCommit, err)
			return nil, false
		}
		if !reached && len(commits) < maxCommits {
			return nil, false // it is not in this history
		}
		return commits, reached
	}
	return nil, false
}

// describe adds the metadata of a commit.
func (b *bumper) describe(out *Result, p proposal, commit git.Hash) {
	out.Metadata.Add("commit", "%s", commit)
	if web := b.remote.WebURL(); web != "" {
		out.Metadata.Add("url", "%s/commit/%s", web, commit)
	}
	if b.wish.version != nil {
		out.Metadata.Add("version", "%s", b.wish.version)
	}
	for _, c := range p.images {
		out.Metadata.Add(c.image.Name, "%s", c.digest)
		if url := c.compareURL(); url != "" {
			out.Metadata.Add(path.Join(c.image.Name, "compare"), "%s", url)
		}
	}
}
