package deployments_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// chain is a config of four environments, each after the one before.
const chain = `environments:
  tf:
    latest: [a.yml, "k/*", "m/**"]
  st:
    passed: tf
    propagated: [a.yml, "k/*", "m/**"]
    latest: [s.yml]
  qa:
    passed: st
    propagated: [a.yml, "m/**"]
    latest: [q.yml, "k/*"]
  pr:
    passed: qa
    propagated: ["m/**", a.yml]
    latest: [p.yml]
`

// world is a deployments repository and a time of its own.
type world struct {
	t    *testing.T
	repo *gittest.Repository
	uri  string
	now  time.Time
}

// newRepository makes a bare repository with the chain's config and a few
// files.
func newRepository(t *testing.T) *gittest.Repository {
	t.Helper()
	repo, err := gittest.Init(filepath.Join(t.TempDir(), "deployments.git"))
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip("needs the git program to make repositories")
	}
	require.NoError(t, err)
	return repo
}

func newWorld(t *testing.T) *world {
	t.Helper()
	repo := newRepository(t)
	w := &world{t: t, repo: repo, uri: repo.Dir, now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.commit("init", map[string]string{
		"cepler.yml": chain, "a.yml": "1\n", "k/x": "1\n", "k/y": "1\n", "m/one/main.tf": "1\n", "s.yml": "1\n", "q.yml": "1\n", "p.yml": "1\n", "README.md": "hello\n",
	})
	return w
}

// commit writes files (an empty content deletes) and returns the commit.
func (w *world) commit(message string, files map[string]string) string {
	w.t.Helper()
	h, err := w.repo.Commit("main", message, files)
	require.NoError(w.t, err)
	return h
}

func (w *world) source(environment string) deployments.Source {
	return deployments.Source{Access: git.Access{URI: w.uri, Branch: "main"}, Environment: environment}
}

func (w *world) connect(src deployments.Source) *deployments.Connection {
	w.t.Helper()
	require.NoError(w.t, src.Validate())
	conn, err := deployments.Connect(src, git.Open, w.t.Logf)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// plan is what the environment would deploy now.
func (w *world) plan(conn *deployments.Connection, src deployments.Source) *deployments.Plan {
	w.t.Helper()
	refs, err := conn.Remote.Refs(w.t.Context(), src.RefNames()...)
	require.NoError(w.t, err)
	view, err := conn.View(w.t.Context(), refs)
	require.NoError(w.t, err)
	plan, err := conn.Plan(w.t.Context(), view, src.Environment, w.now)
	require.NoError(w.t, err)
	return plan
}

// check is what a check answers.
func (w *world) check(src deployments.Source, given *deployments.Version) []deployments.Version {
	w.t.Helper()
	conn := w.connect(src)
	versions, err := conn.Offer(w.t.Context(), w.plan(conn, src), given)
	require.NoError(w.t, err)
	return versions
}

// get fills a new folder with a version.
func (w *world) get(src deployments.Source, v deployments.Version) string {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "get")
	_, err := w.connect(src).Get(w.t.Context(), v, dir, true)
	require.NoError(w.t, err)
	return dir
}

// put records a folder.
func (w *world) put(src deployments.Source, dir string) error {
	conn, err := deployments.Connect(src, git.Open, w.t.Logf)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	delivered, err := deployments.ReadDelivered(dir)
	if err != nil {
		return err
	}
	restored, err := conn.Restore(w.t.Context(), delivered.Version, src.Environment)
	if err != nil {
		return err
	}
	w.now = w.now.Add(time.Second)
	_, err = conn.Record(w.t.Context(), deployments.Recording{Restored: restored, Dir: dir, Now: w.now})
	return err
}

// fingerprint is a digest of everything in a folder: names, modes, contents,
// link targets.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %s\n", rel, info.Mode())
		switch {
		case info.Mode().Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			fmt.Fprintln(h, target)
			return err
		case info.Mode().IsRegular():
			f, err := os.Open(p)
			if err != nil {
				return err
			}
			defer func() { _ = f.Close() }()
			_, err = io.Copy(h, f)
			return err
		}
		return nil
	})
	require.NoError(t, err)
	return hex.EncodeToString(h.Sum(nil))
}
