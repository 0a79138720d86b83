package provenance_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/provenance"
)

// inTheWild are comments as they stand in charts today, byte for byte.
func inTheWild() map[string]provenance.Metadata {
	return map[string]provenance.Metadata{
		"# METADATA:: repository=https://github.com/acme/bank;commit_ref=e348f09;app=bank;": {
			Repository: "https://github.com/acme/bank", CommitRef: "e348f09", App: "bank",
		},
		"# METADATA:: repository=https://github.com/acme/bank;commit_ref=e348f09;app=api;monorepo_subdir=core/api;": {
			Repository: "https://github.com/acme/bank", CommitRef: "e348f09", App: "api", MonorepoSubdir: "core/api",
		},
	}
}

func TestCommentsAreReadAndWrittenByteForByte(t *testing.T) {
	t.Parallel()
	for text, want := range inTheWild() {
		got, human, err := provenance.Parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got)
		assert.Empty(t, human)
		assert.Equal(t, text, got.String())
		assert.NoError(t, got.Validate())
	}
}

func TestTheOrderOfFieldsDoesNotMatter(t *testing.T) {
	t.Parallel()
	got, _, err := provenance.Parse("#METADATA::app=bank; monorepo_subdir=a/b;commit_ref=e348f09;repository=https://g.example/a/b?x=1;built_by=ci")
	require.NoError(t, err)
	assert.Equal(t, provenance.Metadata{
		Repository: "https://g.example/a/b?x=1", CommitRef: "e348f09", App: "bank", MonorepoSubdir: "a/b",
		Others: []provenance.Field{{Name: "built_by", Value: "ci"}},
	}, got)
}

func TestWhatAPersonWroteIsKept(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"# METADATA:: repository=r;commit_ref=c; # do not bump before = Friday": "# do not bump before = Friday",
		"# METADATA:: repository=r;commit_ref=c; see #12; a=b":                  "see #12; a=b",
		"# METADATA:: repository=r;commit_ref=c":                                "",
	} {
		m, human, err := provenance.Parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, human)
		again, human, err := provenance.Parse(m.With(human))
		require.NoError(t, err)
		assert.Equal(t, m, again)
		assert.Equal(t, want, human)
	}
	field := provenance.Metadata{Repository: "r", CommitRef: "c"}.With("a=b is what it was")
	assert.Equal(t, "# METADATA:: repository=r;commit_ref=c; # a=b is what it was", field)
	for _, text := range []string{"", "#", "# pinned by hand", "# see METADATA:: below", "# metadata:: repository=r;commit_ref=c;"} {
		_, human, err := provenance.Parse(text)
		require.ErrorIs(t, err, provenance.ErrNone, text)
		assert.Equal(t, strings.TrimSpace(strings.TrimLeft(text, "#")), human)
	}
}

func TestABrokenCommentIsNotGuessedAt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"# METADATA::":                                         "no repository",
		"# METADATA:: commit_ref=c;":                           "no repository",
		"# METADATA:: repository=r;":                           "no commit_ref",
		"# METADATA:: repository=;commit_ref=c;":               "no repository",
		"# METADATA:: repository=r;commit_ref=;app=a;":         "no commit_ref",
		"# METADATA:: repository=r;commit-ref=c;":              "no commit_ref",
		"# METADATA:: repository=r;commit_ref=c;commit_ref=d;": "commit_ref twice",
		"# METADATA:: repository=r; commit ref=c;":             "no commit_ref",
	} {
		_, _, err := provenance.Parse(text)
		require.ErrorIs(t, err, provenance.ErrBroken, text)
		assert.ErrorContains(t, err, want)
	}
}

func TestWhatCannotBeReadBackIsRefused(t *testing.T) {
	t.Parallel()
	good := provenance.Metadata{Repository: "r", CommitRef: "c"}
	require.NoError(t, good.Validate())
	for want, spoil := range map[string]func(*provenance.Metadata){
		"needs the address": func(m *provenance.Metadata) { m.Repository = "" },
		"source commit":     func(m *provenance.Metadata) { m.CommitRef = "" },
		"app":               func(m *provenance.Metadata) { m.App = "a b" },
		"semicolon":         func(m *provenance.Metadata) { m.MonorepoSubdir = "a;b" },
		"lower-case":        func(m *provenance.Metadata) { m.Others = []provenance.Field{{Name: "A b", Value: "x"}} },
		"twice":             func(m *provenance.Metadata) { m.Others = []provenance.Field{{Name: "repository", Value: "x"}} },
	} {
		m := good
		spoil(&m)
		assert.ErrorContains(t, m.Validate(), want)
	}
}

func FuzzParse(f *testing.F) {
	for text := range inTheWild() {
		f.Add(text)
	}
	f.Add("# METADATA:: repository=r;commit_ref=c; # mine")
	f.Add("# METADATA::a=b;repository=r;commit_ref=c;x=y")
	f.Fuzz(func(t *testing.T, text string) {
		m, human, err := provenance.Parse(text)
		if err != nil {
			if m.Repository != "" {
				t.Fatal("something was guessed")
			}
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("what was read from %q can't be written: %v", text, err)
		}
		again, kept, err := provenance.Parse(m.With(human))
		if err != nil {
			t.Fatalf("what was written can't be read: %q: %v", m.With(human), err)
		}
		if again.String() != m.String() || kept != human {
			t.Fatalf("read %q, wrote %q, read %q %q", text, m.With(human), again.String(), kept)
		}
	})
}
