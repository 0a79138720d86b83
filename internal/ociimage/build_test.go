package ociimage_test

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/ociimage"
	"github.com/taxiway-ci/taxiway/internal/ociimage/imagetest"
)

func sampleSet(t *testing.T, pkg string) *ociimage.Set {
	t.Helper()
	set, err := ociimage.ParseSet("images.yml", []byte(`
source: https://git.example.com/taxiway
licenses: Apache-2.0
vendor: Example
images:
  sample:
    package: `+pkg+`
    title: Sample
    description: Says what it sees
    documentation: https://git.example.com/taxiway/sample
`))
	require.NoError(t, err)
	return set
}

func sampleStamp() ociimage.Stamp {
	return ociimage.Stamp{
		Revision: strings.Repeat("1f3c2aa0", 5), Version: "1.4.2",
		Created: time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC),
	}
}

// The sample's image is built once for all tests that do not look at building itself.
var sampleOnce = struct {
	sync.Once
	image *ociimage.Image
	err   error
}{}

func sample(t *testing.T) *ociimage.Image {
	t.Helper()
	set := sampleSet(t, "./internal/ociimage/testdata/sample")
	sampleOnce.Do(func() {
		builder := &ociimage.Builder{Module: "../..", Set: set, Stamp: sampleStamp()}
		var images []*ociimage.Image
		images, sampleOnce.err = builder.Build(context.Background(), "sample")
		if sampleOnce.err == nil {
			sampleOnce.image = images[0]
		}
	})
	require.NoError(t, sampleOnce.err)
	return sampleOnce.image
}

func TestABuildOfUnknownImageNamesTheNearest(t *testing.T) {
	builder := &ociimage.Builder{Module: "../..", Set: sampleSet(t, "./x"), Stamp: sampleStamp()}
	_, err := builder.Build(t.Context(), "smaple")
	require.ErrorIs(t, err, ociimage.ErrUnknownImage)
	assert.ErrorContains(t, err, `unknown image "smaple": did you mean "sample"?`)
	_, err = builder.Build(t.Context(), "entirely-different")
	assert.EqualError(t, err, `unknown image "entirely-different": known images: sample`)
}

func TestABuildThatDoesNotCompileShowsTheCompiler(t *testing.T) {
	module := t.TempDir()
	writeFile(t, filepath.Join(module, "go.mod"), "module example.test/broken\n\ngo 1.26\n")
	writeFile(t, filepath.Join(module, "main.go"), "package main\n\nfunc main() { undefinedThing() }\n")
	builder := &ociimage.Builder{Module: module, Set: sampleSet(t, "./."), Stamp: sampleStamp()}
	_, err := builder.Build(t.Context())
	require.Error(t, err)
	assert.ErrorContains(t, err, "image sample: go build ./. for linux/amd64")
	assert.ErrorContains(t, err, "undefined: undefinedThing")
}

func TestAPackageThatIsNoProgramIsRefused(t *testing.T) {
	module := t.TempDir()
	writeFile(t, filepath.Join(module, "go.mod"), "module example.test/library\n\ngo 1.26\n")
	writeFile(t, filepath.Join(module, "library.go"), "package library\n")
	builder := &ociimage.Builder{Module: module, Set: sampleSet(t, "./."), Stamp: sampleStamp()}
	_, err := builder.Build(t.Context())
	require.Error(t, err)
	assert.ErrorContains(t, err, "main package")
}

func TestACancelledBuildStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	builder := &ociimage.Builder{Module: "../..", Set: sampleSet(t, "./internal/ociimage/testdata/sample"), Stamp: sampleStamp()}
	_, err := builder.Build(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestTwoFoldersGiveOneDigest(t *testing.T) {
	var digests []string
	var bills [][]byte
	for i, folder := range []string{"a", filepath.Join("somewhere", "else", "with a space")} {
		module := filepath.Join(t.TempDir(), folder)
		source, err := os.ReadFile("testdata/sample/main.go")
		require.NoError(t, err)
		writeFile(t, filepath.Join(module, "go.mod"), "module example.test/sample\n\ngo 1.26\n")
		writeFile(t, filepath.Join(module, "main.go"), string(source))
		if i == 1 {
			// What one machine has in its environment and in its repository leaves no trace.
			t.Setenv("GOFLAGS", "-tags=other -ldflags=-X=main.x=y")
			t.Setenv("GOAMD64", "v3")
			initialise(t, module)
		}
		builder := &ociimage.Builder{Module: module, Set: sampleSet(t, "./."), Stamp: sampleStamp()}
		images, err := builder.Build(t.Context())
		require.NoError(t, err)
		require.Len(t, images, 1)
		digest, err := images[0].Digest()
		require.NoError(t, err)
		bill, err := images[0].SBOM.Descriptor()
		require.NoError(t, err)
		digests = append(digests, digest.String()+" "+bill.Digest.String())
		bills = append(bills, images[0].SBOM.Document)
		// The files that are written are the same as well.
		require.NoError(t, ociimage.WriteLayout(filepath.Join(module, "out"), images[0]))
	}
	assert.Equal(t, digests[0], digests[1])
	assert.Equal(t, string(bills[0]), string(bills[1]))
}

// The key changes with what is in the images, and with nothing else.
func TestTheKeyIsThatOfWhatIsInTheImages(t *testing.T) {
	module := t.TempDir()
	source, err := os.ReadFile("testdata/sample/main.go")
	require.NoError(t, err)
	writeFile(t, filepath.Join(module, "go.mod"), "module example.test/sample\n\ngo 1.26\n")
	writeFile(t, filepath.Join(module, "main.go"), string(source))
	writeFile(t, filepath.Join(module, "packer", "packer.go"), "package packer\n")
	builder := &ociimage.Builder{Module: module, Set: sampleSet(t, "./."), Stamp: sampleStamp(), Platforms: ociimage.Platforms()[:1]}
	key := func() string {
		key, err := builder.Key(t.Context(), []string{"sample"}, "./packer")
		require.NoError(t, err)
		return key
	}
	seen := map[string]bool{key(): true}
	writeFile(t, filepath.Join(module, "README.md"), "read me")
	builder.Stamp.Version = "1.4.3"
	t.Setenv("GOFLAGS", "-ldflags=-X=main.x=y")
	assert.True(t, seen[key()])
	for what, change := range map[string]func(){
		"the program": func() {
			writeFile(t, filepath.Join(module, "main.go"), string(source)+"\nfunc init() { println() }\n")
		},
		"the package that makes images": func() {
			writeFile(t, filepath.Join(module, "packer", "packer.go"), "package packer\n\nconst Level = 8\n")
		},
		"the platform": func() { builder.Platforms = ociimage.Platforms()[1:] },
		"HTTP/2": func() {
			d := builder.Set.Images["sample"]
			d.HTTP2 = true
			builder.Set.Images["sample"] = d
		},
	} {
		change()
		assert.False(t, seen[key()], what)
		seen[key()] = true
	}
	writeFile(t, filepath.Join(module, "main.go"), "package main\n\nfunc main() { undefinedThing() }\n")
	_, err = builder.Key(t.Context(), nil)
	require.ErrorContains(t, err, "undefined: undefinedThing")
}

func initialise(t *testing.T, dir string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		return
	}
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "."},
		{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "commit", "-qm", "start"},
	} {
		command := exec.CommandContext(t.Context(), "git", args...)
		command.Dir = dir
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
}

