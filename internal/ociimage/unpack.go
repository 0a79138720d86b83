package ociimage

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ErrHostile says that an image asks to be unpacked outside its folder, or holds what no image of ours holds.
var ErrHostile = errors.New("image refused")

// Bounds of an unpacked image; ours have some 20 entries and 20 MB.
const (
	maxEntries = 100_000
	maxBytes   = 2 << 30
	// stickyBit is the bit of a tar mode that /tmp has (octal 1000).
	stickyBit = 0o1000
)

// Unpack writes the files of the image to dir, which must exist, layer by layer. Names and links that lead out of the image's
// root, whiteouts, devices and other special files give ErrHostile. Owners are not set and set-user-id bits are dropped.
func Unpack(ctx context.Context, image v1.Image, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("folder for the image: %w", err)
	}
	defer func() { _ = root.Close() }()
	layers, err := image.Layers()
	if err != nil {
		return fmt.Errorf("layers of the image: %w", err)
	}
	u := &unpacker{root: root, bytes: maxBytes, entries: maxEntries}
	for i, layer := range layers {
		if err := u.layer(ctx, layer); err != nil {
			return fmt.Errorf("layer %d of the image: %w", i+1, err)
		}
	}
	return nil
}

// unpacker writes tar entries below root until its allowance of bytes and entries is used up.
type unpacker struct {
	root    *os.Root
	bytes   int64
	entries int
}

func (u *unpacker) layer(ctx context.Context, layer v1.Layer) (err error) {
	content, err := layer.Uncompressed()
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	if err := u.tar(ctx, content); err != nil {
		return err
	}
	// The digest is checked when the last byte has been read, which may lie behind the end of the archive.
	if _, err := io.Copy(io.Discard, content); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}

func (u *unpacker) tar(ctx context.Context, content io.Reader) error {
	reader := tar.NewReader(content)
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := u.entry(header, reader); err != nil {
			return fmt.Errorf("entry %q: %w", header.Name, err)
		}
	}
}

func (u *unpacker) entry(header *tar.Header, content io.Reader) error {
	u.entries--
	u.bytes -= header.Size
	if u.entries < 0 || u.bytes < 0 {
		return fmt.Errorf("%w: more than %d entries or %d bytes", ErrHostile, maxEntries, int64(maxBytes))
	}
	name, err := entryName(header.Name)
	if err != nil {
		return err
	}
	if name == "." {
		return nil
	}
	if err := u.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return placed(err)
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return u.folder(name, header)
	case tar.TypeReg:
		return u.file(name, header, content)
	case tar.TypeSymlink:
		return u.symlink(name, header.Linkname)
	case tar.TypeLink:
		return u.hardlink(name, header.Linkname)
	default:
		return fmt.Errorf("%w: a special file (type %q)", ErrHostile, header.Typeflag)
	}
}

// entryName is the clean, relative form of a name in a layer.
func entryName(name string) (string, error) {
	clean := path.Clean(strings.TrimPrefix(name, "/"))
	switch {
	case strings.ContainsAny(name, "\x00\\"):
		return "", fmt.Errorf("%w: the name has a NUL or a backslash", ErrHostile)
	case name == "" || !filepath.IsLocal(clean):
		return "", fmt.Errorf("%w: the name leads out of the image", ErrHostile)
	case strings.HasPrefix(path.Base(clean), ".wh."):
		return "", fmt.Errorf("%w: it deletes a file of an earlier layer, which is not supported", ErrHostile)
	}
	return clean, nil
}

func (u *unpacker) folder(name string, header *tar.Header) error {
	if info, err := u.root.Lstat(name); err == nil && !info.IsDir() {
		if err := u.root.Remove(name); err != nil {
			return placed(err)
		}
	}
	if err := u.root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return placed(err)
	}
	return placed(u.root.Chmod(name, permissions(header.Mode)))
}

func (u *unpacker) file(name string, header *tar.Header, content io.Reader) (err error) {
	if err := u.clear(name); err != nil {
		return err
	}
	file, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return placed(err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := io.Copy(file, content); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := file.Chmod(permissions(header.Mode)); err != nil {
		return fmt.Errorf("mode: %w", err)
	}
	return nil
}

// symlink makes a link that stays inside the image when it is resolved from the link's own folder. Absolute targets would
// lead out as soon as the unpacked folder is read without chroot.
func (u *unpacker) symlink(name, target string) error {
	if path.IsAbs(target) || !filepath.IsLocal(path.Join(path.Dir(name), target)) {
		return fmt.Errorf("%w: a link out of the image, to %q", ErrHostile, target)
	}
	if err := u.clear(name); err != nil {
		return err
	}
	return placed(u.root.Symlink(target, name))
}

func (u *unpacker) hardlink(name, target string) error {
	clean, err := entryName(target)
	if err != nil {
		return err
	}
	info, err := u.root.Lstat(clean)
	if err != nil {
		return placed(err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: a hard link to something that is not a file, %q", ErrHostile, target)
	}
	if clean == name {
		return nil
	}
	if err := u.clear(name); err != nil {
		return err
	}
	return placed(u.root.Link(clean, name))
}

// clear makes room for an entry that replaces one of an earlier layer. A folder is replaced only when it is empty.
func (u *unpacker) clear(name string) error {
	if err := u.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return placed(err)
	}
	return nil
}

// placed marks the refusal of os.Root, and of a path that runs through a file, as the image's fault.
func placed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrHostile, err)
}

func permissions(mode int64) fs.FileMode {
	permissions := fs.FileMode(mode & 0o777)
	if mode&stickyBit != 0 {
		permissions |= fs.ModeSticky
	}
	return permissions
}
