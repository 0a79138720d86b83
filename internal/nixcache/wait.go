package nixcache

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/taxiway-ci/taxiway/internal/guard"
	"github.com/taxiway-ci/taxiway/internal/retry"
)

const (
	// firstInterval is the time between the first two looks. It grows by half
	// with each look.
	firstInterval = 2 * time.Second
	// LongestInterval is where the growing ends, unless a query says otherwise.
	LongestInterval = 30 * time.Second
)

// Verify is how sure to be that a path can be had. The empty level is VerifyNarinfo, and signatures where keys are known.
type Verify string

// The levels, the weakest first.
const (
	// VerifyListed believes the cache's own list. On Cachix that is one request
	// for thousands of paths and no more; on other caches it is VerifyNarinfo.
	VerifyListed Verify = "listed"
	// VerifyNarinfo reads the narinfo of each path, and asks for no signature.
	VerifyNarinfo Verify = "narinfo"
	// VerifySignatures also wants a signature by a trusted key.
	VerifySignatures Verify = "signatures"
	// VerifyNar also asks for the NAR itself; signatures where keys are known.
	VerifyNar Verify = "nar"
)

// Levels lists what may be written.
func Levels() []Verify {
	return []Verify{VerifyListed, VerifyNarinfo, VerifySignatures, VerifyNar}
}

// Query is what to look for.
type Query struct {
	// Paths are what is wanted, each once.
	Paths []Path
	// Closure also wants everything the paths refer to.
	Closure bool
	// Any is content with one of the paths.
	Any bool
	// Verify is how sure to be.
	Verify Verify
	// Timeout is how long Wait waits.
	Timeout time.Duration
	// Interval bounds the growing time between looks; 0 is [LongestInterval].
	Interval time.Duration
	// Progress gets one line after each look that leaves something missing; may
	// be nil.
	Progress func(format string, args ...any)
}

// Found is a path that can be had. What the cache was not asked about is zero.
type Found struct {
	Path    Path
	Narinfo Narinfo
}

// Lack is a path that can't be had.
type Lack struct {
	Path Path
	// For is a path that refers to it; zero for one that was requested.
	For Path
	// Why is what is missing: "not in the cache", or its NAR.
	Why string
}

// Report is the outcome of one or more looks.
type Report struct {
	Requested []Path  // in the query's order
	Found     []Found // what was requested first, then what it refers to
	Missing   []Lack
	Looks     int
	Waited    time.Duration
	Unwell    error // what was wrong with the cache at the last look, or nil

	there []Path
}

// There returns the paths that satisfied the request; if it was for closures, with
// everything that they refer to.
func (r Report) There() []Path { return r.there }

// NarSize is the size of what was found, unpacked, in bytes.
func (r Report) NarSize() uint64 {
	return NarSize(r.Narinfos())
}

// Narinfos are those of what was found.
func (r Report) Narinfos() []Narinfo {
	list := make([]Narinfo, len(r.Found))
	for i, f := range r.Found {
		list[i] = f.Narinfo
	}
	return list
}

// NarSize is the size of paths, unpacked, in bytes.
func NarSize(list []Narinfo) uint64 {
	var sum uint64
	for _, n := range list {
		sum += n.NarSize
	}
	return sum
}

// errGaveUp ends the waiting.
var errGaveUp = errors.New("the time is up")

// LateError is a wait that came to its end with paths missing.
type LateError struct {
	Cache   string
	Timeout time.Duration
	Report  Report
}

// Error has a table of what is missing.
func (e *LateError) Error() string {
	total := len(e.Report.Found) + len(e.Report.Missing)
	text := fmt.Sprintf("after %s, %s of %s paths are not available in cache %s", Duration(e.Timeout), Count(len(e.Report.Missing)), Count(total), e.Cache)
	if e.Report.Unwell != nil {
		text += fmt.Sprintf(" (at the last look: %v)", e.Report.Unwell)
	}
	return text + ":\n" + e.Report.Table()
}

