package resources_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
)

// mostMemory is what a program may take at any time, as the operating system measures it, whatever a server or a repository holds. Half
// of it is the limit from which garbage is collected more often, and what the test program itself needs.
const mostMemory = 128 << 20

// deadline is when a program has been held up: none of the bombs is of the slow kind, and a busy machine is.
const deadline = 5 * time.Minute

// bomb is what a server or a repository does, the programs that meet it, and the words that refuse it.
type bomb struct {
	// at makes the bomb, and returns the keys of a source that leads there.
	at   func(t *testing.T) object
	runs []met
	want string
}

// met is a program that meets a bomb, with what its request has beside the source.
type met struct {
	program, verb string
	source        object
	rest          object
	files         map[string]string // of the build's folder
	clone         bool              // of the repository, as repo in the build's folder
	fine          bool              // the bomb is not where this program looks
}

// Small inputs that stand for a lot are refused by the name of a limit, at a peak of 128 MB, without a stack trace, and in time. Slow
// servers, which need minutes, are in internal/git/transport, internal/httpclient, internal/forge and internal/nixcache.
func TestBombsAreRefused(t *testing.T) {
	peak := buildPeak(t)
	for name, b := range bombs() {
		t.Run(name, func(t *testing.T) {
			leads := b.at(t)
			for _, m := range b.runs {
				m.explodes(t, peak, leads, b.want)
			}
		})
	}
}

// explodes runs the program, as the child of a small one that measures it.
func (m met) explodes(t *testing.T, peak string, leads object, want string) {
	t.Helper()
	what := m.program + " " + m.verb
	request := with(object{"source": filled(with(leads, m.source, ""), "")}, m.rest, "")
	stdin, err := json.Marshal(request)
	require.NoError(t, err)
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "peak")
	for name, text := range m.files {
		written(t, filepath.Join(dir, filepath.FromSlash(name)), text)
	}
	if m.clone {
		out, err := exec.CommandContext(t.Context(), "git", "clone", "--quiet", fmt.Sprint(leads["uri"]), filepath.Join(dir, "repo")).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	args := []string{file, m.program, m.verb}
	if m.verb != "check" {
		args = append(args, dir)
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, peak, args...)
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "TMPDIR="+t.TempDir(), "BUILD_CREATED_BY=ana")
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	start := time.Now()
	err = cmd.Run()
	require.NoError(t, ctx.Err(), "%s is held up", what)
	if m.fine {
		require.NoError(t, err, "%s: %s", what, stderr.String())
	} else {
		require.Error(t, err, "%s: %s", what, stdout.String())
		assert.Empty(t, stdout.String(), what)
		assert.Contains(t, stderr.String(), want, what)
	}
	assert.NotContains(t, stderr.String(), "goroutine ", what)
	assert.NotContains(t, stderr.String(), "a fault in this program", what)
	assert.Less(t, stderr.Len(), 64<<10, what)
	measured, err := os.ReadFile(file)
	require.NoError(t, err)
	kib, err := strconv.ParseInt(string(measured), 10, 64)
	require.NoError(t, err)
	t.Logf("%s: %d MiB, %d ms: %s", what, kib>>10, time.Since(start).Milliseconds(), lastLine(stderr.String()))
	assert.True(t, raced || kib<<10 <= mostMemory, "%s takes %d MiB", what, kib>>10)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func packet(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }

