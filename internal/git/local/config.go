package local

import (
	"errors"
	"fmt"
	"strings"
)

// config is a file of settings, see "CONFIGURATION FILE" in git-config(1): the last value of
// each variable by its name, as `git config --list` writes it. Included files are not read.
//
// It is written here because the reader of go-git needs encoding/gob, which makes each program
// 0.18 MB larger and a tenth slower to start.
type config map[string]string

// errSyntax says that a file of settings is not one; git refuses it, too.
var errSyntax = errors.New("git would not read it either")

// parseConfig reads a file of settings.
func parseConfig(text string) (config, error) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	found, rest, section := config{}, text, ""
	for {
		var err error
		rest = strings.TrimLeft(rest, " \t\n\r")
		switch {
		case rest == "":
			return found, nil
		case rest[0] == '#' || rest[0] == ';':
			_, rest, _ = strings.Cut(rest, "\n")
		case rest[0] == '[':
			section, rest, err = sectionName(rest[1:])
			section += "."
		default:
			var name, value string
			name, value, rest, err = setting(rest)
			found[section+name] = value
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", 1+strings.Count(text[:len(text)-len(rest)], "\n"), err)
		}
	}
}

// sectionName reads what is between brackets: section, section.sub or section "sub".
func sectionName(text string) (name, rest string, err error) {
	end := strings.IndexFunc(text, func(c rune) bool { return c != '.' && !isKey(c) })
	if end < 0 {
		return "", text, errSyntax
	}
	name, rest = strings.ToLower(text[:end]), text[end:]
	if quoted, spaced := strings.CutPrefix(strings.TrimLeft(rest, " \t\r"), `"`); spaced && rest[0] != '"' {
		var sub strings.Builder
		for rest = quoted; rest != "" && rest[0] != '"' && rest[0] != '\n'; rest = rest[1:] {
			if rest[0] == '\\' && len(rest) > 1 && rest[1] != '\n' {
				rest = rest[1:]
			}
			sub.WriteByte(rest[0])
		}
		name, rest = name+"."+sub.String(), strings.TrimPrefix(rest, `"`)
	}
	if name == "" || !strings.HasPrefix(rest, "]") {
		return "", rest, errSyntax
	}
	return name, rest[1:], nil
}

// setting reads one variable. One without a value is true.
func setting(text string) (name, value, rest string, err error) {
	end := strings.IndexFunc(text, func(c rune) bool { return !isKey(c) })
	if end < 0 {
		end = len(text)
	}
	name = strings.ToLower(text[:end])
	rest = strings.TrimLeft(text[end:], " \t")
	switch {
	case name == "" || name[0] < 'a' || name[0] > 'z':
		return "", "", rest, errSyntax
	case rest == "" || rest[0] == '\n':
		return name, "true", rest, nil
	case rest[0] != '=':
		return "", "", rest, errSyntax
	}
	value, rest, err = settingValue(rest[1:])
	return name, value, rest, err
}

// settingValue reads the value of a variable: to the end of the line, or of the next one after
// a backslash; quotes keep blanks and the signs of a comment.
func settingValue(text string) (value, rest string, err error) {
	var read strings.Builder
	quoted, kept := false, 0 // blanks at the end of what is read count only if something follows
	for rest = text; rest != "" && rest[0] != '\n'; rest = rest[1:] {
		c := rest[0]
		switch {
		case !quoted && (c == '#' || c == ';'):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			return read.String()[:kept], rest[end:], nil
		case !quoted && strings.IndexByte(" \t\r", c) >= 0:
			if read.Len() > 0 {
				read.WriteByte(c)
			}
			continue
		case c == '"':
			quoted = !quoted
		case c == '\\' && len(rest) > 1:
			rest = rest[1:]
			at := strings.IndexByte("\ntbn\\\"", rest[0])
			if at < 0 {
				return "", rest, errSyntax
			}
			if at > 0 {
				read.WriteByte("\n\t\b\n\\\""[at])
			}
		case c != '\\': // one at the very end is of no meaning
			read.WriteByte(c)
		}
		kept = read.Len()
	}
	if quoted {
		return "", rest, errSyntax
	}
	return read.String()[:kept], rest, nil
}

func isKey(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-'
}
