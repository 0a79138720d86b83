package github

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// theQuery is what Concourse's github-release resource asks for, at a server with an address of its own.
const theQuery = `query($releaseCursor:String$releasesCount:Int!$repositoryName:String!$repositoryOwner:String!){` +
	`repository(owner:$repositoryOwner,name:$repositoryName){` +
	`releases(first:$releasesCount, after: $releaseCursor, orderBy: {field: CREATED_AT, direction: DESC}){` +
	`edges{node{createdAt,publishedAt,id,isDraft,isPrerelease,name,tagName,url}},pageInfo{endCursor,hasNextPage}}}}`

// ask makes one request of the API and decodes the answer.
func ask(t *testing.T, s *Server, method, path string, body, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), method, s.BaseURL()+path, strings.NewReader(string(text)))
	require.NoError(t, err)
	response, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Less(t, response.StatusCode, 300, "%s %s", method, path)
	require.NoError(t, json.NewDecoder(response.Body).Decode(into))
}

type releasesAnswer struct {
	Errors []struct{ Type, Message string }
	Data   struct {
		Repository struct {
			Releases struct {
				Edges    []struct{ Node map[string]any }
				PageInfo struct {
					EndCursor   any
					HasNextPage bool
				}
			}
		}
	}
}

func TestReleasesByGraphQL(t *testing.T) {
	s, r := serve(t, Options{})
	for _, tag := range []string{"1.0.0", "1.1.0-rc.1", "1.1.0"} {
		var made map[string]any
		ask(t, s, http.MethodPost, "/api/v3/repos/team/code/releases", map[string]any{"tag_name": tag, "name": "v" + tag, "prerelease": strings.Contains(tag, "-")}, &made)
	}
	query := func(owner string, first int, after any) (answer releasesAnswer) {
		ask(t, s, http.MethodPost, "/api/graphql", map[string]any{"query": theQuery, "variables": map[string]any{
			"repositoryOwner": owner, "repositoryName": "code", "releasesCount": first, "releaseCursor": after,
		}}, &answer)
		return answer
	}
	one := query("team", 2, nil).Data.Repository.Releases
	require.Len(t, one.Edges, 2)
	assert.True(t, one.PageInfo.HasNextPage)
	two := query("team", 2, one.PageInfo.EndCursor).Data.Repository.Releases
	require.Len(t, two.Edges, 1)
	assert.False(t, two.PageInfo.HasNextPage)
	var tags []any
	for _, e := range append(one.Edges, two.Edges...) {
		tags = append(tags, e.Node["tagName"])
		assert.Len(t, e.Node, 8, "the fields of the query and no other: clients are strict")
		assert.NotContains(t, e.Node, "databaseId")
	}
	assert.Equal(t, []any{"1.1.0", "1.1.0-rc.1", "1.0.0"}, tags)
	assert.Equal(t, true, one.Edges[1].Node["isPrerelease"])
	assert.Equal(t, "MDc6UmVsZWFzZTE=", two.Edges[0].Node["id"], "release 1")
	assert.Equal(t, s.BaseURL()+"/team/code/releases/tag/1.0.0", two.Edges[0].Node["url"])

	assert.Equal(t, "NOT_FOUND", query("others", 2, nil).Errors[0].Type)
	assert.Equal(t, "EXCESSIVE_PAGINATION", query("team", 101, nil).Errors[0].Type)

	head, err := r.Git().RevParse("main")
	require.NoError(t, err)
	var ref struct{ Object struct{ SHA, Type string } }
	ask(t, s, http.MethodGet, "/api/v3/repos/team/code/git/ref/tags/1.0.0", nil, &ref)
	assert.Equal(t, head+" commit", ref.Object.SHA+" "+ref.Object.Type)
	_, err = r.Git().Git("tag", "-a", "-m", "annotated", "2.0.0", "main")
	require.NoError(t, err)
	ask(t, s, http.MethodGet, "/api/v3/repos/team/code/git/ref/tags/2.0.0", nil, &ref)
	assert.Equal(t, "tag", ref.Object.Type)
	ask(t, s, http.MethodGet, "/api/v3/repos/team/code/git/tags/"+ref.Object.SHA, nil, &ref)
	assert.Equal(t, head+" commit", ref.Object.SHA+" "+ref.Object.Type)
}
