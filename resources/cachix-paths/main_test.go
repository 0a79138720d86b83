package cachixpaths_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/concourse/conformance"
	"github.com/taxiway-ci/taxiway/internal/scripttest"
	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
	cachixpaths "github.com/taxiway-ci/taxiway/resources/cachix-paths"
)

func TestMain(m *testing.M) {
	scripttest.Main(m, "cachix-paths", func() { concourse.Main(cachixpaths.Resource{}, cachixpaths.Wait()) }, map[string]func(){"nix-cache": serveForScript})
}

func TestScripts(t *testing.T) { scripttest.Run(t, "testdata/script") }

func TestConformance(t *testing.T) {
	version := fmt.Sprintf(`{"paths": "sha256:00", "serial": "1", "hashes": %q}`, hash("missing"))
	conformance.Run(t, conformance.Subject{
		Schema: concourse.Describe(cachixpaths.Resource{}),
		Source: func(url string) string {
			data, err := json.Marshal(map[string]any{"cache": "team", "api_url": url, "auth_token": "s3cr3t-t0k3n", "pins": []string{"web"}})
			require.NoError(t, err)
			return string(data)
		},
		Secrets:   []string{"s3cr3t-t0k3n"},
		Version:   version,
		PutParams: `{"paths_file": "list/paths", "timeout": "5s", "interval": "100ms"}`,
		Artifacts: map[string]string{"list/paths": nixcache.PathOf("missing") + "\n"},
		Live: func(t *testing.T) (source, missing string) {
			t.Helper()
			w := newWorld(t, nixcache.Options{Token: "s3cr3t-t0k3n"})
			w.source["pins"] = []string{"web"}
			w.server.Pin("web", w.put("web-1"))
			data, err := json.Marshal(w.source)
			require.NoError(t, err)
			return string(data), version
		},
	})
}

// world is a cache, and a source for it.
type world struct {
	t      *testing.T
	server *nixcache.Server
	source map[string]any
}

func newWorld(t *testing.T, o nixcache.Options) *world {
	t.Helper()
	server, err := nixcache.New(o)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	w := &world{t, server, map[string]any{"cache": server.Name(), "api_url": server.URL()}}
	if o.Token != "" {
		w.source["auth_token"] = o.Token
	}
	return w
}

func (w *world) put(name string, references ...string) string {
	w.t.Helper()
	path, err := w.server.Put(nixcache.Item{Name: name, References: references})
	require.NoError(w.t, err)
	return path
}

func hash(name string) string {
	return strings.TrimPrefix(nixcache.PathOf(name), "/nix/store/")[:32]
}

type answer struct {
	Version  cachixpaths.Version
	Metadata concourse.Metadata
}

