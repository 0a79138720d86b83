package ociimage_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/ociimage"
	standin "github.com/taxiway-ci/taxiway/internal/standin/registry"
)

var update = flag.Bool("update", false, "write the golden files")

func loopback(t *testing.T) *standin.Server {
	t.Helper()
	server := standin.New("")
	t.Cleanup(server.Close)
	return server
}

func anonymous() ociimage.Registry {
	return ociimage.Registry{Keychain: authn.NewMultiKeychain()}
}

func TestPushIsRefused(t *testing.T) {
	cases := map[string]struct {
		status int
		cause  error
		text   string
	}{
		"no login":  {http.StatusUnauthorized, ociimage.ErrDenied, "run `docker login 127.0.0.1:"},
		"no right":  {http.StatusForbidden, ociimage.ErrDenied, "this login has no right to do it"},
		"no folder": {http.StatusNotFound, ociimage.ErrNotFound, "check the name and the tag"},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			server := loopback(t)
			server.Inject(standin.Fault{Path: "/team/", Status: c.status})
			_, err := anonymous().Push(t.Context(), server.Host+"/team", sample(t))
			require.ErrorIs(t, err, c.cause)
			assert.ErrorContains(t, err, "push 127.0.0.1:")
			assert.ErrorContains(t, err, "/team/sample")
			assert.ErrorContains(t, err, c.text)
		})
	}
}

func TestPushToADeadRegistry(t *testing.T) {
	server := standin.New("")
	host := server.Host
	server.Close()
	_, err := anonymous().Push(t.Context(), host, sample(t))
	require.ErrorIs(t, err, ociimage.ErrUnreachable)
	assert.ErrorContains(t, err, "check the address "+host)
	_, err = anonymous().Open(t.Context(), host+"/sample:1.4.2")
	require.ErrorIs(t, err, ociimage.ErrUnreachable)
}

func TestPlacesThatAreNoRegistry(t *testing.T) {
	_, err := anonymous().Push(t.Context(), "https://registry.example.com/team", sample(t))
	require.ErrorContains(t, err, `omit the scheme: write "registry.example.com/team"`)
	_, err = anonymous().Push(t.Context(), "registry.example.com/UPPER CASE", sample(t))
	require.ErrorContains(t, err, "want HOST[:PORT][/FOLDER]")
	_, err = anonymous().Open(t.Context(), "no such:reference:at all")
	require.ErrorContains(t, err, `image reference "no such:reference:at all"`)
}

func TestOpenWhatIsNotThere(t *testing.T) {
	server := loopback(t)
	_, err := anonymous().Open(t.Context(), server.Host+"/team/sample:9")
	require.ErrorIs(t, err, ociimage.ErrNotFound)
}

func TestPushedImagesCanBePulledByDigestAndTags(t *testing.T) {
	server := loopback(t)
	pushed, err := anonymous().Push(t.Context(), server.Host+"/team", sample(t))
	require.NoError(t, err)
	assert.Equal(t, server.Host+"/team/sample", pushed.Repository)
	assert.Equal(t, []string{"1.4.2", "1.4", "latest"}, pushed.Tags)

	again, err := anonymous().Push(t.Context(), server.Host+"/team/", sample(t))
	require.NoError(t, err)
	assert.Equal(t, pushed, again)

	for _, reference := range []string{":1.4.2", ":1.4", ":latest", "@" + pushed.Digest.String()} {
		found, err := anonymous().Open(t.Context(), pushed.Repository+reference)
		require.NoError(t, err)
		digest, err := found.Index.Digest()
		require.NoError(t, err)
		assert.Equal(t, pushed.Digest, digest)
		require.Len(t, found.Referrers, 1)
		assert.Equal(t, pushed.SBOM, found.Referrers[0].Digest)
	}
	found, err := anonymous().Open(t.Context(), pushed.Repository)
	require.NoError(t, err)
	require.NoError(t, validate.Index(found.Index))
	single, err := found.Platform(v1.Platform{OS: "linux", Architecture: "arm64"})
	require.NoError(t, err)
	root := t.TempDir()
	require.NoError(t, ociimage.Unpack(t.Context(), single, root))
	assert.FileExists(t, filepath.Join(root, "opt", "resource", "sample"))
}

