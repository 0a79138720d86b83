package actions

import (
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	"github.com/taxiway-ci/taxiway/internal/workflow"
)

// event is what a workflow knows of its pull request.
type event struct {
	number int
	base   string // commit of the base branch
	github map[string]any
}

func (r *Runner) event(pull github.Pull) (event, error) {
	base, err := r.repository.Git().RevParse("refs/heads/" + pull.Base)
	if err != nil {
		return event{}, err
	}
	labels := []any{}
	for _, name := range pull.Labels {
		labels = append(labels, map[string]any{"name": name})
	}
	repository := map[string]any{"full_name": r.repository.Name(), "fork": false}
	body := map[string]any{
		"number": float64(pull.Number), "title": pull.Title, "draft": pull.Draft, "labels": labels, "html_url": pull.URL,
		"user": map[string]any{"login": pull.Author},
		"head": map[string]any{"sha": pull.HeadCommit, "ref": pull.Head, "repo": repository},
		"base": map[string]any{"sha": base, "ref": pull.Base, "repo": repository},
	}
	return event{pull.Number, base, map[string]any{
		"event_name": "pull_request", "repository": r.repository.Name(), "run_id": float64(r.runs), "token": "rehearsed",
		"event": map[string]any{"pull_request": body},
	}}, nil
}

// scope is what expressions see: in a job with its matrix and the steps so far, while nothing has failed or after that. Every
// secret has a value.
func (r *run) scope(matrix, steps map[string]any, good bool) workflow.Scope {
	needs := map[string]any{}
	for id, result := range r.results {
		needs[id] = map[string]any{"result": result}
	}
	contexts := map[string]any{"github": r.event.github, "matrix": matrix, "steps": steps, "needs": needs, "strategy": map[string]any{"job-index": float64(r.trees)}}
	status := map[string]bool{"success": good, "failure": !good, "cancelled": false}
	return workflow.Scope{
		Context: func(name string) workflow.Value {
			if name == "secrets" {
				return workflow.Value{Data: workflow.Members(func(string) workflow.Value { return workflow.Value{Data: "rehearsed", Secret: true} })}
			}
			return workflow.Value{Data: contexts[name]}
		},
		Status: func(name string) workflow.Value { return workflow.Value{Data: status[name]} },
	}
}
