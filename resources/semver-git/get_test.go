package semvergit_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The files depend on the version and the params alone: a rollback is a pin.
func TestGetIsPure(t *testing.T) {
	w := newWorld(t)
	v := keys{"number": "1.2.3-rc.4+x.1", "commit": w.is("1.2.3-rc.4+x.1\n")}
	files := w.get(v, nil)
	assert.Equal(t, map[string]string{
		"version": "1.2.3-rc.4+x.1", "number": "1.2.3-rc.4+x.1", "tag": "1.2.3-rc.4+x.1",
		"major": "1", "minor": "2", "patch": "3", "prerelease": "rc.4",
		"version.json": `{
  "build": "x.1",
  "code": "",
  "major": 1,
  "minor": 2,
  "number": "1.2.3-rc.4+x.1",
  "patch": 3,
  "prerelease": "rc.4",
  "tag": "1.2.3-rc.4+x.1"
}
`,
	}, files)
	w.is("2.0.0\n")
	assert.Equal(t, files, w.get(v, nil))
	require.NoError(t, w.repo.UpdateRef("refs/heads/version", ""))
	_, err := w.repo.Commit("version", "again", map[string]string{"version": "9.0.0\n"})
	require.NoError(t, err)
	assert.Equal(t, files, w.get(v, nil), "the commit is still there")
	assert.Equal(t, "v1.2.3-rc.4+x.1", w.with(keys{"tag_prefix": "v"}).get(v, nil)["tag"])
}

// A version of the older type has no commit, and is taken at its word.
func TestGetOfANumber(t *testing.T) {
	w := newWorld(t)
	assert.Equal(t, "1.2.3", w.get(keys{"number": "1.2.3"}, nil)["version"])
	assert.Empty(t, w.server.Requests())
}

func TestGetBumpsLocally(t *testing.T) {
	w := newWorld(t)
	v := keys{"number": "1.2.3-rc.1", "commit": w.is("1.2.3-rc.1\n")}
	refs := w.refs()
	for want, params := range map[string]keys{
		"1.2.3":         {"bump": "final"},
		"2.0.0-rc.1":    {"bump": "major", "pre": "rc"},
		"1.2.3-rc.2":    {"pre": "rc"},
		"1.2.3-alpha.1": {"pre": "alpha"},
		"1.3.0-SNAP":    {"bump": "minor", "pre": "SNAP", "pre_without_version": true},
		"1.2.4+b.1":     {"bump": "patch", "build": "b"},
		"1.2.3+b":       {"bump": "final", "build": "b", "build_without_version": true},
	} {
		files := w.get(v, params)
		assert.Equal(t, want, files["version"])
		assert.Equal(t, want, files["number"])
	}
	assert.Equal(t, refs, w.refs())
	s := w.run("in", keys{"source": w.source, "version": v, "params": keys{"bump": "conventional"}}, t.TempDir())
	assert.Contains(t, s.stderr, "is not one of major, minor, patch, final")
}

// A version that the remote does not have is an error, and so is one that its
// commit does not have.
func TestGetOfWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	h := w.is("1.2.3\n")
	for want, v := range map[string]keys{
		"version 1.2.3: ":                   {"number": "1.2.3", "commit": nowhere},
		"has 1.2.3":                         {"number": "1.2.4", "commit": h},
		`"main" is not a full commit hash`:  {"number": "1.2.3", "commit": "main"},
		"\"1.2\" is not a semantic version": {"number": "1.2", "commit": h},
	} {
		dir := t.TempDir()
		s := w.run("in", keys{"source": w.source, "version": v}, dir)
		assert.Equal(t, 1, s.status)
		assert.Contains(t, s.stderr, want)
		assert.Empty(t, read(t, dir))
	}
}

// A get right after a put costs a few kilobytes, whatever the history.
func TestGetAfterAPutIsCheap(t *testing.T) {
	w := newWorld(t)
	manyVersions(t, w, 2000)
	v := w.put(keys{"bump": "major"}).version
	w.server.Reset()
	w.get(v, nil)
	requests, _, bytes := cost(w.server)
	t.Logf("%d requests, %d bytes", requests, bytes)
	assert.LessOrEqual(t, requests, 2)
	assert.Less(t, bytes, int64(40_000))
}
