package cepler_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/cepler"
)

// snapshot is made of a head and files like "{latest}/a=1"; "~" is not a hash, and
// a "!" behind it makes the file dirty.
func snapshot(head string, files ...string) cepler.Snapshot {
	s := cepler.Snapshot{Head: head, Files: map[string]cepler.File{}}
	for _, f := range files {
		key, hash, _ := strings.Cut(f, "=")
		file := cepler.File{From: "from " + key, Message: "feat: " + key}
		hash, file.Dirty = strings.CutSuffix(hash, "!")
		if hash != "~" {
			file.Hash = hash
		}
		s.AnyDirty = s.AnyDirty || file.Dirty
		s.Files[key] = file
	}
	return s
}

// after is the snapshot with the upstream's head that it was made from.
func after(head string, s cepler.Snapshot) cepler.Snapshot {
	s.PropagatedHead = head
	return s
}

// staging takes everything from qa, and s.yml from its commit too.
func staging(t *testing.T) cepler.Environment {
	t.Helper()
	c, err := cepler.ParseConfig("cepler.yml", []byte("environments:\n  qa: {latest: ['**']}\n  st: {passed: qa, propagated: ['*', 'k/*'], latest: [s.yml]}\n"))
	require.NoError(t, err)
	return c.Environments["st"]
}

func TestTarget(t *testing.T) {
	t.Parallel()
	a := func(n int) cepler.Snapshot {
		return snapshot(fmt.Sprintf("h%d", n), fmt.Sprintf("{latest}/a=%d", n), "{latest}/s.yml=1", "{latest}/other/x=9")
	}
	queue := &cepler.State{Version: 4, Current: a(4), Queue: []cepler.Snapshot{a(3), a(2), a(1)}}
	own := func(propagated string, files ...string) *cepler.State {
		return &cepler.State{Version: 1, Current: after(propagated, snapshot("own", files...)), PropagatedFrom: "qa"}
	}
	latest := map[string]string{"s.yml": "1"}
	for name, c := range map[string]struct {
		own      *cepler.State
		upstream *cepler.State
		ignore   bool
		want     string
	}{
		"no record yet":               {nil, queue, false, "h4"},
		"nothing was propagated yet":  {own("", "{latest}/s.yml=1"), queue, false, "h4"},
		"one behind":                  {own("h3", "{qa}/a=3"), queue, false, "h4"},
		"three behind":                {own("h1", "{qa}/a=1"), queue, false, "h2"},
		"two behind":                  {own("h2", "{qa}/a=2"), queue, false, "h3"},
		"up to date":                  {own("h4", "{qa}/a=4"), queue, false, "h4"},
		"not in the queue any more":   {own("gone", "{qa}/a=0"), queue, false, "h1"},
		"queue is ignored":            {own("h1", "{qa}/a=1"), queue, true, "h4"},
		"no queue":                    {own("h1", "{qa}/a=1"), &cepler.State{Current: a(4)}, false, "h4"},
		"whatever the prefix":         {own("h1", "{old}/a=2"), queue, false, "h3"},
		"files that are not taken":    {own("h1", "{qa}/a=1"), &cepler.State{Current: a(4), Queue: []cepler.Snapshot{snapshot("h2", "{latest}/a=1", "{latest}/other/x=5"), a(1)}}, false, "h4"},
		"files that vanished":         {own("h1", "{qa}/a=1", "{qa}/k/b=1"), &cepler.State{Current: a(4), Queue: []cepler.Snapshot{snapshot("h2", "{latest}/a=1"), a(1)}}, false, "h4"},
		"a file that was not on disk": {own("h1", "{qa}/a=1"), &cepler.State{Current: a(4), Queue: []cepler.Snapshot{snapshot("h2", "{latest}/a=~!"), a(1)}}, false, "h2"},
		"absent, and not on disk":     {own("h1"), &cepler.State{Current: a(4), Queue: []cepler.Snapshot{snapshot("h2", "{latest}/a=~!"), a(1)}}, false, "h4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, staging(t).Target(c.own, c.upstream, latest, c.ignore).Head)
		})
	}
	e := staging(t)
	e.IgnoreQueue = true
	assert.Equal(t, "h4", e.Target(own("h1", "{qa}/a=1"), queue, latest, false).Head)
}

