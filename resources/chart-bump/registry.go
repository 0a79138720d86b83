package chartbump

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/secret"
)

// maxRegistryAnswer is how many bytes a manifest or an image's config may have;
// registries themselves refuse manifests over 4 MiB.
const maxRegistryAnswer = 8 << 20

// find asks the registry for a reference's digest and labels. The digest of an
// index stays the index's; its labels are its annotations, and those of one of
// its images.
func (r Registry) find(ctx context.Context, image string) (found, error) {
	var strict []name.Option
	if r.Insecure {
		strict = append(strict, name.Insecure)
	}
	ref, err := name.ParseReference(image, strict...)
	if err != nil {
		return found{}, fmt.Errorf("image %q is not a valid image reference: %w", image, err)
	}
	client, err := httpclient.New(httpclient.TLS{CACert: r.CACert})
	if err != nil {
		return found{}, fmt.Errorf("source.registry: %w", err)
	}
	defer client.CloseIdleConnections()
	auth := authn.Anonymous
	if r.Username != "" {
		auth = authn.FromConfig(authn.AuthConfig{Username: r.Username, Password: r.Password})
	}
	return ask(ctx, ref, image, auth, client.Transport)
}

// warn says that the credentials can be read on the way to the registry.
func (r Registry) warn(image string, logf func(format string, args ...any)) {
	ref, err := name.ParseReference(image, name.Insecure)
	if err != nil || !r.Insecure || r.Username == "" {
		return
	}
	host, _, _ := strings.Cut(ref.Context().RegistryStr(), ":")
	if httpclient.Exposed("http", host) {
		logf("warning: the credentials for %s can be read on the way, because registry.insecure is set", host)
	}
}

// ask reads the image's digest and labels over a transport.
func ask(ctx context.Context, ref name.Reference, image string, auth authn.Authenticator, over http.RoundTripper) (found, error) {
	d, err := remote.Get(ref, remote.WithContext(ctx), remote.WithAuth(auth), remote.WithTransport(registering{httpclient.LimitBodies(over, maxRegistryAnswer)}))
	if err != nil {
		return found{}, explainRegistry(image, err)
	}
	f := found{digest: d.Digest.String(), name: repositoryOf(image)}
	if tag, ok := ref.(name.Tag); ok {
		f.tag = tag.TagStr()
	}
	if f.digest, err = parseDigest(f.digest); err != nil {
		return found{}, fmt.Errorf("image %s %w", image, err)
	}
	if f.labels, err = labelsOf(d); err != nil {
		return found{}, explainRegistry(image, err)
	}
	return f, nil
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

// repositoryOf is a reference without its tag and digest, as it was written.
func repositoryOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndex(image, ":"); colon > strings.LastIndex(image, "/") {
		return image[:colon]
	}
	return image
}

// labelsOf reads the labels of an image, or those of an index.
func labelsOf(d *remote.Descriptor) (map[string]string, error) {
	labels := map[string]string{}
	if d.MediaType.IsIndex() {
		index, err := d.ImageIndex()
		if err != nil {
			return nil, err
		}
		manifest, err := index.IndexManifest()
		if err != nil {
			return nil, err
		}
		if manifest.Annotations[labelRevision] != "" && manifest.Annotations[labelSource] != "" {
			return manifest.Annotations, nil
		}
		for _, entry := range manifest.Manifests {
			if !entry.MediaType.IsImage() || entry.Platform != nil && entry.Platform.OS == "unknown" {
				continue // an attestation
			}
			img, err := index.Image(entry.Digest)
			if err != nil {
				return nil, err
			}
			return addLabels(manifest.Annotations, img)
		}
		return manifest.Annotations, nil
	}
	img, err := d.Image()
	if err != nil {
		return nil, err
	}
	return addLabels(labels, img)
}

// addLabels are an image's labels, over which those of its index go.
func addLabels(above map[string]string, img v1.Image) (map[string]string, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	maps.Copy(out, config.Config.Labels)
	maps.Copy(out, above)
	return out, nil
}

// explainRegistry says what to do about a registry's answer.
func explainRegistry(image string, err error) error {
	var answer *transport.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return fmt.Errorf("image %s: the registry refuses to show it: check source.registry's username and password: %w", image, err)
		case http.StatusNotFound:
			return fmt.Errorf("image %s: the registry has no such image: %w", image, err)
		}
	}
	return fmt.Errorf("image %s: ask the registry: %w", image, httpclient.Explain(err))
}
