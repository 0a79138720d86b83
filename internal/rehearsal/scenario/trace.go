package scenario

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// lineage begins to read the deployments.
func (s Stage) lineage(repository *gittest.Repository) *lineage.Reader {
	o := s.Lineage
	o.Deployments = repository.Dir
	return lineage.New(o)
}

// traces compares where what the environments run comes from.
func (p player) traces(ctx context.Context, v *verdict, e Expect, w watch) error {
	for _, key := range slices.Sorted(maps.Keys(e.Traces)) {
		src, ok := w.sources[key]
		if !ok {
			return w.unknown(key)
		}
		rows, _, err := w.reader.Read(ctx, []deployments.Source{src}, p.stage.Now())
		if err != nil {
			return err
		}
		if err := p.traced(v, key, e.Traces[key], rows[0]); err != nil {
			return err
		}
	}
	return nil
}

func (p player) traced(v *verdict, key string, want Traced, row lineage.Environment) error {
	chart, err := p.named(want.Chart)
	if err != nil {
		return err
	}
	source, err := p.named(want.Source)
	if err != nil {
		return err
	}
	for _, broken := range row.Runs.AllBroken() {
		v.add("what %s runs cannot be traced: %s", key, broken)
	}
	charts, images := 0, 0
	for _, c := range row.Runs.Charts {
		if c.Vendored == nil {
			continue
		}
		charts++
		if got := c.Vendored.Commit; chart != "" && got.Hash != chart {
			v.add("%s runs chart commit %.7s %s, and should run %.7s (%s)", key, got.Hash, got.Subject, chart, want.Chart)
		}
		for _, i := range c.Images {
			images++
			switch {
			case i.Source == nil:
				v.add("nothing says what %s of %s was built from", i.Path, key)
			case source != "" && i.Source.Commit.Hash != source:
				v.add("%s of %s was built from %.7s, and should be from %.7s (%s)", i.Path, key, i.Source.Commit.Hash, source, want.Source)
			case want.Release != "" && !slices.Contains(i.Source.Releases, want.Release):
				v.add("%s of %s is of the releases %q, and should be of %s", i.Path, key, i.Source.Releases, want.Release)
			}
		}
	}
	if charts == 0 || images == 0 {
		v.add("%s runs %d vendored charts with %d images: there is nothing to trace", key, charts, images)
	}
	return nil
}

// named is the commit of that name; "" for no name.
func (p player) named(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	hash, ok := p.commits[name]
	if !ok {
		return "", fmt.Errorf("expect traces: no commit has the name %q", name)
	}
	return hash, nil
}
