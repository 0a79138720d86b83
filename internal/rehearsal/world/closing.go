package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
)

// closing checks the repositories, and shows what every environment runs, back to the source.
func (p Play) closing(ctx context.Context, w *World, stage scenario.Stage, resources map[string]string, began time.Time) error {
	for _, name := range slices.Sorted(maps.Keys(w.repositories)) {
		if err := w.repositories[name].Fsck(); err != nil {
			return fmt.Errorf("the repository %s is damaged: %w", name, err)
		}
	}
	if stage.Deployments != "" {
		trace, err := traceOf(ctx, stage, resources)
		if err != nil {
			return err
		}
		if err := p.showTrace(w, trace); err != nil {
			return err
		}
	}
	w.show.Line("")
	w.show.Line("done in %.1fs", time.Since(began).Seconds())
	return nil
}

// traceOf returns what every environment runs and where it comes from. An environment that a person has pinned says so.
func traceOf(ctx context.Context, stage scenario.Stage, resources map[string]string) (trace *lineage.Trace, err error) {
	o := stage.Lineage
	o.Deployments = stage.Repositories[stage.Deployments].Dir
	reader := lineage.New(o)
	defer func() { err = errors.Join(err, reader.Close()) }()
	if trace, err = reader.TraceOf(ctx, stage.Sources, time.Now()); err != nil {
		return nil, err
	}
	trace.Repository = stage.Deployments
	for i, row := range trace.Environments {
		r, name, err := stage.Pipelines.WithResource(resources[row.Key()])
		if err != nil {
			return nil, err
		}
		if v := r.Pinned(name); v != nil {
			trace.Environments[i].Held = "pinned to " + v.String()
		}
	}
	return trace, nil
}

// showTrace writes the trace below the timeline, and as a page where that is asked for.
func (p Play) showTrace(w *World, trace *lineage.Trace) error {
	var text strings.Builder
	if err := trace.TextIn(&text, w.show.Width()); err != nil {
		return err
	}
	w.show.Line("")
	for line := range strings.Lines(text.String()) {
		w.show.Line("%s", strings.TrimRight(line, "\n"))
	}
	if p.Page == "" {
		return nil
	}
	file, err := os.Create(p.Page)
	if err != nil {
		return fmt.Errorf("rehearse: the page: %w", err)
	}
	if err := errors.Join(trace.HTML(file), file.Close()); err != nil {
		return fmt.Errorf("rehearse: the page: %w", err)
	}
	w.show.Line("")
	w.show.Line("the same as a page: %s", p.Page)
	return nil
}
