package resources_test

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/taxiway-ci/taxiway/internal/concourse"
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

// TestMain puts the programs of all resource types on the PATH.
func TestMain(m *testing.M) {
	programs := map[string]func(){}
	for name, typ := range resourceTypes() {
		programs[name] = typ.program
	}
	testscript.Main(m, programs)
}

// resourceType is one of the ten.
type resourceType struct {
	schema  concourse.Schema
	program func()                                               // the whole program
	run     func(t *testing.T, p concourse.Process) (status int) // a run of it in this process
}

func typeOf[S concourse.Source, V, G, P any](r concourse.Resource[S, V, G, P]) resourceType {
	return resourceType{concourse.Describe(r), func() { concourse.Main(r) }, putTo(r)}
}

func resourceTypes() map[string]resourceType {
	return map[string]resourceType{
		"cachix-paths":        typeOf(cachixpaths.Resource{}),
		"cepler-board":        typeOf(ceplerboard.Resource{}),
		"cepler-gate":         typeOf(ceplergate.Resource{}),
		"cepler-in":           typeOf(ceplerin.Resource{}),
		"cepler-out":          typeOf(ceplerout.Resource{}),
		"chart-bump":          typeOf(chartbump.Resource{}),
		"promote-rc":          typeOf(promoterc.Resource{}),
		"pull-request-builds": typeOf(pullrequestbuilds.Resource{}),
		"semver-git":          typeOf(semvergit.Resource{}),
		"vendir-bump":         typeOf(vendirbump.Resource{}),
	}
}
