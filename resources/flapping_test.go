//go:build unix

package resources_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

// flapping passes connections on to a server, and cuts three of ten after a random number of bytes of either side.
type flapping struct {
	address    string
	conns, cut atomic.Int32
}

func newFlapping(t *testing.T, server string) *flapping {
	t.Helper()
	f := &flapping{}
	random := rand.New(rand.NewPCG(12, 7)) // the same cuts each time, as far as connections come in the same order
	f.address = listen(t, func(c net.Conn) {
		limit := int64(1 << 40)
		if random.IntN(10) < 3 {
			limit = random.Int64N(6000)
			f.cut.Add(1)
		}
		f.conns.Add(1)
		go pass(c, server, limit)
	})
	return f
}

// listen is the address on loopback whose connections take gets, one after the other.
func listen(t *testing.T, take func(c net.Conn)) (address string) {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			take(c)
		}
	}()
	return l.Addr().String()
}

// pass copies between a client and a server until one of them has sent limit bytes.
func pass(client net.Conn, address string, limit int64) {
	defer func() { _ = client.Close() }()
	var d net.Dialer
	server, err := d.Dial("tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			_, _ = io.CopyN(way[0], way[1], limit)
			done <- struct{}{}
		}()
	}
	<-done
}

// over leads an address over a flapping network, and known hosts with it.
func over(t *testing.T, address string, hosts *string) (string, *flapping) {
	t.Helper()
	var f *flapping
	uri := through(t, address, hosts, func(server string) string {
		f = newFlapping(t, server)
		return f.address
	})
	return uri, f
}

// through leads an address, and known hosts with it, to where something listens that passes connections on to the server.
func through(t *testing.T, address string, hosts *string, listen func(server string) string) string {
	t.Helper()
	uri, err := url.Parse(address)
	require.NoError(t, err)
	at := listen(uri.Host)
	_, was, err := net.SplitHostPort(uri.Host)
	require.NoError(t, err)
	_, is, err := net.SplitHostPort(at)
	require.NoError(t, err)
	*hosts = strings.ReplaceAll(*hosts, "]:"+was, "]:"+is)
	uri.Host = at
	return uri.String()
}

// answered is what a put said.
type answered struct {
	writer, n, status int
	stdout, stderr    string
}

// A network that breaks three of ten connections at random points costs time and no truth: nearly every put succeeds, one that
// succeeds has its effect once, and one that fails does not claim that nothing happened when it may have.
//
// There are three ways to write. cepler-out, cepler-board, cepler-gate's buttons and the bots with mode push write as semver-git does: a
// compare-and-swap on the branch, built again on each new tip. The bots with a pull request, and cepler-gate's, write as chart-bump
// does: their own branch, on the newest base, and then the pull request. pull-request-builds sets a status.
func TestPutsOverAFlappingNetwork(t *testing.T) {
	for _, ssh := range []bool{false, true} {
		way := map[bool]string{false: "http", true: "ssh"}[ssh]
		t.Run("branch over "+way, func(t *testing.T) { flapOnABranch(t, ssh) })
		t.Run("pull request over "+way, func(t *testing.T) { flapOnAPullRequest(t, ssh) })
	}
	t.Run("statuses", flapOnStatuses)
}

// reached is the source of a repository on a server, over a flapping network.
func reached(t *testing.T, server *gittest.Server, repo *gittest.Repository, ssh bool) (object, *flapping) {
	t.Helper()
	hosts := ""
	if !ssh {
		uri, f := over(t, repo.URL(), &hosts)
		return object{"uri": uri}, f
	}
	key, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	require.NoError(t, server.Authorise(key.Authorised))
	hosts = server.KnownHosts()
	uri, f := over(t, repo.SSHURL(), &hosts)
	return object{"uri": uri, "private_key": key.Private, "known_hosts": hosts}, f
}

// storm puts from all writers at once, each one put after the other.
func storm(t *testing.T, program string, source object, f *flapping, next func(writer, n int) (dir string, params object)) []answered {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	writers, each := gittest.Writers(2, 6), gittest.Writers(1, 10)
	all := make([][]answered, writers)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := range each {
				dir, params := next(w, n)
				stdin, err := json.Marshal(object{"source": source, "params": params})
				assert.NoError(t, err)
				var stdout, stderr bytes.Buffer
				status := resourceTypes()[program].run(t, concourse.Process{Args: []string{"out", dir}, Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Env: []string{"NO_COLOR=1"}})
				all[w] = append(all[w], answered{w, n, status, stdout.String(), stderr.String()})
			}
		})
	}
	group.Wait()
	var flat []answered
	green := 0
	for _, answers := range all {
		for _, a := range answers {
			if a.status == 0 {
				green++
			} else {
				t.Log(a.stderr)
			}
			flat = append(flat, a)
		}
	}
	t.Logf("%d of %d puts green, %d of %d connections cut", green, len(flat), f.cut.Load(), f.conns.Load())
	assert.GreaterOrEqual(t, green*60, len(flat)*58, "58 of 60 puts succeed")
	return flat
}

