// Package cachixpaths is the resource type that waits until Nix store paths can
// really be had from a binary cache, and triggers when pinned ones change.
// README.md lists its source, params and files.
package cachixpaths

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/nixcache"
)

// Resource is cachix-paths.
type Resource struct{}

// Result is the answer of a get or put.
type Result = concourse.Result[Version]

// Check lists the set of paths that the source watches: what its pins hold now,
// or its fixed paths once all of them are there. A source that watches nothing
// has no versions but those of puts.
func (Resource) Check(ctx context.Context, step concourse.Step, src Source, given *Version) ([]Version, error) {
	if given != nil && given.Paths == "" {
		given = nil // of an older resource type
	}
	var paths []nixcache.Path
	var serial string
	var err error
	switch {
	case len(src.Pins) > 0:
		paths, serial, err = pinned(ctx, step, src)
	case len(src.Paths) > 0:
		paths, err = present(ctx, step, src, given)
		serial = now()
	}
	if err != nil {
		return nil, err
	}
	return since(given, paths, serial), nil
}

// since is the given version, and a new one if the paths are others.
func since(given *Version, paths []nixcache.Path, serial string) []Version {
	var versions []Version
	if given != nil {
		versions = append(versions, *given)
	}
	if len(paths) == 0 || given != nil && given.Paths == digest(paths) {
		return versions
	}
	return append(versions, newVersion(paths, serial))
}

// now is a serial that no other event has.
func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

// pinned is what the source's pins hold; nothing while one of them does not
// exist.
func pinned(ctx context.Context, step concourse.Step, src Source) (paths []nixcache.Path, serial string, err error) {
	cache, err := src.open(step.Logf)
	if err != nil {
		return nil, "", err
	}
	all, err := cache.Pins(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("list the pins of cache %s: %w", cache.Name(), err)
	}
	var newest time.Time
	var revisions []string
	for _, name := range src.Pins {
		i := slices.IndexFunc(all, func(p nixcache.Pin) bool { return p.Name == name })
		if i < 0 {
			step.Logf("cache %s has no pin %q yet", cache.Name(), name)
			return nil, "", nil
		}
		paths = append(paths, all[i].Path)
		revisions = append(revisions, name+"@"+strconv.Itoa(all[i].Revision))
		if all[i].Created.After(newest) {
			newest = all[i].Created
		}
	}
	slices.SortFunc(paths, func(a, b nixcache.Path) int { return strings.Compare(a.Base(), b.Base()) })
	slices.Sort(revisions)
	serial = strings.Join(revisions, " ")
	if !newest.IsZero() {
		// numbers start again when a pin is removed and made anew, time does not
		serial += " " + newest.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return slices.Compact(paths), serial, nil
}

// present is the source's paths, or nothing while one of them is missing. When
// they have been there, nothing new can come, and nobody is asked.
func present(ctx context.Context, step concourse.Step, src Source, given *Version) ([]nixcache.Path, error) {
	paths, err := nixcache.ParseLines(src.Paths)
	if err != nil {
		return nil, fmt.Errorf("source.paths: %w", err)
	}
	if given != nil && given.Paths == digest(paths) {
		return paths, nil
	}
	cache, err := src.open(step.Logf)
	if err != nil {
		return nil, err
	}
	report, err := cache.Look(ctx, nixcache.Query{Paths: paths})
	if err != nil {
		return nil, fmt.Errorf("look for %s in cache %s: %w", count(len(paths)), cache.Name(), err)
	}
	if len(report.Missing) > 0 {
		step.Logf("%s of %s are not in cache %s yet:\n%s", nixcache.Count(len(report.Missing)), count(len(paths)), cache.Name(), report.Table())
		return nil, nil
	}
	return paths, nil
}

// count is a number of paths in words.
func count(n int) string {
	if n == 1 {
		return "1 path"
	}
	return nixcache.Count(n) + " paths"
}
