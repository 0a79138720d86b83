package deployments

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// Explanation says for every environment of one deployment what runs there,
// what is pending and why it waits.
type Explanation struct {
	Deployment   string              `json:"deployment"`
	Branch       string              `json:"branch"`
	Head         string              `json:"head"`
	Environments []EnvironmentReport `json:"environments"`
	// Warnings are what has no effect in the config beside its environments.
	Warnings []string `json:"warnings,omitempty"`
}

// EnvironmentReport is one environment's part of an Explanation.
type EnvironmentReport struct {
	Name   string `json:"name"`
	Passed string `json:"passed,omitempty"`
	// Runs is what was recorded last; nil before the first record.
	Runs *Running `json:"runs"`
	// Pending is what would be deployed next; nil when nothing would.
	Pending *Pending `json:"pending"`
	// Waits are the reasons why nothing, or no more, is deployed now.
	Waits []string `json:"waits,omitempty"`
	// Warnings are what of the config has no effect on this environment.
	Warnings []string `json:"warnings,omitempty"`
	// Until is when a reason may end by itself.
	Until *time.Time `json:"until,omitempty"`
	// Rollback is the rollback that runs, if it holds anything back or could.
	Rollback *Rollback `json:"rollback,omitempty"`
	// Error is what keeps this environment from being explained.
	Error string `json:"error,omitempty"`
	// Plan is what the report was made from; nil when there is an Error.
	Plan *Plan `json:"-"`
	// Record is the commit that recorded what runs; nil before the first record.
	Record *git.Commit `json:"-"`
}

// Running is a recorded state.
type Running struct {
	Version  uint64    `json:"version"`
	Trigger  string    `json:"trigger"`
	Subject  string    `json:"subject,omitempty"`
	Recorded time.Time `json:"recorded,omitzero"`
	By       string    `json:"by,omitempty"`
	Dirty    bool      `json:"dirty,omitempty"`
	Files    int       `json:"files"`
}

// Pending is a state that waits to be deployed.
type Pending struct {
	Version  uint64   `json:"version"`
	Trigger  string   `json:"trigger"`
	Subject  string   `json:"subject"`
	Offered  bool     `json:"offered"`
	Changes  []string `json:"changes"`
	Upstream string   `json:"upstream,omitempty"`
	// Held says that a rollback took this back, and holds it.
	Held bool `json:"held,omitempty"`
}

// Explain looks at every environment of the view's config, or at those that
// are named.
func (r *Repository) Explain(ctx context.Context, v *View, now time.Time, environments ...string) (*Explanation, error) {
	out := &Explanation{Deployment: v.Config.Deployment, Branch: r.src.Branch, Head: v.Head.Hash.String(), Warnings: v.Config.Warnings("")}
	twins, err := r.twins(ctx, v)
	if err != nil {
		return nil, err
	}
	out.Warnings = append(slices.Clone(out.Warnings), twins...)
	if len(environments) == 0 {
		environments = v.Config.InOrder()
	}
	records, err := r.newestRecords(ctx, v, environments)
	if err != nil {
		return nil, err
	}
	for _, name := range environments {
		env, err := v.Config.Environment(name)
		if err != nil {
			return nil, err
		}
		report := EnvironmentReport{Name: name, Passed: env.Passed, Record: records[v.Config.StatePath(name)]}
		if err := r.report(ctx, v, &report, now); err != nil {
			report.Error = err.Error()
		}
		out.Environments = append(out.Environments, report)
	}
	return out, ctx.Err()
}

func (r *Repository) report(ctx context.Context, v *View, out *EnvironmentReport, now time.Time) error {
	plan, err := r.Plan(ctx, v, out.Name, now)
	if err != nil {
		return err
	}
	out.Plan, out.Waits, out.Warnings, out.Rollback = plan, plan.Waits, plan.Warnings, plan.Rollback
	if !plan.Until.IsZero() {
		out.Until = &plan.Until
	}
	if plan.Pending() {
		out.Pending = &Pending{
			Version: plan.next(), Trigger: plan.Trigger.Hash.String(), Subject: subject(plan.Trigger), Offered: plan.Offered(),
			Held: plan.Rollback != nil && plan.Rollback.Held,
		}
		for _, change := range plan.Changes {
			out.Pending.Changes = append(out.Pending.Changes, fmt.Sprintf("%s %s", change.Kind, change.Path))
		}
	}
	if plan.Own == nil {
		return nil
	}
	out.Runs = r.running(ctx, plan.Own, out.Record)
	return nil
}