// endless writes a text until nobody reads any more.
func endless(w io.Writer, text string) {
	block := []byte(strings.Repeat(text, max(1, 32<<10/len(text))))
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// gitServer speaks protocol version 2, and lets a test say each of its answers. tip is what its branches point to.
type gitServer struct {
	advertise, list, fetch, push func(w io.Writer)
	tip                          string
}

// ServeHTTP answers.
func (g gitServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(own func(io.Writer), usual string) {
		if own != nil {
			own(w)
			return
		}
		_, _ = io.WriteString(w, usual)
	}
	service := r.URL.Query().Get("service")
	kind, verb := "result", strings.TrimPrefix(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], "git-")
	if service != "" {
		kind, verb = "advertisement", strings.TrimPrefix(service, "git-")
	}
	w.Header().Set("Content-Type", "application/x-git-"+verb+"-"+kind)
	body, _ := io.ReadAll(r.Body)
	refs := packet(g.tip+" HEAD\n") + packet(g.tip+" refs/heads/main\n")
	switch {
	case service == "git-receive-pack":
		own := g.advertise
		if own == nil {
			own = g.list // a push begins with a list of the refs
		}
		answer(own, packet("# service="+service+"\n")+"0000"+packet(g.tip+" refs/heads/main\x00report-status side-band-64k ofs-delta\n")+"0000")
	case service != "":
		answer(g.advertise, packet("# service="+service+"\n")+"0000"+packet("version 2\n")+packet("ls-refs=unborn\n")+packet("fetch=shallow filter\n")+"0000")
	case verb == "receive-pack":
		answer(g.push, "0000")
	case bytes.Contains(body, []byte("command=ls-refs")):
		answer(g.list, refs+"0000")
	default:
		answer(g.fetch, packet("packfile\n")+"0000")
	}
}

const someCommit = "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0"

// server is a git server that misbehaves.
func (g gitServer) server(t *testing.T) object {
	t.Helper()
	if g.tip == "" {
		g.tip = someCommit
	}
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	return object{"uri": s.URL + "/acme/x.git", "branch": "main"}
}

// sends is a fetch's answer with a pack.
func sends(content []byte) func(w io.Writer) {
	return func(w io.Writer) {
		_, _ = io.WriteString(w, packet("packfile\n"))
		for at := 0; at < len(content); at += 65000 {
			_, _ = io.WriteString(w, packet("\x01"+string(content[at:min(len(content), at+65000)])))
		}
		_, _ = io.WriteString(w, "0000")
	}
}

// packed is a server whose fetch answers with a pack that fill makes. fill returns the commit that the branch points to.
func packed(fill func(t *testing.T, p *gittest.Pack) (tip string)) func(t *testing.T) object {
	return func(t *testing.T) object {
		t.Helper()
		var p gittest.Pack
		tip := fill(t, &p)
		return gitServer{tip: tip, fetch: sends(p.Bytes())}.server(t)
	}
}

func add(t *testing.T, p *gittest.Pack, kind plumbing.ObjectType, base, size int, content io.Reader) int {
	t.Helper()
	at, err := p.Entry(kind, base, size, content)
	require.NoError(t, err)
	return at
}

// commitOf adds a commit with one file.
func commitOf(t *testing.T, p *gittest.Pack, name string, content []byte) (tip string) {
	t.Helper()
	add(t, p, plumbing.BlobObject, 0, len(content), bytes.NewReader(content))
	return commitTo(t, p, plumbing.ComputeHash(plumbing.BlobObject, content), name)
}

// commitTo adds a commit whose files all have one content, which is added elsewhere.
func commitTo(t *testing.T, p *gittest.Pack, blob plumbing.Hash, names ...string) (tip string) {
	t.Helper()
	var tree []byte
	for _, name := range names {
		tree = append(append(tree, "100644 "+name+"\x00"...), blob[:]...)
	}
	add(t, p, plumbing.TreeObject, 0, len(tree), bytes.NewReader(tree))
	text := "tree " + plumbing.ComputeHash(plumbing.TreeObject, tree).String() + "\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\ninit\n"
	add(t, p, plumbing.CommitObject, 0, len(text), strings.NewReader(text))
	return plumbing.ComputeHash(plumbing.CommitObject, []byte(text)).String()
}

// gitReaders are programs that read a repository: what they meet on the way is the same for all types.
func gitReaders() []met {
	return []met{
		{program: "semver-git", verb: "check", source: object{"file": "version"}},
		{program: "semver-git", verb: "out", source: object{"file": "version"}, rest: object{"params": object{"bump": "patch"}}},
		{program: "cepler-in", verb: "check", source: object{"environment": "dev"}},
		{program: "cepler-in", verb: "in", source: object{"environment": "dev"}, rest: object{"version": object{"trigger": someCommit, "version": "1"}}},
		{program: "cepler-board", verb: "out"},
		{program: "chart-bump", verb: "check", source: chartKeys()},
	}
}

