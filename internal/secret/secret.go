// Package secret carries secrets from where they are obtained to where text is
// masked. A program knows the secrets of its request; it learns others while it
// runs, such as the token that a GitHub App's key is exchanged for. Whatever
// obtains one calls [Register] before it uses it, and everything that is written
// afterwards has it masked.
package secret

import (
	"context"
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
