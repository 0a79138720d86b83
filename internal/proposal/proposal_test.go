package proposal_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/proposal"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

// world is a repository at a stand-in for GitHub, and a bot.
type world struct {
	t     *testing.T
	git   *gittest.Repository
	hub   *github.Server
	pulls *github.Repository
	bot   proposal.Bot

	mu  sync.Mutex
	log []string
}

// long is a file in which two changes can be far apart.
func long(change map[int]string) string {
	var b strings.Builder
	for i := range 60 {
		text, ok := change[i]
		if !ok {
			text = fmt.Sprint("line ", i)
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	repo, err := server.Create("team/code")
	require.NoError(t, err)
	_, err = repo.Commit("main", "start", map[string]string{"long": long(nil), "keys/a": "0\n", "keys/b": "0\n", "old/x": "x\n"})
	require.NoError(t, err)
	w := &world{t: t, git: repo}
	w.hub = github.New(github.Options{Git: server, Tokens: []string{"t0ken"}})
	t.Cleanup(w.hub.Close)
	w.pulls = w.hub.Repository("team/code")
	w.bot = w.newBot()
	return w
}

// newBot is another process's.
func (w *world) newBot() proposal.Bot {
	w.t.Helper()
	logf := func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.log = append(w.log, fmt.Sprintf(format, args...))
	}
	access := git.Access{URI: w.git.URL(), Branch: "main"}
	remote, err := git.Open(access, git.Options{Logf: logf})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = remote.Close() })
	store, err := remote.Store("")
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = store.Close() })
	hub, err := forge.Access{Repository: "team/code", APIURL: w.hub.APIURL(), AccessToken: "t0ken"}.Open(forge.Options{Logf: logf})
	require.NoError(w.t, err)
	w.t.Cleanup(hub.Disconnect)
	return proposal.Bot{
		Owner: "test", Remote: remote, Store: store, Forge: hub, Base: "main", Branch: "bot", Logf: logf,
		By: git.Signature{Name: "bot", Email: "bot@example.com", When: time.Now()},
	}
}

// set is an edit of whole files; an empty content deletes.
func set(files map[string]string) proposal.Edit {
	return func(ctx context.Context, on *git.Commit, held proposal.Held) (*proposal.Change, error) {
		edits := map[string]git.Edit{}
		for name, content := range files {
			edits[name] = git.Edit{Content: []byte(content), Delete: content == ""}
		}
		kept, outdated, err := held.Rest(ctx, on.Tree, edits, func(string) bool { return false })
		text := fmt.Sprintf("kept %v, outdated %v", kept, outdated)
		return &proposal.Change{
			Edits: edits, Kept: len(kept) > 0, Message: "bump", Trailers: []string{"Build: 7"},
			Text: func(context.Context) (proposal.Text, error) { return proposal.Text{Title: "bump", Body: text}, nil },
		}, err
	}
}

func (w *world) try(edit proposal.Edit) (*proposal.Outcome, error) {
	w.t.Helper()
	return w.bot.Keep(w.t.Context(), edit)
}

func (w *world) keep(files map[string]string) *proposal.Outcome {
	w.t.Helper()
	out, err := w.try(set(files))
	require.NoError(w.t, err)
	return out
}

func (w *world) commit(files map[string]string) string {
	w.t.Helper()
	hash, err := w.git.Commit("main", "by a person", files)
	require.NoError(w.t, err)
	return hash
}

func (w *world) run(args ...string) string {
	w.t.Helper()
	out, err := w.git.Git(args...)
	require.NoError(w.t, err, "%v: %s", args, out)
	return strings.TrimSpace(out)
}

// files are those of the bot's branch that differ from the base.
func (w *world) files() string {
	w.t.Helper()
	return strings.ReplaceAll(w.run("diff", "--no-renames", "--name-status", "main", "bot"), "\t", " ")
}

func (w *world) show(name string) string {
	w.t.Helper()
	return w.run("show", "bot:"+name)
}