func flapOnABranch(t *testing.T, ssh bool) {
	t.Helper()
	server := served(t, gittest.Options{SSH: ssh})
	repo, _, dir := monorepoOn(t, server)
	_, err := repo.Commit("version", "by hand", map[string]string{"version": "1.2.3\n"})
	require.NoError(t, err)
	source, f := reached(t, server, repo, ssh)
	maps.Copy(source, object{"branch": "version", "file": "version"})
	answers := storm(t, "semver-git", source, f, func(int, int) (string, object) { return dir, object{"bump": "patch"} })

	history, err := repo.Log("%H", "version")
	require.NoError(t, err)
	numbers, green, unknown := map[string]bool{}, 0, 0
	for _, a := range answers {
		if a.status != 0 {
			unknown += strings.Count(a.stderr, "not known")
			continue
		}
		green++
		var said struct {
			Version struct{ Number, Commit string }
		}
		require.NoError(t, json.Unmarshal([]byte(a.stdout), &said))
		assert.False(t, numbers[said.Version.Number], "two puts answer %s", said.Version.Number)
		numbers[said.Version.Number] = true
		assert.Contains(t, history, said.Version.Commit)
	}
	commits := len(history) - 1
	assert.GreaterOrEqual(t, commits, green, "every green put has a commit")
	assert.LessOrEqual(t, commits, green+unknown, "a put whose verdict is a failure has none")
	require.NoError(t, repo.Fsck())
}

func flapOnAPullRequest(t *testing.T, ssh bool) {
	t.Helper()
	server := served(t, gittest.Options{SSH: ssh})
	repo, hub, dir := monorepoOn(t, server)
	values, images := "", []object{}
	digest := func(writer, n int) string { return fmt.Sprintf("sha256:%032x%032x", writer+1, n+1) }
	for w := range 6 {
		values += fmt.Sprintf("image%d: %s # of writer %d\n", w, oldDigest, w)
		images = append(images, object{"name": fmt.Sprint("i", w), "path": fmt.Sprint("image", w), "format": "digest", "repository": "https://github.com/acme/bank"})
	}
	_, err := repo.Commit("main", "feat: images", map[string]string{"charts/bank/values.yaml": values})
	require.NoError(t, err)
	source, f := reached(t, server, repo, ssh)
	api, _ := over(t, hub.APIURL(), new(string))
	maps.Copy(source, object{
		"branch": "main", "bot_branch": "bot", "chart": "charts/bank", "images": images,
		"github": object{"repository": "acme/mono", "api_url": api, "access_token": hubToken},
	})
	answers := storm(t, "chart-bump", source, f, func(writer, n int) (string, object) {
		name := fmt.Sprintf("w%d-%d", writer, n)
		written(t, filepath.Join(dir, name, "digest"), digest(writer, n))
		return dir, object{"source_repository": "repo", "images": object{fmt.Sprint("i", writer): object{"digest_file": name + "/digest"}}}
	})

	text, err := repo.Show("bot", "charts/bank/values.yaml")
	require.NoError(t, err)
	last := map[int]int{} // the newest put of a writer that may be there
	for _, a := range answers {
		if a.status == 0 {
			last[a.writer] = a.n
			var said struct{ Version struct{ Commit string } }
			require.NoError(t, json.Unmarshal([]byte(a.stdout), &said))
			assert.True(t, onBranch(repo, said.Version.Commit, "charts/bank/values.yaml", digest(a.writer, a.n)), "a green put's digest is in the commit that it answers: %s", a.stdout)
		}
	}
	for w, n := range last {
		found := strings.Contains(text, digest(w, n))
		for _, a := range answers { // one that failed later may have been written, and says so
			if a.writer == w && a.n > n && strings.Contains(text, digest(w, a.n)) {
				found = found || strings.Contains(a.stderr, "not known")
			}
		}
		assert.True(t, found, "the newest digest of writer %d, %s, is in the pull request:\n%s", w, digest(w, n), text)
	}
	pulls, err := hub.Repository("acme/mono").Pulls()
	require.NoError(t, err)
	assert.Len(t, pulls, 1, "all puts share one pull request")
	require.NoError(t, repo.Fsck())
}

func flapOnStatuses(t *testing.T) {
	repo, hub, dir := monorepo(t)
	source, commit := built(t, repo, hub, dir)
	api, f := over(t, hub.APIURL(), new(string))
	name := func(writer, n int) string { return fmt.Sprintf("w%d-%d", writer, n) }
	answers := storm(t, "pull-request-builds", with(source, object{"api_url": api}, ""), f, func(writer, n int) (string, object) {
		return dir, object{"path": "got", "status": "success", "context": name(writer, n)}
	})
	statuses := hub.Repository("acme/mono").Statuses(commit)
	for _, a := range answers {
		_, set := statuses[name(a.writer, a.n)]
		assert.True(t, set || a.status != 0, "a green put has set its status: %s", a.stdout)
		assert.True(t, !set || a.status == 0 || strings.Contains(a.stderr, "not known"), "a put that has failed, and set its status, does not know it: %s", a.stderr)
	}
}

// built opens a pull request and gets its newest commit into the folder got of a build. The source is that of pull-request-builds.
func built(t *testing.T, repo *gittest.Repository, hub *github.Server, dir string) (source object, commit string) {
	t.Helper()
	code := hub.Repository("acme/mono")
	commit, err := code.Push("topic", "ann", "feat: work", map[string]string{"x": "1\n"})
	require.NoError(t, err)
	_, err = code.Open("topic", "main", "feat: work", "ann")
	require.NoError(t, err)
	source = object{"repository": "acme/mono", "api_url": hub.APIURL(), "access_token": hubToken, "uri": repo.URL()}
	run := func(request object, args ...string) []byte {
		data, err := json.Marshal(request)
		require.NoError(t, err)
		var said, heard bytes.Buffer
		status := resourceTypes()["pull-request-builds"].run(t, concourse.Process{Args: args, Stdin: bytes.NewReader(data), Stdout: &said, Stderr: &heard, Env: []string{"NO_COLOR=1"}})
		require.Zero(t, status, heard.String())
		return said.Bytes()
	}
	var versions []json.RawMessage
	require.NoError(t, json.Unmarshal(run(object{"source": source}, "check"), &versions))
	require.Len(t, versions, 1)
	run(object{"source": source, "version": versions[0]}, "in", filepath.Join(dir, "got"))
	return source, commit
}
