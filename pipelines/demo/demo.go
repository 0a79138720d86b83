// Package demo has what `go run ./pipelines demo` plays: a scenario, the values
// of its variables, and a deployments repository of realistic size and shape
// that is made anew each time, always the same.
package demo

import (
	_ "embed"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
)

//go:embed scenario.yml
var scenarioText []byte

//go:embed vars.yml
var varsText []byte

//go:embed tools/nix.sh
var nixText string

//go:embed tools/cachix.sh
var cachixText string

// Tools are what stand-ins for programs do in the demo, as shell scripts by the
// program's name. Host and port are where builds ask for their store paths.
func Tools(host, port string) map[string]string {
	return map[string]string{"nix": strings.NewReplacer("@HOST@", host, "@PORT@", port).Replace(nixText), "cachix": cachixText}
}

// Scenario is the play.
func Scenario() (*scenario.Scenario, error) {
	return scenario.Parse("pipelines/demo/scenario.yml", scenarioText)
}

// Vars are the values of the pipeline's ((references)).
func Vars() (map[string]any, error) {
	vars := map[string]any{}
	if err := yaml.Unmarshal(varsText, &vars); err != nil {
		return nil, fmt.Errorf("pipelines/demo/vars.yml: %w", err)
	}
	return vars, nil
}

// Before is the name of the commit that lana-bank runs when the play begins.
const Before = "before"
