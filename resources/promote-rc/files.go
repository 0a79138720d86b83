package promoterc

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"

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
func (f ExtraFile) to() string { return strings.TrimSuffix(f.To, "/") }

// extraFiles reads what extra_files name.
func (p *promotion) extraFiles() (map[string]git.Edit, error) {
	edits := map[string]git.Edit{}
	for i, f := range p.params.ExtraFiles {
		key := fmt.Sprintf("params.extra_files[%d]", i)
		from, err := p.step.Path(f.From)
		if err != nil {
			return nil, fmt.Errorf("%s.from: %w", key, err)
		}
		to := f.to()
		if !insideRepository(to) {
			return nil, fmt.Errorf("%s.to: %q is not a path inside the repository", key, f.To)
		}
		err = filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			below, err := filepath.Rel(from, file)
			if err != nil {
				return err
			}
			name := path.Join(to, filepath.ToSlash(below))
			switch {
			case name == p.src.changelog():
				return fmt.Errorf("%s is the changelog, which this resource writes itself", name)
			case !p.src.allows(name):
				return fmt.Errorf("%s is not among source.allowed_files (%s), so that merging would release nothing", name, strings.Join(p.src.allowedFiles(), ", "))
			}
			edits[name], err = readEdit(file, d)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", key, f.From, err)
		}
	}
	return edits, nil
}

// readEdit takes a file as it is on disk; a symbolic link is not followed.
func readEdit(file string, d fs.DirEntry) (git.Edit, error) {
	info, err := d.Info()
	if err != nil {
		return git.Edit{}, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(file)
		return git.Edit{Mode: filemode.Symlink, Content: []byte(target)}, err
	}
	if !info.Mode().IsRegular() {
		return git.Edit{}, fmt.Errorf("%s is not a file", d.Name())
	}
	content, err := os.ReadFile(file)
	mode := filemode.Regular
	if info.Mode()&0o100 != 0 {
		mode = filemode.Executable
	}
	return git.Edit{Mode: mode, Content: content}, err
}

// clear adds the deletion of what a replaced folder has besides.
func (p *promotion) clear(ctx context.Context, f ExtraFile, edits map[string]git.Edit) error {
	to := f.to()
	if !f.Replace {
		return nil
	}
	descend := func(dir string) bool {
		return strings.HasPrefix(to+"/", dir+"/") || strings.HasPrefix(dir, to+"/")
	}
	return p.store.Walk(ctx, p.head.Tree, descend, func(name string, _ git.Entry) error {
		if _, stays := edits[name]; stays || !strings.HasPrefix(name, to+"/") {
			return nil
		}
		if !p.src.allows(name) {
			return fmt.Errorf("replace %s: %s is not among source.allowed_files", to, name)
		}
		edits[name] = git.Edit{Delete: true}
		return nil
	})
}