// Wait looks again and again until everything of the query is there. It returns
// at the latest when the query's timeout is over, with a [*LateError] then.
func (c *Cache) Wait(ctx context.Context, query Query) (Report, error) {
	start := time.Now()
	limited, cancel := context.WithTimeoutCause(ctx, query.Timeout, errGaveUp)
	defer cancel()
	s := newSearch(c, query)
	interval := min(firstInterval, longest(query))
	for {
		err := s.look(limited)
		report := s.report(time.Since(start))
		switch {
		case ctx.Err() != nil:
			return report, fmt.Errorf("wait for cache %s: %w", c.name, context.Cause(ctx))
		case limited.Err() != nil && !s.done():
			return report, &LateError{c.name, query.Timeout, report}
		case err != nil:
			return report, err
		case s.done():
			return report, nil
		}
		pause := max(interval, retryAfterOf(s.unwell))
		s.progress(pause, query.Timeout-time.Since(start))
		if err := retry.Sleep(limited, pause); err != nil && ctx.Err() == nil {
			report.Waited = time.Since(start)
			return report, &LateError{c.name, query.Timeout, report}
		}
		interval = min(interval+interval/2, longest(query))
	}
}

func longest(query Query) time.Duration {
	if query.Interval > 0 {
		return query.Interval
	}
	return LongestInterval
}

// Look looks once. What is missing is in the report, and no error; a cache that
// is unwell is an error.
func (c *Cache) Look(ctx context.Context, query Query) (Report, error) {
	start := time.Now()
	s := newSearch(c, query)
	err := s.look(ctx)
	if err == nil {
		err = s.unwell
	}
	return s.report(time.Since(start)), err
}

// search is what is known about the paths of one query. What was found once is
// never asked for again.
type search struct {
	cache    *Cache
	query    Query
	verifier verifier
	looks    int
	unwell   error
	exists   bool // the cache itself has been seen
	oneByOne bool // the server has no bulk look-up

	held    held
	mu      sync.Mutex // guards the entries during a look
	entries []*entry
	byPath  map[Path]*entry
}

// stage is how much of a path has been seen.
type stage int

const (
	unseen    stage = iota
	listed          // the cache says that it has it
	described       // its narinfo was read and is good, its NAR is wanted too
	complete        // all that the query requires of the path itself
)

type entry struct {
	path  Path
	by    Path // who refers to it
	stage stage
	info  Narinfo
	why   string
}

func newSearch(c *Cache, query Query) *search {
	s := &search{cache: c, query: query, byPath: make(map[Path]*entry, len(query.Paths))}
	for _, p := range query.Paths {
		s.want(p, Path{})
	}
	return s
}

// want adds a path to the search, once, and returns it as it is kept. That ends references in a circle too.
func (s *search) want(p, by Path) Path {
	if e := s.byPath[p]; e != nil {
		return e.path
	}
	p.base = strings.Clone(p.base) // and not all that it was found in
	e := &entry{path: p, by: by, why: "could not be asked for yet"}
	s.byPath[p] = e
	s.entries = append(s.entries, e)
	return p
}

// look asks for everything that is not complete, and for what turns out to be
// referred to. Its error ends the search; a cache that is unwell is noted.
func (s *search) look(ctx context.Context) error {
	s.looks++
	s.unwell = nil
	err := s.lookAt(ctx)
	if errors.Is(err, ErrUnwell) {
		s.unwell = err
		return nil
	}
	return err
}

func (s *search) lookAt(ctx context.Context) error {
	keys, err := s.cache.Keys(ctx)
	if err != nil {
		return err
	}
	if s.query.Verify == VerifySignatures && len(keys) == 0 {
		return fmt.Errorf("verify signatures of cache %s: no key is known: give public_keys", s.cache.name)
	}
	if s.query.Verify != VerifyNarinfo && s.query.Verify != VerifyListed {
		s.verifier.keys = keys
	}
	open := slices.DeleteFunc(slices.Clone(s.entries), func(e *entry) bool { return e.stage == complete })
	for len(open) > 0 {
		before := len(s.entries)
		if err := s.list(ctx, open); err != nil {
			return err
		}
		if err := s.examine(ctx, open); err != nil {
			return err
		}
		open = slices.Clone(s.entries[before:])
	}
	return s.lookForCache(ctx)
}

