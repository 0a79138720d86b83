package world

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// complete is an error that names every reference of the pipelines that has no value and needs one here, with a file of values to
// begin with.
func (p Play) complete(parsed []*pipeline.Pipeline) error {
	known := pipeline.Vars(p.Vars)
	missing := map[string]pipeline.Ref{}
	for _, one := range parsed {
		for _, ref := range needed(one) {
			if _, ok := known(ref); !ok {
				missing[ref.String()] = ref
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(missing))
	values := map[string]any{}
	for _, name := range names {
		put(values, missing[name])
	}
	example, err := yaml.Marshal(values)
	if err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	return fmt.Errorf("rehearse: these ((references)) have no value: %s; give each a value that the tasks can work with in a file, and name the file with --vars:\n\n%s",
		strings.Join(names, ", "), strings.TrimRight(string(example), "\n"))
}

// put writes a value for a reference: under its name, or below it for a field.
func put(values map[string]any, ref pipeline.Ref) {
	path := append([]string{ref.Path}, ref.Fields...)
	for _, name := range path[:len(path)-1] {
		inner, ok := values[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			values[name] = inner
		}
		values = inner
	}
	if last := path[len(path)-1]; values[last] == nil {
		values[last] = "rehearsed"
	}
}

// needed are the references that a rehearsal must fill in: those of steps, and those of sources without the credentials of what is
// replaced, see [World.local].
func needed(p *pipeline.Pipeline) []pipeline.Ref {
	refs := rehearsal.Refs(p)
	for _, r := range p.Resources {
		sources := []pipeline.Value{r.Source}
		if t, ok := p.ResourceType(r.Type); ok {
			sources = append(sources, t.Defaults)
		}
		for _, source := range sources {
			for _, f := range source.Fields() {
				refs = append(refs, neededOf(imageOf(p, r.Type), f)...)
			}
		}
	}
	return slices.DeleteFunc(refs, pipeline.Ref.Local)
}

// neededOf are the references of one key of a source.
func neededOf(image string, f pipeline.Field) []pipeline.Ref {
	switch {
	case slices.Contains(credentialKeys(), f.Name):
		return nil
	case f.Name == "github":
		return f.Value.Field("repository").Refs()
	case f.Name == "repositories":
		var refs []pipeline.Ref
		for _, entry := range f.Value.Items() {
			refs = append(refs, append(entry.Field("uri").Refs(), entry.Field("address").Refs()...)...)
		}
		return refs
	case image == cachixPaths && slices.Contains([]string{"cache", "url", "public_keys"}, f.Name):
		return nil
	}
	return f.Value.Refs()
}
