package promoterc

import (
	"fmt"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// extraFiles reads what extra_files name.
func (p *promotion) extraFiles() (map[string]git.Edit, error) {
	return p.params.ExtraFiles.Read(p.step.Artifacts(), func(name string) error {
		switch {
		case name == p.src.changelog():
			return fmt.Errorf("%s is the changelog, which this resource writes itself", name)
		case !p.src.allows(name):
			return fmt.Errorf("%s is not among source.allowed_files (%s), so that merging would release nothing", name, strings.Join(p.src.allowedFiles(), ", "))
		}
		return nil
	})
}
