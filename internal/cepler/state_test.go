package cepler_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/cepler"
)

// everything is the state that section 2 of the facts about cepler shows.
func everything() *cepler.State {
	return &cepler.State{
		Version: 6,
		Current: cepler.Snapshot{
			Head:           "874787330f863f2c535f6b3411725d5750f94b19",
			PropagatedHead: "84c882c610f622daef96a528a67aa58eb74e4fa2",
			AnyDirty:       true,
			Files: map[string]cepler.File{
				"{latest}/gcp/qa/f.tf":   {Hash: "7c715f36dd7ab05f0d5c2602ad003f73d5791afa", Dirty: true, From: "874787330f863f2c535f6b3411725d5750f94b19", Message: "feat: x"},
				"{staging}/modules/a.tf": {Dirty: true, From: "4ed81f58f00dadb154811d584028fc101fa9ca39", Message: "init"},
			},
		},
		PropagatedFrom: "staging",
		Queue: []cepler.Snapshot{{
			Head:  "038f49c3ac2eed2633bc961ca12e006c72277117",
			Files: map[string]cepler.File{"{latest}/a.yml": {Hash: "0cfbf08886fca9a91cb753ec8734c84fcbe52c9f", From: "038f49c3ac2eed2633bc961ca12e006c72277117", Message: ""}},
		}},
	}
}

const everythingText = `---
version: 6
current:
  head_commit: 874787330f863f2c535f6b3411725d5750f94b19
  propagated_head: 84c882c610f622daef96a528a67aa58eb74e4fa2
  any_dirty: true
  files:
    "{latest}/gcp/qa/f.tf":
      file_hash: 7c715f36dd7ab05f0d5c2602ad003f73d5791afa
      dirty: true
      from_commit: 874787330f863f2c535f6b3411725d5750f94b19
      message: "feat: x"
    "{staging}/modules/a.tf":
      file_hash: ~
      dirty: true
      from_commit: 4ed81f58f00dadb154811d584028fc101fa9ca39
      message: init
propagated_from: staging
propagation_queue:
  - head_commit: 038f49c3ac2eed2633bc961ca12e006c72277117
    files:
      "{latest}/a.yml":
        file_hash: 0cfbf08886fca9a91cb753ec8734c84fcbe52c9f
        from_commit: 038f49c3ac2eed2633bc961ca12e006c72277117
        message: ""

`

func TestStateIsWrittenByteForByte(t *testing.T) {
	t.Parallel()
	assert.Equal(t, everythingText, string(everything().Marshal()))
	empty := &cepler.State{Version: 1, Current: cepler.Snapshot{Head: "x"}}
	assert.Equal(t, "---\nversion: 1\ncurrent:\n  head_commit: x\n  files: {}\n\n", string(empty.Marshal()))
}

func TestStateIsReadBack(t *testing.T) {
	t.Parallel()
	got, err := cepler.ParseState("tf.state", []byte(everythingText))
	require.NoError(t, err)
	assert.Equal(t, everything(), got)
}

// The number after the largest one would be 0.
func TestAVersionWithoutANextOneIsRefused(t *testing.T) {
	t.Parallel()
	const most, tooMuch = "version: 18446744073709551614\n", "version: 18446744073709551615\n"
	_, rest, _ := strings.Cut(everythingText, "\n")
	require.True(t, strings.HasPrefix(everythingText, "---\n") || strings.HasPrefix(everythingText, "version: "), everythingText[:20])
	head := ""
	if strings.HasPrefix(everythingText, "---\n") {
		head = "---\n"
		_, rest, _ = strings.Cut(rest, "\n")
	}
	got, err := cepler.ParseState("tf.state", []byte(head+most+rest))
	require.NoError(t, err)
	assert.Equal(t, uint64(18446744073709551614), got.Version)
	for _, text := range []string{head + tooMuch + rest, "# edited\n" + tooMuch + rest} {
		_, err = cepler.ParseState("tf.state", []byte(text))
		require.ErrorContains(t, err, "version: 18446744073709551615")
	}
}

