// Package registry asks a container registry what an image is, and what it says about itself.
package registry

import (
	"context"
	"maps"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/secret"
)

// The labels that lead from an image to its source
// (https://github.com/opencontainers/image-spec/blob/main/annotations.md).
const (
	LabelRevision = "org.opencontainers.image.revision"
	LabelSource   = "org.opencontainers.image.source"
	LabelVersion  = "org.opencontainers.image.version"
)

// maxAnswer is how many bytes a manifest or an image's config may have; registries themselves refuse manifests over 4 MiB.
const maxAnswer = 8 << 20

// Image is what a registry has under a reference.
type Image struct {
	// Digest is that of the image, or of the index of several.
	Digest v1.Hash
	// Labels are those of the image. For an index they are those of its first image that is a program, and the index's
	// annotations count before them.
	Labels map[string]string
}

// Describe asks for an image. Its errors are those of go-containerregistry, such as transport.Error.
func Describe(ctx context.Context, ref name.Reference, over http.RoundTripper, login remote.Option) (Image, error) {
	found, err := remote.Get(ref, remote.WithContext(ctx), login, remote.WithTransport(registering{httpclient.LimitBodies(over, maxAnswer)}))
	if err != nil {
		return Image{}, err
	}
	var annotations map[string]string
	var image v1.Image
	if found.MediaType.IsIndex() {
		annotations, image, err = program(found)
	} else {
		image, err = found.Image()
	}
	if err != nil || image == nil {
		return Image{Digest: found.Digest, Labels: annotations}, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return Image{}, err
	}
	labels := map[string]string{}
	maps.Copy(labels, config.Config.Labels)
	maps.Copy(labels, annotations)
	return Image{Digest: found.Digest, Labels: labels}, nil
}

// program gives the annotations of an index, and its first image that is a program: none when the annotations say enough, or
// when all are notes about images.
func program(found *remote.Descriptor) (map[string]string, v1.Image, error) {
	index, err := found.ImageIndex()
	if err != nil {
		return nil, nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, nil, err
	}
	if manifest.Annotations[LabelRevision] != "" && manifest.Annotations[LabelSource] != "" {
		return manifest.Annotations, nil, nil
	}
	for _, entry := range manifest.Manifests {
		if entry.MediaType.IsImage() && (entry.Platform == nil || entry.Platform.OS != "unknown") {
			image, err := index.Image(entry.Digest)
			return manifest.Annotations, image, err
		}
	}
	return manifest.Annotations, nil, nil
}

// registering masks what requests carry: the registry's token server gives a token for the password, which is in no source.
type registering struct{ http.RoundTripper }

// RoundTrip registers the credentials before anybody has them who could repeat them.
func (t registering) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, credentials, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		secret.Register(r.Context(), credentials)
	}
	return t.RoundTripper.RoundTrip(r)
}
