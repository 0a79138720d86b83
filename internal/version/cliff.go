package version

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/fault"
	"github.com/taxiway-ci/taxiway/internal/strict"
)

// ErrCliff says that a configuration of git-cliff can't be used. As with [ErrCog], errors do not begin with the name of the file.
var ErrCliff = errors.New("git-cliff's configuration")

// A configuration can make much of little: each preprocessor may double a message, and a pattern may match everywhere.
const (
	maxProcessed = 64 << 10 // bytes of a commit's message; what is beyond is in no list
	maxMatches   = 1000     // of one preprocessor in one message; the others stay as they are
	maxReplace   = 1000     // bytes of a text to put in
)

// Cliff is what a configuration of git-cliff says about release notes: which commits are in them, in which groups and order, and
// with which scope. Templates, tags and texts are not read.
type Cliff struct {
	git       cliffGit
	processed []cliffProcessor // those with a text
	// inOrder keeps groups in the order of the parsers, as templates with commit_parsers_groups do; else they are sorted by name.
	inOrder bool
	// Unread are the settings of the file that change nothing here, as section.key.
	Unread []string
}

// cliffFile are the keys that matter here.
type cliffFile struct {
	Changelog struct {
		Body string `toml:"body"`
	} `toml:"changelog"`
	Git cliffGit `toml:"git"`
}

type cliffGit struct {
	Conventional  *bool            `toml:"conventional_commits"`
	Filter        *bool            `toml:"filter_unconventional"`
	Preprocessors []cliffProcessor `toml:"commit_preprocessors"`
	Parsers       []cliffParser    `toml:"commit_parsers"`
	Protect       bool             `toml:"protect_breaking_commits"`
	FilterCommits bool             `toml:"filter_commits"`
	Sort          string           `toml:"sort_commits"`
}

type cliffProcessor struct {
	Pattern string  `toml:"pattern"`
	Replace *string `toml:"replace"`

	pattern *regexp.Regexp
}

// cliffParser is one rule: it applies when any of its patterns matches.
type cliffParser struct {
	SHA          string       `toml:"sha"`
	Message      cliffPattern `toml:"message"`
	Body         cliffPattern `toml:"body"`
	Footer       cliffPattern `toml:"footer"`
	Field        string       `toml:"field"`
	Pattern      any          `toml:"pattern"` // a text, or true or a number, which git-cliff takes for one
	Group        string       `toml:"group"`
	Scope        *string      `toml:"scope"`
	DefaultScope string       `toml:"default_scope"`
	Skip         bool         `toml:"skip"`

	field *regexp.Regexp // of Pattern
}

// cliffPattern is a regular expression. Those of git-cliff, which are Rust's, have the syntax of Go's but for a few flags.
type cliffPattern struct{ *regexp.Regexp }

// UnmarshalText compiles it.
func (p *cliffPattern) UnmarshalText(text []byte) (err error) {
	if p.Regexp, err = regexp.Compile(strings.ReplaceAll(string(text), `\u{`, `\x{`)); err != nil {
		return fmt.Errorf("the pattern cannot be used: %w", err)
	}
	return nil
}

// ParseCliff reads a configuration of git-cliff (https://git-cliff.org/docs/configuration/git), such as cliff.toml, as git-cliff does:
// keys that it does not know are no mistake.
func ParseCliff(data []byte, decode Decoder) (*Cliff, error) {
	if err := strict.Few(data); err != nil {
		return nil, fault.Of(ErrCliff, "%v", err)
	}
	var file cliffFile
	var whole map[string]any
	if err := cmp.Or(decode(data, &file), decode(data, &whole)); err != nil {
		return nil, fault.Of(ErrCliff, "%v", err)
	}
	if file.Git.Parsers == nil {
		file.Git.Parsers = usualParsers()
	}
	c := &Cliff{git: file.Git, inOrder: strings.Contains(file.Changelog.Body, "commit_parsers_groups"), Unread: unread(whole)}
	if sort := strings.ToLower(file.Git.Sort); sort != "" && sort != "newest" && sort != "oldest" {
		return nil, fault.Of(ErrCliff, "sort_commits: %s is not one of newest, oldest", shown(file.Git.Sort))
	}
	if err := errors.Join(c.readParsers(), c.readPreprocessors()); err != nil {
		return nil, err
	}
	return c, nil
}

// readParsers compiles and limits what says the group of a commit.
func (c *Cliff) readParsers() error {
	for i := range c.git.Parsers {
		p := &c.git.Parsers[i]
		if p.Pattern != nil {
			var pattern cliffPattern
			if err := pattern.UnmarshalText(fmt.Append(nil, p.Pattern)); err != nil {
				return fault.Of(ErrCliff, "git.commit_parsers[%d].pattern: %v", i, err)
			}
			p.field = pattern.Regexp
		}
		if n := max(len(p.Group), len(scopeOf(*p))); n > maxReplace {
			return fault.Of(ErrCliff, "git.commit_parsers[%d] has a group or scope of %d bytes, and at most %d are allowed", i, n, maxReplace)
		}
		if _, known := fieldsOf(Commit{}, "", Conventional{})[p.Field]; p.Field != "" && !known {
			c.Unread = append(c.Unread, fmt.Sprintf("git.commit_parsers[%d] with the field %s", i, p.Field))
		}
	}
	return nil
}

