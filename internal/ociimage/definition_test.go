package ociimage_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/ociimage"
)

const head = "source: https://git.example.com/x\nlicenses: MIT\nvendor: X\n"

func TestDefinitionsThatAreRefused(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"empty":           {"", "images.yml is empty"},
		"not YAML":        {"images: [", "images.yml: yaml: line 1"},
		"a list":          {"- a", "images.yml: yaml"},
		"no image":        {head, "images: names no image"},
		"unknown key":     {head + "imagse: {}\n", "line 4: field imagse not found"},
		"second document": {head + "images: {a: {package: ./a, title: a, description: a, documentation: a}}\n---\n{}\n", "want one YAML document"},
		"no source":       {"licenses: MIT\nvendor: X\nimages: {a: {}}\n", "source: is missing or empty"},
		"no package":      {head + "images: {a: {title: a, description: a, documentation: a}}\n", "images.a.package: is missing or empty"},
		"foreign package": {head + "images: {a: {package: example.com/a, title: a, description: a, documentation: a}}\n", "starts with ./"},
		"bad name":        {head + "images: {A_b: {package: ./a}}\n", `"A_b" is not a valid image name`},
		"name of a link":  {head + "images: {check: {package: ./a}}\n", "choose another one"},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			_, err := ociimage.ParseSet("images.yml", []byte(c.text))
			require.Error(t, err)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestSelectSortsAndNamesEachOnce(t *testing.T) {
	set, err := ociimage.ParseSet("images.yml", []byte(head+
		"images:\n  b: {package: ./b, title: b, description: b, documentation: b}\n  a: {package: ./a, title: a, description: a, documentation: a}\n"))
	require.NoError(t, err)
	all, err := set.Select()
	require.NoError(t, err)
	require.Len(t, all, 2)
	assert.Equal(t, "a", all[0].Type)
	named, err := set.Select("b", "a", "b")
	require.NoError(t, err)
	assert.Equal(t, all, named)
}

func FuzzParseSet(f *testing.F) {
	f.Add([]byte(head + "images: {a: {package: ./a, title: a, description: a, documentation: a}}\n"))
	f.Add([]byte("images: {check: {}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ociimage.ParseSet("images.yml", data)
		if err != nil {
			return
		}
		definitions, err := set.Select()
		require.NoError(t, err)
		require.NotEmpty(t, definitions)
	})
}
