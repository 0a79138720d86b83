// Package provenance is the comment that leads from an image digest in a chart's
// values back to the commit that the image was built from:
//
//	digest: "sha256:…" # METADATA:: repository=https://github.com/acme/bank;commit_ref=e348f09;app=bank;
//
// It knows the comment's grammar, and neither YAML nor git: whoever writes such
// comments and whoever reads them use the same one.
//
//	comment = "#" blanks "METADATA::" *( blanks field ) [ blanks human ]
//	field   = name "=" value ";"
//	name    = 1*( a-z 0-9 _ )
//	value   = any characters but ";", white space and control characters
//
// The fields stand in any order. The last ";" of a comment may be missing, as
// people forget it. What follows the fields is a person's own text.
package provenance

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Metadata says what an image was built from.
type Metadata struct {
	// Repository is the address of the source repository, as a person opens it:
	// https://github.com/acme/bank.
	Repository string `json:"repository"`
	// CommitRef is the source commit, mostly the first 7 digits of its hash.
	CommitRef string `json:"commit_ref"`
	// App is the name of the program, "" when the comment names none.
	App string `json:"app,omitempty"`
	// MonorepoSubdir is the folder of the program in its repository, "" for the
	// whole of it.
	MonorepoSubdir string `json:"monorepo_subdir,omitempty"`
	// Others are fields that this program does not know, in the order of the
	// comment.
	Others []Field `json:"others,omitempty"`
}

// Field is one field of a comment.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ErrNone says that a comment is not of this kind: it is only a person's.
var ErrNone = errors.New("no METADATA comment")

// ErrBroken says that a comment begins like one of this kind, but cannot be
// understood.
var ErrBroken = errors.New("broken METADATA comment")

const (
	mark = "METADATA::"

	repository     = "repository"
	commitRef      = "commit_ref"
	app            = "app"
	monorepoSubdir = "monorepo_subdir"
)

// String is the comment, with its "#".
func (m Metadata) String() string {
	var b strings.Builder
	b.WriteString("# " + mark + " ")
	for _, f := range m.fields() {
		b.WriteString(f.Name + "=" + f.Value + ";")
	}
	return b.String()
}

// With is the comment, and after it a person's own, as Parse gave it.
func (m Metadata) With(human string) string {
	if human = strings.TrimSpace(human); human == "" {
		return m.String()
	}
	if _, _, ok := cutField(human); ok {
		human = "# " + human // or it would be read as a field
	}
	return m.String() + " " + human
}

// fields are those to write: the two that must be there, and what is set of the
// others.
func (m Metadata) fields() []Field {
	fields := []Field{{repository, m.Repository}, {commitRef, m.CommitRef}}
	for _, f := range append([]Field{{app, m.App}, {monorepoSubdir, m.MonorepoSubdir}}, m.Others...) {
		if f.Value != "" {
			fields = append(fields, f)
		}
	}
	return fields
}

// Validate reports what could not be read back from the comment.
func (m Metadata) Validate() error {
	if m.Repository == "" {
		return errors.New("a METADATA comment needs the address of the source repository")
	}
	if m.CommitRef == "" {
		return errors.New("a METADATA comment needs the source commit")
	}
	seen := map[string]bool{}
	for _, f := range m.fields() {
		switch {
		case !isName(f.Name):
			return fmt.Errorf("the METADATA field %q has a name that is not of lower-case letters, digits and _", f.Name)
		case !isValue(f.Value):
			return fmt.Errorf("the METADATA field %s can't have the value %q: it must not hold white space or a semicolon", f.Name, f.Value)
		case seen[f.Name]:
			return fmt.Errorf("the METADATA field %s appears twice", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// Parse reads the comment of one line, from its "#" to the line's end. human is
// what a person wrote after the fields. A comment that is only a person's is
// ErrNone, and human is its text without the "#". The error of a comment that
// begins like one of this kind and is not understood is ErrBroken, and says why.
func Parse(comment string) (m Metadata, human string, err error) {
	text := strings.TrimSpace(comment)
	text = strings.TrimSpace(strings.TrimLeft(text, "#"))
	rest, ok := strings.CutPrefix(text, mark)
	if !ok {
		return Metadata{}, text, ErrNone
	}
	seen := map[string]bool{}
	for {
		f, after, ok := cutField(rest)
		if !ok {
			break
		}
		if seen[f.Name] {
			return Metadata{}, "", fmt.Errorf("%w: it has %s twice", ErrBroken, f.Name)
		}
		seen[f.Name] = true
		m.set(f)
		rest = after
	}
	if m.Repository == "" || m.CommitRef == "" {
		return Metadata{}, "", fmt.Errorf("%w: it has no %s; it reads %.200q", ErrBroken, m.missing(), text)
	}
	return m, strings.TrimSpace(rest), nil
}

func (m *Metadata) set(f Field) {
	switch f.Name {
	case repository:
		m.Repository = f.Value
	case commitRef:
		m.CommitRef = f.Value
	case app:
		m.App = f.Value
	case monorepoSubdir:
		m.MonorepoSubdir = f.Value
	default:
		m.Others = append(m.Others, f)
	}
}

func (m *Metadata) missing() string {
	if m.Repository == "" {
		return repository
	}
	return commitRef
}

// cutField takes a field from the front of text.
func cutField(text string) (f Field, rest string, ok bool) {
	text = strings.TrimLeftFunc(text, unicode.IsSpace)
	name, value, ok := strings.Cut(text, "=")
	if !ok || !isName(name) {
		return Field{}, "", false
	}
	end := strings.IndexFunc(value, func(r rune) bool { return !inValue(r) })
	if end < 0 {
		end = len(value)
	}
	value, rest = value[:end], value[end:]
	if value == "" {
		return Field{}, "", false
	}
	return Field{name, value}, strings.TrimPrefix(rest, ";"), true
}

func isName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func isValue(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !inValue(r) }) < 0
}

// inValue reports whether a value may hold r. What is not UTF-8 may not be there.
func inValue(r rune) bool {
	return r != ';' && r != unicode.ReplacementChar && !unicode.IsSpace(r) && !unicode.IsControl(r)
}
