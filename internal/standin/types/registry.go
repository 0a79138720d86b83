package types

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/taxiway-ci/taxiway/internal/ociimage"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// RegistryImage stands in for the resource type registry-image: a tag, or the
// tags that are versions; a get of the names alone or with the image as OCI
// tarball, OCI layout or files; a put of a tarball or an OCI layout under
// several tags. Every repository is looked for in one registry, under its full
// name.
type RegistryImage struct {
	// Host is the registry that stands in for all: "127.0.0.1:PORT".
	Host string
}

type registrySource struct {
	Repository       string `json:"repository"`
	Tag              text   `json:"tag"`
	SemverConstraint string `json:"semver_constraint"`
	PreReleases      bool   `json:"pre_releases"`
	Insecure         bool   `json:"insecure"`
	Debug            bool   `json:"debug"`
	// what a registry on loopback has no use for
	Username string   `json:"username"`
	Password string   `json:"password"`
	CACerts  []string `json:"ca_certs"`
}

type registryGet struct {
	Format       string `json:"format"`
	SkipDownload bool   `json:"skip_download"`
}

type registryPut struct {
	Image          string `json:"image"`
	Version        text   `json:"version"`
	AdditionalTags string `json:"additional_tags"`
	TagPrefix      string `json:"tag_prefix"`
}

// text is a text that a person may also write as a number: a tag like 1.2.
type text string

// UnmarshalJSON takes a string or a number.
func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(data, &n); err != nil {
		return err
	}
	*t = text(n)
	return nil
}

// Run does one verb.
func (r RegistryImage) Run(ctx context.Context, call rehearsal.Call) ([]byte, error) {
	return verbs[registrySource, registryGet, registryPut]{r.check, r.in, r.out}.run(ctx, "registry-image", call)
}

// repository is where the image of that name is kept.
func (r RegistryImage) repository(full string) (name.Repository, error) {
	return name.NewRepository(r.Host+"/"+full, name.Insecure)
}

func (r RegistryImage) check(ctx context.Context, _ container, source registrySource, from rehearsal.Version) ([]rehearsal.Version, error) {
	repository, err := r.repository(source.Repository)
	if err != nil {
		return nil, err
	}
	if source.Tag == "" {
		return checkVersions(ctx, repository, source, from)
	}
	found, err := remote.Head(repository.Tag(string(source.Tag)), remote.WithContext(ctx))
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	latest := rehearsal.Version{"tag": string(source.Tag), "digest": found.Digest.String()}
	if from == nil || from["digest"] == latest["digest"] {
		return []rehearsal.Version{latest}, nil
	}
	return []rehearsal.Version{from, latest}, nil
}

