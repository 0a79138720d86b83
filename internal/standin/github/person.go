package github

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Pull is a pull request as a person sees it.
type Pull struct {
	Number             int
	Title, Body        string
	Author             string
	Head, Base         string
	HeadCommit         string
	MergeCommit        string // when it is merged
	URL                string
	Open, Draft        bool
	Merged             bool
	AutoMerge          string // the method, or empty
	Labels             []string
	Comments           []string
	Approvals          []string // login names
	Reviewers          []string // login names and teams that are asked to review it
	Files              []string // changed ones
	Events             []string // what happened to it: opened, edited, pushed <commit>, labelled <name>, closed, ...
	Created, Updated   time.Time
	MergedAt, ClosedAt time.Time // zero: not yet
}

// Release is a release as a person sees it.
type Release struct {
	Tag, Title, Body  string
	Draft, Prerelease bool
	Assets            map[string]string // content by name
}

// Status is what was said about a commit.
type Status struct {
	Context     string `json:"context"`
	State       string `json:"state"`
	Description string `json:"description"`
	URL         string `json:"url"`
}

// do works with one pull request under the lock, after a look at what was pushed.
func (r *Repository) do(number int, act func(p *pull) error) error {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	if err := r.refresh(); err != nil {
		return err
	}
	p, err := r.find(int64(number))
	if err == nil {
		err = act(p)
	}
	if err != nil {
		return fmt.Errorf("pull request %d of %s: %w", number, r.name, err)
	}
	return nil
}

// Pulls are all pull requests, the oldest first.
func (r *Repository) Pulls() ([]Pull, error) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	if err := r.refresh(); err != nil {
		return nil, err
	}
	var out []Pull
	for _, p := range r.pulls {
		seen, err := r.seen(p)
		if err != nil {
			return nil, err
		}
		out = append(out, seen)
	}
	return out, nil
}

// Pull is one pull request.
func (r *Repository) Pull(number int) (out Pull, err error) {
	err = r.do(number, func(p *pull) error {
		out, err = r.seen(p)
		return err
	})
	return out, err
}

func (r *Repository) seen(p *pull) (Pull, error) {
	out := Pull{
		Number: p.number, Title: p.title, Body: p.body, Author: p.author, Head: p.head, Base: p.base, HeadCommit: p.headCommit,
		MergeCommit: p.mergeCommit, URL: r.webURL(p), Open: p.open(), Draft: p.draft, Merged: !p.mergedAt.IsZero(), AutoMerge: p.auto,
		Labels: slices.Clone(p.labels), Approvals: slices.Clone(p.approvals), Reviewers: slices.Concat(p.reviewers, p.teams), Events: slices.Clone(p.events),
		Created: p.created, Updated: p.updated, MergedAt: p.mergedAt, ClosedAt: p.closed,
	}
	for _, c := range p.comments {
		out.Comments = append(out.Comments, c.Body)
	}
	if !p.open() && p.fork == "" {
		return out, nil // its branch may be gone
	}
	files, err := r.files(p)
	for _, f := range files {
		out.Files = append(out.Files, f.Filename)
	}
	return out, err
}

// Merge merges a pull request as a person does, by "merge", "squash" or "rebase",
// and gives the commit that it became. The rules of the repository hold.
func (r *Repository) Merge(number int, method, by string) (commit string, err error) {
	err = r.do(number, func(p *pull) error {
		if err := r.mayMerge(p, method, ""); err != nil {
			return err
		}
		err := r.merge(p, method, by)
		commit = p.mergeCommit
		return err
	})
	return commit, err
}

// Approve is a person's review.
func (r *Repository) Approve(number int, by string) error {
	return r.do(number, func(p *pull) error {
		if !slices.Contains(p.approvals, by) {
			p.approvals, p.updated = append(p.approvals, by), r.server.now()
			p.reviewers = slices.DeleteFunc(p.reviewers, same(by))
			p.events = append(p.events, "approved by "+by)
		}
		return r.autoMerge(p)
	})
}

// Label adds labels.
func (r *Repository) Label(number int, labels ...string) error {
	return r.do(number, func(p *pull) error {
		r.addLabels(p, labels)
		return nil
	})
}

// Ready ends a draft.
func (r *Repository) Ready(number int) error {
	return r.do(number, func(p *pull) error {
		p.draft, p.updated = false, r.server.now()
		return r.autoMerge(p)
	})
}

// Retitle changes the title.
func (r *Repository) Retitle(number int, title string) error {
	return r.do(number, func(p *pull) error {
		p.title, p.updated = title, r.server.now()
		return nil
	})
}

// Comment adds a comment of a person.
func (r *Repository) Comment(number int, by, text string) error {
	return r.do(number, func(p *pull) error {
		p.comments = append(p.comments, comment{ID: r.server.nextID(), Body: text, Created: r.server.now(), User: user{by}})
		p.updated = r.server.now()
		return nil
	})
}

// ClosePull closes a pull request without merging it.
func (r *Repository) ClosePull(number int) error {
	return r.do(number, func(p *pull) error {
		if p.open() {
			r.setOpen(p, false)
		}
		return nil
	})
}

// Reopen opens a closed pull request again.
func (r *Repository) Reopen(number int) error {
	return r.do(number, func(p *pull) error {
		if !p.mergedAt.IsZero() || r.branch(p.head) != p.headCommit {
			return errors.New("it was merged, or its branch was force-pushed or recreated")
		}
		r.setOpen(p, true)
		return nil
	})
}

// Open opens a pull request as a person.
func (r *Repository) Open(head, base, title, by string) (number int, err error) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	headCommit, baseCommit := r.branch(head), r.branch(base)
	if headCommit == "" || baseCommit == "" {
		return 0, fmt.Errorf("open a pull request of %s: there is no branch %s or %s", r.name, head, base)
	}
	r.lastPull++
	r.pulls = append(r.pulls, &pull{
		number: r.lastPull, title: title, author: by, head: head, base: base, headCommit: headCommit, baseCommit: baseCommit,
		created: r.server.now(), updated: r.server.now(), events: []string{"opened"},
	})
	return r.lastPull, nil
}

// Push commits files to a branch as a person does, and gives the commit.
func (r *Repository) Push(branch, by, message string, files map[string]string) (commit string, err error) {
	i := r.Git().Continue(branch)
	c := i.Commit(branch, message).By(by + " <" + by + "@example.com>").Files(files)
	if err := i.Done(); err != nil {
		return "", err
	}
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return c.Hash(), r.refresh()
}

// Statuses are the newest statuses of a commit, by their contexts.
func (r *Repository) Statuses(commit string) map[string]Status {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	out := map[string]Status{}
	for _, s := range r.latest(commit) {
		out[s.context] = Status{s.context, s.state, s.text, s.url}
	}
	return out
}

// History is every status that was set for a commit, the oldest first.
func (r *Repository) History(commit string) []Status {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	var out []Status
	for _, s := range r.statuses {
		if s.commit == commit {
			out = append(out, Status{s.context, s.state, s.text, s.url})
		}
	}
	return out
}

// Labels are the labels that the repository has.
func (r *Repository) Labels() []string {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return slices.Clone(r.labels)
}

// Releases are all releases, the newest first.
func (r *Repository) Releases() []Release {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	var out []Release
	for _, l := range r.releases {
		seen := Release{Tag: l.tag, Title: l.title, Body: l.body, Draft: l.draft, Prerelease: l.prerelease, Assets: map[string]string{}}
		for _, a := range l.assets {
			seen.Assets[a.name] = string(a.content)
		}
		out = append(out, seen)
	}
	return out
}
