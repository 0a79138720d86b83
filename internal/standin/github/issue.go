package github

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The lengths that GitHub accepts, in characters.
const (
	maxDescription = 140 // of a status
	maxLabel       = 50
	maxTitle       = 256    // of a pull request
	maxBody        = 65_536 // of a pull request or a comment
)

// tooLong is GitHub's answer to a text of more characters than it accepts, nil for any other.
func tooLong(resource, field, text string, limit int) error {
	if utf8.RuneCountInString(text) <= limit {
		return nil
	}
	return invalid(detail{Resource: resource, Code: "custom", Field: field, Message: field + " is too long (maximum is " + itoa(limit) + " characters)"})
}

func itoa(n int) string { return strconv.Itoa(n) }

func labelBody(name string) map[string]any {
	return map[string]any{"name": name, "color": "ededed", "description": nil}
}

func same(name string) func(string) bool {
	return func(other string) bool { return strings.EqualFold(name, other) }
}

func (r *Repository) addLabels(p *pull, names []string) {
	for _, n := range names {
		if i := slices.IndexFunc(r.labels, same(n)); i >= 0 {
			n = r.labels[i]
		} else {
			r.labels = append(r.labels, n) // GitHub makes missing ones
		}
		if !slices.ContainsFunc(p.labels, same(n)) {
			p.labels, p.updated = append(p.labels, n), r.server.now()
			p.events = append(p.events, "labelled "+n)
		}
	}
}

func addLabels(s *Server, c *call, p *pull) (status int, body any, err error) {
	var named struct{ Labels []string }
	if strings.HasPrefix(strings.TrimSpace(string(c.body)), "[") {
		err = c.decode(&named.Labels)
	} else {
		err = c.decode(&named)
	}
	if err != nil {
		return 0, nil, err
	}
	c.repository.addLabels(p, named.Labels)
	return listIssueLabels(s, c, p)
}

func listIssueLabels(_ *Server, _ *call, p *pull) (status int, body any, err error) {
	return http.StatusOK, shown(p.labels, labelBody), nil
}

func removeLabel(s *Server, c *call, p *pull) (status int, body any, err error) {
	i := slices.IndexFunc(p.labels, same(c.PathValue("name")))
	if i < 0 {
		return 0, nil, &failure{status: http.StatusNotFound, message: "Label does not exist"}
	}
	p.labels = slices.Delete(p.labels, i, i+1)
	return listIssueLabels(s, c, p)
}

func listLabels(s *Server, c *call) (status int, body any, err error) {
	return http.StatusOK, shown(page(s, c, c.repository.labels), labelBody), nil
}

func getLabel(_ *Server, c *call) (status int, body any, err error) {
	i := slices.IndexFunc(c.repository.labels, same(c.PathValue("name")))
	if i < 0 {
		return 0, nil, notFound()
	}
	return http.StatusOK, labelBody(c.repository.labels[i]), nil
}

func createLabel(_ *Server, c *call) (status int, body any, err error) {
	var spec struct{ Name string }
	if err := c.decode(&spec); err != nil {
		return 0, nil, err
	}
	switch {
	case spec.Name == "":
		return 0, nil, invalid(detail{Resource: "Label", Code: "missing_field", Field: "name"})
	case tooLong("Label", "name", spec.Name, maxLabel) != nil:
		return 0, nil, tooLong("Label", "name", spec.Name, maxLabel)
	case slices.ContainsFunc(c.repository.labels, same(spec.Name)):
		return 0, nil, invalid(detail{Resource: "Label", Code: "already_exists", Field: "name"})
	}
	c.repository.labels = append(c.repository.labels, spec.Name)
	return http.StatusCreated, labelBody(spec.Name), nil
}

func createComment(s *Server, c *call, p *pull) (status int, body any, err error) {
	var spec struct{ Body string }
	if err := c.decode(&spec); err != nil {
		return 0, nil, err
	}
	if spec.Body == "" {
		return 0, nil, invalid(detail{Resource: "IssueComment", Code: "missing_field", Field: "body"})
	}
	if err := tooLong("IssueComment", "body", spec.Body, maxBody); err != nil {
		return 0, nil, err
	}
	made := comment{ID: s.nextID(), Body: spec.Body, Created: s.now(), User: user{c.login}}
	p.comments, p.updated = append(p.comments, made), s.now()
	return http.StatusCreated, made, nil
}

func listComments(s *Server, c *call, p *pull) (status int, body any, err error) {
	return http.StatusOK, page(s, c, p.comments), nil
}

func createStatus(s *Server, c *call) (code int, body any, err error) {
	var spec struct {
		State, Context, Description string
		URL                         string `json:"target_url"`
	}
	if err := c.decode(&spec); err != nil {
		return 0, nil, err
	}
	r, ref := c.repository, c.PathValue("ref")
	commit, err := r.commitOf(ref)
	is := func(field, code, message string) error {
		return invalid(detail{Resource: "Status", Code: code, Field: field, Message: message})
	}
	switch {
	case err != nil || commit != ref: // GitHub takes whole hashes only
		return 0, nil, &failure{status: http.StatusUnprocessableEntity, message: "No commit found for SHA: " + ref}
	case !slices.Contains([]string{"pending", "success", "failure", "error"}, spec.State):
		return 0, nil, is("state", "custom", "state is not included in the list")
	case utf8.RuneCountInString(spec.Description) > maxDescription:
		return 0, nil, is("description", "custom", "description is too long (maximum is 140 characters)")
	}
	if spec.Context == "" {
		spec.Context = "default"
	}
	made := &status{
		id: s.nextID(), commit: commit, state: spec.State, context: spec.Context, text: spec.Description, url: spec.URL, who: c.login, when: s.now(),
	}
	r.statuses = append(r.statuses, made)
	for _, p := range r.pulls {
		if err := r.autoMerge(p); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusCreated, statusBody(made), nil
}

func statusBody(st *status) map[string]any {
	return map[string]any{
		"id": st.id, "state": st.state, "context": st.context, "description": st.text, "target_url": st.url,
		"creator": user{st.who}, "created_at": st.when, "updated_at": st.when,
	}
}

func listStatuses(s *Server, c *call) (code int, body any, err error) {
	commit, err := c.repository.commitOf(c.PathValue("ref"))
	if err != nil {
		return 0, nil, notFound()
	}
	out := []any{}
	for _, st := range slices.Backward(c.repository.statuses) {
		if st.commit == commit {
			out = append(out, statusBody(st))
		}
	}
	return http.StatusOK, page(s, c, out), nil
}

func getStatus(_ *Server, c *call) (code int, body any, err error) {
	commit, err := c.repository.commitOf(c.PathValue("ref"))
	if err != nil {
		return 0, nil, notFound()
	}
	state, all := "success", []any{}
	latest := c.repository.latest(commit)
	for _, st := range latest {
		all = append(all, statusBody(st))
		switch {
		case st.state == "failure" || st.state == "error":
			state = "failure"
		case st.state == "pending" && state == "success":
			state = "pending"
		}
	}
	if len(latest) == 0 {
		state = "pending"
	}
	return http.StatusOK, map[string]any{"sha": commit, "state": state, "total_count": len(all), "statuses": all}, nil
}
