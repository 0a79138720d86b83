package pipeline

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// allowance is a comment that allows what one rule finds in a line.
type allowance struct {
	comment int // line of the comment
	line    int // line that it is about: its own, or the next one with something in it when it stands alone
	rule    string
	used    bool
}

var (
	// allowComment is "# taxiway: allow RULE because REASON".
	allowComment = regexp.MustCompile(`(^|\s)#\s*taxiway:\s*(.*)$`)
	allowText    = regexp.MustCompile(`^allow\s+(\S+)(\s+because\s+\S.*)?$`)
)

// allowances reads the comments that allow findings; what is wrong with them is reported.
func (r *report) allowances(data []byte) []*allowance {
	if !bytes.Contains(data, []byte("taxiway:")) {
		return nil
	}
	var found []*allowance
	lines := strings.Split(string(data), "\n")
	for i, text := range lines {
		m := allowComment.FindStringSubmatch(strings.TrimRight(text, " \t\r"))
		if m == nil {
			continue
		}
		said := allowText.FindStringSubmatch(m[2])
		switch {
		case said == nil:
			r.warnf(i+1, "allow-comment", "write: # taxiway: allow RULE because REASON", "this comment allows nothing")
		case !slices.Contains(ruleNames(), said[1]):
			r.warnf(i+1, "allow-comment", didYouMean(said[1], ruleNames()), "there is no rule %s", quote(said[1]))
		case said[2] == "":
			r.warnf(i+1, "allow-comment", "write: # taxiway: allow "+said[1]+" because REASON", "this comment does not say why it allows %s", said[1])
		default:
			found = append(found, &allowance{comment: i + 1, line: about(lines, i), rule: said[1]})
		}
	}
	return found
}

// about is the 1-based line that a comment in line i is about.
func about(lines []string, i int) int {
	for ; i < len(lines); i++ {
		if text := strings.TrimSpace(lines[i]); text != "" && !strings.HasPrefix(text, "#") {
			return i + 1
		}
	}
	return i
}

// allow drops the findings that the comments allow, and reports comments that allow nothing.
func (r *report) allow(allowed []*allowance) {
	r.findings = slices.DeleteFunc(r.findings, func(f Finding) bool {
		drop := false
		for _, a := range allowed {
			if a.rule == f.Rule && a.line == f.Line {
				a.used, drop = true, true
			}
		}
		return drop
	})
	for _, a := range allowed {
		if !a.used {
			r.warnf(a.comment, "allow-comment", "remove the comment", "%s finds nothing in line %d", a.rule, a.line)
		}
	}
}
