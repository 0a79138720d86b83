package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/ociimage"
	"github.com/taxiway-ci/taxiway/internal/ociimage/imagetest"
	"github.com/taxiway-ci/taxiway/internal/standin/registry"
)

func TestMain(m *testing.M) {
	imagetest.Enter()
	m.Run()
}

// images runs one command line as a user would in the module's folder and gives status, stdout and stderr.
func images(t *testing.T, args ...string) (status int, out, progress string) {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	var stdout, stderr bytes.Buffer
	status = run(t.Context(), args, &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

// module is a folder with one small program and a definitions file.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("go.mod", "module example.test/one\n\ngo "+strings.TrimPrefix(runtime.Version(), "go")+"\n")
	write("one/main.go", "package main\n\nfunc main() { print(\"one\") }\n")
	write("images/images.yml", `
source: https://git.example.com/one
licenses: MIT
vendor: Example
images:
  one: {package: ./one, title: One, description: Prints one, documentation: https://git.example.com/one}
`)
	return dir
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	dir := module(t)
	cases := map[string]struct {
		args []string
		want string
	}{
		"unknown command":   {[]string{"bulid"}, `unknown command "bulid"`},
		"unknown format":    {[]string{"build", "--module", dir, "--format", "zip"}, `--format "zip": want oci or docker`},
		"unknown image":     {[]string{"build", "--module", dir, "onne"}, `unknown image "onne": did you mean "one"?`},
		"no module":         {[]string{"build", "--module", t.TempDir()}, "name it with --module"},
		"bad version":       {[]string{"build", "--module", dir, "--version", "v1"}, `version "v1": want MAJOR.MINOR.PATCH`},
		"bad time":          {[]string{"build", "--module", dir, "--created", "today"}, `--created "today": want a time like`},
		"bad platform":      {[]string{"build", "--module", dir, "--platform", "amd64"}, `--platform "amd64": want OS/ARCH`},
		"push where":        {[]string{"push"}, "name a registry"},
		"push to an URL":    {[]string{"push", "--module", dir, "--platform", "linux/amd64", "https://r.example.com"}, "omit the scheme"},
		"inspect what":      {[]string{"inspect"}, "name a layout's folder or a reference"},
		"inspect no layout": {[]string{"inspect", t.TempDir()}, "is not an OCI layout"},
		"inspect no path":   {[]string{"inspect", "./nowhere"}, "is not an OCI layout"},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			status, stdout, stderr := images(t, c.args...)
			assert.Equal(t, 1, status)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, "images: ")
			assert.Contains(t, stderr, c.want)
		})
	}
}

func TestBuildAndInspect(t *testing.T) {
	dir, out := module(t), t.TempDir()
	t.Setenv("SOURCE_DATE_EPOCH", "1772368200")
	status, stdout, stderr := images(t, "build", "--module", dir, "--output", out, "--version", "0.3.0", "--revision", "abc")
	require.Zero(t, status, stderr)
	assert.Regexp(t, `^`+regexp.QuoteMeta(filepath.Join(out, "one"))+`  sha256:[0-9a-f]{64}\n$`, stdout)
	assert.Equal(t, "building for linux/amd64: one\nbuilding for linux/arm64: one\n", stderr)
	digest := strings.Fields(stdout)[1]

	status, stdout, stderr = images(t, "inspect", filepath.Join(out, "one"))
	require.Zero(t, status, stderr)
	for _, want := range []string{
		"digest  " + digest, "image.created  2026-03-01T12:30:00Z", "image.version  0.3.0", "image.revision  abc",
		"linux/amd64  sha256:", "linux/arm64  sha256:", "application/spdx+json",
	} {
		assert.Contains(t, stdout, want)
	}

	status, stdout, stderr = images(t, "build", "--module", dir, "--output", out, "--format", "docker", "--platform", "linux/arm64")
	require.Zero(t, status, stderr)
	assert.True(t, strings.HasPrefix(stdout, filepath.Join(out, "one-linux-arm64.tar")+"  sha256:"), stdout)
}

