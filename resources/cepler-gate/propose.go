package ceplergate

import (
	"context"
	"fmt"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/gates"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/markdown"
	"github.com/taxiway-ci/taxiway/internal/promotion"
	"github.com/taxiway-ci/taxiway/internal/proposal"
)

// proposer keeps the pull request that opens the gate.
type proposer struct {
	*world
	view   *deployments.View
	reader *lineage.Reader
	// known are the comparisons that were made, by the commit to open to.
	known map[git.Hash]*comparison
}

// propose keeps the pull request.
func (w *world) propose(ctx context.Context, note *concourse.Metadata) error {
	view, err := w.view(ctx)
	if err != nil {
		return err
	}
	f, err := w.src.GitHub.Open(forge.Options{Logf: w.step.Logf})
	if err != nil {
		return fmt.Errorf("source.github: %w", err)
	}
	defer f.Disconnect()
	p := &proposer{world: w, view: view, reader: w.reader(), known: map[git.Hash]*comparison{}}
	defer func() { _ = p.reader.Close() }() // it was read only
	bot := proposal.Bot{
		Owner: "cepler-gate", Remote: w.remote, Store: w.store, Forge: f, Base: w.src.GatesBranch, Branch: w.src.botBranch(view.Config.Deployment),
		By: w.src.Committer(time.Now()), Labels: w.src.Labels, Reviewers: w.src.Reviewers, Draft: w.src.Draft, KeepDraft: true, Logf: w.step.Logf,
	}
	done, err := bot.Keep(ctx, p.edit)
	if err != nil {
		return err
	}
	bot.Report(done, note.Add)
	return nil
}

// edit opens the gate in the gates file that a commit has, if that is needed.
func (p *proposer) edit(ctx context.Context, on *git.Commit, _ proposal.Held) (*proposal.Change, error) {
	now, data, err := p.repo.GatesAt(ctx, on)
	if err != nil {
		return nil, err
	}
	view := p.view.WithGates(now)
	o, err := p.repo.Opening(ctx, view, p.src.Environment)
	if err != nil {
		return nil, err
	}
	if why := p.needless(o); why != "" {
		p.step.Logf("%s", why)
		return &proposal.Change{Needless: why}, nil
	}
	after, err := gates.SetCommit(p.src.GatesFile, data, p.src.Environment, o.Commit.Hash.String())
	if err != nil {
		return nil, err
	}
	c, err := p.compare(ctx, view, o, after)
	if err != nil {
		return nil, err
	}
	foot := "\n" + proposal.Foot(p.step.Build.Pipeline(), p.step.Build.URL(), "deployment of the environment before")
	return &proposal.Change{
		Edits:    map[string]git.Edit{p.src.GatesFile: {Content: after}},
		Message:  markdown.Message(c.title()) + "\n\n" + c.opens() + "\n",
		Trailers: p.step.Build.Trailers(),
		Text: func(context.Context) (proposal.Text, error) {
			return proposal.Text{Title: c.title(), Body: c.body(), Foot: foot}, nil
		},
	}, nil
}

// comparison is what an environment has and would get, with the links of its repository.
type comparison struct {
	*world
	*promotion.Comparison
}

// compare works out what opening the gate as in gatesFile means. It is the same for all attempts at one
// pull request unless the deployments move on.
func (p *proposer) compare(ctx context.Context, view *deployments.View, o *deployments.Opening, gatesFile []byte) (*comparison, error) {
	if c, ok := p.known[o.Commit.Hash]; ok {
		return c, nil
	}
	c, err := promotion.Compare(ctx, p.repo, p.reader, p.src.Source, view, o, gatesFile)
	if err != nil {
		return nil, err
	}
	p.known[o.Commit.Hash] = &comparison{p.world, c}
	return p.known[o.Commit.Hash], nil
}

// needless says why the gate need not be opened; "" when it does.
func (p *proposer) needless(o *deployments.Opening) string {
	env := p.src.Environment
	switch {
	case o.Wait != "":
		return fmt.Sprintf("nothing can be promoted to %s yet: %s", env, o.Wait)
	case o.Commit == nil:
		return fmt.Sprintf("nothing is left to promote: %s runs everything that it can get", env)
	case o.Covered:
		return fmt.Sprintf("the gate of %s is open to %.7s already, at %s", env, o.Commit.Hash, o.Gate.Gate.Commit)
	}
	return ""
}
