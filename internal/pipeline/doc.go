// Package pipeline reads Concourse pipelines as data with line numbers and says what is wrong with them.
//
// Parse is strict: a key or a step kind that Concourse does not know is a finding with its line and the nearest known
// name. Lint adds what a server would only find out at run time: source and params that the resource programs refuse,
// files that no earlier step makes, images that are not pinned, secrets in plain text.
//
// The rules about names, steps and their combinations follow the Concourse server's own validator (packages atc and
// atc/configvalidate of github.com/concourse/concourse) and the reference at https://concourse-ci.org/docs/.
// The package knows neither resources nor the resource protocol; what our own types accept is handed to it as a Schema.
package pipeline