// newestRecords are the commits that wrote the state files of environments as they are now, by their paths: one walk finds all of
// them.
func (r *Repository) newestRecords(ctx context.Context, v *View, environments []string) (map[string]*git.Commit, error) {
	var paths []string
	for _, name := range environments {
		p := v.Config.StatePath(name)
		_, ok, err := r.find(ctx, v.Head, p)
		if err != nil {
			return nil, err
		}
		if ok {
			paths = append(paths, p)
		}
	}
	records, err := r.store.Newest(ctx, v.Head.Hash, paths)
	if err != nil {
		return nil, fmt.Errorf("find when the environments were recorded: %w", err)
	}
	for p, c := range records {
		r.records[stateFile{v.Head.Hash, p}] = c
	}
	return records, nil
}

// newestRecord is the commit that wrote the state file at p as the view has it; nil without one.
func (r *Repository) newestRecord(ctx context.Context, v *View, p string) (*git.Commit, error) {
	if c, ok := r.records[stateFile{v.Head.Hash, p}]; ok {
		return c, nil
	}
	line, err := r.lineTo(ctx, v.Head, p)
	if err != nil || len(line) == 0 {
		return nil, err
	}
	return line[len(line)-1], nil
}

// running is a state with the commit that recorded it, which may be nil.
func (r *Repository) running(ctx context.Context, own *cepler.State, record *git.Commit) *Running {
	out := &Running{Version: own.Version, Trigger: own.Current.Head, Subject: r.subjectOf(ctx, own.Current.Head), Dirty: own.Current.AnyDirty, Files: len(own.Current.Files)}
	if record != nil {
		out.Recorded, out.By = record.Committer.When, trailer(record.Message, buildTrailer)
	}
	return out
}

// trailer is the value of a trailer line, "" when the message has none.
func trailer(message, key string) string {
	for line := range strings.Lines(message) {
		if value, ok := strings.CutPrefix(line, key+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// JSON writes the explanation for programs.
func (e *Explanation) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(e)
}

// Text writes the explanation for people. Names, subjects and errors come from the repository and the
// server: whatever acts on a terminal in them is shown as an escape.
func (e *Explanation) Text(w io.Writer) error {
	var rows, reasons strings.Builder
	rows.WriteString("ENVIRONMENT\tRUNS\tSINCE\tPENDING\n")
	say := func(format string, args ...any) {
		text := visible.Text(fmt.Sprintf(format, args...))
		reasons.WriteString("\n" + strings.ReplaceAll(text, "\n", "\n  ")) // no line of it looks like one of this program
	}
	for _, text := range e.Warnings {
		say("warning: %s", text)
	}
	for _, env := range e.Environments {
		fmt.Fprintf(&rows, "%s\t%s\t%s\t%s\n", visible.Line(env.Name), visible.Line(env.Runs.String()), env.Runs.since(), visible.Line(env.Pending.String()))
		for _, why := range env.Waits {
			say("%s waits: %s", env.Name, why)
		}
		for _, text := range env.Warnings {
			say("warning: %s", text)
		}
		if env.Error != "" {
			say("%s can't be explained: %s", env.Name, env.Error)
		}
	}
	if _, err := fmt.Fprintf(w, "deployment %s, branch %s at %.7s\n\n", visible.Line(e.Deployment), e.Branch, e.Head); err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(table, rows.String()); err != nil {
		return err
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, reasons.String()+"\n")
	return err
}

// String is what runs, in a few words.
func (r *Running) String() string {
	if r == nil {
		return "nothing yet"
	}
	dirty := ""
	if r.Dirty {
		dirty = " (dirty)"
	}
	return fmt.Sprintf("#%d %.7s %s%s", r.Version, r.Trigger, visible.Cut(r.Subject, subjectWidth), dirty)
}

func (r *Running) since() string {
	if r == nil || r.Recorded.IsZero() {
		return "-"
	}
	return cepler.Moment(r.Recorded)
}

// String is what is pending, in a few words.
func (p *Pending) String() string {
	if p == nil {
		return "-"
	}
	state := "ready"
	switch {
	case p.Held:
		state = "held"
	case !p.Offered:
		state = "waits"
	}
	return fmt.Sprintf("#%d %.7s %s (%d changed, %s)", p.Version, p.Trigger, visible.Cut(p.Subject, subjectWidth), len(p.Changes), state)
}

// subjectWidth keeps a subject from breaking the table; in characters.
const subjectWidth = 48
