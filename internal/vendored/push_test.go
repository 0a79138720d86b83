package vendored

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// many is a vendir.yml with so many contents of the chart, in folders c0, c1, …
func many(n int) string {
	text := "apiVersion: vendir.k14s.io/v1alpha1\nkind: Config\ndirectories:\n"
	for i := range n {
		text += fmt.Sprintf("- path: c%d\n  contents:\n  - path: chart\n    git: {url: x, ref: old} # %d\n    newRootPath: charts/bank\n", i, i) //nolint:modernize // a few times
	}
	return text
}

type world struct {
	t      *testing.T
	server *gittest.Server
	repo   *gittest.Repository
	clone  string
}

func newWorld(t *testing.T, files map[string]string) *world {
	t.Helper()
	server, err := gittest.New(gittest.Options{Dir: t.TempDir()})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	repo, err := server.Create("deployments")
	require.NoError(t, err)
	_, err = repo.Commit("main", "start", files)
	require.NoError(t, err)
	return &world{t, server, repo, newCharts(t).clone(t)}
}

// push makes the commit on top of the branch.
func (w *world) push(directory string) (*Plan, error) {
	origin := originIn(w.t, w.clone, "")
	defer func() { _ = origin.Close() }()
	remote, err := git.Open(git.Access{URI: w.repo.URL(), Branch: "main"}, git.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = remote.Close() }()
	store, err := remote.Store("")
	if err != nil {
		return nil, err
	}
	var plan *Plan
	by := git.Signature{Name: "bot", Email: "bot@example.com", When: time.Now()}
	_, err = store.UpdateRef(w.t.Context(), "refs/heads/main", func(ctx context.Context, tip *git.Commit) (*git.Built, error) {
		if plan, err = Make(ctx, At(store, tip.Tree), Target{Config: "vendir.yml", Directory: directory}, origin); err != nil {
			return nil, err
		}
		return store.Build(ctx, git.NewCommit{Parent: tip.Hash, Edits: plan.Edits, Committer: by, Message: "bump\n"})
	})
	return plan, err
}

func TestBranchThatMovesMeanwhile(t *testing.T) {
	w := newWorld(t, map[string]string{"vendir.yml": many(1), "README.md": "1\n"})
	w.server.Inject(gittest.Fault{Path: gittest.ReceivePack, Method: http.MethodPost, Times: 1, Before: func() {
		_, err := w.repo.Commit("main", "by a person", map[string]string{"README.md": "2\n", "vendir.yml": "# a person was here\n" + many(1)})
		assert.NoError(t, err)
	}})
	done, err := w.push("c0")
	require.NoError(t, err)
	assert.NotEmpty(t, done.Edits)
	log, err := w.repo.Log("%s", "main")
	require.NoError(t, err)
	assert.Equal(t, []string{"by a person", "start"}, log[1:])
	text, err := w.repo.Show("main", "vendir.yml")
	require.NoError(t, err)
	assert.Contains(t, text, "# a person was here\n")
	assert.Contains(t, text, "ref: "+done.New)
	require.NoError(t, w.repo.Fsck())
}

// What was a file in the older commit may be a folder in the newer one, and the
// other way round.
func TestFilesAndFoldersThatChangePlaces(t *testing.T) {
	files := map[string]string{"vendir.yml": many(1), "c0/chart/values.yaml/x": "1\n", "c0/chart/values.yaml/y/z": "2\n", "c0/chart/templates": "a file\n"}
	w := newWorld(t, files)
	_, err := w.push("c0")
	require.NoError(t, err)
	text, err := w.repo.Show("main", "c0/chart/values.yaml")
	require.NoError(t, err)
	assert.NotEmpty(t, text)
	listed, err := w.repo.Files("main")
	require.NoError(t, err)
	inCommit := map[string]bool{}
	for _, line := range listed {
		if _, name, _ := strings.Cut(line, " "); strings.HasPrefix(name, "c0/") {
			inCommit[name] = true
		}
	}

	dir := t.TempDir()
	write(t, dir, files)
	_, err = bump(t, dir, w.clone, "", Target{Config: "vendir.yml", Directory: "c0"})
	require.NoError(t, err)
	onDisk := map[string]bool{}
	for name := range snapshot(t, dir) {
		if strings.HasPrefix(name, "c0/") {
			onDisk[name] = true
		}
	}
	assert.Equal(t, onDisk, inCommit)
}

func TestManyAtOnceAreAllThere(t *testing.T) {
	const n = 6
	w := newWorld(t, map[string]string{"vendir.yml": many(n)})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			done, err := w.push(fmt.Sprintf("c%d", i))
			if assert.NoError(t, err) {
				assert.NotEmpty(t, done.Edits)
			}
		})
	}
	group.Wait()
	count, err := w.repo.Git("rev-list", "--count", "main")
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintln(n+1), count)
	for i := range n {
		_, err := w.repo.Show("main", fmt.Sprintf("c%d/chart/values.yaml", i))
		require.NoError(t, err)
	}
	text, err := w.repo.Show("main", "vendir.yml")
	require.NoError(t, err)
	assert.NotContains(t, text, "ref: old")
}

func TestBumpFetchesNoMoreThanItNeeds(t *testing.T) {
	files := map[string]string{"vendir.yml": many(1)}
	for i := range 300 {
		files[fmt.Sprintf("modules/m%d/main.tf", i)] = fmt.Sprintf("%d %0512d\n", i, i*i)
	}
	w := newWorld(t, files)
	w.server.Reset()
	_, err := w.push("c0")
	require.NoError(t, err)
	var got int64
	for _, r := range w.server.Requests() {
		got += r.Out
	}
	assert.Less(t, got, int64(64<<10), "trees and vendir.yml, and no module")
	assert.LessOrEqual(t, len(w.server.Requests()), 8)
}
