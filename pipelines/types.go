package pipelines

import (
	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	cachixpaths "github.com/taxiway-ci/taxiway/resources/cachix-paths"
	ceplerboard "github.com/taxiway-ci/taxiway/resources/cepler-board"
	ceplergate "github.com/taxiway-ci/taxiway/resources/cepler-gate"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
	ceplerout "github.com/taxiway-ci/taxiway/resources/cepler-out"
	chartbump "github.com/taxiway-ci/taxiway/resources/chart-bump"
	promoterc "github.com/taxiway-ci/taxiway/resources/promote-rc"
	pullrequestbuilds "github.com/taxiway-ci/taxiway/resources/pull-request-builds"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
	vendirbump "github.com/taxiway-ci/taxiway/resources/vendir-bump"
)

// Program is a resource type of the suite: what it accepts, and its main function.
type Program struct {
	Describe func() concourse.Schema
	Main     func()
}

// Programs are the resource types of the suite, by name.
func Programs() map[string]Program {
	return map[string]Program{
		"cachix-paths":        program(cachixpaths.Resource{}),
		"cepler-board":        program(ceplerboard.Resource{}),
		"cepler-gate":         program(ceplergate.Resource{}),
		"cepler-in":           program(ceplerin.Resource{}),
		"cepler-out":          program(ceplerout.Resource{}),
		"chart-bump":          program(chartbump.Resource{}),
		"promote-rc":          program(promoterc.Resource{}),
		"pull-request-builds": program(pullrequestbuilds.Resource{}),
		"semver-git":          program(semvergit.Resource{}),
		"vendir-bump":         program(vendirbump.Resource{}),
	}
}

func program[S concourse.Source, V, G, P any](r concourse.Resource[S, V, G, P]) Program {
	return Program{func() concourse.Schema { return concourse.Describe(r) }, func() { concourse.Main(r) }}
}

// OwnTypes says what the suite's resource types accept, taken from the programs' own types.
func OwnTypes() pipeline.Types {
	types := pipeline.Types{}
	for name, p := range Programs() {
		types[name] = p.Describe()
	}
	return types
}
