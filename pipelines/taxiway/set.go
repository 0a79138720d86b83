package main

import (
	"cmp"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/visible"
	"github.com/taxiway-ci/taxiway/pipelines"
)

// setFlags say where the pipeline goes.
type setFlags struct {
	renderFlags
	target, team, name, output string
	execute                    bool
	// handed on to fly as they are
	vars                             varFlags
	checkCredentials, noninteractive bool
}

func setCommand() *cobra.Command {
	var flags setFlags
	cmd := &cobra.Command{
		Use:   "set TEMPLATE --values FILE --target TARGET",
		Short: "Render and check a pipeline, then show (or run) the fly command that sets it",
		Example: "  taxiway set deployments --values values.yml --repository ../deployments --target ci\n" +
			"  taxiway set deployments --values values.yml --repository ../deployments --target ci --execute",
		Args: exactly(1, "name one template, for example: set deployments --values FILE --target TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd, args[0]) },
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&flags.target, "target", "", "fly target, as in fly --target")
	cmd.Flags().StringVar(&flags.team, "team", "", "team of the pipeline (default: the target's)")
	cmd.Flags().StringVar(&flags.name, "pipeline", "", "name of the pipeline (default: the template's)")
	cmd.Flags().StringVar(&flags.output, "output", "", "file for the pipeline (default: TEMPLATE.yml in the current folder)")
	cmd.Flags().BoolVar(&flags.execute, "execute", false, "run fly, which shows the difference and asks")
	cmd.Flags().BoolVar(&flags.noninteractive, "non-interactive", false, "let fly apply the difference without a question, as without a terminal")
	flags.vars.register(cmd)
	cmd.Flags().BoolVar(&flags.checkCredentials, "check-creds", false, "let fly check that the credential manager has every ((var))")
	return cmd
}

func (f *setFlags) run(cmd *cobra.Command, template string) error {
	if f.target == "" {
		return usagef("set %s: name the fly target: --target TARGET", template)
	}
	r, err := f.rendering(template)
	if err != nil {
		return err
	}
	if template == pipelines.Checks {
		return usagef("set checks: the checks are not a pipeline; write them with: render checks --values FILE --output DIR")
	}
	rendered, err := r.Render()
	if err != nil {
		return err
	}
	file := cmp.Or(f.output, template+".yml")
	vars, err := f.vars.lookup()
	if err != nil {
		return fmt.Errorf("set %s: %w", template, err)
	}
	if faults, err := lint(cmd.ErrOrStderr(), file, rendered, vars); err != nil || faults > 0 {
		return cmp.Or(err, fmt.Errorf("set %s: the pipeline has faults and was not written", template))
	}
	if err := f.warnOfPath(cmd, template, rendered); err != nil {
		return err
	}
	if err := writePipeline(cmd, rendered, file); err != nil {
		return err
	}
	return f.fly(cmd, template, file)
}

// warnOfPath warns if the job set-self would look for the values at another path than theirs.
func (f *setFlags) warnOfPath(cmd *cobra.Command, template string, rendered []byte) error {
	p, err := pipeline.Parse(template, rendered)
	if err != nil {
		return err
	}
	file, err := filepath.Abs(f.values)
	if err != nil {
		return fmt.Errorf("set %s: find the values: %w", template, err)
	}
	own, ok := p.Resource("pipeline-values")
	if !ok {
		return nil
	}
	if name, _ := own.Source.Field("paths").Items()[0].Text(); !strings.HasSuffix(filepath.ToSlash(file), path.Join("/", name)) {
		cmd.PrintErrf("set %s: warning: set_self.values is %s, which is not the end of the path of the values, %s: if the repository has no such file, the job set-self never runs; "+
			"correct set_self.values and set the pipeline again\n", template, visible.Line(name), visible.Line(f.values))
	}
	return nil
}

// fly prints the command, or runs it on the caller's terminal.
func (f *setFlags) fly(cmd *cobra.Command, template, file string) error {
	args := f.flyArgs(cmp.Or(f.name, template), file)
	if !f.execute {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "fly", strings.Join(args, " "))
		return err
	}
	if _, err := exec.LookPath("fly"); err != nil {
		return fmt.Errorf("set %s: fly is not on PATH: download it from your Concourse's web page, or omit --execute to see the command", template)
	}
	if !f.noninteractive && !isTerminal(cmd.InOrStdin()) {
		return fmt.Errorf("set %s: there is no terminal on which fly could ask; add --non-interactive, or omit --execute to see the command", template)
	}
	if err := inForeground(cmd, "fly", args...); err != nil {
		return fmt.Errorf("set %s: fly did not set the pipeline (%w): see above; a target that it does not know needs fly --target %s login --concourse-url ADDRESS", template, err, f.target)
	}
	return nil
}

// flyArgs are the arguments of fly set-pipeline.
func (f *setFlags) flyArgs(name, file string) []string {
	args := []string{"--target", f.target, "set-pipeline", "--pipeline", name, "--config", file}
	if f.team != "" {
		args = append(args, "--team", f.team)
	}
	for _, vars := range f.vars.files {
		args = append(args, "--load-vars-from", vars)
	}
	for _, v := range f.vars.vars {
		args = append(args, "--var", v)
	}
	if f.checkCredentials {
		args = append(args, "--check-creds")
	}
	if f.noninteractive {
		args = append(args, "--non-interactive")
	}
	return args
}
