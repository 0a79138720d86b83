package nixcache_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/nixcache"
)

const helloHash = "12wigjpizrn8axaqxj288q1b751qmwya"

func TestParsePathRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "not a store path: a store path starts with /nix/store/",
		"hello":                          "a store path starts with /nix/store/",
		"/nix/store":                     "a store path starts with /nix/store/",
		"/nix/store/":                    "32 characters of hash",
		"/nix/store/" + helloHash:        "32 characters of hash, a hyphen and a name",
		"/gnu/store/" + helloHash + "-a": "a store path starts with /nix/store/",
		"/nix/store/" + helloHash + "-":  "has no name",
		"/nix/store/" + helloHash + "_a": "a hyphen",
		"/nix/store/e2wigjpizrn8axaqxj288q1b751qmwya-a":               `'e' can't be in its hash`,
		"/nix/store/12WIGJPIZRN8AXAQXJ288Q1B751QMWYA-a":               `'W' can't be in its hash`,
		"/nix/store/" + helloHash + "-a b":                            `' ' can't be in its name`,
		"/nix/store/" + helloHash + "-ä":                              "can't be in its name",
		"/nix/store/" + helloHash + "-a\x00":                          "can't be in its name",
		"/nix/store/" + helloHash + "-..":                             "starts with dots",
		"/nix/store/" + helloHash + "-.-a":                            "starts with dots",
		"/nix/store/" + helloHash + "-a/":                             "ends in a slash",
		"/nix/store/" + helloHash + "-a/bin/a":                        "list the path itself, \"/nix/store/" + helloHash + "-a\"",
		"/nix/store/" + helloHash + "-" + strings.Repeat("a", 212):    "its name has 212 characters, 211 are allowed",
		"/nix/store/../" + helloHash + "-a":                           "not a store path",
		"/nix/store/" + helloHash + "-" + strings.Repeat("ab/", 10e5): "is a file in a store path",
	} {
		_, err := nixcache.ParsePath(text)
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), want, text)
		assert.Less(t, len(err.Error()), 600, "an error is a line")
	}
}

func TestParsePath(t *testing.T) {
	p, err := nixcache.ParsePath("/nix/store/" + helloHash + "-hello-2.12.1+x?=_.a")
	require.NoError(t, err)
	assert.Equal(t, helloHash, p.Hash())
	assert.Equal(t, "hello-2.12.1+x?=_.a", p.Name())
	assert.Equal(t, "/nix/store/"+p.Base(), p.String())
	assert.False(t, p.IsDerivation())
	again, err := nixcache.ParseBase(p.Base())
	require.NoError(t, err)
	assert.Equal(t, p, again)
	assert.True(t, nixcache.Path{}.IsZero())
	assert.Empty(t, nixcache.Path{}.Hash()+nixcache.Path{}.Name())
	require.NoError(t, nixcache.CheckHash(helloHash))
	require.Error(t, nixcache.CheckHash(helloHash+"0"))
	require.Error(t, nixcache.CheckHash("u"+helloHash[1:]))
}