// message is the state text of a commit message.
func message(t *testing.T, text string) string {
	t.Helper()
	s := &cepler.State{Current: cepler.Snapshot{Files: map[string]cepler.File{"{latest}/a": {Message: text}}}}
	_, after, found := strings.Cut(string(s.Marshal()), "      message: ")
	require.True(t, found)
	return strings.TrimSuffix(after, "\n\n")
}

func TestTextsAreQuotedLikeYamlRustDoes(t *testing.T) {
	t.Parallel()
	plain := []string{
		"a", "a b", "a  b", "init", "y", "n", "Y", "N", "2020-01-01", "1_000", "0b11", "0o7", "a-b", "a&b", "a%b", "é", "日本",
		"it is 5", "x\x07", "x\x08", "x\x0b", "x\x0c", "x\x1b", "x\x7f", "\u0085x", "x\u2028y", "\ufeffx", "+", "e5", "1e", "1e+", "infx",
		"1.5.0", "(a)", "$x", "^x", "_", "nAn0", "+-1", "1 2", "/x", ";", "0X1f", "1__", "tRue", "nulL", "oN", "\xc3\xa9",
	}
	for _, text := range plain {
		assert.Equal(t, text, message(t, text))
	}
	quoted := map[string]string{
		"": `""`, " a": `" a"`, "a ": `"a "`, "a: b": `"a: b"`, "a:b": `"a:b"`, "#1": `"#1"`, "a #1": `"a #1"`, `say "x"`: `"say \"x\""`,
		"it's": `"it's"`, `a\b`: `"a\\b"`, "a\tb": `"a\tb"`, "a\nb": `"a\nb"`, "a\rb": `"a\rb"`, "\x00": `"\u0000"`, "\x1f": `"\u001f"`, "\x0e": `"\u000e"`,
		"x\x07:": `"x\u0007:"`, "x\x08:": `"x\b:"`, "x\x0c:": `"x\f:"`, "x\x0b:": `"x\u000b:"`, "x\x1b:": `"x\u001b:"`, "x\x7f:": `"x\u007f:"`,
		"- a": `"- a"`, "-": `"-"`, "? a": `"? a"`, "*a": `"*a"`, "&a": `"&a"`, "!a": `"!a"`, "|": `"|"`, ">": `">"`, "<a": `"<a"`, "=": `"="`, "%": `"%"`, "@a": `"@a"`,
		"`a`": "\"`a`\"", "[a]": `"[a]"`, "a, b": `"a, b"`, ".": `"."`, ".a": `".a"`, "0x": `"0x"`, "0xyz": `"0xyz"`,
		"yes": `"yes"`, "NO": `"NO"`, "True": `"True"`, "off": `"off"`, "On": `"On"`, "null": `"null"`, "NULL": `"NULL"`, "~": `"~"`,
		"123": `"123"`, "+1": `"+1"`, "-1": `"-1"`, "1.5": `"1.5"`, "1.": `"1."`, "1e3": `"1e3"`, "1e999": `"1e999"`, "inf": `"inf"`, "-inf": `"-inf"`, "nan": `"nan"`,
		"NaN": `"NaN"`, "infinity": `"infinity"`, "INF": `"INF"`, "+infinity": `"+infinity"`, "+.5": `"+.5"`, "1.e5": `"1.e5"`, "1E-5": `"1E-5"`,
		"00012345678901234567890123456789012345e7": `"00012345678901234567890123456789012345e7"`,
		"1234567890123456789012345678901234567890": `"1234567890123456789012345678901234567890"`,
		"99999999999999999999":                     `"99999999999999999999"`,
		"a\u0085: b":                               "\"a\u0085: b\"",
	}
	for text, want := range quoted {
		assert.Equal(t, want, message(t, text), "%q", text)
	}
}

