// Cepler-gate is the program of the cepler-gate resource type; see the README two
// folders up.
package main

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	ceplergate "github.com/taxiway-ci/taxiway/resources/cepler-gate"
)

func main() { concourse.Main(ceplergate.Resource{}) }