// readPreprocessors compiles and limits what is replaced in messages.
func (c *Cliff) readPreprocessors() error {
	for i, p := range c.git.Preprocessors {
		var pattern cliffPattern
		if p.Replace == nil {
			c.Unread = append(c.Unread, fmt.Sprintf("git.commit_preprocessors[%d], which has no text to replace with", i))
			continue
		} else if err := pattern.UnmarshalText([]byte(p.Pattern)); err != nil { // a class that only Rust knows, like \p{Emoji_Presentation}
			c.Unread = append(c.Unread, fmt.Sprintf("git.commit_preprocessors[%d]: %v", i, err))
			continue
		}
		p.pattern = pattern.Regexp
		if n := len(*p.Replace); n > maxReplace {
			return fault.Of(ErrCliff, "git.commit_preprocessors[%d].replace has %d bytes, and at most %d are allowed", i, n, maxReplace)
		}
		c.processed = append(c.processed, p)
	}
	return nil
}

// unread are the settings that a Cliff does not take from the file.
func unread(whole map[string]any) []string {
	read := []string{
		"git.conventional_commits", "git.filter_unconventional", "git.commit_preprocessors", "git.commit_parsers", "git.protect_breaking_commits",
		"git.filter_commits", "git.sort_commits",
	}
	var names []string
	for _, section := range slices.Sorted(maps.Keys(whole)) {
		keys, ok := whole[section].(map[string]any)
		if !ok {
			names = append(names, section)
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			name := section + "." + key
			if !slices.Contains(read, name) {
				names = append(names, name)
			}
			list, _ := keys[key].([]any)
			for i, rule := range list {
				table, _ := rule.(map[string]any)
				for _, inner := range slices.Sorted(maps.Keys(table)) {
					if known := cliffRules()[name]; known != nil && !slices.Contains(known, inner) {
						names = append(names, fmt.Sprintf("%s[%d].%s", name, i, inner))
					}
				}
			}
		}
	}
	return names
}

// cliffRules are the keys of a rule, by its list. git-cliff ignores any other.
func cliffRules() map[string][]string {
	return map[string][]string{
		"git.commit_parsers":       {"sha", "message", "body", "footer", "field", "pattern", "group", "scope", "default_scope", "skip"},
		"git.commit_preprocessors": {"pattern", "replace", "replace_command"},
	}
}

// usualParsers are those of git-cliff's own configuration, which it lays under every other one.
func usualParsers() []cliffParser {
	var all []cliffParser
	for _, rule := range []struct{ message, group string }{
		{"^feat", "<!-- 0 -->🚀 Features"},
		{"^fix", "<!-- 1 -->🐛 Bug Fixes"},
		{"^doc", "<!-- 3 -->📚 Documentation"},
		{"^perf", "<!-- 4 -->⚡ Performance"},
		{"^refactor", "<!-- 2 -->🚜 Refactor"},
		{"^style", "<!-- 5 -->🎨 Styling"},
		{"^test", "<!-- 6 -->🧪 Testing"},
		{`^chore\((release\): prepare for|deps.*\)|pr\)|pull\))`, ""},
		{"^(chore|ci)", "<!-- 7 -->⚙️ Miscellaneous Tasks"},
		{"", "<!-- 8 -->🛡️ Security"},
		{"^revert", "<!-- 9 -->◀️ Revert"},
		{".*", "<!-- 10 -->💼 Other"},
	} {
		parser := cliffParser{Group: rule.group, Skip: rule.group == ""}
		if rule.message == "" {
			parser.Body.Regexp = regexp.MustCompile(".*security")
		} else {
			parser.Message.Regexp = regexp.MustCompile(rule.message)
		}
		all = append(all, parser)
	}
	return all
}

