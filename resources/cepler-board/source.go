package ceplerboard

import (
	"cmp"
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// Source is what a pipeline says under "source".
type Source struct {
	git.Access

	// BoardBranch is the branch that the page is published on. Default gh-pages.
	BoardBranch string `json:"board_branch"`
	// Path is where the page is in it. Default index.html.
	Path string `json:"path"`
	// GatesBranch is the branch of the gates files. Default cepler-gates, where it is there.
	GatesBranch string `json:"gates_branch"`
	// GatesFile is the path of the gates file; {deployment} is the deployment's name. Default {deployment}.yml.
	GatesFile string `json:"gates_file"`
	// Configs are the paths of the cepler configs; all that are found, when there are none.
	Configs []string `json:"configs"`
}

// Validate reports the first key that can't be right.
func (s Source) Validate() error {
	if err := signing.Validate(s.Access); err != nil {
		return err
	}
	for key, branch := range map[string]string{"board_branch": s.boardBranch(), "gates_branch": s.GatesBranch} {
		if branch == "" {
			continue
		}
		if err := git.CheckBranch(branch); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	switch s.boardBranch() {
	case s.Branch:
		return fmt.Errorf("board_branch: %s is the branch that is deployed from: name another one, which the page has for itself", s.Branch)
	case s.gatesBranch():
		return fmt.Errorf("board_branch: %s is the branch of the gates: name another one, which the page has for itself", s.gatesBranch())
	}
	if err := artifact.InRepository(s.path()); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	return s.validateFiles()
}

func (s Source) validateFiles() error {
	if s.GatesFile != "" {
		if err := artifact.InRepository(s.GatesFile); err != nil {
			return fmt.Errorf("gates_file: %w", err)
		}
	}
	for i, config := range s.Configs {
		if config == "" {
			return fmt.Errorf("configs[%d]: is empty: name a cepler config, or remove it", i)
		}
		if err := artifact.InRepository(config); err != nil {
			return fmt.Errorf("configs[%d]: %w", i, err)
		}
	}
	return nil
}

func (s Source) boardBranch() string { return cmp.Or(s.BoardBranch, "gh-pages") }

func (s Source) boardRef() string { return "refs/heads/" + s.boardBranch() }

func (s Source) gatesBranch() string { return cmp.Or(s.GatesBranch, lineage.GatesBranch) }

func (s Source) path() string { return cmp.Or(s.Path, "index.html") }
