// Package types has stand-ins for the resource types and tasks of others that
// the suite's pipelines use: git, registry-image, github-release, pull-request,
// time, a chat notification, and the task that builds OCI images. Each does on
// this machine what its documentation says, as far as the pipelines use it. A
// key that it does not know is an error: leaving it out would let a pipeline
// pass that means something else on a server.
package types
