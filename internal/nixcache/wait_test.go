package nixcache_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/nixcache"
	standin "github.com/taxiway-ci/taxiway/internal/standin/nixcache"
)

// direct answers requests without a network, so that a test's clock can run
// ahead while everything waits. The first hangs requests are never answered.
type direct struct {
	handler http.Handler

	mu    sync.Mutex
	hangs int
	times []time.Time // of the requests
}

func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	d.times = append(d.times, time.Now())
	hang := d.hangs > 0
	d.hangs--
	d.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	d.handler.ServeHTTP(recorder, r)
	response := recorder.Result()
	response.Request = r
	return response, nil
}

// client is the client that tests with a clock of their own use.
func (d *direct) client() *http.Client {
	return &http.Client{Transport: d, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// inTime runs a test whose clock runs ahead while everything waits.
func inTime(t *testing.T, test func(s scene)) {
	t.Helper()
	server := serve(t, standin.Options{})
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		test(scene{t, server, &direct{handler: server.Handler()}})
	})
}

// scene is what such a test has.
type scene struct {
	t      *testing.T
	server *standin.Server
	direct *direct
}

func put(t *testing.T, server *standin.Server, items ...standin.Item) []string {
	t.Helper()
	paths := make([]string, len(items))
	for i, item := range items {
		var err error
		paths[i], err = server.Put(item)
		require.NoError(t, err)
	}
	return paths
}

func TestTheTimeoutIsKeptToTheSecond(t *testing.T) {
	for name, hang := range map[string]int{"while it sleeps": 0, "while the cache is silent": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(s scene) {
				t, server, d := s.t, s.server, s.direct
				here := put(t, server, standin.Item{Name: "here"})[0]
				d.hangs = hang
				cache := cachix(t, server, func(o *nixcache.Options) { o.Client = d.client() })
				start := time.Now()
				_, err := cache.Wait(t.Context(), nixcache.Query{Paths: parse(t, here, standin.PathOf("missing")), Timeout: 30 * time.Minute})
				assert.Equal(t, 30*time.Minute, time.Since(start))
				var late *nixcache.LateError
				require.ErrorAs(t, err, &late)
				assert.Contains(t, err.Error(), "after 30m, ")
				if hang == 0 {
					assert.Contains(t, err.Error(), standin.PathOf("missing")+"  not in the cache")
					assert.Contains(t, err.Error(), "1 of 2 paths are not available in cache cache:\n")
					assert.NotContains(t, err.Error(), here)
				} else {
					assert.Contains(t, err.Error(), standin.PathOf("missing")+"  could not be asked for yet")
				}
			})
		})
	}
}

func TestProgress(t *testing.T) {
	inTime(t, func(s scene) {
		t, server, d := s.t, s.server, s.direct
		var names, lines []string
		for i := range 1000 {
			name := fmt.Sprintf("p%d", i)
			names = append(names, standin.PathOf(name))
			if i < 812 {
				put(t, server, standin.Item{Name: name})
			}
		}
		cache := cachix(t, server, func(o *nixcache.Options) { o.Client = d.client() })
		_, err := cache.Wait(t.Context(), nixcache.Query{
			Paths: parse(t, names...), Timeout: time.Minute,
			Progress: func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) },
		})
		require.Error(t, err)
		assert.Equal(t, []string{
			"found 812 of 1,000 · 188 missing · next look in 2s · gives up in 1m",
			"found 812 of 1,000 · 188 missing · next look in 3s · gives up in 58s",
			"found 812 of 1,000 · 188 missing · next look in 4.5s · gives up in 55s",
			"found 812 of 1,000 · 188 missing · next look in 6.8s · gives up in 51s",
			"found 812 of 1,000 · 188 missing · next look in 10s · gives up in 44s",
			"found 812 of 1,000 · 188 missing · next look in 15s · gives up in 34s",
			"found 812 of 1,000 · 188 missing · next look in 18s · gives up in 18s",
		}, lines)
		assert.Contains(t, err.Error(), "… and 138 more", "a table that people read to its end")
	})
}

func TestTheWaitEndsWithinAnIntervalAfterTheLast(t *testing.T) {
	inTime(t, func(s scene) {
		t, server, d := s.t, s.server, s.direct
		cache := plain(t, server, func(o *nixcache.Options) { o.Client = d.client() })
		last := time.Now()
		for i, name := range []string{"a", "b", "c"} {
			after := time.Duration(i)*7*time.Minute + 123*time.Second
			last = time.Now().Add(after)
			time.AfterFunc(after, func() {
				_, err := server.Put(standin.Item{Name: name})
				assert.NoError(t, err)
			})
		}
		report, err := cache.Wait(t.Context(), nixcache.Query{
			Paths: parse(t, standin.PathOf("a"), standin.PathOf("b"), standin.PathOf("c")), Timeout: time.Hour,
		})
		require.NoError(t, err)
		assert.Positive(t, time.Since(last))
		assert.LessOrEqual(t, time.Since(last), nixcache.LongestInterval)
		assert.Len(t, report.Found, 3)
		counts := asked(server)
		// three at the first looks, two after a, one after b
		first, second := counts["/"+hash("a")+".narinfo"], counts["/"+hash("b")+".narinfo"]
		assert.Less(t, first, second, "what was found is not asked for again")
		assert.Equal(t, report.Looks, counts["/"+hash("c")+".narinfo"])
		assert.Equal(t, 1, counts["/nix-cache-info"])
	})
}

