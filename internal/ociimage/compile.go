package ociimage

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Platforms lists what a published image runs on.
func Platforms() []v1.Platform {
	return []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
}

// compile builds one main package of the module in dir as a static program and returns its bytes. They depend on the source,
// the Go release and the platform alone: the paths, the VCS state and the settings of this machine stay out.
func compile(ctx context.Context, dir, pkg string, platform v1.Platform) ([]byte, error) {
	out, err := os.MkdirTemp("", "taxiway-image-")
	if err != nil {
		return nil, fmt.Errorf("folder for the program of %s: %w", pkg, err)
	}
	defer func() { _ = os.RemoveAll(out) }()
	program := filepath.Join(out, "program")
	var stderr bytes.Buffer
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", program, pkg)
	command.Dir, command.Stderr = dir, &stderr
	command.Env = append(os.Environ(), compileSettings(platform)...)
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("go build %s for %s in %s: %w\n%s", pkg, platform, dir, err, strings.TrimSpace(stderr.String()))
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("program of %s: %w", pkg, err)
	}
	return data, nil
}

// compileSettings fixes every setting of the go command that changes a program and that a user's environment, or the file
// of `go env -w`, could hold. Caches, proxies and the toolchain's choice stay the user's.
func compileSettings(platform v1.Platform) []string {
	return []string{
		"CGO_ENABLED=0", "GOOS=" + platform.OS, "GOARCH=" + platform.Architecture,
		"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=", "GOFIPS140=off",
	}
}
