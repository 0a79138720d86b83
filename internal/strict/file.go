package strict

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// ReadFile reads a file that people write, of no more bytes than [Few] takes. Where a file is expected, a folder, a device or a pipe is an
// error, which names it: a pipe may have no end, or no beginning. The pipes of a shell's <(…) are read.
func ReadFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		path.Op = "open" // as for a file that is there
		return nil, err
	}
	opened := strings.HasPrefix(name, "/dev/fd/") || name == "/dev/stdin"
	switch mode := info.Mode(); {
	case mode.IsDir():
		return nil, fmt.Errorf("%s is a folder; name the files in it", name)
	case !mode.IsRegular() && !opened:
		return nil, fmt.Errorf("read %s: it is not a file", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was read only
	data, err := ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// ReadYAML is ReadFile of a file that [Few] takes.
func ReadYAML(name string) ([]byte, error) {
	data, err := ReadFile(name)
	if err != nil {
		return nil, err
	}
	if err := Few(data); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// ReadAll reads up to the number of bytes that [Few] takes.
func ReadAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err == nil && len(data) > maxBytes {
		err = errTooLarge()
	}
	return data, err
}

func errTooLarge() error {
	return errors.New("it has more than 8 MiB, and no more are read")
}