func TestPushPrintsWhatToPin(t *testing.T) {
	server := registry.New("")
	t.Cleanup(server.Close)
	status, stdout, stderr := images(t, "push", server.Host+"/team", "--module", module(t), "--version", "0.3.0")
	require.Zero(t, status, stderr)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	require.Len(t, lines, 2)
	repository := regexp.QuoteMeta(server.Host + "/team/one")
	assert.Regexp(t, `^`+repository+`@sha256:[0-9a-f]{64}  0\.3\.0 0\.3 latest$`, lines[0])
	assert.Regexp(t, `^`+repository+`@sha256:[0-9a-f]{64}  sbom$`, lines[1])

	pinned := strings.Fields(lines[0])[0]
	status, stdout, stderr = images(t, "inspect", pinned)
	require.Zero(t, status, stderr)
	assert.Contains(t, stdout, "digest  "+strings.SplitAfter(pinned, "@")[1])
	assert.Contains(t, stdout, "application/spdx+json")
}

func TestPushWithoutRightIsDenied(t *testing.T) {
	server := registry.New("s3cr3t")
	t.Cleanup(server.Close)
	host := server.Host
	status, stdout, stderr := images(t, "push", host, "--module", module(t), "--platform", "linux/amd64")
	assert.Equal(t, 1, status)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, "denied by the registry")
	assert.Contains(t, stderr, "docker login "+host)
}

func TestAnotherGoReleaseIsMentioned(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module x\n\ngo 1.26.8\n"), 0o644))
	var said strings.Builder
	require.NoError(t, toolchain(dir, "go1.26.8", progressTo(&said)))
	assert.Empty(t, said.String())
	require.NoError(t, toolchain(dir, "go1.30.0", progressTo(&said)))
	assert.Contains(t, said.String(), "GOTOOLCHAIN=go1.26.8 gives the same")
}

// The images of the module are built once for all tests that look at them.
var builtOnce = struct {
	sync.Once
	images []*ociimage.Image
	err    error
}{}

// built returns the module's images of the named types, or all of them, for every platform.
func built(t *testing.T, types ...string) []*ociimage.Image {
	t.Helper()
	b := builder(t, "..")
	builtOnce.Do(func() { builtOnce.images, builtOnce.err = b.Build(context.Background()) })
	require.NoError(t, builtOnce.err)
	require.NotEmpty(t, builtOnce.images)
	if len(types) == 0 {
		return builtOnce.images
	}
	var named []*ociimage.Image
	for _, image := range builtOnce.images {
		if slices.Contains(types, image.Definition.Type) {
			named = append(named, image)
		}
	}
	require.Len(t, named, len(types))
	return named
}

// builder makes the images of images.yml from the module in dir.
func builder(t *testing.T, dir string) *ociimage.Builder {
	t.Helper()
	data, err := os.ReadFile("images.yml")
	require.NoError(t, err)
	set, err := ociimage.ParseSet("images.yml", data)
	require.NoError(t, err)
	return &ociimage.Builder{
		Module: dir, Set: set,
		Stamp: ociimage.Stamp{Revision: "unknown", Created: time.Unix(0, 0).UTC(), Version: "0.0.0-dev"},
	}
}

func TestEveryResourceHasAnImage(t *testing.T) {
	programs, err := filepath.Glob("../resources/*/cmd/*/main.go")
	require.NoError(t, err)
	require.NotEmpty(t, programs)
	var types []string
	for _, program := range programs {
		types = append(types, filepath.Base(filepath.Dir(program)))
	}
	types = append(types, commandLine)
	slices.Sort(types)
	b := builder(t, "..")
	assert.Equal(t, types, b.Set.Types())
	for _, definition := range b.Set.Images {
		assert.FileExists(t, filepath.Join("..", definition.Package, "main.go"))
		_, page, _ := strings.Cut(definition.Documentation, "/blob/main/")
		assert.FileExists(t, filepath.Join("..", page))
	}
}

// commandLine is the image that is not of a resource type.
const commandLine = "taxiway"

// The board can be made in a task of the command line's image, which has neither a shell nor git.
func TestTheBoardIsMadeInAnImage(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not on PATH: it makes the repository")
	}
	room := imagetest.New(t, imagetest.Unpack(t, built(t, commandLine)[0]))
	work := t.TempDir()
	remote, page := deployments(t, work), filepath.Join(work, "board.html")
	command, err := room.Command(t.Context(), work, "/opt/resource/"+commandLine, "board", "--deployments", remote, "--html", page)
	require.NoError(t, err)
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Contains(t, string(text), `id="e-default/staging"`)
}

