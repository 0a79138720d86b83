package concourse

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const (
	// redacted stands where a secret stood. It looks like the reference the
	// secret usually comes from.
	redacted = "((redacted))"
	// shortest is the length in bytes from which a secret, or a line of one, is
	// masked wherever it occurs. A shorter line of a longer secret says nothing.
	shortest = 8
	// tiny is the length in bytes below which a secret is only masked where it
	// is not part of a word: masking each "a" hides nothing and spoils the text.
	tiny = 4
)

// masker replaces secrets in text for people.
type masker struct {
	secrets *regexp.Regexp // nil when there are none
}

// newMasker hides the secrets, each line of those that have several, and the
// forms in which they usually travel: in JSON, in addresses, in base64 also with
// something before and after (as in HTTP basic authentication).
func newMasker(secrets []string) masker {
	forms := map[string]bool{}
	for _, secret := range secrets {
		secret = strings.TrimSpace(secret)
		addForms(forms, secret)
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) >= shortest && !strings.HasPrefix(line, "-----") {
				addForms(forms, line)
			}
		}
	}
	if len(forms) == 0 {
		return masker{}
	}
	patterns := make([]string, 0, len(forms))
	for form := range forms {
		patterns = append(patterns, form)
	}
	// of two that start at the same place the longer one has to win
	slices.SortFunc(patterns, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	for i, form := range patterns {
		patterns[i] = pattern(form)
	}
	return masker{regexp.MustCompile(strings.Join(patterns, "|"))}
}

func addForms(forms map[string]bool, secret string) {
	if secret == "" {
		return
	}
	quoted, err := json.Marshal(secret)
	if err == nil {
		forms[strings.Trim(string(quoted), `"`)] = true
	}
	forms[secret] = true
	forms[strings.ReplaceAll(secret, "\n", `\n`)] = true
	forms[url.QueryEscape(secret)] = true
	forms[url.PathEscape(secret)] = true
	forms[url.UserPassword("", secret).String()[1:]] = true
	for offset := range 3 {
		form := base64Middle(secret, offset)
		if len(form) < shortest {
			continue
		}
		forms[form] = true
		forms[strings.NewReplacer("+", "-", "/", "_").Replace(form)] = true
	}
}

// base64Middle is the part of a base64 text that depends on the secret alone,
// when it starts offset bytes behind a multiple of three.
func base64Middle(secret string, offset int) string {
	text := base64.RawStdEncoding.EncodeToString(append(make([]byte, offset), secret...))
	start := []int{0, 2, 3}[offset]
	end := len(text)
	if (offset+len(secret))%3 != 0 {
		end--
	}
	return text[start:max(start, end)]
}

func pattern(form string) string {
	quoted := regexp.QuoteMeta(form)
	if len(form) >= tiny {
		return quoted
	}
	if word(form[0]) {
		quoted = `\b` + quoted
	}
	if word(form[len(form)-1]) {
		quoted += `\b`
	}
	return quoted
}

func word(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// text masks the secrets, and the credentials in every address, whoever's they
// are.
func (m masker) text(s string) string {
	if m.secrets != nil {
		s = m.secrets.ReplaceAllLiteralString(s, redacted)
	}
	if !strings.Contains(s, "://") {
		return s
	}
	s = regexp.MustCompile(`(://[^/\s:@"']*:)[^/\s@"']+@`).ReplaceAllString(s, "${1}"+redacted+"@")
	return regexp.MustCompile(`(?i)(https?://)[^/\s:@"']+@`).ReplaceAllString(s, "${1}"+redacted+"@")
}

func (m masker) metadata(fields Metadata) Metadata {
	masked := make(Metadata, len(fields))
	for i, f := range fields {
		masked[i] = Field{Name: m.text(f.Name), Value: m.text(f.Value)}
	}
	return masked
}
