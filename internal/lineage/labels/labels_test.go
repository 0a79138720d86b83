package labels

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// canned has one manifest and one blob, without a network.
type canned struct{ kind, manifest, blob string }

// RoundTrip makes no request.
func (g canned) RoundTrip(r *http.Request) (*http.Response, error) {
	header, text := http.Header{}, g.blob
	if strings.Contains(r.URL.Path, "/manifests/") {
		header.Set("Content-Type", g.kind)
		text = g.manifest
	}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r}, nil
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Whatever a registry has under a digest, there are labels or an error. BLOB in a manifest is the digest of the blob.
func FuzzRegistry(f *testing.F) {
	const image, index = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
	manifest := `{"schemaVersion": 2, "mediaType": "` + image + `", "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": "BLOB"}, "layers": []}`
	f.Add(image, manifest, `{"config": {"Labels": {"org.opencontainers.image.revision": "1f3c"}}}`)
	f.Add(image, manifest, "{}")
	f.Add(image, "null", "null")
	f.Add(image, manifest, `{"config": null, "rootfs": {"diff_ids": ["x"]}}`)
	f.Add(index, `{"schemaVersion": 2, "manifests": [{"mediaType": "`+image+`", "digest": "BLOB", "size": 2, "platform": null}, {}]}`, "{}")
	f.Add(index, `{"manifests": [null, {"mediaType": "x"}]}`, "")
	f.Add("", "[", "[")
	f.Fuzz(func(t *testing.T, kind, manifest, blob string) {
		manifest = strings.ReplaceAll(manifest, "BLOB", digestOf(blob))
		got, err := Registry{Transport: canned{kind, manifest, blob}}.Labels(t.Context(), "r.example.org/acme/bank", digestOf(manifest))
		if err != nil && got != (lineage.Labels{}) {
			t.Fatalf("%+v and %v", got, err)
		}
	})
}

// A registry that takes a question and says nothing is given up.
func TestASilentRegistryIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, err := newClient()
		require.NoError(t, err)
		over, ok := client.Transport.(*http.Transport)
		require.True(t, ok)
		over.DialContext = func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() {
				_, _ = io.Copy(io.Discard, there)
				_ = there.Close()
			}()
			return here, nil
		}
		over.DialTLSContext = over.DialContext
		start := time.Now()
		_, err = Registry{Transport: over}.Labels(t.Context(), "r.example.org/acme/bank", digestOf("x"))
		require.ErrorContains(t, err, "timeout awaiting response headers")
		assert.LessOrEqual(t, time.Since(start), 3*time.Minute)
		client.CloseIdleConnections()
		<-time.After(time.Minute) // the registry notices
	})
}
