package version

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ErrInvalid says that a text is not a semantic version.
var ErrInvalid = errors.New("not a semantic version")

// largest number in a version, so that the next one is still a number.
const largest = math.MaxInt64 - 1

// Version is a semantic version. Versions made by [Parse] are valid.
type Version struct {
	Major, Minor, Patch uint64
	// Pre are the identifiers of a pre-release, as in "rc", "1".
	Pre []string
	// Build is what stands behind the plus sign.
	Build string
}

// Parse reads a version. White space around it is dropped, so that it may be the
// whole of a file. Its errors are [ErrInvalid] and say what to write instead.
func Parse(text string) (Version, error) {
	trimmed := strings.TrimSpace(text)
	v, problem := parse(trimmed)
	if problem != "" {
		return Version{}, fmt.Errorf("%s is %w: %s", shown(trimmed), ErrInvalid, problem)
	}
	return v, nil
}

// shown is a text as a message can bear it.
func shown(text string) string {
	const enough = 60
	if runes := []rune(text); len(runes) > enough {
		return strconv.Quote(string(runes[:enough])) + "…"
	}
	return strconv.Quote(text)
}

// parse says in words for people what is wrong, "" when nothing is.
func parse(text string) (v Version, problem string) {
	if text == "" {
		return v, "write three numbers, as in 1.2.3"
	}
	if strings.ContainsAny(text, "\r\n") {
		return v, "it has several lines; write one line like 1.2.3"
	}
	rest, build, hasBuild := strings.Cut(text, "+")
	core, pre, hasPre := strings.Cut(rest, "-")
	numbers := strings.Split(core, ".")
	if problem := wrongCore(text, numbers); problem != "" {
		return v, problem
	}
	for i, to := range []*uint64{&v.Major, &v.Minor, &v.Patch} {
		n, err := strconv.ParseUint(numbers[i], 10, 64)
		if err != nil || n > largest {
			return v, "the number " + shown(numbers[i]) + " is too large"
		}
		*to = n
	}
	if hasPre {
		v.Pre = strings.Split(pre, ".")
		if problem := wrongPre(v.Pre); problem != "" {
			return v, problem
		}
	}
	if hasBuild {
		v.Build = build
		if problem := wrongBuild(strings.Split(build, ".")); problem != "" {
			return v, problem
		}
	}
	return v, ""
}

func wrongCore(text string, numbers []string) string {
	if without := strings.TrimLeft(text, "vV"); without != text {
		if _, problem := parse(without); problem == "" {
			return "write " + without + ", a prefix belongs only into tags"
		}
	}
	if len(numbers) < 3 && !slices.ContainsFunc(numbers, func(s string) bool { return !isNumber(s) }) {
		full := append(slices.Clone(numbers), "0", "0")[:3]
		return "it needs three numbers, as in " + strings.Join(full, ".")
	}
	if len(numbers) != 3 {
		return "write three numbers, as in 1.2.3"
	}
	for _, s := range numbers {
		if !isNumber(s) {
			return shown(s) + " is not a number, write one like 1.2.3"
		}
		if len(s) > 1 && s[0] == '0' {
			return shown(s) + " begins with a zero"
		}
	}
	return ""
}

func wrongPre(identifiers []string) string {
	for _, s := range identifiers {
		switch {
		case !isIdentifier(s):
			return "the pre-release " + shown(s) + " may have only letters, digits and hyphens, as in rc.1"
		case isNumber(s) && len(s) > 1 && s[0] == '0':
			return "the pre-release number " + s + " begins with a zero"
		case isNumber(s) && number(s) > largest:
			return "the pre-release number " + shown(s) + " is too large"
		}
	}
	return ""
}

func wrongBuild(identifiers []string) string {
	for _, s := range identifiers {
		if !isIdentifier(s) {
			return "the build " + shown(s) + " may have only letters, digits and hyphens, separated by full stops"
		}
	}
	return ""
}

func isIdentifier(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !isIdentifierRune(r) }) < 0
}

func isIdentifierRune(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '-'
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// number is the value of a text of digits, the largest there is when it has too
// many of them.
func number(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return math.MaxUint64
	}
	return n
}

// String writes the version as [Parse] reads it.
func (v Version) String() string {
	s := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
	if len(v.Pre) > 0 {
		s += "-" + strings.Join(v.Pre, ".")
	}
	if v.Build != "" {
		s += "+" + v.Build
	}
	return s
}

// Compare orders by precedence (semver.org, item 11): negative when v comes
// before w. The build plays no part in it.
func (v Version) Compare(w Version) int {
	if c := cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch)); c != 0 {
		return c
	}
	if v.IsFinal() || w.IsFinal() {
		return cmp.Compare(len(w.Pre), len(v.Pre)) // one of them is zero
	}
	return slices.CompareFunc(v.Pre, w.Pre, compareIdentifiers)
}

func compareIdentifiers(a, b string) int {
	switch x, y := isNumber(a), isNumber(b); {
	case x && y:
		return cmp.Compare(number(a), number(b))
	case x:
		return -1
	case y:
		return 1
	default:
		return strings.Compare(a, b)
	}
}

// IsFinal reports whether the version is no pre-release.
func (v Version) IsFinal() bool { return len(v.Pre) == 0 }

// Final is the version that a pre-release leads to, without a build.
func (v Version) Final() Version {
	return Version{Major: v.Major, Minor: v.Minor, Patch: v.Patch}
}

// Tag is the name of the version's tag.
func (v Version) Tag(prefix string) string { return prefix + v.String() }

// ParseTag reads the version from the name of a tag, without refs/tags/. An empty
// prefix takes both v1.2.3 and 1.2.3. What is not of that form is not a version's
// tag, which is not an error: repositories have other tags too.
func ParseTag(name, prefix string) (v Version, ok bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return Version{}, false
	}
	if prefix == "" {
		rest = strings.TrimPrefix(rest, "v")
	}
	v, problem := parse(rest)
	return v, problem == ""
}
