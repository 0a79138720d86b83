package git

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// bigStore is a repository of 10 000 files, packed as a server has it.
func bigStore(b *testing.B, commits int) (s *Store, tip *Commit) {
	b.Helper()
	r := bare(b)
	shape := gittest.DefaultBig()
	shape.Files, shape.Commits, shape.Merges = 10_000, commits, 0.2
	_, err := r.WriteBig(shape)
	require.NoError(b, err)
	_, err = r.Git("repack", "-a", "-d", "-q")
	require.NoError(b, err)
	s = openStore(b, r)
	c, err := s.Commit(b.Context(), resolve(b, r, "main"))
	require.NoError(b, err)
	return s, c
}

func BenchmarkCheckout(b *testing.B) {
	s, c := bigStore(b, 100)
	all := filesOf(b, s, c.Tree)
	for _, n := range []int{500, len(all)} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, s.Checkout(b.Context(), b.TempDir(), all[:n]))
			}
		})
	}
}

func BenchmarkWriteGitDir(b *testing.B) {
	s, c := bigStore(b, 100)
	files := filesOf(b, s, c.Tree)[:500]
	for b.Loop() {
		require.NoError(b, s.WriteGitDir(b.Context(), b.TempDir(), GitDir{Head: c.Hash, Branch: "main", URL: "https://git.invalid/a", Files: files}))
	}
}

func BenchmarkBuild(b *testing.B) {
	s, c := bigStore(b, 100)
	spec := change(c.Hash, map[string]Edit{".cepler/bank/staging.state": write("version: 1\n"), "gcp/env1/app1/f7.tf": write("x")})
	for b.Loop() {
		_, err := s.Build(b.Context(), spec)
		require.NoError(b, err)
	}
}

func BenchmarkLog(b *testing.B) {
	s, c := bigStore(b, 2000)
	for name, match := range map[string]func(string) bool{
		"file":   func(p string) bool { return p == "README.md" },
		"folder": func(p string) bool { return strings.HasPrefix(p, "modules/bank/") },
	} {
		descend := func(p string) bool {
			return name == "folder" && (p == "modules" || strings.HasPrefix(p+"/", "modules/bank/"))
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for _, err := range s.Log(b.Context(), Range{From: []Hash{c.Hash}, Paths: &Paths{Match: match, Descend: descend}}) {
					require.NoError(b, err)
				}
			}
		})
	}
}
