package nixcache

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// StoreDir is the folder of all store paths. Caches for other folders exist,
	// but what they hold can't be used with a normal Nix.
	StoreDir = "/nix/store"

	hashLength    = 32  // characters: 20 bytes in Nix's base 32
	maxNameLength = 211 // nix refuses longer ones
)

// Path is a valid store path: /nix/store/HASH-NAME, without anything below it.
type Path struct{ base string }

// ParsePath reads a store path as Nix prints it. The error says what is wrong,
// and what to write instead where that can be told.
func ParsePath(text string) (Path, error) {
	base, ok := strings.CutPrefix(text, StoreDir+"/")
	if !ok {
		return Path{}, fmt.Errorf("%s is not a store path: a store path starts with %s/", quote(text), StoreDir)
	}
	return parseBase(base, text)
}

// ParseBase reads HASH-NAME, as narinfo files write references.
func ParseBase(base string) (Path, error) { return parseBase(base, base) }

func parseBase(base, text string) (Path, error) {
	top, below, deeper := strings.Cut(base, "/")
	err := checkBase(top)
	switch {
	case err != nil:
		return Path{}, fmt.Errorf("%s is not a store path: %w", quote(text), err)
	case deeper && strings.Trim(below, "/") == "":
		return Path{}, fmt.Errorf("%s ends in a slash: leave it out", quote(text))
	case deeper:
		return Path{}, fmt.Errorf("%s is a file in a store path: list the path itself, %s", quote(text), quote(StoreDir+"/"+top))
	}
	return Path{base}, nil
}

// checkBase says what is wrong with HASH-NAME.
func checkBase(base string) error {
	if len(base) < hashLength+1 || base[hashLength] != '-' {
		return fmt.Errorf("after %s/ there must be %d characters of hash, a hyphen and a name", StoreDir, hashLength)
	}
	for _, c := range []byte(base[:hashLength]) {
		if !isBase32(rune(c)) {
			return fmt.Errorf("%q can't be in its hash", c)
		}
	}
	return checkName(base[hashLength+1:])
}

// isBase32 is Nix's alphabet: digits and letters without e, o, t and u.
func isBase32(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' && c != 'e' && c != 'o' && c != 't' && c != 'u'
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("it has no name after the hash")
	case len(name) > maxNameLength:
		return fmt.Errorf("its name has %d characters, %d are allowed", len(name), maxNameLength)
	case name == "." || name == ".." || strings.HasPrefix(name, ".-") || strings.HasPrefix(name, "..-"):
		return errors.New("its name starts with dots")
	}
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("+-._?=", rune(c)) {
			return fmt.Errorf("%q can't be in its name", c)
		}
	}
	return nil
}

// IsZero says that p is not a path at all.
func (p Path) IsZero() bool { return p.base == "" }

// String is the whole path.
func (p Path) String() string { return StoreDir + "/" + p.base }

// Base is HASH-NAME.
func (p Path) Base() string { return p.base }

// Hash is the part that names the path in a cache.
func (p Path) Hash() string {
	if p.IsZero() {
		return ""
	}
	return p.base[:hashLength]
}

// Name is what people call it.
func (p Path) Name() string {
	if p.IsZero() {
		return ""
	}
	return p.base[hashLength+1:]
}

// IsDerivation says that the path holds a recipe, not its result.
func (p Path) IsDerivation() bool { return strings.HasSuffix(p.base, ".drv") }

// MarshalText makes JSON hold the whole path.
func (p Path) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// CheckHash says whether text can be the hash of a store path.
func CheckHash(text string) error {
	if len(text) != hashLength {
		return fmt.Errorf("%s is not the hash of a store path: it has %d characters, not %d", quote(text), len(text), hashLength)
	}
	return checkBase(text + "-x")
}

// quote shows a text that may be long or hold anything.
func quote(text string) string {
	const most = 120
	if len(text) > most {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(text[:most], ""))
	}
	return fmt.Sprintf("%q", text)
}
