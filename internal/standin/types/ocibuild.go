package types

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// OCIBuild stands in for the program build of the oci-build task: it makes a
// real image of the files that the Dockerfile copies, with its labels,
// environment and entry point. What RUN lines would do is not done. The same
// context and parameters give the same image, byte by byte.
type OCIBuild struct{}

// ociTask is what the task's parameters say.
type ociTask struct {
	dir        string
	context    string
	dockerfile string
	target     string
	args       map[string]string
	labels     map[string]string
	oci        bool
	rootfs     bool
}

// RunTask builds the image of the task's folder into its output image.
func (OCIBuild) RunTask(_ context.Context, call rehearsal.TaskCall) error {
	t, err := parseOCITask(call.Dir, call.Env)
	if err != nil {
		return fmt.Errorf("the double of oci-build-task: %w", err)
	}
	image, err := t.build(call.Log)
	if err == nil {
		err = t.write(image)
	}
	if err != nil {
		_, _ = fmt.Fprintf(call.Log, "build: %v\n", err)
		return fmt.Errorf("%w: build: %w", rehearsal.ErrScript, err)
	}
	return nil
}

// parseOCITask refuses a parameter that it does not know. All others in the
// environment are those that every task has.
func parseOCITask(dir string, env []string) (ociTask, error) {
	t := ociTask{dir: dir, context: ".", args: map[string]string{}, labels: map[string]string{}}
	var argsFile, labelsFile string
	for _, pair := range env {
		key, value, _ := strings.Cut(pair, "=")
		arg, isArg := strings.CutPrefix(key, "BUILD_ARG_")
		label, isLabel := strings.CutPrefix(key, "LABEL_")
		switch {
		case isArg:
			t.args[arg] = value
		case isLabel:
			t.labels[label] = value
		case key == "CONTEXT":
			t.context = value
		case key == "TARGET":
			t.target = value
		case key == "DOCKERFILE":
			t.dockerfile = value
		case key == "BUILD_ARGS_FILE":
			argsFile = value
		case key == "LABELS_FILE":
			labelsFile = value
		case key == "OUTPUT_OCI":
			t.oci = value == "true"
		case key == "UNPACK_ROOTFS":
			t.rootfs = value == "true"
		case slices.Contains([]string{"PATH", "HOME", "TMPDIR", "USER", "IMAGE_PLATFORM", "REGISTRY_MIRRORS", "DEBUG"}, key):
		default:
			return t, fmt.Errorf("%w: the parameter %s", errRequest, key)
		}
	}
	if t.rootfs {
		return t, fmt.Errorf("%w: UNPACK_ROOTFS, since tasks are not run in images here", errRequest)
	}
	if t.dockerfile == "" {
		t.dockerfile = path.Join(t.context, "Dockerfile")
	}
	return t, errors.Join(t.pairs(argsFile, t.args), t.pairs(labelsFile, t.labels))
}

// pairs reads lines of name=value; blank ones do not count.
func (t ociTask) pairs(file string, into map[string]string) error {
	if file == "" {
		return nil
	}
	content, err := os.ReadFile(filepath.Join(t.dir, filepath.FromSlash(file)))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("%s: write each line as name=value, not %q", file, line)
		}
		into[key] = value
	}
	return nil
}

// instruction is one line of a Dockerfile, continued lines joined.
type instruction struct{ word, rest string }

func dockerfile(text string) []instruction {
	var all []instruction
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		all = append(all, instruction{strings.ToUpper(word), strings.TrimSpace(rest)})
	}
	return all
}

// stage are the instructions of the named stage, or of the last one, and those
// before the first.
func stage(all []instruction, wanted string) ([]instruction, error) {
	var chosen, before []instruction
	found, inside, stages := wanted == "", false, 0
	for _, i := range all {
		if i.word == "FROM" {
			stages++
			words := strings.Fields(i.rest)
			called := len(words) > 2 && strings.EqualFold(words[len(words)-2], "AS") && words[len(words)-1] == wanted //nolint:mnd // FROM image AS name
			if inside = wanted == "" || called; inside {
				chosen, found = nil, true
			}
		}
		switch {
		case stages == 0:
			before = append(before, i)
		case inside:
			chosen = append(chosen, i)
		}
	}
	if !found || stages == 0 {
		return nil, fmt.Errorf("the Dockerfile has no stage %q", wanted)
	}
	return append(before, chosen...), nil
}

