package concourse

import (
	"encoding/json"
	"regexp"
	"strings"
)

// pasted finds what looks like a secret in a request's values, whichever key
// holds it: a private key, and the password of an address, also of one that
// can't be parsed.
func pasted(raw json.RawMessage) []string {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return nil
	}
	var found []string
	eachText("", value, nil, func(_, text string, _ func(any)) { found = append(found, secretsIn(text)...) })
	return found
}

func secretsIn(value string) []string {
	if strings.Contains(value, "PRIVATE KEY-----") {
		return []string{value}
	}
	at := strings.LastIndex(value, "@")
	if at < 0 || strings.ContainsAny(value[:at], " \n\t") {
		return nil
	}
	_, password, ok := strings.Cut(regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:/{1,3}`).ReplaceAllString(value[:at], ""), ":")
	if !ok || strings.Contains(value, "@sha") {
		return nil
	}
	return []string{password}
}
