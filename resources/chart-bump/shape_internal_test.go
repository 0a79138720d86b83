package chartbump

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/version"
)

const (
	oldDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	newDigest = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestShapes(t *testing.T) {
	number := version.Version{Major: 0, Minor: 42, Patch: 0}
	for _, c := range []struct {
		value, key, tag string
		number          *version.Version
		want            string
	}{
		{oldDigest, "digest", "latest", nil, newDigest},
		{oldDigest[7:], "sha", "latest", nil, newDigest[7:]},
		{"v0.41.0@" + oldDigest, "tag", "latest", &number, "v0.42.0@" + newDigest},
		{"0.41.0@" + oldDigest, "tag", "latest", &number, "0.42.0@" + newDigest},
		{"0.41.0@" + oldDigest, "tag", "latest", nil, "0.41.0@" + newDigest},
		{"0.41.0@" + oldDigest, "tag", "0.43.0", nil, "0.43.0@" + newDigest},
		{"edge@" + oldDigest, "tag", "latest", &number, "latest@" + newDigest},
		{"edge@" + oldDigest, "tag", "", &number, "edge@" + newDigest},
		{"redis@" + oldDigest, "image", "latest", nil, "redis@" + newDigest},
		{"ghcr.io/a/b@" + oldDigest, "image", "latest", nil, "ghcr.io/a/b@" + newDigest},
		{"host:5000/a/b@" + oldDigest, "image", "latest", nil, "host:5000/a/b@" + newDigest},
		{"host:5000/a/b:v1.0.0@" + oldDigest, "x", "", &number, "host:5000/a/b:v0.42.0@" + newDigest},
	} {
		s, err := parseShape(c.value, c.key)
		require.NoError(t, err, c.value)
		assert.Equal(t, c.value, s.String())
		assert.Equal(t, c.want, s.with(newDigest, c.tag, c.number).String(), c.value)
	}
	for _, bad := range []string{"v1", "latest", "ghcr.io/a/b:v1", "@" + oldDigest, "a@" + oldDigest[:70], "a@sha512:" + strings.Repeat("a", 128), oldDigest + " "} {
		_, err := parseShape(bad, "image")
		require.Error(t, err, bad)
	}
}

// What a chart makes of a digest depends on its templates: an empty value becomes what its key or the
// source's format says, and nothing is guessed.
func TestEmptyValues(t *testing.T) {
	known := target{found: found{digest: newDigest, tag: "0.42.0", name: "ghcr.io/acme/bank"}}
	for _, c := range []struct{ path, format, tag, name, want string }{
		{"image.digest", "", "", "", newDigest},
		{"imageDigest", "", "", "", newDigest},
		{"image.tag", "", "0.42.0", "", "0.42.0@" + newDigest},
		{"image.tag", "", "", "x", "!the image's tag is not known"},
		{"image.tag", "digest", "", "", newDigest},
		{"image.sha", "hex", "", "", newDigest[7:]},
		{"image.sha", "", "0.42.0", "x", `!the key "sha" does not say what it becomes: set the image's format in the source to one of digest, hex, tag@digest, image`},
		{"image", "", "0.42.0", "x", `!the key "image" does not say`},
		{"image", "image", "0.42.0", "ghcr.io/acme/bank", "ghcr.io/acme/bank:0.42.0@" + newDigest},
		{"image", "image", "", "ghcr.io/acme/bank", "ghcr.io/acme/bank@" + newDigest},
		{"image", "image", "0.42.0", "", "!the image's repository is not known"},
		{"image.version", "tag@digest", "0.42.0", "", "0.42.0@" + newDigest},
	} {
		img := known
		img.image, img.tag, img.name = Image{Path: c.path, Format: c.format}, c.tag, c.name
		got, err := img.first()
		if want, fails := strings.CutPrefix(c.want, "!"); fails {
			require.ErrorContains(t, err, want, c.path)
			continue
		}
		require.NoError(t, err, c.path)
		assert.Equal(t, c.want, got, c.path)
	}
}

func FuzzShape(f *testing.F) {
	for _, seed := range []string{oldDigest, oldDigest[7:], "v1@" + oldDigest, "a:b@" + oldDigest, "a/b@" + oldDigest, "a:1/b:c@" + oldDigest, "@", "a@b@" + oldDigest, ""} {
		f.Add(seed, "tag", "v2.0.0")
	}
	f.Fuzz(func(t *testing.T, value, key, tag string) {
		s, err := parseShape(value, key)
		if err != nil {
			return
		}
		assert.Equal(t, value, s.String())
		next := s.with(newDigest, tag, nil)
		if !s.isEmpty() {
			assert.True(t, strings.HasSuffix(next.String(), newDigest[len(digestPrefix):]))
		}
		assert.Equal(t, s.repository, next.repository)
	})
}

func FuzzDigest(f *testing.F) {
	for _, seed := range []string{oldDigest, oldDigest + "\r\n", "", "sha256:", strings.ToUpper(oldDigest), oldDigest + "a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		digest, err := parseDigest(text)
		if err == nil {
			assert.Equal(t, strings.TrimSpace(text), digest)
			assert.Len(t, digest, len(oldDigest))
		}
	})
}

func FuzzParams(f *testing.F) {
	for _, seed := range []string{`"artifact"`, `{"digest_file": "a/digest"}`, `{"image": "a:b"}`, `{"image": "a", "digest_file": "b"}`, `{}`, `true`, `null`, `""`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var from from
		if from.UnmarshalJSON(data) == nil {
			set := 0
			for _, s := range []string{from.Artifact, from.DigestFile, from.Image} {
				if s != "" {
					set++
				}
			}
			assert.Equal(t, 1, set)
		}
	})
}
