package github

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// pull is a pull request. Both branches are of the same repository.
type pull struct {
	number                 int
	title, body            string
	author                 string
	head, base             string
	headCommit, baseCommit string
	draft                  bool
	created, updated       time.Time
	closed, mergedAt       time.Time
	mergeCommit, mergedBy  string
	fork                   string // where head left base, once it is merged
	auto, autoBy           string // the method to merge by itself, and who wanted it
	labels                 []string
	reviewers, teams       []string // who is asked to review it
	comments               []comment
	approvals              []string
	events                 []string
}

type comment struct {
	ID      int64     `json:"id"`
	Body    string    `json:"body"`
	Created time.Time `json:"created_at"`
	User    user      `json:"user"`
}

type user struct {
	Login string `json:"login"`
}

func (p *pull) open() bool { return p.closed.IsZero() }

func (p *pull) close(when time.Time) {
	p.closed, p.updated, p.auto = when, when, ""
	p.events = append(p.events, "closed")
}

func nullable(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// entry is a pull request as lists have it; whole adds what only single ones have.
func (r *Repository) entry(p *pull) map[string]any {
	state := "open"
	if !p.open() {
		state = "closed"
	}
	var auto any
	if p.auto != "" {
		auto = map[string]any{"merge_method": p.auto, "enabled_by": user{p.autoBy}}
	}
	repository := map[string]any{"full_name": r.name, "name": strings.TrimPrefix(r.name, r.owner()+"/"), "owner": user{r.owner()}}
	branch := func(name, commit string) map[string]any {
		return map[string]any{"label": r.owner() + ":" + name, "ref": name, "sha": commit, "user": user{r.owner()}, "repo": repository}
	}
	return map[string]any{
		"id": 1000 + p.number, "node_id": r.node(p), "number": p.number, "state": state, "title": p.title, "body": p.body, "draft": p.draft,
		"user": user{p.author}, "html_url": r.webURL(p), "url": r.server.APIURL() + "/repos/" + r.name + "/pulls/" + itoa(p.number),
		"created_at": p.created, "updated_at": p.updated, "closed_at": nullable(p.closed), "merged_at": nullable(p.mergedAt),
		"merge_commit_sha": orNull(p.mergeCommit), "labels": shown(p.labels, labelBody), "auto_merge": auto,
		"requested_reviewers": users(p.reviewers), "requested_teams": teams(p.teams),
		"head": branch(p.head, p.headCommit), "base": branch(p.base, p.baseCommit),
	}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (r *Repository) whole(p *pull) map[string]any {
	all := r.entry(p)
	all["merged"], all["comments"] = !p.mergedAt.IsZero(), len(p.comments)
	if p.open() {
		state := r.state(p)
		all["mergeable_state"], all["mergeable"] = state, state != "dirty"
	}
	if p.mergedBy != "" {
		all["merged_by"] = user{p.mergedBy}
	}
	if files, err := r.files(p); err == nil {
		all["changed_files"] = len(files)
	}
	return all
}

func (r *Repository) node(p *pull) string { return "PR_" + r.name + "#" + itoa(p.number) }

func (r *Repository) webURL(p *pull) string { return r.server.webURL(r.name, "pull", itoa(p.number)) }

func (r *Repository) find(number int64) (*pull, error) {
	for _, p := range r.pulls {
		if int64(p.number) == number {
			return p, nil
		}
	}
	return nil, notFound()
}

func listPulls(s *Server, c *call) (status int, body any, err error) {
	q := c.URL.Query()
	state := cmp.Or(q.Get("state"), "open")
	owner, head, qualified := strings.Cut(q.Get("head"), ":")
	var found []*pull
	for _, p := range c.repository.pulls {
		switch {
		case state == "open" && !p.open(), state == "closed" && p.open():
		case q.Get("base") != "" && p.base != q.Get("base"):
		case qualified && (!strings.EqualFold(owner, c.repository.owner()) || p.head != head): // a head without owner is not looked at
		default:
			found = append(found, p)
		}
	}
	by := func(a, b *pull) int { return cmp.Compare(a.number, b.number) }
	direction := "desc"
	if q.Get("sort") == "updated" {
		by = func(a, b *pull) int { return cmp.Or(a.updated.Compare(b.updated), cmp.Compare(a.number, b.number)) }
		direction = "asc"
	}
	slices.SortFunc(found, by)
	if cmp.Or(q.Get("direction"), direction) == "desc" {
		slices.Reverse(found)
	}
	return http.StatusOK, shown(page(s, c, found), c.repository.entry), nil
}

type pullSpec struct {
	Title, Body, Head, Base string
	Draft                   bool
}

func createPull(s *Server, c *call) (status int, body any, err error) {
	var spec pullSpec
	if err := c.decode(&spec); err != nil {
		return 0, nil, err
	}
	if err := cmp.Or(tooLong("PullRequest", "title", spec.Title, maxTitle), tooLong("PullRequest", "body", spec.Body, maxBody)); err != nil {
		return 0, nil, err
	}
	r := c.repository
	owner, head, qualified := strings.Cut(spec.Head, ":")
	if !qualified {
		owner, head = r.owner(), spec.Head
	}
	headCommit, baseCommit := r.branch(head), r.branch(spec.Base)
	if !strings.EqualFold(owner, r.owner()) {
		headCommit = ""
	}
	if err := r.refuses(spec, head, headCommit, baseCommit); err != nil {
		return 0, nil, err
	}
	r.lastPull++
	p := &pull{
		number: r.lastPull, title: spec.Title, body: spec.Body, author: c.login, head: head, base: spec.Base, draft: spec.Draft,
		headCommit: headCommit, baseCommit: baseCommit, created: s.now(), updated: s.now(), events: []string{"opened"},
	}
	r.pulls = append(r.pulls, p)
	return http.StatusCreated, r.whole(p), nil
}

// refuses is why a new pull request is not valid.
func (r *Repository) refuses(spec pullSpec, head, headCommit, baseCommit string) error {
	is := func(code, field, message string) error {
		return invalid(detail{Resource: "PullRequest", Code: code, Field: field, Message: message})
	}
	switch {
	case spec.Title == "":
		return is("missing_field", "title", "")
	case headCommit == "":
		return is("invalid", "head", "")
	case baseCommit == "":
		return is("invalid", "base", "")
	case slices.ContainsFunc(r.pulls, func(p *pull) bool { return p.open() && p.head == head && p.base == spec.Base }):
		return is("custom", "", "A pull request already exists for "+r.owner()+":"+head+".")
	case r.reaches(baseCommit, headCommit):
		return is("custom", "", "No commits between "+spec.Base+" and "+head)
	case spec.Draft && r.settings.NoDrafts:
		return &failure{status: http.StatusUnprocessableEntity, message: "Draft pull requests are not supported in this repository."}
	}
	return nil
}

func getPull(_ *Server, c *call, p *pull) (status int, body any, err error) {
	return http.StatusOK, c.repository.whole(p), nil
}

// pullEdit is what is to change in a pull request; nil stays.
type pullEdit struct{ Title, Body, State, Base *string }

func (e pullEdit) tooLong() error {
	var title, body string
	if e.Title != nil {
		title = *e.Title
	}
	if e.Body != nil {
		body = *e.Body
	}
	return cmp.Or(tooLong("PullRequest", "title", title, maxTitle), tooLong("PullRequest", "body", body, maxBody))
}

func editPull(s *Server, c *call, p *pull) (status int, body any, err error) {
	var spec pullEdit
	if err := c.decode(&spec); err != nil {
		return 0, nil, err
	}
	r := c.repository
	is := func(field, message string) error {
		return invalid(detail{Resource: "PullRequest", Code: "invalid", Field: field, Message: message})
	}
	if err := spec.tooLong(); err != nil {
		return 0, nil, err
	}
	switch {
	case spec.Base != nil && !p.open():
		return 0, nil, is("base", "Cannot change base branch of closed pull request")
	case spec.Base != nil && r.branch(*spec.Base) == "":
		return 0, nil, is("base", "")
	case spec.State != nil && *spec.State == "open" && !p.open() && (!p.mergedAt.IsZero() || r.branch(p.head) != p.headCommit):
		return 0, nil, is("state", "state cannot be changed. The "+p.head+" branch was force-pushed or recreated.")
	}
	for to, from := range map[*string]*string{&p.title: spec.Title, &p.body: spec.Body, &p.base: spec.Base} {
		if from != nil && *to != *from {
			*to, p.updated = *from, s.now()
			p.events = append(p.events, "edited")
		}
	}
	if spec.Base != nil {
		p.baseCommit = r.branch(p.base)
	}
	if spec.State != nil && (*spec.State == "open") != p.open() {
		r.setOpen(p, *spec.State == "open")
	}
	return http.StatusOK, r.whole(p), nil
}

func (r *Repository) setOpen(p *pull, open bool) {
	if open {
		p.closed, p.updated = time.Time{}, r.server.now()
		p.events = append(p.events, "reopened")
		return
	}
	p.close(r.server.now())
}

func mergePull(_ *Server, c *call, p *pull) (status int, body any, err error) {
	var spec struct {
		SHA    string `json:"sha"`
		Method string `json:"merge_method"`
	}
	if err := c.decode(&spec); err != nil {
		return 0, nil, err
	}
	r := c.repository
	if err := r.mayMerge(p, cmp.Or(spec.Method, "merge"), spec.SHA); err != nil {
		return 0, nil, err
	}
	if err := r.merge(p, cmp.Or(spec.Method, "merge"), c.login); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string]any{"sha": p.mergeCommit, "merged": true, "message": "Pull Request successfully merged"}, nil
}

func (r *Repository) mayMerge(p *pull, method, head string) error {
	no := func(text string) error { return &failure{status: http.StatusMethodNotAllowed, message: text} }
	switch {
	case !p.open():
		return no("Pull Request is not mergeable")
	case head != "" && head != p.headCommit:
		return &failure{status: http.StatusConflict, message: "Head branch was modified. Review and try the merge again."}
	case method == "merge" && !r.settings.AllowMerge:
		return no("Merge commits are not allowed on this repository.")
	case method == "squash" && !r.settings.AllowSquash:
		return no("Squash merges are not allowed on this repository.")
	case method == "rebase" && !r.settings.AllowRebase:
		return no("Rebase merges are not allowed on this repository.")
	}
	switch r.state(p) {
	case "draft":
		return no("Pull Request is still a draft")
	case "dirty":
		return no("Pull Request is not mergeable")
	case "blocked":
		return no(ruleText(r.violations(p)))
	}
	return nil
}

func listFiles(s *Server, c *call, p *pull) (status int, body any, err error) {
	files, err := c.repository.files(p)
	if err != nil {
		return 0, nil, err
	}
	const listed = 3000 // more are left out
	return http.StatusOK, page(s, c, files[:min(len(files), listed)]), nil
}

func users(logins []string) []user {
	return shown(logins, func(l string) user { return user{l} })
}

func teams(slugs []string) []map[string]string {
	return shown(slugs, func(s string) map[string]string { return map[string]string{"slug": s, "name": s} })
}

func requestReviewers(s *Server, c *call, p *pull) (status int, body any, err error) {
	var spec struct {
		Reviewers []string `json:"reviewers"`
		Teams     []string `json:"team_reviewers"`
	}
	if err := c.decode(&spec); err != nil {
		return 0, nil, err
	}
	r := c.repository
	no := func(text string) error { return &failure{status: http.StatusUnprocessableEntity, message: text} }
	for _, name := range append(slices.Clone(spec.Reviewers), spec.Teams...) {
		switch {
		case strings.EqualFold(name, p.author):
			return 0, nil, no("Review cannot be requested from pull request author.")
		case slices.ContainsFunc(r.settings.Strangers, same(name)):
			return 0, nil, no("Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the " + r.name + " repository.")
		}
	}
	for into, names := range map[*[]string][]string{&p.reviewers: spec.Reviewers, &p.teams: spec.Teams} {
		for _, name := range names {
			if !slices.ContainsFunc(*into, same(name)) {
				*into, p.updated = append(*into, name), s.now()
				p.events = append(p.events, "asked "+name)
			}
		}
	}
	return http.StatusCreated, r.whole(p), nil
}

func listReviews(s *Server, c *call, p *pull) (status int, body any, err error) {
	return http.StatusOK, shown(page(s, c, p.approvals), func(by string) any { return map[string]any{"state": "APPROVED", "user": user{by}} }), nil
}
