package ceplerin

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Explain is the verb for a laptop: in a clone of a deployments repository it
// says what every environment runs, what is pending and why it waits.
func Explain() concourse.Command {
	return concourse.Command{
		Name:  "explain",
		Usage: "explain [-C DIR] [--config FILE] [--branch NAME] [--gates-file FILE] [--gates-branch NAME] [--ignore-queue] [--json] [ENVIRONMENT…]",
		Run:   runExplain,
	}
}

func runExplain(ctx context.Context, p concourse.Process) error {
	var src deployments.Source
	flags := flag.NewFlagSet("explain", flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	dir := flags.String("C", ".", "the clone's folder")
	asJSON := flags.Bool("json", false, "write JSON")
	flags.StringVar(&src.Config, "config", "cepler.yml", "cepler's config, from the repository's root")
	flags.StringVar(&src.Branch, "branch", "", "the branch; default: the one that is checked out")
	flags.StringVar(&src.GatesFile, "gates-file", "", "the gates file")
	flags.StringVar(&src.GatesBranch, "gates-branch", "", "the branch the gates file is in; default: the same branch")
	flags.BoolVar(&src.IgnoreQueue, "ignore-queue", false, "take the upstream's newest state")
	if err := flags.Parse(p.Args); err != nil {
		return err
	}
	clone, err := git.OpenClone(*dir)
	if err != nil {
		return err
	}
	defer func() { _ = clone.Close() }()
	if src.Branch == "" {
		if src.Branch, err = currentBranch(clone); err != nil {
			return err
		}
	}
	explanation, err := deployments.ExplainLocal(ctx, src, clone, time.Now(), flags.Args()...)
	if err != nil {
		return err
	}
	if *asJSON {
		return explanation.JSON(p.Stdout)
	}
	return explanation.Text(p.Stdout)
}

// currentBranch is the branch that is checked out.
func currentBranch(clone *git.Clone) (string, error) {
	name, err := clone.Head()
	if err == nil && name == "" {
		err = errors.New("a commit is checked out by itself")
	}
	if err != nil {
		return "", fmt.Errorf("find the branch that is checked out in %s: %w; name one with --branch", clone.URL(), err)
	}
	return name, nil
}
