// Package concourse is the protocol between Concourse and a resource type: it
// reads one JSON request from stdin, calls one method of a [Resource] and writes
// one JSON answer to stdout. A resource type never sees JSON, streams, signals
// or exit statuses. The protocol is described at
// https://concourse-ci.org/docs/resource-types/implementing/.
package concourse
