package proposal

import (
	"strconv"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/markdown"
)

// Report logs what Keep did and notes it as metadata. It returns what a version of the put names: a
// commit, and the number of its pull request while that is open.
func (b Bot) Report(o *Outcome, note func(name, format string, args ...any)) (commit, pull string) {
	if o.Commit == nil {
		b.nothing(o, note)
		return o.On.Hash.String(), ""
	}
	commit = o.Commit.Hash.String()
	if o.Pull == nil {
		subject, _, _ := strings.Cut(o.Commit.Message, "\n")
		b.Logf("%s is commit %.7s on branch %s", subject, commit, b.Base)
		return commit, ""
	}
	switch {
	case o.Done.Created:
		b.Logf("opened %s", o.Pull.URL)
	case len(o.Done.Changed) > 0:
		b.Logf("updated %s: %s", o.Pull.URL, strings.Join(o.Done.Changed, ", "))
	default:
		b.Logf("%s is already up to date", o.Pull.URL)
	}
	note("pull request", "%s", o.Pull.URL)
	switch {
	case !b.Merge.On:
	case o.MergeOff != nil:
		note("auto-merge", "not possible: the pull request waits for a person or a workflow")
	case o.Pull.Merged:
		b.Logf("%s was merged at once", o.Pull.URL)
		note("auto-merge", "merged at once")
		return o.Pull.MergeCommit, ""
	default:
		note("auto-merge", "on")
	}
	return commit, strconv.Itoa(o.Pull.Number)
}

// nothing reports that the base has everything already.
func (b Bot) nothing(o *Outcome, note func(name, format string, args ...any)) {
	note("changed", "nothing: %s is already up to date", b.Base)
	b.Logf("branch %s of %s is already up to date", b.Base, b.Remote.URL())
	if o.Left != nil {
		b.Logf("warning: %s stays open: %v", o.Left.URL, o.LeftWhy)
	}
	if o.Closed != nil {
		b.Logf("closed %s, which has nothing left to propose", o.Closed.URL)
		note("closed", "%s", o.Closed.URL)
	}
}

// Foot ends the text of a pull request: which build made it, by its name and the address of its page as far
// as they are known, and whose branch it is. next names what replaces its commit, such as "bump".
func Foot(build, page, next string) string {
	made := ""
	switch {
	case page != "" && build != "":
		made = "Made by " + markdown.Link(build, page) + ". "
	case page != "":
		made = "Made by " + markdown.URL(page) + ". "
	}
	return made + "The branch belongs to this pull request: the next " + next + " replaces its commit, and fails if someone else has committed to it.\n"
}
