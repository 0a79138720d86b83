// Package board is a page that shows what runs where, what waits and what changed: the chains of environments with their gates,
// what each environment runs and gets next, every record, and the way back to the source. It is one HTML file that needs
// nothing besides, or a server that makes it anew when the deployments repository moved.
//
// Everything on it is from git: states, records, gates files and, through lineage, charts, images and sources. What is not known
// is said to be unknown.
package board

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"sort"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/vendored"
)

// Board is what is shown at one moment.
type Board struct {
	// Name is what people call the deployments repository, Repository where it is, without credentials, and Web the address of its
	// page, "" without one.
	Name, Repository, Web string

	Branch      string
	Head        lineage.Commit
	At          time.Time
	Deployments []Deployment
	History     History
	// Until is when something on the board changes though nothing moves: a soak ends, a window opens. It is zero without such a time.
	Until time.Time
	// Trace is what the environments were read from.
	Trace *lineage.Trace
	// Fault says why a newer state could not be read; "" usually.
	Fault string
}

// Deployment is a chain of environments, or several of them.
type Deployment struct {
	Name         string
	Environments []Environment // each after the one that it must pass
}

// Environment is one card.
type Environment struct {
	lineage.Environment
	// Rollback is the rollback that the newest record is; nil for an ordinary record.
	Rollback *deployments.Rollback
	Dirty    bool
	Gate     Gate
	// Behind is what the environment before it has and this one does not have; nil without one.
	Behind *lineage.Difference
}

// Gate is what stands between an environment and the one before it.
type Gate struct {
	State GateState
	// At is the gate as it is written, "" without one. Commit is what it means.
	At     string
	Commit lineage.Commit
	// Rules are the rules beside it, in words, and Reason what the file says to those who wait.
	Rules  []string
	Reason string
	// Opens is the commit to which it would have to be opened; nil when it lets everything through.
	Opens *lineage.Commit
	// Moved says who moved it last; nil when that is not known.
	Moved *Move
}

// GateState is how a gate stands.
type GateState string

// The states of gates.
const (
	// gateNone says that there is no gate: what was deployed to the environment before may come.
	gateNone   GateState = "none"
	gateOpen   GateState = "open"
	GateClosed GateState = "closed"
	// gateTimed is open, and a rule waits for a time.
	gateTimed GateState = "timed"
	// gatePeople is open, and approvals are missing.
	gatePeople GateState = "people"
	GateFrozen GateState = "frozen"
)

// Move is a commit that moved a gate.
type Move struct {
	By       string
	When     time.Time
	Commit   lineage.Commit
	Gate     string
	Previous string
}

// Options say what to read.
type Options struct {
	lineage.Options

	Question lineage.Question
	// Sources are the environments to look at, for those who know them; none: those that are found.
	Sources []deployments.Source
	// Held says how a person holds an environment where it is, by deployment/name.
	Held func(key string) (string, error)
	// Name is what people call the repository; "": its address.
	Name string
	// Access is the way to the deployments repository, for one that needs credentials; it stands in for Deployments.
	Access git.Access
}

// maxGateMoves bounds the commits of the gates branch that are looked at.
const maxGateMoves = 2000

