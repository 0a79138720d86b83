// Chart-bump is the program of the chart-bump resource type; see the README two
// folders up.
package main

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	chartbump "github.com/taxiway-ci/taxiway/resources/chart-bump"
)

func main() { concourse.Main(chartbump.Resource{}, chartbump.Edit()) }