func (w *world) body() string {
	w.t.Helper()
	p, err := w.pulls.Pull(1)
	require.NoError(w.t, err)
	return p.Body
}

// point moves the bot's branch to a new commit.
func (w *world) point(tree, message string, parents ...string) {
	w.t.Helper()
	hash, err := w.git.CommitTree(tree, message, parents...)
	require.NoError(w.t, err)
	require.NoError(w.t, w.git.UpdateRef("refs/heads/bot", strings.TrimSpace(hash)))
}

// updated does what the forge's "Update branch" does, by a merge or a rebase.
func (w *world) updated(method string) {
	w.t.Helper()
	if method == "merge" {
		w.point(w.run("merge-tree", "--write-tree", "bot", "main"), "Merge branch 'main' into bot", w.run("rev-parse", "bot"), w.run("rev-parse", "main"))
		return
	}
	tree := w.run("merge-tree", "--write-tree", "main", "bot")
	w.point(tree, w.run("log", "-1", "--format=%B", "bot")+"\n", w.run("rev-parse", "main"))
}

func TestOneCommitOnTopOfTheBase(t *testing.T) {
	w := newWorld(t)
	out := w.keep(map[string]string{"keys/a": "1\n"})
	assert.True(t, out.Done.Created)
	assert.Equal(t, w.run("rev-parse", "main"), out.On.Hash.String())
	assert.Equal(t, w.run("rev-parse", "bot"), out.Commit.Hash.String())
	assert.Equal(t, "bump\n\nBuild: 7\nProposal: test "+w.run("rev-parse", "main")+" "+w.run("rev-parse", "bot^{tree}"), w.run("log", "-1", "--format=%B", "bot"))
	same := w.keep(map[string]string{"keys/a": "1\n"})
	assert.Equal(t, out.Commit.Hash, same.Commit.Hash, "nothing is pushed twice")

	w.commit(map[string]string{"other": "x\n"})
	moved := w.keep(map[string]string{"keys/b": "1\n"})
	assert.Equal(t, w.run("rev-parse", "main"), moved.On.Hash.String())
	assert.Equal(t, "M keys/a\nM keys/b", w.files())
	assert.Equal(t, "1", w.run("rev-list", "--count", "main..bot"))
	assert.Equal(t, out.Pull.Number, moved.Pull.Number)
}

// The base wins where it has changed since the branch began.
func TestWhatIsKeptOfTheBranch(t *testing.T) {
	w := newWorld(t)
	w.keep(map[string]string{"keys/a": "1\n", "keys/b": "1\n", "old/x": "", "new/y": "1\n", "new/z": "1\n", "dir": "file\n"})
	w.commit(map[string]string{"keys/b": "person\n", "new/z/deep": "person\n", "dir/deep": "person\n"})
	w.keep(map[string]string{"keys/c": "2\n"})
	assert.Equal(t, "M keys/a\nA keys/c\nA new/y\nD old/x", w.files())
	assert.Equal(t, "kept [keys/a new/y old/x], outdated [dir keys/b new/z]", w.body())
	w.keep(map[string]string{"new/y/file": "3\n"})
	assert.Equal(t, "M keys/a\nA keys/c\nA new/y/file\nD old/x", w.files(), "a file makes room for a folder")
}

// What the forge's "Update branch" leaves does what the bot did, also where both changed one file.
func TestAnUpdatedBranchIsNoEdit(t *testing.T) {
	for _, method := range []string{"merge", "rebase"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			w.keep(map[string]string{"long": long(map[int]string{3: "bot"}), "keys/a": "1\n"})
			w.commit(map[string]string{"long": long(map[int]string{50: "person"}), "other": "x\n"})
			w.updated(method)
			w.commit(map[string]string{"other": "y\n"})
			w.updated(method)
			require.Contains(t, w.show("long"), "person")
			w.keep(map[string]string{"keys/b": "1\n"})
			assert.Equal(t, "M keys/a\nM keys/b\nM long", w.files())
			assert.Equal(t, strings.TrimSpace(long(map[int]string{3: "bot", 50: "person"})), w.show("long"))
			assert.Equal(t, "1", w.run("rev-list", "--count", "main..bot"))
		})
	}
}

