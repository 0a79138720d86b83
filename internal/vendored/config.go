package vendored

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/fault"
	"github.com/taxiway-ci/taxiway/internal/strict"
	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

const (
	apiVersion = "vendir.k14s.io/v1alpha1"
	configKind = "Config"
)

// Target is one content of one vendir.yml.
type Target struct {
	// Config is the path of vendir.yml from the repository's root. vendir runs in
	// its folder.
	Config string
	// Directory and Content are its paths as vendir.yml has them. Content may be
	// empty where the directory has only one.
	Directory, Content string
}

// Validate names the first field that can't be right, as the key of a source.
func (t Target) Validate() error {
	for _, f := range []struct{ key, value string }{{"config", t.Config}, {"directory", t.Directory}, {"content", t.Content}} {
		if f.key == "content" && (f.value == "" || path.Clean(f.value) == ".") {
			continue // the directory itself
		}
		if err := artifact.InRepository(f.value); err != nil {
			return fmt.Errorf("%s: %w", f.key, err)
		}
	}
	return nil
}

// Owns reports whether a path is that of vendir.yml or its lock file.
func (t Target) Owns(name string) bool { return name == path.Clean(t.Config) || name == t.lock() }

// lock is the path of the lock file.
func (t Target) lock() string { return path.Join(path.Dir(t.Config), LockFile) }

// The part of vendir's config that counts here, with the names that vendir has in
// JSON too, as its digest of a content is made from them.
type (
	fileConfig struct {
		APIVersion  string            `yaml:"apiVersion"`
		Kind        string            `yaml:"kind"`
		Directories []directoryConfig `yaml:"directories"`
	}
	directoryConfig struct {
		Path     string          `yaml:"path"`
		Contents []contentConfig `yaml:"contents"`
	}
	contentConfig struct {
		Path         string     `json:"path" yaml:"path"`
		Lazy         bool       `json:"lazy,omitempty" yaml:"lazy"`
		Git          *gitConfig `json:"git,omitempty" yaml:"git"`
		IncludePaths []string   `json:"includePaths,omitempty" yaml:"includePaths"`
		ExcludePaths []string   `json:"excludePaths,omitempty" yaml:"excludePaths"`
		IgnorePaths  []string   `json:"ignorePaths,omitempty" yaml:"ignorePaths"`
		LegalPaths   *[]string  `json:"legalPaths,omitempty" yaml:"legalPaths"`
		NewRootPath  string     `json:"newRootPath,omitempty" yaml:"newRootPath"`
		Permissions  *uint32    `json:"permissions,omitempty" yaml:"permissions"`
	}
	gitConfig struct {
		URL                    string              `json:"url,omitempty" yaml:"url"`
		Ref                    string              `json:"ref,omitempty" yaml:"ref"`
		RefSelection           *yaml.Node          `json:"-" yaml:"refSelection"`
		Verification           *verificationConfig `json:"verification,omitempty" yaml:"verification"`
		SecretRef              *nameConfig         `json:"secretRef,omitempty" yaml:"secretRef"`
		LFSSkipSmudge          bool                `json:"lfsSkipSmudge,omitempty" yaml:"lfsSkipSmudge"`
		DangerousSkipTLSVerify bool                `json:"dangerousSkipTLSVerify,omitempty" yaml:"dangerousSkipTLSVerify"`
		SkipInitSubmodules     bool                `json:"skipInitSubmodules,omitempty" yaml:"skipInitSubmodules"`
		Depth                  int                 `json:"depth,omitempty" yaml:"depth"`
		ForceHTTPBasicAuth     bool                `json:"forceHTTPBasicAuth,omitempty" yaml:"forceHTTPBasicAuth"`
	}
	verificationConfig struct {
		Keys *nameConfig `json:"publicKeysSecretRef,omitempty" yaml:"publicKeysSecretRef"`
	}
	nameConfig struct {
		Name string `json:"name,omitempty" yaml:"name"`
	}
)

