// Promote-rc is the program of the promote-rc resource type; see the README two
// folders up.
package main

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	promoterc "github.com/taxiway-ci/taxiway/resources/promote-rc"
)

func main() { concourse.Main(promoterc.Resource{}) }
