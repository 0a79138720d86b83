package main

import (
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/strict"
)

// varFlags are fly's flags for the values of ((vars)).
type varFlags struct{ files, vars []string }

func (f *varFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.files, "load-vars-from", nil, "YAML file with values of ((vars)), as for fly; may be repeated")
	cmd.Flags().StringArrayVar(&f.vars, "var", nil, "NAME=VALUE of a ((var)), as for fly; may be repeated")
}

// lookup has the values; nil without any.
func (f *varFlags) lookup() (pipeline.Lookup, error) {
	if len(f.files)+len(f.vars) == 0 {
		return nil, nil //nolint:nilnil // documented
	}
	all := map[string]any{}
	for _, file := range f.files {
		text, err := strict.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--load-vars-from: %w", err)
		}
		values := map[string]any{}
		if err := strict.YAML(text, &values); err != nil {
			return nil, fmt.Errorf("--load-vars-from %s, which must be a mapping of names to values: %w", file, err)
		}
		maps.Copy(all, values)
	}
	for _, given := range f.vars {
		name, value, ok := strings.Cut(given, "=")
		if !ok || name == "" {
			return nil, usagef("--var %s: write NAME=VALUE", given)
		}
		set(all, strings.Split(name, "."), value)
	}
	return pipeline.Vars(all), nil
}

// set gives a dotted name its value, as fly does.
func set(values map[string]any, name []string, value string) {
	if len(name) == 1 {
		values[name[0]] = value
		return
	}
	inner, ok := values[name[0]].(map[string]any)
	if !ok {
		inner = map[string]any{}
		values[name[0]] = inner
	}
	set(inner, name[1:], value)
}
