// Cepler-in is the program of the cepler-in resource type; see the README two
// folders up.
package main

import (
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"

	"github.com/taxiway-ci/taxiway/internal/concourse"
)

func main() { concourse.Main(ceplerin.Resource{}, ceplerin.Explain()) }
