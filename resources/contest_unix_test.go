//go:build unix

package resources_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// Three writers who put again and again overtake each other, but none of them many times in a row: a put that others were faster than
// has its turn before they have had ten.
func TestNoPutIsOvertakenForever(t *testing.T) {
	each := gittest.Writers(0, 50)
	if each == 0 {
		t.Skip("it takes minutes: make storms")
	}
	for name, ssh := range map[string]bool{"http": false, "ssh": true} {
		t.Run(name, func(t *testing.T) { contest(t, ssh, 3, each) })
	}
}

// contestant is one of the writers, and what became of its puts.
type contestant struct {
	source object
	dir    string

	mu   sync.Mutex
	met  string // the tip when the put began to look, by its first connection
	puts []contested
}

// contested is a put: the tip that it met, the commit that it made, and how long it took.
type contested struct {
	met, made string
	took      time.Duration
}

func contest(t *testing.T, ssh bool, writers, each int) {
	t.Helper()
	server := served(t, gittest.Options{SSH: ssh})
	repo, _, dir := monorepoOn(t, server)
	_, err := repo.Commit("version", "by hand", map[string]string{"version": "1.2.3\n"})
	require.NoError(t, err)
	all := make([]*contestant, writers)
	for i := range all {
		all[i] = newContestant(t, server, repo, ssh, dir)
	}
	var group sync.WaitGroup
	for _, c := range all {
		group.Go(func() {
			for range each {
				c.put(t)
			}
		})
	}
	group.Wait()
	history, err := repo.Log("%H", "version")
	require.NoError(t, err)
	slices.Reverse(history)
	require.Len(t, history, writers*each+1, "each put is on the branch once")
	var took []time.Duration
	overtaken := map[int]int{}
	for _, c := range all {
		for _, p := range c.puts {
			took = append(took, p.took)
			n := slices.Index(history, p.made) - slices.Index(history, p.met) - 1
			overtaken[n]++
			assert.LessOrEqual(t, n, 10, "times that a put was overtaken")
		}
	}
	slices.Sort(took)
	for _, n := range slices.Sorted(maps.Keys(overtaken)) {
		t.Logf("overtaken %d times: %d puts", n, overtaken[n])
	}
	median, worst := took[len(took)/2], took[len(took)-1]
	t.Logf("%d puts: median %v, worst %v, %.1f times the median", len(took), median, worst, float64(worst)/float64(median))
}

// newContestant has a way of its own to the server, on which its first look at the branch is seen.
func newContestant(t *testing.T, server *gittest.Server, repo *gittest.Repository, ssh bool, dir string) *contestant {
	t.Helper()
	c := &contestant{dir: dir, source: object{"branch": "version", "file": "version"}}
	hosts, address := "", repo.URL()
	if ssh {
		key, err := gittest.NewKey("ed25519", "")
		require.NoError(t, err)
		require.NoError(t, server.Authorise(key.Authorised))
		hosts, address = server.KnownHosts(), repo.SSHURL()
		c.source["private_key"] = key.Private
	}
	c.source["uri"] = through(t, address, &hosts, func(server string) string {
		return listen(t, func(conn net.Conn) {
			c.look(repo)
			go pass(conn, server, 1<<40)
		})
	})
	if ssh {
		c.source["known_hosts"] = hosts
	}
	return c
}

// look notes the tip at a put's first connection.
func (c *contestant) look(repo *gittest.Repository) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.met == "" {
		c.met, _ = repo.RevParse("refs/heads/version")
	}
}

// put runs the program once, as a worker does.
func (c *contestant) put(t *testing.T) {
	t.Helper()
	stdin, err := json.Marshal(object{"source": c.source, "params": object{"bump": "patch"}})
	if !assert.NoError(t, err) {
		return
	}
	c.mu.Lock()
	c.met = ""
	c.mu.Unlock()
	cmd := exec.CommandContext(t.Context(), "semver-git", "out", c.dir)
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	var said, heard bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &said, &heard
	start := time.Now()
	if !assert.NoError(t, cmd.Run(), "%s", &heard) {
		return
	}
	took := time.Since(start)
	var answer struct{ Version struct{ Commit string } }
	assert.NoError(t, json.Unmarshal(said.Bytes(), &answer))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.puts = append(c.puts, contested{c.met, answer.Version.Commit, took})
}