// lookForCache tells a cache that lacks paths from an address that is none.
func (s *search) lookForCache(ctx context.Context) error {
	if s.exists || s.done() {
		return nil
	}
	err := s.cache.exists(ctx)
	s.exists = err == nil
	return err
}

// list asks Cachix which of the paths it has, all at once.
func (s *search) list(ctx context.Context, open []*entry) error {
	if !s.cache.IsCachix() || s.oneByOne {
		return nil
	}
	var paths []Path
	for _, e := range open {
		if e.stage == unseen {
			paths = append(paths, e.path)
		}
	}
	missing, err := s.cache.bulk(ctx, paths)
	if errors.Is(err, ErrUnsupported) {
		s.oneByOne = true
		s.cache.logf("%v: asking for the paths one by one", err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range open {
		switch {
		case e.stage != unseen:
		case missing[e.path.Hash()]:
			e.why = ErrMissing.Error()
		default:
			e.stage = listed
		}
	}
	return nil
}

// examine reads what the cache has about each path, several at a time. The
// first fault ends it; what was found until then stays found.
func (s *search) examine(ctx context.Context, open []*entry) error {
	byList := s.cache.IsCachix() && !s.oneByOne
	var wanted []*entry
	for _, e := range open {
		switch {
		case byList && e.stage == unseen:
		case byList && s.query.Verify == VerifyListed && !s.query.Closure:
			e.stage = complete
		default:
			wanted = append(wanted, e)
		}
	}
	if err := s.describeAll(ctx, wanted); err != nil || s.query.Verify != VerifyNar {
		return err
	}
	return several(ctx, len(wanted), func(ctx context.Context, i int) error { return s.lookForNar(ctx, wanted[i]) })
}

// describeAll reads and verifies what the cache has about each path. The first request is ahead of the others until it has a
// connection: that may carry all of them, as with HTTP/2.
func (s *search) describeAll(ctx context.Context, wanted []*entry) error {
	connected := make(chan struct{})
	goOn := sync.OnceFunc(func() { close(connected) })
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { goOn() }}
	err := several(ctx, len(wanted), func(ctx context.Context, i int) error {
		if i == 0 {
			defer goOn()
			return s.describe(httptrace.WithClientTrace(ctx, trace), wanted[i])
		}
		<-connected
		return s.describe(ctx, wanted[i])
	})
	if late := s.verifier.flush(); late != nil {
		return late
	}
	return err
}

// several does n things, as many at a time as requests may be under way; the first fault ends it. Its goroutines go on from one thing
// to the next: to verify signatures takes more of a stack than a new one has.
func several(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(n, streams) {
		group.Go(func() error {
			return guard.Run(func() error {
				for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
					if ctx.Err() != nil {
						return context.Cause(ctx)
					}
					if err := do(ctx, i); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return group.Wait()
}

// lookForNar asks for the NAR of a path, if its narinfo is there.
func (s *search) lookForNar(ctx context.Context, e *entry) error {
	if e.stage != described {
		return nil
	}
	err := s.cache.HasNar(ctx, e.info)
	switch {
	case errors.Is(err, ErrMissing):
		e.why = "its narinfo is there, its NAR is not"
		return nil
	case err != nil:
		return fmt.Errorf("the NAR of %s: %w", e.path, err)
	}
	e.stage = complete
	return nil
}

// describe reads the narinfo of a path, if that was not done before, and has it verified.
func (s *search) describe(ctx context.Context, e *entry) error {
	if e.stage == described {
		return nil
	}
	err := s.cache.narinfo(ctx, e.path.Hash(), func(info Narinfo, size int) error {
		if err := info.isAbout(e.path); err != nil {
			return err
		}
		return s.verifier.add(info, size, func() error { return s.keep(e, info) })
	})
	if errors.Is(err, ErrMissing) {
		e.why = ErrMissing.Error()
		if e.stage == listed {
			e.stage, e.why = unseen, "the cache lists it, but has no narinfo of it"
		}
		return nil
	}
	return err
}

// keep keeps what the search needs of a narinfo, and not the text that it came in.
func (s *search) keep(e *entry, info Narinfo) error {
	brief := Narinfo{Path: e.path, URL: strings.Clone(info.URL), FileSize: info.FileSize, NarSize: info.NarSize}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.entries)
	if s.query.Closure {
		brief.References = make([]Path, len(info.References))
		for i, r := range info.References {
			brief.References[i] = s.want(r, e.path)
		}
	}
	const each, reference = 600, 24 // bytes of memory
	if err := s.held.add(each*(len(s.entries)-before) + reference*len(brief.References) + len(brief.URL)); err != nil {
		return err
	}
	e.info, e.stage = brief, complete
	if s.query.Verify == VerifyNar {
		e.stage = described
	}
	return nil
}

// maxHeld is how many bytes are kept of what a cache says: some hundred thousand paths.
const maxHeld = 48 << 20

// held counts them.
type held struct{ bytes int }

func (h *held) add(n int) error {
	if h.bytes += n; h.bytes > maxHeld {
		return fmt.Errorf("%w: the paths and all that they refer to are more than %d MiB of text", ErrWrong, maxHeld>>20)
	}
	return nil
}

// done reports whether the query is answered.
func (s *search) done() bool {
	if s.query.Any {
		return slices.ContainsFunc(s.query.Paths, s.whole)
	}
	return !slices.ContainsFunc(s.entries, func(e *entry) bool { return e.stage != complete })
}

// whole says whether a path and everything below it is complete.
func (s *search) whole(p Path) bool {
	seen := map[Path]bool{p: true}
	for queue := []Path{p}; len(queue) > 0; queue = queue[1:] {
		e := s.byPath[queue[0]]
		if e == nil || e.stage != complete {
			return false
		}
		if !s.query.Closure {
			return true
		}
		for _, r := range e.info.References {
			if !seen[r] {
				seen[r] = true
				queue = append(queue, r)
			}
		}
	}
	return true
}

func (s *search) report(waited time.Duration) Report {
	r := Report{Requested: s.query.Paths, Looks: s.looks, Waited: waited, Unwell: s.unwell}
	for _, e := range s.entries {
		if e.stage == complete {
			r.Found = append(r.Found, Found{e.path, e.info})
		} else {
			r.Missing = append(r.Missing, Lack{e.path, e.by, e.why})
		}
	}
	switch {
	case len(r.Missing) == 0:
		r.there = s.query.Paths
	case s.query.Any:
		for _, p := range s.query.Paths {
			if s.whole(p) {
				r.there = append(r.there, p)
			}
		}
	}
	return r
}

func (s *search) progress(pause, left time.Duration) {
	if s.query.Progress == nil {
		return
	}
	missing := 0
	for _, e := range s.entries {
		if e.stage != complete {
			missing++
		}
	}
	line := fmt.Sprintf("found %s of %s · %s missing · next look in %s · gives up in %s",
		Count(len(s.entries)-missing), Count(len(s.entries)), Count(missing), Duration(min(pause, left)), Duration(left))
	if s.unwell != nil {
		line += fmt.Sprintf(" · %v", s.unwell)
	}
	s.query.Progress("%s", line)
}

// Read reads what the cache says about paths of which the hashes are known, and
// verifies it where keys are known. What was found comes in the order of the
// hashes; missing are those that the cache does not have.
func (c *Cache) Read(ctx context.Context, hashes []string) (found []Narinfo, missing []string, err error) {
	keys, err := c.Keys(ctx)
	if err != nil {
		return nil, nil, err
	}
	all := make([]Narinfo, len(hashes))
	verifier := verifier{keys: keys}
	var mu sync.Mutex
	var kept held
	err = several(ctx, len(hashes), func(ctx context.Context, i int) error {
		err := c.narinfo(ctx, hashes[i], func(n Narinfo, size int) error {
			return verifier.add(n, size, func() error {
				mu.Lock()
				defer mu.Unlock()
				all[i] = n
				return kept.add(size)
			})
		})
		if errors.Is(err, ErrMissing) {
			return nil
		}
		return err
	})
	if err == nil {
		err = verifier.flush()
	}
	if err != nil {
		return nil, nil, err
	}
	for i, n := range all {
		if n.Path.IsZero() {
			missing = append(missing, hashes[i])
		} else {
			found = append(found, n)
		}
	}
	return found, missing, nil
}
