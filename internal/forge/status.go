package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// State is one of the states of a commit status.
type State string

// The states that GitHub knows.
const (
	Pending State = "pending"
	Success State = "success"
	Failure State = "failure"
	Error   State = "error"
)

// Status is what one checker says about a commit.
type Status struct {
	State State
	// Context names the checker, and is what rules of branches refer to.
	Context string
	// Description is cut after 140 characters, as GitHub takes no more.
	Description string
	// URL leads to the details; it may be empty.
	URL string
}

const maxDescription = 140

// SetStatus says something about a commit, in place of what the same context
// said before.
func (f *Forge) SetStatus(ctx context.Context, commit string, s Status) error {
	switch s.State {
	case Pending, Success, Failure, Error:
	default:
		return fmt.Errorf("status of %s: %q is not one of pending, success, failure, error", commit, s.State)
	}
	s.Description = fitLine(s.Description, maxDescription)
	status := statusJSON{State: s.State, Context: s.Context, Description: s.Description, TargetURL: s.URL}
	return f.rest(ctx, fmt.Sprintf("set status %s of commit %s", s.Context, commit), http.MethodPost, "statuses/"+commit, nil, status, nil)
}

// StatusOf returns what a context says about a commit: ErrNotFound if it says nothing yet. Of the contexts
// of one commit, the first hundred are read.
func (f *Forge) StatusOf(ctx context.Context, commit, name string) (Status, error) {
	out, what := Status{}, fmt.Sprintf("read status %s of commit %s", name, commit)
	var all struct {
		Statuses []statusJSON `json:"statuses"`
	}
	err := f.rest(ctx, what, http.MethodGet, "commits/"+commit+"/status", url.Values{"per_page": {"100"}}, nil, &all)
	for _, s := range all.Statuses {
		if s.Context == name {
			out = Status{State: s.State, Context: name, Description: s.Description, URL: s.TargetURL}
		}
	}
	if err == nil && out.Context == "" {
		err = fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return out, err
}
