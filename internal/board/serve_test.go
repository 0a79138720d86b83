package board_test

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/board"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// answer is what the server answers to one request.
func answer(s *board.Server, method, target string, header ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequestWithContext(context.Background(), method, "http://127.0.0.1:8080"+target, http.NoBody)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request)
	return w
}

func (f *fleet) server(o board.Options) *board.Server {
	f.t.Helper()
	s := board.NewServer(f.open(o))
	s.Every = 0
	return s
}

// A page comes again only when a ref moved.
func TestThePageFollowsTheRepository(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1, 10)
	s := f.server(board.Options{})
	first := answer(s, http.MethodGet, "/")
	require.Equal(t, http.StatusOK, first.Code)
	tag := first.Header().Get("ETag")
	require.NotEmpty(t, tag)
	assert.Equal(t, http.StatusNotModified, answer(s, http.MethodGet, "/", "If-None-Match", tag).Code)
	assert.Equal(t, first.Body.String(), answer(s, http.MethodGet, "/").Body.String())
	head := answer(s, http.MethodHead, "/")
	assert.Empty(t, head.Body.String())
	assert.Equal(t, tag, head.Header().Get("ETag"))

	moved, err := f.repo.Commit("main", "feat: moved", map[string]string{"modules/bank/new.tf": "x\n"})
	require.NoError(t, err)
	second := answer(s, http.MethodGet, "/", "If-None-Match", tag)
	require.Equal(t, http.StatusOK, second.Code)
	assert.Contains(t, second.Body.String(), moved[:7])
	assert.NotEqual(t, tag, second.Header().Get("ETag"))
	health := answer(s, http.MethodGet, "/healthz")
	assert.Equal(t, http.StatusOK, health.Code)
	var said struct {
		OK   bool
		Head string
	}
	require.NoError(t, json.Unmarshal(health.Body.Bytes(), &said))
	assert.True(t, said.OK)
	assert.Equal(t, moved, said.Head)
}

// A state that cannot be read leaves the last page, which says so.
func TestABrokenRepositoryLeavesTheLastPage(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1, 10)
	s := f.server(board.Options{})
	good := answer(s, http.MethodGet, "/").Body.String()
	require.Contains(t, good, "r00-staging")
	_, err := f.repo.Commit("main", "feat: broken", map[string]string{"cepler.yml": "environments: {<script>: [}\n"})
	require.NoError(t, err)
	stale := answer(s, http.MethodGet, "/")
	assert.Equal(t, http.StatusOK, stale.Code)
	assert.Contains(t, stale.Body.String(), "This is not the newest state")
	assert.Contains(t, stale.Body.String(), "r00-staging")
	assert.Equal(t, http.StatusServiceUnavailable, answer(s, http.MethodGet, "/healthz").Code)
	_, err = f.repo.Commit("main", "fix: mended", map[string]string{"cepler.yml": f.config()})
	require.NoError(t, err)
	assert.NotContains(t, answer(s, http.MethodGet, "/").Body.String(), "This is not the newest state")
	assert.Equal(t, http.StatusOK, answer(s, http.MethodGet, "/healthz").Code)

	empty, err := gittest.Init(t.TempDir())
	require.NoError(t, err)
	none := f.server(at(empty.Dir))
	assert.Equal(t, http.StatusServiceUnavailable, answer(none, http.MethodGet, "/").Code)
	assert.Equal(t, http.StatusServiceUnavailable, answer(none, http.MethodGet, "/healthz").Code)
}

func TestTheServerIsReadOnlyAndForItsOwnMachine(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1, 10)
	s := f.server(board.Options{})
	s.Loopback = true
	page := answer(s, http.MethodGet, "/")
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'.*frame-ancestors 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Content-Type": "^text/html; charset=utf-8$", "Cache-Control": "no-cache",
	} {
		assert.Regexp(t, want, page.Header().Get(name), name)
	}
	meta := regexp.MustCompile(`script-src [^;]*`)
	assert.Equal(t, meta.FindString(page.Header().Get("Content-Security-Policy")), meta.FindString(html.UnescapeString(page.Body.String())))
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, "PROPFIND"} {
		assert.Equal(t, http.StatusMethodNotAllowed, answer(s, method, "/").Code, method)
	}
	assert.Equal(t, http.StatusNotFound, answer(s, http.MethodGet, "/.git/config").Code)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://evil.example/", http.NoBody)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request)
	assert.Equal(t, http.StatusMisdirectedRequest, w.Code)
}

// Many readers while the repository moves: each page is whole and of one moment, and what is kept does not grow.
func TestReadersWhileTheRepositoryMoves(t *testing.T) {
	t.Parallel()
	const moves, readers = 6, 8
	f := newFleet(t, 1, 10)
	s := f.server(board.Options{})
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	done := make(chan struct{})
	var all sync.WaitGroup
	var pages, wrong sync.Map
	for range readers {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL, http.NoBody)
				if err != nil {
					wrong.Store(err.Error(), true)
					return
				}
				response, err := web.Client().Do(request)
				if err != nil {
					wrong.Store(err.Error(), true)
					return
				}
				text, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err != nil || response.StatusCode != http.StatusOK {
					wrong.Store(response.Status, true)
					continue
				}
				pages.Store(response.Header.Get("ETag"), string(text))
			}
		})
	}
	for n := range moves {
		f.records(n % 4)
		assert.Equal(t, http.StatusOK, answer(s, http.MethodGet, "/healthz").Code)
	}
	close(done)
	all.Wait()
	wrong.Range(func(what, _ any) bool { t.Errorf("a reader got %v", what); return true })
	seen := 0
	pages.Range(func(_, page any) bool {
		text, _ := page.(string)
		assert.True(t, strings.HasSuffix(text, "</html>\n"), "it is whole")
		head := regexp.MustCompile(`Branch main at <code class="hash" title="([0-9a-f]{40})">`).FindStringSubmatch(text)
		if assert.NotNil(t, head) {
			total := regexp.MustCompile(`All (\d+) records`).FindStringSubmatch(text)
			want, err := f.repo.Log("%H", head[1], "--", ".cepler")
			if assert.NoError(t, err) && assert.NotNil(t, total) {
				assert.Equal(t, total[1], strconv.Itoa(len(want)), "the records are those of the commit")
			}
		}
		seen++
		return true
	})
	assert.Positive(t, seen)
}

// A repository at an address gives the same board, and a look at it is one request.
func TestABoardOfAnAddress(t *testing.T) {
	t.Parallel()
	f := small(t)
	server, err := gittest.New(gittest.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	served, err := server.Create("deployments")
	require.NoError(t, err)
	_, err = f.repo.Git("push", "--quiet", "--mirror", served.Dir)
	require.NoError(t, err)
	want := f.board()
	o := at(server.URL("deployments"))
	r := f.open(o)
	refs, err := r.Refs(t.Context())
	require.NoError(t, err)
	got, err := r.Board(t.Context(), refs, later())
	require.NoError(t, err)
	assert.Less(t, len(server.Requests()), 25, "files come many at a time")
	server.Reset()
	again, err := r.Refs(t.Context())
	require.NoError(t, err)
	assert.Equal(t, refs, again)
	assert.LessOrEqual(t, len(server.Requests()), 2, "the greeting and the refs")
	assert.Equal(t, len(want.History.Records), len(got.History.Records))
	for name, e := range environments(want) {
		assert.Equal(t, e.Status(), environments(got)[name].Status(), name)
		assert.Equal(t, e.Headline(), environments(got)[name].Headline(), name)
	}
}
