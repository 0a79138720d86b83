package main

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
)

// build builds the images of the suite that the pipelines use, pushes them to
// the world's registry, pulls them from there and unpacks them: the programs
// that run are those that a Concourse worker would run. It returns their
// folders by type.
func (w *world) build(ctx context.Context, pipelines []*pipeline.Pipeline) (map[string]string, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(root, "images", "images.yml")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("definitions of the images: %w", err)
	}
	set, err := ociimage.ParseSet(file, text)
	if err != nil {
		return nil, err
	}
	stamp, err := ociimage.ReadStamp(ctx, root)
	if err != nil {
		return nil, err
	}
	here := v1.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}
	builder := &ociimage.Builder{Module: root, Set: set, Stamp: stamp, Platforms: []v1.Platform{here}}
	began := time.Now()
	programs := map[string]string{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for _, name := range ownImages(set, pipelines) {
		group.Go(func() error {
			built, err := builder.Build(ctx, name)
			if err != nil {
				return err
			}
			folder, said, err := w.throughRegistry(ctx, built[0], here)
			mu.Lock()
			defer mu.Unlock()
			programs[name] = folder
			w.show.Line("%s", said)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	w.show.Line("images built, pushed to a registry, pulled and unpacked (%.1fs)", time.Since(began).Seconds())
	return programs, nil
}

// ownImages are those of the suite that the pipelines use.
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

// throughRegistry pushes an image, pulls it and unpacks what came. It returns
// the folder, and a line that says which image it was.
func (w *world) throughRegistry(ctx context.Context, image *ociimage.Image, here v1.Platform) (folder, said string, err error) {
	pushed, err := ociimage.Registry{}.Push(ctx, w.registry.Host+"/taxiway-ci", image)
	if err != nil {
		return "", "", err
	}
	found, err := ociimage.Registry{}.Open(ctx, pushed.Repository+"@"+pushed.Digest.String())
	if err != nil {
		return "", "", err
	}
	pulled, err := found.Platform(here)
	if err != nil {
		return "", "", err
	}
	size, err := ociimage.CompressedSize(pulled)
	if err != nil {
		return "", "", err
	}
	const megabyte = 1e6
	said = fmt.Sprintf("image %s@%s, %.1f MB", pushed.Repository, pushed.Digest, float64(size)/megabyte)
	folder = filepath.Join(w.dir, "images", image.Definition.Type)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return "", "", fmt.Errorf("rehearse: %w", err)
	}
	return folder, said, ociimage.Unpack(ctx, pulled, folder)
}
