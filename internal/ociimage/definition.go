package ociimage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// ErrUnknownImage says that no definition has the name that was asked for.
var ErrUnknownImage = errors.New("unknown image")

// Definition says what one image holds and how it introduces itself.
type Definition struct {
	// Type is the name of the resource type: of the image's repository and of the program in /opt/resource.
	Type string `yaml:"-"`
	// Package is the main package, as `go build` takes it in the module's folder ("./resources/x/cmd/x").
	Package string `yaml:"package"`
	// HTTP2 says that the program asks a server many things at once, for which HTTP/2 needs one connection. The others are
	// compiled without it, which makes them smaller by a twenty-fifth.
	HTTP2 bool `yaml:"http2"`
	// Title, Description and Documentation (an address) become labels and annotations.
	Title         string `yaml:"title"`
	Description   string `yaml:"description"`
	Documentation string `yaml:"documentation"`
}

// Set is the content of images.yml: the definitions and what they have in common.
type Set struct {
	// Source is the address of the repository the images are made from.
	Source string `yaml:"source"`
	// Licenses is an SPDX licence expression.
	Licenses string `yaml:"licenses"`
	// Vendor is the person or organisation that distributes the images.
	Vendor string `yaml:"vendor"`
	// Images maps a resource type to its definition.
	Images map[string]Definition `yaml:"images"`
}

// ParseSet reads a definitions file. Unknown keys, missing values and names that no repository can have are refused;
// file is the name that errors give.
func ParseSet(file string, data []byte) (*Set, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	set := &Set{}
	if err := decoder.Decode(set); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s is empty: it needs source, licenses and images", file)
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: want one YAML document, found a second one", file)
	}
	if err := set.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return set, nil
}

func (s *Set) validate() error {
	if len(s.Images) == 0 {
		return errors.New("images: names no image")
	}
	if err := required("", map[string]string{"source": s.Source, "licenses": s.Licenses, "vendor": s.Vendor}); err != nil {
		return err
	}
	for _, name := range s.Types() {
		definition := s.Images[name]
		definition.Type = name
		s.Images[name] = definition
		if err := definition.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (d Definition) validate() error {
	if !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(d.Type) {
		return fmt.Errorf("images: %q is not a valid image name: use lower-case letters, digits and single hyphens", d.Type)
	}
	if slices.Contains([]string{"check", "in", "out"}, d.Type) {
		return fmt.Errorf("images: %q is the name of a link in /opt/resource: choose another one", d.Type)
	}
	if !strings.HasPrefix(d.Package, "./") && d.Package != "" {
		return fmt.Errorf("images.%s.package: want a path in this module that starts with ./, got %q", d.Type, d.Package)
	}
	return required("images."+d.Type+".", map[string]string{
		"package": d.Package, "title": d.Title, "description": d.Description, "documentation": d.Documentation,
	})
}

// required names the first key, in the order of the alphabet, that has no value.
func required(prefix string, values map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if strings.TrimSpace(values[key]) == "" {
			return fmt.Errorf("%s%s: is missing or empty", prefix, key)
		}
	}
	return nil
}

// Types lists the names of all images, sorted.
func (s *Set) Types() []string {
	return slices.Sorted(maps.Keys(s.Images))
}

// Select gives the definitions of the named images in the order of their names, or of all when no name is given. A name
// nobody knows gives ErrUnknownImage with the nearest known one.
func (s *Set) Select(names ...string) ([]Definition, error) {
	if len(names) == 0 {
		names = s.Types()
	}
	var selected []Definition
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		definition, known := s.Images[name]
		if !known {
			return nil, fmt.Errorf("%w %q: %s", ErrUnknownImage, name, suggest(name, s.Types()))
		}
		selected = append(selected, definition)
	}
	return selected, nil
}

// suggest is the second half of a message about an unknown name.
func suggest(name string, known []string) string {
	if meant := nearest.Of(name, known); meant != "" {
		return fmt.Sprintf("did you mean %q? known images: %s", meant, strings.Join(known, ", "))
	}
	return "known images: " + strings.Join(known, ", ")
}
