package promoterc

import (
	"fmt"
	"path"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// ExtraFile is a file, or a folder with all it holds, that goes into the pull
// request.
type ExtraFile struct {
	// From is a path that begins with an artifact's name.
	From string `json:"from" concourse:"required"`
	// To is a path in the repository, which allowed_files must permit.
	To string `json:"to" concourse:"required"`
	// Replace deletes what the folder To has and From has not.
	Replace bool `json:"replace"`
}

// to is the path in the repository as git writes it.
func (f ExtraFile) to() string { return path.Clean(f.To) }

// extraFiles reads what extra_files name.
func (p *promotion) extraFiles() (map[string]git.Edit, error) {
	edits := map[string]git.Edit{}
	copier := artifact.Copier{From: p.step.Artifacts()}
	for i, extra := range p.params.ExtraFiles {
		key := fmt.Sprintf("params.extra_files[%d]", i)
		if err := artifact.InRepository(extra.To); err != nil {
			return nil, fmt.Errorf("%s.to: %w", key, err)
		}
		err := copier.Files(extra.From, func(f artifact.File) error {
			name := path.Join(extra.to(), f.Name)
			switch {
			case name == p.src.changelog():
				return fmt.Errorf("%s is the changelog, which this resource writes itself", name)
			case !p.src.allows(name):
				return fmt.Errorf("%s is not among source.allowed_files (%s), so that merging would release nothing", name, strings.Join(p.src.allowedFiles(), ", "))
			}
			edits[name] = git.AddFile(f.Mode, f.Content)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("%s.from: %w", key, err)
		}
	}
	return edits, nil
}
