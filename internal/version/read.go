package version

import (
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/artifact"
)

// Read reads a file of a build that holds a version.
func Read(from artifact.Folder, name string) (Version, error) {
	text, err := from.Value(name)
	if err != nil {
		return Version{}, err
	}
	v, err := Parse(text)
	if err != nil {
		return v, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}
