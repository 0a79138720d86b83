package concourse

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/visible"
)

const (
	// redacted stands where a secret stood. It looks like the reference the
	// secret usually comes from.
	redacted = "((redacted))"
	// shortest is the length in bytes from which a line of a secret of several
	// lines is masked by itself. A shorter one gives nothing away.
	shortest = 8
	// tiny is the length in bytes below which a secret is only masked where it
	// is not part of a word: masking each "a" hides nothing and spoils the text.
	tiny = 4
)

// masker replaces secrets in text for people.
type masker struct {
	forms []string // texts in which a secret shows, no two equal
}

// newMasker hides the secrets, each line of those that have several, and the
// forms in which they usually travel: in JSON, in Go's quotes, in addresses, in
// HTML, in base64 also with something before and after (as in HTTP basic
// authentication).
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
	m := masker{}
	for form := range forms {
		m.forms = append(m.forms, form)
	}
	return m
}

func addForms(forms map[string]bool, secret string) {
	if secret == "" {
		return
	}
	for _, form := range []string{secret, visible.Text(secret), visible.Line(secret)} {
		for _, quoted := range quotedForms(form) {
			forms[quoted] = true
			for _, twice := range quotedForms(quoted) { // JSON inside of JSON, an error inside of %q
				forms[twice] = true
			}
		}
	}
	query := url.QueryEscape(secret)
	for _, form := range []string{query, strings.ReplaceAll(query, "+", "%20"), url.PathEscape(secret), url.UserPassword("", secret).String()[1:]} {
		forms[form] = true
		forms[lowerPercent(form)] = true
	}
	escaped := html.EscapeString(secret)
	forms[escaped] = true
	forms[strings.NewReplacer("&#34;", "&quot;", "&#39;", "&apos;").Replace(escaped)] = true
	for offset := range 3 {
		form := base64Middle(secret, offset)
		if len(form) < shortest {
			continue
		}
		forms[form] = true
		forms[strings.NewReplacer("+", "-", "/", "_").Replace(form)] = true
	}
}

// quotedForms are a text as it is and in the quotes of JSON (with and without
// the escapes for HTML) and of Go.
func quotedForms(text string) []string {
	forms := []string{text, strings.ReplaceAll(text, "\n", `\n`), inner(strconv.Quote(text)), inner(strconv.QuoteToASCII(text))}
	for _, forHTML := range []bool{true, false} {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(forHTML)
		if enc.Encode(text) == nil { //nolint:errchkjson // a string that cannot be encoded has no such form
			forms = append(forms, inner(strings.TrimSuffix(b.String(), "\n")))
		}
	}
	return forms
}

// inner is a quoted text without its quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// lowerPercent writes the escapes of an address as some programs do: %2f for %2F.
func lowerPercent(s string) string {
	return regexp.MustCompile(`%[0-9A-F]{2}`).ReplaceAllStringFunc(s, strings.ToLower)
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

// span is a part of a text, from a byte to before another.
type span struct{ from, to int }

// spans finds every place of a form, also where two of them overlap.
func (m masker) spans(s string) []span {
	var all []span
	for _, form := range m.forms {
		for at := 0; at+len(form) <= len(s); at++ {
			i := strings.Index(s[at:], form)
			if i < 0 {
				break
			}
			at += i
			if found := (span{at, at + len(form)}); len(form) >= tiny || alone(s, found) {
				all = append(all, found)
			}
		}
	}
	slices.SortFunc(all, func(a, b span) int { return a.from - b.from })
	return all
}

// alone reports whether a place is not part of a longer word.
func alone(s string, at span) bool {
	before := at.from > 0 && word(s[at.from-1]) && word(s[at.from])
	after := at.to < len(s) && word(s[at.to-1]) && word(s[at.to])
	return !before && !after
}

func word(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// text masks the secrets, and the credentials in every address, whoever's they
// are.
func (m masker) text(s string) string {
	var b strings.Builder
	end := 0
	for _, at := range m.spans(s) {
		if at.from >= end {
			b.WriteString(s[end:at.from])
			b.WriteString(redacted)
		}
		end = max(end, at.to)
	}
	b.WriteString(s[end:])
	return maskAddresses(b.String())
}

// maskAddresses masks what stands between a colon and an @ as it does in an
// address with a password, also in one that is misspelt; and a token in the
// place of the user of a web address.
func maskAddresses(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	s = regexp.MustCompile(`(:/{1,3}[^/\s:@"']*:)[^/\s@"']+@`).ReplaceAllString(s, "${1}"+redacted+"@")
	s = regexp.MustCompile(`(?i)(https?:/{1,3})[^/\s:@"']+@`).ReplaceAllString(s, "${1}"+redacted+"@")
	return regexp.MustCompile(`(^|[\s"'(=]|//)([\w.+%~-]+:)([^/\s:@"']+)@([\w.-]+)`).ReplaceAllStringFunc(s, func(found string) string {
		if regexp.MustCompile(`@sha(256|512)$`).MatchString(found) {
			return found // an image by tag and digest
		}
		colon, at := strings.LastIndex(found[:strings.LastIndex(found, "@")], ":"), strings.LastIndex(found, "@")
		return found[:colon+1] + redacted + found[at:]
	})
}

func (m masker) metadata(fields Metadata) Metadata {
	masked := make(Metadata, len(fields))
	for i, f := range fields {
		masked[i] = Field{Name: visible.Line(m.text(f.Name)), Value: visible.Text(m.text(f.Value))}
	}
	return masked
}

// pasted finds what looks like a secret in a request's values, whichever key
// holds it: a private key, and the password of an address, also of one that
// can't be parsed.
func pasted(raw json.RawMessage) []string {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return nil
	}
	var found []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		case string:
			found = append(found, secretsIn(v)...)
		}
	}
	walk(value)
	return found
}

func secretsIn(value string) []string {
	if strings.Contains(value, "PRIVATE KEY-----") {
		return []string{value}
	}
	address, _, ok := cutLast(value, "@")
	if !ok || strings.ContainsAny(address, " \n\t") {
		return nil
	}
	_, password, ok := strings.Cut(regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:/{1,3}`).ReplaceAllString(address, ""), ":")
	if !ok || strings.Contains(value, "@sha") {
		return nil
	}
	return []string{password}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