// With s.yml in both propagated and latest, changed and reverted upstream, cepler
// waits forever behind a state that brings nothing.
func TestTargetSkipsStatesThatBringNoDifference(t *testing.T) {
	t.Parallel()
	e := staging(t)
	latest := map[string]string{"s.yml": "1"}
	own := &cepler.State{Current: after("h1", snapshot("own", "{qa}/a=1", "{latest}/s.yml=1")), PropagatedFrom: "qa"}
	upstream := &cepler.State{Current: snapshot("h4", "{latest}/a=2", "{latest}/s.yml=1"), Queue: []cepler.Snapshot{
		snapshot("h3", "{latest}/a=1", "{latest}/s.yml=1"), snapshot("h2", "{latest}/a=1", "{latest}/s.yml=4"), snapshot("h1", "{latest}/a=1", "{latest}/s.yml=1"),
	}}
	target := e.Target(own, upstream, latest, false)
	assert.Equal(t, "h4", target.Head)
	changes := cepler.Diff(&own.Current, cepler.Compose(e, latest, target))
	require.Len(t, changes, 1)
	assert.Equal(t, "a", changes[0].Path)
}

func TestCompose(t *testing.T) {
	t.Parallel()
	e := staging(t)
	target := snapshot("up", "{latest}/a=1!", "{dev}/k/b=2", "{latest}/gone=~!", "{latest}/s.yml=3", "{latest}/deep/er/c=4")
	got := cepler.Compose(e, map[string]string{"s.yml": "9"}, &target)
	assert.Equal(t, cepler.Snapshot{PropagatedHead: "up", Files: map[string]cepler.File{
		"{qa}/a":         {Hash: "1", From: "from {latest}/a", Message: "feat: {latest}/a"},
		"{qa}/k/b":       {Hash: "2", From: "from {dev}/k/b", Message: "feat: {dev}/k/b"},
		"{latest}/s.yml": {Hash: "9"},
	}}, got)
	assert.Equal(t, cepler.Snapshot{Files: map[string]cepler.File{"{latest}/s.yml": {Hash: "9"}}}, cepler.Compose(e, map[string]string{"s.yml": "9"}, nil))
}

func TestDiff(t *testing.T) {
	t.Parallel()
	before := snapshot("1", "{latest}/same=1", "{latest}/changed=1", "{latest}/dirty=1!", "{latest}/null=~", "{latest}/z-gone=1", "{latest}/a-gone=1", "{qa}/moved=1")
	now := snapshot("2", "{latest}/same=1", "{latest}/changed=2", "{latest}/dirty=1", "{latest}/null=~", "{latest}/new=1", "{st}/moved=1")
	var got []string
	for _, c := range cepler.Diff(&before, now) {
		got = append(got, fmt.Sprint(c.Kind, " ", c.Key, " ", c.Path, " ", c.Before != nil, " ", c.After != nil))
	}
	assert.Equal(t, []string{
		"changed {latest}/changed changed true true",
		"changed {latest}/dirty dirty true true",
		"added {latest}/new new false true",
		"added {st}/moved moved false true",
		"removed {latest}/a-gone a-gone true false",
		"removed {latest}/z-gone z-gone true false",
		"removed {qa}/moved moved true false",
	}, got)
	assert.Len(t, cepler.Diff(nil, now), 6)
	assert.Empty(t, cepler.Diff(&now, now))
	assert.Empty(t, cepler.Diff(nil, cepler.Snapshot{}))
}

