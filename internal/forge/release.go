package forge

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/taxiway-ci/taxiway/internal/githubapp"
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

func newRelease(r *releaseJSON) *Release {
	out := &Release{
		Tag: r.TagName, Title: r.Name, Body: r.Body, URL: r.HTMLURL, Draft: r.Draft, Prerelease: r.Prerelease,
		Created: r.CreatedAt, Published: r.PublishedAt, id: r.ID,
	}
	for _, a := range r.Assets {
		out.Assets = append(out.Assets, newAsset(a))
	}
	return out
}

func newAsset(a assetJSON) Asset {
	return Asset{Name: a.Name, Size: a.Size, Digest: a.Digest, URL: a.BrowserDownloadURL, id: a.ID, whole: a.State == "uploaded"}
}

// release is the release of a tag, a draft if there is no other; ErrNotFound when
// there is none.
func (f *Forge) release(ctx context.Context, tag string) (*Release, error) {
	out, notFound := f.restRelease(ctx, "read the release of "+tag, http.MethodGet, "releases/tags/"+url.PathEscape(tag), nil)
	if !errors.Is(notFound, ErrNotFound) {
		return out, notFound
	}
	// Drafts have no address by their tag.
	err := pages(ctx, f, "list the releases", "releases", url.Values{}, func(r *releaseJSON) bool {
		if r.TagName == tag {
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
	r, err := f.release(ctx, w.Tag)
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
	edited, err := f.restRelease(ctx, "change the release of "+w.Tag, http.MethodPatch, fmt.Sprintf("releases/%d", r.id), w.request())
	if err == nil && len(edited.Assets) == 0 {
		edited.Assets = r.Assets
	}
	return edited, done, err
}

func (r *Release) differs(w ReleaseSpec) []string {
	var out []string
	for _, part := range []struct {
		name    string
		differs bool
	}{
		{"title", r.Title != w.Title}, {"body", normal(r.Body) != normal(w.Body)}, {"draft", r.Draft != w.Draft}, {"prerelease", r.Prerelease != w.Prerelease},
	} {
		if part.differs {
			out = append(out, part.name)
		}
	}
	return out
}

func (w ReleaseSpec) request() map[string]any {
	r := map[string]any{"tag_name": w.Tag, "name": w.Title, "body": w.Body, "draft": w.Draft, "prerelease": w.Prerelease}
	if w.Commit != "" {
		r["target_commitish"] = w.Commit
	}
	return r
}

func (f *Forge) createRelease(ctx context.Context, w ReleaseSpec) (*Release, error) {
	r, err := f.restRelease(ctx, "create the release of "+w.Tag, http.MethodPost, "releases", w.request())
	if errors.Is(err, errExists) { // an answer was lost
		return f.release(ctx, w.Tag)
	}
	return r, err
}

// restRelease makes a request whose answer is a release.
func (f *Forge) restRelease(ctx context.Context, what, method, path string, body any) (*Release, error) {
	var r releaseJSON
	if err := f.rest(ctx, what, method, path, nil, body, &r); err != nil {
		return nil, err
	}
	return newRelease(&r), nil
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
	at := uploads(f.api).JoinPath("repos", f.owner, f.name, fmt.Sprintf("releases/%d/assets", r.id))
	at.RawQuery = url.Values{"name": {u.Name}}.Encode()
	request, err := githubapp.NewRequest(ctx, http.MethodPost, at, nil)
	if err != nil {
		return Asset{}, err
	}
	request.Body, request.ContentLength = io.NopCloser(file), size
	request.Header.Set("Content-Type", cmp.Or(u.ContentType, "application/octet-stream"))
	var asset assetJSON
	_, err = f.do(request, &asset)
	return newAsset(asset), err
}

// deleteHalf removes what a broken upload left under a name.
func (f *Forge) deleteHalf(ctx context.Context, r *Release, name string) error {
	var assets []assetJSON
	_, err := f.send(ctx, http.MethodGet, fmt.Sprintf("releases/%d/assets", r.id), url.Values{"per_page": {strconv.Itoa(f.perPage)}}, nil, &assets)
	for _, a := range assets {
		if a.Name == name {
			_, err := f.send(ctx, http.MethodDelete, assetPath(a.ID), nil, nil, nil)
			return err
		}
	}
	return err
}

func assetPath(id int64) string { return fmt.Sprintf("releases/assets/%d", id) }

func (f *Forge) deleteAsset(ctx context.Context, r *Release, a Asset) error {
	err := f.rest(ctx, fmt.Sprintf("delete %s from the release of %s", a.Name, r.Tag), http.MethodDelete, assetPath(a.id), nil, nil, nil)
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
