package ociimage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
)

// What a registry's answer means for the caller.
var (
	// ErrDenied: the registry wants a login, or the login may not do this.
	ErrDenied = errors.New("denied by the registry")
	// ErrUnreachable: no registry answered at the address.
	ErrUnreachable = errors.New("registry not reachable")
	// ErrNotFound: the registry has no such image.
	ErrNotFound = errors.New("image not found")
)

// Registry says how to talk to a registry. The zero value takes the credentials of `docker login` and https.
type Registry struct {
	// Keychain gives the credentials; nil means those of the user's docker configuration.
	Keychain authn.Keychain
	// Insecure allows plain http. Loopback addresses may always use it.
	Insecure bool
}

// Pushed is what a registry holds after a push.
type Pushed struct {
	// Repository is where, with the registry's name and without tag.
	Repository string
	// Digest is the index's: the one to pin and to sign. SBOM is the bill of materials' own.
	Digest, SBOM v1.Hash
	// Tags now point to Digest. Those that a newer release of the repository holds are not among them.
	Tags []string
}

// Push uploads the image to base/TYPE (base: "registry.example.com/team"): first index and bill of materials by digest, and when
// all is there the tags. MAJOR.MINOR and latest stay where they are if the repository has a newer release for them. Pushing the
// same image again changes nothing.
func (r Registry) Push(ctx context.Context, base string, image *Image) (*Pushed, error) {
	repository, err := r.repository(base, image.Definition.Type)
	if err != nil {
		return nil, err
	}
	digest, err := image.Digest()
	if err != nil {
		return nil, err
	}
	options := r.options(ctx)
	if err := remote.WriteIndex(repository.Digest(digest.String()), image.Index, options...); err != nil {
		return nil, explain("push", repository.Name(), err)
	}
	bill, err := pushArtifact(repository, image.SBOM, options)
	if err != nil {
		return nil, explain("push the bill of materials to", repository.Name(), err)
	}
	present, err := present(repository, options)
	if err != nil {
		return nil, err
	}
	tags, err := image.Stamp.tagsBeside(present)
	if err != nil {
		return nil, err
	}
	for _, tag := range tags {
		if err := remote.Tag(repository.Tag(tag), image.Index, options...); err != nil {
			return nil, explain("tag", repository.Tag(tag).Name(), err)
		}
	}
	return &Pushed{Repository: repository.Name(), Digest: digest, SBOM: bill, Tags: tags}, nil
}

// present lists the tags of the repository: none if the registry does not know it yet.
func present(repository name.Repository, options []remote.Option) ([]string, error) {
	tags, err := remote.List(repository, options...)
	var refused *transport.Error
	if errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, explain("list the tags of", repository.Name(), err)
	}
	return tags, nil
}

// pushArtifact uploads the blobs and then the manifest; its failures are explained by the caller.
func pushArtifact(repository name.Repository, artifact *Artifact, options []remote.Option) (v1.Hash, error) {
	for _, b := range artifact.blobs() {
		if err := remote.WriteLayer(repository, static.NewLayer(b.data, b.mediaType), options...); err != nil {
			return v1.Hash{}, err
		}
	}
	descriptor, err := artifact.Descriptor()
	if err != nil {
		return v1.Hash{}, err
	}
	if err := remote.Put(repository.Digest(descriptor.Digest.String()), artifact, options...); err != nil {
		return v1.Hash{}, err
	}
	return descriptor.Digest, nil
}

func (r Registry) repository(base, image string) (name.Repository, error) {
	base = strings.TrimSuffix(base, "/")
	if _, rest, found := strings.Cut(base, "://"); found {
		return name.Repository{}, fmt.Errorf("registry %q: omit the scheme: write %q", base, rest)
	}
	repository, err := name.NewRepository(base+"/"+image, r.nameOptions()...)
	if err != nil {
		return name.Repository{}, fmt.Errorf("registry %q: want HOST[:PORT][/FOLDER]: %w", base, err)
	}
	return repository, nil
}

func (r Registry) nameOptions() []name.Option {
	if r.Insecure {
		return []name.Option{name.Insecure}
	}
	return nil
}

func (r Registry) options(ctx context.Context) []remote.Option {
	keychain := r.Keychain
	if keychain == nil {
		keychain = authn.DefaultKeychain
	}
	return []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(keychain), remote.WithUserAgent("taxiway-images"),
		remote.WithRetryBackoff(remote.Backoff{Duration: 200 * time.Millisecond, Factor: 3, Jitter: 0.1, Steps: 3}),
	}
}

// explain turns a client's failure into a sentence with the remedy.
func explain(action, what string, err error) error {
	host, _, _ := strings.Cut(what, "/")
	var refused *transport.Error
	var network *net.OpError
	var address *url.Error
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s %s: %w", action, what, err)
	case errors.As(err, &refused) && refused.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s %s: %w: it wants a login that may do this: run `docker login %s`: %w", action, what, ErrDenied, host, err)
	case errors.As(err, &refused) && refused.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%s %s: %w: this login has no right to do it: ask the owner of the repository: %w", action, what, ErrDenied, err)
	case errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s %s: %w: check the name and the tag: %w", action, what, ErrNotFound, err)
	case err != nil && strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("%s %s: the registry answers over plain http: add --insecure if that is intended: %w", action, what, err)
	case errors.As(err, &network), errors.As(err, &address), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s %s: %w: check the address %s and the network: %w", action, what, ErrUnreachable, host, err)
	default:
		return fmt.Errorf("%s %s: %w", action, what, err)
	}
}
