package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/board"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
)

// closing checks the repositories, and shows what every environment runs, back to the source.
func (p Play) closing(ctx context.Context, w *World, stage scenario.Stage, began time.Time) error {
	for _, name := range slices.Sorted(maps.Keys(w.repositories)) {
		if err := w.repositories[name].Fsck(); err != nil {
			return fmt.Errorf("the repository %s is damaged: %w", name, err)
		}
	}
	if stage.Deployments != "" {
		all, err := w.environments(ctx, p.Vars)
		if err != nil {
			return err
		}
		b, err := boardOf(ctx, stage, all)
		if err != nil {
			return err
		}
		if err := p.showBoard(w, b); err != nil {
			return err
		}
	}
	w.show.Line("")
	w.show.Line("done in %.1fs", time.Since(began).Seconds())
	return nil
}

// boardOf returns what every environment runs and where it comes from. An environment that a person has pinned says so.
func boardOf(ctx context.Context, stage scenario.Stage, all environments) (b *board.Board, err error) {
	o := board.Options{Options: stage.Lineage, Sources: all.sources, Name: stage.Deployments}
	o.Deployments = stage.Repositories[stage.Deployments].Dir
	o.Held = func(key string) (string, error) {
		r, name, err := stage.Pipelines.WithResource(all.resources[key])
		if err != nil {
			return "", err
		}
		if v := r.Pinned(name); v != nil {
			return "pinned to " + v.String(), nil
		}
		return "", nil
	}
	repository, err := board.Open(o, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, repository.Close()) }()
	refs, err := repository.Refs(ctx)
	if err != nil {
		return nil, err
	}
	return repository.Board(ctx, refs, time.Now())
}

// showBoard writes below the timeline what every environment runs, and the board as a page where that is asked for.
func (p Play) showBoard(w *World, b *board.Board) error {
	var text strings.Builder
	if err := b.Trace.TextIn(&text, w.show.Width()); err != nil {
		return err
	}
	w.show.Line("")
	for line := range strings.Lines(text.String()) {
		w.show.Line("%s", strings.TrimRight(line, "\n"))
	}
	if p.Page == "" {
		return nil
	}
	if err := b.WriteFile(p.Page); err != nil {
		return fmt.Errorf("rehearse: the page: %w", err)
	}
	w.show.Line("")
	w.show.Line("the board as a page: %s", p.Page)
	return nil
}
