package github

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// graphQL answers the queries and mutations of package forge and of Concourse's github-release resource.
func graphQL(s *Server, c *call) (status int, body any, err error) {
	var request struct {
		Query     string                     `json:"query"`
		Variables map[string]json.RawMessage `json:"variables"`
	}
	if err := c.decode(&request); err != nil {
		return 0, nil, err
	}
	if strings.Contains(request.Query, "releases(") {
		return http.StatusOK, s.queryReleases(c, request.Query, request.Variables), nil
	}
	var input mutation
	if err := json.Unmarshal([]byte(cmp.Or(string(request.Variables["input"]), "{}")), &input); err != nil {
		return 0, nil, err
	}
	body, err = s.mutate(c, request.Query, input)
	return http.StatusOK, body, err
}

// mutation is the input of a change of a pull request.
type mutation struct {
	Pull   string `json:"pullRequestId"`
	Method string `json:"mergeMethod"`
	Head   string `json:"expectedHeadOid"`
}

func (s *Server) mutate(c *call, query string, input mutation) (any, error) {
	r, p := s.byNode(input.Pull)
	if p == nil {
		return graphError("NOT_FOUND", "Could not resolve to a node with the global id of '"+input.Pull+"'"), nil
	}
	if err := r.refresh(); err != nil {
		return nil, err
	}
	switch {
	case strings.Contains(query, "enablePullRequestAutoMerge("):
		method := cmp.Or(strings.ToLower(input.Method), "merge")
		if why := r.noAutoMerge(p, method, input.Head); why != "" {
			return graphError("UNPROCESSABLE", "Pull request "+why), nil
		}
		p.auto, p.autoBy, p.updated = method, c.login, s.now()
		p.events = append(p.events, "auto-merge")
	case strings.Contains(query, "convertPullRequestToDraft("):
		if r.settings.NoDrafts {
			return graphError("UNPROCESSABLE", "Draft pull requests are not supported in this repository."), nil
		}
		p.draft, p.updated = true, s.now()
	case strings.Contains(query, "markPullRequestReadyForReview("):
		p.draft, p.updated = false, s.now()
	default:
		return graphError("undefinedField", "Field doesn't exist on type 'Mutation'"), nil
	}
	return json.RawMessage(`{"data":{}}`), nil
}

func (s *Server) byNode(node string) (*Repository, *pull) {
	for _, r := range s.repositories {
		for _, p := range r.pulls {
			if r.node(p) == node {
				return r, p
			}
		}
	}
	return nil, nil
}

func (r *Repository) noAutoMerge(p *pull, method, head string) string {
	switch {
	case !r.settings.AllowAutoMerge:
		return "Auto merge is not allowed for this repository"
	case method == "merge" && !r.settings.AllowMerge, method == "squash" && !r.settings.AllowSquash, method == "rebase" && !r.settings.AllowRebase:
		return "Merge method " + method + " merging is not allowed on this repository"
	case !p.open():
		return "is closed"
	case head != "" && head != p.headCommit:
		return "Head sha is out of date"
	}
	switch state := r.state(p); state {
	case "clean", "unstable", "has_hooks":
		return "Pull request is in " + state + " status"
	case "draft":
		return "Pull request is in draft"
	}
	return ""
}

func graphError(kind, message string) any {
	return map[string]any{"data": nil, "errors": []any{map[string]any{"type": kind, "message": message}}}
}

// queryReleases answers repository(owner, name){releases(first, after)}, newest first, with the fields that the query names.
func (s *Server) queryReleases(c *call, query string, variables map[string]json.RawMessage) any {
	arguments := map[string]any{}
	for _, m := range regexp.MustCompile(`(\w+)\s*:\s*\$(\w+)`).FindAllStringSubmatch(query, -1) {
		var value any
		if json.Unmarshal(variables[m[2]], &value) != nil {
			return graphError("missingRequiredVariable", "Variable $"+m[2]+" was not provided")
		}
		arguments[m[1]] = value
	}
	owner, _ := arguments["owner"].(string)
	name, _ := arguments["name"].(string)
	r, hidden := s.see(c.Request, owner+"/"+name)
	if hidden != nil {
		return graphError("NOT_FOUND", "Could not resolve to a Repository with the name '"+owner+"/"+name+"'.")
	}
	first, _ := arguments["first"].(float64)
	after, _ := arguments["after"].(string)
	if first < 1 || first > maxPages {
		return graphError("EXCESSIVE_PAGINATION", "first must be between 1 and 100")
	}
	from := 1 + slices.IndexFunc(r.releases, func(l *release) bool { return l.cursor() == after })
	to := min(len(r.releases), from+int(first))
	words := strings.FieldsFunc(query, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	edges, nodes, end := []any{}, []any{}, any(nil)
	for _, l := range r.releases[from:to] {
		node := r.releaseNode(l)
		maps.DeleteFunc(node, func(field string, _ any) bool { return !slices.Contains(words, field) })
		edges, nodes, end = append(edges, map[string]any{"node": node}), append(nodes, node), l.cursor()
	}
	connection := map[string]any{"pageInfo": map[string]any{"endCursor": end, "hasNextPage": to < len(r.releases)}}
	if slices.Contains(words, "edges") {
		connection["edges"] = edges
	} else {
		connection["nodes"] = nodes
	}
	return map[string]any{"data": map[string]any{"repository": map[string]any{"releases": connection}}}
}

// cursor says where a release is in the list of releases.
func (l *release) cursor() string { return "cursor:" + strconv.FormatInt(l.id, 10) }

// releaseNode has all fields of a release that queries ask for. Its global id is of the older form, from which clients take the
// number of the release.
func (r *Repository) releaseNode(l *release) map[string]any {
	id := "07:Release" + strconv.FormatInt(l.id, 10)
	return map[string]any{
		"id": base64.StdEncoding.EncodeToString([]byte(id)), "databaseId": l.id, "tagName": l.tag, "name": l.title, "description": l.body,
		"isDraft": l.draft, "isPrerelease": l.prerelease, "createdAt": l.created, "publishedAt": nullable(l.published),
		"url": r.server.webURL(r.name, "releases", "tag", l.tag),
	}
}
