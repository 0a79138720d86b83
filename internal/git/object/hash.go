package object

import (
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
