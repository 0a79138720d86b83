package forge

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/fault"
	"github.com/taxiway-ci/taxiway/internal/githubapp"
	"github.com/taxiway-ci/taxiway/internal/httpclient"
)

// answer is what an error says about the answer that it comes from.
type answer struct {
	status     int
	retryAfter time.Duration // the server's Retry-After
}

func answerOf(err error) answer {
	var app *githubapp.StatusError
	var other *refusal
	switch {
	case errors.As(err, &app):
		return answer{app.Status, app.RetryAfter}
	case errors.As(err, &other):
		return answer{other.status, other.retryAfter}
	}
	return answer{}
}

// statusOf is the HTTP status that an error is about, or 0.
func statusOf(err error) int {
	return answerOf(err).status
}

// limitOf is the limit of requests that an error is about, or nil. A 403 with
// Retry-After is one too, whatever its text.
func limitOf(err error) *rateLimit {
	var app *githubapp.StatusError
	if errors.As(err, &app) {
		return appLimit(app)
	}
	var graph *graphError
	if errors.As(err, &graph) && graph.limit != nil {
		return graph.limit
	}
	var other *refusal
	if errors.As(err, &other) {
		return other.limit()
	}
	return nil
}

func (r *refusal) limit() *rateLimit {
	if r.status != http.StatusForbidden && r.status != http.StatusTooManyRequests {
		return nil
	}
	limit := &rateLimit{Until: r.limitReset, Secondary: r.limitReset.IsZero(), Said: r.Message}
	if r.retryAfter > 0 {
		limit.Until = time.Now().Add(r.retryAfter)
	}
	said := strings.ToLower(r.Message + r.DocumentationURL)
	if limit.Until.IsZero() && !strings.Contains(said, "rate limit") && !strings.HasSuffix(said, "rate-limits") {
		return nil
	}
	return limit
}

func appLimit(s *githubapp.StatusError) *rateLimit {
	switch {
	case s.Status != http.StatusForbidden && s.Status != http.StatusTooManyRequests:
		return nil
	case s.RetryAfter > 0:
		return &rateLimit{Until: time.Now().Add(s.RetryAfter), Secondary: true, Said: s.Text}
	case !s.LimitReset.IsZero():
		return &rateLimit{Until: s.LimitReset, Said: s.Text}
	}
	return nil
}

// explain turns an answer into an error for people, with the decision that
// follows.
func explain(err error) error {
	if limit := limitOf(err); limit != nil {
		return limit
	}
	if errors.Is(err, githubapp.ErrNotInstalled) {
		return fault.Of(ErrNotInstalled, "%v: install it at the repository's owner, and choose this repository", err)
	}
	if errors.Is(err, githubapp.ErrNotGranted) {
		return fault.Of(ErrNotGranted, "%v", err)
	}
	var app *githubapp.StatusError
	if errors.As(err, &app) {
		return fault.Of(kindOf(app.Status), "%v", err)
	}
	var said *refusal
	if !errors.As(err, &said) {
		return httpclient.Explain(err)
	}
	return explainAnswer(said)
}

func explainAnswer(answer *refusal) error {
	status := answer.status
	text := fmt.Sprintf("HTTP %d %s", status, http.StatusText(status))
	kind := kindOf(status)
	if status == http.StatusUnprocessableEntity && exists(answer) {
		kind = errExists
	}
	if kind != nil && !errors.Is(kind, ErrNotFound) { // its status has the same words
		text += ": " + kind.Error()
	}
	if advice := adviceFor(status); advice != "" {
		text += ": " + advice
	}
	if said := words(answer); said != "" {
		text += "; GitHub says: " + said
	}
	return fault.Of(kind, "%s", text)
}

func kindOf(status int) error {
	switch status {
	case http.StatusUnauthorized:
		return ErrAuth
	case http.StatusForbidden, http.StatusUnavailableForLegalReasons:
		return ErrForbidden
	case http.StatusNotFound, http.StatusGone:
		return ErrNotFound
	case http.StatusUnprocessableEntity, http.StatusBadRequest, http.StatusConflict, http.StatusMethodNotAllowed:
		return errInvalid
	}
	return nil
}

func adviceFor(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "check access_token: is it complete, and has it expired?"
	case http.StatusForbidden:
		return "give the token or the app read and write access to pull requests, to contents for releases, and to commit statuses for statuses"
	case http.StatusNotFound:
		return "check repository and api_url; GitHub also says this when the credentials may not see it"
	case http.StatusProxyAuthRequired:
		return "the proxy wants credentials: put them into https_proxy"
	}
	return ""
}

// exists reports whether a validation error is about something that is there.
func exists(answer *refusal) bool {
	for _, e := range answer.Errors {
		if e.Code == "already_exists" || strings.Contains(e.Message, "already exists") {
			return true
		}
	}
	return strings.Contains(answer.Message, "already exists")
}

// words are what GitHub has to say, with the details of a validation error.
func words(answer *refusal) string {
	said := []string{}
	if answer.Message != "" {
		said = append(said, answer.Message)
	}
	for _, e := range answer.Errors {
		text := e.Message
		if text == "" {
			text = strings.TrimSpace(strings.Join([]string{e.Resource, e.Field, strings.ReplaceAll(e.Code, "_", " ")}, " "))
		}
		said = append(said, text)
	}
	return strings.Join(said, ": ")
}