// Content is one content of a vendir.yml as it was read.
type Content struct {
	// URL and Ref are those of its git section.
	URL, Ref string
	// Warnings are keys of vendir.yml that resemble none that vendir 0.40 knows.
	Warnings []string

	directory string // cleaned, as the lock file has it
	path      string
	config    contentConfig
	file      *yamledit.File
	refPath   string
}

// ReadContent finds a target in the text of its vendir.yml. Errors are
// ErrNoContent, with those that there are, errUnsupported and errConfig.
func ReadContent(data []byte, t Target) (*Content, error) {
	config, document, warnings, err := readConfig(data)
	if err != nil {
		return nil, err
	}
	i, j, err := config.find(t)
	if err != nil {
		return nil, err
	}
	c := config.Directories[i].Contents[j]
	c.Path = path.Clean(c.Path)
	out := &Content{directory: path.Clean(config.Directories[i].Path), path: c.Path, config: c, Warnings: warnings}
	switch {
	case c.Git == nil:
		return nil, fault.Of(errUnsupported, "%s: it is not a git content, the only kind that is supported", out.where())
	case c.Git.RefSelection != nil || c.Git.Ref == "":
		return nil, fault.Of(errUnsupported, "%s: it has no git.ref to change: give it one, in place of refSelection", out.where())
	case !filepath.IsLocal(out.directory) || !filepath.IsLocal(out.path) || out.directory == ".":
		return nil, fmt.Errorf("%s: its path leaves the folder of vendir.yml: %w", out.where(), errConfig)
	case c.NewRootPath != "" && !filepath.IsLocal(c.NewRootPath):
		return nil, fmt.Errorf("%s: newRootPath %q leaves the repository: %w", out.where(), c.NewRootPath, errConfig)
	}
	out.URL, out.Ref = c.Git.URL, c.Git.Ref
	if out.file, err = yamledit.Parse(data, yamledit.Options{Document: document}); err != nil {
		return nil, fmt.Errorf("%w: %w", errConfig, err)
	}
	out.refPath = fmt.Sprintf("directories[%d].contents[%d].git.ref", i, j)
	if err := out.checkPatterns(); err != nil {
		return nil, err
	}
	return out, nil
}

// shape is the config as vendir 0.40 reads it, as far as git contents go.
func shape() *strict.Shape {
	name := strict.Keys("name")
	gitSection := strict.Keys("url", "ref", "lfsSkipSmudge", "dangerousSkipTLSVerify", "skipInitSubmodules", "depth", "forceHTTPBasicAuth").
		With("refSelection", strict.Keys("semver")).
		With("verification", strict.Keys().With("publicKeysSecretRef", name)).
		With("secretRef", name)
	content := strict.Keys("path", "lazy", "hg", "http", "image", "imgpkgBundle", "githubRelease", "helmChart", "manual", "directory", "inline",
		"includePaths", "excludePaths", "ignorePaths", "legalPaths", "newRootPath", "permissions").
		With("git", gitSection)
	directory := strict.Keys("path", "permissions").With("contents", &strict.Shape{Each: content})
	return strict.Keys("apiVersion", "kind", "metadata", "minimumRequiredVersion").With("directories", &strict.Shape{Each: directory})
}

// readConfig gives the one config of a file that may also have secrets, the number of its document, and
// what is odd in it.
func readConfig(data []byte) (config *fileConfig, document int, warnings []string, err error) {
	if err := strict.Few(data); err != nil {
		return nil, 0, nil, fault.Of(errConfig, "%v", err)
	}
	for dec, n := yaml.NewDecoder(bytes.NewReader(data)), 1; ; n++ {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, nil, fault.Of(errConfig, "it is not YAML: %s", plainYAML(err))
		}
		if kindOf(&doc) != configKind {
			continue
		}
		if config != nil {
			return nil, 0, nil, fault.Of(errConfig, "it has two documents with kind: %s", configKind)
		}
		config, document = &fileConfig{}, n
		if warnings, err = judge(&doc); err != nil {
			return nil, 0, nil, err
		}
		if err := doc.Decode(config); err != nil {
			return nil, 0, nil, fault.Of(errConfig, "%s", plainYAML(err))
		}
	}
	switch {
	case config == nil:
		return nil, 0, nil, fault.Of(errConfig, "it has no document with kind: %s", configKind)
	case config.APIVersion != apiVersion:
		return nil, 0, nil, fault.Of(errConfig, "its apiVersion is %q, not %s", config.APIVersion, apiVersion)
	}
	return config, document, warnings, nil
}

