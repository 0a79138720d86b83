package object

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
)

// HashBlob is the hash git gives to a file with the content of r. The size has
// to be known beforehand, as it is part of what is hashed; content of another
// length is an error, which a file that changes meanwhile causes.
func HashBlob(r io.Reader, size int64) (Hash, error) {
	h := plumbing.NewHasher(plumbing.BlobObject, size)
	n, err := io.Copy(h, r)
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("hash %d bytes as a git blob: %w", size, err)
	}
	if n != size {
		return plumbing.ZeroHash, fmt.Errorf("hash as a git blob: got %d bytes instead of %d, does the file change at this moment?", n, size)
	}
	return h.Sum(), nil
}

// Blobs opens the contents of files, and knows their sizes.
type Blobs interface {
	OpenBlob(ctx context.Context, h Hash) (content io.ReadCloser, size int64, err error)
}

// ReadBlob reads a content of up to most bytes. Of a larger one it gives the size alone.
func ReadBlob(ctx context.Context, from Blobs, h Hash, most int64) (content []byte, size int64, err error) {
	r, size, err := from.OpenBlob(ctx, h)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if size > most {
		return nil, size, nil
	}
	content = make([]byte, size)
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, size, fmt.Errorf("read blob %s: %w", h, err)
	}
	return content, size, nil
}
