package ociimage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// refNameKey is the annotation under which a layout keeps the tag of an entry.
const refNameKey = "org.opencontainers.image.ref.name"

// WriteLayout writes the image and its bill of materials as an OCI layout to dir. A layout that is there is replaced as a
// whole; a folder with anything else in it is left alone and refused.
func WriteLayout(dir string, image *Image) error {
	if err := replaceable(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // images are no secret
		return fmt.Errorf("folder for the layout: %w", err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), ".layout-")
	if err != nil {
		return fmt.Errorf("folder for the layout: %w", err)
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	if err := os.Chmod(fresh, 0o755); err != nil { //nolint:gosec // images are no secret
		return fmt.Errorf("folder for the layout: %w", err)
	}
	if err := fillLayout(fresh, image); err != nil {
		return fmt.Errorf("layout %s: %w", dir, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("old layout: %w", err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		return fmt.Errorf("layout: %w", err)
	}
	return nil
}

// replaceable says whether dir is absent, empty or a layout.
func replaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("folder for the layout: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
		return fmt.Errorf("%s has files in it and is not an OCI layout: choose another folder, or empty it: %w", dir, err)
	}
	return nil
}

func fillLayout(dir string, image *Image) error {
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("new layout: %w", err)
	}
	notes := map[string]string{refNameKey: image.Stamp.Version}
	if err := path.AppendIndex(image.Index, layout.WithAnnotations(notes)); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	for _, b := range image.SBOM.blobs() {
		if err := addBlob(path, b.data); err != nil {
			return err
		}
	}
	if err := addBlob(path, image.SBOM.manifest); err != nil {
		return err
	}
	descriptor, err := image.SBOM.Descriptor()
	if err != nil {
		return err
	}
	if err := path.AppendDescriptor(descriptor); err != nil {
		return fmt.Errorf("bill of materials: %w", err)
	}
	return nil
}

func addBlob(path layout.Path, data []byte) error {
	digest, _, err := v1.SHA256(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	if err := path.WriteBlob(digest, io.NopCloser(bytes.NewReader(data))); err != nil {
		return fmt.Errorf("blob %s: %w", digest, err)
	}
	return nil
}

// WriteDocker writes the image of each platform as a file that `docker load` takes, TYPE-OS-ARCH.tar in dir, and returns the
// files' paths. Such a file has no place for the bill of materials.
func WriteDocker(dir string, image *Image) ([]string, error) {
	manifest, err := image.Index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", image.Definition.Type, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // images are no secret
		return nil, fmt.Errorf("folder for the images: %w", err)
	}
	tag, err := name.NewTag(image.Definition.Type+":"+image.Stamp.Version, name.WithDefaultRegistry(""))
	if err != nil {
		return nil, fmt.Errorf("tag of image %s: %w", image.Definition.Type, err)
	}
	var files []string
	for _, descriptor := range manifest.Manifests {
		single, err := image.Index.Image(descriptor.Digest)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", image.Definition.Type, err)
		}
		file := filepath.Join(dir, fmt.Sprintf("%s-%s-%s.tar", image.Definition.Type, descriptor.Platform.OS, descriptor.Platform.Architecture))
		if err := tarball.WriteToFile(file, tag, single); err != nil {
			return nil, fmt.Errorf("image file %s: %w", file, err)
		}
		files = append(files, file)
	}
	return files, nil
}
