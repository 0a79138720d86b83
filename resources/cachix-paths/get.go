package cachixpaths

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/nixcache"
)

// getParams are the params of a get step: there are none.
type getParams struct{}

// In writes what the cache says about the version's paths. A path that has been
// collected since is an error.
func (Resource) In(ctx context.Context, step concourse.Step, src Source, v Version, _ getParams) (Result, error) {
	cache, err := src.open(step.Logf)
	if err != nil {
		return Result{}, err
	}
	hashes, known, err := hashesOf(ctx, step, src, v)
	if err != nil {
		return Result{}, err
	}
	if !known && !isDigest(v.Paths) {
		return Result{}, fmt.Errorf("version.paths: %q is not a digest of paths", v.Paths)
	}
	if !known {
		step.Logf("warning: the version is of a put with more than %d paths, and can't say which: there are no files (set no_get: true on such a put)", maxHashes)
		return Result{Version: v}, nil
	}
	found, err := read(ctx, cache, hashes)
	if err != nil {
		return Result{}, err
	}
	if got := digest(pathsIn(found)); got != v.Paths {
		return Result{}, fmt.Errorf("the version is of the paths with the digest %s, but its hashes are of %s", v.Paths, got)
	}
	if err := write(step.Dir, found); err != nil {
		return Result{}, err
	}
	return Result{Version: v, Metadata: about(cache, len(found), found)}, nil
}

// hashesOf finds the paths that a version is of: in the version itself, in the
// source, or among the pins as they are now.
func hashesOf(ctx context.Context, step concourse.Step, src Source, v Version) (hashes []string, known bool, err error) {
	if v.Hashes != "" || v.Paths == digest(nil) {
		return strings.Fields(v.Hashes), true, nil
	}
	var paths []nixcache.Path
	if len(src.Pins) > 0 {
		paths, _, err = pinned(ctx, step, src)
	} else {
		paths, err = nixcache.ParseLines(src.Paths)
	}
	for _, p := range paths {
		hashes = append(hashes, p.Hash())
	}
	return hashes, digest(paths) == v.Paths, err
}

// read asks the cache about all hashes; that one is missing is an error.
func read(ctx context.Context, cache *nixcache.Cache, hashes []string) ([]nixcache.Narinfo, error) {
	found, missing, err := cache.Read(ctx, hashes)
	if err != nil {
		return nil, fmt.Errorf("read about %s in cache %s: %w", count(len(hashes)), cache.Name(), err)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s of the %s of this version are no longer available in cache %s; pin the paths that must stay. Missing:\n%s",
			nixcache.Count(len(missing)), count(len(hashes)), cache.Name(), strings.Join(missing, "\n"))
	}
	slices.SortFunc(found, func(a, b nixcache.Narinfo) int { return strings.Compare(a.Path.Base(), b.Path.Base()) })
	return found, nil
}

func pathsIn(list []nixcache.Narinfo) []nixcache.Path {
	paths := make([]nixcache.Path, len(list))
	for i, n := range list {
		paths[i] = n.Path
	}
	return paths
}

// entry is a path in paths.json.
type entry struct {
	Path       nixcache.Path   `json:"path"`
	NarHash    string          `json:"narHash"`
	NarSize    uint64          `json:"narSize"`
	FileSize   uint64          `json:"fileSize"`
	References []nixcache.Path `json:"references"`
	URL        string          `json:"url"`
	Signatures []string        `json:"signatures"` // the names of the keys
}

// write leaves the files of a get.
func write(dir string, found []nixcache.Narinfo) error {
	var lines strings.Builder
	entries := make([]entry, 0, len(found))
	for _, n := range found {
		lines.WriteString(n.Path.String() + "\n")
		entries = append(entries, entry{n.Path, n.NarHash, n.NarSize, n.FileSize, append([]nixcache.Path{}, n.References...), n.URL, n.SignedBy()})
	}
	data, err := json.MarshalIndent(entries, "", "  ")
	if err != nil {
		return fmt.Errorf("write paths.json: %w", err)
	}
	for name, content := range map[string]string{"paths": lines.String(), "paths.json": string(data) + "\n", "missing": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return fmt.Errorf("write the file %s: %w", name, err)
		}
	}
	return nil
}