// checkVersions are the tags that are versions, in the order of versions.
func checkVersions(ctx context.Context, repository name.Repository, source registrySource, from rehearsal.Version) ([]rehearsal.Version, error) {
	tags, err := remote.List(repository, remote.WithContext(ctx))
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var constraint *semver.Constraints
	if source.SemverConstraint != "" {
		if constraint, err = semver.NewConstraint(source.SemverConstraint); err != nil {
			return nil, fmt.Errorf("semver_constraint %q: %w", source.SemverConstraint, err)
		}
	}
	var known []*semver.Version
	for _, tag := range tags {
		v, err := semver.NewVersion(tag)
		if err != nil || v.Prerelease() != "" && !source.PreReleases || constraint != nil && !constraint.Check(v) {
			continue
		}
		known = append(known, v)
	}
	slices.SortFunc(known, (*semver.Version).Compare)
	var all []rehearsal.Version
	for _, v := range known {
		found, err := remote.Head(repository.Tag(v.Original()), remote.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		all = append(all, rehearsal.Version{"tag": v.Original(), "digest": found.Digest.String()})
	}
	if from == nil {
		return all, nil
	}
	return after(all, from, func(a, b rehearsal.Version) bool { return a["tag"] == b["tag"] && a["digest"] == b["digest"] }), nil
}

func missing(err error) bool {
	refused, ok := errors.AsType[*transport.Error](err)
	return ok && refused.StatusCode == http.StatusNotFound
}

func (r RegistryImage) in(ctx context.Context, c container, source registrySource, version rehearsal.Version, params registryGet) (result, error) {
	repository, err := r.repository(source.Repository)
	if err != nil {
		return result{}, err
	}
	image, err := remote.Image(repository.Digest(version["digest"]), remote.WithContext(ctx))
	if err != nil {
		return result{}, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return result{}, err
	}
	labels := config.Config.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	listed, err := json.Marshal(labels)
	if err != nil {
		return result{}, err
	}
	if err := c.writeAll("repository", source.Repository, "tag", version["tag"], "digest", version["digest"], "labels.json", string(listed)); err != nil {
		return result{}, err
	}
	if !params.SkipDownload {
		if err := c.download(ctx, params.Format, repository.Tag(version["tag"]), image, config); err != nil {
			return result{}, err
		}
	}
	return result{version, fields("repository", source.Repository, "tag", version["tag"])}, nil
}

// download writes the image in the format that is asked for.
func (c container) download(ctx context.Context, format string, tag name.Tag, image v1.Image, config *v1.ConfigFile) error {
	switch format {
	case "oci":
		return tarball.WriteToFile(filepath.Join(c.dir, "image.tar"), tag, image)
	case "oci-layout":
		at, err := layout.Write(filepath.Join(c.dir, "oci"), emptyIndex())
		if err != nil {
			return err
		}
		return at.AppendImage(image)
	case "", "rootfs":
		root := filepath.Join(c.dir, "rootfs")
		if err := os.MkdirAll(root, 0o750); err != nil {
			return err
		}
		metadata, err := json.Marshal(map[string]any{"env": config.Config.Env, "user": config.Config.User})
		if err != nil {
			return err
		}
		return errors.Join(ociimage.Unpack(ctx, image, root), c.write("metadata.json", string(metadata)))
	default:
		return fmt.Errorf("format %q: rootfs, oci or oci-layout is wanted", format)
	}
}

func (r RegistryImage) out(ctx context.Context, c container, source registrySource, params registryPut) (result, error) {
	repository, err := r.repository(source.Repository)
	if err != nil {
		return result{}, err
	}
	tags, err := params.tags(c, source)
	if err != nil {
		return result{}, err
	}
	digest := ""
	for _, tag := range tags {
		ref, err := name.NewTag(repository.Name()+":"+tag, name.Insecure)
		if err != nil {
			return result{}, fmt.Errorf("tag %q: %w", tag, err)
		}
		if digest, err = c.pushImage(ctx, params.Image, ref); err != nil {
			return result{}, err
		}
		c.logf("pushed %s:%s@%s", source.Repository, tag, digest)
	}
	return result{rehearsal.Version{"tag": tags[0], "digest": digest}, fields("repository", source.Repository, "tags", strings.Join(tags, " "))}, nil
}

// tags are those to push, the one that becomes the version first.
func (p registryPut) tags(c container, source registrySource) ([]string, error) {
	var tags []string
	if p.Version != "" {
		tags = append(tags, string(p.Version))
	}
	if source.Tag != "" {
		tags = append(tags, string(source.Tag))
	}
	if p.AdditionalTags != "" {
		more, err := c.text(p.AdditionalTags)
		if err != nil {
			return nil, err
		}
		for tag := range strings.FieldsSeq(more) {
			tags = append(tags, p.TagPrefix+tag)
		}
	}
	if len(tags) == 0 {
		return nil, errors.New("no tag to push: set source.tag, or version or additional_tags in params")
	}
	return tags, nil
}

// pushImage pushes the tarball or OCI layout, whose path may be a pattern.
func (c container) pushImage(ctx context.Context, pattern string, ref name.Tag) (string, error) {
	at, err := c.path(pattern)
	if err != nil {
		return "", fmt.Errorf("image: %w", err)
	}
	found, err := filepath.Glob(at)
	if err != nil {
		return "", fmt.Errorf("image %q: %w", pattern, err)
	}
	if len(found) != 1 {
		return "", fmt.Errorf("image %q: %d files are there, and one is wanted", pattern, len(found))
	}
	info, err := os.Stat(found[0])
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return pushLayout(ctx, found[0], ref)
	}
	image, err := tarball.ImageFromPath(found[0], nil)
	if err != nil {
		return "", fmt.Errorf("image %q: %w", pattern, err)
	}
	return pushOne(ctx, image, ref)
}

// pushLayout pushes the one image of a layout as an image, several as an index.
func pushLayout(ctx context.Context, dir string, ref name.Tag) (string, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return "", err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	if len(manifest.Manifests) == 1 && manifest.Manifests[0].MediaType.IsImage() {
		image, err := index.Image(manifest.Manifests[0].Digest)
		if err != nil {
			return "", err
		}
		return pushOne(ctx, image, ref)
	}
	if err := remote.WriteIndex(ref, index, remote.WithContext(ctx)); err != nil {
		return "", err
	}
	digest, err := index.Digest()
	return digest.String(), err
}

func pushOne(ctx context.Context, image v1.Image, ref name.Tag) (string, error) {
	if err := remote.Write(ref, image, remote.WithContext(ctx)); err != nil {
		return "", err
	}
	digest, err := image.Digest()
	return digest.String(), err
}
