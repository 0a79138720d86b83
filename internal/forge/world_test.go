package forge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

// world is a repository at a stand-in for GitHub, and a forge that talks to it.
type world struct {
	*Forge
	t      *testing.T
	server *github.Server
	repo   *github.Repository
	clock  *clock
	access Access

	mu    sync.Mutex
	log   []string
	waits []time.Duration
}

// clock goes on by a second with each look.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second)
	return c.now
}

func newWorld(t *testing.T, o github.Options) *world {
	t.Helper()
	git, err := gittest.New(gittest.Options{Dir: t.TempDir()})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = git.Close() })
	content, err := git.Create("team/code")
	require.NoError(t, err)
	_, err = content.Commit("main", "start", map[string]string{"README.md": "hello\n", "src/main.rs": "fn main() {}\n"})
	require.NoError(t, err)

	w := &world{t: t, clock: &clock{now: time.Now().Add(-time.Hour)}}
	o.Git = git
	if o.Now == nil {
		o.Now = w.clock.Now
	}
	w.server = github.New(o)
	t.Cleanup(w.server.Close)
	w.repo = w.server.Repository("team/code")
	w.access = Access{Repository: "team/code", APIURL: w.server.APIURL(), AccessToken: "ghp_right", CACert: w.server.CA()}
	w.Forge = w.open(w.access)
	return w
}

// start is a world whose token is checked.
func start(t *testing.T) *world {
	t.Helper()
	return newWorld(t, github.Options{Tokens: []string{"ghp_right"}})
}

// open waits in no time, and notes how long it should have been.
func (w *world) open(a Access) *Forge {
	w.t.Helper()
	f, err := a.Open(Options{Logf: func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.log = append(w.log, fmt.Sprintf(format, args...))
	}})
	require.NoError(w.t, err)
	w.t.Cleanup(f.Disconnect)
	f.sleep = func(ctx context.Context, d time.Duration) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waits = append(w.waits, d)
		return ctx.Err()
	}
	return f
}

func (w *world) logged() string { return strings.Join(w.log, "\n") }

// branch pushes a commit on top of main to a branch, in place of what was there.
func (w *world) branch(name, content string) string {
	w.t.Helper()
	g := w.repo.Git()
	i := g.Import()
	tip, err := g.RevParse("refs/heads/main")
	require.NoError(w.t, err)
	require.NoError(w.t, g.UpdateRef("refs/heads/"+name, tip))
	c := i.Commit(name, "bump to "+content).Files(map[string]string{"CHANGELOG.md": content + "\n"})
	require.NoError(w.t, i.Done())
	return c.Hash()
}

func (w *world) spec() PullSpec {
	return PullSpec{Head: "bot", Base: "main", Title: "bump", Body: "the body\n", Labels: []string{"galoybot"}}
}

// pull opens the pull request of the branch bot.
func (w *world) pull() *Pull {
	w.t.Helper()
	w.branch("bot", "one")
	p, done, err := w.Ensure(w.t.Context(), w.spec())
	require.NoError(w.t, err)
	require.True(w.t, done.Created)
	return p
}

// requests are the methods and paths since the last reset.
func (w *world) requests() []string {
	var out []string
	for _, r := range w.server.Requests() {
		out = append(out, r.Method+" "+r.Path)
	}
	return out
}
