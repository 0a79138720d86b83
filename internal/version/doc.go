// Package version decides what a release is called. It knows semantic versions
// (https://semver.org/spec/v2.0.0.html), the bumps of the Concourse type that
// keeps one, conventional commits
// (https://www.conventionalcommits.org/en/v1.0.0/) with cocogitto's rules, and
// writes release notes and changelogs.
//
// It is pure: commits and tags are handed in, and texts are handed out.
package version