func TestHandEditedStateIsRead(t *testing.T) {
	t.Parallel()
	got, err := cepler.ParseState("tf.state", []byte(`# moved by hand
propagation_queue: []
current:
  files:
    '{latest}/a.yml': &a {message: it's fine, file_hash: 1e3, from_commit: 0123, since: yesterday}
    "{latest}/b\x2eyml": *a
    "{latest}/c.yml":
      message: >-
        two
        lines
      from_commit: yes
      dirty: false
  head_commit: 2020-01-01
  propagated_head: ~
  any_dirty: false
propagated_from:
later: {added: [by, a, newer, program]}
`))
	require.NoError(t, err)
	a := cepler.File{Hash: "1e3", From: "0123", Message: "it's fine"}
	assert.Equal(t, &cepler.State{Current: cepler.Snapshot{Head: "2020-01-01", Files: map[string]cepler.File{
		"{latest}/a.yml": a, "{latest}/b.yml": a, "{latest}/c.yml": {From: "yes", Message: "two lines"},
	}}}, got)
}

// What a person changed in a file with raw control characters, which YAML
// parsers refuse, does not make it unreadable.
func TestHandEditedStateWithRawControlCharactersIsRead(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{"\x01", "\x07", "\x08", "\x0b", "\x0c", "\x1b", "\x7f", "\u0080", "\u0085", "\u009f", "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff", "\uf8ff", "\ue000", "\uf8ff\ue007"} {
		text := "version: 2\ncurrent:\n  head_commit: h\n  files:\n    \"{latest}/a" + odd + "\": {from_commit: f, message: x" + odd + "y }\n"
		got, err := cepler.ParseState("tf.state", []byte(text))
		require.NoError(t, err, "%q", odd)
		assert.Equal(t, map[string]cepler.File{"{latest}/a" + odd: {From: "f", Message: "x" + odd + "y"}}, got.Current.Files)
	}
}

func TestDamagedStateIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	const path = ".cepler/default/tf.state"
	cases := map[string]struct{ text, want string }{
		"empty":                {"", path + ": the file is empty"},
		"only blanks":          {"\n\n", path + ": the file is empty"},
		"conflict":             {"---\nversion: 1\n<<<<<<< HEAD\ncurrent:\n=======\n", path + ":3: not YAML"},
		"cut off":              {"---\nversion: 1\ncurrent:\n  head_commit: x\n  files:\n    \"{latest}/a", path + ":6: not YAML"},
		"a list":               {"- a\n", path + ":1: the state: want a mapping, got a list"},
		"no current":           {"version: 3\n", path + ":1: the state has no field current"},
		"null current":         {"version: 3\ncurrent:\n", path + ":2: current: want a mapping, got nothing"},
		"no head":              {"current:\n  files: {}\n", path + ":2: current has no field head_commit"},
		"newer version":        {"version: 2.0\ncurrent: {head_commit: x}\n", path + `:1: version: want a whole number, got "2.0"`},
		"newer files":          {"current:\n  head_commit: x\n  files: [a, b]\n", path + ":3: current.files: want a mapping, got a list"},
		"newer file":           {"current:\n  head_commit: x\n  files:\n    a: hash\n", path + `:4: current.files.a: want a mapping, got "hash"`},
		"no message":           {"current:\n  head_commit: x\n  files:\n    a: {from_commit: x}\n", path + ":4: current.files.a has no field message"},
		"newer head":           {"current:\n  head_commit: {sha256: x}\n", path + ":2: current.head_commit: want a text, got a mapping"},
		"null flag":            {"current:\n  head_commit: x\n  any_dirty:\n", path + ":3: current.any_dirty: want true or false, got nothing"},
		"newer queue":          {"current: {head_commit: x}\npropagation_queue: {a: b}\n", path + ":2: propagation_queue: want a list, got a mapping"},
		"bad queue":            {"current: {head_commit: x}\npropagation_queue:\n- {}\n", path + ":3: propagation_queue[0] has no field head_commit"},
		"twice":                {"current: {head_commit: x}\ncurrent: {head_commit: y}\n", path + ":2: the state has current twice"},
		"a misspelt key":       {"current: {head_commit: x}\npropagated_form: s\n", path + `:2: the state: unknown key "propagated_form"; did you mean "propagated_from"?`},
		"a misspelt file key":  {"current:\n  head_commit: x\n  files: {'{latest}/a': {from_comit: x, message: y}}\n", `did you mean "from_commit"?`},
		"two documents":        {"current: {head_commit: x}\n---\ncurrent: {head_commit: y}\n", path + ":2: a second document begins"},
		"not UTF-8":            {"current: {head_commit: \xff}\n", path + ":"},
		"unknown alias":        {"current: *x\n", "unknown anchor"},
		"an alias that loops":  {"current: &x {head_commit: x, files: *x}\n", path},
		"version too big":      {"version: 99999999999999999999\ncurrent: {head_commit: x}\n", path + ":1: version: want a whole number"},
		"a version in quotes":  {"version: \"3\"\ncurrent: {head_commit: x}\n", path + ":1: version: want a whole number"},
		"a key that is a list": {"? [a]\n: b\n", path + ":1: the state: want a plain key, got a list"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := cepler.ParseState(path, []byte(c.text))
			require.ErrorIs(t, err, cepler.ErrState)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for key, want := range map[string][2]string{
		"{latest}/a/b": {"latest", "a/b"}, "{qa}/{x}/y": {"qa", "{x}/y"}, "{}/a": {"", "a"}, "a": {"", "a"}, "{a": {"", "{a"}, "": {"", ""}, "{a}b/c": {"", "{a}b/c"},
	} {
		source, path := cepler.SplitKey(key)
		assert.Equal(t, want, [2]string{source, path}, key)
	}
	assert.Equal(t, "{latest}/a", cepler.LatestKey("a"))
	assert.Equal(t, "{qa}/a/b", cepler.PropagatedKey("qa", "a/b"))
}

// texts are what commit messages and paths may look like at their worst.
func texts() []string {
	return []string{
		"", " ", "a", "feat: x", "it's", `"`, `\`, `\"`, "~", "null", "yes", "inf", "1e3", "-1", "0x1", ".5", "#", "a #b", "- a", "|", "\x00", "\x07", "\x0b", "\x1b", "\x7f",
		"\u0085", "\u2028", "\ufeff", "\uffff", "\uf8ff", "\t", "a\tb", "\n", "a\nb", "\r\n", "ü", "日本", "a ", " a", "---", "...", "{latest}/a", "%", "a: ", "\u0080x",
	}
}

func randomText(rng *rand.Rand) string {
	all := texts()
	var text strings.Builder
	for more := true; more; more = rng.IntN(2) == 0 {
		text.WriteString(all[rng.IntN(len(all))])
	}
	return text.String()
}

func randomSnapshot(rng *rand.Rand) cepler.Snapshot {
	s := cepler.Snapshot{Head: randomText(rng), PropagatedHead: randomText(rng), AnyDirty: rng.IntN(2) == 0, Files: map[string]cepler.File{}}
	for range rng.IntN(4) {
		s.Files[cepler.PropagatedKey(randomText(rng), randomText(rng))] = cepler.File{
			Hash: randomText(rng), Dirty: rng.IntN(2) == 0, From: randomText(rng), Message: randomText(rng),
		}
	}
	return s
}

func TestRandomStatesRoundTrip(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := &cepler.State{Version: rng.Uint64(), Current: randomSnapshot(rng), PropagatedFrom: randomText(rng)}
		for range rng.IntN(3) {
			s.Queue = append(s.Queue, randomSnapshot(rng))
		}
		got, err := cepler.ParseState("x", s.Marshal())
		require.NoError(t, err, "seed %d", seed)
		require.Equal(t, s, got, "seed %d", seed)

		// a comment in front sends it the slow way, to the same end
		got, err = cepler.ParseState("x", append([]byte("# edited\n"), s.Marshal()...))
		require.NoError(t, err, "seed %d, edited", seed)
		require.Equal(t, s, got, "seed %d, edited", seed)
	}
}

