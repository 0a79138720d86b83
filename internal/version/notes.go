package version

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/taxiway-ci/taxiway/internal/markdown"
)

// Links lead from release notes to a forge. The zero value makes none.
type Links struct{ address, tagPrefix string }

// GitHub are the links of a repository there, given its address without an end
// as in https://github.com/owner/name. An empty address makes no links.
func GitHub(address, tagPrefix string) Links {
	return Links{strings.TrimSuffix(address, "/"), tagPrefix}
}

func (l Links) commit(hash string) string { return l.address + "/commit/" + hash }
func (l Links) pull(number string) string { return l.address + "/pull/" + number }

func (l Links) compare(previous, next Version) string {
	return l.address + "/compare/" + previous.Tag(l.tagPrefix) + "..." + next.Tag(l.tagPrefix)
}

// NotesInput is what release notes tell.
type NotesInput struct {
	Version Version
	Date    time.Time
	// Previous is the version released before, nil when there is none.
	Previous *Version
	// Commits are those since Previous, newest first.
	Commits []Commit
	// Rules are those that led to the version, so that both agree.
	Rules Rules
	Links Links
	// Elsewhere says that the notes are for a page of another repository, where #12 is something else.
	Elsewhere bool
}

const (
	security = "Security"
	misc     = "Miscellaneous Tasks"
)

// headings are the groups in their order. The type of a commit begins with the
// word.
func headings() []struct{ word, title string } {
	return []struct{ word, title string }{
		{"feat", "Features"},
		{"fix", "Bug Fixes"},
		{"doc", "Documentation"},
		{"perf", "Performance"},
		{"refactor", "Refactor"},
		{"style", "Styling"},
		{"test", "Testing"},
		{"chore", misc},
		{"revert", misc},
		{"security", security},
	}
}

// Notes writes the entry of a version in Markdown: a heading, and the
// conventional commits in groups, newest first. Commits of other types are left
// out, unless they break something or are about security. Whatever a commit's message has in it is
// shown as text, see package markdown.
func Notes(in NotesInput) []byte {
	var order []string
	groups := map[string][]string{}
	for _, c := range in.Commits {
		group, con, ok := in.entry(c)
		if !ok {
			continue
		}
		if _, ok := groups[group]; !ok {
			order = append(order, group)
		}
		groups[group] = append(groups[group], in.line(c, con))
	}
	heading := func(group string) string { return group }
	if cliff := in.Rules.Cliff; cliff != nil {
		order, heading = cliff.sorted(order), cliff.heading
	} else {
		order = usualOrder(order)
	}
	var b strings.Builder
	b.WriteString(in.heading())
	for _, group := range order {
		if in.Rules.Cliff != nil && in.Rules.Cliff.oldestFirst() {
			slices.Reverse(groups[group])
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s", markdown.Text(heading(group)), strings.Join(groups[group], ""))
	}
	return []byte(b.String())
}

// entry is the group of a commit, and what its line tells; it is left out when it is not ok.
func (in NotesInput) entry(c Commit) (group string, con Conventional, ok bool) {
	if in.Rules.Cliff != nil {
		return in.Rules.Cliff.entry(c)
	}
	con, _, _, passed := in.Rules.read(c, Version{})
	group = in.Rules.title(con, c.Message)
	return group, con, !passed && group != ""
}

// usualOrder puts the groups that every version may have first.
func usualOrder(groups []string) []string {
	var order []string
	for _, h := range headings() {
		if slices.Contains(groups, h.title) && !slices.Contains(order, h.title) {
			order = append(order, h.title)
		}
	}
	for _, g := range groups {
		if !slices.Contains(order, g) {
			order = append(order, g)
		}
	}
	return order
}

// title is the group of a commit, empty when it has none.
func (r Rules) title(con Conventional, message string) string {
	if !con.Breaking && (r.Omit[con.Type] || isPreparation(con)) {
		return ""
	}
	if t := r.Titles[con.Type]; t != "" {
		return t
	}
	for _, h := range headings() {
		if strings.HasPrefix(con.Type, h.word) {
			return h.title
		}
	}
	switch {
	case strings.Contains(strings.ToLower(message), "security"):
		return security
	case con.Breaking:
		return misc
	}
	return ""
}

// isPreparation is the commit that release tools make.
func isPreparation(con Conventional) bool {
	return con.Type == "chore" && con.Scope == "release" && strings.HasPrefix(strings.ToLower(con.Subject), "prepare for")
}

func (in NotesInput) heading() string {
	name := "[" + in.Version.String() + "]"
	if in.Previous != nil && in.Links.address != "" {
		name += "(" + markdown.URL(in.Links.compare(*in.Previous, in.Version)) + ")"
	}
	return fmt.Sprintf("## %s - %s\n", name, in.Date.UTC().Format(time.DateOnly))
}

func (in NotesInput) line(c Commit, con Conventional) string {
	text := "- "
	if con.Scope != "" {
		text += "*(" + markdown.Verbatim(con.Scope) + ")* "
	}
	if con.Breaking {
		text += "[**breaking**] "
	}
	if con.Type == "revert" {
		text += "Revert: "
	}
	if in.Elsewhere {
		text += in.elsewhere(upperFirst(con.Subject))
	} else {
		text += in.linkPulls(markdown.Text(upperFirst(con.Subject)))
	}
	if in.Links.address != "" && c.Hash != "" {
		text += " (" + markdown.Link(c.Hash[:min(7, len(c.Hash))], in.Links.commit(c.Hash)) + ")"
	}
	return text + "\n"
}

// elsewhere is a subject on a page of another repository. Only the number that a forge adds when it
// merges becomes a link.
func (in NotesInput) elsewhere(subject string) string {
	before, number, after, ok := cutPull(subject)
	if !ok || in.Links.address == "" || strings.TrimSpace(after) != "" {
		return markdown.Elsewhere(subject)
	}
	return markdown.Elsewhere(before) + " (" + markdown.Link("#"+number, in.Links.pull(number)) + ")"
}

// linkPulls makes links of the numbers that a forge adds when it merges.
func (in NotesInput) linkPulls(subject string) string {
	if in.Links.address == "" {
		return subject
	}
	var b strings.Builder
	for rest := subject; ; {
		before, number, after, ok := cutPull(rest)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		fmt.Fprintf(&b, "([#%s](%s))", number, in.Links.pull(number))
		rest = after
	}
}

// cutPull finds the first "(#123)" of a text; there is none when it is not ok.
func cutPull(text string) (before, number, after string, ok bool) {
	for at := 0; ; {
		i := strings.Index(text[at:], "(#")
		if i < 0 {
			return text, "", "", false
		}
		at += i + len("(#")
		number, after, found := strings.Cut(text[at:], ")")
		if found && isNumber(number) {
			return text[:at-len("(#")], number, after, true
		}
	}
}

func upperFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(r)) + s[size:]
}
