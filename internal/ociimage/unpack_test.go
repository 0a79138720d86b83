package ociimage_test

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/ociimage"
)

func tarOf(tb testing.TB, headers ...tar.Header) []byte {
	tb.Helper()
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	for _, header := range headers {
		content := ""
		if header.Typeflag == tar.TypeReg {
			content = "content of " + header.Name
			header.Size = int64(len(content))
		}
		if header.Mode == 0 {
			header.Mode = 0o644
		}
		require.NoError(tb, writer.WriteHeader(&header))
		_, err := writer.Write([]byte(content))
		require.NoError(tb, err)
	}
	require.NoError(tb, writer.Close())
	return buffer.Bytes()
}

func imageOf(tb testing.TB, layers ...[]byte) v1.Image {
	tb.Helper()
	image := empty.Image
	for _, data := range layers {
		var err error
		image, err = mutate.AppendLayers(image, static.NewLayer(data, types.OCIUncompressedLayer))
		require.NoError(tb, err)
	}
	return image
}

func TestHostileEntriesAreRefused(t *testing.T) {
	cases := map[string][]tar.Header{
		"above the root":             {{Typeflag: tar.TypeReg, Name: "../escaped"}},
		"above the root in between":  {{Typeflag: tar.TypeReg, Name: "a/../../escaped"}},
		"above an absolute root":     {{Typeflag: tar.TypeReg, Name: "/../escaped"}},
		"empty name":                 {{Typeflag: tar.TypeReg, Name: ""}},
		"backslash":                  {{Typeflag: tar.TypeReg, Name: `..\escaped`}},
		"link above the root":        {{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "../escaped"}},
		"link above the root, below": {{Typeflag: tar.TypeSymlink, Name: "a/link", Linkname: "../../escaped"}},
		"absolute link":              {{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "/etc/passwd"}},
		"hard link above the root":   {{Typeflag: tar.TypeLink, Name: "link", Linkname: "../secret"}},
		"hard link to nothing":       {{Typeflag: tar.TypeLink, Name: "link", Linkname: "absent"}},
		"hard link to a link": {
			{Typeflag: tar.TypeReg, Name: "a"},
			{Typeflag: tar.TypeSymlink, Name: "b", Linkname: "a"},
			{Typeflag: tar.TypeLink, Name: "c", Linkname: "b"},
		},
		"through a file":   {{Typeflag: tar.TypeReg, Name: "a"}, {Typeflag: tar.TypeReg, Name: "a/b"}},
		"over a folder":    {{Typeflag: tar.TypeReg, Name: "a/b"}, {Typeflag: tar.TypeReg, Name: "a"}},
		"device":           {{Typeflag: tar.TypeChar, Name: "null", Devmajor: 1, Devminor: 3}},
		"block device":     {{Typeflag: tar.TypeBlock, Name: "disk", Devmajor: 8}},
		"pipe":             {{Typeflag: tar.TypeFifo, Name: "pipe"}},
		"whiteout":         {{Typeflag: tar.TypeReg, Name: "etc/.wh.passwd"}},
		"opaque whiteout":  {{Typeflag: tar.TypeReg, Name: "etc/.wh..wh..opq"}},
		"whole name is up": {{Typeflag: tar.TypeDir, Name: ".."}},
	}
	for what, headers := range cases {
		t.Run(what, func(t *testing.T) {
			parent := t.TempDir()
			writeFile(t, filepath.Join(parent, "secret"), "kept")
			root := filepath.Join(parent, "root")
			require.NoError(t, os.Mkdir(root, 0o755))
			err := ociimage.Unpack(t.Context(), imageOf(t, tarOf(t, headers...)), root)
			require.ErrorIs(t, err, ociimage.ErrHostile)
			assert.NoFileExists(t, filepath.Join(parent, "escaped"))
		})
	}
}

func TestALinkIsNotFollowedToWrite(t *testing.T) {
	root := t.TempDir()
	err := ociimage.Unpack(t.Context(), imageOf(t, tarOf(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "real", Mode: 0o755},
		tar.Header{Typeflag: tar.TypeReg, Name: "real/file"},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "real/file"},
		tar.Header{Typeflag: tar.TypeReg, Name: "link"},
	)), root)
	require.NoError(t, err)
	content, err := os.ReadFile(filepath.Join(root, "real", "file"))
	require.NoError(t, err)
	assert.Equal(t, "content of real/file", string(content))
	content, err = os.ReadFile(filepath.Join(root, "link"))
	require.NoError(t, err)
	assert.Equal(t, "content of link", string(content))
}

func TestLaterLayersWin(t *testing.T) {
	root := t.TempDir()
	first := tarOf(t,
		tar.Header{Typeflag: tar.TypeReg, Name: "./a/file", Mode: 0o600},
		tar.Header{Typeflag: tar.TypeLink, Name: "a/same", Linkname: "/a/file"},
		tar.Header{Typeflag: tar.TypeReg, Name: "was-a-file"})
	second := tarOf(t,
		tar.Header{Typeflag: tar.TypeReg, Name: "/a/file", Mode: 0o4755},
		tar.Header{Typeflag: tar.TypeDir, Name: "was-a-file/", Mode: 0o755})
	require.NoError(t, ociimage.Unpack(t.Context(), imageOf(t, first, second), root))
	info, err := os.Stat(filepath.Join(root, "a", "file"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o755), info.Mode(), "the set-user-id bit is dropped")
	content, err := os.ReadFile(filepath.Join(root, "a", "same"))
	require.NoError(t, err)
	assert.Equal(t, "content of ./a/file", string(content), "the first layer's file lives on under its other name")
	assert.DirExists(t, filepath.Join(root, "was-a-file"))
}

func TestUnpackStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := ociimage.Unpack(ctx, imageOf(t, tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "a"})), t.TempDir())
	require.ErrorIs(t, err, context.Canceled)
}

func TestUnpackNeedsAFolder(t *testing.T) {
	err := ociimage.Unpack(t.Context(), empty.Image, filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzUnpack(f *testing.F) {
	f.Add(tarOf(f, tar.Header{Typeflag: tar.TypeReg, Name: "a/b"}, tar.Header{Typeflag: tar.TypeSymlink, Name: "c", Linkname: "a/b"}))
	f.Add(tarOf(f, tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "."}, tar.Header{Typeflag: tar.TypeReg, Name: "a/../../x"}))
	f.Add(tarOf(f, tar.Header{Typeflag: tar.TypeDir, Name: "d", Mode: 0o1777}, tar.Header{Typeflag: tar.TypeLink, Name: "d/l", Linkname: "d"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		parent := t.TempDir()
		root := filepath.Join(parent, "root")
		require.NoError(t, os.Mkdir(root, 0o700))
		err := ociimage.Unpack(t.Context(), imageOf(t, data), root)
		entries, readErr := os.ReadDir(parent)
		require.NoError(t, readErr)
		require.Len(t, entries, 1, "something beside the root")
		if err != nil {
			return
		}
		require.NoError(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.Type()&os.ModeSymlink == 0 {
				return nil //nolint:nilerr // a folder without the right to read it is no finding
			}
			target, err := os.Readlink(path)
			require.NoError(t, err)
			joined := filepath.Join(filepath.Dir(path), target)
			require.True(t, !filepath.IsAbs(target) && (joined == root || strings.HasPrefix(joined, root+"/")), "%s -> %s", path, target)
			return nil
		}))
	})
}
