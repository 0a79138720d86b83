package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBoardAsAFile(t *testing.T) {
	t.Parallel()
	deployments, source := traced(t)
	file := filepath.Join(t.TempDir(), "board.html")
	out, err := taxiway(t, "board", "--deployments", deployments, "--clone", source, "--html", file)
	require.NoError(t, err)
	assert.Empty(t, out)
	page, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(page), `id="e-default/staging"`)
	out, err = taxiway(t, "board", "--deployments", deployments, "--html", "-")
	require.NoError(t, err)
	assert.Contains(t, out, "<!DOCTYPE html>")
	for want, args := range map[string][]string{
		"board: set one of --html FILE and --listen ADDRESS": {"--deployments", deployments},
		"board: set --deployments":                           {"--html", file},
		"no such file or directory":                          {"--deployments", deployments, "--html", filepath.Join(t.TempDir(), "no", "board.html")},
		"branch trunk":                                       {"--deployments", deployments, "--branch", "trunk", "--html", file},
		"too many colons":                                    {"--deployments", deployments, "--listen", "127.0.0.1:a:b"},
	} {
		_, err := taxiway(t, append([]string{"board"}, args...)...)
		require.ErrorContains(t, err, want)
	}
}

// lines is a log that another goroutine reads.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	said chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		select {
		case l.said <- struct{}{}:
		default:
		}
	}()
	return l.text.Write(p)
}

func TestBoardIsServed(t *testing.T) {
	t.Parallel()
	deployments, _ := traced(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log := &lines{said: make(chan struct{}, 1)}
	root := newRoot()
	root.SetArgs([]string{"board", "--deployments", deployments, "--listen", "0"})
	root.SetOut(io.Discard)
	root.SetErr(log)
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	<-log.said
	log.mu.Lock()
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(log.text.String())
	log.mu.Unlock()
	require.NotEmpty(t, address, "a port alone is one of this machine")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/", http.NoBody)
	require.NoError(t, err)
	response, err := (&http.Client{Timeout: time.Hour}).Do(request)
	require.NoError(t, err)
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Contains(t, string(page), "default/staging")
	stop()
	require.NoError(t, <-ended, "it ends when it is told to")
}

func TestWhereABoardListens(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]struct {
		address  string
		loopback bool
	}{
		"8080":           {"127.0.0.1:8080", true},
		":8080":          {"127.0.0.1:8080", true},
		"localhost:80":   {"localhost:80", true},
		"[::1]:80":       {"[::1]:80", true},
		"0.0.0.0:80":     {"0.0.0.0:80", false},
		"board.acme:443": {"board.acme:443", false},
	} {
		address, loopback := listenAddress(given)
		assert.Equal(t, want.address, address)
		assert.Equal(t, want.loopback, loopback, given)
	}
}
