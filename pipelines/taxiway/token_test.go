package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

// A build gets a token among its arguments, which ends with the build, and an image that has it is refused.
func TestTokenOfABuild(t *testing.T) {
	t.Parallel()
	server, err := gittest.New(gittest.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	_, err = server.Create("acme/shop")
	require.NoError(t, err)
	hub := github.New(github.Options{Git: server})
	t.Cleanup(hub.Close)
	key, err := hub.AddApp("7", "acme/shop")
	require.NoError(t, err)
	env := append(withTaxiway(t), "REPOSITORY=acme/shop", "API_URL="+hub.APIURL(), "APP_ID=7", "APP_PRIVATE_KEY="+key)
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	answers := func(token string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, hub.APIURL()+"/repos/acme/shop", http.NoBody)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := (&http.Client{Timeout: time.Minute}).Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	give := func() string {
		write("args", "VERSION=1.2.3")
		out, err := shell(t, env, dir, "taxiway token --arguments args --file with")
		require.NoError(t, err, out)
		assert.Empty(t, out, "nothing is said of it")
		text, err := os.ReadFile(filepath.Join(dir, "with"))
		require.NoError(t, err)
		token, ok := strings.CutPrefix(string(text), "VERSION=1.2.3\nGH_TOKEN=")
		require.True(t, ok)
		return strings.TrimSpace(token)
	}
	const end = "taxiway token --file with --image image.tar"

	token := give()
	assert.Equal(t, http.StatusOK, answers(token))
	write("image.tar", imageOf(t, "config.json", `{"history": "ARG GH_TOKEN"}`, "layer.tar.gz", packed(t, "bin/shop")))
	out, err := shell(t, env, dir, end)
	require.NoError(t, err, out)
	assert.Equal(t, http.StatusUnauthorized, answers(token), "it has ended")

	for place, files := range map[string]func(token string) []string{
		"config.json": func(token string) []string { return []string{"config.json", `{"history": "GH_TOKEN=` + token + `"}`} },
		"layer.tar.gz": func(token string) []string {
			return []string{"config.json", "{}", "layer.tar.gz", packed(t, strings.Repeat("x", 3<<20)+token)}
		},
	} {
		token := give()
		write("image.tar", imageOf(t, files(token)...))
		out, err := shell(t, env, dir, end)
		require.Error(t, err)
		assert.Contains(t, out, "image.tar has the value of the build argument GH_TOKEN, in "+place+": the token is in the image; use it only in a stage that is not the last one")
		assert.NotContains(t, out, token)
		assert.Equal(t, http.StatusUnauthorized, answers(token), "it has ended all the same")
	}

	token = give()
	require.NoError(t, os.Remove(filepath.Join(dir, "image.tar")))
	out, err = shell(t, env, dir, end)
	require.NoError(t, err, out)
	assert.Equal(t, "token: there is no image image.tar to search\n", out)
	assert.Equal(t, http.StatusUnauthorized, answers(token), "it has ended without an image")
	out, err = shell(t, env, dir, "taxiway token --file none/with --image none/image.tar")
	require.NoError(t, err, out)
	assert.Equal(t, "token: there is no file none/with, so there is no token to revoke\n", out)

	give()
	hub.ExpireTokens()
	write("image.tar", imageOf(t, "config.json", "{}"))
	out, err = shell(t, env, dir, end)
	require.NoError(t, err, out)
	assert.Equal(t, "token: the one that reads acme/shop had ended already\n", out)

	out, err = shell(t, env, dir, end+" --name OTHER")
	require.Error(t, err)
	assert.Contains(t, out, "token: with has no line OTHER=TOKEN")
	out, err = shell(t, append(env, "APP_ID=8"), dir, "taxiway token --file with")
	require.Error(t, err)
	assert.Contains(t, out, "token: ask for one that reads acme/shop: ")
	assert.NotContains(t, out, "PRIVATE KEY")
	out, err = shell(t, append(env, "APP_ID=", "APP_PRIVATE_KEY="), dir, "taxiway token --file with")
	require.Error(t, err)
	assert.Contains(t, out, "access_token: is required, or app_id and app_private_key of a GitHub App")
}

// Whatever the image is, reading it ends; and a token that is in it is found, wherever it is.
func FuzzTokenInImage(f *testing.F) {
	const token = "ghs_7_0123456789"
	f.Add([]byte("a layer"), 3)
	f.Add([]byte(strings.Repeat("x", searched-4)), searched-4)
	f.Add([]byte(packed(f, "a layer")), 0)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		file := filepath.Join(t.TempDir(), "image.tar")
		flags := tokenFlags{name: "GH_TOKEN", image: file}
		require.NoError(t, os.WriteFile(file, data, 0o600))
		_ = flags.search(token)
		require.NoError(t, os.WriteFile(file, []byte(imageOf(t, "layer", string(data))), 0o600))
		_ = flags.search(token)
		at = min(max(at, 0), len(data))
		text := "." + string(data[:at]) + token + string(data[at:]) // the dot: it is not compressed
		for _, layer := range []string{text, packed(t, text)} {
			require.NoError(t, os.WriteFile(file, []byte(imageOf(t, "layer", layer)), 0o600))
			require.ErrorIs(t, flags.search(token), errTokenInImage)
		}
	})
}

// imageOf is a tarball with these files: names and contents.
func imageOf(tb testing.TB, files ...string) string {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		require.NoError(tb, w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o600, Size: int64(len(files[i+1]))}))
		_, err := w.Write([]byte(files[i+1]))
		require.NoError(tb, err)
	}
	require.NoError(tb, w.Close())
	return b.String()
}

func packed(tb testing.TB, text string) string {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	return b.String()
}
