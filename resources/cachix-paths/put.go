package cachixpaths

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/nixcache"
)

const defaultTimeout = 30 * time.Minute

// putParams are the params of a put step.
type putParams struct {
	// PathsFile is a file of an artifact with the list of store paths.
	PathsFile string `json:"paths_file"`
	// Paths are store paths.
	Paths []string `json:"paths"`
	// AllowEmpty is content with a list that holds nothing.
	AllowEmpty bool `json:"allow_empty"`
	// Closure also waits for everything the paths refer to.
	Closure bool `json:"closure"`
	// Any is content with one of the paths.
	Any bool `json:"any"`
	// Verify is how sure to be: listed, narinfo, signatures or nar.
	Verify level `json:"verify"`
	// Timeout is how long to wait; nil is 30m.
	Timeout *time.Duration `json:"timeout"`
	// Interval is the longest time between two looks; nil is 30s.
	Interval *time.Duration `json:"interval"`
	// Pin pins the paths once they are there.
	Pin *pin `json:"pin"`
}

// pin says how to pin.
type pin struct {
	// Name is the pin's name; {name} in it stands for that of the path.
	Name string `json:"name" concourse:"required"`
	// KeepDays is how long older revisions are kept.
	KeepDays int `json:"keep_days"`
	// KeepRevisions is how many revisions are kept.
	KeepRevisions int `json:"keep_revisions"`
}

// level is one of nixcache's levels, checked.
type level struct{ nixcache.Verify }

// UnmarshalText refuses what is no level.
func (l *level) UnmarshalText(text []byte) error {
	l.Verify = nixcache.Verify(text)
	if !slices.Contains(nixcache.Levels(), l.Verify) {
		return fmt.Errorf("%q is not one of %s", text, strings.ReplaceAll(strings.Trim(fmt.Sprint(nixcache.Levels()), "[]"), " ", ", "))
	}
	return nil
}

// MarshalText is the level's name.
func (l level) MarshalText() ([]byte, error) { return []byte(l.Verify), nil }

// Validate reports combinations that make no sense.
func (p putParams) Validate() error {
	switch {
	case p.PathsFile == "" && len(p.Paths) == 0 && !p.AllowEmpty:
		return errors.New("paths_file or paths: one of them is required")
	case p.PathsFile != "" && len(p.Paths) > 0:
		return errors.New("paths_file and paths: give one of them")
	case p.Timeout != nil && *p.Timeout <= 0:
		return errors.New("timeout: must be positive")
	case p.Interval != nil && *p.Interval <= 0:
		return errors.New("interval: must be positive")
	}
	if _, err := nixcache.ParseLines(p.Paths); err != nil {
		return fmt.Errorf("paths: %w", err)
	}
	return p.Pin.validate()
}

func (p *pin) validate() error {
	switch {
	case p == nil:
		return nil
	case p.KeepDays < 0 || p.KeepRevisions < 0:
		return errors.New("pin: keep_days and keep_revisions can't be negative")
	case p.KeepDays > 0 && p.KeepRevisions > 0:
		return errors.New("pin: give keep_days or keep_revisions, not both")
	}
	return nil
}

// Out waits until the paths are available. It succeeds only when they can.
func (Resource) Out(ctx context.Context, step concourse.Step, src Source, p putParams) (Result, error) {
	paths, err := wanted(step, p)
	if err != nil {
		return Result{}, err
	}
	cache, err := src.open(step.Logf)
	if err != nil {
		return Result{}, err
	}
	if p.Pin != nil {
		if err := p.Pin.fits(src, paths); err != nil {
			return Result{}, fmt.Errorf("params.pin: %w", err)
		}
	}
	if len(paths) == 0 {
		step.Logf("the list is empty, as it may be: there is nothing to wait for")
		return answer(cache, nixcache.Report{}), nil
	}
	query := p.query(paths, step.Progress)
	step.Logf("waiting for %s in cache %s, for %s at most", describe(p, len(paths)), cache.Name(), nixcache.Duration(query.Timeout))
	report, err := cache.Wait(ctx, query)
	if err != nil {
		return Result{}, err
	}
	step.Logf("all there: %s in cache %s, %s, after %s", count(len(report.Found)), cache.Name(), nixcache.Size(report.NarSize()), nixcache.Duration(report.Waited))
	out := answer(cache, report)
	if p.Pin != nil {
		err = p.Pin.apply(ctx, step, cache, report, &out)
	}
	return out, err
}

