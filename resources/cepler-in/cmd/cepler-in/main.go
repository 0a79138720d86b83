// Cepler-in is the program of the cepler-in resource type; see the README two
// folders up.
package main

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
)

func main() { concourse.Main(ceplerin.Resource{}, ceplerin.Explain()) }
