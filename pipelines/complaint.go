package pipelines

import (
	"path/filepath"
	"regexp"
	"strings"
)

// complaint is what ytt said, told to who wrote the values: what a template refuses is one sentence without the
// template's stack, a value that must be there is called missing, and the file has the name that it has here.
func complaint(said, values string) string {
	said = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(said), "ytt: Error:"))
	if refused := regexp.MustCompile(`(?m)^- assert\.fail: fail: (.*)$`).FindStringSubmatch(said); refused != nil {
		return refused[1]
	}
	if strings.HasPrefix(said, "panic: expected struct key ") {
		return "the values have a key that is not a text: y, n, yes, no, on, off, true, false and numbers need quotes where they are a name"
	}
	missing := regexp.MustCompile(`(?m)^( *)from: schema.*\n *- must be: length >= 1 \(by: .*\)\n *found: length = 0$`)
	said = missing.ReplaceAllString(said, "$1- is required")
	half := regexp.MustCompile(`(?m)^( *)from: schema.*\n *- must be: not null \(by: .*\)\n *found: value is null$`) // only a login has such a rule
	said = half.ReplaceAllString(said, "$1- is required: username and password are given together")
	named := regexp.MustCompile(`(?m)(^|^ *from: |')` + regexp.QuoteMeta(valuesFile) + `([:'])`)
	return named.ReplaceAllString(said, "${1}"+filepath.Base(values)+"${2}")
}
