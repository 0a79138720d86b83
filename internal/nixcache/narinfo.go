package nixcache

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nix-community/go-nix/pkg/narinfo/signature"
	"github.com/nix-community/go-nix/pkg/nixhash"
)

// maxNarinfo is the size in bytes a narinfo may have. The largest real ones,
// with thousands of references, have some hundred kilobytes.
const maxNarinfo = 4 << 20

// Narinfo is what a cache says about one path.
type Narinfo struct {
	Path        Path
	URL         string // of the NAR, relative to the cache
	Compression string // of the NAR; Nix takes no word for bzip2
	FileHash    string // of the NAR as served, sha256:base32; may be empty
	FileSize    uint64 // of the NAR as served, in bytes; 0 when not said
	NarHash     string // of the NAR unpacked, sha256:base32
	NarSize     uint64 // of the NAR unpacked, in bytes
	References  []Path // as written, the path itself perhaps among them
	Deriver     string // HASH-NAME.drv, or empty
	CA          string // how the content makes the path, or empty
	Signatures  []signature.Signature
}

// ParseNarinfo reads a narinfo file. Keys it does not know are ignored, as Nix
// does.
func ParseNarinfo(text string) (Narinfo, error) {
	n := Narinfo{Compression: "bzip2"}
	seen := make(map[string]bool, 16)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			return n, fmt.Errorf("line %d of the narinfo has no colon: %s", number, quote(line))
		}
		if seen[key] && key != "Sig" {
			return n, fmt.Errorf("the narinfo has %s twice", quote(key))
		}
		seen[key] = true
		if err := n.set(key, strings.TrimPrefix(value, " ")); err != nil {
			return n, fmt.Errorf("%s in the narinfo: %w", key, err)
		}
	}
	for _, key := range []string{"StorePath", "URL", "NarHash", "NarSize"} {
		if !seen[key] {
			return n, fmt.Errorf("the narinfo has no %s", key)
		}
	}
	return n, nil
}

func (n *Narinfo) set(key, value string) error {
	var err error
	switch key {
	case "StorePath":
		n.Path, err = ParsePath(value)
	case "URL":
		n.URL, err = value, checkNarURL(value)
	case "Compression":
		n.Compression = value
	case "FileHash":
		n.FileHash, err = canonicalHash(value)
	case "FileSize":
		n.FileSize, err = parseSize(value)
	case "NarHash":
		n.NarHash, err = canonicalHash(value)
	case "NarSize":
		n.NarSize, err = parseSize(value)
	case "References":
		n.References, err = parseReferences(value)
	case "Deriver":
		if value != "unknown-deriver" {
			n.Deriver = value
		}
	case "CA":
		n.CA = value
	case "Sig":
		var s signature.Signature
		s, err = signature.ParseSignature(value)
		n.Signatures = append(n.Signatures, s)
	}
	return err
}

func checkNarURL(text string) error {
	if text == "" {
		return errors.New("is empty")
	}
	if _, err := url.Parse(text); err != nil {
		return fmt.Errorf("is not a valid address: %w", err)
	}
	return nil
}

func parseSize(text string) (uint64, error) {
	size, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%s is not a size in bytes", quote(text))
	}
	return size, nil
}

// canonicalHash brings every encoding of a hash into the one that is signed.
func canonicalHash(text string) (string, error) {
	if isCanonical(text) {
		return text, nil
	}
	hash, err := nixhash.ParseAny(text, nil)
	if err != nil {
		return "", fmt.Errorf("%s is not a hash: %w", quote(text), err)
	}
	// 44 letters of base 64 without padding would be a byte more
	if want := hash.Algo().Func().Size(); len(hash.Digest()) != want {
		return "", fmt.Errorf("%s is not a hash: it has %d bytes, not %d", quote(text), len(hash.Digest()), want)
	}
	return hash.Format(nixhash.NixBase32, true), nil
}

// isCanonical reports whether a text is a hash as it is signed, which most are.
func isCanonical(text string) bool {
	const length = 52 // of 256 bits, 5 in a character
	digits, ok := strings.CutPrefix(text, "sha256:")
	return ok && len(digits) == length && digits[0] <= '1' && !strings.ContainsFunc(digits, func(c rune) bool { return !isBase32(c) })
}

func parseReferences(text string) ([]Path, error) {
	var list []Path
	for base := range strings.FieldsSeq(text) {
		p, err := ParseBase(base)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// Fingerprint is what a cache signs.
func (n Narinfo) Fingerprint() string {
	references := make([]string, len(n.References))
	for i, r := range n.References {
		references[i] = r.String()
	}
	return "1;" + n.Path.String() + ";" + n.NarHash + ";" + strconv.FormatUint(n.NarSize, 10) + ";" + strings.Join(references, ",")
}

// SignedBy lists the names of the keys the narinfo claims to be signed with.
func (n Narinfo) SignedBy() []string {
	names := make([]string, len(n.Signatures))
	for i, s := range n.Signatures {
		names[i] = s.Name
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Keys are the public keys that are trusted.
type Keys []signature.PublicKey

// ParseKeys reads keys as nix.conf has them: name:base64.
func ParseKeys(texts []string) (Keys, error) {
	keys := make(Keys, 0, len(texts))
	for _, text := range texts {
		key, err := signature.ParsePublicKey(strings.TrimSpace(text))
		if err != nil {
			name, _, _ := strings.Cut(text, ":") // what follows may be a secret key
			return nil, fmt.Errorf("%s is not a public key; write it as nix.conf has it, cache.example.org-1:BASE64", quote(name))
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Names lists the names of the keys.
func (k Keys) Names() []string {
	names := make([]string, len(k))
	for i, key := range k {
		names[i] = key.Name
	}
	return names
}

// Verify wants one good signature by one of the keys. Its error is
// [ErrUntrusted].
func (k Keys) Verify(n Narinfo) error {
	fingerprint := n.Fingerprint()
	broken := ""
	for _, s := range n.Signatures {
		for _, key := range k {
			if key.Name != s.Name {
				continue
			}
			if key.Verify(fingerprint, s) {
				return nil
			}
			broken = s.Name
		}
	}
	switch {
	case broken != "":
		return fmt.Errorf("%w: the one by %s was made for something else, or with another key of that name", ErrUntrusted, broken)
	case len(n.Signatures) == 0:
		return fmt.Errorf("%w: it has no signature, and one by %s is required", ErrUntrusted, strings.Join(k.Names(), " or "))
	}
	return fmt.Errorf("%w: it is signed by %s, but one by %s is required: is a key missing in public_keys?", ErrUntrusted, strings.Join(n.SignedBy(), ", "), strings.Join(k.Names(), " or "))
}
