package lineage

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
)

// Labeller asks for the labels of an image.
type Labeller interface {
	// Labels are those of the image with that digest. errNoImage says that the
	// registry answers, and does not have it.
	Labels(ctx context.Context, repository, digest string) (Labels, error)
}

// errNoImage says that a registry has no such image.
var errNoImage = errors.New("the registry has no image with this digest")

// maxRegistryAnswer is how many bytes a manifest or an image's config may have.
const maxRegistryAnswer = 8 << 20

// Registry asks the registries themselves, with the logins of the Docker
// configuration; registries on loopback without TLS.
type Registry struct {
	// Transport carries the requests; nil: one that gives up on registries that stay silent.
	Transport http.RoundTripper
}

// Labels are those of the image, or of the first platform of an index.
func (r Registry) Labels(ctx context.Context, repository, digest string) (Labels, error) {
	ref, err := name.NewDigest(repository + "@" + digest)
	if err != nil {
		return Labels{}, fmt.Errorf("image %s@%s: %w", repository, digest, err)
	}
	below := r.Transport
	if below == nil {
		client, err := newClient()
		if err != nil {
			return Labels{}, fmt.Errorf("ask the registry about %s: %w", ref, err)
		}
		defer client.CloseIdleConnections()
		below = client.Transport
	}
	options := []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithTransport(httpclient.LimitBodies(below, maxRegistryAnswer)),
	}
	image, err := imageAt(ref, options)
	var answered *transport.Error
	if errors.As(err, &answered) && answered.StatusCode == http.StatusNotFound {
		return Labels{}, errNoImage
	}
	if err != nil {
		return Labels{}, fmt.Errorf("ask the registry about %s: %w", ref, err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return Labels{}, fmt.Errorf("read the configuration of %s: %w", ref, err)
	}
	const prefix = "org.opencontainers.image."
	all := config.Config.Labels
	return Labels{Source: all[prefix+"source"], Revision: all[prefix+"revision"], Version: all[prefix+"version"]}, nil
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

// labelled is what was said about an image.
type labelled struct {
	labels Labels
	err    error
}

// askRegistry fills in the labels, each image's once.
func (r *Reader) askRegistry(ctx context.Context, image *Image) error {
	if r.options.Labels == nil {
		r.unasked = true
		return nil
	}
	if image.Repository == "" {
		image.say(linkRegistry, "the file does not say the image's repository beside the digest, so no registry can be asked")
		return nil
	}
	key := image.Repository + "@" + image.Digest
	got, ok := r.labels[key]
	if !ok {
		r.options.Logf("asking for the labels of %s", key)
		got.labels, got.err = r.options.Labels.Labels(ctx, image.Repository, image.Digest)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.labels[key] = got
	}
	switch {
	case errors.Is(got.err, errNoImage):
		image.say(linkRegistry, "%v: %.19s of %s", errNoImage, image.Digest, image.Repository)
	case got.err != nil:
		image.say(linkRegistry, "%v", got.err)
	default:
		image.Labels = &got.labels
		if got.labels.Revision == "" {
			image.say(linkRegistry, "the image has no label org.opencontainers.image.revision")
		}
	}
	return nil
}
