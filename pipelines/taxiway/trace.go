package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/lineage"
)

func traceCommand() *cobra.Command {
	var f traceFlags
	command := &cobra.Command{
		Use:   "trace --deployments CLONE",
		Short: "Say what every environment runs, back to the source commit",
		Long: "Say for every environment of a deployments repository what runs there and since when, the commit of its chart, the\n" +
			"digests of its images, the commits that those were built from and their releases, what is pending and why it waits.\n" +
			"What is missing in that chain is named and not guessed. The clone is read as it is: fetch before.",
		Example: "  taxiway trace --deployments ../deployments --clone ../charts --clone ../lana-bank --html lineage.html",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.deployments, "deployments", "", "clone of the deployments repository, or a bare one")
	flags.StringVar(&f.question.Branch, "branch", "", "branch that is deployed from (default main, or else master)")
	flags.StringArrayVar(&f.question.Configs, "config", nil, "cepler config in the repository, may be repeated (default: all that are found)")
	flags.StringArrayVar(&f.question.Environments, "env", nil, "environment, or deployment/environment, to look at; may be repeated (default: all)")
	flags.StringVar(&f.question.GatesBranch, "gates-branch", "", "branch of the gates files (default cepler-gates, where it is there)")
	flags.StringVar(&f.question.GatesFile, "gates-file", "", "gates file, with {deployment} for the deployment's name (default {deployment}.yml, where it is there)")
	flags.StringArrayVar(&f.clones, "clone", nil, "clone or address of a repository of charts or sources, to look commits and releases up in; may be repeated;\nADDRESS=CLONE for one that does not know its own address")
	flags.BoolVar(&f.registry, "registry", false, "ask the images' registries for their labels, with the logins of the Docker configuration")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.StringVar(&f.html, "html", "", "write a page to this file, - for the output")
	flags.BoolVar(&f.strict, "strict", false, "fail when a link of the chain is broken")
	return command
}

// traceFlags are what a user says.
type traceFlags struct {
	deployments, html      string
	clones                 []string
	registry, json, strict bool
	question               lineage.Question
}

func (f traceFlags) run(ctx context.Context, w, log io.Writer) (err error) {
	if f.deployments == "" {
		return usagef("trace: set --deployments to the clone to read")
	}
	o := lineage.Options{Deployments: f.deployments, Clones: map[string]string{}}
	o.Logf = func(format string, args ...any) { _, _ = fmt.Fprintf(log, format+"\n", args...) }
	if f.registry {
		o.Labels = lineage.Registry{}
	}
	if err := addClones(o.Clones, f.clones); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	reader := lineage.New(o)
	defer func() { err = errors.Join(err, reader.Close()) }()
	f.question.Now = time.Now()
	trace, err := reader.Trace(ctx, f.question)
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	if err := f.write(trace, w); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	if n := trace.Broken(); f.strict && n > 0 {
		return fmt.Errorf("trace: broken links: %d", n)
	}
	return nil
}

// write shows the trace in the way that was asked for.
func (f traceFlags) write(trace *lineage.Trace, w io.Writer) (err error) {
	switch {
	case f.html == "-":
		return trace.HTML(w)
	case f.html != "":
		file, err := os.Create(f.html)
		if err != nil {
			return err
		}
		if err := errors.Join(trace.HTML(file), file.Close()); err != nil || !f.json {
			return err
		}
		return trace.JSON(w)
	case f.json:
		return trace.JSON(w)
	}
	return trace.Text(w)
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
