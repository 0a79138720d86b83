package github

import "net/http"

// routes are the requests that package forge makes, those of Concourse's github-release resource, and some of people's scripts.
func (s *Server) routes() http.Handler {
	const repository = "/api/v3/repos/{owner}/{repo}"
	mux := http.NewServeMux()
	for pattern, do := range map[string]route{
		"GET " + repository:                                           getRepository,
		"GET /api/v3/repos/{owner}/{repo}/installation":               getInstallation,
		"GET /api/v3/app/installations/{id}":                          getInstallationByID,
		"POST /api/v3/app/installations/{id}/access_tokens":           createToken,
		"DELETE /api/v3/installation/token":                           revokeToken,
		"GET " + repository + "/pulls":                                listPulls,
		"POST " + repository + "/pulls":                               createPull,
		"GET " + repository + "/pulls/{number}":                       on(aPull, getPull),
		"PATCH " + repository + "/pulls/{number}":                     on(aPull, editPull),
		"PUT " + repository + "/pulls/{number}/merge":                 on(aPull, mergePull),
		"GET " + repository + "/pulls/{number}/files":                 on(aPull, listFiles),
		"GET " + repository + "/pulls/{number}/reviews":               on(aPull, listReviews),
		"POST " + repository + "/pulls/{number}/requested_reviewers":  on(aPull, requestReviewers),
		"GET " + repository + "/issues/{number}/labels":               on(aPull, listIssueLabels),
		"POST " + repository + "/issues/{number}/labels":              on(aPull, addLabels),
		"DELETE " + repository + "/issues/{number}/labels/{name}":     on(aPull, removeLabel),
		"GET " + repository + "/issues/{number}/comments":             on(aPull, listComments),
		"POST " + repository + "/issues/{number}/comments":            on(aPull, createComment),
		"GET " + repository + "/labels":                               listLabels,
		"POST " + repository + "/labels":                              createLabel,
		"GET " + repository + "/labels/{name}":                        getLabel,
		"GET " + repository + "/git/ref/tags/{tag...}":                getTagRef,
		"GET " + repository + "/git/tags/{sha}":                       getTag,
		"GET " + repository + "/commits/{ref}/status":                 getStatus,
		"GET " + repository + "/commits/{ref}/statuses":               listStatuses,
		"POST " + repository + "/statuses/{ref}":                      createStatus,
		"GET " + repository + "/releases":                             listReleases,
		"POST " + repository + "/releases":                            createRelease,
		"GET " + repository + "/releases/latest":                      latestRelease,
		"GET " + repository + "/releases/{kind}/{rest...}":            getOfReleases,
		"GET " + repository + "/releases/{id}":                        on(aRelease, getRelease),
		"PATCH " + repository + "/releases/{id}":                      on(aRelease, editRelease),
		"DELETE " + repository + "/releases/{id}":                     on(aRelease, deleteRelease),
		"DELETE " + repository + "/releases/assets/{id}":              deleteAsset,
		"POST /api/uploads/repos/{owner}/{repo}/releases/{id}/assets": on(aRelease, uploadAsset),
		"POST /api/graphql":                                           graphQL,
		"/":                                                           func(*Server, *call) (int, any, error) { return 0, nil, notFound() },
	} {
		mux.HandleFunc(pattern, s.handle(do))
	}
	return mux
}

// on finds what the path of a request names before it answers.
func on[T any](find func(c *call) (T, error), do func(s *Server, c *call, found T) (int, any, error)) route {
	return func(s *Server, c *call) (int, any, error) {
		found, err := find(c)
		if err != nil {
			return 0, nil, err
		}
		return do(s, c, found)
	}
}

func aPull(c *call) (*pull, error) { return c.repository.find(c.number("number")) }

func aRelease(c *call) (*release, error) { return c.repository.release(c.number("id")) }