func hash(name string) string {
	return strings.TrimPrefix(standin.PathOf(name), nixcache.StoreDir+"/")[:32]
}

// asked counts requests by their paths.
func asked(server *standin.Server) map[string]int {
	counts := map[string]int{}
	for _, r := range server.Requests() {
		counts[r.Path]++
	}
	return counts
}

func TestAHungConnectionIsCut(t *testing.T) {
	inTime(t, func(s scene) {
		t, server, d := s.t, s.server, s.direct
		here := put(t, server, standin.Item{Name: "here"})
		d.hangs = 1
		cache := plain(t, server, func(o *nixcache.Options) { o.Client = d.client() })
		start := time.Now()
		_, err := cache.Wait(t.Context(), nixcache.Query{Paths: parse(t, here...), Timeout: time.Hour})
		require.NoError(t, err)
		took := time.Since(start)
		assert.GreaterOrEqual(t, took, 30*time.Second)
		assert.Less(t, took, 32*time.Second)
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	for _, after := range []string{"45", "300"} {
		t.Run(after+"s", func(t *testing.T) {
			inTime(t, func(s scene) {
				t, server, d := s.t, s.server, s.direct
				here := put(t, server, standin.Item{Name: "here"}, standin.Item{Name: "there"}, standin.Item{Name: "everywhere"})
				server.Inject(standin.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {after}}, Times: 1, Path: "narinfo"})
				cache := cachix(t, server, func(o *nixcache.Options) { o.Client = d.client() })
				report, err := cache.Wait(t.Context(), nixcache.Query{Paths: parse(t, here...), Timeout: time.Hour})
				require.NoError(t, err)
				require.Len(t, report.Found, 3)
				query, err := time.ParseDuration(after + "s")
				require.NoError(t, err)
				refused := d.times[1]
				for _, at := range d.times[2:] {
					assert.GreaterOrEqual(t, at.Sub(refused), query, "nobody asks before that")
				}
				assert.LessOrEqual(t, d.times[2].Sub(refused), query+time.Second)
			})
		})
	}
}

// While a wait lasts, a cache may be down for as long as it likes; what was found
// before is kept.
func TestServerErrorsAreWaitedFor(t *testing.T) {
	inTime(t, func(s scene) {
		t, server, d := s.t, s.server, s.direct
		paths := put(t, server, standin.Item{Name: "early"})
		paths = append(paths, standin.PathOf("late"))
		cache := plain(t, server, func(o *nixcache.Options) { o.Client = d.client() })
		time.AfterFunc(time.Minute, func() { server.Inject(standin.Fault{Status: http.StatusBadGateway}) })
		time.AfterFunc(20*time.Minute, func() {
			server.Heal()
			_, err := server.Put(standin.Item{Name: "late"})
			assert.NoError(t, err)
		})
		var unwell int
		report, err := cache.Wait(t.Context(), nixcache.Query{Paths: parse(t, paths...), Timeout: time.Hour, Progress: func(format string, args ...any) {
			if strings.Contains(fmt.Sprintf(format, args...), "HTTP 502 Bad Gateway") {
				unwell++
			}
		}})
		require.NoError(t, err)
		assert.Positive(t, unwell, "people see what is wrong")
		assert.Less(t, report.Waited, 21*time.Minute)
		assert.Equal(t, 1, asked(server)["/"+hash("early")+".narinfo"])

		// a single look gives up soon, and says why
		server.Inject(standin.Fault{Status: http.StatusInternalServerError})
		start := time.Now()
		_, err = cache.Look(t.Context(), nixcache.Query{Paths: parse(t, paths...)})
		require.ErrorIs(t, err, nixcache.ErrUnwell)
		assert.Less(t, time.Since(start), 10*time.Second)
		server.Heal()
		server.Inject(standin.Fault{Status: http.StatusServiceUnavailable, Times: 2})
		_, err = cache.Look(t.Context(), nixcache.Query{Paths: parse(t, paths...)})
		require.NoError(t, err, "twice unwell, then fine")
	})
}

func TestTheEndOfAWaitSaysWhatWasWrong(t *testing.T) {
	inTime(t, func(s scene) {
		t, server, d := s.t, s.server, s.direct
		server.Inject(standin.Fault{Status: http.StatusBadGateway})
		cache := plain(t, server, func(o *nixcache.Options) { o.Client = d.client() })
		_, err := cache.Wait(t.Context(), nixcache.Query{Paths: parse(t, standin.PathOf("missing")), Timeout: 400 * time.Millisecond})
		var late *nixcache.LateError
		require.ErrorAs(t, err, &late)
		require.ErrorContains(t, err, "at the last look: ")
		assert.Contains(t, err.Error(), "HTTP 502 Bad Gateway")
	})
}