func TestRecord(t *testing.T) {
	t.Parallel()
	qa := cepler.Environment{Name: "qa", Passed: "dev"}
	first := (*cepler.State)(nil).Record(qa, snapshot("h1"), nil)
	assert.Equal(t, &cepler.State{Version: 1, Current: snapshot("h1"), PropagatedFrom: "dev"}, first)

	downstream := func(from, head string) *cepler.State {
		return &cepler.State{PropagatedFrom: from, Current: after(head, snapshot("x"))}
	}
	s := &cepler.State{Version: 7, Current: snapshot("h4"), Queue: []cepler.Snapshot{snapshot("h3"), snapshot("h2"), snapshot("h1")}}
	kept := *s
	for name, c := range map[string]struct {
		others map[string]*cepler.State
		want   []string
	}{
		"nobody after it":          {nil, nil},
		"others that take nothing": {map[string]*cepler.State{"x": downstream("dev", "h1"), "y": nil}, nil},
		"up to date":               {map[string]*cepler.State{"st": downstream("qa", "h5")}, nil},
		"took the last one":        {map[string]*cepler.State{"st": downstream("qa", "h4")}, nil},
		"lags by one":              {map[string]*cepler.State{"st": downstream("qa", "h3")}, []string{"h4"}},
		"the slowest decides":      {map[string]*cepler.State{"st": downstream("qa", "h3"), "pr": downstream("qa", "h1")}, []string{"h4", "h3", "h2"}},
		"lost its place":           {map[string]*cepler.State{"st": downstream("qa", "h0")}, []string{"h4", "h3", "h2", "h1"}},
		"has no place":             {map[string]*cepler.State{"st": downstream("qa", "")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.Record(qa, snapshot("h5"), c.others)
			assert.Equal(t, uint64(8), got.Version)
			assert.Equal(t, "h5", got.Current.Head)
			var heads []string
			for _, q := range got.Queue {
				heads = append(heads, q.Head)
			}
			assert.Equal(t, c.want, heads)
			assert.Equal(t, kept, *s, "the state before is left alone")
		})
	}
}

// An environment that takes step by step gets every state that its upstream had,
// in order, however the two interleave; and the queue holds no more than it
// needs.
func TestEveryStateIsTakenInOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		qa, st := cepler.Environment{Name: "qa"}, staging(t)
		var up, down *cepler.State
		var recorded, taken []string
		others := func() map[string]*cepler.State {
			if down == nil {
				return nil
			}
			return map[string]*cepler.State{"st": down}
		}
		take := func() bool {
			target := st.Target(down, up, nil, false)
			next := cepler.Compose(st, nil, target)
			if down != nil && len(cepler.Diff(&down.Current, next)) == 0 {
				return false
			}
			next.Head = "st after " + target.Head
			down = down.Record(st, next, map[string]*cepler.State{"qa": up})
			taken = append(taken, target.Head)
			return true
		}
		for n := range 40 {
			if up == nil || rng.IntN(3) > 0 {
				head := fmt.Sprintf("h%d", n)
				up = up.Record(qa, snapshot(head, fmt.Sprintf("{latest}/a=%d", n)), others())
				if down == nil {
					recorded = nil // the first one taken is the newest
				}
				recorded = append(recorded, head)
				continue
			}
			take()
		}
		for take() {
		}
		require.Equal(t, recorded, taken, "seed %d", seed)
		up = up.Record(qa, snapshot("last", "{latest}/a=last"), others())
		require.Empty(t, up.Queue, "seed %d", seed)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"":                     "",
		"init":                 "init",
		"init\n":               "init",
		"a \n b":               "a b",
		"multi\nsecond\n":      "multi second",
		"\n\n  lead":           "  lead",
		"a  b\tc":              "a  b\tc",
		"a\n\nbody":            "a",
		"a\n \t\nbody":         "a",
		"a\r\nb\r\n\r\nbody":   "a b",
		"a \t ":                "a",
		"a\n":                  "a",
		" \n x":                " x",
		"\n":                   "",
		"   ":                  "",
		"a\x00b":               "a",
		"caf\xe9":              "caf\uFFFD",
		"a\u0085b\u00a0c":      "a\u0085b\u00a0c",
		"a\vb\fc":              "a\vb\fc",
		"feat: x\n  y\n\nlong": "feat: x y",
	} {
		assert.Equal(t, want, cepler.Summary(message), "%q", message)
	}
}
