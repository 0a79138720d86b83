package proposal

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// ExtraFile is a file, or a folder with all it holds, that a put adds to its commit.
type ExtraFile struct {
	// From is a path that begins with an artifact's name.
	From string `json:"from" concourse:"required"`
	// To is a path in the repository.
	To string `json:"to" concourse:"required"`
	// Replace deletes what the folder To has and From has not.
	Replace bool `json:"replace"`
}

// path is To as git writes it.
func (f ExtraFile) path() string { return path.Clean(f.To) }

// ExtraFiles are those of one put.
type ExtraFiles []ExtraFile

// Read returns the edits that add the files, each from one place. An error of may, which is called for each path in the
// repository, is returned.
func (all ExtraFiles) Read(from artifact.Folder, may func(name string) error) (map[string]git.Edit, error) {
	edits := map[string]git.Edit{}
	added := map[string]int{}
	copier := artifact.Copier{From: from}
	for i, extra := range all {
		key := fmt.Sprintf("params.extra_files[%d]", i)
		if err := artifact.InRepository(extra.To); err != nil {
			return nil, fmt.Errorf("%s.to: %w", key, err)
		}
		err := copier.Files(extra.From, func(f artifact.File) error {
			name := path.Join(extra.path(), f.Name)
			if other, twice := added[name]; twice {
				return fmt.Errorf("%s comes from extra_files[%d] too; remove one of them", name, other)
			}
			added[name] = i
			edits[name] = git.AddFile(f.Mode, f.Content)
			return may(name)
		})
		if err != nil {
			return nil, fmt.Errorf("%s.from: %w", key, err)
		}
	}
	return edits, nil
}

// Replace adds to edits the deletion of what a tree has in folders that are replaced, and edits do not have.
func (all ExtraFiles) Replace(ctx context.Context, store *git.Store, tree git.Hash, edits map[string]git.Edit) error {
	for _, f := range all {
		if !f.Replace {
			continue
		}
		if err := Replace(ctx, store, tree, f.path(), edits); err != nil {
			return err
		}
	}
	return nil
}

// Replaced reports whether a path is in a folder that is replaced.
func (all ExtraFiles) Replaced(name string) bool {
	return slices.ContainsFunc(all, func(f ExtraFile) bool { return f.Replace && strings.HasPrefix(name, f.path()+"/") })
}
