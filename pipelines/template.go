// Package pipelines has the templates of the suite's pipelines, renders them with ytt, and knows the resource types that
// they use. The program taxiway, one folder below, is its command line.
package pipelines

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/strict"
)

//go:embed shared release charts deployments nix-cache checks
var templates embed.FS

// names of the folders that a rendering is made of, as ytt sees them.
const (
	sharedFolder  = "shared"
	configsFolder = "configs"
	valuesFile    = "values.yml"
)

// WantFile is the name of a committed rendering.
const WantFile = "want.yml"

// Deployments is the one template that reads cepler configs; Checks the one whose rendering is files of a repository.
const (
	Deployments = "deployments"
	Checks      = "checks"
)

// maxValues is how many values a rendering may have: ytt keeps a kilobyte of each. A team's values have some hundred.
const maxValues = 50_000

// Rendering is one pipeline template with the values of one user.
type Rendering struct {
	Template   string // folder of the template, such as deployments
	Values     string // path of the data values
	Repository string // root of the repository that holds the cepler configs; default: the folder of Values
}

// Templates are the folders that hold a pipeline, and Checks.
func Templates() ([]string, error) {
	entries, err := templates.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("list the templates: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != sharedFolder {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// inputs is everything that the rendering depends on, by the names that ytt gets to see.
func (r Rendering) inputs() (map[string][]byte, error) {
	files, err := templateFiles(r.Template)
	if err != nil {
		return nil, err
	}
	values, err := strict.ReadFile(r.Values)
	if err != nil {
		return nil, fmt.Errorf("read the values: %w", err)
	}
	if err = strict.AtMost(values, maxValues); err == nil {
		err = strict.Twice(values)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Values, err)
	}
	files[valuesFile] = values
	if r.Template == Deployments {
		err = r.addConfigs(files, values)
	}
	return files, err
}

// templateFiles are the files of a template and those that all share, without what only people read.
func templateFiles(template string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, folder := range []string{sharedFolder, template} {
		err := fs.WalkDir(templates, folder, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || path.Ext(name) == ".md" {
				return err
			}
			files[name], err = templates.ReadFile(name)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read template %s: %w", folder, err)
		}
	}
	return files, nil
}

// addConfigs takes the cepler configs that the values name, each one read as cepler-in would. The ending .data keeps ytt from taking them for templates.
func (r Rendering) addConfigs(files map[string][]byte, values []byte) error {
	var named struct {
		Deployments []struct {
			Config string `yaml:"config"`
		} `yaml:"deployments"`
	}
	if err := yaml.Unmarshal(values, &named); err != nil {
		return fmt.Errorf("read %s: %w", r.Values, err)
	}
	root := r.Repository
	if root == "" {
		root = filepath.Dir(r.Values)
	}
	for _, d := range named.Deployments {
		if !filepath.IsLocal(d.Config) {
			return fmt.Errorf("read %s: the config %q must be a path inside the repository", r.Values, d.Config)
		}
		data, err := strict.ReadFile(filepath.Join(root, filepath.FromSlash(d.Config)))
		if err != nil {
			return fmt.Errorf("read cepler config %s of %s (name the root of the repository with --repository): %w", d.Config, r.Values, err)
		}
		config, err := cepler.ParseConfig(d.Config, data)
		if err == nil {
			err = config.Mistakes()
		}
		if err != nil {
			return fmt.Errorf("read the cepler configs of %s: %w", r.Values, err)
		}
		files[path.Join(configsFolder, d.Config)+".data"] = data
	}
	return nil
}

// digest identifies what a rendering was made from: it changes when any file, or its name, does.
func digest(files map[string][]byte) string {
	whole := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		one := sha256.Sum256(files[name])
		whole.Write([]byte(hex.EncodeToString(one[:]) + "  " + name + "\n"))
	}
	return "sha256:" + hex.EncodeToString(whole.Sum(nil))
}

// digestLine introduces the digest in the head of a rendering.
const digestLine = "# Made from: "

// head is the comment on top of a rendering.
func head(files map[string][]byte) string {
	return "# Rendered by `taxiway render`. Change the values or the templates, not this file.\n" +
		digestLine + digest(files) + "\n"
}

// digestOf finds the digest in the head of a rendering; "" when it has none.
func digestOf(rendered []byte) string {
	for line := range strings.Lines(string(rendered)) {
		if d, ok := strings.CutPrefix(line, digestLine); ok {
			return strings.TrimSpace(d)
		}
		if !strings.HasPrefix(line, "#") {
			break
		}
	}
	return ""
}

// Render runs ytt and returns the pipeline with its head.
func (r Rendering) Render() ([]byte, error) {
	files, err := r.inputs()
	if err != nil {
		return nil, err
	}
	rendered, err := r.evaluate(files)
	if err != nil {
		return nil, err
	}
	return append([]byte(head(files)), rendered...), nil
}

// evaluate is what ytt makes of the inputs.
func (r Rendering) evaluate(files map[string][]byte) ([]byte, error) {
	options := withValues(valuesFile, files[valuesFile])
	rendered, err := runYTT(options, under(files, sharedFolder), under(files, r.Template), under(files, configsFolder))
	var failed *yttError
	if errors.As(err, &failed) {
		return nil, fmt.Errorf("render %s with %s: %s", r.Template, r.Values, complaint(failed.Error(), r.Values))
	}
	return rendered, err
}