func (a answer) field(name string) string {
	for _, f := range a.Metadata {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// run runs a verb as Concourse does, in this process.
func (w *world) run(verb, dir string, request map[string]any, into any) (log string, status int) {
	w.t.Helper()
	request["source"] = w.source
	data, err := json.Marshal(request)
	require.NoError(w.t, err)
	args := []string{verb}
	if dir != "" {
		args = append(args, dir)
	}
	var stdout, stderr bytes.Buffer
	status = concourse.Run(context.Background(), concourse.Process{
		Args: args, Stdin: bytes.NewReader(data), Stdout: &stdout, Stderr: &stderr, Env: []string{"NO_COLOR=1"},
	}, cachixpaths.Resource{})
	if status == 0 {
		require.NoError(w.t, json.Unmarshal(stdout.Bytes(), into), stdout.String())
	} else {
		assert.Empty(w.t, stdout.String())
	}
	return stderr.String(), status
}

func (w *world) check(from *cachixpaths.Version) []cachixpaths.Version {
	w.t.Helper()
	var versions []cachixpaths.Version
	log, status := w.run("check", "", map[string]any{"version": from}, &versions)
	require.Zero(w.t, status, log)
	return versions
}

// out runs a put with a list.
func (w *world) out(list string, params map[string]any) (a answer, log string, status int) {
	w.t.Helper()
	dir := w.t.TempDir()
	require.NoError(w.t, os.Mkdir(filepath.Join(dir, "list"), 0o750))
	require.NoError(w.t, os.WriteFile(filepath.Join(dir, "list", "paths"), []byte(list), 0o600))
	all := map[string]any{"paths_file": "list/paths", "timeout": "2m", "interval": "20ms"}
	for key, value := range params {
		if value == nil {
			delete(all, key)
		} else {
			all[key] = value
		}
	}
	log, status = w.run("out", dir, map[string]any{"params": all}, &a)
	return a, log, status
}

func (w *world) in(v cachixpaths.Version) (dir string, a answer, log string, status int) {
	w.t.Helper()
	dir = w.t.TempDir()
	log, status = w.run("in", dir, map[string]any{"version": v}, &a)
	return dir, a, log, status
}

func TestCheckWatchesPins(t *testing.T) {
	w := newWorld(t, nixcache.Options{})
	w.source["pins"] = []string{"web", "api"}
	w.server.Pin("web", w.put("web-1"))
	assert.Empty(t, w.check(nil), "one of them does not exist yet")
	w.server.Pin("api", w.put("api-1"))
	first := w.check(nil)
	require.Len(t, first, 1)
	assert.Equal(t, first, w.check(nil), "the same question has the same answer")
	w.server.Reset()
	assert.Equal(t, first, w.check(&first[0]))
	assert.Len(t, w.server.Requests(), 1)

	w.server.Pin("web", w.put("web-1"))
	assert.Equal(t, first, w.check(&first[0]), "a new revision with the same path changes nothing")
	w.server.Pin("web", w.put("web-2"))
	second := w.check(&first[0])
	require.Len(t, second, 2)
	assert.Equal(t, first[0], second[0])

	// back to the first path is news, and a version that Concourse never saw
	w.server.Pin("web", w.put("web-1"))
	third := w.check(&second[1])
	require.Len(t, third, 2)
	assert.Equal(t, first[0].Paths, third[1].Paths)
	assert.NotEqual(t, first[0].Serial, third[1].Serial)

	// the old version is still available, whatever the pins hold now
	dir, _, log, status := w.in(second[1])
	require.Zero(t, status, log)
	assert.Equal(t, sortedLines(nixcache.PathOf("web-2"), nixcache.PathOf("api-1")), read(t, dir, "paths"))
}

func sortedLines(a, b string) string {
	if a > b {
		a, b = b, a
	}
	return a + "\n" + b + "\n"
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(data)
}

func TestCheckWatchesFixedPaths(t *testing.T) {
	w := newWorld(t, nixcache.Options{})
	a := w.put("a")
	w.source["paths"] = []string{a, nixcache.PathOf("b")}
	assert.Empty(t, w.check(nil))
	w.put("b")
	versions := w.check(nil)
	require.Len(t, versions, 1)
	assert.NotEmpty(t, versions[0].Serial)
	w.server.Reset()
	assert.Equal(t, versions, w.check(&versions[0]))
	assert.Empty(t, w.server.Requests(), "once there, nothing new can come")
}

func TestCheckOfAPutOnlyResource(t *testing.T) {
	w := newWorld(t, nixcache.Options{})
	assert.Empty(t, w.check(nil))
	v := cachixpaths.Version{Paths: "sha256:x", Serial: "1"}
	assert.Equal(t, []cachixpaths.Version{v}, w.check(&v))
	assert.Empty(t, w.server.Requests(), "it asks nobody")
}

func TestGet(t *testing.T) {
	w := newWorld(t, nixcache.Options{})
	b := w.put("b")
	a := w.put("a", b, nixcache.PathOf("a"))
	put, log, status := w.out(b+"\n"+a, nil)
	require.Zero(t, status, log)
	dir, got, log, status := w.in(put.Version)
	require.Zero(t, status, log)
	assert.Equal(t, put.Version, got.Version)
	assert.Equal(t, sortedLines(a, b), read(t, dir, "paths"))
	assert.Empty(t, read(t, dir, "missing"))
	var entries []map[string]any
	require.NoError(t, json.Unmarshal([]byte(read(t, dir, "paths.json")), &entries))
	require.Len(t, entries, 2)
	for _, e := range entries {
		assert.Len(t, e, 7)
		assert.Equal(t, []any{"cache.example.org-1"}, e["signatures"])
		assert.InDelta(t, 64, e["narSize"], 0)
		assert.NotNil(t, e["references"])
		assert.Contains(t, e["narHash"], "sha256:")
	}
	again, _, log, status := w.in(put.Version)
	require.Zero(t, status, log)
	for _, name := range []string{"paths", "paths.json", "missing"} {
		assert.Equal(t, read(t, dir, name), read(t, again, name), "the same version, the same files")
	}

	w.server.Remove(a, false)
	empty, _, log, status := w.in(put.Version)
	assert.Equal(t, 1, status)
	assert.Contains(t, log, "1 of the 2 paths of this version are no longer available in cache cache")
	assert.Contains(t, log, hash("a"))
	entriesLeft, err := os.ReadDir(empty)
	require.NoError(t, err)
	assert.Empty(t, entriesLeft)

	_, _, log, status = w.in(cachixpaths.Version{Paths: "sha256:x", Serial: "1", Hashes: hash("b")})
	assert.Equal(t, 1, status)
	assert.Contains(t, log, "but its hashes are of")
	_, _, log, status = w.in(cachixpaths.Version{Paths: "sha256:x", Serial: "1"})
	assert.Equal(t, 1, status)
	assert.Contains(t, log, `version.paths: "sha256:x" is not a digest of paths`)
	_, _, log, status = w.in(cachixpaths.Version{Paths: "sha256:" + strings.Repeat("0", 64), Serial: "1"})
	require.Zero(t, status)
	assert.Contains(t, log, "warning: the version is of a put with more than 200 paths")
}

func TestPutMetadataAndPins(t *testing.T) {
	w := newWorld(t, nixcache.Options{Token: "t0k3n"})
	b := w.put("b")
	a := w.put("a", b)
	got, log, status := w.out(a, map[string]any{"closure": true, "pin": map[string]any{"name": "release", "keep_revisions": 3}})
	require.Zero(t, status, log)
	assert.Equal(t, "cache", got.field("cache"))
	assert.Equal(t, w.server.URL(), got.field("url"))
	assert.Equal(t, "1", got.field("paths"))
	assert.Equal(t, "1 more", got.field("referred to"))
	assert.Equal(t, "128 B", got.field("size"))
	assert.NotEmpty(t, got.field("waited"))
	assert.NotEmpty(t, got.field("requests"))
	assert.Equal(t, "release", got.field("pinned"))
	path, keep := w.server.PinnedPath("release")
	assert.Equal(t, a, path)
	assert.JSONEq(t, `{"tag":"Revisions","contents":3}`, keep)

	// a build that is run again must not push older revisions out
	again, log, status := w.out(a, map[string]any{"pin": map[string]any{"name": "release", "keep_revisions": 3}})
	require.Zero(t, status, log)
	assert.Contains(t, log, "is pinned as release already")
	assert.Equal(t, "release", again.field("pinned"))
	w.source["pins"] = []string{"release"}
	assert.Contains(t, w.check(nil)[0].Serial, "release@1 ")
	delete(w.source, "pins")

	w.server.Reset()
	_, log, status = w.out(a+"\n"+b, map[string]any{"pin": map[string]any{"name": "release"}})
	assert.Equal(t, 1, status)
	assert.Contains(t, log, "a pin holds one path")
	assert.Empty(t, w.server.Requests(), "said before the waiting, not after it")
	_, log, status = w.out(a+"\n"+b, map[string]any{"pin": map[string]any{"name": "release-{name}"}})
	require.Zero(t, status, log)
	path, _ = w.server.PinnedPath("release-b")
	assert.Equal(t, b, path)
}

func TestPutLists(t *testing.T) {
	w := newWorld(t, nixcache.Options{})
	a := w.put("a")
	for list, want := range map[string]string{
		"":                            "it lists no paths: the step before it produced nothing; set allow_empty: true",
		"\n# nothing\n":               "it lists no paths",
		"[]":                          "it lists no paths",
		"error: it did not build":     `line 1: "error: it did not build" is not a store path`,
		a + "\nxyz":                   `line 2: "xyz" is not a store path`,
		a + ".drv":                    "is a derivation",
		a + ".drv^out":                "names outputs",
		strings.Repeat("\x00", 1<<20): "is not a store path",
	} {
		_, log, status := w.out(list, nil)
		assert.Equal(t, 1, status, want)
		assert.Contains(t, log, want)
		assert.Less(t, len(log), 2000)
	}
	for _, list := range []string{a, a + "\r\n" + a + "\n\n", `{"` + a + `":null}`, `[{"outputs":{"out":"` + a + `"}}]`} {
		got, log, status := w.out(list, nil)
		require.Zero(t, status, log)
		assert.Equal(t, "1", got.field("paths"))
	}
	got, log, status := w.out("", map[string]any{"allow_empty": true})
	require.Zero(t, status, log)
	assert.Contains(t, log, "the list is empty, as it may be")
	_, _, log, status = w.in(got.Version)
	require.Zero(t, status, log)
	_, log, status = w.out("", map[string]any{"paths_file": nil, "paths": []string{a}})
	require.Zero(t, status, log)
	for want, params := range map[string]map[string]any{
		"paths_file or paths: one of them is required": {"paths_file": nil},
		"paths_file and paths: give one of them":       {"paths": []string{a}},
		"timeout: must be positive":                    {"timeout": "0s"},
		"interval: must be positive":                   {"interval": "-1s"},
		`params.verify: "all" is not one of`:           {"verify": "all"},
		"pin: give keep_days or keep_revisions":        {"pin": map[string]any{"name": "x", "keep_days": 1, "keep_revisions": 1}},
		"params.pin.name: is required":                 {"pin": map[string]any{}},
		`"../paths" leaves the build's folder`:         {"paths_file": "../paths"},
		`"list/path" does not exist`:                   {"paths_file": "list/path"},
	} {
		_, log, status := w.out(a, params)
		assert.Equal(t, 1, status)
		assert.Contains(t, log, want)
	}
}

// A list of the largest size is read like one of ten lines, and only what it names is asked for.
func TestPutOfTheLargestList(t *testing.T) {
	w := newWorld(t, nixcache.Options{})
	two := w.put("a") + "\n" + w.put("b") + "\n"
	list := strings.Repeat(two, int(artifact.MaxList)/len(two))
	got, log, status := w.out(list, nil)
	require.Zero(t, status, log)
	assert.Equal(t, "2", got.field("paths"))
}

func TestPutTimesOut(t *testing.T) {
	w := newWorld(t, nixcache.Options{})
	start := time.Now()
	_, log, status := w.out(w.put("here")+"\n"+nixcache.PathOf("missing"), map[string]any{"timeout": "1500ms", "interval": "200ms"})
	assert.Equal(t, 1, status)
	assert.GreaterOrEqual(t, time.Since(start), 1500*time.Millisecond)
	assert.Contains(t, log, "found 1 of 2 · 1 missing · next look in 0.2s · gives up in ")
	assert.Contains(t, log, "error: after 1.5s, 1 of 2 paths are not available in cache cache:\n  "+nixcache.PathOf("missing")+"  not in the cache\n")
}

// process is the program itself.
func (w *world) process(ctx context.Context, dir, verb string, request map[string]any) *exec.Cmd {
	w.t.Helper()
	request["source"] = w.source
	return program(ctx, w.t, dir, verb, request)
}

func program(ctx context.Context, tb testing.TB, dir, verb string, request map[string]any) *exec.Cmd {
	tb.Helper()
	data, err := json.Marshal(request)
	require.NoError(tb, err)
	cmd := exec.CommandContext(ctx, verb, dir)
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	cmd.Stdin = bytes.NewReader(data)
	return cmd
}

// SIGTERM ends a waiting put; how soon is conformance's and nixcache's matter,
// here it must not be the end of the interval.
func TestSIGTERMEndsTheWait(t *testing.T) {
	w := newWorld(t, nixcache.Options{})
	missing := nixcache.PathOf("missing")
	cmd := w.process(t.Context(), t.TempDir(), "out", map[string]any{"params": map[string]any{"paths": []string{missing}, "timeout": "1h", "interval": "1h"}})
	var log bytes.Buffer
	cmd.Stderr = &log
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return len(w.server.Requests()) >= 4 }, 30*time.Minute, 10*time.Millisecond, "two looks")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	err := cmd.Wait()
	var exit *exec.ExitError
	require.True(t, errors.As(err, &exit), "%v", err)
	assert.Equal(t, 1, exit.ExitCode())

	assert.Contains(t, log.String(), "stopped by SIGTERM")
	assert.NotContains(t, log.String(), "can't be had")
}

