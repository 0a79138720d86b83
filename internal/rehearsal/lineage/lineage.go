// Package lineage says what every environment of a deployments repository runs:
// which change, since when, what is pending and why it waits. It reads cepler's
// state files in a repository on this machine.
package lineage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// Environment is one row: an environment of a deployment.
type Environment struct {
	Deployment, Name string
	// Version is the number of its record, 0 when nothing is recorded.
	Version uint64
	// Trigger is the commit that its state became complete with.
	Trigger string
	// Change is the newest change among its files; for an environment behind
	// another one the trigger is only the other one's record.
	Change Commit
	// Since is when the state was recorded.
	Since time.Time
	// Pending is what it would run next; nil when nothing is pending.
	Pending *deployments.Pending
	// Waits are the reasons why it does not get it, or what it looks out for.
	Waits []string
}

// Key is "deployment/environment".
func (e Environment) Key() string { return e.Deployment + "/" + e.Name }

// Commit is a commit as a person knows it.
type Commit struct{ Hash, Subject string }

// Reader reads one repository at one moment; what is slow is read once.
type Reader struct {
	repository *gittest.Repository
	ages       map[string]map[string]int // by branch: commit → 0 for the newest
	configs    map[string]*cepler.Config
}

// NewReader begins to read.
func NewReader(repository *gittest.Repository) *Reader {
	return &Reader{repository, map[string]map[string]int{}, map[string]*cepler.Config{}}
}

// Read looks at each source's environment, in the order of the sources, and at
// what comes next for it.
func (r *Reader) Read(ctx context.Context, sources []deployments.Source, now time.Time) ([]Environment, error) {
	rows := make([]Environment, 0, len(sources))
	for _, src := range sources {
		row, err := r.Recorded(src)
		if err == nil {
			err = r.Next(ctx, &row, src, now)
		}
		if err != nil {
			return nil, fmt.Errorf("what %s of %s runs: %w", src.Environment, src.ConfigPath(), err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Key is the source's "deployment/environment".
func (r *Reader) Key(src deployments.Source) (string, error) {
	config, err := r.config(src)
	if err != nil {
		return "", err
	}
	return Environment{Deployment: config.Deployment, Name: src.Environment}.Key(), nil
}

// Recorded is what the source's environment runs.
func (r *Reader) Recorded(src deployments.Source) (Environment, error) {
	config, err := r.config(src)
	if err != nil {
		return Environment{}, err
	}
	row := Environment{Deployment: config.Deployment, Name: src.Environment}
	state, err := r.state(src.Branch, config.StatePath(src.Environment))
	if err != nil || state == nil {
		return row, err
	}
	err = r.running(&row, src.Branch, config.StatePath(src.Environment), state)
	return row, err
}

func (r *Reader) config(src deployments.Source) (*cepler.Config, error) {
	key := src.Branch + ":" + src.ConfigPath()
	if c, ok := r.configs[key]; ok {
		return c, nil
	}
	text, err := r.repository.Show(src.Branch, src.ConfigPath())
	if err != nil {
		return nil, err
	}
	c, err := cepler.ParseConfig(src.ConfigPath(), []byte(text))
	if err != nil {
		return nil, err
	}
	r.configs[key] = c
	return c, nil
}

// state is nil when nothing was recorded yet.
func (r *Reader) state(branch, path string) (*cepler.State, error) {
	listed, err := r.repository.Git("ls-tree", "--name-only", branch, "--", path)
	if err != nil || listed == "" {
		return nil, err
	}
	text, err := r.repository.Show(branch, path)
	if err != nil {
		return nil, err
	}
	return cepler.ParseState(path, []byte(text))
}

// running fills in what is recorded.
func (r *Reader) running(row *Environment, branch, path string, state *cepler.State) error {
	row.Version, row.Trigger = state.Version, state.Current.Head
	change, err := r.newest(branch, state.Current)
	if err != nil {
		return err
	}
	row.Change = change
	stamps, err := r.repository.Log("%ct", "-1", branch, "--", path)
	if err != nil {
		return err
	}
	if len(stamps) == 0 {
		return errors.New("no commit has recorded it")
	}
	seconds, err := strconv.ParseInt(stamps[0], 10, 64)
	if err != nil {
		return fmt.Errorf("time of the record: %w", err)
	}
	row.Since = time.Unix(seconds, 0).UTC()
	return nil
}

// newest is the last change that the snapshot's files come from.
func (r *Reader) newest(branch string, s cepler.Snapshot) (Commit, error) {
	ages, ok := r.ages[branch]
	if !ok {
		hashes, err := r.repository.Log("%H", branch)
		if err != nil {
			return Commit{}, err
		}
		ages = make(map[string]int, len(hashes))
		for i, h := range hashes {
			ages[h] = i
		}
		r.ages[branch] = ages
	}
	var best Commit
	for _, key := range slices.Sorted(maps.Keys(s.Files)) {
		f := s.Files[key]
		age, known := ages[f.From]
		if was, ok := ages[best.Hash]; known && (!ok || age < was) {
			best = Commit{f.From, f.Message}
		}
	}
	return best, nil
}

// Next fills in what is pending, with the eyes of the resource itself.
func (r *Reader) Next(ctx context.Context, row *Environment, src deployments.Source, now time.Time) error {
	src.URI = r.repository.Dir // the same, without a server in between
	conn, err := deployments.Connect(src, "", func(string, ...any) {})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	refs, err := conn.Remote.Refs(ctx, src.RefNames()...)
	if err != nil {
		return err
	}
	view, err := conn.View(ctx, refs)
	if err != nil {
		return err
	}
	explained, err := conn.Explain(ctx, view, now, src.Environment)
	if err != nil {
		return err
	}
	report := explained.Environments[0]
	if report.Error != "" {
		return errors.New(report.Error)
	}
	row.Pending, row.Waits = report.Pending, report.Waits
	return nil
}

// State says in a word or two whether something comes next.
func (e Environment) State() string {
	switch {
	case len(e.Waits) > 0:
		return "waits"
	case e.Pending != nil:
		return "is pending"
	default:
		return "has nothing pending"
	}
}

// What is what comes next, or what it waits for; empty when there is nothing.
func (e Environment) What() string {
	if len(e.Waits) > 0 {
		return strings.Join(e.Waits, "; ")
	}
	if e.Pending != nil {
		return fmt.Sprintf("%.7s %s", e.Pending.Trigger, e.Pending.Subject)
	}
	return ""
}
