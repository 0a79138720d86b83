package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/standin/tools"
)

// do carries out one deed; a build is returned when the deed started one.
func (p player) do(ctx context.Context, d Deed) (*rehearsal.Build, error) {
	switch {
	case d.Commit != nil:
		return nil, p.commit(*d.Commit)
	case d.Gate != nil:
		return nil, p.gate(*d.Gate)
	case d.Break != nil:
		return nil, p.breaks(*d.Break)
	case d.Mend != "":
		p.stage.Audience.Did(d.Mend + " works again")
		return nil, p.stage.Tools.Mend(d.Mend)
	case d.Pin != nil:
		return nil, p.pin(*d.Pin)
	case d.Unpin != nil:
		return nil, p.unpin(*d.Unpin)
	case d.Forget != nil:
		return nil, p.forget(*d.Forget)
	case d.Pull != nil:
		return nil, p.pull(ctx, *d.Pull)
	case d.Merge != nil:
		return nil, p.merge(ctx, *d.Merge)
	case d.Pass != "":
		return nil, p.pass(d.Pass)
	default:
		return p.trigger(ctx, *d.Trigger)
	}
}

func (p player) unpin(u Unpin) error {
	r, resource, err := p.stage.Pipelines.WithResource(u.Resource)
	if err != nil {
		return err
	}
	p.stage.Audience.Did(fmt.Sprintf("%s unpins %s", name(u.By), u.Resource))
	return r.Unpin(resource)
}

func (p player) forget(f Forget) error {
	r, resource, err := p.stage.Pipelines.WithResource(f.Resource)
	if err != nil {
		return err
	}
	p.stage.Audience.Did(fmt.Sprintf("%s rotates the credentials of %s: its versions are forgotten", name(f.By), f.Resource))
	return r.Forget(resource)
}

func (p player) trigger(ctx context.Context, t Trigger) (*rehearsal.Build, error) {
	r, job, err := p.stage.Pipelines.WithJob(t.Job)
	if err != nil {
		return nil, err
	}
	p.stage.Audience.Did(fmt.Sprintf("%s starts %s by hand", name(t.By), t.Job))
	return r.Trigger(ctx, job, name(t.By))
}

func (p player) pass(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("pass %s: %w", text, err)
	}
	if p.stage.Pass == nil {
		return fmt.Errorf("pass %s: no pipeline here knows the time", text)
	}
	p.stage.Audience.Did(text + " pass")
	p.stage.Pass(d)
	return nil
}

// commit pushes a person's commit.
func (p player) commit(c Commit) error {
	branch := cmp.Or(c.Branch, "main")
	repository, err := p.stage.repository(c.Repository)
	if err != nil {
		return err
	}
	if err := startBranch(repository, branch); err != nil {
		return err
	}
	from, err := begin(repository, branch, &c)
	if err != nil {
		return fmt.Errorf("commit %q: %w", c.Message, err)
	}
	batch := repository.Import()
	commit := batch.Commit(branch, c.Message).At(p.stage.Now()).By(cmp.Or(c.By, defaultPerson))
	for _, path := range slices.Sorted(maps.Keys(c.Files)) {
		e := c.Files[path]
		if e.Delete {
			commit.Delete(path)
			continue
		}
		mode, before, err := file(repository, from, path)
		if err != nil {
			return err
		}
		after, err := e.apply(before)
		if err != nil {
			return fmt.Errorf("commit %q: %s: %w", c.Message, path, err)
		}
		commit.Entry(mode, path, after)
	}
	if err := batch.Done(); err != nil {
		return fmt.Errorf("commit %q: %w", c.Message, err)
	}
	if c.As != "" {
		p.commits[c.As] = commit.Hash()
	}
	p.stage.Audience.Did(fmt.Sprintf("%s pushes %.7s to %s: %s", name(c.By), commit.Hash(), p.branch(c.Repository, branch), strings.SplitN(c.Message, "\n", 2)[0])) //nolint:mnd // subject and rest
	return nil
}

// begin returns the commit whose files are edited: the tip of the branch. To amend it, the branch goes back by one commit, and the
// changes of the tip that are not edited are kept as edits.
func begin(repository *gittest.Repository, branch string, c *Commit) (string, error) {
	tip, err := repository.RevParse("refs/heads/" + branch)
	if err != nil || !c.Amend {
		return tip, err
	}
	changed, err := repository.Git("diff", "-z", "--name-only", "--no-renames", tip+"^", tip)
	if err != nil {
		return "", err
	}
	all := map[string]Edit{}
	for path := range strings.SplitSeq(strings.TrimSuffix(changed, "\x00"), "\x00") {
		text, err := repository.Show(tip, path)
		if err != nil {
			all[path] = Edit{Delete: true}
			continue
		}
		all[path] = Edit{Content: &text}
	}
	maps.Copy(all, c.Files)
	c.Files = all
	parent, err := repository.RevParse(tip + "^")
	if err != nil {
		return "", err
	}
	return tip, repository.UpdateRef("refs/heads/"+branch, parent)
}

const (
	defaultPerson = "Ana Lima <ana@example.com>"
	regularFile   = "100644"
)

