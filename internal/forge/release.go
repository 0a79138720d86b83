package forge

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/google/go-github/v88/github"
)

// Release is a release as it was when it was read.
type Release struct {
	Tag, Title, Body string
	// URL is its page for people.
	URL               string
	Draft, Prerelease bool
	Assets            []Asset
	Created           time.Time
	// Published is zero for a draft.
	Published time.Time

	id int64
}

// Asset is a file of a release.
type Asset struct {
	Name string
	Size int64 // bytes
	// Digest is "sha256:" and hexadecimal digits; servers of before 2025 give none.
	Digest string
	// URL is where everybody who may see the release can get it.
	URL string

	id    int64
	whole bool
}

// ReleaseSpec says what a release should be like.
type ReleaseSpec struct {
	Tag string
	// Commit gets the tag when the repository does not have it yet.
	Commit            string
	Title, Body       string
	Draft, Prerelease bool
	// Uploads become its assets. Other assets stay.
	Uploads []Upload
}

// Upload is a file on disk that becomes an asset.
type Upload struct {
	Name string // of the asset, without folders
	Path string // on disk
	// ContentType is application/octet-stream when it is empty.
	ContentType string
}

// readRelease is newRelease for an answer that may be an error or null.
func readRelease(r *github.RepositoryRelease, err error) (*Release, error) {
	switch {
	case err != nil:
		return nil, err
	case r.GetID() == 0:
		return nil, errEmpty
	}
	return newRelease(r), nil
}

func newRelease(r *github.RepositoryRelease) *Release {
	out := &Release{
		Tag: r.GetTagName(), Title: r.GetName(), Body: r.GetBody(), URL: r.GetHTMLURL(), Draft: r.GetDraft(), Prerelease: r.GetPrerelease(),
		Created: r.GetCreatedAt().Time, Published: r.GetPublishedAt().Time, id: r.GetID(),
	}
	for _, a := range r.Assets {
		out.Assets = append(out.Assets, newAsset(a))
	}
	return out
}

func newAsset(a *github.ReleaseAsset) Asset {
	return Asset{
		Name: a.GetName(), Size: int64(a.GetSize()), Digest: a.GetDigest(), URL: a.GetBrowserDownloadURL(),
		id: a.GetID(), whole: a.GetState() == "uploaded",
	}
}

// Release is the release of a tag, a draft if there is no other; ErrNotFound when
// there is none.
func (f *Forge) Release(ctx context.Context, tag string) (*Release, error) {
	var out *Release
	what := "read the release of " + tag
	err := f.call(ctx, what, func(ctx context.Context) error {
		r, _, err := f.client.Repositories.GetReleaseByTag(ctx, f.owner, f.name, url.PathEscape(tag))
		out, err = readRelease(r, err)
		return err
	})
	if !errors.Is(err, ErrNotFound) {
		return out, err
	}
	notFound := err
	// Drafts have no address by their tag.
	err = pages(ctx, f, "list the releases", func(ctx context.Context, o github.ListOptions) ([]*github.RepositoryRelease, *github.Response, error) {
		return f.client.Repositories.ListReleases(ctx, f.owner, f.name, &o)
	}, func(r *github.RepositoryRelease) bool {
		if r.GetTagName() == tag {
			out = newRelease(r)
		}
		return out == nil
	})
	if err == nil && out == nil {
		err = notFound
	}
	return out, err
}

// EnsureRelease makes the release of a tag be as specified. A new one is seen by
// others only when its assets are complete. Assets that are there already with
// the same bytes are not sent again; one with other bytes is replaced.
func (f *Forge) EnsureRelease(ctx context.Context, w ReleaseSpec) (*Release, Outcome, error) {
	var done Outcome
	w.Body = fit(w.Body, "", maxReleaseBody)
	r, err := f.Release(ctx, w.Tag)
	if errors.Is(err, ErrNotFound) {
		done.Created = true
		first := w
		first.Draft = w.Draft || len(w.Uploads) > 0
		r, err = f.createRelease(ctx, first)
	}
	if err != nil {
		return nil, done, err
	}
	for _, u := range w.Uploads {
		sent, err := f.ensureAsset(ctx, r, u)
		if err != nil {
			return r, done, err
		}
		if sent && !done.Created {
			done.Changed = append(done.Changed, u.Name)
		}
	}
	changed := r.differs(w)
	if len(changed) == 0 {
		return r, done, nil
	}
	if !done.Created {
		done.Changed = append(done.Changed, changed...)
	}
	edited, err := f.sendRelease(ctx, "change the release of "+w.Tag, func(ctx context.Context) (*github.RepositoryRelease, *github.Response, error) {
		return f.client.Repositories.EditRelease(ctx, f.owner, f.name, r.id, w.request())
	})
	if err == nil && len(edited.Assets) == 0 {
		edited.Assets = r.Assets
	}
	return edited, done, err
}

