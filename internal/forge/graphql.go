package forge

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/githubapp"
)

// graphError is an answer of GraphQL, which has errors under the status 200.
type graphError struct {
	messages []string
	kinds    []string
	limit    *rateLimit
}

// Error has GitHub's words.
func (e *graphError) Error() string { return strings.Join(e.messages, "; ") }

// Unwrap gives the decision that follows.
func (e *graphError) Unwrap() error {
	for _, k := range e.kinds {
		switch k {
		case "NOT_FOUND":
			return ErrNotFound
		case "FORBIDDEN":
			return ErrForbidden
		}
	}
	return errInvalid
}

// mutate asks GraphQL for a change. input is the value of the mutation's input.
// See https://docs.github.com/en/graphql/reference/mutations
func (f *Forge) mutate(ctx context.Context, what, mutation string, input map[string]any) error {
	name := strings.ToUpper(mutation[:1]) + mutation[1:]
	body := map[string]any{
		"query":     fmt.Sprintf("mutation($input: %sInput!) { %s(input: $input) { clientMutationId } }", name, mutation),
		"variables": map[string]any{"input": input},
	}
	return f.call(ctx, what, func(ctx context.Context) error {
		r, err := githubapp.NewRequest(ctx, http.MethodPost, graphQL(f.api), body)
		if err != nil {
			return err
		}
		var answer struct {
			Errors []struct {
				Type    string `json:"type"`
				Message string `json:"message"`
			} `json:"errors"`
		}
		if _, err := f.do(r, &answer); err != nil || len(answer.Errors) == 0 {
			return err
		}
		failure := &graphError{}
		for _, e := range answer.Errors {
			failure.messages, failure.kinds = append(failure.messages, e.Message), append(failure.kinds, e.Type)
			if e.Type == "RATE_LIMITED" {
				failure.limit = &rateLimit{Said: e.Message}
			}
		}
		return failure
	})
}

func (f *Forge) setDraft(ctx context.Context, p *Pull, draft bool) error {
	mutation, what := "markPullRequestReadyForReview", "mark pull request %d as ready for review"
	if draft {
		mutation, what = "convertPullRequestToDraft", "make pull request %d a draft"
	}
	if err := f.mutate(ctx, fmt.Sprintf(what, p.Number), mutation, map[string]any{"pullRequestId": p.node}); err != nil {
		return err
	}
	p.Draft = draft
	return nil
}
