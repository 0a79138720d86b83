package chartbump

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/artifact"
)

// getParams are the params of a get step: there are none.
type getParams struct{}

// putParams are the params of a put step.
type putParams struct {
	// Images says for images of the source where the new digest is.
	Images map[string]from `json:"images"`
	// VersionFile holds the version.
	VersionFile string `json:"version_file"`
	// SourceRepository is a clone of the code, at the commit that the images were
	// built from.
	SourceRepository string `json:"source_repository"`
	// Copy and Files are what else becomes part of the chart.
	Copy  []copied `json:"copy"`
	Files []file   `json:"files"`
	// RequireAutoMerge fails the put when the pull request can't be set to merge
	// by itself; otherwise it is said and the put is green.
	RequireAutoMerge bool `json:"require_auto_merge"`
}

// from says where an image's new digest is: one of the three.
type from struct {
	// Artifact is the folder of a get or put of registry-image.
	Artifact string
	// DigestFile holds the digest.
	DigestFile string
	// Image is a reference, whose digest the registry knows.
	Image string
}

// UnmarshalJSON takes an artifact's name, or a map with one key.
func (f *from) UnmarshalJSON(data []byte) error {
	var folder string
	if json.Unmarshal(data, &folder) == nil {
		if folder == "" {
			return errors.New("is empty: name the folder of a registry-image, or write digest_file or image")
		}
		if name, ok := strings.CutSuffix(folder, "/digest"); ok {
			return fmt.Errorf("%q is a file: name the artifact alone, %s, or write {digest_file: %s}", folder, name, folder)
		}
		if strings.ContainsAny(folder, ":@") { // no artifact has such a name
			return fmt.Errorf("%q is not the name of an artifact: write {image: REFERENCE} for an image in a registry, as in {image: registry.example.org/bank@sha256:…}", folder)
		}
		*f = from{Artifact: folder}
		return nil
	}
	var fields struct {
		DigestFile string `json:"digest_file"`
		Image      string `json:"image"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&fields); err != nil || (fields.DigestFile == "") == (fields.Image == "") {
		return fmt.Errorf("want the name of an artifact, {digest_file: FILE} or {image: REFERENCE}, got %s", data)
	}
	*f = from{DigestFile: fields.DigestFile, Image: fields.Image}
	return nil
}

// copied replaces a file or folder of the chart, the folder whole.
type copied struct {
	// From is a path of the build, To one in the chart.
	From string `json:"from" concourse:"required"`
	To   string `json:"to" concourse:"required"`
}

// file is a small file of the chart.
type file struct {
	// Path is in the chart.
	Path string `json:"path" concourse:"required"`
	// Content gets a newline at its end when it has none.
	Content string `json:"content"`
}

// Validate names the first key that can't be right.
func (p putParams) Validate() error {
	if len(p.Images) == 0 && p.VersionFile == "" && len(p.Copy) == 0 && len(p.Files) == 0 {
		return errors.New("images: is required, or one of version_file, copy and files")
	}
	for i, c := range p.Copy {
		if err := artifact.InRepository(c.To); err != nil {
			return fmt.Errorf("copy[%d].to: %w", i, err)
		}
	}
	for i, f := range p.Files {
		if err := artifact.InRepository(f.Path); err != nil {
			return fmt.Errorf("files[%d].path: %w", i, err)
		}
	}
	return p.once()
}

// once refuses two entries for one path, of which the later would win.
func (p putParams) once() error {
	taken := map[string]string{}
	take := func(key, name string) error {
		if other, ok := taken[path.Clean(name)]; ok {
			return fmt.Errorf("%s: %s is the path of %s too; remove one of them", key, name, other)
		}
		taken[path.Clean(name)] = key
		return nil
	}
	for i, c := range p.Copy {
		if err := take(fmt.Sprintf("copy[%d].to", i), c.To); err != nil {
			return err
		}
	}
	for i, f := range p.Files {
		if err := take(fmt.Sprintf("files[%d].path", i), f.Path); err != nil {
			return err
		}
	}
	return nil
}