// listers are those of them that begin with a list of the refs.
func listers() []met {
	return slices.DeleteFunc(gitReaders(), func(m met) bool { return m.verb == "in" })
}

func chartKeys() object {
	return object{"chart": "chart", "mode": "push", "images": []object{{"name": "a", "path": "a", "repository": "https://example.com/a"}}}
}

// committed is a real server with a repository of these files.
func committed(files map[string]string) func(t *testing.T) object {
	return func(t *testing.T) object {
		t.Helper()
		repo, err := served(t, gittest.Options{}).Create("acme/x")
		require.NoError(t, err)
		_, err = repo.Commit("main", "init", files)
		require.NoError(t, err)
		return object{"uri": repo.URL(), "branch": "main"}
	}
}

// laughs is YAML that stands for a billion of words.
func laughs(key string) string {
	var text strings.Builder
	text.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		fmt.Fprintf(&text, "a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 8), i)
	}
	return text.String() + key + ": *a9\n"
}

// shared is a config whose environments have all of the same patterns.
func shared(environments, patterns int) string {
	var text strings.Builder
	text.WriteString("environments:\n  e0: &e\n    latest: [" + strings.Repeat("a, ", patterns) + "b]\n")
	for i := range environments {
		fmt.Fprintf(&text, "  e%d: *e\n", i+1)
	}
	return text.String()
}

// nested are lists in each other.
func nested(depth int) any {
	var v any = []any{}
	for range depth {
		v = []any{v}
	}
	return v
}

// different are store paths of so many bytes at most, no two of them alike.
func different(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size-100; i++ {
		fmt.Fprintf(&b, "/nix/store/%032d-package-%d\n", i, i)
	}
	return b.String()
}

// paths waits for a list.
func paths(list string) met {
	return met{program: "cachix-paths", verb: "out", source: object{"cache": "acme"}, rest: object{"params": object{"paths_file": "v/paths"}}, files: map[string]string{"v/paths": list}}
}

// nothing is no server at all.
func nothing(t *testing.T) object {
	t.Helper()
	return object{"uri": "http://127.0.0.1:9/x.git", "branch": "main"}
}

func deep(open string) string { return strings.Repeat(open, 200_000) }

// answers is an API that gives every question the same answer.
func answers(key, kind string, write func(w io.Writer)) func(t *testing.T) object {
	return func(t *testing.T) object {
		t.Helper()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			write(w)
		}))
		t.Cleanup(s.Close)
		return object{key: s.URL}
	}
}

func bombs() map[string]bomb {
	all := map[string]bomb{"ten billion files in a kilobyte": treeBomb()}
	for _, some := range []map[string]bomb{gitBombs(), packBombs(), fileBombs(), apiBombs(), wideBombs(), cacheBombs(), textBombs(), sshBombs()} {
		maps.Copy(all, some)
	}
	return all
}

func gitBombs() map[string]bomb {
	const talk = "the server's answer has more than 33554432 bytes besides git objects"
	ref := packet(someCommit + " refs/heads/x" + strings.Repeat("y", 900) + "\n")
	speaks := func(g gitServer) func(t *testing.T) object {
		return func(t *testing.T) object { t.Helper(); return g.server(t) }
	}
	return map[string]bomb{
		"an advertisement without end": {speaks(gitServer{
			advertise: func(w io.Writer) { endless(w, ref) },
			list:      func(w io.Writer) { _, _ = io.WriteString(w, "no") }, // so that it is asked for its greeting
		}), listers(), talk},
		"refs without end":          {speaks(gitServer{list: func(w io.Writer) { endless(w, ref) }}), listers(), talk},
		"a line of 65 KB for a ref": {speaks(gitServer{list: func(w io.Writer) { endless(w, "ffff"+strings.Repeat("y", 65531)) }}), listers(), `"ffff" instead of a length`},
		"commits cut off without end": {speaks(gitServer{fetch: func(w io.Writer) {
			_, _ = io.WriteString(w, packet("shallow-info\n"))
			endless(w, packet("shallow "+someCommit+"\n"))
		}}), gitReaders(), talk},
		"progress without end": {speaks(gitServer{fetch: func(w io.Writer) {
			_, _ = io.WriteString(w, packet("packfile\n"))
			endless(w, packet("\x02"+strings.Repeat("word ", 100)))
		}}), gitReaders(), talk},
		"redirects in a circle": {func(t *testing.T) object {
			t.Helper()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) }))
			t.Cleanup(s.Close)
			return object{"uri": s.URL + "/acme/x.git", "branch": "main"}
		}, gitReaders(), "redirects more than 5 times"},
	}
}

