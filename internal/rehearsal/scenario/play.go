package scenario

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/standin/tools"
)

// Stage is the world that a scenario is played in.
type Stage struct {
	Pipelines rehearsal.Together
	// Repositories are those that people push to, by the names that the
	// scenario has for them.
	Repositories map[string]*gittest.Repository
	// Deployments names the one that holds the environments; a deed that names
	// no repository means it.
	Deployments string
	// Sources are the environments that expectations may ask about, as the pipelines have them now; nil for none.
	Sources func() ([]deployments.Source, error)
	// Lineage says where charts, code and images can be looked at; the
	// deployments' place is filled in.
	Lineage  lineage.Options
	Tools    *tools.Folder
	Messages *rehearsal.Mailbox
	// Forge has the pull requests and releases; nil where there is none.
	Forge Forge
	// Registry is the host of the registry that stands in for all of them;
	// empty where there is none.
	Registry string
	// Cached are the names of what the binary cache was given; nil where there is
	// none.
	Cached func() []string
	// Robots do what others do in the world once the pipelines rest, and tell
	// whether that was anything; nil for nobody.
	Robots func(ctx context.Context) (bool, error)
	// Pass lets time pass; nil where no pipeline knows the time.
	Pass func(time.Duration)
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

// repository is one of the world's, the deployments' when name is empty.
func (s Stage) repository(name string) (*gittest.Repository, error) {
	r, ok := s.Repositories[cmp.Or(name, s.Deployments)]
	if !ok {
		return nil, fmt.Errorf("there is no repository %q; there are: %s", cmp.Or(name, s.Deployments), strings.Join(slices.Sorted(maps.Keys(s.Repositories)), ", "))
	}
	return r, nil
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
	more, err := p.stage.Pipelines.Settle(ctx, p.stage.Robots)
	if err != nil {
		return err
	}
	return p.check(ctx, a.Expect, append(ran, more...), p.stage.Messages.Messages()[sent:])
}
