package ceplerin

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	store, err := git.OpenLocal(*dir)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if src.Branch == "" {
		if src.Branch, err = currentBranch(*dir); err != nil {
			return err
		}
	}
	explanation, err := deployments.ExplainLocal(ctx, src, store, time.Now(), flags.Args()...)
	if err != nil {
		return err
	}
	if *asJSON {
		return explanation.JSON(p.Stdout)
	}
	return explanation.Text(p.Stdout)
}

// currentBranch is the branch that is checked out in dir.
func currentBranch(dir string) (string, error) {
	head, err := os.ReadFile(filepath.Join(dir, ".git", "HEAD"))
	if os.IsNotExist(err) {
		head, err = os.ReadFile(filepath.Join(dir, "HEAD")) // a bare repository
	}
	if err != nil {
		return "", fmt.Errorf("find the branch that is checked out in %s: %w; name one with --branch", dir, err)
	}
	name, ok := strings.CutPrefix(strings.TrimSpace(string(head)), "ref: refs/heads/")
	if !ok {
		return "", fmt.Errorf("no branch is checked out in %s: name one with --branch", dir)
	}
	return name, nil
}
