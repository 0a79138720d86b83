package chartbump

import (
	"fmt"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/version"
)

// shape is a value that has an image digest in it: the digest alone, a tag with
// it (v1@sha256:…), or a reference (repo:tag@sha256:…).
type shape struct {
	repository string // with its colon when a tag follows; empty for a tag alone
	tag        string // empty for none
	digest     string // empty in a place that has none yet
}

// parseShape reads a value; key is the last key of its path.
func parseShape(value, key string) (shape, error) {
	front, digest, ok := strings.Cut(value, "@")
	if value == "" {
		return shape{}, nil
	}
	if !ok {
		front, digest = "", value
	}
	if !digestForm.MatchString(digest) {
		return shape{}, fmt.Errorf("the value %.120q has no digest to replace: it should be sha256:…, TAG@sha256:…, NAME:TAG@sha256:… or \"\"", value)
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

// String is the value.
func (s shape) String() string {
	if front := s.repository + s.tag; front != "" {
		return front + "@" + s.digest
	}
	return s.digest
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