// Everything else on the branch is somebody's work.
func TestCommitsOfOtherPeople(t *testing.T) {
	for name, edit := range map[string]func(w *world){
		"on top": func(w *world) {
			_, err := w.pulls.Push("bot", "ana", "fix", map[string]string{"keys/a": "ana\n"})
			require.NoError(w.t, err)
		},
		"on top of an update": func(w *world) {
			w.commit(map[string]string{"other": "x\n"})
			w.updated("merge")
			_, err := w.pulls.Push("bot", "ana", "fix", map[string]string{"keys/a": "ana\n"})
			require.NoError(w.t, err)
		},
		"amended": func(w *world) {
			w.point(w.run("rev-parse", "main^{tree}"), w.run("log", "-1", "--format=%B", "bot")+"\n", w.run("rev-parse", "main"))
		},
		"a merge with a change of its own": func(w *world) {
			w.commit(map[string]string{"other": "x\n"})
			w.updated("merge")
			w.point(w.run("rev-parse", "main^{tree}"), "merge", w.run("rev-parse", "bot~1"), w.run("rev-parse", "main"))
		},
		"a merge of another branch": func(w *world) {
			require.NoError(w.t, w.git.UpdateRef("refs/heads/topic", w.run("rev-parse", "main")))
			_, err := w.pulls.Push("topic", "ana", "topic", map[string]string{"topic": "x\n"})
			require.NoError(w.t, err)
			w.point(w.run("merge-tree", "--write-tree", "bot", "topic"), "merge", w.run("rev-parse", "bot"), w.run("rev-parse", "topic"))
		},
		"of another bot": func(w *world) {
			w.bot.Owner = "other"
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.keep(map[string]string{"keys/a": "1\n"})
			edit(w)
			tip := w.run("rev-parse", "bot")
			_, err := w.try(set(map[string]string{"keys/b": "1\n"}))
			require.ErrorIs(t, err, proposal.ErrEdited)
			assert.ErrorContains(t, err, tip[:7])
			assert.Equal(t, tip, w.run("rev-parse", "bot"), "nothing was changed")

			left, err := w.try(set(map[string]string{"keys/a": "0\n"}))
			require.NoError(t, err, "there is nothing to propose")
			assert.Equal(t, 1, left.Left.Number)
			require.ErrorIs(t, left.LeftWhy, proposal.ErrEdited)

			w.bot.Overwrite = true
			w.keep(map[string]string{"keys/b": "1\n"})
			assert.Equal(t, "M keys/b", w.files())
			assert.Contains(t, strings.Join(w.log, "\n"), "warning: overwrite is set: bot loses "+tip[:7])
		})
	}
}

// What people added is in the base once the pull request is merged, and lost when it is only closed.
func TestPeoplesCommitsThatAreMerged(t *testing.T) {
	w := newWorld(t)
	w.keep(map[string]string{"keys/a": "1\n"})
	_, err := w.pulls.Push("bot", "ana", "fix", map[string]string{"keys/a": "ana\n"})
	require.NoError(t, err)
	require.NoError(t, w.pulls.ClosePull(1))
	_, err = w.try(set(map[string]string{"keys/b": "1\n"}))
	require.ErrorIs(t, err, proposal.ErrEdited)
	require.NoError(t, w.pulls.Reopen(1))
	_, err = w.pulls.Merge(1, "squash", "ana")
	require.NoError(t, err)
	out := w.keep(map[string]string{"keys/b": "1\n"})
	assert.Equal(t, 2, out.Pull.Number)
	assert.Equal(t, "M keys/b", w.files())
}

