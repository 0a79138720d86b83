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
		"GET " + repository + "/pulls/{number}":                       getPull,
		"PATCH " + repository + "/pulls/{number}":                     editPull,
		"PUT " + repository + "/pulls/{number}/merge":                 mergePull,
		"GET " + repository + "/pulls/{number}/files":                 listFiles,
		"GET " + repository + "/pulls/{number}/reviews":               listReviews,
		"POST " + repository + "/pulls/{number}/requested_reviewers":  requestReviewers,
		"GET " + repository + "/issues/{number}/labels":               listIssueLabels,
		"POST " + repository + "/issues/{number}/labels":              addLabels,
		"DELETE " + repository + "/issues/{number}/labels/{name}":     removeLabel,
		"GET " + repository + "/issues/{number}/comments":             listComments,
		"POST " + repository + "/issues/{number}/comments":            createComment,
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
		"GET " + repository + "/releases/{id}":                        getRelease,
		"PATCH " + repository + "/releases/{id}":                      editRelease,
		"DELETE " + repository + "/releases/{id}":                     deleteRelease,
		"DELETE " + repository + "/releases/assets/{id}":              deleteAsset,
		"POST /api/uploads/repos/{owner}/{repo}/releases/{id}/assets": uploadAsset,
		"POST /api/graphql":                                           graphQL,
		"/":                                                           func(*Server, *call) (int, any, error) { return 0, nil, notFound() },
	} {
		mux.HandleFunc(pattern, s.handle(do))
	}
	return mux
}
