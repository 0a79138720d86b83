// Package forge talks to GitHub, or to a GitHub Enterprise server, about one
// repository: pull requests that are kept up to date in place, labels, releases,
// commit statuses and comments.
//
// A [Forge] logs in with a token or as a GitHub App, waits for rate limits that
// end soon, tries again what failed for a passing reason, and turns every answer
// into an error that says what to do. The token goes to the API's own hosts only,
// wherever they redirect.
//
// See https://docs.github.com/en/rest. Tests run it against
// internal/standin/github, which answers as GitHub does.
package forge
