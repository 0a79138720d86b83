// Pull-request-builds is the program of the pull-request-builds resource type;
// see the README two folders up.
package main

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	builds "github.com/taxiway-ci/taxiway/resources/pull-request-builds"
)

func main() { concourse.Main(builds.Resource{}) }
