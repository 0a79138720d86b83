package lineage

import (
	"context"
	"errors"
)

// Labeller asks for the labels of an image.
type Labeller interface {
	// Labels are those of the image with that digest. ErrNoImage says that the
	// registry answers, and does not have it.
	Labels(ctx context.Context, repository, digest string) (Labels, error)
}

// ErrNoImage says that a registry has no such image.
var ErrNoImage = errors.New("the registry has no image with this digest")

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
	case errors.Is(got.err, ErrNoImage):
		image.say(linkRegistry, "%v: %.19s of %s", ErrNoImage, image.Digest, image.Repository)
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
