package types

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// Release stands in for the resource type github-release, against a forge on
// this machine: releases with tags that are versions, in their order; a put of
// a release with its notes and files.
type Release struct{ GitHub GitHub }

type releaseSource struct {
	Owner      string `json:"owner"`
	Repository string `json:"repository"`
	Release    *bool  `json:"release"`
	PreRelease bool   `json:"pre_release"`
	Drafts     bool   `json:"drafts"`
	AssetDir   bool   `json:"asset_dir"`
	// in place of these there is the forge on this machine
	AccessToken      string `json:"access_token"`
	GitHubAPIURL     string `json:"github_api_url"`
	GitHubV4APIURL   string `json:"github_v4_api_url"`
	GitHubUploadsURL string `json:"github_uploads_url"`
	AppID            text   `json:"app_id"`
	PrivateKey       string `json:"private_key"`
	Insecure         bool   `json:"insecure"`
}

type releaseGet struct {
	Globs []string `json:"globs"`
}

type releasePut struct {
	Name      string   `json:"name"`
	Tag       string   `json:"tag"`
	TagPrefix string   `json:"tag_prefix"`
	Commitish string   `json:"commitish"`
	Body      string   `json:"body"`
	Globs     []string `json:"globs"`
}

// listed is a release as the forge lists it.
type listed struct {
	ID         int64     `json:"id"`
	Tag        string    `json:"tag_name"`
	Name       string    `json:"name"`
	Body       string    `json:"body"`
	Draft      bool      `json:"draft"`
	Prerelease bool      `json:"prerelease"`
	URL        string    `json:"html_url"`
	Published  time.Time `json:"published_at"`
	Created    time.Time `json:"created_at"`
	Commit     string    `json:"target_commitish"`
}

func (l listed) version() rehearsal.Version {
	at := l.Published
	if at.IsZero() {
		at = l.Created
	}
	return rehearsal.Version{"id": strconv.FormatInt(l.ID, 10), "tag": l.Tag, "timestamp": at.UTC().Format(time.RFC3339Nano)}
}

// Run does one verb.
func (r Release) Run(ctx context.Context, call rehearsal.Call) ([]byte, error) {
	return verbs[releaseSource, releaseGet, releasePut]{r.check, r.in, r.out}.run(ctx, "github-release", call)
}

func (s releaseSource) path() string { return "/repos/" + s.Owner + "/" + s.Repository }

// wanted tells whether the source is about such a release.
func (s releaseSource) wanted(l listed) bool {
	finals := s.Release == nil || *s.Release
	return l.Draft == s.Drafts && (l.Prerelease && s.PreRelease || !l.Prerelease && finals)
}

func (r Release) check(ctx context.Context, _ container, source releaseSource, from rehearsal.Version) ([]rehearsal.Version, error) {
	all, err := pages[listed](ctx, r.GitHub, source.path()+"/releases")
	if err != nil {
		return nil, err
	}
	type known struct {
		version *semver.Version
		release listed
	}
	var good []known
	for _, l := range all {
		if v, err := semver.NewVersion(l.Tag); err == nil && source.wanted(l) {
			good = append(good, known{v, l})
		}
	}
	slices.SortFunc(good, func(a, b known) int { return a.version.Compare(b.version) })
	versions := make([]rehearsal.Version, len(good))
	for i, k := range good {
		versions[i] = k.release.version()
	}
	return after(versions, from, func(a, b rehearsal.Version) bool { return a["id"] == b["id"] }), nil
}

func (r Release) in(ctx context.Context, c container, source releaseSource, version rehearsal.Version, params releaseGet) (result, error) {
	if len(params.Globs) > 0 {
		return result{}, fmt.Errorf("%w: download assets", errRequest)
	}
	var l listed
	if err := r.GitHub.call(ctx, http.MethodGet, source.path()+"/releases/"+version["id"], nil, &l); err != nil {
		return result{}, err
	}
	return result{version, fields("tag", l.Tag, "url", l.URL, "name", l.Name)}, c.writeAll(
		"tag", l.Tag, "version", strings.TrimPrefix(l.Tag, "v"), "body", l.Body, "timestamp", version["timestamp"], "url", l.URL, "commit_sha", l.Commit,
	)
}

func (r Release) out(ctx context.Context, c container, source releaseSource, params releasePut) (result, error) {
	spec, err := params.spec(c, source)
	if err != nil {
		return result{}, err
	}
	access := forge.Access{Repository: source.Owner + "/" + source.Repository, APIURL: r.GitHub.API, AccessToken: r.GitHub.Token}
	f, err := access.Open(forge.Options{Logf: c.logf})
	if err != nil {
		return result{}, err
	}
	defer f.Disconnect()
	made, _, err := f.EnsureRelease(ctx, spec)
	if err != nil {
		return result{}, err
	}
	all, err := pages[listed](ctx, r.GitHub, source.path()+"/releases")
	if err != nil {
		return result{}, err
	}
	for _, l := range all {
		if l.Tag == made.Tag && l.Draft == made.Draft {
			return result{l.version(), fields("tag", l.Tag, "url", l.URL, "name", l.Name)}, nil
		}
	}
	return result{}, fmt.Errorf("the release of %s is not in the list of releases", made.Tag)
}

// spec is the release that the params describe.
func (p releasePut) spec(c container, source releaseSource) (forge.ReleaseSpec, error) {
	spec := forge.ReleaseSpec{Draft: source.Drafts, Prerelease: source.PreRelease && source.Release != nil && !*source.Release}
	if p.Name == "" || p.Tag == "" {
		return spec, errors.New("name and tag are needed: paths of files that hold them")
	}
	for _, file := range []struct {
		path string
		into *string
	}{{p.Name, &spec.Title}, {p.Tag, &spec.Tag}, {p.Body, &spec.Body}, {p.Commitish, &spec.Commit}} {
		if file.path == "" {
			continue
		}
		var err error
		if *file.into, err = c.text(file.path); err != nil {
			return spec, err
		}
	}
	spec.Tag = p.TagPrefix + spec.Tag
	for _, glob := range p.Globs {
		at, err := c.path(glob)
		if err != nil {
			return spec, err
		}
		found, err := filepath.Glob(at)
		if err != nil {
			return spec, fmt.Errorf("glob %q: %w", glob, err)
		}
		if len(found) == 0 {
			return spec, fmt.Errorf("could not find a file that matches the glob %q", glob)
		}
		for _, f := range found {
			spec.Uploads = append(spec.Uploads, forge.Upload{Name: filepath.Base(f), Path: f})
		}
	}
	return spec, nil
}
