package board_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/board"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// A hundred environments and 10,000 commits: the first page of a board, a look at a repository that did not move, a trace and an
// explanation, beside git log of the same repository.
func BenchmarkAHundredEnvironments(b *testing.B) {
	f := newFleet(b, 25, 10_000)
	ctx := b.Context()
	b.Run("git log --name-only", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.CommandContext(ctx, "git", "log", "--name-only", "main")
			cmd.Dir = f.repo.Dir
			_, err := cmd.Output()
			require.NoError(b, err)
		}
	})
	b.Run("first page", func(b *testing.B) {
		for b.Loop() {
			r, err := board.Open(at(f.repo.Dir), "")
			require.NoError(b, err)
			refs, err := r.Refs(ctx)
			require.NoError(b, err)
			shown, err := r.Board(ctx, refs, later())
			require.NoError(b, err)
			page, err := shown.Page()
			require.NoError(b, err)
			b.ReportMetric(float64(len(page)), "bytes/page")
			require.NoError(b, r.Close())
		}
	})
	b.Run("nothing moved", func(b *testing.B) {
		s := f.server(board.Options{})
		s.Look(ctx)
		for b.Loop() {
			s.Look(ctx)
		}
	})
	b.Run("trace", func(b *testing.B) {
		for b.Loop() {
			r := lineage.New(lineage.Options{Deployments: f.repo.Dir})
			_, err := r.Trace(ctx, lineage.Question{Now: later()})
			require.NoError(b, err)
			require.NoError(b, r.Close())
		}
	})
	b.Run("explain", func(b *testing.B) {
		for b.Loop() {
			clone, err := git.OpenClone(f.repo.Dir)
			require.NoError(b, err)
			src := deployments.Source{Access: git.Access{URI: f.repo.Dir, Branch: "main"}}
			_, err = deployments.ExplainLocal(ctx, src, clone, time.Now())
			require.NoError(b, err)
			require.NoError(b, clone.Close())
		}
	})
}
