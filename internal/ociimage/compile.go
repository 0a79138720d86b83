package ociimage

import (
	"bytes"
	"context"
	_ "embed" // goflags.txt
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Platforms lists what a published image runs on.
func Platforms() []v1.Platform {
	return []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
}

//go:embed goflags.txt
var goFlagsText string

// omitHTTP2 is the flag of goflags.txt that programs with HTTP/2 are compiled without.
const omitHTTP2 = "-tags=nethttpomithttp2"

// goFlags are the flags of the go command that decide what the compiler makes of a package: those of goflags.txt.
func goFlags(http2 bool) []string {
	var flags []string
	for line := range strings.Lines(goFlagsText) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "-") && (!http2 || line != omitHTTP2) {
			flags = append(flags, line)
		}
	}
	return flags
}

// compile builds main packages of the module in dir as static programs, all of them in one run of the go command, which compiles
// what they share once and works on several at a time. It returns their bytes by package. They depend on the source, the Go
// release and the platform alone: the paths, the VCS state and the settings of this machine stay out.
func compile(ctx context.Context, dir string, packages []string, platform v1.Platform, http2 bool) (map[string][]byte, error) {
	out, err := os.MkdirTemp("", "taxiway-images-")
	if err != nil {
		return nil, fmt.Errorf("folder for the programs: %w", err)
	}
	defer func() { _ = os.RemoveAll(out) }()
	byName, err := programNames(packages)
	if err != nil {
		return nil, err
	}
	target, fileOf := out+string(os.PathSeparator), func(pkg string) string { return filepath.Join(out, path.Base(pkg)) }
	if len(byName) == 1 { // it can be the root of the module, whose program has the name of the module
		target = filepath.Join(out, "program")
		fileOf = func(string) string { return target }
	}
	args := append([]string{"-ldflags=-s -w -buildid=", "-o", target}, packages...)
	if _, err := goCommand(ctx, dir, "build", platform, http2, args...); err != nil {
		return nil, fmt.Errorf("go build %s for %s in %s: %w", strings.Join(packages, " "), platform, dir, err)
	}
	programs := map[string][]byte{}
	for _, pkg := range packages {
		file := fileOf(pkg)
		if platform.OS == "windows" && len(byName) > 1 {
			file += ".exe"
		}
		if programs[pkg], err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("program of %s: %w", pkg, err)
		}
	}
	return programs, nil
}

// programNames are the packages by the names of their programs.
func programNames(packages []string) (map[string]string, error) {
	byName := map[string]string{}
	for _, pkg := range packages {
		if other, twice := byName[path.Base(pkg)]; twice && other != pkg {
			return nil, fmt.Errorf("%s and %s make programs of the same name; give their folders different names", other, pkg)
		}
		byName[path.Base(pkg)] = pkg
	}
	return byName, nil
}

// goCommand runs a command of go that compiles packages as those of images, and returns what it prints.
func goCommand(ctx context.Context, dir, verb string, platform v1.Platform, http2 bool, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, "go", slices.Concat([]string{verb}, goFlags(http2), args)...)
	command.Dir, command.Stdout, command.Stderr = dir, &stdout, &stderr
	command.Env = append(os.Environ(), compileSettings(platform)...)
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// compileSettings fixes every setting of the go command that changes a program and that a user's environment, or the file
// of `go env -w`, could hold. Caches, proxies and the toolchain's choice stay the user's.
func compileSettings(platform v1.Platform) []string {
	return []string{
		"CGO_ENABLED=0", "GOOS=" + platform.OS, "GOARCH=" + platform.Architecture,
		"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=", "GOFIPS140=off",
	}
}