func TestTheImageIsValidAndSmall(t *testing.T) {
	image := sample(t)
	for _, platform := range ociimage.Platforms() {
		single, err := image.Platform(platform)
		require.NoError(t, err)
		size, err := ociimage.CompressedSize(single)
		require.NoError(t, err)
		assert.Less(t, size, int64(10_000_000))
		config, err := single.ConfigFile()
		require.NoError(t, err)
		assert.Equal(t, platform.Architecture, config.Architecture)
		assert.Equal(t, sampleStamp().Created, config.Created.UTC())
		assert.Equal(t, map[string]string{
			"org.opencontainers.image.created":       "2026-03-01T12:30:00Z",
			"org.opencontainers.image.title":         "Sample",
			"org.opencontainers.image.description":   "Says what it sees",
			"org.opencontainers.image.documentation": "https://git.example.com/taxiway/sample",
			"org.opencontainers.image.licenses":      "Apache-2.0",
			"org.opencontainers.image.revision":      sampleStamp().Revision,
			"org.opencontainers.image.source":        "https://git.example.com/taxiway",
			"org.opencontainers.image.vendor":        "Example",
			"org.opencontainers.image.version":       "1.4.2",
		}, config.Config.Labels)
		manifest, err := single.Manifest()
		require.NoError(t, err)
		assert.Equal(t, config.Config.Labels, manifest.Annotations)
	}
	_, err := image.Platform(v1.Platform{OS: "plan9", Architecture: "amd64"})
	assert.ErrorContains(t, err, "plan9/amd64")
}

func TestBothPlatformsShareTheBaseLayer(t *testing.T) {
	var bases []v1.Hash
	for _, platform := range ociimage.Platforms() {
		single, err := sample(t).Platform(platform)
		require.NoError(t, err)
		layers, err := single.Layers()
		require.NoError(t, err)
		require.Len(t, layers, 2)
		digest, err := layers[0].Digest()
		require.NoError(t, err)
		bases = append(bases, digest)
	}
	assert.Equal(t, bases[0], bases[1])
}

func TestTheUnpackedRootHasExactlyTheseFiles(t *testing.T) {
	root := imagetest.Unpack(t, sample(t))
	var lines []string
	require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := info.Mode().String() + " " + path
		if d.Type() == fs.ModeSymlink {
			target, err := os.Readlink(filepath.Join(root, path))
			if err != nil {
				return err
			}
			line += " -> " + target
		}
		lines = append(lines, line)
		return nil
	}))
	assert.Equal(t, []string{
		"drwxr-xr-x etc",
		"-rw-r--r-- etc/group",
		"-rw-r--r-- etc/passwd",
		"drwxr-xr-x etc/ssl",
		"drwxr-xr-x etc/ssl/certs",
		"-rw-r--r-- etc/ssl/certs/ca-certificates.crt",
		"drwxr-xr-x opt",
		"drwxr-xr-x opt/resource",
		"Lrwxrwxrwx opt/resource/check -> sample",
		"Lrwxrwxrwx opt/resource/in -> sample",
		"Lrwxrwxrwx opt/resource/out -> sample",
		"-rwxr-xr-x opt/resource/sample",
		"drwx------ root",
		"dtrwxrwxrwx tmp",
	}, lines)
}

func TestTheProgramsRunInAnEmptyRoot(t *testing.T) {
	room := imagetest.New(t, imagetest.Unpack(t, sample(t)))
	for _, verb := range []string{"check", "in", "out"} {
		work := t.TempDir()
		writeFile(t, filepath.Join(work, "message"), "hello "+verb)
		command, err := room.Command(t.Context(), work, "/opt/resource/"+verb, work)
		require.NoError(t, err)
		output, err := command.Output()
		require.NoError(t, err)
		files := []string{"/etc", "/opt", "/root", "/tmp", "/" + strings.Split(work, "/")[1]} // the last holds the work, and can be /tmp
		slices.Sort(files)
		want, err := json.Marshal(map[string]any{
			"verb": verb, "args": []string{work}, "files": slices.Compact(files),
			"roots": true, "user": "root", "temp": true, "zone": true, "message": "hello " + verb,
		})
		require.NoError(t, err)
		assert.JSONEq(t, string(want), string(output))
		answer, err := os.ReadFile(filepath.Join(work, "answer"))
		require.NoError(t, err)
		assert.Equal(t, "from the image", string(answer))
	}
}

func TestDockerFilesCanBeReadBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docker")
	files, err := ociimage.WriteDocker(dir, sample(t))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(dir, "sample-linux-amd64.tar"), filepath.Join(dir, "sample-linux-arm64.tar")}, files)
	for i, platform := range ociimage.Platforms() {
		manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(files[i]) })
		require.NoError(t, err)
		assert.Equal(t, []string{"sample:1.4.2"}, manifest[0].RepoTags)
		read, err := tarball.ImageFromPath(files[i], nil)
		require.NoError(t, err)
		want, err := sample(t).Platform(platform)
		require.NoError(t, err)
		gotConfig, err := read.ConfigName()
		require.NoError(t, err)
		wantConfig, err := want.ConfigName()
		require.NoError(t, err)
		assert.Equal(t, wantConfig, gotConfig)
	}
}

func TestLayoutsAreReplacedAndOtherFoldersAreNot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "sample")
	for range 2 {
		require.NoError(t, ociimage.WriteLayout(dir, sample(t)))
		writeFile(t, filepath.Join(dir, "blobs", "sha256", "stale"), "from an earlier build")
	}
	require.NoError(t, ociimage.WriteLayout(dir, sample(t)))
	assert.NoFileExists(t, filepath.Join(dir, "blobs", "sha256", "stale"))

	found, err := ociimage.OpenLayout(dir)
	require.NoError(t, err)
	require.NoError(t, validate.Index(found.Index))
	want, err := sample(t).Digest()
	require.NoError(t, err)
	got, err := found.Index.Digest()
	require.NoError(t, err)
	assert.Equal(t, want, got)

	other := t.TempDir()
	writeFile(t, filepath.Join(other, "thesis.txt"), "the only copy")
	err = ociimage.WriteLayout(other, sample(t))
	require.ErrorContains(t, err, "is not an OCI layout: choose another folder")
	assert.FileExists(t, filepath.Join(other, "thesis.txt"))
	_, err = ociimage.OpenLayout(other)
	assert.ErrorContains(t, err, "is not an OCI layout")
}

func TestTheBillOfMaterialsListsWhatWasLinked(t *testing.T) {
	var document struct {
		SPDXVersion  string
		SPDXID       string
		Name         string
		CreationInfo struct{ Created string }
		Packages     []struct {
			SPDXID, Name, VersionInfo string
			ExternalRefs              []struct{ ReferenceLocator string }
		}
		Relationships []struct{ SPDXElementID, RelationshipType, RelatedSPDXElement string }
	}
	require.NoError(t, json.Unmarshal(sample(t).SBOM.Document, &document))
	assert.Equal(t, "SPDX-2.3", document.SPDXVersion)
	assert.Equal(t, "sample 1.4.2", document.Name)
	assert.Equal(t, "2026-03-01T12:30:00Z", document.CreationInfo.Created)
	known := map[string]bool{document.SPDXID: true}
	var names []string
	for _, p := range document.Packages {
		assert.False(t, known[p.SPDXID], "identifier %s twice", p.SPDXID)
		known[p.SPDXID] = true
		names = append(names, p.Name)
	}
	assert.Equal(t, []string{"sample", "sample", "stdlib"}, names)
	last := document.Packages[2]
	assert.Equal(t, strings.TrimPrefix(runtime.Version(), "go"), last.VersionInfo)
	assert.Equal(t, "pkg:golang/stdlib@"+last.VersionInfo, last.ExternalRefs[0].ReferenceLocator)
	require.Len(t, document.Relationships, 4)
	for _, r := range document.Relationships {
		assert.True(t, known[r.SPDXElementID] && known[r.RelatedSPDXElement], "%+v names an unknown element", r)
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}
