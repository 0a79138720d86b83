package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/ociimage"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// run executes one command line and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "images",
		Short:         "Build, push and inspect the images of the resource types",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(buildCommand(ctx), pushCommand(ctx), inspectCommand(ctx), sbomCommand(ctx))
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.Execute(); err != nil {
		_, _ = fmt.Fprintf(stderr, "images: %s\n", visible.Text(err.Error()))
		return 1
	}
	return 0
}

// sourceFlags say where the source is and what its images say about it.
type sourceFlags struct {
	module, definitions string
	stamp               stampFlags
	platforms           []string
}

func (f *sourceFlags) add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.module, "module", ".", "folder of go.mod")
	flags.StringVar(&f.definitions, "definitions", "images/images.yml", "file with the images, relative to the module")
	flags.StringVar(&f.stamp.version, "version", "", "version of the images (default: the commit's tag vX.Y.Z, or 0.0.0-dev.g<commit>)")
	flags.StringVar(&f.stamp.revision, "revision", "", "commit the source is from (default: asked from git)")
	flags.StringVar(&f.stamp.created, "created", "", "time in the images, RFC 3339 (default: $SOURCE_DATE_EPOCH, or the commit's time)")
	flags.StringSliceVar(&f.platforms, "platform", nil, "OS/ARCH to build for, may be repeated (default: linux/amd64 and linux/arm64)")
}

// read gives what the images say of their source, and their definitions.
func (f *sourceFlags) read(ctx context.Context) (stamp ociimage.Stamp, set *ociimage.Set, err error) {
	if stamp, err = f.stamp.read(ctx, f.module, os.Getenv); err != nil {
		return stamp, nil, err
	}
	if _, err := stamp.Tags(); err != nil {
		return stamp, nil, err
	}
	file := filepath.Join(f.module, f.definitions)
	if filepath.IsAbs(f.definitions) {
		file = f.definitions
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return stamp, nil, fmt.Errorf("definitions of the images: %w (run this in the module's folder, or name it with --module)", err)
	}
	set, err = ociimage.ParseSet(file, data)
	return stamp, set, err
}

// builder reads what the flags name; progress goes to stderr.
func (f *sourceFlags) builder(ctx context.Context, stderr io.Writer) (*ociimage.Builder, error) {
	stamp, set, err := f.read(ctx)
	if err != nil {
		return nil, err
	}
	platforms, err := parsePlatforms(f.platforms)
	if err != nil {
		return nil, err
	}
	progress := progressTo(stderr)
	if err := toolchain(f.module, runtime.Version(), progress); err != nil {
		return nil, err
	}
	return &ociimage.Builder{Module: f.module, Set: set, Stamp: stamp, Platforms: platforms, Logf: progress}, nil
}

func progressTo(out io.Writer) func(format string, args ...any) {
	return func(format string, args ...any) { _, _ = fmt.Fprintln(out, visible.Text(fmt.Sprintf(format, args...))) }
}

// toolchain warns when the Go release differs from the one of go.mod: programs and compressed layers then have other bytes.
func toolchain(module, running string, warn func(format string, args ...any)) error {
	data, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return fmt.Errorf("module: %w (run this in the module's folder, or name it with --module)", err)
	}
	for line := range strings.Lines(string(data)) {
		wanted, found := strings.CutPrefix(strings.TrimSpace(line), "go ")
		if found && "go"+wanted != running {
			warn("note: this is %s and go.mod says go%s: the digests differ from the published ones; GOTOOLCHAIN=go%s gives the same", running, wanted, wanted)
		}
	}
	return nil
}

func parsePlatforms(texts []string) ([]v1.Platform, error) {
	var platforms []v1.Platform
	for _, text := range texts {
		platform, err := v1.ParsePlatform(text)
		if err != nil || platform.OS == "" || platform.Architecture == "" {
			return nil, fmt.Errorf("--platform %q: want OS/ARCH, for example linux/amd64", text)
		}
		platforms = append(platforms, *platform)
	}
	return platforms, nil
}

func buildCommand(ctx context.Context) *cobra.Command {
	var source sourceFlags
	var output, format string
	command := &cobra.Command{
		Use:   "build [TYPE...]",
		Short: "Build images into a folder: OCI layouts, or files for docker load",
		RunE: func(command *cobra.Command, types []string) error {
			if format != "oci" && format != "docker" {
				return fmt.Errorf("--format %q: want oci or docker", format)
			}
			builder, err := source.builder(ctx, command.ErrOrStderr())
			if err != nil {
				return err
			}
			images, err := builder.Build(ctx, types...)
			if err != nil {
				return err
			}
			for _, image := range images {
				if err := write(command.OutOrStdout(), output, format, image); err != nil {
					return err
				}
			}
			return nil
		},
	}
	source.add(command)
	command.Flags().StringVar(&output, "output", "build/images", "folder that gets the images")
	command.Flags().StringVar(&format, "format", "oci", "oci (a layout for each image) or docker (a file for each platform)")
	return command
}

