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
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/registry"
)

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
	image, err := registry.Describe(ctx, ref, below, remote.WithAuthFromKeychain(authn.DefaultKeychain))
	var answered *transport.Error
	if errors.As(err, &answered) && answered.StatusCode == http.StatusNotFound {
		return lineage.Labels{}, lineage.ErrNoImage
	}
	if err != nil {
		return lineage.Labels{}, fmt.Errorf("ask the registry about %s: %w", ref, err)
	}
	all := image.Labels
	return lineage.Labels{Source: all[registry.LabelSource], Revision: all[registry.LabelRevision], Version: all[registry.LabelVersion]}, nil
}

// newClient asks registries. The library's own transport waits without end for an answer to begin.
func newClient() (*http.Client, error) { return httpclient.New(httpclient.TLS{}) }
