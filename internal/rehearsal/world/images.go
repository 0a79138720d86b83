package world

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/taxiway-ci/taxiway/internal/ociimage"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/timeline"
	"github.com/taxiway-ci/taxiway/internal/standin/registry"
)

// images builds the images of the suite that pipelines use, pushes them to a registry, pulls them from there and unpacks them:
// the programs that run are those that a Concourse worker would run.
type images struct {
	module string // folder of the module that has images/images.yml
	dir    string // to unpack to, a folder for each type
	show   *timeline.Timeline
}

// build returns the folders of the unpacked images by type.
func (i images) build(ctx context.Context, pipelines []*pipeline.Pipeline) (map[string]string, error) {
	builder, err := i.builder(ctx)
	if err != nil {
		return nil, err
	}
	server := registry.New("")
	defer server.Close()
	began := time.Now()
	built, err := builder.Build(ctx, ownImages(builder.Set, pipelines)...)
	if err != nil {
		return nil, err
	}
	programs := map[string]string{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for _, image := range built {
		group.Go(func() error {
			folder, err := i.unpack(ctx, server.Host, image, builder.Platforms[0])
			mu.Lock()
			defer mu.Unlock()
			programs[image.Definition.Type] = folder
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	i.show.Line("images built, pushed to a registry, pulled and unpacked (%.1fs)", time.Since(began).Seconds())
	return programs, nil
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

// unpack pushes an image to the registry, pulls it and unpacks what came. It returns the folder.
func (i images) unpack(ctx context.Context, host string, image *ociimage.Image, here v1.Platform) (folder string, err error) {
	pushed, err := ociimage.Registry{}.Push(ctx, host+"/taxiway-ci", image)
	if err != nil {
		return "", err
	}
	found, err := ociimage.Registry{}.Open(ctx, pushed.Repository+"@"+pushed.Digest.String())
	if err != nil {
		return "", err
	}
	pulled, err := found.Platform(here)
	if err != nil {
		return "", err
	}
	size, err := ociimage.CompressedSize(pulled)
	if err != nil {
		return "", err
	}
	const megabyte = 1e6 // bytes
	i.show.Line("image %s %s, %.1f MB", image.Definition.Type, shortDigest(pushed.Digest), float64(size)/megabyte)
	folder = filepath.Join(i.dir, image.Definition.Type)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return "", fmt.Errorf("rehearse: %w", err)
	}
	return folder, ociimage.Unpack(ctx, pulled, folder)
}

// shortDigest returns the beginning of a digest that people compare.
func shortDigest(h v1.Hash) string {
	const shown = 12
	return h.Algorithm + ":" + h.Hex[:shown]
}
