package vendirbump

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/markdown"
	"github.com/taxiway-ci/taxiway/internal/proposal"
	"github.com/taxiway-ci/taxiway/internal/vendored"
)

// bumper moves a copy to what its origin is.
type bumper struct {
	src    Source
	step   concourse.Step
	remote *git.Remote
	store  *git.Store
	origin *vendored.Origin
	params putParams
	extra  map[string]git.Edit // of params.extra_files
	made   *madeFrom           // nil when the put does not say it

	last  *vendored.Plan // of the newest commit that was worked out
	files []string       // that its extra files change, sorted
}

// edit works out the change on top of a commit. Other copies that the bot's branch has moved stay moved.
func (b *bumper) edit(ctx context.Context, on *git.Commit, held proposal.Held) (*proposal.Change, error) {
	target := b.src.target()
	carried := &vendored.Carried{Tree: vendored.At(b.store, on.Tree)}
	if !held.IsZero() {
		var err error
		if carried, err = vendored.Carry(ctx, carried.Tree, vendored.At(b.store, held.Before), vendored.At(b.store, held.After), target); err != nil {
			return nil, err
		}
	}
	plan, err := vendored.Make(ctx, carried, target, b.origin)
	if err != nil {
		return nil, shallowAdvice(err)
	}
	if len(plan.Undeployable) > 0 && len(plan.Edits) > 0 {
		return nil, fmt.Errorf("%s at %.7s is %w: %s", plan.Dir, plan.New, vendored.ErrDependency, strings.Join(plan.Undeployable, "; "))
	}
	b.last = plan
	b.warn(ctx, plan)
	edits := map[string]git.Edit{}
	maps.Copy(edits, carried.Edits)
	maps.Copy(edits, plan.Edits)
	if err := b.addExtra(ctx, on, held, len(carried.Moved) > 0, edits); err != nil {
		return nil, err
	}
	kept, err := b.rest(ctx, on, held, edits, carried.Outdated)
	if err != nil {
		return nil, err
	}
	m := message{all: carried.Moved, dir: plan.Dir, title: b.origin.Title(), files: b.files}
	if len(plan.Edits) > 0 {
		m.own, m.all = plan, append([]vendored.Moved{plan.Moved}, m.all...)
	}
	return &proposal.Change{
		Edits: edits, Kept: kept || len(carried.Moved) > 0, Message: m.commit(), Trailers: b.step.Build.Trailers(),
		Text: func(context.Context) (proposal.Text, error) {
			return proposal.Text{Title: m.subject(), Body: m.body(), Foot: proposal.Foot(b.step.Build.Pipeline(), b.step.Build.URL(), "bump")}, nil
		},
	}, nil
}

// rest adds the files of the copies that stay moved.
func (b *bumper) rest(ctx context.Context, on *git.Commit, held proposal.Held, edits map[string]git.Edit, outdated []string) (bool, error) {
	for _, dir := range outdated {
		b.step.Logf("%s: branch %s has a newer copy than the pull request, and it stays", dir, b.src.Branch)
	}
	said := append([]string{b.last.Dir}, outdated...)
	kept, lost, err := held.Rest(ctx, on.Tree, edits, func(name string) bool {
		return b.src.target().Owns(name) || b.params.ExtraFiles.Replaced(name) || slices.ContainsFunc(said, func(dir string) bool { return strings.HasPrefix(name, dir+"/") })
	})
	for _, name := range lost {
		b.step.Logf("%s: branch %s has a newer version than the pull request, and it stays", name, b.src.Branch)
	}
	return len(kept) > 0, err
}

func shallowAdvice(err error) error {
	if errors.Is(err, vendored.ErrShallow) {
		return fmt.Errorf("%w: get the whole history of the copied repository, without depth", err)
	}
	return err
}

// warn tells of a step back, which a build that is run again may mean.
func (b *bumper) warn(ctx context.Context, p *vendored.Plan) {
	if p.Old == p.New {
		return
	}
	if follows, known := b.origin.Follows(ctx, p.Old); known && !follows {
		b.step.Logf("warning: commit %.7s does not come after %.7s, which was the ref before: the copy moves to an older or unrelated commit", p.New, p.Old)
	}
}

// message is what a bump says of itself, as a commit and as a pull request.
type message struct {
	all   []vendored.Moved
	own   *vendored.Plan // the one that the put is about; nil if the base has it already
	dir   string         // of the copy that the put is about
	title string         // of the commit that own copies
	files []string       // that follow from the copy, and come with it
}

// subject is the first line of both.
func (m message) subject() string {
	if len(m.all) == 0 {
		return "chore(deps): files that follow from " + m.dir
	}
	if len(m.all) == 1 {
		return fmt.Sprintf("chore(deps): bump %s to '%.7s'", m.all[0].Dir, m.all[0].New)
	}
	return fmt.Sprintf("chore(deps): bump %d vendored copies", len(m.all))
}

// commit is the commit's message.
func (m message) commit() string {
	var b strings.Builder
	b.WriteString(m.subject() + "\n\n")
	if m.own != nil {
		b.WriteString(markdown.Message(m.title) + "\n")
	}
	for _, c := range m.all {
		if len(m.all) > 1 {
			fmt.Fprintf(&b, "%s: '%.7s'\n", c.Dir, c.New)
		}
		if link := vendored.Compare(c.URL, c.Old, c.New); link != "" {
			b.WriteString(link + "\n")
		}
	}
	for _, name := range m.files {
		b.WriteString(markdown.Message(fmt.Sprintf("%s follows from %s", name, m.dir)) + "\n")
	}
	return b.String()
}

// body is the pull request's text.
func (m message) body() string {
	var b strings.Builder
	for i, c := range m.all {
		fmt.Fprintf(&b, "### %s\n\nThe copy moves from %s to %s", markdown.Verbatim(c.Dir), markdown.Code(fmt.Sprintf("%.7s", c.Old)), markdown.Code(fmt.Sprintf("%.7s", c.New)))
		if i == 0 && m.own != nil {
			fmt.Fprintf(&b, ", %s: %s", markdown.Elsewhere(m.title), counts(m.own))
		}
		b.WriteString(".\n\n")
		if link := vendored.Compare(c.URL, c.Old, c.New); link != "" {
			fmt.Fprintf(&b, "Changes: %s\n\n", markdown.URL(link))
		}
	}
	if len(m.files) > 0 {
		fmt.Fprintf(&b, "Files that a command made from %s:\n\n", markdown.Verbatim(m.dir))
		for _, name := range m.files {
			fmt.Fprintf(&b, "- %s\n", markdown.Code(name))
		}
	}
	return b.String()
}

func counts(p *vendored.Plan) string {
	return fmt.Sprintf("%d added, %d changed, %d removed", len(p.Added), len(p.Changed), len(p.Removed))
}
