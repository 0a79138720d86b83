package deployments

import (
	"context"
	"fmt"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// Note is one line that people see beside a version.
type Note struct{ Name, Value string }

// maxNotes bounds the changed files that are listed one by one.
const maxNotes = 50

// Describe says what a version is: where it comes from and what it changes. web is the repository's page at a forge, "" without
// one.
func (r *Repository) Describe(ctx context.Context, v *Restored, web string) ([]Note, error) {
	notes := []Note{
		{"environment", v.Environment.Name},
		{"trigger", fmt.Sprintf("%s %s", short(v.Trigger.Hash), subject(v.Trigger))},
	}
	if v.Upstream != "" {
		notes = append(notes, Note{"passed", fmt.Sprintf("%s #%d", v.Upstream, v.UpstreamVersion)})
	}
	before, err := r.takenBackBy(ctx, v)
	if err != nil {
		r.logf("whether this version takes anything back is not known: %v", err)
	}
	if before != nil {
		notes = append(notes, Note{"rollback", "takes back " + before.what})
		return r.describeChanges(ctx, v, before.state, web, notes)
	}
	state, err := r.StateAt(ctx, v.Trigger, v.Config.StatePath(v.Environment.Name))
	if isBroken(err) || (err == nil && state == nil) {
		return append(notes, Note{"files", fmt.Sprintf("%d, the first deployment", len(v.content.Files))}), nil
	}
	if err != nil {
		return nil, err
	}
	return r.describeChanges(ctx, v, state, web, notes)
}

func (r *Repository) describeChanges(ctx context.Context, v *Restored, before *cepler.State, web string, notes []Note) ([]Note, error) {
	if was, is := before.Current.Head, v.Version.Trigger; web != "" && was != "" && was != is {
		notes = append(notes, Note{"compare", web + "/compare/" + was + "..." + is})
	}
	changed, err := r.ChangeNotes(ctx, v, cepler.Diff(&before.Current, v.content.Snapshot))
	return append(notes, changed...), err
}

// takenState is what runs, and what the environment goes without once a version replaces that.
type takenState struct {
	state *cepler.State
	what  string
}

// takenBackBy says what the version takes back if it is deployed now; nil for an ordinary version.
func (r *Repository) takenBackBy(ctx context.Context, v *Restored) (*takenState, error) {
	head, err := r.head(ctx)
	if err != nil {
		return nil, err
	}
	p := v.Config.StatePath(v.Environment.Name)
	own, err := r.StateAt(ctx, head, p)
	if err != nil || own == nil {
		return nil, err
	}
	next := v.content.Snapshot
	next.Head = v.Version.Trigger
	if next.Head == own.Current.Head && next.PropagatedHead == own.Current.PropagatedHead {
		return nil, nil //nolint:nilnil // what runs
	}
	of, err := r.takes(ctx, head, p, own, next, v.Version.number())
	if err != nil || of == 0 {
		return nil, err
	}
	taken, err := r.numbered(ctx, head, p, of)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("#%d, %.7s %s", of, taken.Current.Head, r.subjectOf(ctx, taken.Current.Head))
	return &takenState{own, strings.TrimSpace(what)}, nil
}

// ChangeNotes is a line for each changed file, with the commit that changed it.
func (r *Repository) ChangeNotes(ctx context.Context, v *Restored, changes []cepler.Change) ([]Note, error) {
	if err := r.nameOrigins(ctx, v, changes); err != nil {
		return nil, err
	}
	notes := make([]Note, 0, min(len(changes), maxNotes+1))
	for i, change := range changes {
		if i == maxNotes {
			return append(notes, Note{"and more", fmt.Sprintf("%d changed files", len(changes)-i)}), nil
		}
		value := "removed"
		if change.Kind != cepler.Removed {
			f := v.content.Files[change.Key]
			value = fmt.Sprintf("%.7s %s", f.From, visible.Line(f.Message))
		}
		notes = append(notes, Note{change.Path, value})
	}
	return notes, nil
}

// nameOrigins fills in the commits that changed the latest files among changes.
func (r *Repository) nameOrigins(ctx context.Context, v *Restored, changes []cepler.Change) error {
	var paths []string
	for _, change := range changes[:min(len(changes), maxNotes)] {
		f, ok := v.content.Files[change.Key]
		if source, p := cepler.SplitKey(change.Key); ok && source == latestSource && f.From == "" {
			paths = append(paths, p)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	origins, err := cepler.Origins(ctx, history{r.store}, v.Trigger.Hash.String(), paths, nil)
	if err != nil {
		return fmt.Errorf("find the commits that changed %s: %w", v.Environment.Name, err)
	}
	for p, origin := range origins {
		key := cepler.LatestKey(p)
		f := v.content.Files[key]
		f.From, f.Message = origin.Commit, origin.Message
		v.content.Files[key] = f
	}
	return nil
}

// GateNow is the environment's gate as it is written now; "" when it has none.
func (r *Repository) GateNow(ctx context.Context, environment string) (string, error) {
	_, gate, err := r.gatesNow(ctx, environment)
	return gate, err
}

// GateNotes say how the gate of the environment stands now, and who moved it.
func (r *Repository) GateNotes(ctx context.Context, environment string) ([]Note, error) {
	v, gate, err := r.gatesNow(ctx, environment)
	if err != nil || gate == "" {
		return nil, err
	}
	notes := []Note{{"gate", gate}}
	move, err := r.GateMove(ctx, v, environment)
	if err == nil && move != nil {
		notes = append(notes, Note{"gate moved", fmt.Sprintf("by %s on %s: %s", r.src.MovedBy(move), cepler.Moment(move.Author.When), visible.Line(subject(move)))})
	}
	return notes, err
}

func (r *Repository) gatesNow(ctx context.Context, environment string) (*View, string, error) {
	v := &View{}
	if r.src.GatesFile == "" {
		return v, "", nil
	}
	var err error
	if v.Refs, err = r.refs(ctx, r.src.GatesRef()); err != nil {
		return nil, "", err
	}
	if v.gatesHead, err = r.tip(ctx, v.Refs, r.src.GatesRef()); err != nil {
		return nil, "", err
	}
	if v.Gates, _, err = r.GatesAt(ctx, v.gatesHead); err != nil {
		return nil, "", err
	}
	rule, _ := v.Gates.For(environment)
	return v, gateText(rule), nil
}
