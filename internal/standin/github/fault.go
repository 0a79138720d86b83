package github

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault is one way for a server to misbehave.
type Fault struct {
	// Method and Path restrict the fault to a method and to paths with this text
	// in them; empty matches all. Paths are as in "/repos/team/code/pulls/7".
	Method, Path string
	// Skip lets so many matching requests pass first.
	Skip int
	// Times is how often the fault strikes; 0 means until Heal.
	Times int

	// Before is called before anything else, for instance to move a branch.
	Before func()
	// Hang never answers; the request ends with the client's patience.
	Hang bool
	// Status answers with this status, Header, and Body; an empty Body is
	// GitHub's usual one with Message.
	Status  int
	Header  http.Header
	Message string
	Body    string
	// Lose does what is asked, and then breaks the connection instead of answering.
	Lose bool
}

func (f *Fault) matches(r *http.Request) bool {
	return (f.Method == "" || f.Method == r.Method) && strings.Contains(r.URL.Path, f.Path)
}

// PrimaryLimit is GitHub's answer to too many requests an hour, until the limit
// is reset.
func PrimaryLimit(reset time.Time) Fault {
	return Fault{
		Status: http.StatusForbidden, Message: "API rate limit exceeded for user ID 1.",
		Header: http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {strconv.FormatInt(reset.Unix(), 10)}},
	}
}

// SecondaryLimit is GitHub's answer to too many requests at once. wait is for the
// header Retry-After, in whole seconds; 0 leaves it out.
func SecondaryLimit(wait time.Duration) Fault {
	f := Fault{
		Status: http.StatusForbidden, Header: http.Header{},
		Body: `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",` +
			`"documentation_url":"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`,
	}
	if wait > 0 {
		f.Header.Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
	}
	return f
}

// Request is what the server saw of one request.
type Request struct {
	Method string
	// Path is without /api/v3, as in "/repos/team/code/pulls"; Query is as sent.
	Path, Query string
	Token       string // that came with it, or empty
	Body        string // at most 64 KiB of it
	Status      int    // of the answer; 0 when there was none
}