func TestTheWaitStopsWithItsContext(t *testing.T) {
	inTime(t, func(s scene) {
		t, server, d := s.t, s.server, s.direct
		cache := plain(t, server, func(o *nixcache.Options) { o.Client = d.client() })
		stopped := errors.New("stopped by SIGTERM")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(17*time.Minute, func() { cancel(stopped) })
		start := time.Now()
		_, err := cache.Wait(ctx, nixcache.Query{Paths: parse(t, standin.PathOf("missing")), Timeout: time.Hour})
		require.ErrorIs(t, err, stopped)
		assert.Equal(t, 17*time.Minute, time.Since(start))
		assert.NotContains(t, err.Error(), "can't be had")
	})
}

func TestAnyEndsWithTheFirst(t *testing.T) {
	inTime(t, func(s scene) {
		t, server, d := s.t, s.server, s.direct
		cache := cachix(t, server, func(o *nixcache.Options) { o.Client = d.client() })
		time.AfterFunc(time.Minute, func() {
			_, err := server.Put(standin.Item{Name: "one", References: []string{standin.PathOf("below")}})
			assert.NoError(t, err)
		})
		time.AfterFunc(5*time.Minute, func() {
			_, err := server.Put(standin.Item{Name: "below"})
			assert.NoError(t, err)
		})
		query := nixcache.Query{Paths: parse(t, standin.PathOf("other"), standin.PathOf("one")), Any: true, Timeout: time.Hour}
		report, err := cache.Wait(t.Context(), query)
		require.NoError(t, err)
		assert.Less(t, report.Waited, 2*time.Minute)
		require.Len(t, report.Found, 1)
		assert.Equal(t, standin.PathOf("one"), report.Found[0].Path.String())

		query.Closure = true
		report, err = cache.Wait(t.Context(), query)
		require.NoError(t, err)
		assert.Greater(t, report.Waited, 3*time.Minute, "it is there when what it refers to is there")

		// the other has come meanwhile, but not what it refers to
		put(t, server, standin.Item{Name: "other", References: []string{standin.PathOf("nowhere")}})
		report, err = cache.Wait(t.Context(), query)
		require.NoError(t, err)
		assert.Equal(t, query.Paths[1:], report.There())
	})
}

// Cachix: 10,000 paths are one look-up a round, and with listed that is all.
func TestManyPathsOnCachix(t *testing.T) {
	inTime(t, func(s scene) {
		t, server, d := s.t, s.server, s.direct
		texts, missing := many(t, server, 10_000, 9_000)
		cache := cachix(t, server, func(o *nixcache.Options) { o.Client = d.client() })
		time.AfterFunc(time.Minute, func() { put(t, server, missing...) })
		paths := parse(t, texts...)
		report, err := cache.Wait(t.Context(), nixcache.Query{Paths: paths, Verify: nixcache.VerifyListed, Timeout: time.Hour})
		require.NoError(t, err)
		assert.Len(t, report.Found, 10_000)
		assert.LessOrEqual(t, len(server.Requests()), 2*report.Looks)
		hashes := 0
		for _, r := range server.Requests() {
			if r.Method != http.MethodPost {
				continue
			}
			var list []string
			require.NoError(t, json.Unmarshal(r.Body, &list))
			hashes += len(list)
		}
		assert.Equal(t, 10_000+(report.Looks-1)*1_000, hashes, "found paths are not listed again")

		// with signatures each narinfo is read, once, when its path is found; the
		// look-ups are the same
		for _, item := range missing {
			server.Remove(standin.PathOf(item.Name), false)
		}
		time.AfterFunc(time.Minute, func() { put(t, server, missing...) })
		server.Reset()
		report, err = cache.Wait(t.Context(), nixcache.Query{Paths: paths[7_000:], Timeout: time.Hour})
		require.NoError(t, err)
		lookups := 0
		for path, n := range asked(server) {
			if strings.HasSuffix(path, ".narinfo") {
				assert.Equal(t, 1, n, path)
			} else {
				lookups += n
			}
		}
		assert.Equal(t, report.Looks, lookups)
		assert.Equal(t, uint64(3_000*64), report.NarSize())

		// more than Cachix takes at once
		texts = nil
		for i := range 33_000 {
			name := fmt.Sprintf("listed-%d", i)
			texts = append(texts, standin.PathOf(name))
			server.Set(hash(name)+".narinfo", []byte("listed, and never read"))
		}
		server.Reset()
		_, err = cache.Look(t.Context(), nixcache.Query{Paths: parse(t, texts...), Verify: nixcache.VerifyListed})
		require.NoError(t, err)
		assert.Len(t, server.Requests(), 2)
	})
}

// many makes n paths of which the first are in the cache, and gives the others.
func many(t *testing.T, server *standin.Server, n, first int) (texts []string, missing []standin.Item) {
	t.Helper()
	for i := range n {
		item := standin.Item{Name: fmt.Sprintf("path-%d", i)}
		texts = append(texts, standin.PathOf(item.Name))
		if i < first {
			put(t, server, item)
		} else {
			missing = append(missing, item)
		}
	}
	return texts, missing
}
