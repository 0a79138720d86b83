package forge

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/go-github/v88/github"
)

// Pull is a pull request as it was when it was read.
type Pull struct {
	Number      int
	Title, Body string
	// URL is its page for people.
	URL    string
	Author string // login name
	// MergedBy is the login name of the person who merged it. Lists do not have it.
	MergedBy string
	Open     bool
	Draft    bool
	Merged   bool
	// Head and Base are names of branches; HeadRepository is owner/name of the
	// first one's, and differs from the forge's for a fork.
	Head, Base, HeadRepository string
	// HeadCommit is the newest commit of the pull request. MergeCommit is the
	// commit that it became on the base branch, when it is merged.
	HeadCommit, MergeCommit string
	Labels                  []string
	// AutoMerge says that GitHub merges it when it may.
	AutoMerge bool

	Created, Updated time.Time
	// MergedAt is zero unless it is merged.
	MergedAt time.Time

	node  string // its name in GraphQL
	asked bool   // somebody is to review it
}

// HasLabel reports whether the pull request has a label; GitHub's labels do not
// differ in case alone.
func (p *Pull) HasLabel(name string) bool { return slices.ContainsFunc(p.Labels, sameLabel(name)) }

// readPull is newPull for an answer that may be an error or null.
func readPull(p *github.PullRequest, err error) (*Pull, error) {
	switch {
	case err != nil:
		return nil, err
	case p.GetNumber() == 0:
		return nil, errEmpty
	}
	return newPull(p), nil
}

func newPull(p *github.PullRequest) *Pull {
	out := &Pull{
		Number: p.GetNumber(), Title: p.GetTitle(), Body: p.GetBody(), URL: p.GetHTMLURL(), Author: p.GetUser().GetLogin(), MergedBy: p.GetMergedBy().GetLogin(),
		Open: p.GetState() == "open", Draft: p.GetDraft(), Merged: p.GetMerged() || p.MergedAt != nil,
		Head: p.GetHead().GetRef(), Base: p.GetBase().GetRef(), HeadRepository: p.GetHead().GetRepo().GetFullName(),
		HeadCommit: p.GetHead().GetSHA(), AutoMerge: p.AutoMerge != nil, asked: len(p.RequestedReviewers)+len(p.RequestedTeams) > 0,
		Created: p.GetCreatedAt().Time, Updated: p.GetUpdatedAt().Time, MergedAt: p.GetMergedAt().Time, node: p.GetNodeID(),
	}
	if out.Merged {
		out.MergeCommit = p.GetMergeCommitSHA() // of an open one it is a mere try
	}
	for _, l := range p.Labels {
		out.Labels = append(out.Labels, l.GetName())
	}
	return out
}

