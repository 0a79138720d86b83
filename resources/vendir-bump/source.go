package vendirbump

import (
	"errors"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/vendored"
)

// defaultConfig is the name that vendir looks for.
const defaultConfig = "vendir.yml"

// Source is what a pipeline says under "source": the repository that holds the
// copy, and which content of its vendir.yml it is.
type Source struct {
	git.Access
	// Config is the path of vendir.yml from the repository's root. Default
	// vendir.yml.
	Config string `json:"config"`
	// Directory is the path of one of its directories.
	Directory string `json:"directory" concourse:"required"`
	// Content is the path of one of the directory's contents. It may be left out
	// where there is only one.
	Content string `json:"content"`
}

// Validate reports the first key that can't be right.
func (s Source) Validate() error {
	return errors.Join(s.Access.Validate(), s.target().Validate())
}

func (s Source) target() vendored.Target {
	t := vendored.Target{Config: s.Config, Directory: s.Directory, Content: s.Content}
	if t.Config == "" {
		t.Config = defaultConfig
	}
	return t
}