func (r *Release) differs(w ReleaseSpec) []string {
	var out []string
	if r.Title != w.Title {
		out = append(out, "title")
	}
	if normal(r.Body) != normal(w.Body) {
		out = append(out, "body")
	}
	if r.Draft != w.Draft {
		out = append(out, "draft")
	}
	if r.Prerelease != w.Prerelease {
		out = append(out, "prerelease")
	}
	return out
}

func (w ReleaseSpec) request() *github.RepositoryRelease {
	r := &github.RepositoryRelease{TagName: &w.Tag, Name: &w.Title, Body: &w.Body, Draft: &w.Draft, Prerelease: &w.Prerelease}
	if w.Commit != "" {
		r.TargetCommitish = &w.Commit
	}
	return r
}

func (f *Forge) createRelease(ctx context.Context, w ReleaseSpec) (*Release, error) {
	r, err := f.sendRelease(ctx, "create the release of "+w.Tag, func(ctx context.Context) (*github.RepositoryRelease, *github.Response, error) {
		return f.client.Repositories.CreateRelease(ctx, f.owner, f.name, w.request())
	})
	if errors.Is(err, errExists) { // an answer was lost
		return f.Release(ctx, w.Tag)
	}
	return r, err
}

func (f *Forge) sendRelease(ctx context.Context, what string, send func(ctx context.Context) (*github.RepositoryRelease, *github.Response, error)) (*Release, error) {
	var out *Release
	err := f.call(ctx, what, func(ctx context.Context) error {
		r, _, err := send(ctx)
		out, err = readRelease(r, err)
		return err
	})
	return out, err
}

// ensureAsset reports whether it had to send the file.
func (f *Forge) ensureAsset(ctx context.Context, r *Release, u Upload) (sent bool, err error) {
	what := fmt.Sprintf("upload %s to the release of %s", u.Name, r.Tag)
	digest, size, err := digestOf(u.Path)
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	if i := slices.IndexFunc(r.Assets, func(a Asset) bool { return a.Name == u.Name }); i >= 0 {
		old := r.Assets[i]
		if old.whole && old.Size == size && old.Digest == digest {
			return false, nil
		}
		if err := f.deleteAsset(ctx, r, old); err != nil {
			return false, err
		}
		r.Assets = slices.Delete(r.Assets, i, i+1)
	}
	var made Asset
	err = f.callWithin(ctx, uploadLimit, what, func(ctx context.Context) error {
		made, err = f.upload(ctx, r, u, size)
		if errors.Is(explain(err), errExists) { // a try before this one left it
			return errors.Join(f.deleteHalf(ctx, r, u.Name), io.ErrUnexpectedEOF)
		}
		return err
	})
	switch {
	case err != nil:
		return false, err
	case made.Size != size || (made.Digest != "" && made.Digest != digest):
		return false, fmt.Errorf("%s: GitHub has other bytes than the file: %d of them, not %d", what, made.Size, size)
	}
	r.Assets = append(r.Assets, made)
	return true, nil
}

func (f *Forge) upload(ctx context.Context, r *Release, u Upload, size int64) (made Asset, err error) {
	file, err := os.Open(u.Path)
	if err != nil {
		return Asset{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	at := fmt.Sprintf("repos/%s/%s/releases/%d/assets?name=%s", f.owner, f.name, r.id, url.QueryEscape(u.Name))
	request, err := f.client.NewUploadRequest(ctx, at, io.NopCloser(file), size, cmp.Or(u.ContentType, "application/octet-stream"))
	if err != nil {
		return Asset{}, err
	}
	var asset github.ReleaseAsset
	if _, err := f.client.Do(request, &asset); err != nil {
		return Asset{}, err
	}
	return newAsset(&asset), nil
}

// deleteHalf removes what a broken upload left under a name.
func (f *Forge) deleteHalf(ctx context.Context, r *Release, name string) error {
	assets, _, err := f.client.Repositories.ListReleaseAssets(ctx, f.owner, f.name, r.id, &github.ListOptions{PerPage: f.perPage})
	if err != nil {
		return err
	}
	for _, a := range assets {
		if a.GetName() == name {
			_, err := f.client.Repositories.DeleteReleaseAsset(ctx, f.owner, f.name, a.GetID())
			return err
		}
	}
	return nil
}

func (f *Forge) deleteAsset(ctx context.Context, r *Release, a Asset) error {
	err := f.call(ctx, fmt.Sprintf("delete %s from the release of %s", a.Name, r.Tag), func(ctx context.Context) error {
		_, err := f.client.Repositories.DeleteReleaseAsset(ctx, f.owner, f.name, a.id)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func digestOf(path string) (digest string, size int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := sha256.New()
	size, err = io.Copy(sum, file)
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), size, err
}