// wanted reads the list.
func wanted(step concourse.Step, p putParams) ([]nixcache.Path, error) {
	if p.PathsFile == "" {
		return nixcache.ParseLines(p.Paths)
	}
	data, err := step.Artifacts().Read(p.PathsFile, artifact.MaxList)
	if err != nil {
		return nil, fmt.Errorf("params.paths_file: %w", err)
	}
	paths, err := nixcache.ParseList(data)
	if err != nil {
		return nil, fmt.Errorf("params.paths_file %s: %w", p.PathsFile, err)
	}
	if len(paths) == 0 && !p.AllowEmpty {
		return nil, fmt.Errorf("params.paths_file %s: it lists no paths: the step before it produced nothing; set allow_empty: true if it may be empty", p.PathsFile)
	}
	return paths, nil
}

func (p putParams) query(paths []nixcache.Path, progress func(string, ...any)) nixcache.Query {
	w := nixcache.Query{Paths: paths, Closure: p.Closure, Any: p.Any, Verify: p.Verify.Verify, Timeout: defaultTimeout, Progress: progress}
	if p.Timeout != nil {
		w.Timeout = *p.Timeout
	}
	if p.Interval != nil {
		w.Interval = *p.Interval
	}
	return w
}

func describe(p putParams, n int) string {
	text := count(n)
	if p.Any && n > 1 {
		text = "one of " + text
	}
	if p.Closure {
		text += " and all that is referred to"
	}
	return text
}

// answer is the version and its metadata. The version lists the paths that satisfied
// the request.
func answer(cache *nixcache.Cache, r nixcache.Report) Result {
	paths := r.There()
	out := Result{Version: newVersion(paths, now()), Metadata: about(cache, len(paths), r.Narinfos())}
	out.Metadata.Add("waited", "%s", nixcache.Duration(r.Waited))
	return out
}

// about is what people see beside a version of n paths. Found may have more:
// those that the paths refer to.
func about(cache *nixcache.Cache, n int, found []nixcache.Narinfo) concourse.Metadata {
	var m concourse.Metadata
	m.Add("cache", "%s", cache.Name())
	if address := cache.Address(); address != "" {
		m.Add("url", "%s", address)
	}
	m.Add("paths", "%s", nixcache.Count(n))
	if more := len(found) - n; more > 0 {
		m.Add("referred to", "%s more", nixcache.Count(more))
	}
	if size := nixcache.NarSize(found); size > 0 {
		m.Add("size", "%s", nixcache.Size(size))
	}
	m.Add("requests", "%s", nixcache.Count(int(cache.Requests())))
	return m
}

// placeholder stands for a path's name in a pin's name.
const placeholder = "{name}"

// fits says before the waiting what would fail after it.
func (p *pin) fits(src Source, paths []nixcache.Path) error {
	if src.Cache == "" {
		return errors.New("only Cachix has pins: give cache instead of url in the source")
	}
	names := map[string]nixcache.Path{}
	for _, path := range paths {
		name := p.nameOf(path)
		if other, twice := names[name]; twice {
			return fmt.Errorf("a pin holds one path, and %q would have to hold both %s and %s: put %s into its name, or list one path", name, other.Base(), path.Base(), placeholder)
		}
		names[name] = path
	}
	return nil
}

func (p *pin) nameOf(path nixcache.Path) string {
	return strings.ReplaceAll(p.Name, placeholder, path.Name())
}

// apply pins what was found. A pin that holds the path is left alone: pinning it
// again would be a new revision, and push an older one out.
func (p *pin) apply(ctx context.Context, step concourse.Step, cache *nixcache.Cache, r nixcache.Report, out *Result) error {
	pins, err := cache.Pins(ctx)
	if err != nil {
		return fmt.Errorf("the paths are there, but their pins can't be listed: %w", err)
	}
	holds := make(map[string]nixcache.Path, len(pins))
	for _, pin := range pins {
		holds[pin.Name] = pin.Path
	}
	for _, path := range r.There() {
		query := nixcache.PinSpec{Name: p.nameOf(path), Path: path, KeepDays: p.KeepDays, KeepRevisions: p.KeepRevisions}
		if holds[query.Name] == path {
			step.Logf("%s is pinned as %s already", path.Base(), query.Name)
		} else if err := cache.Pin(ctx, query); err != nil {
			return fmt.Errorf("the paths are there, but: %w", err)
		} else {
			step.Logf("pinned: %s as %s", path.Base(), query.Name)
		}
		out.Metadata.Add("pinned", "%s", query.Name)
	}
	return nil
}
