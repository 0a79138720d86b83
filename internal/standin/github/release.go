package github

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

type release struct {
	id                 int64
	tag, target        string
	title, body        string
	draft, prerelease  bool
	created, published time.Time
	author             string
	assets             []*asset
}

type asset struct {
	id                int64
	name, contentType string
	content           []byte
	created           time.Time
}

func (r *Repository) releaseBody(l *release) map[string]any {
	return map[string]any{
		"id": l.id, "tag_name": l.tag, "target_commitish": l.target, "name": l.title, "body": l.body, "draft": l.draft, "prerelease": l.prerelease,
		"created_at": l.created, "published_at": nullable(l.published), "author": user{l.author},
		"assets":     shown(l.assets, func(a *asset) any { return r.assetBody(l, a) }),
		"html_url":   r.server.webURL(r.name, "releases", "tag", l.tag),
		"upload_url": r.server.webURL("api", "uploads", "repos", r.name, "releases", itoa(int(l.id)), "assets") + "{?name,label}",
	}
}

func (r *Repository) assetBody(l *release, a *asset) map[string]any {
	sum := sha256.Sum256(a.content)
	return map[string]any{
		"id": a.id, "name": a.name, "content_type": a.contentType, "size": len(a.content), "state": "uploaded",
		"digest": "sha256:" + hex.EncodeToString(sum[:]), "created_at": a.created,
		"browser_download_url": r.server.webURL(r.name, "releases", "download", l.tag, a.name),
	}
}

func (r *Repository) release(id int64) (*release, error) {
	for _, l := range r.releases {
		if l.id == id {
			return l, nil
		}
	}
	return nil, notFound()
}

// published is the release of a tag that is not a draft.
func (r *Repository) published(tag string) *release {
	for _, l := range r.releases {
		if l.tag == tag && !l.draft {
			return l
		}
	}
	return nil
}

type releaseBody struct {
	Tag        *string `json:"tag_name"`
	Target     *string `json:"target_commitish"`
	Title      *string `json:"name"`
	Body       *string `json:"body"`
	Draft      *bool   `json:"draft"`
	Prerelease *bool   `json:"prerelease"`
}