func TestAProposalThatBecameEmptyIsClosed(t *testing.T) {
	w := newWorld(t)
	w.keep(map[string]string{"keys/a": "1\n"})
	w.commit(map[string]string{"keys/a": "1\n"})
	out := w.keep(map[string]string{"keys/a": "1\n"})
	assert.Nil(t, out.Commit)
	assert.Equal(t, 1, out.Closed.Number)
	p, err := w.pulls.Pull(1)
	require.NoError(t, err)
	assert.False(t, p.Open)
	assert.Equal(t, []string{"Closed: branch `main` has everything that this pull request was for since " + w.run("rev-parse", "main")[:7] + "."}, p.Comments)

	again := w.keep(map[string]string{"keys/a": "1\n"})
	assert.Nil(t, again.Closed)
	next := w.keep(map[string]string{"keys/b": "1\n"})
	assert.Equal(t, 2, next.Pull.Number)
	assert.Equal(t, "M keys/b", w.files())
}

// The base moves while the push is under way: the outcome is on top of where it is then.
func TestABaseThatMovesMeanwhile(t *testing.T) {
	w := newWorld(t)
	next, err := w.git.CommitTree(w.run("rev-parse", "main^{tree}"), "meanwhile", w.run("rev-parse", "main"))
	require.NoError(t, err)
	require.NoError(t, w.git.Hook("post-receive", "#!/bin/sh\nif [ ! -e moved ]; then touch moved; git update-ref refs/heads/main "+strings.TrimSpace(next)+"; fi\n"))
	out := w.keep(map[string]string{"keys/a": "1\n"})
	assert.Equal(t, strings.TrimSpace(next), out.On.Hash.String())
	assert.Equal(t, strings.TrimSpace(next), w.run("rev-parse", "bot~1"))
}

func TestAChosenCommitStaysWhereItIs(t *testing.T) {
	w := newWorld(t)
	first := w.run("rev-parse", "main")
	w.bot.On = plumbing.NewHash(first)
	w.commit(map[string]string{"other": "x\n"})
	out := w.keep(map[string]string{"keys/a": "1\n"})
	assert.Equal(t, first, w.run("rev-parse", "bot~1"))
	assert.Equal(t, first, out.On.Hash.String())
}

// Many bots at once, of which each speaks of a file of its own.
func TestBotsAtOnceLoseNothing(t *testing.T) {
	w := newWorld(t)
	const bots = 4
	var group sync.WaitGroup
	failures := make([]error, bots)
	for i := range bots {
		bot := w.newBot()
		group.Go(func() {
			_, failures[i] = bot.Keep(t.Context(), set(map[string]string{fmt.Sprint("bots/", i): "1\n"}))
		})
	}
	group.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
	assert.Equal(t, "A bots/0\nA bots/1\nA bots/2\nA bots/3", w.files())
	all, err := w.pulls.Pulls()
	require.NoError(t, err)
	assert.Len(t, all, 1)
	assert.Equal(t, "1", w.run("rev-list", "--count", "main..bot"))
}

func TestPushMode(t *testing.T) {
	w := newWorld(t)
	w.bot.Forge = nil
	out := w.keep(map[string]string{"keys/a": "1\n"})
	assert.Equal(t, w.run("rev-parse", "main"), out.Commit.Hash.String())
	assert.Equal(t, "bump\n\nBuild: 7", w.run("log", "-1", "--format=%B", "main"))
	same := w.keep(map[string]string{"keys/a": "1\n"})
	assert.Nil(t, same.Commit)
	assert.Equal(t, out.Commit.Hash, same.On.Hash)
	assert.Empty(t, w.hub.Requests())

	w.bot.Base = "maine"
	_, err := w.try(set(map[string]string{"keys/a": "1\n"}))
	require.ErrorIs(t, err, git.ErrNoBranch)
}

func TestAMissingBase(t *testing.T) {
	w := newWorld(t)
	w.bot.Base = "maine"
	_, err := w.try(set(map[string]string{"keys/a": "1\n"}))
	require.ErrorIs(t, err, git.ErrNoBranch)
	assert.ErrorContains(t, err, "has no branch maine")
}
