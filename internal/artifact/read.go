package artifact

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Size is a number of bytes.
type Size int64

// What a file may have, by what it holds. A larger one is not what the param means, and is in memory while
// it is read.
const (
	// MaxValue is for one value, as a version, a digest or a commit: the longest has some hundred bytes.
	MaxValue Size = 4 << 10
	// MaxDocument is for a small document, as JSON: registries refuse manifests, and with them labels, that
	// are larger.
	MaxDocument Size = 4 << 20
	// MaxList is for a list of store paths, which have some 80 bytes each: 100,000 of them, where a whole NixOS has
	// 10,000. Such a list takes some 100 MB of memory.
	MaxList Size = 8 << 20
)

// String is the number in a unit that people read.
func (s Size) String() string {
	const step = 1 << 10
	units := []string{"bytes", "KiB", "MiB", "GiB"}
	i := 0
	for ; s >= step && s%step == 0 && i+1 < len(units); i++ {
		s /= step
	}
	return fmt.Sprintf("%d %s", int64(s), units[i])
}

// Read returns the content of a file, up to a size.
func (f Folder) Read(name string, most Size) ([]byte, error) {
	file, err := f.Path(name)
	if err != nil {
		return nil, err
	}
	data, err := read(file, most)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// Value returns the text of a file with one value, without the blanks around it.
func (f Folder) Value(name string) (string, error) {
	data, err := f.Read(name, MaxValue)
	return strings.TrimSpace(string(data)), err
}

// Optional is Read of a file that may be missing: it is empty then.
func (f Folder) Optional(name string, most Size) ([]byte, error) {
	data, err := f.Read(name, most)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func read(file string, most Size) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file: name the file itself, as in version/version")
	case info.Size() > int64(most):
		return nil, tooLarge(info.Size(), most)
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }() // it was read only
	data, err := io.ReadAll(io.LimitReader(in, int64(most)+1))
	if err == nil && len(data) > int(most) { // it grew meanwhile
		err = tooLarge(int64(len(data)), most)
	}
	return data, err
}

func tooLarge(size int64, most Size) error {
	return fmt.Errorf("it has %d bytes, and such a file may have no more than %s: is it the right file?", size, most)
}