// startBranch begins a branch that is not there yet where main is.
func startBranch(repository *gittest.Repository, branch string) error {
	if _, err := repository.RevParse("refs/heads/" + branch); err == nil {
		return nil
	}
	main, err := repository.RevParse("refs/heads/main")
	if err != nil {
		return fmt.Errorf("start branch %s: %w", branch, err)
	}
	return repository.UpdateRef("refs/heads/"+branch, main)
}

// branch names a branch for people, with its repository when that is not the
// deployments'.
func (p player) branch(repository, branch string) string {
	if repository == "" || repository == p.stage.Deployments {
		return branch
	}
	return repository + " " + branch
}

// file is a file's mode and content; a new one is regular and empty.
func file(repository *gittest.Repository, branch, path string) (mode, content string, err error) {
	listed, err := repository.Git("ls-tree", branch, "--", path)
	if err != nil || listed == "" {
		return regularFile, "", err
	}
	mode, _, _ = strings.Cut(listed, " ")
	content, err = repository.Show(branch, path)
	return mode, content, err
}

func (e Edit) apply(before string) (string, error) {
	switch {
	case e.Content != nil:
		return *e.Content, nil
	case e.Append != "":
		return before + e.Append, nil
	case e.Replace == "":
		return "", errors.New("the edit says nothing: use replace and with, append, content or delete")
	case strings.Count(before, e.Replace) != 1:
		return "", fmt.Errorf("the text to replace is in it %d times, not once: %q", strings.Count(before, e.Replace), e.Replace)
	default:
		return strings.Replace(before, e.Replace, e.With, 1), nil
	}
}

// gate moves an environment's gate, as a person would: one line of the file.
func (p player) gate(g Gate) error {
	branch := cmp.Or(g.Branch, "main")
	repository, err := p.stage.repository("")
	if err != nil {
		return err
	}
	to, err := p.gateValue(repository, g.To)
	if err != nil {
		return err
	}
	_, before, err := file(repository, branch, g.File)
	if err != nil {
		return err
	}
	message := cmp.Or(g.Message, fmt.Sprintf("gate: %s may deploy up to %.7s", g.Environment, to))
	if g.Resume > 0 {
		message = cmp.Or(g.Message, fmt.Sprintf("gate: %s goes on after the rollback #%d", g.Environment, g.Resume))
		to = fmt.Sprintf("{commit: %s, resume: %d}", to, g.Resume)
	}
	line := regexp.MustCompile(`(?m)^(["']?` + regexp.QuoteMeta(g.Environment) + `["']?:[ \t]*)(\{[^}]*\}|\S+)`)
	if !line.MatchString(before) {
		return fmt.Errorf("gate: %s of branch %s has no line for %s", g.File, branch, g.Environment)
	}
	after := line.ReplaceAllString(before, "${1}"+to)
	return p.commit(Commit{
		By: g.By, Branch: branch, Message: message,
		Files: map[string]Edit{g.File: {Content: &after}},
	})
}

func (p player) gateValue(repository *gittest.Repository, to string) (string, error) {
	if to == "HEAD" {
		return to, nil
	}
	if hash, ok := p.commits[to]; ok {
		return hash, nil
	}
	hash, err := repository.RevParse("refs/heads/" + to)
	if err != nil {
		return "", fmt.Errorf("gate: there is no commit or branch named %q", to)
	}
	return hash, nil
}

func (p player) breaks(b Break) error {
	err := p.stage.Tools.Break(tools.Fault{
		Tool: b.Tool, Command: b.Command, When: b.When, File: b.File, Has: b.Has, Times: b.Times, Says: b.Says,
	})
	if err != nil {
		return err
	}
	text := strings.TrimSpace(b.Tool+" "+b.Command) + " will fail"
	if len(b.When) > 0 {
		text += " in " + strings.Join(slices.Sorted(maps.Values(b.When)), " and ")
	}
	if b.Has != "" {
		text += fmt.Sprintf(" while %s says %s", b.File, b.Has)
	}
	if b.Times == 1 {
		text += ", once"
	} else if b.Times > 1 {
		text += fmt.Sprintf(", %d times", b.Times)
	}
	p.stage.Audience.Did(text)
	return nil
}

// pin holds a resource at what a build of a job had of it.
func (p player) pin(pin Pin) error {
	r, job, err := p.stage.Pipelines.WithJob(pin.Job)
	if err != nil {
		return fmt.Errorf("pin %s: %w", pin.Resource, err)
	}
	for _, b := range r.Builds(job) {
		if b.Number != pin.Build {
			continue
		}
		for _, use := range b.Inputs {
			if use.Resource == pin.Resource {
				p.stage.Audience.Did(fmt.Sprintf("%s pins %s to what %s #%d deployed", name(pin.By), pin.Resource, pin.Job, pin.Build))
				return r.Pin(pin.Resource, use.Version)
			}
		}
	}
	return fmt.Errorf("pin %s: build %d of %s did not get it", pin.Resource, pin.Build, pin.Job)
}

// name is how people call each other.
func name(who string) string {
	who, _, _ = strings.Cut(cmp.Or(who, defaultPerson), " ")
	return who
}
