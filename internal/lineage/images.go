package lineage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/provenance"
	"github.com/taxiway-ci/taxiway/internal/vendored"
)

// imagesIn are the images that one file of the state pins.
func (r *Reader) imagesIn(ctx context.Context, s *snapshot, p string) ([]Image, []Broken, error) {
	if !mayPin(p) {
		return nil, nil, nil
	}
	data, ok, err := r.blob(ctx, s.files[p])
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", p, err)
	}
	if !ok {
		if s.files[p].Hash == "" {
			return nil, nil, nil // told already
		}
		return nil, []Broken{{LinkImage, p, fmt.Sprintf("git does not have the content %.7s that was deployed: its images are not known", s.files[p].Hash)}}, nil
	}
	found, err := digestsOf(data)
	if err != nil {
		return nil, []Broken{{LinkImage, p, fmt.Sprintf("it holds a digest and does not parse: %v", err)}}, nil
	}
	images := make([]Image, 0, len(found))
	for i, pin := range found {
		image := Image{File: p, Line: pin.line, Path: pin.path, Repository: pin.repository, Digest: pin.digest}
		shared := i > 0 && found[i-1].line == pin.line || i+1 < len(found) && found[i+1].line == pin.line
		if err := r.trace(ctx, &image, pin, shared); err != nil {
			return nil, nil, err
		}
		images = append(images, image)
	}
	return images, nil, nil
}

// mayPin reports whether a file is a YAML file of values: templates of Helm are
// not YAML, and vendir's own files have other digests.
func mayPin(p string) bool {
	switch path.Ext(p) {
	case ".yml", ".yaml":
	default:
		return false
	}
	dirs := strings.Split(path.Dir(p), "/")
	base := path.Base(p)
	return !slices.Contains(dirs, "templates") && !slices.Contains(dirs, "crds") &&
		base != vendirFile && base != vendored.LockFile && base != chartFile
}

// where is the place of the image's digest.
func (i *Image) where() string { return fmt.Sprintf("%s:%d %s", i.File, i.Line, i.Path) }

func (i *Image) say(l Link, format string, args ...any) {
	i.Broken = append(i.Broken, Broken{l, i.where(), fmt.Sprintf(format, args...)})
}

// trace leads from an image to its source.
func (r *Reader) trace(ctx context.Context, image *Image, pin pinned, shared bool) error {
	if !pin.whole {
		image.say(LinkImage, "%q is not a digest: that has %d hexadecimal digits after sha256:", pin.digest, digestDigits)
	}
	image.metadata(pin.comment, shared)
	if pin.whole {
		if err := r.askRegistry(ctx, image); err != nil {
			return err
		}
	}
	image.agree()
	if image.Source == nil {
		return ctx.Err()
	}
	return r.source(ctx, image)
}

// metadata reads the comment beside the digest.
func (i *Image) metadata(comment string, shared bool) {
	m, _, err := provenance.Parse(comment)
	switch {
	case errors.Is(err, provenance.ErrNone):
		i.say(linkMetadata, "there is no METADATA comment beside the digest")
	case err != nil:
		i.say(linkMetadata, "%v", err)
	case shared:
		i.say(linkMetadata, "the line has several digests: which one its METADATA comment is for is not said")
	default:
		i.Metadata = &m
	}
}

// agree makes one source of what the comment and the labels say.
func (i *Image) agree() {
	m, l := i.Metadata, i.Labels
	switch {
	case m != nil && (l == nil || l.Revision == ""):
		i.Source = &Source{Repository: m.Repository, Subdir: m.MonorepoSubdir, Commit: Commit{Hash: m.CommitRef}, By: ByMetadata}
	case m == nil && l != nil && l.Revision != "" && l.Source != "":
		i.Source = &Source{Repository: l.Source, Commit: Commit{Hash: l.Revision}, By: ByLabels}
	case m == nil:
	case !samePrefix(m.CommitRef, l.Revision):
		i.say(linkMetadata, "the comment says commit %.7s and the image's label says %.7s: one of them is wrong", m.CommitRef, l.Revision)
	case l.Source != "" && !sameRepository(m.Repository, l.Source):
		i.say(linkMetadata, "the comment says repository %s and the image's label says %s: one of them is wrong", m.Repository, l.Source)
	default:
		i.Source = &Source{Repository: m.Repository, Subdir: m.MonorepoSubdir, Commit: Commit{Hash: l.Revision}, By: ByBoth}
	}
}

// samePrefix reports whether a short commit is the other one.
func samePrefix(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return a != "" && b != "" && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}

// source looks the commit up in its repository.
func (r *Reader) source(ctx context.Context, image *Image) error {
	s := image.Source
	repository, err := r.clone(ctx, s.Repository)
	if err != nil {
		image.say(LinkSource, "%v", err)
	}
	if repository == nil {
		return ctx.Err()
	}
	c, err := repository.resolve(ctx, s.Commit.Hash)
	if why := (*unresolvedError)(nil); errors.As(err, &why) {
		image.say(LinkSource, "%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	s.Commit = CommitOf(c)
	if s.Releases, s.ReleasedIn, err = repository.releases(ctx, c); err != nil {
		return err
	}
	if len(s.Releases) == 0 && s.ReleasedIn == "" {
		image.say(linkRelease, "no release of %s has commit %.7s", s.Repository, c.Hash)
	}
	return nil
}
