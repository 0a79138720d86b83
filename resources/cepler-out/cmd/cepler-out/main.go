// Cepler-out is the program of the cepler-out resource type; see the README two
// folders up.
package main

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	ceplerout "github.com/taxiway-ci/taxiway/resources/cepler-out"
)

func main() { concourse.Main(ceplerout.Resource{}) }
