package vendirbump

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/vendored"
)

// Sync is the verb for a laptop: it moves the copy in a checkout to what is
// checked out in a clone, and leaves the commit to its user.
func Sync() concourse.Command {
	return concourse.Command{
		Name:  "sync",
		Usage: "sync [-C DIR] [--config FILE] --directory PATH [--content PATH] [--commit HASH] CLONE",
		Run:   runSync,
	}
}

func runSync(ctx context.Context, p concourse.Process) (err error) {
	var src Source
	dir, from, commit, err := syncFlags(p, &src)
	if err != nil {
		return err
	}
	if err := src.target().Validate(); err != nil {
		return fmt.Errorf("--%w", err)
	}
	clone, err := git.OpenClone(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, clone.Close()) }()
	origin, err := vendored.OpenOrigin(ctx, clone, commit)
	if err != nil {
		return err
	}
	disk, err := vendored.OpenDisk(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	plan, err := vendored.Make(ctx, disk, src.target(), origin)
	if err != nil {
		return err
	}
	warn(p.Stderr, src.target().Config, plan)
	if err := disk.Apply(plan); err != nil {
		return err
	}
	outcome := "already"
	if len(plan.Edits) > 0 {
		outcome = "now: " + counts(plan)
	}
	_, err = fmt.Fprintf(p.Stdout, "%s is the copy of %.7s %s\n", plan.Dir, plan.New, outcome)
	return err
}

// warn says what a person should look at, also when the files can't be written.
func warn(w io.Writer, config string, plan *vendored.Plan) {
	for _, text := range plan.Warnings {
		_, _ = fmt.Fprintf(w, "warning: %s: %s\n", config, text)
	}
	for _, text := range plan.Undeployable {
		_, _ = fmt.Fprintf(w, "warning: %s: %s\n", plan.Dir, text)
	}
}

// syncFlags reads the command line: the checkout, the clone, the commit to copy and, into the source, what is copied.
func syncFlags(p concourse.Process, src *Source) (dir, clone, commit string, err error) {
	flags := flag.NewFlagSet("sync", flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	flags.StringVar(&dir, "C", ".", "the checkout with vendir.yml")
	flags.StringVar(&commit, "commit", "", "the commit to copy; default: what is checked out in the clone")
	flags.StringVar(&src.Config, "config", defaultConfig, "vendir.yml, from the checkout's root")
	flags.StringVar(&src.Directory, "directory", "", "one of its directories")
	flags.StringVar(&src.Content, "content", "", "one of the directory's contents; default: the only one")
	if err = flags.Parse(p.Args); err == nil && flags.NArg() != 1 {
		err = errors.New("sync takes one argument, the clone of the repository that is copied")
	}
	return dir, flags.Arg(0), commit, err
}
