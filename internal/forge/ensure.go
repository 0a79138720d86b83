package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// PullSpec says what a pull request should be like.
type PullSpec struct {
	// Head is a branch of this repository, which wants to be in Base.
	Head, Base  string
	Title, Body string
	// Foot ends the text of the pull request. It stays whole when the body is cut at GitHub's limit.
	Foot string
	// Labels are added, and created where the repository lacks them. Others stay.
	Labels []string
	// Reviewers are login names, and teams as owner/team. They are asked once: nobody is asked again who
	// has reviewed, or in whose place people have asked others.
	Reviewers []string
	Draft     bool
	// KeepDraft leaves the draft state of a pull request that is open already as
	// people have set it.
	KeepDraft bool
}

// Outcome says what Ensure did.
type Outcome struct {
	Created bool
	// Changed names what was changed in an open pull request: title, body, base,
	// labels, reviewers, draft. Nothing: it was as specified.
	Changed []string
}

// Ensure makes the one open pull request of a branch be as specified: it is created
// when there is none, and changed in place else, so that its number, reviews and
// discussion stay.
func (f *Forge) Ensure(ctx context.Context, w PullSpec) (*Pull, Outcome, error) {
	w.Title, w.Body, w.Foot = fitLine(w.Title, maxTitle), normal(fit(w.Body, w.Foot, maxBody)), ""
	p, err := f.candidate(ctx, w)
	if err != nil {
		return nil, Outcome{}, err
	}
	if p == nil {
		p, err = f.create(ctx, w)
		if errors.Is(err, errExists) { // it was created at this moment, or an answer was lost
			if p, err = f.candidate(ctx, w); err == nil && p == nil {
				err = fmt.Errorf("open a pull request of %s from %s: GitHub says that there is one, and lists none: %w", f.access.Repository, w.Head, errExists)
			}
		} else if err == nil {
			if _, err = f.label(ctx, p, w.Labels); err == nil {
				err = f.request(ctx, p.Number, w.Reviewers)
			}
			return p, Outcome{Created: true}, err
		}
		if err != nil {
			return nil, Outcome{}, err
		}
	}
	return f.update(ctx, p, w)
}

// candidate is the open pull request of the branch, best the one with the base.
func (f *Forge) candidate(ctx context.Context, w PullSpec) (*Pull, error) {
	open, err := f.openOf(ctx, w.Head)
	if err != nil || len(open) == 0 {
		return nil, err
	}
	if i := slices.IndexFunc(open, func(p *Pull) bool { return p.Base == w.Base }); i >= 0 {
		return open[i], nil
	}
	return open[0], nil
}

func (f *Forge) create(ctx context.Context, w PullSpec) (*Pull, error) {
	p, err := f.createOnce(ctx, w)
	if err != nil && w.Draft && strings.Contains(err.Error(), "Draft pull requests are not supported") {
		f.logf("%s has no draft pull requests: it will be an ordinary one", f.access.Repository)
		w.Draft = false
		return f.createOnce(ctx, w)
	}
	return p, err
}

func (f *Forge) createOnce(ctx context.Context, w PullSpec) (*Pull, error) {
	return f.restPull(ctx, fmt.Sprintf("open a pull request from %s into %s", w.Head, w.Base), http.MethodPost, "pulls",
		map[string]any{"title": w.Title, "body": w.Body, "head": w.Head, "base": w.Base, "draft": w.Draft})
}

// update changes what differs, and nothing else.
func (f *Forge) update(ctx context.Context, p *Pull, w PullSpec) (*Pull, Outcome, error) {
	var done Outcome
	change := map[string]string{}
	if done.Changed = w.differs(p, change); len(done.Changed) > 0 {
		edited, err := f.edit(ctx, p.Number, change)
		if err != nil {
			return p, Outcome{}, err
		}
		p = edited
	}
	labelled, err := f.label(ctx, p, w.Labels)
	if labelled {
		done.Changed = append(done.Changed, "labels")
	}
	if err != nil {
		return p, done, err
	}
	asked, err := f.ask(ctx, p, w.Reviewers)
	if asked {
		done.Changed = append(done.Changed, "reviewers")
	}
	if err != nil || w.KeepDraft || p.Draft == w.Draft {
		return p, done, err
	}
	if err := f.setDraft(ctx, p, w.Draft); err != nil {
		return p, done, err
	}
	done.Changed = append(done.Changed, "draft")
	return p, done, nil
}

// differs names what a pull request has otherwise than wanted, and writes it into a change.
func (w PullSpec) differs(p *Pull, change map[string]string) (names []string) {
	for _, part := range []struct{ name, is, want string }{{"title", p.Title, w.Title}, {"body", p.Body, w.Body}, {"base", p.Base, w.Base}} {
		if part.is != part.want {
			change[part.name] = part.want
			names = append(names, part.name)
		}
	}
	return names
}

// normal is a text as GitHub gives it back.
func normal(body string) string { return strings.ReplaceAll(body, "\r\n", "\n") }

func (f *Forge) edit(ctx context.Context, number int, change map[string]string) (*Pull, error) {
	return f.restPull(ctx, fmt.Sprintf("change pull request %d", number), http.MethodPatch, fmt.Sprintf("pulls/%d", number), change)
}

// Close closes a pull request without merging it, and says why in a comment. It
// does nothing to one that is closed already.
func (f *Forge) Close(ctx context.Context, number int, reason string) error {
	p, err := f.PullByNumber(ctx, number)
	if err != nil || !p.Open {
		return err
	}
	if reason != "" {
		if err := f.comment(ctx, number, reason); err != nil {
			return err
		}
	}
	_, err = f.edit(ctx, number, map[string]string{"state": "closed"})
	return err
}

// comment adds a comment to a pull request.
func (f *Forge) comment(ctx context.Context, number int, text string) error {
	body := map[string]string{"body": fit(text, "", maxBody)}
	return f.rest(ctx, fmt.Sprintf("comment on pull request %d", number), http.MethodPost, fmt.Sprintf("issues/%d/comments", number), nil, body, nil)
}

func sameLabel(name string) func(string) bool {
	return func(other string) bool { return strings.EqualFold(name, other) }
}

// label adds labels to a pull request, and reports whether it lacked one.
func (f *Forge) label(ctx context.Context, p *Pull, labels []string) (changed bool, err error) {
	var missing []string
	for _, l := range labels {
		if !p.HasLabel(l) && !slices.ContainsFunc(missing, sameLabel(l)) {
			missing = append(missing, l)
		}
	}
	if len(missing) == 0 {
		return false, nil
	}
	for _, l := range missing {
		if err := f.ensureLabel(ctx, l); err != nil {
			return false, err
		}
	}
	var now []labelJSON
	err = f.rest(ctx, fmt.Sprintf("label pull request %d", p.Number), http.MethodPost, fmt.Sprintf("issues/%d/labels", p.Number), nil, missing, &now)
	if err != nil {
		return false, err
	}
	p.Labels = names(now)
	return true, nil
}

const labelColour = "ededed" // GitHub's own choice for labels without one

func (f *Forge) ensureLabel(ctx context.Context, name string) error {
	err := f.rest(ctx, "look up label "+name, http.MethodGet, "labels/"+url.PathEscape(name), nil, nil, nil)
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	err = f.rest(ctx, "create label "+name, http.MethodPost, "labels", nil, map[string]string{"name": name, "color": labelColour}, nil)
	if errors.Is(err, errExists) {
		return nil
	}
	return err
}