// longestKey is below what YAML allows a key that has no `?` before it: 1024
// characters. cepler's reader keeps to that too; only the fast reader does not.
const longestKey = 300

func FuzzStateRoundTrip(f *testing.F) {
	for _, text := range texts() {
		f.Add(text, "message")
		f.Add("path", text)
	}
	f.Add(strings.Repeat("R", 1100), "message")
	f.Fuzz(func(t *testing.T, path, text string) {
		if !utf8.ValidString(path) || !utf8.ValidString(text) {
			path, text = strings.ToValidUTF8(path, "\ufffd"), strings.ToValidUTF8(text, "\ufffd")
		}
		s := &cepler.State{Version: 1, Current: cepler.Snapshot{Head: text, PropagatedHead: text, Files: map[string]cepler.File{
			cepler.LatestKey(path): {Hash: text, From: text, Message: text},
		}}, PropagatedFrom: text}
		if len(path) <= longestKey { // no key of a record is plain: each has a brace, and is read by the fast reader
			s.Current.Files[path] = cepler.File{Message: text}
		}
		s.Queue = []cepler.Snapshot{s.Current}
		for _, prefix := range []string{"", "# edited\n"} {
			if prefix != "" && len(path) > longestKey {
				continue
			}
			got, err := cepler.ParseState("x", append([]byte(prefix), s.Marshal()...))
			require.NoError(t, err)
			require.Equal(t, s, got)
		}
	})
}

// FuzzParseState holds the fast reader against the YAML parser: whatever the
// first accepts, the second reads alike.
func FuzzParseState(f *testing.F) {
	f.Add([]byte(everythingText))
	f.Add([]byte("---\nversion: 1\ncurrent:\n  head_commit: ~\n  files: {}\n\n"))
	f.Add([]byte("---\nversion: 1\ncurrent:\n  head_commit: \"a\\u001f\\n\"\n  files: {}\npropagated_from: null\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := cepler.ParseState("x", data)
		if err != nil {
			require.ErrorIs(t, err, cepler.ErrState)
			return
		}
		again, err := cepler.ParseState("x", s.Marshal())
		require.NoError(t, err)
		require.Equal(t, s, again)
		slow, err := cepler.ParseState("x", append([]byte("# edited\n"), data...))
		if err == nil { // a directive can't follow a comment in every parser
			require.Equal(t, s, slow)
		}
	})
}

// bigState has a queue of 100 snapshots of 70 files: 1.5 MB.
func bigState() *cepler.State {
	snapshot := func(n int) cepler.Snapshot {
		s := cepler.Snapshot{Head: fmt.Sprintf("%040x", n), Files: map[string]cepler.File{}}
		for i := range 70 {
			s.Files[fmt.Sprintf("{latest}/modules/lana-bank/file-%03d.tf", i)] = cepler.File{
				Hash: fmt.Sprintf("%040x", n*i), From: fmt.Sprintf("%040x", n+i), Message: fmt.Sprintf("feat: change number %d of the module", n),
			}
		}
		return s
	}
	s := &cepler.State{Version: 101, Current: snapshot(101)}
	for i := range 100 {
		s.Queue = append(s.Queue, snapshot(100-i))
	}
	return s
}

func BenchmarkParseState(b *testing.B) {
	data := bigState().Marshal()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cepler.ParseState("x", data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseEditedState(b *testing.B) {
	data := append([]byte("# edited\n"), bigState().Marshal()...)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cepler.ParseState("x", data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	s := bigState()
	b.ReportAllocs()
	for b.Loop() {
		s.Marshal()
	}
}
