package chartbump_test

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/standin/registry"
)

// newRegistry serves images on loopback, behind a password when one is given.
func newRegistry(t *testing.T, password string) (host string) {
	t.Helper()
	server := registry.New(password)
	t.Cleanup(server.Close)
	return server.Host
}

func labelled(t *testing.T, revision string) v1.Image {
	t.Helper()
	img, err := random.Image(64, 1)
	require.NoError(t, err)
	img, err = mutate.Config(img, v1.Config{Labels: map[string]string{
		"org.opencontainers.image.source": "https://github.com/acme/bank.git", "org.opencontainers.image.revision": revision,
	}})
	require.NoError(t, err)
	return img
}

func TestDigestFromARegistry(t *testing.T) {
	w, host := newWorld(t), newRegistry(t, "")
	ref, err := name.ParseReference(host + "/acme/bank:1.2.3")
	require.NoError(t, err)
	img := labelled(t, revision2)
	require.NoError(t, remote.Write(ref, img))
	digest, err := img.Digest()
	require.NoError(t, err)
	a := w.put(t, w.source(nil), object{"images": object{"lana-bank": object{"image": ref.String()}}})
	require.Zero(t, a.status, a.stderr)
	assert.Contains(t, w.show(t, "bot-bump", "charts/bank/values.yaml"),
		`digest: "`+digest.String()+`" # METADATA:: repository=https://github.com/acme/bank;commit_ref=2222222;app=lana-bank; pinned, ask Ana`)
}

func TestDigestOfAnIndexStaysTheIndexs(t *testing.T) {
	for title, annotations := range map[string]map[string]string{
		"labels of an image":       {},
		"annotations of the index": {"org.opencontainers.image.source": "https://github.com/acme/bank", "org.opencontainers.image.revision": revision3},
	} {
		t.Run(title, func(t *testing.T) {
			w, host := newWorld(t), newRegistry(t, "")
			ref, err := name.ParseReference(host + "/acme/bank:1.2.3")
			require.NoError(t, err)
			attestation, err := random.Image(64, 1)
			require.NoError(t, err)
			index := mutate.AppendManifests(empty.Index,
				mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}},
				mutate.IndexAddendum{Add: labelled(t, revision2), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
				mutate.IndexAddendum{Add: labelled(t, revision2), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
			annotated, ok := mutate.Annotations(index, annotations).(v1.ImageIndex)
			require.True(t, ok)
			require.NoError(t, remote.WriteIndex(ref, annotated))
			digest, err := annotated.Digest()
			require.NoError(t, err)
			a := w.put(t, w.source(nil), object{"images": object{"lana-bank": object{"image": ref.String()}}})
			require.Zero(t, a.status, a.stderr)
			assert.Equal(t, digest.String(), a.metadata["lana-bank"])
			want := revision2
			if len(annotations) > 0 {
				want = revision3
			}
			assert.Contains(t, w.show(t, "bot-bump", "charts/bank/values.yaml"), "commit_ref="+want[:7]+";")
		})
	}
}

func TestRegistryFaults(t *testing.T) {
	w, host := newWorld(t), newRegistry(t, "r3gistry")
	params := func(image string) object { return object{"images": object{"lana-bank": object{"image": image}}} }
	w.refused(t, w.source(nil), params(host+"/acme/bank:1"), "params.images.lana-bank: image "+host+"/acme/bank:1: the registry refuses to show it: check source.registry")
	known := w.source(object{"registry": object{"username": "robot", "password": "r3gistry"}})
	w.refused(t, known, params(host+"/acme/bank:1"), "the registry has no such image")
	w.refused(t, known, params("not an image"), `image "not an image" is not a valid image reference`)
	w.refused(t, known, params("127.0.0.1:1/acme/bank:1"), "ask the registry")
	unlabelled, err := random.Image(64, 1)
	require.NoError(t, err)
	open := newRegistry(t, "")
	ref, err := name.ParseReference(open + "/acme/bank:1")
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, unlabelled))
	w.refused(t, w.source(nil), params(ref.String()), "nothing says what it was built from")
}
