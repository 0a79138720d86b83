package deployments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// The files in .git by which a put knows what the folder is. The first two are
// the Rust resource's.
const (
	environmentFile = "cepler_environment"
	triggerFile     = "cepler_trigger"
	versionFile     = "cepler_version"
)

// Get fills dir with a version: with prepare, what the version deploys; else
// what was recorded for it.
func (r *Repository) Get(ctx context.Context, version Version, dir string, prepare bool) (*Restored, error) {
	r.delivers = true
	restore := r.Restore
	if !prepare {
		restore = r.restoreRecorded
	}
	environment := r.src.Environment
	if version.Environment != "" {
		environment = version.Environment
	}
	v, err := restore(ctx, version, environment)
	if err != nil {
		return nil, fmt.Errorf("get version %s (%.7s) of %s: %w", version.Version, version.Trigger, environment, err)
	}
	if err := r.deliver(ctx, v, dir); err != nil {
		return nil, fmt.Errorf("write the files of %s to %s: %w", environment, dir, err)
	}
	return v, nil
}

// deliver writes the version's files and a small .git to dir.
func (r *Repository) deliver(ctx context.Context, v *Restored, dir string) error {
	files, err := r.delivery(ctx, v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // later steps read it, as other users
		return err
	}
	if err := r.store.Checkout(ctx, dir, files); err != nil {
		return err
	}
	if pointers := lfsPointers(dir, files); len(pointers) > 0 {
		r.logf("warning: delivered as LFS pointers, not as the files they stand for: %s", strings.Join(pointers, ", "))
	}
	err = r.store.WriteGitDir(ctx, dir, git.GitDir{Head: v.Trigger.Hash, Branch: r.src.Branch, URL: r.store.URL(), Files: files})
	if err != nil {
		return err
	}
	version, err := json.Marshal(v.Version)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		environmentFile: v.Environment.Name,
		triggerFile:     v.Trigger.Hash.String(),
		versionFile:     string(version),
	} {
		if err := os.WriteFile(filepath.Join(dir, ".git", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Delivered is what a folder that Get filled says about itself.
type Delivered struct {
	Environment string
	Version     Version
}

// ReadDelivered reads what dir was filled with, by this suite or by the Rust resource.
// Nothing outside of dir is read.
func ReadDelivered(dir string) (Delivered, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Delivered{}, notDelivered("it is not a folder that can be read")
	}
	defer func() { _ = root.Close() }()
	var out Delivered
	for _, file := range []struct {
		name string
		into *string
	}{{triggerFile, &out.Version.Trigger}, {environmentFile, &out.Environment}} {
		data, err := root.ReadFile(filepath.Join(".git", file.name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return Delivered{}, notDelivered("it has no .git/" + file.name)
		case err != nil:
			return Delivered{}, notDelivered(err.Error())
		}
		*file.into = strings.TrimSuffix(string(data), "\n")
	}
	version, err := root.ReadFile(filepath.Join(".git", versionFile))
	if os.IsNotExist(err) {
		return out, nil // filled by the Rust resource
	}
	if err != nil {
		return Delivered{}, fmt.Errorf("read the version of %s: %w", dir, err)
	}
	if err := json.Unmarshal(version, &out.Version); err != nil {
		return Delivered{}, fmt.Errorf("read the version of %s: %w", dir, err)
	}
	return out, nil
}

func notDelivered(reason string) error {
	return fmt.Errorf("is not the folder of a cepler-in get: %s; name the get step whose files were deployed", reason)
}

// lfsPrefix begins a pointer file: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
const (
	lfsPrefix = "version https://git-lfs.github.com/spec/"
	// maxPointer is the size in bytes that the specification allows a pointer.
	maxPointer = 1024
)

// lfsPointers are those of files that are LFS pointers.
func lfsPointers(dir string, files []git.File) []string {
	var pointers []string
	for _, f := range files {
		name := filepath.Join(dir, f.Path)
		info, err := os.Lstat(name)
		if err != nil || !info.Mode().IsRegular() || info.Size() < int64(len(lfsPrefix)) || info.Size() > maxPointer {
			continue
		}
		if data, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(data), lfsPrefix) {
			pointers = append(pointers, f.Path)
		}
	}
	return pointers
}
