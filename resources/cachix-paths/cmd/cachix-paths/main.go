// Cachix-paths is the program of the cachix-paths resource type; see the README
// two folders up.
package main

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	cachixpaths "github.com/taxiway-ci/taxiway/resources/cachix-paths"
)

func main() { concourse.Main(cachixpaths.Resource{}, cachixpaths.Wait()) }