// Ten thousand paths, with their narinfos read and their signatures verified,
// take less than 100 MB.
func TestMemoryForTenThousandPaths(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	w := newWorld(t, nixcache.Options{})
	paths := make([]string, 10_000)
	for i := range paths {
		paths[i] = w.put(fmt.Sprintf("path-%d", i), nixcache.PathOf(fmt.Sprintf("path-%d", i/2)))
	}
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "list"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "list", "paths"), []byte(strings.Join(paths, "\n")), 0o600))
	for _, source := range []map[string]any{w.source, {"url": w.server.URL(), "public_keys": []string{w.server.PublicKey()}}} {
		w.source = source
		cmd := w.process(t.Context(), dir, "out", map[string]any{"params": map[string]any{"paths_file": "list/paths", "closure": true}})
		var log bytes.Buffer
		cmd.Stderr = &log
		require.NoError(t, cmd.Start())
		peak := watchMemory(cmd.Process.Pid)
		require.NoError(t, cmd.Wait(), "%s", &log)
		peak.stop()
		if peak.kib == 0 {
			t.Skip("this system does not tell how much memory a process had")
		}
		t.Logf("peak memory: %d MB", peak.kib/1024)
		assert.Less(t, peak.kib/1024, 100)
	}
}

// memory is the most that a process has had. What the system tells at its end
// would include what its parent had.
type memory struct {
	kib  int
	done chan struct{}
	over chan struct{}
}

func watchMemory(pid int) *memory {
	m := &memory{done: make(chan struct{}), over: make(chan struct{})}
	go func() {
		defer close(m.over)
		for {
			select {
			case <-m.done:
				return
			case <-time.After(10 * time.Millisecond):
			}
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			_, after, found := bytes.Cut(status, []byte("VmHWM:"))
			kib := 0
			if _, err := fmt.Sscan(string(after), &kib); found && err == nil {
				m.kib = max(m.kib, kib)
			}
		}
	}()
	return m
}

func (m *memory) stop() {
	close(m.done)
	<-m.over
}
