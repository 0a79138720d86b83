package vendirbump

import (
	"cmp"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/proposal"
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

	// A push to the branch itself is the default.
	proposal.Settings
}

// Validate reports the first key that can't be right.
func (s Source) Validate() error {
	if err := signing.Validate(s.Access); err != nil {
		return err
	}
	if err := s.target().Validate(); err != nil {
		return err
	}
	return s.settings().Validate(s.Branch)
}

// Secrets are all values that nobody may see.
func (s Source) Secrets() []string { return append(s.Access.Secrets(), s.Settings.Secrets()...) }

// settings are those of the source, with the default mode.
func (s Source) settings() proposal.Settings {
	s.Mode = cmp.Or(s.Mode, proposal.ModePush)
	return s.Settings
}

func (s Source) target() vendored.Target {
	t := vendored.Target{Config: s.Config, Directory: s.Directory, Content: s.Content}
	if t.Config == "" {
		t.Config = defaultConfig
	}
	return t
}
