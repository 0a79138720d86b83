package lineage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/strict"
	"github.com/taxiway-ci/taxiway/internal/vendored"
)

const vendirFile = "vendir.yml"

// vendirContent is one folder that vendir fills, as its config and lock say.
type vendirContent struct {
	file string // the vendir.yml
	dir  string // where it goes, from the repository's root
	kind string // git, helmChart, …

	target vendored.Target

	url, ref             string
	newRoot              string
	locked, lockedTitle  string // the commit that was synced last, "" without a lock
	lockPath, lockBroken string
}

// The part of vendir's config that is needed
// (https://carvel.dev/vendir/docs/latest/vendir-spec/).
type vendirConfig struct {
	Directories []struct {
		Path     string          `yaml:"path"`
		Contents []vendirSection `yaml:"contents"`
	} `yaml:"directories"`
}

type vendirSection struct {
	Path string `yaml:"path"`
	Git  *struct {
		URL string `yaml:"url"`
		Ref string `yaml:"ref"`
		SHA string `yaml:"sha"` // in the lock
		// CommitTitle is in the lock only.
		CommitTitle string `yaml:"commitTitle"`
	} `yaml:"git"`
	NewRootPath string               `yaml:"newRootPath"`
	Others      map[string]yaml.Node `yaml:",inline"`
}

// kind is where the section takes its files from.
func (s vendirSection) kind() string {
	if s.Git != nil {
		return "git"
	}
	for _, known := range []string{"hg", "http", "image", "imgpkgBundle", "githubRelease", "helmChart", "manual", "directory", "inline"} {
		if _, ok := s.Others[known]; ok {
			return known
		}
	}
	return "nothing"
}

// vendirContent is the entry of a vendir.yml of the commit that the folder dir
// is filled by; nil when none fills it.
func (r *Reader) vendirContent(ctx context.Context, c *git.Commit, dir string) (*vendirContent, []Broken, error) {
	var broken []Broken
	files, err := r.vendirFiles(ctx, c, dir)
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		config, err := r.vendirConfig(ctx, c, file)
		if err != nil {
			broken = append(broken, Broken{linkChart, file, fmt.Sprintf("it does not parse at %.7s: %v", c.Hash, err)})
			continue
		}
		for _, d := range config.Directories {
			for _, section := range d.Contents {
				content := newContent(file, d.Path, section)
				if within(dir, content.dir) {
					r.readLock(ctx, c, content, d.Path, section.Path)
					return content, broken, nil
				}
			}
		}
	}
	return nil, broken, nil
}

func newContent(file, dir string, s vendirSection) *vendirContent {
	c := &vendirContent{
		file: file, dir: path.Join(path.Dir(file), dir, s.Path), kind: s.kind(),
		newRoot:  path.Clean(s.NewRootPath),
		lockPath: path.Join(path.Dir(file), vendored.LockFile),
		target:   vendored.Target{Config: file, Directory: dir, Content: s.Path},
	}
	if s.NewRootPath == "" {
		c.newRoot = ""
	}
	if s.Git != nil {
		c.url, c.ref = s.Git.URL, s.Git.Ref
	}
	return c
}

// vendirFiles are the files called vendir.yml in the folders above dir, the
// nearest first: vendir writes below the folder of its config.
func (r *Reader) vendirFiles(ctx context.Context, c *git.Commit, dir string) ([]string, error) {
	var files []string
	for at := dir; ; at = path.Dir(at) {
		p := path.Join(at, vendirFile)
		_, err := r.store.Lookup(ctx, c.Tree, p)
		if err == nil {
			files = append(files, p)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look for %s at %.7s: %w", p, c.Hash, err)
		}
		if at == "." || at == "/" || at == "" {
			return files, nil
		}
	}
}

func (r *Reader) vendirConfig(ctx context.Context, c *git.Commit, file string) (vendirConfig, error) {
	data, err := r.file(ctx, c, file)
	if err != nil {
		return vendirConfig{}, err
	}
	return parseVendir(data)
}

// parseVendir reads a vendir.yml or its lock. Keys that nothing here is about are left to vendir.
func parseVendir(data []byte) (config vendirConfig, err error) {
	err = strict.YAML(data, &config)
	return config, err
}

// readLock fills in what vendir synced last, according to its lock.
func (r *Reader) readLock(ctx context.Context, c *git.Commit, content *vendirContent, dir, sub string) {
	lock, err := r.vendirConfig(ctx, c, content.lockPath)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		content.lockBroken = fmt.Sprintf("it does not parse at %.7s: %v", c.Hash, err)
		return
	}
	for _, d := range lock.Directories {
		if path.Clean(d.Path) != path.Clean(dir) {
			continue
		}
		for _, s := range d.Contents {
			if path.Clean(s.Path) == path.Clean(sub) && s.Git != nil {
				content.locked, content.lockedTitle = s.Git.SHA, s.Git.CommitTitle
			}
		}
	}
}

// candidates are the commits that the config and the lock name. Where they
// disagree both are, and that is a broken link.
func (c *vendirContent) candidates() ([]string, []Broken) {
	if c.kind != "git" {
		return nil, []Broken{{linkChart, c.file, fmt.Sprintf("%s is filled from %s, which names no commit", c.dir, c.kind)}}
	}
	if c.lockBroken != "" {
		return nil, []Broken{{linkChart, c.lockPath, c.lockBroken}}
	}
	ref, locked := strings.ToLower(c.ref), strings.ToLower(c.locked)
	_, full := deployments.FullCommit(ref)
	switch {
	case full && locked != "" && locked != ref:
		return []string{locked, ref}, []Broken{{linkChart, c.lockPath, fmt.Sprintf("%s asks for %.7s, and the lock says that %.7s was synced: run vendir sync", c.file, ref, locked)}}
	case full:
		return []string{ref}, nil
	case locked != "":
		return []string{locked}, nil
	default:
		return nil, []Broken{{linkChart, c.file, fmt.Sprintf("its ref %q is not a commit, and no %s says which one was synced", c.ref, c.lockPath)}}
	}
}