func TestTheBillOfMaterialsIsAReferrer(t *testing.T) {
	server := loopback(t)
	pushed, err := anonymous().Push(t.Context(), server.Host, sample(t))
	require.NoError(t, err)
	reference, err := name.NewDigest(pushed.Repository + "@" + pushed.SBOM.String())
	require.NoError(t, err)
	artifact, err := remote.Image(reference, remote.WithContext(t.Context()))
	require.NoError(t, err)
	manifest, err := artifact.Manifest()
	require.NoError(t, err)
	require.NotNil(t, manifest.Subject)
	assert.Equal(t, pushed.Digest, manifest.Subject.Digest)
	assert.Equal(t, types.OCIImageIndex, manifest.Subject.MediaType)
	assert.Equal(t, "application/spdx+json", manifest.ArtifactType)
	layers, err := artifact.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 1)
	content, err := layers[0].Compressed()
	require.NoError(t, err)
	defer content.Close()
	document, err := io.ReadAll(content)
	require.NoError(t, err)
	assert.Equal(t, string(sample(t).SBOM.Document), string(document))
}

func TestAPreReleaseMovesNoOtherTag(t *testing.T) {
	for version, want := range map[string][]string{
		"1.4.2":                 {"1.4.2", "1.4", "latest"},
		"2.0.0-rc.1":            {"2.0.0-rc.1"},
		"0.0.0-dev.g1f3c.dirty": {"0.0.0-dev.g1f3c.dirty"},
	} {
		tags, err := ociimage.Stamp{Version: version}.Tags()
		require.NoError(t, err)
		assert.Equal(t, want, tags)
	}
	for version, text := range map[string]string{
		"v1.2.3": "want MAJOR.MINOR.PATCH", "1.2": "want MAJOR.MINOR.PATCH", "": "want MAJOR.MINOR.PATCH",
		"1.2.3+build": "omit the build metadata",
	} {
		_, err := ociimage.Stamp{Version: version}.Tags()
		assert.ErrorContains(t, err, text, version)
	}
}

// A release of an older line, made after a newer one, gets its own tags and moves no other release's.
func TestTagsNeverMoveBack(t *testing.T) {
	server := loopback(t)
	points := map[string]v1.Hash{}
	for _, step := range []struct {
		version string
		tags    []string
	}{
		{"1.4.7", []string{"1.4.7", "1.4", "latest"}},
		{"2.0.0", []string{"2.0.0", "2.0", "latest"}},
		{"2.1.0-rc.1", []string{"2.1.0-rc.1"}},
		{"1.4.8", []string{"1.4.8", "1.4"}},
		{"1.4.7", []string{"1.4.7"}},
		{"2.0.0", []string{"2.0.0", "2.0", "latest"}},
		{"2.0.1", []string{"2.0.1", "2.0", "latest"}},
	} {
		image := *sample(t)
		image.Stamp.Version = step.version
		var ok bool
		image.Index, ok = mutate.Annotations(image.Index, map[string]string{"version": step.version}).(v1.ImageIndex)
		require.True(t, ok)
		pushed, err := anonymous().Push(t.Context(), server.Host+"/team", &image)
		require.NoError(t, err, step.version)
		assert.Equal(t, step.tags, pushed.Tags, step.version)
		for _, tag := range step.tags {
			points[tag] = pushed.Digest
		}
		for tag, want := range points {
			found, err := anonymous().Open(t.Context(), pushed.Repository+":"+tag)
			require.NoError(t, err)
			got, err := found.Index.Digest()
			require.NoError(t, err)
			assert.Equal(t, want, got, "%s after the push of %s", tag, step.version)
		}
	}
}

func TestInspectShowsTheSameOfALayoutAndARegistry(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sample")
	require.NoError(t, ociimage.WriteLayout(dir, sample(t)))
	local, err := ociimage.OpenLayout(dir)
	require.NoError(t, err)
	server := loopback(t)
	pushed, err := anonymous().Push(t.Context(), server.Host, sample(t))
	require.NoError(t, err)
	pulled, err := anonymous().Open(t.Context(), pushed.Repository+":1.4.2")
	require.NoError(t, err)

	for _, found := range []*ociimage.Found{local, pulled} {
		var out bytes.Buffer
		require.NoError(t, found.Describe(&out))
		assertGolden(t, "testdata/inspect.golden", neutral(strings.ReplaceAll(out.String(), found.Name, "NAME")))
	}
}

// neutral replaces what depends on the Go release: digests by their order, sizes by a word.
func neutral(text string) string {
	seen := map[string]string{}
	text = regexp.MustCompile(`sha256:[0-9a-f]{64}`).ReplaceAllStringFunc(text, func(digest string) string {
		if seen[digest] == "" {
			seen[digest] = fmt.Sprintf("DIGEST-%d", len(seen)+1)
		}
		return seen[digest]
	})
	return regexp.MustCompile(`\d+(\.\d+)? (MB|kB|B)\b`).ReplaceAllString(text, "SIZE")
}

func assertGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}
