package forge

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
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

// restPull makes a request whose answer is a pull request.
func (f *Forge) restPull(ctx context.Context, what, method, path string, body any) (*Pull, error) {
	var p pullJSON
	if err := f.rest(ctx, what, method, path, nil, body, &p); err != nil {
		return nil, err
	}
	return newPull(&p), nil
}

func newPull(p *pullJSON) *Pull {
	out := &Pull{
		Number: p.Number, Title: p.Title, Body: p.Body, URL: p.HTMLURL, Author: p.User.Login, MergedBy: p.MergedBy.Login,
		Open: p.State == "open", Draft: p.Draft, Merged: p.Merged || !p.MergedAt.IsZero(),
		Head: p.Head.Ref, Base: p.Base.Ref, HeadRepository: p.Head.Repo.FullName,
		HeadCommit: p.Head.SHA, AutoMerge: p.AutoMerge != nil, asked: len(p.RequestedReviewers)+len(p.RequestedTeams) > 0,
		Labels: names(p.Labels), Created: p.CreatedAt, Updated: p.UpdatedAt, MergedAt: p.MergedAt, node: p.NodeID,
	}
	if out.Merged {
		out.MergeCommit = p.MergeCommitSHA // of an open one it is a mere try
	}
	return out
}

func names(labels []labelJSON) (out []string) {
	for _, l := range labels {
		out = append(out, l.Name)
	}
	return out
}

// pages walks a list until its end, or until take wants no more.
func pages[T any](ctx context.Context, f *Forge, what, path string, query url.Values, take func(*T) (more bool)) error {
	query.Set("per_page", strconv.Itoa(f.perPage))
	for page, read := 1, 0; page != 0; read++ {
		if read == maxPages {
			return fmt.Errorf("%s: the list has more than %d pages", what, maxPages)
		}
		var items []*T
		var next int
		err := f.call(ctx, what, func(ctx context.Context) error {
			query.Set("page", strconv.Itoa(page))
			items = nil // of a try before
			header, err := f.send(ctx, http.MethodGet, path, query, nil, &items)
			if next = nextPage(header); err == nil && slices.Contains(items, nil) {
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

func (f *Forge) pulls(ctx context.Context, what string, filter url.Values, take func(*Pull) (more bool)) error {
	kept := 0
	err := pages(ctx, f, what, "pulls", filter, func(item *pullJSON) bool {
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
	filter := url.Values{"state": {"open"}, "head": {f.owner + ":" + head}, "sort": {"created"}, "direction": {"asc"}}
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
	filter := url.Values{"state": {"all"}, "head": {f.owner + ":" + head}, "sort": {"created"}, "direction": {"desc"}}
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
	return p.Head == head && strings.EqualFold(p.HeadRepository, f.access.Repository)
}

// PullByNumber reads one pull request, with its changes since it was listed.
func (f *Forge) PullByNumber(ctx context.Context, number int) (*Pull, error) {
	return f.restPull(ctx, fmt.Sprintf("read pull request %d", number), http.MethodGet, fmt.Sprintf("pulls/%d", number), nil)
}

// OpenPulls are all open pull requests, drafts and those of forks too, oldest
// first; without their bodies, as there may be thousands.
func (f *Forge) OpenPulls(ctx context.Context) ([]*Pull, error) {
	var out []*Pull
	filter := url.Values{"state": {"open"}, "sort": {"created"}, "direction": {"asc"}}
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
	filter := url.Values{"state": {"closed"}, "base": {base}, "head": {f.owner + ":" + head}, "sort": {"updated"}, "direction": {"desc"}}
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
	err := pages(ctx, f, what, fmt.Sprintf("pulls/%d/files", number), url.Values{}, func(file *fileJSON) bool {
		listed++
		paths[file.Filename] = true
		if file.Status == "renamed" {
			paths[file.PreviousFilename] = true
		}
		kept += len(file.Filename) + len(file.PreviousFilename)
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