// build makes the image of one stage of the Dockerfile.
func (t ociTask) build(log io.Writer) (v1.Image, error) {
	content, err := os.ReadFile(filepath.Join(t.dir, filepath.FromSlash(t.dockerfile)))
	if err != nil {
		return nil, fmt.Errorf("read the Dockerfile: %w", err)
	}
	instructions, err := stage(dockerfile(string(content)), t.target)
	if err != nil {
		return nil, err
	}
	config := v1.Config{Labels: map[string]string{}}
	var files bytes.Buffer
	layer := tar.NewWriter(&files)
	var history []v1.History
	copied := 0
	for _, i := range instructions {
		rest := os.Expand(i.rest, func(key string) string {
			if value, ok := t.args[key]; ok {
				return value
			}
			return "$" + key
		})
		if i.word == "COPY" || i.word == "ADD" {
			n, err := t.copyTo(layer, rest)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", i.word, rest, err)
			}
			copied += n
		} else if err := configure(&config, i.word, rest); err != nil {
			return nil, err
		}
		history = append(history, v1.History{CreatedBy: i.word + " " + rest, EmptyLayer: true})
	}
	if err := layer.Close(); err != nil {
		return nil, err
	}
	maps.Copy(config.Labels, t.labels)
	_, _ = fmt.Fprintf(log, "built an image of %d files after %s\n", copied, t.dockerfile)
	return assemble(files.Bytes(), config, history)
}

// configure takes what an instruction says about the image's configuration.
func configure(config *v1.Config, word, rest string) error {
	switch word {
	case "ENV":
		config.Env = append(config.Env, rest)
	case "LABEL":
		key, value, _ := strings.Cut(rest, "=")
		config.Labels[strings.Trim(key, `"`)] = strings.Trim(value, `"`)
	case "USER":
		config.User = rest
	case "WORKDIR":
		config.WorkingDir = rest
	case "ENTRYPOINT":
		config.Entrypoint = []string{rest}
	case "CMD":
		config.Cmd = []string{rest}
	case "FROM", "ARG", "RUN", "EXPOSE", "SHELL", "STOPSIGNAL", "VOLUME", "HEALTHCHECK":
	default:
		return fmt.Errorf("the Dockerfile has an unknown instruction %s", word)
	}
	return nil
}

// copyTo puts what a COPY names into the layer. Copies from another stage or
// image bring nothing: that stage is not built.
func (t ociTask) copyTo(layer *tar.Writer, rest string) (int, error) {
	var words []string
	for word := range strings.FieldsSeq(rest) {
		if strings.HasPrefix(word, "--from=") {
			return 0, nil
		}
		if !strings.HasPrefix(word, "--") {
			words = append(words, strings.Trim(word, `[]",`))
		}
	}
	if len(words) < 2 { //nolint:mnd // a source and a target
		return 0, errors.New("a source and a target are wanted")
	}
	target := words[len(words)-1]
	n := 0
	for _, source := range words[:len(words)-1] {
		root := filepath.Join(t.dir, filepath.FromSlash(t.context))
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(source)))
		if err != nil {
			return n, err
		}
		if len(found) == 0 {
			return n, fmt.Errorf("%s is not in the context %s: %w", source, t.context, fs.ErrNotExist)
		}
		for _, at := range found {
			to := target
			if strings.HasSuffix(target, "/") || len(found) > 1 {
				to = path.Join(target, filepath.Base(at))
			}
			added, err := addTree(layer, at, strings.TrimPrefix(path.Clean(to), "/"))
			n += added
			if err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// addTree adds a file, or all files below a folder but for those of git.
func addTree(layer *tar.Writer, from, to string) (int, error) {
	n := 0
	root, err := os.OpenRoot(filepath.Dir(from))
	if err != nil {
		return 0, err
	}
	defer func() { _ = root.Close() }()
	err = filepath.WalkDir(from, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(from, at)
		if err != nil {
			return err
		}
		content, err := root.ReadFile(filepath.Join(filepath.Base(from), rel))
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		n++
		header := &tar.Header{Name: path.Join(to, filepath.ToSlash(rel)), Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: int64(info.Mode().Perm()), ModTime: time.Unix(0, 0)}
		if err := layer.WriteHeader(header); err != nil {
			return err
		}
		_, err = layer.Write(content)
		return err
	})
	return n, err
}

// assemble makes an image of one layer.
func assemble(files []byte, config v1.Config, history []v1.History) (v1.Image, error) {
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil })
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", "amd64", config
	history = append(history, v1.History{CreatedBy: "the files"})
	file.History = history
	return mutate.ConfigFile(image, file)
}

// write leaves the image in the task's output.
func (t ociTask) write(image v1.Image) error {
	dir := filepath.Join(t.dir, "image")
	digest, err := image.ConfigName() // the task's digest is that of the configuration
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "digest"), []byte(digest.String()), 0o644); err != nil {
		return err
	}
	if t.oci {
		at, err := layout.Write(filepath.Join(dir, "image"), emptyIndex())
		if err != nil {
			return err
		}
		return at.AppendImage(image)
	}
	tag, err := name.NewTag("image:latest")
	if err != nil {
		return err
	}
	return tarball.WriteToFile(filepath.Join(dir, "image.tar"), tag, image)
}

func emptyIndex() v1.ImageIndex { return mutate.IndexMediaType(empty.Index, types.OCIImageIndex) }