func TestTheResourcesImagesAreSmallAndTheirProgramsAnswer(t *testing.T) {
	for _, image := range built(t) {
		for _, platform := range ociimage.Platforms() {
			single, err := image.Platform(platform)
			require.NoError(t, err)
			size, err := ociimage.CompressedSize(single)
			require.NoError(t, err)
			limit := largest(image.Definition.Type)
			assert.Less(t, size, limit, "%s for %s", image.Definition.Type, platform)
			t.Logf("%s for %s: %.2f MB compressed", image.Definition.Type, platform, float64(size)/1e6)
		}
	}
	for _, image := range built(t) {
		if image.Definition.Type == commandLine {
			continue
		}
		t.Run(image.Definition.Type, func(t *testing.T) {
			room := imagetest.New(t, imagetest.Unpack(t, image))
			info, err := buildinfo.ReadFile(filepath.Join(room.Root, "opt", "resource", image.Definition.Type))
			require.NoError(t, err)
			without := slices.Contains(info.Settings, debug.BuildSetting{Key: "-tags", Value: "nethttpomithttp2"})
			assert.NotEqual(t, image.Definition.HTTP2, without, "compiled without HTTP/2")
			for _, verb := range []string{"check", "in", "out"} {
				work := t.TempDir()
				argv := []string{"/opt/resource/" + verb}
				if verb != "check" {
					argv = append(argv, work)
				}
				command, err := room.Command(t.Context(), work, argv...)
				require.NoError(t, err)
				command.Stdin = strings.NewReader(`{"source": {"brnach": "main"}}`)
				command.Env = append(command.Env, "GODEBUG=inittrace=1")
				var stdout, stderr bytes.Buffer
				command.Stdout, command.Stderr = &stdout, &stderr
				require.Error(t, command.Run())
				assert.Empty(t, stdout.String())
				assert.Contains(t, stderr.String(), `unknown key "brnach"`, "%s %s", image.Definition.Type, verb)
				startsFast(t, image.Definition.Type, stderr.String())
			}
		})
	}
}

// largest is what the image of a type may have, in bytes: one that also signs with OpenPGP has 0.35 MB more.
func largest(name string) int64 {
	switch name {
	case "cachix-paths":
		return 3_000_000
	case "pull-request-builds":
		return 3_350_000
	case "cepler-in": // it signs nothing
		return 3_600_000
	case commandLine:
		return 12_000_000 // the programs of all types
	}
	return 4_000_000
}

// A program starts once for each check of each resource, so what it does before main counts: the runtime says what each
// package allocates to begin. A pattern that a package compiles for itself costs hundreds, which it may do when it is used. Each error of
// a package that is compiled without inlining costs one.
func startsFast(t *testing.T, name, trace string) {
	t.Helper()
	own, all := 0, 0
	trace = trace[max(0, strings.LastIndex(trace, "init runtime @")):] // before it is what opened the room
	for _, line := range regexp.MustCompile(`(?m)^init (\S+) .* (\d+) allocs$`).FindAllStringSubmatch(trace, -1) {
		allocated, err := strconv.Atoi(line[2])
		require.NoError(t, err)
		all += allocated
		if strings.HasPrefix(line[1], "github.com/taxiway-ci/taxiway/") {
			own += allocated
		}
	}
	assert.NotZero(t, all)
	t.Logf("allocations before main: %d, of which the project's packages %d", all, own)
	assert.LessOrEqual(t, own, 120, "allocations of the project's packages before main")
	limit := 2000
	if name == "chart-bump" { // the library for registries takes 1,000
		limit = 3000
	}
	assert.LessOrEqual(t, all, limit, "allocations of all packages before main")
}

