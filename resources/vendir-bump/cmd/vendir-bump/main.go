// Vendir-bump is the program of the vendir-bump resource type; see the README two
// folders up.
package main

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	vendirbump "github.com/taxiway-ci/taxiway/resources/vendir-bump"
)

func main() { concourse.Main(vendirbump.Resource{}, vendirbump.Sync()) }
