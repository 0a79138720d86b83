package scenario

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/lineage"
)

// Stage is the world that a scenario is played in.
type Stage struct {
	Rehearsal *rehearsal.Rehearsal
	// Repository is the one that people push to.
	Repository *gittest.Repository
	// Sources are the environments that expectations may ask about.
	Sources  []deployments.Source
	Tools    *rehearsal.Tools
	Messages *rehearsal.Mailbox
	// Audience sees the play.
	Audience Audience
	// Now dates the commits of people.
	Now func() time.Time
}

// Audience is shown what the rehearsal's own Observer does not know.
type Audience interface {
	// Act begins.
	Act(number, of int, a Act)
	// Did: somebody did something, in a sentence.
	Did(text string)
	// Waits: why an environment that the act asks about waits.
	Waits(e lineage.Environment)
	// Held: everything the act expects is as it must be, in a sentence.
	Held(text string)
}

// player is a play under way.
type player struct {
	stage   Stage
	commits map[string]string // by name
}

// Play plays all acts. Known names commits that were there before.
func (s *Scenario) Play(ctx context.Context, stage Stage, known map[string]string) error {
	p := player{stage, map[string]string{}}
	maps.Copy(p.commits, known)
	for i, act := range s.Acts {
		stage.Audience.Act(i+1, len(s.Acts), act)
		if err := p.act(ctx, act); err != nil {
			return fmt.Errorf("act %d (%s): %w", i+1, act.Title, err)
		}
	}
	return nil
}

func (p player) act(ctx context.Context, a Act) error {
	sent := len(p.stage.Messages.Messages())
	var ran []*rehearsal.Build
	for _, d := range a.Do {
		b, err := p.do(ctx, d)
		if err != nil {
			return err
		}
		if b != nil {
			ran = append(ran, b)
		}
	}
	more, err := p.stage.Rehearsal.Settle(ctx)
	if err != nil {
		return err
	}
	return p.check(ctx, a.Expect, append(ran, more...), p.stage.Messages.Messages()[sent:])
}
