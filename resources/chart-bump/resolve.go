package chartbump

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/nearest"
	"github.com/taxiway-ci/taxiway/internal/provenance"
	"github.com/taxiway-ci/taxiway/internal/registry"
)

// target is what one image's place in the values is to say.
type target struct {
	image Image
	found
	// source is what the digest was built from.
	source origin
}

// origin is a commit of a source repository.
type origin struct {
	repository string // address for people
	commit     string // full hash where it is known
}

// found is a digest and what came with it.
type found struct {
	digest string
	tag    string // that the digest was found under; empty when unknown
	name   string // of the repository in its registry; empty when unknown
	labels map[string]string
}

// resolver finds the digests of a put.
type resolver struct {
	step concourse.Step
	src  Source
	code *sourceRepository // nil when the put has none
}

// targets are the images of a put, in the order of the source.
func (r resolver) targets(ctx context.Context, images map[string]from) ([]target, error) {
	for name := range images {
		if !r.src.hasImage(name) {
			return nil, fmt.Errorf("params.images: the source has no image %q%s", name, r.src.nearestImage(name))
		}
	}
	var out []target
	for _, img := range r.src.Images {
		from, ok := images[img.Name]
		if !ok {
			continue
		}
		t, err := r.target(ctx, img, from)
		if err != nil {
			return nil, fmt.Errorf("params.images.%s: %w", img.Name, err)
		}
		r.step.Logf("%s is %s, built from %s at %s", img.Name, t.digest, t.source.repository, short(t.source.commit))
		out = append(out, t)
	}
	return out, nil
}

func (r resolver) target(ctx context.Context, img Image, from from) (target, error) {
	var f found
	var err error
	switch {
	case from.Image != "":
		f, err = r.src.Registry.find(ctx, from.Image, r.step.Logf)
	case from.DigestFile != "":
		f, err = r.digestFile(from.DigestFile)
	default:
		f, err = r.digestFile(path.Join(from.Artifact, "digest"))
	}
	if err != nil {
		return target{}, err
	}
	source, err := r.origin(img, f)
	return target{image: img, found: f, source: source}, err
}

// digestFile reads a digest, and what registry-image has put beside it.
func (r resolver) digestFile(name string) (found, error) {
	text, err := r.step.Artifacts().Value(name)
	if err != nil {
		return found{}, err
	}
	digest, err := parseDigest(text)
	if err != nil {
		return found{}, fmt.Errorf("%s %w", name, err)
	}
	f := found{digest: digest}
	if path.Base(name) != "digest" {
		return f, nil
	}
	beside := path.Dir(name)
	if f.tag, err = r.beside(beside, "tag"); err != nil {
		return found{}, err
	}
	if f.tag != "" && !tagForm().MatchString(f.tag) {
		return found{}, fmt.Errorf("%s/tag holds %.80q, which is not a valid tag of an image", beside, f.tag)
	}
	if f.name, err = r.beside(beside, "repository"); err != nil {
		return found{}, err
	}
	if f.name != "" && !nameForm().MatchString(f.name) {
		return found{}, fmt.Errorf("%s/repository holds %.80q, which is not a valid name of a repository in a registry", beside, f.name)
	}
	labels, err := r.step.Artifacts().Optional(path.Join(beside, "labels.json"), artifact.MaxDocument)
	if err != nil || len(bytes.TrimSpace(labels)) == 0 {
		return f, err
	}
	if err := json.Unmarshal(labels, &f.labels); err != nil {
		return found{}, fmt.Errorf("%s/labels.json: %w", path.Dir(name), err)
	}
	return f, nil
}

// beside is the value that registry-image has put into a file; empty when the file is missing.
func (r resolver) beside(folder, name string) (string, error) {
	data, err := r.step.Artifacts().Optional(path.Join(folder, name), artifact.MaxValue)
	return string(bytes.TrimSpace(data)), err
}

// tagForm is that of https://github.com/opencontainers/distribution-spec.
var tagForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`) })

// nameForm is a repository's name with or without its registry.
var nameForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]*(/[A-Za-z0-9._-]+)*$`) })

var digestForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^sha256:[0-9a-f]{64}$`) })

// parseDigest checks a digest as a file has it.
func parseDigest(text string) (string, error) {
	switch {
	case text == "":
		return "", errors.New("is empty: it should hold a digest, sha256: and 64 hexadecimal digits")
	case digestForm().MatchString(text):
		return text, nil
	case !strings.HasPrefix(text, "sha256:"):
		return "", fmt.Errorf("holds %.80q, which does not begin with sha256: as digests do", text)
	}
	return "", fmt.Errorf("holds %.80q, which has %d characters behind sha256: and not 64 hexadecimal digits in lower case", text, len(text)-len("sha256:"))
}

// origin is the put's source repository or else what the image's labels say; an
// address in the resource's source goes before both. The commit of an image whose
// address there is another one than the put's repository's is that of its labels.
func (r resolver) origin(img Image, f found) (origin, error) {
	o := origin{repository: publicAddress(f.labels[registry.LabelSource]), commit: f.labels[registry.LabelRevision]}
	if r.code != nil && (o.commit == "" || img.Repository == "" || img.Repository == r.code.web) {
		if o.commit != "" && !strings.HasPrefix(r.code.head.String(), o.commit) {
			r.step.Logf("warning: %s: the label %s says %s, but params.source_repository is at %s", img.Name, registry.LabelRevision, short(o.commit), short(r.code.head.String()))
		}
		o = origin{repository: r.code.web, commit: r.code.head.String()}
	}
	if img.Repository != "" {
		o.repository = img.Repository
	}
	if err := (target{image: img, source: o}).metadata(provenance.Metadata{}).Validate(); err != nil {
		return o, fmt.Errorf("nothing says what it was built from: set params.source_repository, or build it with the labels %s and %s: %w", registry.LabelSource, registry.LabelRevision, err)
	}
	return o, nil
}

// publicAddress is that of a label as a person opens it, without credentials; a
// label that is not a valid address stays.
func publicAddress(label string) string {
	address := strings.TrimRight(label, "/")
	if public := git.PublicAddress(address); public != "" {
		return public
	}
	return strings.TrimSuffix(address, ".git")
}

// metadata is the content of the comment. What the source does not say stays as the old comment has it.
func (t target) metadata(old provenance.Metadata) provenance.Metadata {
	return provenance.Metadata{
		Repository: t.source.repository, CommitRef: short(t.source.commit),
		App:            cmp.Or(t.image.App, old.App, t.image.Name),
		MonorepoSubdir: cmp.Or(t.image.MonorepoSubdir, old.MonorepoSubdir),
		Others:         old.Others,
	}
}

// short is a commit as comments have it: 7 digits.
func short(commit string) string {
	const digits = 7
	if len(commit) > digits {
		return commit[:digits]
	}
	return commit
}

func (s Source) nearestImage(name string) string {
	names := make([]string, len(s.Images))
	for i, img := range s.Images {
		names[i] = img.Name
	}
	if near := cmp.Or(nearest.Of(name, names), nearest.Part(name, names)); near != "" {
		return fmt.Sprintf(", did you mean %s? There are %s", near, strings.Join(names, ", "))
	}
	return ": there are " + strings.Join(names, ", ")
}
