package version

import "strings"

// parseRevert reads the messages that git and forges write for a commit that takes another one back,
// `Revert "feat: x"`, and for one that brings it again, `Reapply "feat: x"` or, from older versions
// of git, `Revert "Revert "feat: x""`. The first is of the type revert; the second is what it brings.
// A subject may have been cut short, and a number of a pull request may follow it.
func parseRevert(message string) (c Conventional, ok bool) {
	line, rest, _ := strings.Cut(strings.TrimSpace(message), "\n")
	subject, reverted := unwrap(strings.TrimSpace(line))
	if subject == "" {
		return c, false
	}
	if reverted {
		subject = "revert: " + subject
	}
	c, err := ParseCommit(subject + "\n" + rest)
	return c, err == nil
}

// unwrap is the subject within `Revert "…"` and `Reapply "…"`, however deep, and whether it is taken
// back. It is empty where there is neither.
func unwrap(line string) (subject string, reverted bool) {
	inner, isRevert := strings.CutPrefix(line, `Revert "`)
	if !isRevert {
		if inner, isRevert = strings.CutPrefix(line, `Reapply "`); !isRevert {
			return "", false
		}
	} else {
		reverted = true
	}
	if end := strings.LastIndexByte(inner, '"'); end >= 0 {
		inner = inner[:end]
	}
	inner = strings.TrimSpace(inner)
	if deeper, before := unwrap(inner); deeper != "" {
		return deeper, reverted != before
	}
	return inner, reverted
}
