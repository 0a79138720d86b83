package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/lineage/labels"
	"github.com/taxiway-ci/taxiway/internal/secret"
)

// readerFlags say where the deployments, and what they come from, can be read.
type readerFlags struct {
	deployments string
	clones      []string
	registry    bool
	question    lineage.Question
}

func (f *readerFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.deployments, "deployments", "", "clone of the deployments repository, or a bare one")
	flags.StringVar(&f.question.Branch, "branch", "", "branch that is deployed from (default main, or else master)")
	flags.StringArrayVar(&f.question.Configs, "config", nil, "cepler config in the repository, may be repeated (default: all that are found)")
	flags.StringVar(&f.question.GatesBranch, "gates-branch", "", "branch of the gates files (default cepler-gates, where it is there)")
	flags.StringVar(&f.question.GatesFile, "gates-file", "", "gates file, with {deployment} for the deployment's name (default {deployment}.yml, where it is there)")
	flags.StringArrayVar(&f.clones, "clone", nil, "clone or address of a repository of charts or sources, to look commits and releases up in; may be repeated;\nADDRESS=CLONE for one that does not know its own address")
	flags.BoolVar(&f.registry, "registry", false, "ask the images' registries for their labels, with the logins of the Docker configuration")
}

// options are the reader's.
func (f *readerFlags) options(ctx context.Context, verb string, log io.Writer) (lineage.Options, error) {
	o := lineage.Options{Deployments: f.deployments, Clones: map[string]string{}}
	if f.deployments == "" {
		return o, usagef("%s: set --deployments to the clone to read", verb)
	}
	o.Logf = logMasked(ctx, log)
	if f.registry {
		o.Labels = labels.Registry{}
	}
	if err := addClones(o.Clones, f.clones); err != nil {
		return o, err
	}
	for _, address := range append(slices.Collect(maps.Values(o.Clones)), f.deployments) {
		secret.Register(ctx, git.Access{URI: address}.Secrets()...)
	}
	return o, nil
}

// reading asks something of a reader, as of now.
func (f *readerFlags) reading(ctx context.Context, verb string, log io.Writer, ask func(*lineage.Reader, lineage.Question) error) error {
	o, err := f.options(ctx, verb, log)
	if err != nil {
		return err
	}
	reader, question := lineage.New(o), f.question
	question.Now = time.Now()
	return errors.Join(ask(reader, question), reader.Close())
}

// addClones adds the repositories of values of --clone, by their addresses.
func addClones(clones map[string]string, values []string) error {
	for _, given := range values {
		address, place, err := cloneFlag(given)
		if err != nil {
			return err
		}
		clones[address] = place
	}
	return nil
}

// cloneFlag takes a value of --clone apart: ADDRESS=CLONE, an address, or a
// clone, whose address is that of its remote origin.
func cloneFlag(given string) (address, place string, err error) {
	if address, place, ok := strings.Cut(given, "="); ok && !isFolder(given) {
		return address, place, nil
	}
	if !isFolder(given) {
		return given, given, nil
	}
	address, err = lineage.Origin(given)
	if err != nil {
		return "", "", fmt.Errorf("--clone %s: %w; write ADDRESS=%s", given, err, given)
	}
	place, err = filepath.Abs(given)
	return address, place, err
}

func isFolder(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.IsDir()
}
