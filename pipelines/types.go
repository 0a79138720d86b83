package main

import "github.com/taxiway-ci/taxiway/internal/pipeline"

// ownTypes says what the suite's resource types accept, taken from the programs' own types.
func ownTypes() pipeline.Types {
	return pipeline.Types{}
}
