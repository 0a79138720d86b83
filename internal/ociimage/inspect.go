package ociimage

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Found is an image as it lies in a layout or a registry.
type Found struct {
	// Name is where it was found.
	Name string
	// Index has the image of each platform.
	Index v1.ImageIndex
	// Referrers are the artifacts about it.
	Referrers []v1.Descriptor
}

// Platform gives the image for one platform.
func (f *Found) Platform(platform v1.Platform) (v1.Image, error) {
	return forPlatform(f.Index, platform)
}

// OpenLayout reads the first image index of the OCI layout in dir, as WriteLayout leaves it.
func OpenLayout(dir string) (*Found, error) {
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
		return nil, fmt.Errorf("%s is not an OCI layout: `images build` makes one: %w", dir, err)
	}
	top, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("layout %s: %w", dir, err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("layout %s: %w", dir, err)
	}
	found := &Found{Name: dir}
	for _, descriptor := range manifest.Manifests {
		switch {
		case descriptor.ArtifactType != "":
			found.Referrers = append(found.Referrers, descriptor)
		case descriptor.MediaType.IsIndex() && found.Index == nil:
			if found.Index, err = top.ImageIndex(descriptor.Digest); err != nil {
				return nil, fmt.Errorf("layout %s: index %s: %w", dir, descriptor.Digest, err)
			}
		}
	}
	if found.Index == nil {
		return nil, fmt.Errorf("layout %s: %w: it has no image index", dir, ErrNotFound)
	}
	return found, nil
}

// Open finds the image index at a reference ("registry.example.com/team/cepler-in:1.2.3", or @sha256:...) and what
// refers to it. Layers are read when they are used.
func (r Registry) Open(ctx context.Context, reference string) (*Found, error) {
	ref, err := name.ParseReference(reference, r.nameOptions()...)
	if err != nil {
		return nil, fmt.Errorf("image reference %q: %w", reference, err)
	}
	options := r.options(ctx)
	descriptor, err := remote.Get(ref, options...)
	if err != nil {
		return nil, explain("read", ref.Name(), err)
	}
	if !descriptor.MediaType.IsIndex() {
		return nil, fmt.Errorf("read %s: want an image index, found %s", ref.Name(), descriptor.MediaType)
	}
	index, err := descriptor.ImageIndex()
	if err != nil {
		return nil, explain("read", ref.Name(), err)
	}
	about, err := referrers(ref.Context().Digest(descriptor.Digest.String()), options)
	if err != nil {
		return nil, explain("read the referrers of", ref.Name(), err)
	}
	return &Found{Name: ref.Name(), Index: index, Referrers: about}, nil
}

// referrers lists the artifacts about an image. Some registries give the config's type where the artifact's belongs; for those
// the artifact itself is asked.
func referrers(about name.Digest, options []remote.Option) ([]v1.Descriptor, error) {
	index, err := remote.Referrers(about, options...)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for i, descriptor := range manifest.Manifests {
		if descriptor.ArtifactType != string(emptyType) {
			continue
		}
		artifact, err := remote.Image(about.Context().Digest(descriptor.Digest.String()), options...)
		if err != nil {
			return nil, err
		}
		own, err := artifact.Manifest()
		if err != nil {
			return nil, err
		}
		manifest.Manifests[i].ArtifactType = own.ArtifactType
	}
	return manifest.Manifests, nil
}

// Describe writes what is in the image for a person: digests, platforms, layers with their sizes, labels, referrers.
func (f *Found) Describe(out io.Writer) error {
	digest, err := f.Index.Digest()
	if err != nil {
		return fmt.Errorf("digest of %s: %w", f.Name, err)
	}
	manifest, err := f.Index.IndexManifest()
	if err != nil {
		return fmt.Errorf("index of %s: %w", f.Name, err)
	}
	page := &page{}
	page.line("image   %s", f.Name)
	page.line("digest  %s", digest)
	page.pairs("", "annotations", manifest.Annotations)
	for _, descriptor := range manifest.Manifests {
		if err := f.describePlatform(page, descriptor); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	if len(f.Referrers) > 0 {
		page.line("\nreferrers")
	}
	for _, r := range f.Referrers {
		page.line("  %s  %s", r.Digest, r.ArtifactType)
	}
	if _, err := io.WriteString(out, page.String()); err != nil {
		return fmt.Errorf("description of %s: %w", f.Name, err)
	}
	return nil
}

func (f *Found) describePlatform(page *page, descriptor v1.Descriptor) error {
	image, err := f.Index.Image(descriptor.Digest)
	if err != nil {
		return fmt.Errorf("image %s: %w", descriptor.Digest, err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return fmt.Errorf("config of %s: %w", descriptor.Digest, err)
	}
	size, err := CompressedSize(image)
	if err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return fmt.Errorf("layers of %s: %w", descriptor.Digest, err)
	}
	page.line("\n%s  %s  %s compressed", config.Platform(), descriptor.Digest, bytesText(size))
	for i, layer := range layers {
		if err := describeLayer(page, layer, comment(config, i)); err != nil {
			return err
		}
	}
	page.line("  entrypoint  %s", strings.Join(config.Config.Entrypoint, " "))
	page.line("  env  %s", strings.Join(config.Config.Env, " "))
	page.pairs("  ", "labels", config.Config.Labels)
	return nil
}

func describeLayer(page *page, layer v1.Layer, comment string) error {
	digest, err := layer.Digest()
	if err != nil {
		return fmt.Errorf("layer: %w", err)
	}
	size, err := layer.Size()
	if err != nil {
		return fmt.Errorf("layer %s: %w", digest, err)
	}
	page.line("  layer  %s  %s  %s", digest, bytesText(size), comment)
	return nil
}

// comment is what the history says about the nth layer; entries of the history that made no layer do not count.
func comment(config *v1.ConfigFile, n int) string {
	for _, h := range config.History {
		if h.EmptyLayer {
			continue
		}
		if n == 0 {
			return h.Comment
		}
		n--
	}
	return ""
}

// CompressedSize is what a machine downloads for the image: its layers and config, in bytes.
func CompressedSize(image v1.Image) (int64, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, fmt.Errorf("size of the image: %w", err)
	}
	size := manifest.Config.Size
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size, nil
}

// page collects lines.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) {
	_, _ = p.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

func (p *page) pairs(indent, title string, pairs map[string]string) {
	if len(pairs) == 0 {
		return
	}
	p.line("%s%s", indent, title)
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		p.line("%s  %s  %s", indent, key, pairs[key])
	}
}

// bytesText is a size for people, in powers of ten.
func bytesText(size int64) string {
	switch {
	case size >= 1e6:
		return fmt.Sprintf("%.2f MB", float64(size)/1e6)
	case size >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(size)/1e3)
	default:
		return fmt.Sprintf("%d B", size)
	}
}
