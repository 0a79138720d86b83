package main

import (
	"path/filepath"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
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

// resourcePrograms are the main functions of the resource types. This program contains them all, so that a rehearsal needs
// neither the source nor the images of the suite.
func resourcePrograms() map[string]func() {
	return map[string]func(){
		"cachix-paths":        func() { concourse.Main(cachixpaths.Resource{}) },
		"cepler-gate":         func() { concourse.Main(ceplergate.Resource{}) },
		"cepler-in":           func() { concourse.Main(ceplerin.Resource{}) },
		"cepler-out":          func() { concourse.Main(ceplerout.Resource{}) },
		"chart-bump":          func() { concourse.Main(chartbump.Resource{}) },
		"promote-rc":          func() { concourse.Main(promoterc.Resource{}) },
		"pull-request-builds": func() { concourse.Main(pullrequestbuilds.Resource{}) },
		"semver-git":          func() { concourse.Main(semvergit.Resource{}) },
		"vendir-bump":         func() { concourse.Main(vendirbump.Resource{}) },
	}
}

// resourceProgram is the program that this one was started as: TYPE/opt/resource/check, in or out.
func resourceProgram(started string) (program func(), ok bool) {
	verbs := []rehearsal.Verb{rehearsal.Check, rehearsal.In, rehearsal.Out}
	if !slices.Contains(verbs, rehearsal.Verb(filepath.Base(started))) {
		return nil, false
	}
	folder := filepath.Dir(filepath.Dir(filepath.Dir(started)))
	program, ok = resourcePrograms()[filepath.Base(folder)]
	return program, ok
}
