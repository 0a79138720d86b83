package registry_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/registry"
)

// answers has one manifest and one blob, without a network.
type answers struct{ kind, manifest, blob string }

// RoundTrip makes no request.
func (g answers) RoundTrip(r *http.Request) (*http.Response, error) {
	header, text := http.Header{}, g.blob
	if strings.Contains(r.URL.Path, "/manifests/") {
		header.Set("Content-Type", g.kind)
		text = g.manifest
	}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r}, nil
}

const (
	imageType = "application/vnd.oci.image.manifest.v1+json"
	indexType = "application/vnd.oci.image.index.v1+json"
	// oneImage is a manifest in which BLOB and SIZE stand for its config.
	oneImage = `{"schemaVersion": 2, "mediaType": "` + imageType + `", "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": SIZE, "digest": "BLOB"}, "layers": []}`
)

func describe(t *testing.T, g answers) (registry.Image, error) {
	t.Helper()
	sum := sha256.Sum256([]byte(g.blob))
	g.manifest = strings.NewReplacer("BLOB", "sha256:"+hex.EncodeToString(sum[:]), "SIZE", strconv.Itoa(len(g.blob))).Replace(g.manifest)
	ref, err := name.ParseReference("r.example.org/acme/bank:v1")
	require.NoError(t, err)
	return registry.Describe(t.Context(), ref, g, remote.WithAuth(authn.Anonymous))
}

func TestLabels(t *testing.T) {
	t.Parallel()
	got, err := describe(t, answers{imageType, oneImage, `{"config": {"Labels": {"org.opencontainers.image.revision": "1f3c"}}}`})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{registry.LabelRevision: "1f3c"}, got.Labels)
}

// An index whose annotations say where it comes from needs no second question, and one of notes alone has no labels but those.
func TestAnnotationsOfAnIndex(t *testing.T) {
	t.Parallel()
	want := map[string]string{registry.LabelRevision: "1f3c", registry.LabelSource: "https://git.example.com/acme/bank"}
	said := `"annotations": {"` + registry.LabelRevision + `": "1f3c", "` + registry.LabelSource + `": "https://git.example.com/acme/bank"}`
	got, err := describe(t, answers{indexType, `{"schemaVersion": 2, ` + said + `, "manifests": [{"mediaType": "` + imageType + `", "digest": "BLOB", "size": 2}]}`, "no config"})
	require.NoError(t, err)
	assert.Equal(t, want, got.Labels)
	assert.NotEmpty(t, got.Digest.Hex)
	got, err = describe(t, answers{indexType, `{"schemaVersion": 2, "annotations": {"a": "b"}, "manifests": [{"mediaType": "` + imageType + `", "digest": "BLOB", "size": 2, "platform": {"os": "unknown"}}]}`, "a note"})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"a": "b"}, got.Labels)
}

// Whatever a registry has, there is an image with its digest or an error.
func FuzzRegistry(f *testing.F) {
	f.Add(imageType, oneImage, `{"config": {"Labels": {"org.opencontainers.image.revision": "1f3c"}}}`)
	f.Add(imageType, oneImage, "{}")
	f.Add(imageType, "null", "null")
	f.Add(imageType, oneImage, `{"config": null, "rootfs": {"diff_ids": ["x"]}}`)
	f.Add(indexType, `{"schemaVersion": 2, "annotations": {"a": "b"}, "manifests": [{"mediaType": "`+imageType+`", "digest": "BLOB", "size": 2, "platform": null}, {}]}`, "{}")
	f.Add(indexType, `{"manifests": [null, {"mediaType": "x"}]}`, "")
	f.Add("", "[", "[")
	f.Fuzz(func(t *testing.T, kind, manifest, blob string) {
		got, err := describe(t, answers{kind, manifest, blob})
		assert.True(t, err != nil || len(got.Digest.Hex) == 64, "%+v", got)
	})
}
