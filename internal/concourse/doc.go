// Package concourse is the protocol between Concourse and a resource type: it
// reads one JSON request from stdin, calls one method of a [Resource] and writes
// one JSON answer to stdout. A resource type never sees JSON, streams, signals
// or exit statuses. The protocol is described at
// https://concourse-ci.org/docs/resource-types/implementing/.
//
// A program that calls [Main] carries Mozilla's certificate authorities and the
// time zones with it, so that it works in an empty image.
package concourse

import (
	_ "time/tzdata" // the time zones, for images without /usr/share/zoneinfo

	_ "golang.org/x/crypto/x509roots/fallback" // used only where the system has no authorities
)
