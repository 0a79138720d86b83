package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/world"
	"github.com/taxiway-ci/taxiway/internal/strict"
	"github.com/taxiway-ci/taxiway/pipelines"
)

// pipelineArgs is the help for what doctor and rehearse take.
const pipelineArgs = "A pipeline is a rendered file, or TEMPLATE=VALUES: a template with a values file, rendered by the way (with ytt)."

// read reads the pipelines that arguments name, and renders those of values. Their names are those of the files, or of the
// templates.
func read(args []string) ([]world.Pipeline, error) {
	templates, err := pipelines.Templates()
	if err != nil {
		return nil, err
	}
	var files []string
	texts := map[string][]byte{}
	for _, arg := range args {
		template, values, ok := strings.Cut(arg, "=")
		if !slices.Contains(templates, template) || !ok {
			if _, err := os.Stat(arg); errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%w; name a pipeline file, or TEMPLATE=VALUES, where TEMPLATE is one of %s", err, strings.Join(templates, ", "))
			}
			if texts[arg], err = strict.ReadYAML(arg); err != nil {
				return nil, err
			}
			files = append(files, arg)
			continue
		}
		file := template + ".yml"
		if _, twice := texts[file]; twice {
			return nil, usagef("%s: %s is given twice; render one of them to a file", arg, template)
		}
		if texts[file], err = (pipelines.Rendering{Template: template, Values: values, Repository: rootOf(values)}).Render(); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	all, err := named(files)
	for i, p := range all {
		all[i].Text = texts[p.File]
	}
	return all, err
}

// rootOf is the root of the repository that a file is in: the nearest folder with .git, or else the file's folder.
func rootOf(file string) string {
	dir := filepath.Dir(file)
	full, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	return cmp.Or(above(full, func(at string) bool {
		_, err := os.Lstat(filepath.Join(at, ".git"))
		return err == nil
	}), dir)
}

// above is the nearest folder for which a test holds, from one of an absolute path up; "" if there is none.
func above(dir string, holds func(at string) bool) string {
	for at := dir; ; at = filepath.Dir(at) {
		if holds(at) {
			return at
		}
		if at == filepath.Dir(at) {
			return ""
		}
	}
}

// clonesOf are the clones of --repository, by the last part of their repository's address. One clone alone, whatever it is called, is
// "".
func clonesOf(values []string) (map[string]string, error) {
	clones := map[string]string{}
	for _, given := range values {
		name, dir, ok := strings.Cut(given, "=")
		if !ok {
			name, dir = "", given
		}
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("--repository %s: use the path of a clone on this machine, or NAME=PATH: %w", given, err)
		}
		if !ok && len(values) > 1 {
			name = repositoryName(dir)
		}
		if other, twice := clones[name]; twice {
			return nil, usagef("--repository %s: %s is the repository %s already; write NAME=PATH", given, other, name)
		}
		clones[name] = dir
	}
	return clones, nil
}

// repositoryName is the last part of the address of a clone's remote "origin" or, without one, the name of its folder.
func repositoryName(dir string) string {
	if origin, err := lineage.Origin(dir); err == nil && origin != "" {
		return path.Base(lineage.RepositoryName(origin))
	}
	full, err := filepath.Abs(dir)
	if err != nil {
		full = dir
	}
	return strings.TrimSuffix(filepath.Base(full), ".git")
}

func repositoryFlag(cmd *cobra.Command, values *[]string, purpose string) {
	cmd.Flags().StringArrayVar(values, "repository", nil, "git repository or clone "+purpose+
		"; may be repeated; NAME=PATH where\nthe last part of its address is not NAME")
}
