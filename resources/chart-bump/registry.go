package chartbump

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/registry"
)

// find asks the registry for a reference's digest and labels. The digest of an
// index stays the index's.
func (r Registry) find(ctx context.Context, image string, logf func(format string, args ...any)) (found, error) {
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
		if host, _, _ := strings.Cut(ref.Context().RegistryStr(), ":"); r.Insecure && httpclient.Exposed("http", host) {
			logf("warning: the credentials for %s can be read on the way, because registry.insecure is set", host)
		}
	}
	return ask(ctx, ref, image, auth, client.Transport)
}

// ask reads the image's digest and labels over a transport.
func ask(ctx context.Context, ref name.Reference, image string, auth authn.Authenticator, over http.RoundTripper) (found, error) {
	got, err := registry.Describe(ctx, ref, over, remote.WithAuth(auth))
	if err != nil {
		return found{}, explainRegistry(image, err)
	}
	f := found{digest: got.Digest.String(), name: repositoryOf(image), labels: got.Labels}
	if tag, ok := ref.(name.Tag); ok {
		f.tag = tag.TagStr()
	}
	if f.digest, err = parseDigest(f.digest); err != nil {
		return found{}, fmt.Errorf("image %s %w", image, err)
	}
	return f, nil
}

// repositoryOf is a reference without its tag and digest, as it was written.
func repositoryOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndex(image, ":"); colon > strings.LastIndex(image, "/") {
		return image[:colon]
	}
	return image
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
