package semvergit_test

import (
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// flapping passes connections on to a server, and cuts three of ten after a random number of bytes of either side.
type flapping struct {
	address    string
	conns, cut atomic.Int32
}

func newFlapping(t *testing.T, server string) *flapping {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	f := &flapping{address: l.Addr().String()}
	random, mu := rand.New(rand.NewPCG(12, 7)), sync.Mutex{} // the same cuts each time, as far as connections come in the same order
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			limit := int64(1 << 40)
			if random.IntN(10) < 3 {
				limit = random.Int64N(6000)
				f.cut.Add(1)
			}
			mu.Unlock()
			f.conns.Add(1)
			go pass(c, server, limit)
		}
	}()
	return f
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

// A network that breaks three of ten connections at random points costs time and no truth: nearly every put succeeds, one that
// succeeds has its version on the branch once, and one that fails does not claim that nothing happened when it may have.
func TestPutsOverAFlappingNetwork(t *testing.T) {
	for name, make := range map[string]func(testing.TB) *world{"http": newWorld, "ssh": newWorldOverSSH} {
		t.Run(name, func(t *testing.T) {
			w := make(t)
			w.is("1.2.3\n")
			f := flapTo(t, w)
			writers := gittest.Writers(2, 6)
			each := gittest.Writers(1, 10)
			answers := together(writers, func(int) says {
				var last says
				for range each {
					s := w.tryPut(keys{"bump": "patch"})
					last.stdout += s.stdout
					last.stderr += s.stderr
					if s.status == 0 {
						last.status++
						last.stdout += "\n"
					}
				}
				return last
			})
			judge(t, w, f, answers, writers*each)
		})
	}
}

// flapTo leads the world's source over a flapping network.
func flapTo(t *testing.T, w *world) *flapping {
	t.Helper()
	uri, err := url.Parse(w.source["uri"].(string))
	require.NoError(t, err)
	f := newFlapping(t, uri.Host)
	if hosts, ok := w.source["known_hosts"].(string); ok {
		_, was, _ := net.SplitHostPort(uri.Host)
		_, is, _ := net.SplitHostPort(f.address)
		w.source["known_hosts"] = strings.ReplaceAll(hosts, "]:"+was, "]:"+is)
	}
	uri.Host = f.address
	w.source["uri"] = uri.String()
	return f
}

func judge(t *testing.T, w *world, f *flapping, answers []says, puts int) {
	t.Helper()
	numbers, green, unknown := map[string]bool{}, 0, 0
	history, err := w.repo.Log("%H", "version")
	require.NoError(t, err)
	for _, a := range answers {
		green += a.status
		unknown += strings.Count(a.stderr, "not known")
		for line := range strings.Lines(a.stderr) {
			if strings.HasPrefix(line, "error: ") {
				t.Log(line)
			}
		}
		for line := range strings.Lines(a.stdout) {
			_, number, ok := strings.Cut(line, `"number":"`)
			if !ok {
				continue
			}
			number, _, _ = strings.Cut(number, `"`)
			assert.False(t, numbers[number], "two puts answer %s", number)
			numbers[number] = true
			_, commit, _ := strings.Cut(line, `"commit":"`)
			commit, _, _ = strings.Cut(commit, `"`)
			assert.Contains(t, history, commit)
		}
	}
	commits := len(history) - 1
	assert.Len(t, numbers, green)
	assert.GreaterOrEqual(t, commits, green, "every green put has a commit")
	assert.LessOrEqual(t, commits, green+unknown, "a put whose verdict is a failure has none")
	require.NoError(t, w.repo.Fsck())
	t.Logf("%d of %d puts green, %d commits, %d verdicts unknown, %d of %d connections cut", green, puts, commits, unknown, f.cut.Load(), f.conns.Load())
	assert.GreaterOrEqual(t, green*60, puts*58, "58 of 60 puts succeed")
}
