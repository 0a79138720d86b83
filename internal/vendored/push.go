package vendored

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/markdown"
)

// Bump is a plan to carry out on a branch.
type Bump struct {
	Target Target
	Origin *Origin
	// By makes the commit.
	By git.Signature
	// Trailers are last in the commit's message, as "Build: https://…".
	Trailers []string
	// Logf gets what is worth telling; nil drops it.
	Logf func(format string, args ...any)
}

// Bumped is what a bump did.
type Bumped struct {
	*Plan
	// Commit is what the branch has now. Made is false when it had the copy
	// already.
	Commit *git.Commit
	Made   bool
}

// Push makes the commit on top of a branch, and works it out again each time when
// someone else was faster. It succeeds only if the remote really has it.
func (b Bump) Push(ctx context.Context, store *git.Store, branch string) (*Bumped, error) {
	done := &Bumped{}
	var err error
	done.Commit, err = store.Change(ctx, "refs/heads/"+branch, func(ctx context.Context, tip *git.Commit) (*git.Built, error) {
		if tip == nil {
			return nil, fmt.Errorf("branch %s: %w", branch, git.ErrNoBranch)
		}
		if done.Plan, err = Make(ctx, At(store, tip), b.Target, b.Origin); err != nil {
			return nil, err
		}
		if done.Made = len(done.Edits) > 0; !done.Made {
			return nil, nil //nolint:nilnil // nothing to do
		}
		b.warn(ctx, done.Plan)
		return store.Build(ctx, git.Change{Parent: tip.Hash, Edits: done.Edits, Committer: b.By, Message: b.message(done.Plan)})
	})
	if err != nil {
		return nil, fmt.Errorf("bump %s in %s: %w", path.Join(b.Target.Directory, b.Target.Content), store.URL(), shallowAdvice(err))
	}
	return done, nil
}

func shallowAdvice(err error) error {
	if errors.Is(err, ErrShallow) {
		return fmt.Errorf("%w: get the whole history of the copied repository, without depth", err)
	}
	return err
}

// warn tells of a step back, which a build that is run again may mean.
func (b Bump) warn(ctx context.Context, p *Plan) {
	if b.Logf == nil || p.Old == p.New {
		return
	}
	if follows, known := b.Origin.Follows(ctx, p.Old); known && !follows {
		b.Logf("warning: commit %.7s does not come after %.7s, which was the ref before: the copy goes back or aside", p.New, p.Old)
	}
}

func (b Bump) message(p *Plan) string {
	var m strings.Builder
	fmt.Fprintf(&m, "chore(deps): bump %s to '%.7s'\n\n%s\n", p.Dir, p.New, markdown.Message(b.Origin.Title()))
	if link := Compare(p.URL, p.Old, p.New); link != "" {
		fmt.Fprintf(&m, "%s\n", link)
	}
	if len(b.Trailers) > 0 {
		fmt.Fprintf(&m, "\n%s\n", strings.Join(b.Trailers, "\n"))
	}
	return m.String()
}

// Compare is the page that shows the commits between two refs of a repository at
// a forge, by the address that vendir.yml has; empty for others, and when there is
// nothing to compare.
func Compare(url, before, after string) string {
	if before == after || before == "" {
		return ""
	}
	at := strings.TrimSuffix(strings.TrimSuffix(url, "/"), ".git")
	if host, repository, ok := strings.Cut(strings.TrimPrefix(at, "git@"), ":"); ok && !strings.Contains(at, "://") && !strings.Contains(host, "/") {
		at = "https://" + host + "/" + repository
	}
	at = strings.Replace(at, "ssh://git@", "https://", 1)
	if !strings.HasPrefix(at, "https://") || strings.Contains(at, "@") {
		return ""
	}
	return at + "/compare/" + before + "..." + after
}
