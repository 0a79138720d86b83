package ociimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/taxiway-ci/taxiway/internal/guard"
)

// errNoPlatform says that an image has nothing for the platform asked for.
var errNoPlatform = errors.New("platform not in the image")

// Image is one built image with its bill of materials, in memory.
type Image struct {
	// Definition and Stamp are what it was made from.
	Definition Definition
	Stamp      Stamp
	// Index has one image for each platform.
	Index v1.ImageIndex
	// SBOM is the artifact that refers to Index and holds the SPDX document.
	SBOM *Artifact
}

// Digest identifies the index, and through it everything in it.
func (i *Image) Digest() (v1.Hash, error) {
	digest, err := i.Index.Digest()
	if err != nil {
		return v1.Hash{}, fmt.Errorf("digest of image %s: %w", i.Definition.Type, err)
	}
	return digest, nil
}

// Platform gives the image for one platform.
func (i *Image) Platform(platform v1.Platform) (v1.Image, error) {
	return forPlatform(i.Index, platform)
}

func forPlatform(index v1.ImageIndex, platform v1.Platform) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("image index: %w", err)
	}
	for _, descriptor := range manifest.Manifests {
		if descriptor.Platform != nil && descriptor.Platform.Satisfies(platform) {
			image, err := index.Image(descriptor.Digest)
			if err != nil {
				return nil, fmt.Errorf("image for %s: %w", platform, err)
			}
			return image, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", errNoPlatform, platform)
}

// Builder makes images from the main packages of one module.
type Builder struct {
	// Module is the folder of go.mod.
	Module string
	// Set has the definitions.
	Set *Set
	// Stamp goes into every image.
	Stamp Stamp
	// Platforms to build for; none means all of Platforms().
	Platforms []v1.Platform
	// Logf tells what is being built; nil means silence.
	Logf func(format string, args ...any)
}

// Build makes the named images, or all of them, in the order of their names.
func (b *Builder) Build(ctx context.Context, names ...string) ([]*Image, error) {
	definitions, err := b.Set.Select(names...)
	if err != nil {
		return nil, err
	}
	roots, err := rootCertificates()
	if err != nil {
		return nil, err
	}
	base, err := newLayer(baseNodes(roots), b.Stamp.Created)
	if err != nil {
		return nil, err
	}
	programs, err := b.programs(ctx, definitions)
	if err != nil {
		return nil, err
	}
	images := make([]*Image, len(definitions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, definition := range definitions {
		group.Go(func() error {
			return guard.Run(func() (err error) {
				if err := ctx.Err(); err != nil {
					return err
				}
				if images[i], err = assemble(b.Set, definition, b.Stamp, base, programs[i]); err != nil {
					return fmt.Errorf("image %s: %w", definition.Type, err)
				}
				return nil
			})
		})
	}
	return images, group.Wait()
}

// Key stands for all files of the named images: two builders with the same key make the same. It takes the IDs of the compiled
// packages, those of the programs and of the further ones that are named, and links nothing.
func (b *Builder) Key(ctx context.Context, names []string, further ...string) (string, error) {
	definitions, err := b.Set.Select(names...)
	if err != nil {
		return "", err
	}
	key := sha256.New()
	for _, platform := range b.platforms() {
		for _, d := range definitions {
			_, _ = fmt.Fprintln(key, platform, d.Type, d.Package, d.HTTP2)
		}
		packages := byHTTP2(definitions)
		for _, http2 := range []bool{false, true} {
			listed := packages[http2]
			if !http2 {
				listed = slices.Concat(listed, further) // one variant of those is enough
			}
			if len(listed) == 0 {
				continue
			}
			args := append([]string{"-deps", "-export", "-f", "{{.ImportPath}} {{.BuildID}}"}, listed...)
			ids, err := goCommand(ctx, b.Module, "list", platform, http2, args...)
			if err != nil {
				return "", fmt.Errorf("compile %s for %s in %s: %w", strings.Join(listed, " "), platform, b.Module, err)
			}
			key.Write(ids)
		}
	}
	return hex.EncodeToString(key.Sum(nil)), nil
}

// platforms are those to build for.
func (b *Builder) platforms() []v1.Platform {
	if len(b.Platforms) == 0 {
		return Platforms()
	}
	return b.Platforms
}

// byHTTP2 are the packages of programs with and without HTTP/2.
func byHTTP2(definitions []Definition) map[bool][]string {
	packages := map[bool][]string{}
	for _, d := range definitions {
		packages[d.HTTP2] = append(packages[d.HTTP2], d.Package)
	}
	return packages
}

// programs are those of each definition, for all platforms.
func (b *Builder) programs(ctx context.Context, definitions []Definition) ([][]program, error) {
	names := make([]string, len(definitions))
	for i, d := range definitions {
		names[i] = d.Type
	}
	programs := make([][]program, len(definitions))
	for _, platform := range b.platforms() {
		if b.Logf != nil {
			b.Logf("building for %s: %s", platform, strings.Join(names, ", "))
		}
		compiled := map[bool]map[string][]byte{}
		for http2, some := range byHTTP2(definitions) {
			var err error
			if compiled[http2], err = compile(ctx, b.Module, some, platform, http2); err != nil {
				return nil, fmt.Errorf("image %s: %w", strings.Join(names, ", "), err)
			}
		}
		for i, d := range definitions {
			programs[i] = append(programs[i], program{platform, compiled[d.HTTP2][d.Package], "/" + resourceDir + "/" + d.Type})
		}
	}
	return programs, nil
}

// assemble puts layers, configs, index and bill of materials together.
func assemble(set *Set, definition Definition, stamp Stamp, base v1.Layer, programs []program) (*Image, error) {
	notes := annotations(set, definition, stamp)
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range programs {
		image, err := platformImage(definition, stamp, base, p, notes)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{MediaType: types.OCIManifestSchema1, Platform: &p.platform},
		})
	}
	noted, ok := mutate.Annotations(index, notes).(v1.ImageIndex)
	if !ok {
		return nil, errors.New("annotating the index gave no index")
	}
	document, err := sbom(set, definition, stamp, programs)
	if err != nil {
		return nil, err
	}
	bill, err := newArtifact(noted, sbomType, document, map[string]string{
		createdKey: stamp.Created.UTC().Format(time.RFC3339),
		titleKey:   definition.Type + ".spdx.json",
	})
	if err != nil {
		return nil, err
	}
	return &Image{Definition: definition, Stamp: stamp, Index: noted, SBOM: bill}, nil
}

func platformImage(definition Definition, stamp Stamp, base v1.Layer, p program, notes map[string]string) (v1.Image, error) {
	layer, err := newLayer(programNodes(definition.Type, p.data), stamp.Created)
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: stamp.Created.UTC()}
	blank := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	configured, err := mutate.ConfigFile(blank, &v1.ConfigFile{
		Architecture: p.platform.Architecture, OS: p.platform.OS, Variant: p.platform.Variant, Created: created,
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Env: []string{"PATH=/" + resourceDir}, Entrypoint: []string{"/" + resourceDir + "/" + definition.Type},
			WorkingDir: "/", Labels: notes,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	image, err := mutate.Append(configured,
		addendum(base, created, "users, /tmp, root certificates"),
		addendum(layer, created, "/"+resourceDir+"/"+definition.Type))
	if err != nil {
		return nil, fmt.Errorf("layers: %w", err)
	}
	noted, ok := mutate.Annotations(image, notes).(v1.Image)
	if !ok {
		return nil, errors.New("annotating the image gave no image")
	}
	return noted, nil
}

func addendum(layer v1.Layer, created v1.Time, what string) mutate.Addendum {
	return mutate.Addendum{
		Layer: layer, MediaType: types.OCILayer,
		History: v1.History{Created: created, CreatedBy: "taxiway images build", Comment: what},
	}
}

// Keys of https://github.com/opencontainers/image-spec/blob/main/annotations.md that are used more than once.
const (
	createdKey = "org.opencontainers.image.created"
	titleKey   = "org.opencontainers.image.title"
)

// annotations is what the image says about itself, as labels of its configs and as annotations of its manifests.
func annotations(set *Set, definition Definition, stamp Stamp) map[string]string {
	return map[string]string{
		createdKey:                               stamp.Created.UTC().Format(time.RFC3339),
		titleKey:                                 definition.Title,
		"org.opencontainers.image.description":   definition.Description,
		"org.opencontainers.image.documentation": definition.Documentation,
		"org.opencontainers.image.licenses":      set.Licenses,
		"org.opencontainers.image.revision":      stamp.Revision,
		"org.opencontainers.image.source":        set.Source,
		"org.opencontainers.image.vendor":        set.Vendor,
		"org.opencontainers.image.version":       stamp.Version,
	}
}
