package main

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	cachixpaths "github.com/taxiway-ci/taxiway/resources/cachix-paths"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
	ceplerout "github.com/taxiway-ci/taxiway/resources/cepler-out"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
)

// ownTypes says what the suite's resource types accept, taken from the programs' own types.
func ownTypes() pipeline.Types {
	return pipeline.Types{
		"cachix-paths": concourse.Describe(cachixpaths.Resource{}),
		"cepler-in":    concourse.Describe(ceplerin.Resource{}),
		"cepler-out":   concourse.Describe(ceplerout.Resource{}),
		"semver-git":   concourse.Describe(semvergit.Resource{}),
	}
}