// entry is a commit in release notes: its group, and what its line says of it. It is left out when it is not ok.
func (c *Cliff) entry(commit Commit) (group string, con Conventional, ok bool) {
	message := short(strings.TrimSpace(commit.Message), maxProcessed)
	for _, p := range c.processed {
		message = p.process(message)
	}
	con, err := ParseCommit(message)
	unconventional := err != nil || c.git.Conventional != nil && !*c.git.Conventional
	if unconventional {
		if (c.git.Conventional == nil || *c.git.Conventional) && (c.git.Filter == nil || *c.git.Filter) {
			return "", con, false
		}
		con = Conventional{Subject: Commit{Message: message}.Subject()}
	}
	shown := con
	if own, err := ParseCommit(commit.Message); err == nil && !unconventional {
		shown.Subject = own.Subject // preprocessors often make links, which the notes make by themselves
	}
	for _, p := range c.git.Parsers {
		if p.field != nil && (p.Field == "body" && con.Body == "" || p.Field == "breaking" && unconventional) {
			return "", shown, false // git-cliff leaves out a commit that lacks the field
		}
		pattern, text, matches := p.match(commit, message, con)
		if !matches {
			continue
		}
		if p.Skip && (!con.Breaking || !c.git.Protect) {
			return "", shown, false
		}
		shown.Scope = cmp.Or(con.Scope, p.DefaultScope)
		if p.Scope != nil {
			shown.Scope = expanded(*p.Scope, pattern, text)
		}
		group = cmp.Or(expanded(p.Group, pattern, text), con.Type)
		return group, shown, group != ""
	}
	return con.Type, shown, !c.git.FilterCommits && con.Type != ""
}

// process is a message with the replacements.
func (p cliffProcessor) process(message string) string {
	var out []byte
	end := 0
	for _, match := range p.pattern.FindAllStringSubmatchIndex(message, maxMatches) {
		out = append(out, message[end:match[0]]...)
		out = p.pattern.ExpandString(out, *p.Replace, message, match)
		end = match[1]
		if len(out) > maxProcessed {
			break
		}
	}
	return short(string(append(out, message[end:]...)), maxProcessed)
}

// short is the begin of a text, up to a number of bytes.
func short(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// match is the pattern of a parser that matches a commit, and in which text.
func (p cliffParser) match(commit Commit, message string, con Conventional) (pattern *regexp.Regexp, text string, ok bool) {
	if p.SHA != "" && strings.EqualFold(p.SHA, commit.Hash) {
		return nil, "", true
	}
	checks := []struct {
		pattern *regexp.Regexp
		texts   []string
	}{{p.Message.Regexp, []string{message}}, {p.Body.Regexp, []string{con.Body}}, {p.Footer.Regexp, nil}, {p.field, nil}}
	if p.field != nil {
		if value, ok := fieldsOf(commit, message, con)[p.Field]; ok {
			checks[3].texts = []string{value}
		}
	}
	for _, f := range con.Footers {
		separator := ": "
		if f.Number {
			separator = " #"
		}
		checks[2].texts = append(checks[2].texts, f.Token+separator+f.Value)
	}
	for _, check := range checks {
		for _, text := range check.texts {
			if text = strings.TrimSpace(text); check.pattern != nil && check.pattern.MatchString(text) {
				return check.pattern, text, true
			}
		}
	}
	return nil, "", false
}

// absent is what git-cliff compares where a commit has no such field.
const absent = "null"

func scopeOf(p cliffParser) string {
	if p.Scope == nil {
		return ""
	}
	return *p.Scope
}

// fieldsOf are the values of the fields of a commit that a parser can look at here; others are known to a forge alone.
func fieldsOf(commit Commit, message string, con Conventional) map[string]string {
	return map[string]string{
		"id": commit.Hash, "group": cmp.Or(con.Type, absent), "message": cmp.Or(con.Subject, message), "body": con.Body, "scope": cmp.Or(con.Scope, absent),
		"author.name": commit.Author, "breaking": strconv.FormatBool(con.Breaking), "merge_commit": strconv.FormatBool(commit.Merge),
	}
}

// expanded is a group or scope with $1 and the like filled in from what the pattern has matched.
func expanded(text string, pattern *regexp.Regexp, in string) string {
	if pattern == nil || text == "" {
		return text
	}
	return short(string(pattern.ExpandString(nil, text, in, pattern.FindStringSubmatchIndex(in))), maxReplace)
}

// heading is a group without the comments and tags by which configurations sort groups.
func (c *Cliff) heading(group string) string {
	return cmp.Or(upperFirst(strings.TrimSpace(regexp.MustCompile(`(?s)<!--.*?-->|<[^>]*>`).ReplaceAllString(group, ""))), "Other")
}

// sorted are groups in the order of git-cliff's usual templates.
func (c *Cliff) sorted(groups []string) []string {
	slices.Sort(groups)
	if !c.inOrder {
		return groups
	}
	place := func(group string) int {
		i := slices.IndexFunc(c.git.Parsers, func(p cliffParser) bool { return p.Group == group })
		if i < 0 {
			return len(c.git.Parsers)
		}
		return i
	}
	slices.SortStableFunc(groups, func(a, b string) int { return place(a) - place(b) })
	return groups
}

// oldestFirst tells whether the commits of a group begin with the oldest, as they do when the file does not say it.
func (c *Cliff) oldestFirst() bool { return !strings.EqualFold(c.git.Sort, "newest") }