func packBombs() map[string]bomb {
	const size = 8 << 20
	blob := func(t *testing.T, p *gittest.Pack, n int) int {
		t.Helper()
		return add(t, p, plumbing.BlobObject, 0, n, gittest.Zeros(int64(n)))
	}
	delta := func(t *testing.T, p *gittest.Pack, base int, d []byte) int {
		t.Helper()
		return add(t, p, plumbing.OFSDeltaObject, base, len(d), bytes.NewReader(d))
	}
	return map[string]bomb{
		"a delta that makes a gigabyte": {packed(func(t *testing.T, p *gittest.Pack) string {
			t.Helper()
			delta(t, p, blob(t, p, size), gittest.CopyDelta(size, 128))
			return someCommit
		}), gitReaders(), "an object that a delta makes has 1073741824 bytes, and the limit is"},
		"a large object under a delta": {packed(func(t *testing.T, p *gittest.Pack) string {
			t.Helper()
			delta(t, p, blob(t, p, 256<<20+1), []byte{1, 1, 1, 'x'})
			return someCommit
		}), gitReaders()[:1], "an object that a delta builds on has 268435457 bytes, and the limit is"},
		"a chain of 5,000 deltas": {packed(func(t *testing.T, p *gittest.Pack) string {
			t.Helper()
			at := blob(t, p, 1)
			for range 5000 {
				at = delta(t, p, at, gittest.CopyDelta(1, 1))
			}
			return someCommit
		}), gitReaders(), "a chain of deltas has 4097 deltas or more, and the limit is"},
		"two million objects": {func(t *testing.T) object {
			t.Helper()
			return gitServer{fetch: sends(append([]byte("PACK\x00\x00\x00\x02\x00\x20\x00\x00"), make([]byte, 20)...))}.server(t)
		}, gitReaders(), "the pack has 2097152 objects, and the limit is"},
		"a commit with a message of 40 MB": {packed(func(t *testing.T, p *gittest.Pack) string {
			t.Helper()
			tree := plumbing.ComputeHash(plumbing.TreeObject, nil)
			add(t, p, plumbing.TreeObject, 0, 0, strings.NewReader(""))
			text := "tree " + tree.String() + "\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\n" + strings.Repeat("word ", 8<<20)
			add(t, p, plumbing.CommitObject, 0, len(text), strings.NewReader(text))
			return plumbing.ComputeHash(plumbing.CommitObject, []byte(text)).String()
		}), gitReaders()[:3], "bytes, and the limit is"},
		"a report of a push without end": {func(t *testing.T) object {
			t.Helper()
			var p gittest.Pack
			tip := commitOf(t, &p, "version", []byte("1.2.3\n"))
			return gitServer{tip: tip, fetch: sends(p.Bytes()), push: func(w io.Writer) { endless(w, packet("\x02"+strings.Repeat("word ", 100))) }}.server(t)
		}, gitReaders()[1:2], "besides git objects"},
		"a file of 300 MB in the place of a config": {packed(func(t *testing.T, p *gittest.Pack) string {
			t.Helper()
			const big = 300 << 20
			blob(t, p, big)
			hash := plumbing.NewHasher(plumbing.BlobObject, big)
			_, err := io.Copy(hash, gittest.Zeros(big))
			require.NoError(t, err)
			return commitTo(t, p, hash.Sum(), "cepler.yml", "version")
		}), gitReaders()[2:3], "has 314572800 bytes, more than the 67108864 that are read at once"},
	}
}