// The way of a change through both programs, each alone in the root of its image with a repository beside it.
func TestAChangeIsOfferedFetchedAndRecordedFromTheImages(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not on PATH: it makes the repository")
	}
	images := built(t, "cepler-in", "cepler-out")
	reader, writer := imagetest.New(t, imagetest.Unpack(t, images[0])), imagetest.New(t, imagetest.Unpack(t, images[1]))
	work := t.TempDir()
	remote := deployments(t, work)
	source := map[string]any{"uri": remote, "branch": "main", "environment": "staging"}

	var offered []map[string]string
	answer(t, reader, work, &offered, map[string]any{"source": source}, "/opt/resource/check")
	require.Len(t, offered, 1)

	var fetched, recorded struct{ Version map[string]string }
	answer(t, reader, work, &fetched, map[string]any{"source": source, "version": offered[0]}, "/opt/resource/in", filepath.Join(work, "repo"))
	assert.Equal(t, offered[0], fetched.Version)
	values, err := os.ReadFile(filepath.Join(work, "repo", "values.yml"))
	require.NoError(t, err)
	assert.Equal(t, "replicas: 3\n", string(values))

	answer(t, writer, work, &recorded, map[string]any{"source": source, "params": map[string]any{"repository": "repo"}}, "/opt/resource/out", work)
	assert.NotEmpty(t, recorded.Version)
	assert.Contains(t, gitIn(t, remote, "show", "main:.cepler/default/staging.state"), "values.yml")

	answer(t, reader, work, &offered, map[string]any{"source": source, "version": offered[0]}, "/opt/resource/check")
	require.Len(t, offered, 1, "nothing else is pending")
}

// deployments makes a bare repository with one environment and gives its path.
func deployments(t *testing.T, work string) string {
	t.Helper()
	tree, remote := filepath.Join(work, "tree"), filepath.Join(work, "remote.git")
	require.NoError(t, os.Mkdir(tree, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(tree, "cepler.yml"), []byte("environments: {staging: {latest: [values.yml]}}\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(tree, "values.yml"), []byte("replicas: 3\n"), 0o644))
	gitIn(t, tree, "init", "-q", "-b", "main")
	gitIn(t, tree, "add", ".")
	gitIn(t, tree, "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "commit", "-qm", "start")
	gitIn(t, work, "clone", "-q", "--bare", tree, remote)
	require.NoError(t, os.RemoveAll(tree))
	return remote
}

func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", args...)
	command.Dir = dir
	output, err := command.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, output)
	return string(output)
}

// answer starts a program of an image with a request and decodes what it says.
func answer(t *testing.T, room *imagetest.Room, work string, into, request any, argv ...string) {
	t.Helper()
	command, err := room.Command(t.Context(), work, argv...)
	require.NoError(t, err)
	input, err := json.Marshal(request)
	require.NoError(t, err)
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(input), &stdout, &stderr
	require.NoError(t, command.Run(), "%v: %s", argv, stderr.String())
	require.NoError(t, json.Unmarshal(stdout.Bytes(), into), "%v: %s", argv, stdout.String())
}

func TestACopyOfTheModuleGivesTheSameDigest(t *testing.T) {
	there := filepath.Join(t.TempDir(), "over", "there")
	copyModule(t, "..", there)
	types := []string{"cepler-in", "chart-bump"} // these two link nearly every package there is
	copied, err := builder(t, there).Build(t.Context(), types...)
	require.NoError(t, err)
	want := digests(t, built(t, types...))
	assert.Equal(t, want, digests(t, copied))
	assert.Len(t, want, len(types))
}

// digests are those of the images and of their bills of materials.
func digests(t *testing.T, images []*ociimage.Image) []string {
	t.Helper()
	var all []string
	for _, image := range images {
		digest, err := image.Digest()
		require.NoError(t, err)
		bill, err := image.SBOM.Descriptor()
		require.NoError(t, err)
		all = append(all, image.Definition.Type+" "+digest.String()+" "+bill.Digest.String())
	}
	return all
}

// copyModule copies what the programs are compiled from.
func copyModule(t *testing.T, from, dir string) {
	t.Helper()
	for _, part := range []string{"go.mod", "go.sum", "internal", "resources"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(from, part), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && entry.Name() == "testdata" {
				return fs.SkipDir
			}
			if !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			target := filepath.Join(dir, strings.TrimPrefix(path, from))
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			return os.WriteFile(target, data, 0o644)
		}))
	}
}
