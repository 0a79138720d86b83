package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
)

// Forge is where the repositories have their pull requests and releases. A
// repository goes by the name that the scenario has for it.
type Forge interface {
	// OpenPull opens a pull request against main and returns its number.
	OpenPull(ctx context.Context, p Pull) (int, error)
	// MergePull merges, as a person does, and returns the merge commit.
	MergePull(ctx context.Context, m Merge, number int) (string, error)
	// Pulls are all pull requests, oldest first.
	Pulls(ctx context.Context, repository string) ([]PullState, error)
	// Releases are all releases, oldest first.
	Releases(ctx context.Context, repository string) ([]ReleaseState, error)
	// Statuses are the newest statuses of a commit by context, Checks what its jobs of workflows have come to by name.
	Statuses(ctx context.Context, repository, commit string) (map[string]string, error)
	Checks(ctx context.Context, repository, commit string) (map[string]string, error)
}

// PullState is a pull request as it is.
type PullState struct {
	Number       int
	Branch, Base string
	Title, Body  string
	Labels       []string
	// State is open, merged or closed.
	State string
	Draft bool
	// Head is the commit of the branch, Merged the merge commit.
	Head, Merged string
}

// ReleaseState is a release as it is.
type ReleaseState struct {
	Tag, Title, Notes string
	Assets            []string
	Draft, Prerelease bool
}

// ErrNoForge means that a deed or an expectation is about pull requests or
// releases, and the world has none.
var ErrNoForge = errors.New("there is no forge in this world")

// pull opens a person's pull request.
func (p player) pull(ctx context.Context, pull Pull) error {
	if p.stage.Forge == nil {
		return ErrNoForge
	}
	number, err := p.stage.Forge.OpenPull(ctx, pull)
	if err != nil {
		return fmt.Errorf("open a pull request of %s: %w", pull.Branch, err)
	}
	p.stage.Audience.Did(fmt.Sprintf("%s opens pull request #%d of %s: %s", name(pull.By), number, p.branch(pull.Repository, pull.Branch), pull.Title))
	return nil
}

// merge merges the open pull request of the branch.
func (p player) merge(ctx context.Context, m Merge) error {
	if p.stage.Forge == nil {
		return ErrNoForge
	}
	all, err := p.stage.Forge.Pulls(ctx, m.Repository)
	if err != nil {
		return err
	}
	for _, pull := range all {
		if pull.Branch != m.Branch || pull.State != "open" {
			continue
		}
		commit, err := p.stage.Forge.MergePull(ctx, m, pull.Number)
		if m.Refused != "" {
			return p.refused(m, pull, err)
		}
		if err != nil {
			return fmt.Errorf("merge pull request #%d of %s: %w", pull.Number, m.Repository, err)
		}
		if m.As != "" {
			p.commits[m.As] = commit
		}
		p.stage.Audience.Did(fmt.Sprintf("%s merges pull request #%d of %s: %s", name(m.By), pull.Number, m.Repository, pull.Title))
		return nil
	}
	return fmt.Errorf("merge: %s has no open pull request of branch %s", m.Repository, strings.TrimSpace(m.Branch))
}

// refused tells that a merge was forbidden; one that was not is an error.
func (p player) refused(m Merge, pull PullState, err error) error {
	if err == nil || !strings.Contains(err.Error(), m.Refused) {
		return fmt.Errorf("merge pull request #%d of %s: it should be refused with %q, and the answer is: %w", pull.Number, m.Repository, m.Refused, cmp.Or(err, errMerged))
	}
	p.stage.Audience.Did(fmt.Sprintf("%s wants to merge pull request #%d of %s, and may not: %s", name(m.By), pull.Number, m.Repository, strings.ReplaceAll(m.Refused, "\n", " ")))
	return nil
}

var errMerged = errors.New("it was merged")
