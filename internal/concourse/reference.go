package concourse

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// reference is a value with a ((var)) in it, so that only Concourse knows it.
type reference struct {
	key  string // where it stands: "images[0].path"
	text string
	set  func(any)
	at   any // the sample that stands there now; a func makes it
}

// references lists the values of a tree that hold a ((var)).
func references(value any, set func(any)) []*reference {
	var found []*reference
	eachText("", value, set, func(key, text string, set func(any)) {
		if _, after, ok := strings.Cut(text, "(("); ok && strings.Contains(after, "))") {
			found = append(found, &reference{key: key, text: text, set: set})
		}
	})
	return found
}

// eachText visits the texts of a JSON value, each with its key and with what puts something else in its place.
func eachText(key string, value any, set func(any), visit func(key, text string, set func(any))) {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			eachText(strings.TrimPrefix(key+"."+name, "."), v[name], func(s any) { v[name] = s }, visit)
		}
	case []any:
		for i, item := range v {
			eachText(fmt.Sprintf("%s[%d]", key, i), item, func(s any) { v[i] = s }, visit)
		}
	case string:
		visit(key, v, set)
	}
}

var parentheses = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\(\([^()]*\)\)`) })

// samples are values of every kind that a resource type takes. One of them fits almost every key.
func (r *reference) samples(keys *sampleKeys) []any {
	if !strings.HasPrefix(r.text, "((") || !strings.HasSuffix(r.text, "))") || strings.Count(r.text, "((") > 1 {
		return []any{parentheses().ReplaceAllString(r.text, "x"), parentheses().ReplaceAllString(r.text, "1")}
	}
	return []any{
		"x", "https://host.invalid/owner/name.git", "git@host.invalid:owner/name.git", "owner/name", "1", "true", "false", "1.2.3", "1h",
		"Name <name@host.invalid>",
		[]any{"x"},
		map[string]any{},
		"host.invalid ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + strings.Repeat("A", 43),
		"host.invalid-1:" + strings.Repeat("A", 43) + "=", keys.ec, keys.certificate, keys.rsa,
	}
}

// sampleKeys are a private key of two kinds and a certificate, as PEM.
type sampleKeys struct {
	ec, certificate string
	rsa             func() string // takes tenths of a second, once
}

func newSampleKeys() *sampleKeys {
	encode := func(kind string, der []byte, err error) string {
		if err != nil {
			return "x" // no source of randomness: one sample less
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return &sampleKeys{rsa: func() string { return "x" }}
	}
	der, err := x509.MarshalECPrivateKey(key)
	keys := &sampleKeys{ec: encode("EC PRIVATE KEY", der, err)}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, NotAfter: time.Now().Add(time.Hour)}
	der, err = x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	keys.certificate = encode("CERTIFICATE", der, err)
	keys.rsa = sync.OnceValue(func() string {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return "x"
		}
		return encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil)
	})
	return keys
}

// guess looks for problems that no value of the references cures.
type guess struct {
	tree  any
	check func(json.RawMessage) error
	refs  []*reference
	keys  *sampleKeys
}

// referencesIn are the references of a JSON value and what looks for the problems around them; nil without any.
//
// check is called with samples in place of the references, and a problem counts if no sample cures it. A problem that
// a check hides behind one with a reference's own value may be missed; a problem that is reported is one in any case.
func referencesIn(raw json.RawMessage, keys func() *sampleKeys, check func(json.RawMessage) error) *guess {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	g := &guess{check: check}
	if dec.Decode(&g.tree) != nil {
		return nil
	}
	g.refs = references(g.tree, func(s any) { g.tree = s })
	if len(g.refs) == 0 {
		return nil
	}
	g.keys = keys()
	return g
}

// certain are the problems left when each reference in turn takes every sample that fits it.
func (g *guess) certain() error {
	for _, r := range g.refs {
		g.put(r, r.samples(g.keys)[0])
	}
	for range g.refs { // a sample that fits may uncover the next problem
		before := g.problems()
		for _, r := range g.refs {
			g.settle(r)
		}
		if slices.Equal(before, g.problems()) {
			break
		}
	}
	left := slices.DeleteFunc(g.problems(), func(p problem) bool { return p.kind })
	hopeless := slices.Clone(left)
	for _, r := range g.refs {
		if len(left) == 0 {
			return nil
		}
		before := r.at
		for _, sample := range r.samples(g.keys) {
			g.put(r, sample)
			found := g.problems()
			if !about(found, r) || about(hopeless, r) && !slices.ContainsFunc(found, func(p problem) bool { return p.kind }) {
				left = slices.DeleteFunc(left, func(p problem) bool { return !slices.Contains(found, p) })
			}
		}
		g.put(r, before)
	}
	errs := make([]error, len(left))
	for i, p := range left {
		errs[i] = errors.New(p.text)
	}
	return errors.Join(errs...)
}

// settle gives a reference a sample without problems of its own, if need be with another sample for another reference.
func (g *guess) settle(r *reference) {
	if !about(g.problems(), r) || g.fits(r) {
		return
	}
	for _, other := range g.refs {
		at := other.at
		for _, sample := range other.samples(g.keys) {
			if other == r {
				break
			}
			g.put(other, sample)
			if !about(g.problems(), other) && g.fits(r) {
				return
			}
		}
		g.put(other, at)
	}
	g.put(r, r.samples(g.keys)[0])
}

// fits tries the samples of one reference and leaves the first one that has no problems.
func (g *guess) fits(r *reference) bool {
	for _, sample := range r.samples(g.keys) {
		g.put(r, sample)
		if !about(g.problems(), r) {
			return true
		}
	}
	return false
}

func (g *guess) put(r *reference, sample any) {
	r.at = sample
	if late, ok := sample.(func() string); ok {
		sample = late()
	}
	r.set(sample)
}

// problem is one error and the key that it begins with, "" without one.
type problem struct {
	key, text string
	kind      bool // of a value that is of the wrong kind; the others are what Validate says
}

func (g *guess) problems() []problem {
	raw, err := json.Marshal(g.tree)
	if err == nil {
		err = g.check(raw)
	}
	if err == nil {
		return nil
	}
	parts := []error{err}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		parts = several.Unwrap()
	}
	var decoded *keyError
	kind := errors.As(err, &decoded)
	found := make([]problem, len(parts))
	for i, part := range parts {
		text := part.Error()
		_, key, _ := strings.Cut(text, ": ") // "source: chart: ...", after the word for the whole value
		if root, below, ok := strings.Cut(cmp.Or(wordBefore(text), text), "."); ok && !strings.Contains(root, " ") {
			key = below + ":" // "source.chart: ...", of the decoder
		}
		found[i] = problem{key: wordBefore(key), text: text, kind: kind}
	}
	return found
}

// wordBefore is what stands before the first colon, "" when that is more than one word.
func wordBefore(text string) string {
	word, _, ok := strings.Cut(text, ":")
	if !ok || strings.ContainsAny(word, " \t\n") {
		return ""
	}
	return word
}

// about reports whether one of the problems is about the reference's key, what holds it or what is in it.
func about(problems []problem, r *reference) bool {
	return slices.ContainsFunc(problems, func(p problem) bool { return p.key != "" && (within(p.key, r.key) || within(r.key, p.key)) })
}

func within(inner, outer string) bool {
	rest, ok := strings.CutPrefix(inner, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
