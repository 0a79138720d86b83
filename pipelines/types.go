package pipelines

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	cachixpaths "github.com/taxiway-ci/taxiway/resources/cachix-paths"
	ceplergate "github.com/taxiway-ci/taxiway/resources/cepler-gate"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
	ceplerout "github.com/taxiway-ci/taxiway/resources/cepler-out"
	chartbump "github.com/taxiway-ci/taxiway/resources/chart-bump"
	promoterc "github.com/taxiway-ci/taxiway/resources/promote-rc"
	pullrequestbuilds "github.com/taxiway-ci/taxiway/resources/pull-request-builds"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
	vendirbump "github.com/taxiway-ci/taxiway/resources/vendir-bump"
)

// OwnTypes says what the suite's resource types accept, taken from the programs' own types.
func OwnTypes() pipeline.Types {
	return pipeline.Types{
		"cachix-paths":        concourse.Describe(cachixpaths.Resource{}),
		"cepler-gate":         concourse.Describe(ceplergate.Resource{}),
		"cepler-in":           concourse.Describe(ceplerin.Resource{}),
		"cepler-out":          concourse.Describe(ceplerout.Resource{}),
		"chart-bump":          concourse.Describe(chartbump.Resource{}),
		"promote-rc":          concourse.Describe(promoterc.Resource{}),
		"pull-request-builds": concourse.Describe(pullrequestbuilds.Resource{}),
		"semver-git":          concourse.Describe(semvergit.Resource{}),
		"vendir-bump":         concourse.Describe(vendirbump.Resource{}),
	}
}
