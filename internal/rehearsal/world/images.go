package world

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/taxiway-ci/taxiway/internal/ociimage"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/timeline"
	"github.com/taxiway-ci/taxiway/internal/standin/registry"
)

// images builds the images of the suite that pipelines use, pushes them to a registry, pulls them from there and unpacks them:
// the programs that run are those that a Concourse worker would run. The unpacked images stay in the module's folder build, and a
// later play takes them as long as the same would come of it.
type images struct {
	module string // folder of the module that has images/images.yml
	show   *timeline.Timeline
}

// build returns the folders of the unpacked images by type.
func (i images) build(ctx context.Context, pipelines []*pipeline.Pipeline) (map[string]string, error) {
	began := time.Now()
	builder, err := i.builder(ctx)
	if err != nil {
		return nil, err
	}
	types := ownImages(builder.Set, pipelines)
	key, err := builder.Key(ctx, types, "./internal/ociimage")
	if err != nil {
		return nil, err
	}
	unpacked, err := filepath.Abs(filepath.Join(i.module, "build", "unpacked")) // programs start in folders of their own
	if err != nil {
		return nil, fmt.Errorf("rehearse: %w", err)
	}
	kept := keep{unpacked}
	dir, made, err := kept.folder(key, func(dir string) error { return i.fill(ctx, dir, builder, types) })
	if err != nil {
		return nil, fmt.Errorf("rehearse: %w", err)
	}
	how := "those of an earlier run, in which nothing has changed"
	if made {
		how = "built, pushed to a registry, pulled and unpacked"
	}
	i.show.Line("images: %s (%.1fs)", how, time.Since(began).Seconds())
	programs := map[string]string{}
	for _, name := range types {
		programs[name] = filepath.Join(dir, name)
	}
	return programs, nil
}

// fill builds images and leaves each, unpacked, in a folder named after its type.
func (i images) fill(ctx context.Context, dir string, builder *ociimage.Builder, types []string) error {
	server := registry.New("")
	defer server.Close()
	built, err := builder.Build(ctx, types...)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for _, image := range built {
		group.Go(func() error { return i.unpack(ctx, server.Host, image, builder.Platforms[0], dir) })
	}
	return group.Wait()
}

// builder builds for this machine.
func (i images) builder(ctx context.Context) (*ociimage.Builder, error) {
	file := filepath.Join(i.module, "images", "images.yml")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("definitions of the images: %w", err)
	}
	set, err := ociimage.ParseSet(file, text)
	if err != nil {
		return nil, err
	}
	stamp, err := ociimage.ReadStamp(ctx, i.module)
	if err != nil {
		return nil, err
	}
	here := v1.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}
	return &ociimage.Builder{Module: i.module, Set: set, Stamp: stamp, Platforms: []v1.Platform{here}}, nil
}

// ownImages returns the names of the suite's images that the pipelines use.
func ownImages(set *ociimage.Set, pipelines []*pipeline.Pipeline) []string {
	used := map[string]bool{}
	for _, p := range pipelines {
		for _, t := range p.ResourceTypes {
			if _, own := set.Images[imageOf(p, t.Name)]; own {
				used[imageOf(p, t.Name)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(used))
}

// unpack pushes an image to the registry, pulls it and unpacks what came to a folder in dir.
func (i images) unpack(ctx context.Context, host string, image *ociimage.Image, here v1.Platform, dir string) error {
	pushed, err := ociimage.Registry{}.Push(ctx, host+"/taxiway-ci", image)
	if err != nil {
		return err
	}
	found, err := ociimage.Registry{}.Open(ctx, pushed.Repository+"@"+pushed.Digest.String())
	if err != nil {
		return err
	}
	pulled, err := found.Platform(here)
	if err != nil {
		return err
	}
	size, err := ociimage.CompressedSize(pulled)
	if err != nil {
		return err
	}
	const megabyte = 1e6 // bytes
	i.show.Line("image %s %s, %.1f MB", image.Definition.Type, shortDigest(pushed.Digest), float64(size)/megabyte)
	folder := filepath.Join(dir, image.Definition.Type)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	return ociimage.Unpack(ctx, pulled, folder)
}

// shortDigest returns the beginning of a digest that people compare.
func shortDigest(h v1.Hash) string {
	const shown = 12
	return h.Algorithm + ":" + h.Hex[:shown]
}