// write stores one image and prints, for each place, the place and the digest of what lies there.
func write(out io.Writer, folder, format string, image *ociimage.Image) error {
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	places := []string{filepath.Join(folder, image.Definition.Type)}
	if format == "docker" {
		places, err = ociimage.WriteDocker(folder, image)
	} else {
		err = ociimage.WriteLayout(places[0], image)
	}
	if err != nil {
		return err
	}
	for _, place := range places {
		if _, err := fmt.Fprintf(out, "%s  %s\n", place, digest); err != nil {
			return fmt.Errorf("result: %w", err)
		}
	}
	return nil
}

func pushCommand(ctx context.Context) *cobra.Command {
	var source sourceFlags
	var registry ociimage.Registry
	command := &cobra.Command{
		Use:   "push REGISTRY [TYPE...]",
		Short: "Build images and push them, with bill of materials and tags, to REGISTRY/TYPE",
		Args:  atLeast("a registry, for example: images push ghcr.io/my-team"),
		RunE: func(command *cobra.Command, args []string) error {
			builder, err := source.builder(ctx, command.ErrOrStderr())
			if err != nil {
				return err
			}
			images, err := builder.Build(ctx, args[1:]...)
			if err != nil {
				return err
			}
			for _, image := range images {
				pushed, err := registry.Push(ctx, args[0], image)
				if err != nil {
					return err
				}
				if err := announce(command.OutOrStdout(), pushed); err != nil {
					return err
				}
			}
			return nil
		},
	}
	source.add(command)
	command.Flags().BoolVar(&registry.Insecure, "insecure", false, "allow a registry over plain http")
	return command
}

func announce(out io.Writer, pushed *ociimage.Pushed) error {
	_, err := fmt.Fprintf(out, "%s@%s  %s\n%s@%s  sbom\n", pushed.Repository, pushed.Digest, strings.Join(pushed.Tags, " "), pushed.Repository, pushed.SBOM)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	return nil
}

func inspectCommand(ctx context.Context) *cobra.Command {
	var registry ociimage.Registry
	command := &cobra.Command{
		Use:   "inspect LAYOUT|REFERENCE...",
		Short: "Show platforms, layers, sizes, labels and referrers of images",
		Args:  atLeast("a layout's folder or a reference, for example: images inspect build/images/cepler-in"),
		RunE: func(command *cobra.Command, args []string) error {
			for _, where := range args {
				found, err := open(ctx, registry, where)
				if err != nil {
					return err
				}
				if err := found.Describe(command.OutOrStdout()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	command.Flags().BoolVar(&registry.Insecure, "insecure", false, "allow a registry over plain http")
	return command
}

func sbomCommand(ctx context.Context) *cobra.Command {
	var source sourceFlags
	var output string
	command := &cobra.Command{
		Use:   "sbom PROGRAM",
		Short: "Write the bill of materials (SPDX) of a program that Go has built, such as taxiway",
		Args:  atLeast("a program, for example: images sbom dist/taxiway"),
		RunE: func(command *cobra.Command, args []string) error {
			stamp, set, err := source.read(ctx)
			if err != nil {
				return err
			}
			name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
			document, err := ociimage.ProgramSBOM(set, ociimage.Definition{Type: name, Package: args[0]}, stamp, args[0])
			if err != nil {
				return err
			}
			if output == "" {
				_, err = command.OutOrStdout().Write(document)
			} else {
				err = os.WriteFile(output, document, 0o600)
			}
			if err != nil {
				return fmt.Errorf("bill of materials of %s: %w", args[0], err)
			}
			return nil
		},
	}
	source.add(command)
	command.Flags().StringVar(&output, "output", "", "file that gets it (default: standard output)")
	return command
}

// open takes what exists as a folder, or starts like a path, for a layout; anything else names an image in a registry.
func open(ctx context.Context, registry ociimage.Registry, where string) (*ociimage.Found, error) {
	_, err := os.Stat(where)
	if err == nil || filepath.IsAbs(where) || strings.HasPrefix(where, ".") {
		return ociimage.OpenLayout(where)
	}
	found, err := registry.Open(ctx, where)
	if first, _, _ := strings.Cut(where, "/"); err != nil && !strings.ContainsAny(first, ".:") && first != "localhost" {
		return nil, fmt.Errorf("the folder %s does not exist, so it is read as an image's name: %w", where, err)
	}
	return found, err
}

func atLeast(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("name %s", what)
		}
		return nil
	}
}
