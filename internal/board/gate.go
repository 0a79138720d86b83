package board

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// gate fills in how the environment's gate stands.
func (e *Environment) gate(ctx context.Context, look lineage.Look, changes []deployments.GateChange, now time.Time) error {
	plan := e.Report.Plan
	rule, ok := look.View.Gates.For(e.Name)
	if !ok {
		if look.View.Gates != nil {
			e.Gate.State = GateClosed // without a line in the file it gets nothing
		}
		return nil
	}
	e.Gate = Gate{State: gateOpen, At: rule.Commit, Rules: rulesOf(rule), Reason: rule.Reason}
	if plan.Gate != nil {
		e.Gate.Commit = lineage.CommitOf(plan.Gate.Commit)
	}
	if len(changes) > 0 {
		e.Gate.Moved = moveOf(changes[0])
	}
	// freezes and windows hold whatever comes, also where nothing is pending now
	denied := rule.Decide(cepler.Facts{Now: now}).Rules
	denies := func(r cepler.Rule) bool { return slices.Contains(denied, r) }
	opening, err := look.Opening(ctx, look.View, e.Name)
	if err != nil {
		return err
	}
	switch {
	case opening.Commit != nil && !opening.Covered:
		opens := lineage.CommitOf(opening.Commit)
		e.Gate.State, e.Gate.Opens = GateClosed, &opens
	case denies(cepler.RuleFreeze):
		e.Gate.State = GateFrozen
	case slices.Contains(plan.Denied, cepler.RuleApprovals):
		e.Gate.State = gatePeople
	case len(plan.Denied) > 0 || denies(cepler.RuleWindow):
		e.Gate.State = gateTimed
	}
	return nil
}

func moveOf(c deployments.GateChange) *Move {
	return &Move{By: deployments.Source{}.MovedBy(c.Commit), When: c.Commit.Committer.When.UTC(), Commit: lineage.CommitOf(c.Commit), Gate: c.Gate, Previous: c.Previous}
}

// rulesOf are the rules beside a gate.
func rulesOf(g cepler.Gate) []string {
	var all []string
	if g.Soak > 0 {
		all = append(all, fmt.Sprintf("soaks for %s", cepler.Duration(g.Soak)))
	}
	for _, w := range g.Windows {
		all = append(all, "open "+w.String())
	}
	if n := len(g.Freezes); n > 0 {
		all = append(all, visible.Count(n, "freeze"))
	}
	if g.Need > 0 {
		all = append(all, fmt.Sprintf("needs %s", visible.Count(g.Need, "approval")))
	}
	return all
}
