package main

import (
	"path/filepath"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/pipelines"
)

// resourceProgram is the main function that this program was started for, as TYPE/opt/resource/check, in or out. It contains those
// of all resource types, so that a rehearsal needs neither the source nor the images of the suite.
func resourceProgram(started string) (program func(), ok bool) {
	verbs := []rehearsal.Verb{rehearsal.Check, rehearsal.In, rehearsal.Out}
	if !slices.Contains(verbs, rehearsal.Verb(filepath.Base(started))) {
		return nil, false
	}
	folder := filepath.Dir(filepath.Dir(filepath.Dir(started)))
	p, ok := pipelines.Programs()[filepath.Base(folder)]
	return p.Main, ok
}
