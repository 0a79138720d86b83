// Semver-git is the program of the semver-git resource type; see the README two
// folders up.
package main

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
)

func main() { concourse.Main(semvergit.Resource{}) }
