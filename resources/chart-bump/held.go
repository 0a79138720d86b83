package chartbump

import (
	"cmp"
	"errors"

	"github.com/taxiway-ci/taxiway/internal/provenance"
	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

// heldValues are what the bot's branch holds of the values. Nil holds nothing.
type heldValues struct {
	src           Source
	before, after *yamledit.File
}

// held reads what the bot's branch holds. Values that can't be read hold nothing.
func (c chartFiles) held() *heldValues {
	if c.after == nil {
		return nil
	}
	before, err := yamledit.Parse(c.before, yamledit.Options{})
	if err != nil {
		return nil
	}
	after, err := yamledit.Parse(c.after, yamledit.Options{})
	if err != nil {
		return nil
	}
	return &heldValues{c.src, before, after}
}

// keep sets what the bot's branch holds for an image that the put does not name. Where the base has
// another value than the branch began with, the base's is newer and stays.
func (h *heldValues) keep(f *yamledit.File, img Image, out *changes, logf func(string, ...any)) error {
	if h == nil {
		return nil
	}
	was, errWas := h.before.Scalar(img.Path)
	is, errIs := h.after.Scalar(img.Path)
	now, errNow := f.Scalar(img.Path)
	switch {
	case errWas != nil || errIs != nil || errNow != nil:
		return nil //nolint:nilerr // a source that has changed since
	case equal(was, is) || equal(now, is):
		return nil
	case !equal(now, was):
		logf("image %s: branch %s has a newer value than the pull request, and it stays: %s", img.Name, h.src.Branch, now.Text)
		return nil
	}
	out.kept = true
	c := heldChange(img, now, is)
	if err := errors.Join(f.Set(img.Path, is.Text), f.SetComment(img.Path, is.Comment)); err != nil {
		return err
	}
	if img.CommitPath != "" {
		if err := c.keepCommit(h.after, f); err != nil {
			return err
		}
	}
	if c.digest != c.oldDigest {
		out.images = append(out.images, c)
	}
	return nil
}

// keepCommit sets the value that has the image's commit to what the bot's branch has.
func (c *imageChange) keepCommit(held, f *yamledit.File) error {
	is, errIs := held.Scalar(c.image.CommitPath)
	was, errWas := f.Scalar(c.image.CommitPath)
	if errIs != nil || errWas != nil {
		return nil //nolint:nilerr // a source that has changed since
	}
	c.oldCommit = cmp.Or(c.oldCommit, commitOf(was))
	return f.Set(c.image.CommitPath, is.Text)
}

func equal(a, b yamledit.Value) bool { return a.Text == b.Text && a.Comment == b.Comment }

// heldChange is the change from one value of an image to another, as the comments tell it.
func heldChange(img Image, old, fresh yamledit.Value) imageChange {
	c := imageChange{target: target{image: img}, kept: true}
	key := c.lastKey()
	if s, err := parseShape(old.Text, key); err == nil {
		c.oldDigest = s.digest
	}
	if s, err := parseShape(fresh.Text, key); err == nil {
		c.digest, c.tag = s.digest, s.tag
	}
	if m, _, err := provenance.Parse(old.Comment); err == nil {
		c.oldCommit = m.CommitRef
	}
	if m, _, err := provenance.Parse(fresh.Comment); err == nil {
		c.source = origin{repository: m.Repository, commit: m.CommitRef}
	}
	return c
}
