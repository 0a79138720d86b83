// Package workflow reads workflows of GitHub Actions: what is unsafe in one that runs for pull requests, which required check
// of a ruleset none of them reports, and what their expressions come to.
package workflow
