package secret

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

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

// Mask replaces secrets in text for people. The zero value knows none. Its methods are safe for concurrent use.
type Mask struct {
	mu    sync.Mutex
	known map[string]bool // texts in which a secret shows
	forms []string        // the same, ready to be looked for
}

// Hide masks more secrets from now on: each as it is, each line of one that has several, and the forms in which they usually
// travel: in JSON, in Go's quotes, in addresses, in HTML, in base64 also with something before and after (as in HTTP basic
// authentication).
func (m *Mask) Hide(secrets ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[string]bool{}
	}
	for _, secret := range secrets {
		secret = strings.TrimSpace(secret)
		addForms(m.known, secret)
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) >= shortest && !strings.HasPrefix(line, "-----") {
				addForms(m.known, line)
			}
		}
	}
	m.forms = slices.Collect(maps.Keys(m.known))
}

func (m *Mask) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.forms
}

func addForms(forms map[string]bool, secret string) {
	if secret == "" {
		return
	}
	shown := map[string]bool{secret: true, visible.Text(secret): true, visible.Line(secret): true, strings.Join(strings.Fields(secret), " "): true}
	maps.Copy(shown, each(shown, htmlForms))
	maps.Copy(forms, each(each(shown, quotedForms), quotedForms)) // JSON inside of JSON, an error inside of %q
	addAddressForms(forms, secret)
	addAddressForms(forms, url.UserPassword("", secret).String()[1:])
	for offset := range 3 {
		form := base64Middle(secret, offset)
		if len(form) < shortest {
			continue
		}
		addAddressForms(forms, form)
		addAddressForms(forms, strings.NewReplacer("+", "-", "/", "_").Replace(form))
	}
}

// each is what one makes of all texts, each of them once: most texts have few forms, made in many ways.
func each(texts map[string]bool, one func(text string) []string) map[string]bool {
	all := map[string]bool{}
	for text := range texts {
		for _, form := range one(text) {
			all[form] = true
		}
	}
	return all
}

// htmlForms are a text in HTML, with the escapes for quotes that programs choose.
func htmlForms(text string) []string {
	escaped := html.EscapeString(text) // has &#34; and &#39;
	if !strings.Contains(escaped, "&#3") {
		return []string{escaped}
	}
	var forms []string
	for _, quote := range []string{"&#34;", "&quot;"} {
		for _, apostrophe := range []string{"&#39;", "&apos;", "&#039;", "&#x27;"} {
			forms = append(forms, strings.NewReplacer("&#34;", quote, "&#39;", apostrophe).Replace(escaped))
		}
	}
	return forms
}

// addAddressForms adds a text and its escapes in addresses, also in an address inside of another.
func addAddressForms(forms map[string]bool, text string) {
	forms[text], forms[strings.ReplaceAll(text, "/", `\/`)] = true, true
	once := each(map[string]bool{text: true}, addressForms)
	maps.Copy(once, each(once, addressForms))
	for form := range once {
		forms[form], forms[strings.ReplaceAll(form, "&", `\u0026`)] = true, true
	}
}

func addressForms(text string) []string {
	query := url.QueryEscape(text)
	forms := []string{query, strings.ReplaceAll(query, "+", "%20"), url.PathEscape(text)}
	for _, form := range forms {
		forms = append(forms, lowerPercent(form))
	}
	return forms
}

// quotedForms are a text as it is and in the quotes of JSON (with and without the escapes for HTML, with those of slashes, in
// ASCII) and of Go.
func quotedForms(text string) []string {
	if !strings.ContainsFunc(text, quotesChange) { // as most lines of a key
		return []string{text, strings.ReplaceAll(text, "/", `\/`)}
	}
	forms := []string{text, strings.ReplaceAll(text, "\n", `\n`), inner(strconv.Quote(text)), inner(strconv.QuoteToASCII(text))}
	for _, forHTML := range []bool{true, false} {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(forHTML)
		if enc.Encode(text) == nil { //nolint:errchkjson // a string that cannot be encoded has no such form
			form := inner(strings.TrimSuffix(b.String(), "\n"))
			for _, alphabet := range []string{form, inASCII(form)} {
				forms = append(forms, alphabet, strings.ReplaceAll(alphabet, "/", `\/`))
			}
		}
	}
	return forms
}

// quotesChange reports whether one of the quotes has an escape for a character, but for a slash.
func quotesChange(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r) }

// inASCII is JSON with escapes for all that is not ASCII.
func inASCII(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case r > 0xffff: //nolint:mnd // two units of UTF-16
			high, low := utf16.EncodeRune(r)
			_, _ = fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			_, _ = fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// inner is a quoted text without its quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// lowerPercent writes the escapes of an address as some programs do: %2f for %2F.
func lowerPercent(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := []byte(s)
	for i := range b {
		if escaped := i > 0 && b[i-1] == '%' || i > 1 && b[i-2] == '%'; escaped && 'A' <= b[i] && b[i] <= 'F' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
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

// spans finds every place of a form, also where two of them overlap, and the beginning of one before a mark of a cut.
func (m *Mask) spans(s string) []span {
	var all []span
	forms := m.all()
	for _, form := range forms {
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
	for at := 0; ; at += len(visible.CutMark) {
		i := strings.Index(s[at:], visible.CutMark)
		if i < 0 {
			break
		}
		at += i
		end := len(strings.TrimRight(s[:at], "\"'\\ \t\r\n")) // the mark may stand behind quotes
		for _, form := range forms {
			if n := begun(s[:end], form); n > 0 {
				all = append(all, span{end - n, end})
			}
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].from < all[j].from })
	return all
}

// begun is how many bytes at the end of a text are the beginning of a form; 0 for fewer than a few.
func begun(s, form string) int {
	for n := min(len(s), len(form)-1); n >= tiny; n-- {
		if s[len(s)-n:] == form[:n] {
			return n
		}
	}
	return 0
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

// Text masks the secrets, and the credentials in every address, whoever's they
// are.
func (m *Mask) Text(s string) string {
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