// read reads the board from a store and the refs that the repository has. Nothing else of the repository is looked at, so all of
// the board is of one moment.
func read(ctx context.Context, o Options) (_ *Board, err error) {
	reader := lineage.New(o.Options)
	defer func() { err = errors.Join(err, reader.Close()) }()
	sources, notes := o.Sources, []string(nil)
	if len(sources) == 0 {
		if sources, notes, err = reader.Sources(ctx, o.Question); err != nil {
			return nil, err
		}
	}
	records, err := recordsOf(ctx, reader, o.Store, sources)
	if err != nil {
		return nil, err
	}
	trace, err := reader.TraceOf(ctx, sources, o.Question.Now)
	if err != nil {
		return nil, err
	}
	if o.Held != nil {
		if err := hold(trace, o.Held); err != nil {
			return nil, err
		}
	}
	trace.NotAsked = append(notes, trace.NotAsked...)
	b := &Board{Repository: git.PublicAddress(reader.Address()), Branch: trace.Branch, Head: trace.Head, At: trace.At, Trace: trace}
	b.Web, b.Name = vendored.WebURL(b.Repository), cmp.Or(o.Name, title(b.Repository))
	trace.Repository = b.Name
	moves := map[string][]deployments.GateChange{}
	for _, look := range trace.Looks {
		d, err := deployment(ctx, reader, trace, look, moves)
		if err != nil {
			return nil, err
		}
		b.Deployments = append(b.Deployments, *d)
	}
	sort.Slice(b.Deployments, func(i, j int) bool {
		x, y := b.Deployments[i].Name, b.Deployments[j].Name
		return cmp.Or(cmp.Compare(strings.ToLower(x), strings.ToLower(y)), cmp.Compare(x, y)) < 0
	})
	b.Until = b.until()
	b.History, err = records.history(ctx, o.Store, trace.Looks[0].Repository, moves, b.At)
	return b, err
}

// hold says of environments how a person holds them.
func hold(trace *lineage.Trace, held func(key string) (string, error)) error {
	for i, e := range trace.Environments {
		how, err := held(e.Key())
		if err != nil {
			return err
		}
		trace.Environments[i].Held = how
	}
	return nil
}

// environments are those of all deployments, in the order of the chains.
func (b *Board) environments() iter.Seq[*Environment] {
	return func(yield func(*Environment) bool) {
		for _, d := range b.Deployments {
			for i := range d.Environments {
				if !yield(&d.Environments[i]) {
					return
				}
			}
		}
	}
}

// size is the number of environments.
func (b *Board) size() (n int) {
	for _, d := range b.Deployments {
		n += len(d.Environments)
	}
	return n
}

// until is the first time at which a reason to wait may end.
func (b *Board) until() (first time.Time) {
	for e := range b.environments() {
		if e.Until != nil && (first.IsZero() || e.Until.Before(first)) {
			first = *e.Until
		}
	}
	return first
}

// deployment adds to the trace of a config's environments what the board shows besides. Moves gets the moves of their gates.
func deployment(ctx context.Context, reader *lineage.Reader, trace *lineage.Trace, look lineage.Look, moves map[string][]deployments.GateChange) (*Deployment, error) {
	d := &Deployment{Name: reader.Deployment(look.View.Config)}
	var names []string
	for _, row := range trace.Environments {
		if row.Deployment == d.Name && row.Report != nil {
			names = append(names, row.Name)
		}
	}
	changes, err := look.GateHistory(ctx, look.View, names, maxGateMoves)
	if err != nil {
		return nil, err
	}
	rows := map[string]lineage.Environment{}
	for _, row := range trace.Environments {
		if row.Deployment != d.Name {
			continue
		}
		rows[row.Name] = row
		moves[row.Key()] = changes[row.Name]
		e, err := environment(ctx, look, row, changes[row.Name], trace.At)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", row.Key(), err)
		}
		if before, ok := rows[row.Passed]; ok && before.Version > 0 {
			if e.Behind, err = reader.Ahead(ctx, look, before, row); err != nil {
				return nil, fmt.Errorf("compare %s with %s: %w", row.Key(), row.Passed, err)
			}
		}
		d.Environments = append(d.Environments, e)
	}
	return d, nil
}

func environment(ctx context.Context, look lineage.Look, row lineage.Environment, changes []deployments.GateChange, now time.Time) (Environment, error) {
	e := Environment{Environment: row, Gate: Gate{State: gateNone}}
	if row.Report == nil || row.Report.Plan == nil {
		return e, ctx.Err()
	}
	plan := row.Report.Plan
	if plan.Own != nil {
		e.Dirty = plan.Own.Current.AnyDirty
		var err error
		if e.Rollback, err = look.RolledBack(ctx, look.View, row.Name, plan.Own); err != nil {
			return e, err
		}
	}
	if look.View.Gates == nil {
		return e, nil
	}
	err := e.gate(ctx, look, changes, now)
	return e, err
}
