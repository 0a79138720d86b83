package chartbump

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/provenance"
	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

// Edit is the verb for a laptop: it sets one digest and its comment in a values
// file of a checkout, as a put does, and leaves the commit to its user.
func Edit() concourse.Command {
	return concourse.Command{
		Name:  "edit",
		Usage: "edit [--values FILE] --repository URL --commit REF [--app NAME] [--subdir PATH] PATH DIGEST",
		Run:   runEdit,
	}
}

func runEdit(_ context.Context, p concourse.Process) error {
	var t target
	flags := flag.NewFlagSet("edit", flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	file := flags.String("values", "values.yaml", "the values file")
	flags.StringVar(&t.source.repository, "repository", "", "address of the source repository")
	flags.StringVar(&t.source.commit, "commit", "", "the commit that the image was built from")
	flags.StringVar(&t.image.App, "app", "", "the comment's app")
	flags.StringVar(&t.image.MonorepoSubdir, "subdir", "", "the comment's monorepo_subdir")
	if err := flags.Parse(p.Args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return errors.New("edit takes two arguments, the digest's path in the values and the new digest")
	}
	t.image.Path = flags.Arg(0)
	var err error
	if t.digest, err = parseDigest(flags.Arg(1)); err != nil {
		return fmt.Errorf("the second argument %w", err)
	}
	if err := t.metadata(provenance.Metadata{}).Validate(); err != nil {
		return fmt.Errorf("%w: see --repository and --commit", err)
	}
	changed, err := t.editFile(*file, func(format string, args ...any) {
		_, _ = fmt.Fprintf(p.Stderr, format+"\n", args...)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", *file, err)
	}
	said := "set"
	if !changed {
		said = "has this digest already"
	}
	_, err = fmt.Fprintf(p.Stdout, "%s: %s %s\n", *file, t.image.Path, said)
	return err
}

// editFile changes a file on disk, and reports whether there was a need to.
func (t target) editFile(name string, logf func(string, ...any)) (changed bool, err error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return false, err
	}
	f, err := parse(data, yamledit.Options{})
	if err != nil {
		return false, err
	}
	if _, err := t.edit(f, nil, logf); err != nil || !f.Changed() {
		return false, err
	}
	if data, err = f.Bytes(); err != nil {
		return false, err
	}
	return true, os.WriteFile(name, data, 0o644) //nolint:gosec // the user's own file, which keeps its mode
}
