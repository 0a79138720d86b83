package deployments_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/gates"
)

// deploy gets and records what an environment has pending, whatever its gate says.
func (w *world) deploy(environment string) (record string) {
	w.t.Helper()
	src := w.source(environment)
	versions := w.check(src, nil)
	require.NotEmpty(w.t, versions, environment)
	require.NoError(w.t, w.put(src, w.get(src, versions[len(versions)-1])))
	head, err := w.repo.RevParse("main")
	require.NoError(w.t, err)
	return head
}

// openingOfSt is what stands between the environment st and what is before it.
func (w *world) openingOfSt() (*deployments.Connection, *deployments.View, *deployments.Opening) {
	w.t.Helper()
	src := w.source("st")
	src.GatesFile, src.GatesBranch = "gates.yml", "gates"
	conn := w.connect(src)
	refs, err := conn.Remote.Refs(w.t.Context(), src.RefNames()...)
	require.NoError(w.t, err)
	view, err := conn.View(w.t.Context(), refs)
	require.NoError(w.t, err)
	opening, err := conn.Opening(w.t.Context(), view, "st")
	require.NoError(w.t, err)
	return conn, view, opening
}

func (w *world) gates(text string) {
	w.t.Helper()
	_, err := w.repo.Commit("gates", "gates", map[string]string{"gates.yml": text})
	require.NoError(w.t, err)
}

// A gate is opened to the commit that recorded the deployment of the environment before, and not to the
// commit that was deployed, at which nothing of it can be seen yet.
func TestOpeningIsTheRecord(t *testing.T) {
	w := newWorld(t)
	w.gates("st: HEAD\n")
	_, _, o := w.openingOfSt()
	assert.Equal(t, "tf has not been deployed yet", o.Wait)
	assert.False(t, needed(o))

	record := w.deploy("tf")
	_, _, o = w.openingOfSt()
	assert.True(t, o.Covered, "HEAD is open to everything")
	require.NotNil(t, o.Commit)
	assert.Equal(t, record, o.Commit.Hash.String())

	w.gates("qa: HEAD\n")
	conn, view, o := w.openingOfSt()
	assert.True(t, needed(o))
	assert.Nil(t, o.Gate)

	// what is opened so is what the environment gets
	edited, err := gates.SetCommit("gates.yml", []byte("qa: HEAD\n"), "st", o.Commit.Hash.String())
	require.NoError(t, err)
	parsed, err := cepler.ParseGates("gates.yml", edited)
	require.NoError(t, err)
	plan, err := conn.Plan(t.Context(), view.WithGates(parsed), "st", w.now)
	require.NoError(t, err)
	assert.True(t, plan.Offered())
	assert.Equal(t, record, plan.Trigger.Hash.String())
}

// Of several states of the environment before, the last one counts; a record that brings nothing for the
// environment does not count; its own newest files do.
func TestOpeningIsTheLastThatMatters(t *testing.T) {
	w := newWorld(t)
	first := w.deploy("tf")
	w.gates("st: " + first + "\n")
	w.deploy("st")
	_, _, o := w.openingOfSt()
	assert.Nil(t, o.Commit, "it has everything")

	w.commit("two", map[string]string{"a.yml": "2\n"})
	w.deploy("tf")
	w.commit("three", map[string]string{"a.yml": "3\n"})
	last := w.deploy("tf")
	w.commit("unrelated", map[string]string{"README.md": "x\n"})
	_, _, o = w.openingOfSt()
	require.True(t, needed(o))
	assert.Equal(t, last, o.Commit.Hash.String())
	assert.Len(t, o.Changes, 1)
	assert.Equal(t, last, o.Snapshot().Head)

	own := w.commit("settings", map[string]string{"s.yml": "2\n"})
	_, _, o = w.openingOfSt()
	assert.Equal(t, own, o.Commit.Hash.String())
	assert.Len(t, o.Changes, 2)
}

// A gate that points nowhere can be moved.
func TestOpeningOfABrokenGate(t *testing.T) {
	for _, gate := range []string{"nowhere", strings.Repeat("12", 20)} {
		w := newWorld(t)
		w.gates("st: " + gate + "\n")
		w.deploy("tf")
		_, _, o := w.openingOfSt()
		assert.True(t, needed(o))
		assert.Nil(t, o.Gate)
	}
}

// Closing a gate leaves an environment with what it has, even if the one before it goes on.
func TestClosing(t *testing.T) {
	w := newWorld(t)
	w.gates("st: HEAD\n")
	w.deploy("tf")
	conn, view, _ := w.openingOfSt()
	_, err := conn.Closing(t.Context(), view, "st")
	require.ErrorIs(t, err, deployments.ErrNotClosable)

	version := w.check(w.source("st"), nil)
	dir := w.get(w.source("st"), version[0])
	w.commit("two", map[string]string{"a.yml": "2\n"})
	w.deploy("tf") // while st is being deployed
	require.NoError(t, w.put(w.source("st"), dir))

	conn, view, _ = w.openingOfSt()
	at, err := conn.Closing(t.Context(), view, "st")
	require.NoError(t, err)
	parsed, err := cepler.ParseGates("gates.yml", []byte("st: "+at.Hash.String()+"\n"))
	require.NoError(t, err)
	plan, err := conn.Plan(t.Context(), view.WithGates(parsed), "st", w.now)
	require.NoError(t, err)
	assert.False(t, plan.Pending())
	plan, err = conn.Plan(t.Context(), view, "st", w.now)
	require.NoError(t, err)
	assert.True(t, plan.Pending(), "with its gate open it would go on")
}

// needed reports whether the gate must be opened.
func needed(o *deployments.Opening) bool { return o.Commit != nil && !o.Covered }
