package chartbump

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/proposal"
	"github.com/taxiway-ci/taxiway/internal/provenance"
	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

// Source is what a pipeline says under "source". Branch is the base branch.
type Source struct {
	git.Access

	// Chart is the folder of the chart in its repository.
	Chart string `json:"chart" concourse:"required"`
	// Values is the values file in that folder; values.yaml when it is empty.
	Values string `json:"values"`
	// Images are the places of the image digests in the values file.
	Images []Image `json:"images" concourse:"required"`
	// AppVersionPaths are further paths of the values file that get the version.
	AppVersionPaths []string `json:"app_version_paths"`
	// SharedValues lets values be changed that others repeat through an alias.
	SharedValues bool `json:"shared_values"`
	// ChartAppVersion writes the version into Chart.yaml's appVersion.
	ChartAppVersion bool `json:"chart_app_version"`
	// ChartVersion says which part of Chart.yaml's own version is incremented:
	// patch, minor or none, which is the default.
	ChartVersion string `json:"chart_version"`

	// A pull request is the default.
	proposal.Settings

	// Registry says how to read images that are given by name.
	Registry Registry `json:"registry"`
}

// Image is the place of one image's digest, and what its comment says.
type Image struct {
	Name string `json:"name" concourse:"required"`
	// Path leads to the digest in the values file, as package yamledit reads it.
	Path string `json:"path" concourse:"required"`
	// CommitPath leads to a value that gets the commit, as the comment has it: its first 7 digits. Empty for none.
	CommitPath string `json:"commit_path"`
	// App is the comment's app; Name when it is empty.
	App string `json:"app"`
	// Repository is the address of the source repository, for the comment, in
	// place of the one of the put or of the image's labels.
	Repository string `json:"repository"`
	// MonorepoSubdir is the comment's monorepo_subdir; empty for none.
	MonorepoSubdir string `json:"monorepo_subdir"`
	// Format is what an empty value becomes: digest, hex, tag@digest or image.
	Format string `json:"format"`
}

// Registry says how to read images by name.
type Registry struct {
	// Username and Password are sent to the registry of the image that is looked up.
	Username string `json:"username"`
	Password string `json:"password"`
	// CACert is trusted in addition to the usual authorities; PEM.
	CACert string `json:"ca_cert"`
	// Insecure speaks HTTP without TLS.
	Insecure bool `json:"insecure"`
}

// Validate names the first key that can't be right.
func (s Source) Validate() error {
	if err := signing.Validate(s.Access); err != nil {
		return err
	}
	if err := artifact.InRepository(s.Chart); err != nil && s.chart() != "." {
		return fmt.Errorf("chart: %w", err)
	}
	if err := artifact.InRepository(s.values()); err != nil {
		return fmt.Errorf("values: %w", err)
	}
	if err := s.validateImages(); err != nil {
		return err
	}
	if (s.Registry.Username == "") != (s.Registry.Password == "") {
		return errors.New("registry: username and password are required together")
	}
	if _, err := httpclient.New(httpclient.TLS{CACert: s.Registry.CACert}); err != nil {
		return fmt.Errorf("registry.%w", err)
	}
	for i, p := range s.AppVersionPaths {
		if _, err := yamledit.ParsePath(p); err != nil {
			return fmt.Errorf("app_version_paths[%d]: %w", i, err)
		}
	}
	if !slices.Contains([]string{"", "none", "patch", "minor"}, s.ChartVersion) {
		return fmt.Errorf("chart_version: %q is not one of none, patch, minor", s.ChartVersion)
	}
	if err := s.settings().Validate(s.Branch); err != nil {
		return err
	}
	for i, img := range s.Images {
		if strings.Count(img.Repository, "/") == 1 && !strings.ContainsAny(img.Repository, ":@") {
			return fmt.Errorf("images[%d].repository: %q is not the address of a repository: write it like https://github.com/acme/bank", i, img.Repository)
		}
	}
	return nil
}

// settings are those of the source, with the default mode.
func (s Source) settings() proposal.Settings {
	s.Mode = cmp.Or(s.Mode, proposal.ModePull)
	return s.Settings
}

// place is a key of an image that leads to a value, and where it leads to.
type place struct{ key, path string }

func (img Image) places() []place {
	all := []place{{"path", img.Path}, {"commit_path", img.CommitPath}}
	if img.CommitPath == "" {
		return all[:1]
	}
	return all
}

// inValues returns an error if a values file lacks a place of the image.
func (img Image) inValues(f *yamledit.File) error {
	for _, p := range img.places() {
		if _, err := f.Scalar(p.path); err != nil {
			return fmt.Errorf("image %s: %w", img.Name, err)
		}
	}
	return nil
}

func (s Source) validateImages() error {
	names, paths := map[string]bool{}, map[string]string{}
	for i, img := range s.Images {
		if img.Name == "" || img.Name != filepath.Base(img.Name) || img.Name == "." || img.Name == ".." || slices.Contains(ownFiles(), img.Name) {
			return fmt.Errorf("images[%d].name: %q is not a valid name: a get makes a folder of that name beside its other files", i, img.Name)
		}
		if names[img.Name] {
			return fmt.Errorf("images[%d].name: %s appears twice", i, img.Name)
		}
		names[img.Name] = true
		for _, place := range img.places() {
			p, err := yamledit.ParsePath(place.path)
			if err != nil {
				return fmt.Errorf("images[%d].%s: %w", i, place.key, err)
			}
			if other := paths[p.String()]; other != "" {
				return fmt.Errorf("images[%d].%s: %s is the path of %s already", i, place.key, place.path, other)
			}
			paths[p.String()] = img.Name
		}
		t := target{image: img, source: origin{repository: cmp.Or(img.Repository, "r"), commit: "c"}}
		if err := t.metadata(provenance.Metadata{}).Validate(); err != nil {
			return fmt.Errorf("images[%d]: %w", i, err)
		}
		if img.Format != "" && !slices.Contains(formats(), img.Format) {
			return fmt.Errorf("images[%d].format: %q is not one of %s", i, img.Format, strings.Join(formats(), ", "))
		}
	}
	return nil
}

// Secrets are all values that nobody may see.
func (s Source) Secrets() []string {
	out := append(append(s.Access.Secrets(), s.Registry.Password), s.Settings.Secrets()...)
	return slices.DeleteFunc(out, func(v string) bool { return v == "" })
}

// chart is the folder of the chart, and values its values file in it, as git writes them.
func (s Source) chart() string  { return path.Clean(s.Chart) }
func (s Source) values() string { return path.Clean(cmp.Or(s.Values, "values.yaml")) }

func (s Source) valuesPath() string { return path.Join(s.Chart, s.values()) }
func (s Source) chartPath() string  { return path.Join(s.Chart, "Chart.yaml") }
func (s Source) baseRef() string    { return "refs/heads/" + s.Branch }

// name is the chart's name in messages.
func (s Source) name() string {
	if s.chart() == "." {
		return "chart"
	}
	return path.Base(s.Chart)
}

// wantsVersion reports whether a put needs the version.
func (s Source) wantsVersion() bool { return s.ChartAppVersion || len(s.AppVersionPaths) > 0 }

func (s Source) hasImage(name string) bool {
	return slices.ContainsFunc(s.Images, func(img Image) bool { return img.Name == name })
}