func fileBombs() map[string]bomb {
	cepler := func(file, text string) func(t *testing.T) object {
		files := map[string]string{"cepler.yml": "deployment: bank\nenvironments: {dev: {latest: [a]}}\n", "a": "1\n"}
		files[file] = text
		return committed(files)
	}
	dev := []met{
		{program: "cepler-in", verb: "check", source: object{"environment": "dev"}},
		{program: "cepler-board", verb: "out"},
	}
	version := func(text string) map[string]string { return map[string]string{"v/version": text} }
	return map[string]bomb{
		"depth in a map": {cepler("cepler.yml", deep("{a: ")), dev, "cepler.yml"},
		"environments that share a thousand patterns": {cepler("cepler.yml", shared(1000, 1000)), dev, "the config has more than 100000 patterns"},
		"aliases in a state":                          {cepler(".cepler/bank/dev.state", laughs("current")), dev[:1], "dev.state"},
		"a version of 2 MB":                           {nothing, []met{{program: "semver-git", verb: "out", source: object{"file": "version"}, rest: object{"params": object{"file": "v/version"}}, files: version(strings.Repeat("1", 2<<20))}}, "v/version"},
		"a list of 96 MB of paths":                    {func(*testing.T) object { return object{} }, []met{paths(strings.Repeat(nixcache.PathOf("x")+"\n", 2<<20))}, "such a file may have no more than 8 MiB"},
		"a list of as many paths as may be":           {answers("api_url", "application/json", func(w io.Writer) { _, _ = io.WriteString(w, "{}") }), []met{paths(different(8 << 20))}, "is not the address of a web server"},
		"depth in a request":                          {nothing, []met{{program: "semver-git", verb: "check", source: object{"file": nested(20_000)}}}, "exceeded max depth"},
		"params of 20 MB":                             {nothing, []met{{program: "semver-git", verb: "check", source: object{"file": strings.Repeat("x", 20<<20)}}}, "the request on stdin is larger than 16 MiB"},
	}
}

// treeBomb is a commit of eleven small objects that stand for ten billion files: ten trees of ten entries, each of which is the next one.
func treeBomb() bomb {
	dev := func(environment, verb string, fine bool) met {
		return met{program: "cepler-in", verb: verb, source: object{"environment": environment}, rest: object{}, fine: fine}
	}
	b := bomb{want: "the limit is 500000", runs: []met{dev("all", "check", false), dev("all", "in", false), dev("one", "in", false), dev("one", "check", true)}}
	b.at = func(t *testing.T) object {
		t.Helper()
		repo, err := served(t, gittest.Options{}).Create("acme/x")
		require.NoError(t, err)
		at, err := repo.Object("blob", []byte("x"))
		require.NoError(t, err)
		mode := "100644"
		for range 10 {
			var level []gittest.TreeEntry
			for name := range strings.SplitSeq("0123456789", "") {
				level = append(level, gittest.TreeEntry{Mode: mode, Name: name, Hash: at})
			}
			at, err = repo.Tree(level...)
			require.NoError(t, err)
			mode = "40000"
		}
		config, err := repo.Object("blob", []byte("environments: {all: {latest: ['**']}, one: {latest: [cepler.yml]}}\n"))
		require.NoError(t, err)
		top, err := repo.Tree(gittest.TreeEntry{Mode: "100644", Name: "cepler.yml", Hash: config}, gittest.TreeEntry{Mode: "40000", Name: "d", Hash: at})
		require.NoError(t, err)
		head, err := repo.CommitTree(top, "init")
		require.NoError(t, err)
		require.NoError(t, repo.UpdateRef("refs/heads/main", head))
		for _, m := range b.runs {
			m.rest["version"] = object{"trigger": head, "version": "1"}
		}
		return object{"uri": repo.URL(), "branch": "main"}
	}
	return b
}