// pages walks a list until its end, or until take wants no more.
func pages[T any](ctx context.Context, f *Forge, what string, list func(ctx context.Context, o github.ListOptions) ([]*T, *github.Response, error), take func(*T) (more bool)) error {
	for page, read := 1, 0; page != 0; read++ {
		if read == maxPages {
			return fmt.Errorf("%s: the list has more than %d pages", what, maxPages)
		}
		var items []*T
		var next int
		err := f.call(ctx, what, func(ctx context.Context) error {
			found, response, err := list(ctx, github.ListOptions{Page: page, PerPage: f.perPage})
			if err == nil {
				items, next = found, response.NextPage
			}
			if slices.Contains(items, nil) {
				return errEmpty
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, item := range items {
			if !take(item) {
				return nil
			}
		}
		page = next
	}
	return nil
}

func (f *Forge) pulls(ctx context.Context, what string, filter github.PullRequestListOptions, take func(*Pull) (more bool)) error {
	kept := 0
	err := pages(ctx, f, what, func(ctx context.Context, o github.ListOptions) ([]*github.PullRequest, *github.Response, error) {
		filter.ListOptions = o
		return f.client.PullRequests.List(ctx, f.owner, f.name, &filter)
	}, func(item *github.PullRequest) bool {
		p := newPull(item)
		more := take(p)
		kept += p.size()
		return more && kept <= maxListed
	})
	if err == nil && kept > maxListed {
		return fmt.Errorf("%s: the list has more than %d bytes of titles, descriptions and labels", what, maxListed)
	}
	return err
}

// size is how many bytes of text are kept of a pull request.
func (p *Pull) size() int {
	n := 0
	for _, text := range append(p.Labels, p.Title, p.Body, p.URL, p.Author, p.Head, p.Base, p.HeadRepository, p.HeadCommit, p.MergeCommit, p.node) {
		n += len(text)
	}
	return n
}

// Pull is the open pull request that wants the branch head of this repository in
// base; ErrNotFound when there is none.
func (f *Forge) Pull(ctx context.Context, head, base string) (*Pull, error) {
	open, err := f.openOf(ctx, head)
	if err != nil {
		return nil, err
	}
	for _, p := range open {
		if p.Base == base {
			return p, nil
		}
	}
	return nil, fmt.Errorf("open pull request of %s from %s into %s: %w", f.access.Repository, head, base, ErrNotFound)
}

// openOf are the open pull requests of a branch of this repository, oldest first.
func (f *Forge) openOf(ctx context.Context, head string) ([]*Pull, error) {
	var out []*Pull
	filter := github.PullRequestListOptions{State: "open", Head: f.owner + ":" + head, Sort: "created", Direction: "asc"}
	err := f.pulls(ctx, "list the open pull requests of "+head, filter, func(p *Pull) bool {
		if f.isOwn(p, head) {
			out = append(out, p)
		}
		return true
	})
	return out, err
}

// PullsFrom are the newest pull requests of a branch of this repository, open or not, the newest first: a
// page of them.
func (f *Forge) PullsFrom(ctx context.Context, head string) ([]*Pull, error) {
	var out []*Pull
	filter := github.PullRequestListOptions{State: "all", Head: f.owner + ":" + head, Sort: "created", Direction: "desc"}
	read := 0
	err := f.pulls(ctx, "list the pull requests of "+head, filter, func(p *Pull) bool {
		if f.isOwn(p, head) {
			out = append(out, p)
		}
		read++
		return read < f.perPage
	})
	return out, err
}

// isOwn tells a branch of this repository from one of the same name in a fork.
func (f *Forge) isOwn(p *Pull, head string) bool {
	return p.Head == head && equalFold(p.HeadRepository, f.access.Repository)
}

// PullByNumber reads one pull request, with its changes since it was listed.
func (f *Forge) PullByNumber(ctx context.Context, number int) (*Pull, error) {
	var out *Pull
	err := f.call(ctx, fmt.Sprintf("read pull request %d", number), func(ctx context.Context) error {
		p, _, err := f.client.PullRequests.Get(ctx, f.owner, f.name, number)
		out, err = readPull(p, err)
		return err
	})
	return out, err
}

// OpenPulls are all open pull requests, drafts and those of forks too, oldest
// first; without their bodies, as there may be thousands.
func (f *Forge) OpenPulls(ctx context.Context) ([]*Pull, error) {
	var out []*Pull
	filter := github.PullRequestListOptions{State: "open", Sort: "created", Direction: "asc"}
	err := f.pulls(ctx, "list the open pull requests", filter, func(p *Pull) bool {
		p.Body = ""
		out = append(out, p)
		return true
	})
	return out, err
}

// Merged are the pull requests that brought the branch head of this repository
// into base at since or later, oldest first. A zero since means all of them. No
// more pages are read than since asks for.
func (f *Forge) Merged(ctx context.Context, base, head string, since time.Time) ([]*Pull, error) {
	found := map[int]*Pull{}
	filter := github.PullRequestListOptions{State: "closed", Base: base, Head: f.owner + ":" + head, Sort: "updated", Direction: "desc"}
	read := 0
	take := func(p *Pull) bool {
		read++
		if p.Updated.Before(since) {
			return false // as are all that follow, and nothing is merged later than updated
		}
		if p.Merged && p.Base == base && f.isOwn(p, head) && !p.MergedAt.Before(since) {
			found[p.Number] = p
		}
		return true
	}
	what := fmt.Sprintf("list the merged pull requests of %s into %s", head, base)
	if err := f.pulls(ctx, what, filter, take); err != nil {
		return nil, err
	}
	if read > f.perPage {
		// One that was changed meanwhile has moved to the front.
		last := read + f.perPage
		if err := f.pulls(ctx, what, filter, func(p *Pull) bool { return take(p) && read < last }); err != nil {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *Pull) int {
		return cmp.Or(a.MergedAt.Compare(b.MergedAt), cmp.Compare(a.Number, b.Number))
	}), nil
}

// Files are the paths that a pull request changes, sorted; both paths of a file
// that it moves. GitHub lists the first 3,000 files only: more are ErrTooManyFiles.
func (f *Forge) Files(ctx context.Context, number int) ([]string, error) {
	what := fmt.Sprintf("list the files of pull request %d", number)
	paths, listed, kept := map[string]bool{}, 0, 0
	err := pages(ctx, f, what, func(ctx context.Context, o github.ListOptions) ([]*github.CommitFile, *github.Response, error) {
		return f.client.PullRequests.ListFiles(ctx, f.owner, f.name, number, &o)
	}, func(file *github.CommitFile) bool {
		listed++
		paths[file.GetFilename()] = true
		if file.GetStatus() == "renamed" {
			paths[file.GetPreviousFilename()] = true
		}
		kept += len(file.GetFilename()) + len(file.GetPreviousFilename())
		return listed < maxFiles && kept <= maxListed
	})
	if err == nil && kept > maxListed {
		err = fmt.Errorf("%s: the list has more than %d bytes of paths", what, maxListed)
	}
	if err != nil {
		return nil, err
	}
	if listed >= maxFiles {
		return nil, fmt.Errorf("%s of %s: %w: it changes %d or more, and GitHub lists no others", what, f.access.Repository, ErrTooManyFiles, maxFiles)
	}
	return slices.Sorted(maps.Keys(paths)), nil
}

const maxFiles = 3000 // that GitHub lists of a pull request
