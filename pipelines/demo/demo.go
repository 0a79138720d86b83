// Package demo has what `go run ./pipelines/taxiway demo` plays: a scenario, the values
// of its variables, and a deployments repository of realistic size and shape
// that is made anew each time, always the same.
package demo

import (
	_ "embed"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
)

//go:embed scenario.yml
var scenarioText []byte

//go:embed vars.yml
var varsText []byte

// Tools are programs of the checks that stand-ins replace.
func Tools() []string { return []string{"go", "pnpm"} }

// Acts returns what stand-ins for programs do in the demo besides, as shell
// scripts by the program's name.
func Acts() map[string]string {
	return map[string]string{"nix": `if [ "$verb$targets" = "run generate-docs" ]; then
  mkdir -p "$1/docs-site"
  echo "# The API of ${VERSION:-dev}" >"$1/docs-site/api.md"
fi
if [ "$verb$targets" = "run nextest" ] && grep -q 'daily(principal) - 1' lana/interest.rs; then
  echo "test interest::tests::accrues_daily ... FAILED: left 99, right 100" >&2
  exit 1
fi`}
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
