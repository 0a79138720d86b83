// Package labels asks registries for the labels of images, for internal/lineage. It is a package of its own so that programs which
// ask none do without the library for registries.
package labels

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// maxAnswer is how many bytes a manifest or an image's config may have.
const maxAnswer = 8 << 20

// Registry asks the registries themselves, with the logins of the Docker
// configuration; registries on loopback without TLS.
type Registry struct {
	// Transport carries the requests; nil: one that gives up on registries that stay silent.
	Transport http.RoundTripper
}

// Labels are those of the image, or of the first platform of an index.
func (r Registry) Labels(ctx context.Context, repository, digest string) (lineage.Labels, error) {
	ref, err := name.NewDigest(repository + "@" + digest)
	if err != nil {
		return lineage.Labels{}, fmt.Errorf("image %s@%s: %w", repository, digest, err)
	}
	below := r.Transport
	if below == nil {
		client, err := newClient()
		if err != nil {
			return lineage.Labels{}, fmt.Errorf("ask the registry about %s: %w", ref, err)
		}
		defer client.CloseIdleConnections()
		below = client.Transport
	}
	options := []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithTransport(httpclient.LimitBodies(below, maxAnswer)),
	}
	image, err := imageAt(ref, options)
	var answered *transport.Error
	if errors.As(err, &answered) && answered.StatusCode == http.StatusNotFound {
		return lineage.Labels{}, lineage.ErrNoImage
	}
	if err != nil {
		return lineage.Labels{}, fmt.Errorf("ask the registry about %s: %w", ref, err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return lineage.Labels{}, fmt.Errorf("read the configuration of %s: %w", ref, err)
	}
	const prefix = "org.opencontainers.image."
	all := config.Config.Labels
	return lineage.Labels{Source: all[prefix+"source"], Revision: all[prefix+"revision"], Version: all[prefix+"version"]}, nil
}

// newClient asks registries. The library's own transport waits without end for an answer to begin.
func newClient() (*http.Client, error) { return httpclient.New(httpclient.TLS{}) }

// imageAt is the image, or the first one of an index that is a program and no
// note about one.
func imageAt(ref name.Digest, options []remote.Option) (v1.Image, error) {
	found, err := remote.Get(ref, options...)
	if err != nil {
		return nil, err
	}
	if !found.MediaType.IsIndex() {
		return found.Image()
	}
	index, err := found.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, m := range manifest.Manifests {
		if m.MediaType.IsImage() && (m.Platform == nil || m.Platform.OS != "unknown") {
			return index.Image(m.Digest)
		}
	}
	return nil, fmt.Errorf("the index %s has no image in it", ref)
}
