package cepler

import "strings"

// Summary is a commit message's first paragraph on one line, as libgit2 makes
// it (https://libgit2.org/docs/reference/main/commit/git_commit_summary.html):
// white space that holds a line break becomes one blank, other white space
// stays, and what is at the end goes. What is not UTF-8 is replaced by U+FFFD,
// as a state file could not hold it.
func Summary(message string) string {
	message, _, _ = strings.Cut(message, "\x00") // where C ends a string
	message = firstParagraph(strings.TrimLeft(message, "\n"))
	var out strings.Builder
	for message != "" {
		word := strings.IndexFunc(message, isSpace)
		if word < 0 {
			word = len(message)
		}
		out.WriteString(message[:word])
		message = message[word:]
		rest := strings.TrimLeftFunc(message, isSpace)
		space := message[:len(message)-len(rest)]
		message = rest
		switch {
		case rest == "":
		case strings.Contains(space, "\n"):
			out.WriteByte(' ')
		default:
			out.WriteString(space)
		}
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD")
}

// firstParagraph ends before a line break that a line of nothing but white
// space follows.
func firstParagraph(message string) string {
	for i := range len(message) {
		if message[i] != '\n' {
			continue
		}
		line, _, _ := strings.Cut(message[i+1:], "\n")
		if strings.TrimFunc(line, isSpace) == "" {
			return message[:i]
		}
	}
	return message
}

// isSpace is C's isspace.
func isSpace(c rune) bool { return c == ' ' || '\t' <= c && c <= '\r' }
