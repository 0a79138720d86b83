package chartbump

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/taxiway-ci/taxiway/internal/version"
)

// shape is a value that has an image digest in it: the digest alone, its hexadecimal digits alone, a tag
// with it (v1@sha256:…), or a reference (repo:tag@sha256:…).
type shape struct {
	repository string // with its colon when a tag follows; empty for a tag alone
	tag        string // empty for none
	digest     string // empty in a place that has none yet
	hex        bool   // the digest is written without sha256:
}

const digestPrefix = "sha256:"

var hexForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })

// parseShape reads a value; key is the last key of its path.
func parseShape(value, key string) (shape, error) {
	front, digest, ok := strings.Cut(value, "@")
	switch {
	case value == "":
		return shape{}, nil
	case hexForm().MatchString(value):
		return shape{digest: digestPrefix + value, hex: true}, nil
	case !ok:
		front, digest = "", value
	}
	if !digestForm().MatchString(digest) {
		return shape{}, fmt.Errorf("the value %.120q has no digest to replace: it should be sha256:…, 64 hexadecimal digits, TAG@sha256:…, NAME:TAG@sha256:…, or \"\" with the image's format in the source", value)
	}
	s := shape{digest: digest}
	if ok && front == "" {
		return shape{}, fmt.Errorf("the value %.120q has nothing before its @", value)
	}
	colon := strings.LastIndex(front, ":")
	switch {
	case colon > strings.LastIndex(front, "/"):
		s.repository, s.tag = front[:colon+1], front[colon+1:]
	case strings.Contains(front, "/") || isImageKey(key):
		s.repository = front
	default:
		s.tag = front
	}
	return s, nil
}

// isImageKey tells the key of a whole reference from that of a tag.
func isImageKey(key string) bool {
	key = strings.ToLower(key)
	return strings.HasSuffix(key, "image") || strings.HasSuffix(key, "ref") || strings.HasSuffix(key, "reference")
}

// isEmpty reports a place that has no digest yet.
func (s shape) isEmpty() bool { return s == shape{} }

// String is the value.
func (s shape) String() string {
	digest := s.digest
	if s.hex {
		digest = strings.TrimPrefix(digest, digestPrefix)
	}
	if front := s.repository + s.tag; front != "" {
		return front + "@" + digest
	}
	return digest
}

// with is the same shape for another digest. A tag that is a version becomes the
// new version, in its form; any other tag becomes the one that the digest was
// found under, where that is known.
func (s shape) with(digest, tag string, number *version.Version) shape {
	s.digest = digest
	if s.tag == "" {
		return s
	}
	prefix := ""
	if strings.HasPrefix(s.tag, "v") {
		prefix = "v"
	}
	switch _, isVersion := version.ParseTag(s.tag, prefix); {
	case isVersion && number != nil:
		s.tag = number.Tag(prefix)
	case isVersion:
		if _, ok := version.ParseTag(tag, prefix); ok {
			s.tag = tag
		}
	case tag != "":
		s.tag = tag
	}
	return s
}

// The forms that an empty value can get.
const (
	formatDigest    = "digest"
	formatHex       = "hex"
	formatTagDigest = "tag@digest"
	formatImage     = "image"
)

func formats() []string { return []string{formatDigest, formatHex, formatTagDigest, formatImage} }

// format is the form of an empty value: that of the source, or else the one that the key stands for. It is
// empty when neither says it.
func (t target) format() string {
	key := strings.ToLower(t.lastKey())
	switch {
	case t.image.Format != "":
		return t.image.Format
	case strings.HasSuffix(key, "digest"):
		return formatDigest
	case strings.HasSuffix(key, "tag"):
		return formatTagDigest
	}
	return ""
}

// first is the value for a place that is empty. What a chart makes of a digest depends on its templates, so
// nothing is guessed.
func (t target) first() (string, error) {
	switch t.format() {
	case formatDigest:
		return t.digest, nil
	case formatHex:
		return strings.TrimPrefix(t.digest, digestPrefix), nil
	case formatTagDigest:
		if t.tag == "" {
			return "", fmt.Errorf("the value is empty and becomes TAG@sha256:…, but the image's tag is not known: put {image: REPOSITORY:TAG} or the folder of a registry-image, which has a file tag, or write TAG@%s there once", t.digest)
		}
		return shape{tag: t.tag, digest: t.digest}.String(), nil
	case formatImage:
		if t.name == "" {
			return "", errors.New("the value is empty and becomes a reference, but the image's repository is not known: put {image: REPOSITORY:TAG} or the folder of a registry-image, which has a file repository")
		}
		s := shape{repository: t.name, digest: t.digest}
		if t.tag != "" {
			s.repository, s.tag = t.name+":", t.tag
		}
		return s.String(), nil
	}
	return "", fmt.Errorf("the value is empty, and the key %q does not say what it becomes: set the image's format in the source to one of %s", t.lastKey(), strings.Join(formats(), ", "))
}