func (w releaseBody) apply(l *release) {
	set(&l.tag, w.Tag)
	set(&l.target, w.Target)
	set(&l.title, w.Title)
	set(&l.body, w.Body)
	set(&l.draft, w.Draft)
	set(&l.prerelease, w.Prerelease)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func createRelease(s *Server, c *call) (status int, body any, err error) {
	var spec releaseBody
	if err := c.decode(&spec); err != nil {
		return 0, nil, err
	}
	r := c.repository
	head, err := r.line("symbolic-ref", "--short", "HEAD")
	if err != nil {
		return 0, nil, err
	}
	l := &release{id: s.nextID(), target: head, created: s.now(), author: c.login}
	spec.apply(l)
	is := func(code, field string) error { return invalid(detail{Resource: "Release", Code: code, Field: field}) }
	switch {
	case l.tag == "":
		return 0, nil, is("missing_field", "tag_name")
	case r.published(l.tag) != nil:
		return 0, nil, is("already_exists", "tag_name")
	}
	if err := r.publish(l); err != nil {
		return 0, nil, err
	}
	r.releases = append([]*release{l}, r.releases...)
	return http.StatusCreated, r.releaseBody(l), nil
}

// publish makes the tag of a release that is not a draft, unless it is there.
func (r *Repository) publish(l *release) error {
	if l.draft || !l.published.IsZero() {
		return nil
	}
	if _, err := r.Git().RevParse("refs/tags/" + l.tag); err != nil {
		target := l.target
		if tip := r.branch(target); tip != "" {
			target = tip
		}
		commit, err := r.commitOf(target)
		if err != nil {
			return invalid(detail{Resource: "Release", Code: "invalid", Field: "target_commitish"})
		}
		if err := r.Git().UpdateRef("refs/tags/"+l.tag, commit); err != nil {
			return err
		}
	}
	l.published = r.server.now()
	return nil
}

func editRelease(_ *Server, c *call, l *release) (status int, body any, err error) {
	var spec releaseBody
	if err := c.decode(&spec); err != nil {
		return 0, nil, err
	}
	next := *l
	spec.apply(&next)
	if other := c.repository.published(next.tag); other != nil && other != l && !next.draft {
		return 0, nil, invalid(detail{Resource: "Release", Code: "already_exists", Field: "tag_name"})
	}
	if err := c.repository.publish(&next); err != nil {
		return 0, nil, err
	}
	*l = next
	return http.StatusOK, c.repository.releaseBody(l), nil
}

func deleteRelease(_ *Server, c *call, l *release) (status int, body any, err error) {
	c.repository.releases = slices.DeleteFunc(c.repository.releases, func(o *release) bool { return o == l })
	return http.StatusNoContent, nil, nil
}

func listReleases(s *Server, c *call) (status int, body any, err error) {
	return http.StatusOK, shown(page(s, c, c.repository.releases), c.repository.releaseBody), nil
}

func latestRelease(_ *Server, c *call) (status int, body any, err error) {
	for _, l := range c.repository.releases {
		if !l.draft && !l.prerelease {
			return http.StatusOK, c.repository.releaseBody(l), nil
		}
	}
	return 0, nil, notFound()
}

func getRelease(_ *Server, c *call, l *release) (status int, body any, err error) {
	return http.StatusOK, c.repository.releaseBody(l), nil
}

// getOfReleases answers releases/tags/TAG, releases/assets/ID and
// releases/ID/assets.
func getOfReleases(s *Server, c *call) (status int, body any, err error) {
	r, rest := c.repository, c.PathValue("rest")
	switch kind := c.PathValue("kind"); {
	case kind == "tags":
		if l := r.published(rest); l != nil {
			return http.StatusOK, r.releaseBody(l), nil
		}
	case kind == "assets":
		if l, a := r.asset(c.number("rest")); a != nil {
			if strings.Contains(c.Header.Get("Accept"), "octet-stream") {
				return http.StatusOK, a.content, nil
			}
			return http.StatusOK, r.assetBody(l, a), nil
		}
	case rest == "assets":
		l, err := r.release(c.number("kind"))
		if err != nil {
			return 0, nil, err
		}
		return http.StatusOK, shown(page(s, c, l.assets), func(a *asset) any { return r.assetBody(l, a) }), nil
	}
	return 0, nil, notFound()
}

func (r *Repository) asset(id int64) (*release, *asset) {
	for _, l := range r.releases {
		for _, a := range l.assets {
			if a.id == id {
				return l, a
			}
		}
	}
	return nil, nil
}

func deleteAsset(_ *Server, c *call) (status int, body any, err error) {
	l, a := c.repository.asset(c.number("id"))
	if a == nil {
		return 0, nil, notFound()
	}
	l.assets = slices.DeleteFunc(l.assets, func(o *asset) bool { return o == a })
	return http.StatusNoContent, nil, nil
}

func uploadAsset(s *Server, c *call, l *release) (status int, body any, err error) {
	name := c.URL.Query().Get("name")
	is := func(code string) error { return invalid(detail{Resource: "ReleaseAsset", Code: code, Field: "name"}) }
	switch {
	case name == "":
		return 0, nil, is("missing_field")
	case slices.ContainsFunc(l.assets, func(a *asset) bool { return a.name == name }):
		return 0, nil, is("already_exists")
	}
	a := &asset{id: s.nextID(), name: name, contentType: c.Header.Get("Content-Type"), content: c.body, created: s.now()}
	l.assets = append(l.assets, a)
	return http.StatusCreated, c.repository.assetBody(l, a), nil
}

// getTagRef answers with what a tag points to: a commit, or an annotated tag.
func getTagRef(_ *Server, c *call) (status int, body any, err error) {
	name := "refs/tags/" + c.PathValue("tag")
	object, err := c.repository.object(name)
	if err != nil {
		return 0, nil, notFound()
	}
	return http.StatusOK, map[string]any{"ref": name, "object": object}, nil
}

// getTag answers with what an annotated tag points to.
func getTag(_ *Server, c *call) (status int, body any, err error) {
	sha := c.PathValue("sha")
	object, err := c.repository.object(sha + "^{tag}^{}")
	if err != nil {
		return 0, nil, notFound()
	}
	name, err := c.repository.line("for-each-ref", "--points-at", sha, "--format=%(refname:short)", "refs/tags")
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string]any{"tag": name, "sha": sha, "object": object}, nil
}

// object is the hash and type of what a revision names.
func (r *Repository) object(revision string) (map[string]any, error) {
	hash, err := r.Git().RevParse(revision)
	if err != nil {
		return nil, err
	}
	kind, err := r.line("cat-file", "-t", hash)
	return map[string]any{"sha": hash, "type": kind}, err
}