// plainYAML is an error of the YAML library in the words of who writes YAML.
func plainYAML(err error) string {
	var kind *yaml.TypeError
	if !errors.As(err, &kind) || len(kind.Errors) == 0 {
		return strings.TrimPrefix(err.Error(), "yaml: ")
	}
	line, _, _ := strings.Cut(kind.Errors[0], ":")
	return line + ": the value is not of the kind that vendir has there, such as a map in place of a list"
}

// judge refuses misspelt keys and keys that are there twice, and returns what vendir may know and this
// program does not.
func judge(doc *yaml.Node) (warnings []string, err error) {
	mistakes, doubts := shape().Judge(doc)
	if len(mistakes) > 0 {
		return nil, fault.Of(errConfig, "line %d: %s", mistakes[0].Line, mistakes[0])
	}
	for _, f := range doubts {
		warnings = append(warnings, fmt.Sprintf("line %d: %s", f.Line, f))
	}
	return warnings, nil
}

func (c *fileConfig) find(t Target) (directory, content int, err error) {
	var known []string
	found := 0
	for i, d := range c.Directories {
		known = append(known, d.Path)
		if path.Clean(d.Path) != path.Clean(t.Directory) {
			continue
		}
		var contents []string
		for j, k := range d.Contents {
			contents = append(contents, k.Path)
			if t.Content == "" || path.Clean(k.Path) == path.Clean(t.Content) {
				directory, content = i, j
				found++
			}
		}
		switch {
		case found == 1:
			return directory, content, nil
		case found > 1:
			return 0, 0, fault.Of(ErrNoContent, "content: is required: directory %s has the contents %s", d.Path, list(contents))
		}
		return 0, 0, fault.Of(ErrNoContent, "content: directory %s has no content %q; it has %s", d.Path, t.Content, list(contents))
	}
	return 0, 0, fault.Of(ErrNoContent, "directory: there is no directory %q; there is %s", t.Directory, list(known))
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// place tells it from the other contents of its vendir.yml.
func (c *Content) place() string { return path.Join(c.directory, c.path) }

func (c *Content) where() string { return "content " + c.place() }

// dir is the folder of the copy, from the repository's root.
func (c *Content) dir(t Target) string { return path.Join(path.Dir(t.Config), c.place()) }

// setRef is vendir.yml with another ref, and no other byte changed.
func (c *Content) setRef(ref string) ([]byte, error) {
	if err := c.file.Set(c.refPath, ref); err != nil {
		return nil, fmt.Errorf("change git.ref: %w", err)
	}
	c.config.Git.Ref, c.Ref = ref, ref
	return c.file.Bytes()
}

// digest is vendir's configDigest: of the content as its YAML library writes it.
func (c *Content) digest() (string, error) {
	text, err := json.Marshal(c.config)
	if err != nil {
		return "", err
	}
	var plain any
	if err := yamlv2.Unmarshal(text, &plain); err != nil {
		return "", err
	}
	if text, err = yamlv2.Marshal(plain); err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// kindOf is the kind of a document, whatever else is wrong with it.
func kindOf(doc *yaml.Node) string {
	if len(doc.Content) == 0 {
		return ""
	}
	if kind := strict.Member(doc.Content[0], "kind"); kind != nil {
		return kind.Value
	}
	return ""
}
