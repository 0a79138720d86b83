// Cepler-board is the program of the cepler-board resource type; see the README two
// folders up.
package main

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	ceplerboard "github.com/taxiway-ci/taxiway/resources/cepler-board"
)

func main() { concourse.Main(ceplerboard.Resource{}) }
