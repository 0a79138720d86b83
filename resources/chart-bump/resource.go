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
	"strings"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/proposal"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// Resource is chart-bump.
type Resource struct{}

// Version is a commit of the base branch, or of the bot branch while its pull
// request is open.
type Version struct {
	Commit string `json:"commit" concourse:"required"`
	// PR is the number of the open pull request; empty otherwise.
	PR string `json:"pr,omitempty"`
}

// Result is the answer of a get or put.
type Result = concourse.Result[Version]

// Out brings new digests into the chart.
func (Resource) Out(ctx context.Context, step concourse.Step, src Source, p putParams) (out Result, err error) {
	code, err := codeOf(step, p)
	if err != nil {
		return Result{}, err
	}
	if code != nil {
		defer func() { err = errors.Join(err, code.Close()) }()
	}
	w, err := readPut(ctx, step, src, p, code)
	if err != nil {
		return Result{}, err
	}
	remote, store, err := open(src, step)
	if err != nil {
		return Result{}, err
	}
	defer closeAll(store, remote)
	bot, err := src.settings().Bot("chart-bump", src.Access, store, remote, step.Logf)
	if err != nil {
		return Result{}, err
	}
	defer bot.Close()
	bot.RequireMerge = p.RequireAutoMerge
	b := &bumper{src: src, step: step, remote: remote, store: store, wanted: w, code: code}
	done, err := bot.Keep(ctx, b.edit)
	if err != nil {
		return Result{}, err
	}
	return b.answer(bot, done), nil
}

func open(src Source, step concourse.Step) (*git.Remote, *git.Store, error) {
	remote, err := signing.Open(src.Access, git.Options{Logf: step.Logf})
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
func codeOf(step concourse.Step, p putParams) (*sourceRepository, error) {
	if p.SourceRepository == "" {
		return nil, nil //nolint:nilnil // no repository is an answer
	}
	dir, err := step.Artifacts().Path(p.SourceRepository)
	if err != nil {
		return nil, fmt.Errorf("params.source_repository: %w", err)
	}
	code, err := openCode(step.Dir, dir)
	if err != nil {
		return nil, fmt.Errorf("params.source_repository %s: %w", p.SourceRepository, err)
	}
	return code, nil
}

// readPut reads everything that params name. It uses no network but for images
// that are looked up in a registry.
func readPut(ctx context.Context, step concourse.Step, src Source, p putParams, code *sourceRepository) (wanted, error) {
	var w wanted
	if err := checkExtra(src, p); err != nil {
		return w, err
	}
	if p.VersionFile != "" {
		v, err := version.Read(step.Artifacts(), p.VersionFile)
		if err != nil {
			return w, fmt.Errorf("params.version_file: %w", err)
		}
		w.version = &v
	} else if src.wantsVersion() {
		return w, errors.New("params.version_file: is required, as the source has app_version_paths or chart_app_version")
	}
	if err := w.readCopies(step.Artifacts(), p); err != nil {
		return w, err
	}
	var err error
	w.targets, err = resolver{step: step, src: src, code: code}.targets(ctx, p.Images)
	return w, err
}

// checkExtra refuses to write over what the bump itself writes.
func checkExtra(src Source, p putParams) error {
	own := []string{src.values(), "Chart.yaml"}
	for i, c := range p.Copy {
		to := path.Clean(c.To)
		for _, name := range own {
			if to == name || strings.HasPrefix(name, to+"/") {
				return fmt.Errorf("params.copy[%d].to: %s is, or holds, the chart's %s", i, c.To, name)
			}
		}
	}
	for i, f := range p.Files {
		if slices.Contains(own, path.Clean(f.Path)) {
			return fmt.Errorf("params.files[%d].path: %s is changed by path, in the source", i, f.Path)
		}
	}
	return nil
}

// answer tells what was done.
func (b *bumper) answer(bot proposal.Bot, done *proposal.Outcome) Result {
	var out Result
	out.Version.Commit, out.Version.PR = bot.Report(done, out.Metadata.Add)
	if done.Commit != nil {
		b.describe(&out, done.Commit.Hash)
	}
	return out
}

// describe adds the metadata of a commit.
func (b *bumper) describe(out *Result, commit git.Hash) {
	out.Metadata.Add("commit", "%s", commit)
	if web := b.remote.WebURL(); web != "" {
		out.Metadata.Add("url", "%s/commit/%s", web, commit)
	}
	if b.wanted.version != nil {
		out.Metadata.Add("version", "%s", b.wanted.version)
	}
	for _, c := range b.last.images {
		out.Metadata.Add(c.image.Name, "%s", c.digest)
		if url := c.compareURL(); url != "" {
			out.Metadata.Add(path.Join(c.image.Name, "compare"), "%s", url)
		}
	}
}
