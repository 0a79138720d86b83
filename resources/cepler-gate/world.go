package ceplergate

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// world is what a get or put reads: the deployments repository, and through lineage those of code and charts.
type world struct {
	src    Source
	step   concourse.Step
	remote *git.Remote
	store  *git.Store
	repo   *deployments.Repository
}

func open(src Source, step concourse.Step) (*world, error) {
	remote, err := signing.Open(src.Access, git.Options{Logf: step.Logf})
	if err != nil {
		return nil, err
	}
	store, err := remote.Store("")
	if err != nil {
		return nil, errors.Join(err, remote.Close())
	}
	return &world{src: src, step: step, remote: remote, store: store, repo: deployments.NewRepository(src.Source, remote, store, step.Logf)}, nil
}

// close ends the connections. What counts was pushed.
func (w *world) close() {
	_ = w.store.Close()
	_ = w.remote.Close()
}

// view is the repository as it is now.
func (w *world) view(ctx context.Context) (*deployments.View, error) {
	refs, err := w.remote.Refs(ctx, w.src.RefNames()...)
	if err != nil {
		return nil, err
	}
	return w.repo.View(ctx, refs)
}

// reader follows states to their sources.
func (w *world) reader() *lineage.Reader {
	o := lineage.Options{Deployments: w.remote.URL(), Store: w.store, Access: map[string]git.Access{}, Logf: w.step.Logf}
	for _, r := range w.src.Repositories {
		o.Access[cmp.Or(r.Address, r.URI)] = r.access()
	}
	return lineage.New(o)
}

// newest is the version that the gate has now.
func (w *world) newest(ctx context.Context) (Version, error) {
	refs, err := w.remote.Refs(ctx, w.src.GatesRef())
	if err != nil {
		return Version{}, err
	}
	versions, err := moves(ctx, w.repo, w.src.Environment, nil, refs)
	if err != nil || len(versions) == 0 {
		return Version{Commit: refs[w.src.GatesRef()].String()}, err
	}
	return versions[0], nil
}

// commitLink is the page of a commit of the deployments repository, "" where none is known.
func (w *world) commitLink(hash string) string {
	if web := w.remote.WebURL(); web != "" {
		return fmt.Sprintf("%s/commit/%s", web, hash)
	}
	return ""
}

// compareLink is the page with what is between two commits of the deployments repository, "" where none is
// known.
func (w *world) compareLink(before, after string) string {
	if web := w.remote.WebURL(); web != "" && before != "" && after != "" && before != after {
		return fmt.Sprintf("%s/compare/%s...%s", web, before, after)
	}
	return ""
}
