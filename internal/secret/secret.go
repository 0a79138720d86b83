// Package secret carries secrets from where they are obtained to where text is
// masked. A program knows the secrets of its request; it learns others while it
// runs, such as the token that a GitHub App's key is exchanged for. Whatever
// obtains one calls [Register] before it uses it, and everything that is written
// afterwards has it masked.
package secret

import (
	"context"
	"encoding/base64"
	"strings"
)

type key struct{}

// With returns a context whose secrets are masked by m.
func With(ctx context.Context, m *Mask) context.Context { return context.WithValue(ctx, key{}, m) }

// Register masks secrets from now on, in all that this context's program writes.
// Without a [With] it does nothing, as in a program that shows nothing.
func Register(ctx context.Context, secrets ...string) {
	if m, ok := ctx.Value(key{}).(*Mask); ok {
		m.Hide(secrets...)
	}
}

// Unindent returns the text of a key as people paste it, which may be indented, with Windows line ends or without the last
// line end, as it was.
func Unindent(text string) string {
	var clean strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		clean.WriteString(strings.TrimSpace(line) + "\n")
	}
	return clean.String()
}

// Text masks the secrets that are registered with this context.
func Text(ctx context.Context, text string) string {
	if m, ok := ctx.Value(key{}).(*Mask); ok {
		return m.Text(text)
	}
	return text
}

// NoKey says what a text without a block of PEM is instead of a private key, and what to give; wanted says it where that is not known.
func NoKey(text, wanted string) string {
	text = strings.TrimSpace(text)
	decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	switch {
	case strings.HasPrefix(text, "ssh-") || strings.HasPrefix(text, "ecdsa-"):
		return "this is a public key; give the private one, which begins with -----BEGIN"
	case strings.HasPrefix(text, "-----BEGIN") && strings.Contains(text, `\n`):
		return `its line breaks are written as \n; write each line of the key on its own line, in YAML below a |`
	case strings.HasPrefix(text, "-----BEGIN") && !strings.Contains(text, "\n"):
		return "it is in one line; write each line of the key on its own line, in YAML below a |"
	case err == nil && strings.HasPrefix(string(decoded), "-----BEGIN"):
		return "it is a key in base64; give the key itself, which begins with -----BEGIN"
	case strings.HasPrefix(text, "/") || strings.HasPrefix(text, "~/"):
		return "it is the path of a file; give the text of the key"
	}
	return wanted
}
