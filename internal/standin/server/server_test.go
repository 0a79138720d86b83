package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/standin/server"
)

// echo answers with the body of the request.
func echo(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }

func start(t *testing.T, h http.HandlerFunc) *server.Server {
	t.Helper()
	s := server.New(h, false)
	t.Cleanup(s.Close)
	return s
}

// ask sends a request and returns what came, or the error.
func ask(ctx context.Context, s *server.Server, method, path, body string) (status int, text string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, s.BaseURL()+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer s3cr3t")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // or the client asks again by itself
	response, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	sent, err := io.ReadAll(response.Body)
	return response.StatusCode, string(sent), err
}

func TestRequestsAreCounted(t *testing.T) {
	s := start(t, echo)
	_, text, err := ask(t.Context(), s, http.MethodPost, "/a/b?c=d", "hello")
	require.NoError(t, err)
	assert.Equal(t, "hello", text)
	seen := s.Requests()
	require.Len(t, seen, 1)
	scheme, secret := seen[0].Credentials()
	assert.Equal(t, "bearer s3cr3t", scheme+" "+secret)
	seen[0].Header = nil
	assert.Equal(t, server.Request{Method: "POST", Path: "/a/b", Query: "c=d", Body: []byte("hello"), Status: 200, In: 5, Out: 5}, seen[0])
	s.Reset()
	assert.Empty(t, s.Requests())
}

func TestPeaks(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	s := start(t, func(http.ResponseWriter, *http.Request) {
		both.Done()
		both.Wait() // the answer comes when the other request is here
	})
	var asked sync.WaitGroup
	for range 2 {
		asked.Go(func() {
			_, _, err := ask(t.Context(), s, http.MethodGet, "/", "")
			assert.NoError(t, err)
		})
	}
	asked.Wait()
	assert.Equal(t, 2, s.PeakRequests())
	assert.Equal(t, 2, s.PeakConnections())
}

func TestAFaultStrikesWhatItMatches(t *testing.T) {
	s := start(t, echo)
	s.Inject(server.Fault{
		Method: http.MethodPut, Path: "/b?x=1", Skip: 1, Times: 2, Status: http.StatusTooManyRequests,
		Header: http.Header{"Retry-After": {"7"}}, Body: "later",
	})
	var got []int
	for _, request := range []string{"PUT /b?x=1", "GET /b?x=1", "PUT /b", "PUT /a/b?x=12", "PUT /b?x=1", "PUT /b?x=1"} {
		method, path, _ := strings.Cut(request, " ")
		status, text, err := ask(t.Context(), s, method, path, "body")
		require.NoError(t, err)
		got = append(got, status)
		assert.Equal(t, map[int]string{200: "body", 429: "later"}[status], text)
	}
	assert.Equal(t, []int{200, 200, 200, 429, 429, 200}, got)
	assert.Equal(t, 429, s.Requests()[3].Status)
	assert.Equal(t, int64(len("later")), s.Requests()[3].Out)

	s.Inject(server.Fault{Status: http.StatusTeapot})
	s.Heal()
	status, _, err := ask(t.Context(), s, http.MethodGet, "/", "")
	require.NoError(t, err)
	assert.Equal(t, 200, status)
}

func TestBeforeIsCalledFirst(t *testing.T) {
	var order []string
	s := start(t, func(http.ResponseWriter, *http.Request) { order = append(order, "answer") })
	s.Inject(server.Fault{Before: func() { order = append(order, "before") }})
	_, _, err := ask(t.Context(), s, http.MethodGet, "/", "")
	require.NoError(t, err)
	assert.Equal(t, []string{"before", "answer"}, order)
}

func TestLose(t *testing.T) {
	did := make(chan string, 1)
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		did <- string(body)
	})
	s.Inject(server.Fault{Lose: true})
	_, _, err := ask(t.Context(), s, http.MethodPost, "/", "order")
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, "order", <-did)
	assert.Zero(t, s.Requests()[0].Status)
}

func TestCut(t *testing.T) {
	s := start(t, echo)
	s.Inject(server.Fault{Change: server.Cut(3)})
	for range 2 { // each answer is counted anew
		_, text, err := ask(t.Context(), s, http.MethodPost, "/", "hello")
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, "hel", text)
	}
	assert.Equal(t, int64(3), s.Requests()[0].Out)
}

func TestHangEndsWithTheClientOrTheServer(t *testing.T) {
	s := start(t, echo)
	here := make(chan bool)
	s.Inject(server.Fault{Hang: true, Before: func() { here <- true }})
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-here
		cancel(assert.AnError)
	}()
	_, _, err := ask(ctx, s, http.MethodGet, "/", "")
	require.ErrorIs(t, err, assert.AnError)

	closed := make(chan bool)
	go func() {
		defer close(closed)
		<-here
		s.Close()
	}()
	_, _, err = ask(t.Context(), s, http.MethodGet, "/", "")
	require.Error(t, err)
	<-closed
}

func TestDelay(t *testing.T) {
	s := start(t, echo)
	s.Inject(server.Fault{Delay: time.Millisecond})
	status, _, err := ask(t.Context(), s, http.MethodGet, "/", "")
	require.NoError(t, err)
	assert.Equal(t, 200, status)
}

// A test with a clock of its own uses the handler alone.
func TestHandler(t *testing.T) {
	s := start(t, echo)
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		require.NoError(t, err)
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
	})
	assert.Len(t, s.Requests(), 1)
}

func TestTLS(t *testing.T) {
	s := server.New(http.HandlerFunc(echo), true)
	defer s.Close()
	assert.True(t, strings.HasPrefix(s.BaseURL(), "https://127.0.0.1:"), s.BaseURL())
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(s.CA())))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.BaseURL(), http.NoBody)
	require.NoError(t, err)
	response, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Empty(t, start(t, echo).CA())
}