func apiBombs() map[string]bomb {
	forge := object{"repository": "acme/x", "access_token": "t"}
	builds := []met{{program: "pull-request-builds", verb: "check", source: with(forge, object{"uri": "http://127.0.0.1:9/x.git"}, "")}}
	nix := []met{
		{program: "cachix-paths", verb: "check", source: object{"cache": "acme", "pins": []string{"web"}}},
		{program: "cachix-paths", verb: "out", source: object{"cache": "acme"}, rest: object{"params": object{"paths_file": "list", "timeout": "3s", "interval": "1s"}}, files: map[string]string{"list": nixcache.PathOf("x") + "\n"}},
	}
	narinfo := []met{{program: "cachix-paths", verb: "out", rest: nix[1].rest, files: nix[1].files}}
	image := []met{{
		program: "chart-bump", verb: "out", source: with(chartKeys(), object{"uri": "http://127.0.0.1:9/x.git", "branch": "main"}, ""),
		rest: object{"params": object{"images": object{"a": object{"image": "IMAGE"}}}},
	}}
	registry := func(serve func(w http.ResponseWriter, path string)) func(t *testing.T) object {
		return func(t *testing.T) object {
			t.Helper()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				if r.URL.Path != "/v2/" {
					serve(w, r.URL.Path)
				}
			}))
			t.Cleanup(s.Close)
			image[0].rest = object{"params": object{"images": object{"a": object{"image": strings.TrimPrefix(s.URL, "http://") + "/acme/a:v1"}}}}
			return object{"registry": object{"insecure": true}}
		}
	}
	const asJSON = "application/json"
	pages := func(t *testing.T) object {
		t.Helper()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", asJSON)
			page, _ := strconv.Atoi(r.URL.Query().Get("page"))
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, page+1))
			_, _ = io.WriteString(w, `[{"number": 1, "state": "open", "head": {"sha": "`+someCommit+`"}}]`)
		}))
		t.Cleanup(s.Close)
		return object{"api_url": s.URL}
	}
	circle := func(t *testing.T) object {
		t.Helper()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) }))
		t.Cleanup(s.Close)
		return object{"api_url": s.URL}
	}
	return map[string]bomb{
		"an answer of the forge without end": {answers("api_url", asJSON, func(w io.Writer) { endless(w, " ") }), builds, "the server's answer is too large"},
		"a list of the forge without end":    {answers("api_url", asJSON, func(w io.Writer) { _, _ = io.WriteString(w, "["); endless(w, `{"number":1},`) }), builds, "the server's answer is too large"},
		"depth in an answer of the forge":    {answers("api_url", asJSON, func(w io.Writer) { _, _ = io.WriteString(w, deep("[")) }), builds, "exceeded max depth"},
		"pages of the forge without end":     {pages, builds, "the list has more than 1000 pages"},
		"a forge that redirects in a circle": {circle, builds, "redirects more than 5 times"},
		"a manifest without end":             {registry(func(w http.ResponseWriter, _ string) { endless(w, " ") }), image, "the server's answer is too large"},
		"an image's config without end": {registry(func(w http.ResponseWriter, path string) {
			if strings.Contains(path, "/blobs/") {
				endless(w, " ")
				return
			}
			_, _ = io.WriteString(w, `{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 99999999999, "digest": "`+newDigest+`"}, "layers": []}`)
		}), image, "the server's answer is too large"},
		"a narinfo without end":              {answers("url", "text/x-nix-narinfo", func(w io.Writer) { endless(w, "StorePath: x\n") }), narinfo, "is larger than"},
		"an answer of a cache without end":   {answers("api_url", asJSON, func(w io.Writer) { endless(w, " ") }), nix, "is larger than 16384 KiB"},
		"depth in an answer of a cache":      {answers("api_url", asJSON, func(w io.Writer) { _, _ = io.WriteString(w, deep("[")) }), nix, "exceeded max depth"},
		"a cache that redirects in a circle": {circle, nix, "redirect"},
	}
}
