package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal/world"
	"github.com/taxiway-ci/taxiway/internal/secret"
	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/visible"
	"github.com/taxiway-ci/taxiway/pipelines"
	"github.com/taxiway-ci/taxiway/pipelines/doctor"
)

func doctorCommand() *cobra.Command {
	var f doctorFlags
	command := &cobra.Command{
		Use:   "doctor PIPELINE...",
		Short: "Look whether your repositories have everything that the pipelines will ask for",
		Long: "Look whether your repositories have everything that the pipelines will ask for: branches, gates, cepler configs, charts,\n" +
			"test flights, entries of vendir.yml, Dockerfiles, scripts, workflows. Each finding has a name and the command that fixes it.\n" +
			pipelineArgs + "\n" +
			"Clones are read as they are, branches and not work trees; repositories without a clone are read at their addresses.",
		Example: "  taxiway doctor deployments=../deployments/ci/deployments.values.yml --repository ../deployments\n" +
			"  taxiway doctor release.yml charts.yml --repository app=../app --repository charts=../charts --repository deployments=../deployments",
		Args: some("name the pipelines, for example: taxiway doctor deployments=values.yml --repository ../deployments"),
		RunE: func(cmd *cobra.Command, args []string) error { return failed("doctor", f.run(cmd, args)) },
	}
	repositoryFlag(command, &f.repositories, "to look at, in place of the one that the pipeline names")
	flags := command.Flags()
	f.vars.register(command)
	flags.BoolVar(&f.forges, "forges", false, "ask the forges what the credentials in the variables may do")
	flags.StringVar(&f.concourse, "concourse", "", "version of your Concourse, to compare with what the pipelines need")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	return command
}

// doctorFlags are what a user says.
type doctorFlags struct {
	repositories []string
	vars         varFlags
	forges, json bool
	concourse    string
}

func (f *doctorFlags) run(cmd *cobra.Command, args []string) error {
	report, err := f.examine(cmd.Context(), args, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if f.json {
		err = writeJSON(cmd.OutOrStdout(), report)
	} else {
		err = writeReport(cmd.OutOrStdout(), report)
	}
	if n := report.Errors(); err == nil && n > 0 {
		return errors.New(plural(n, "error"))
	}
	return err
}

// examine reads the pipelines, and looks at everything. A pipeline that cannot be read is a finding.
func (f *doctorFlags) examine(ctx context.Context, args []string, log io.Writer) (doctor.Report, error) {
	vars, err := f.vars.lookup()
	if err != nil {
		return doctor.Report{}, err
	}
	if vars == nil {
		vars = pipeline.Vars(nil)
	}
	q := doctor.Question{Vars: vars, Forges: f.forges}
	q.Logf = logMasked(ctx, log)
	if q.Clones, err = clonesOf(f.repositories); err != nil {
		return doctor.Report{}, err
	}
	findings := tools()
	files, err := read(args)
	if err != nil {
		findings = append(findings, doctor.Finding{Rule: "pipeline-unread", Level: doctor.Error, Place: strings.Join(args, " "), Text: err.Error(), Advice: "correct it, and look again"})
		return doctor.Report{Findings: findings}, ctx.Err()
	}
	for _, file := range files {
		p, found := parsed(file)
		findings = append(findings, found...)
		if p != nil {
			q.Pipelines = append(q.Pipelines, doctor.Pipeline{File: file.File, Pipeline: p})
		}
	}
	concourse, err := f.old(q.Pipelines)
	if err != nil {
		return doctor.Report{}, err
	}
	report, err := doctor.Examine(ctx, q)
	report.Findings = append(append(findings, concourse...), report.Findings...)
	for i := range report.Findings {
		report.Findings[i].Text = secret.Text(ctx, report.Findings[i].Text)
	}
	return report, err
}

// parsed is a pipeline, and what lint says against it.
func parsed(file world.Pipeline) (*pipeline.Pipeline, []doctor.Finding) {
	if findings := pipeline.Lint(file.File, file.Text, pipelines.OwnTypes()); findings.Errors() > 0 {
		return nil, []doctor.Finding{{
			Rule: "lint", Level: doctor.Error, Place: file.File, Text: fmt.Sprintf("has %s, the first: %s", plural(findings.Errors(), "error"), findings[0]),
			Command: "taxiway lint " + file.File,
		}}
	}
	p, err := pipeline.Parse(file.File, file.Text)
	if err != nil {
		return nil, []doctor.Finding{{Rule: "lint", Level: doctor.Error, Place: file.File, Text: err.Error(), Command: "taxiway lint " + file.File}}
	}
	return p, nil
}

// tools are the programs that are missing on this machine.
func tools() []doctor.Finding {
	var found []doctor.Finding
	missing := func(program string, level doctor.Level, purpose, advice string) {
		if _, err := exec.LookPath(program); err != nil {
			found = append(found, doctor.Finding{Rule: program + "-missing", Level: level, Place: "PATH", Text: program + " is not there: " + purpose, Advice: advice})
		}
	}
	missing("git", doctor.Error, "taxiway copies repositories with it", "install git")
	missing("fly", doctor.Warning, "pipelines are set with it", "download it from your Concourse's web page, at the bottom")
	return found
}

// noGetSince is the first version of Concourse whose put steps know no_get, the newest thing that the templates use.
const noGetSince = "7.9.0"

// old compares the Concourse that was named with what the pipelines need.
func (f *doctorFlags) old(all []doctor.Pipeline) ([]doctor.Finding, error) {
	if f.concourse == "" {
		return nil, nil
	}
	has, err := version.Parse(strings.TrimPrefix(f.concourse, "v"))
	if err != nil {
		return nil, usagef("--concourse %s: write the version as your Concourse's page has it, such as 7.14.1", f.concourse)
	}
	needs, err := version.Parse(noGetSince)
	if err != nil || has.Compare(needs) >= 0 {
		return nil, err
	}
	for _, p := range all {
		for _, job := range p.Jobs {
			if slices.ContainsFunc(job.AllSteps(), func(s pipeline.Step) bool { return s.Put != nil && s.Put.NoGet }) {
				return []doctor.Finding{{
					Rule: "concourse-old", Level: doctor.Error, Place: "Concourse " + f.concourse, Asked: "job " + job.Name + " of " + p.File,
					Text: "does not know no_get, which came with " + noGetSince, Advice: "upgrade Concourse",
				}}, nil
			}
		}
	}
	return nil, nil
}

// writeReport writes a report for people.
func writeReport(w io.Writer, r doctor.Report) error {
	p := &prose{width: columns(w)}
	for _, f := range r.Findings {
		p.line("", "%s: %s: %s [%s]", f.Level, f.Place, f.Text, f.Rule)
		if f.Asked != "" {
			p.line("  asked by ", "%s", f.Asked)
		}
		if f.Command != "" {
			// in one line, so that it can be copied
			p.text.WriteString("  fix it: " + visible.Line(f.Command) + "\n")
		}
		if f.Advice != "" {
			p.line("  "+adviceLead(f), "%s", f.Advice)
		}
		p.line("", "")
	}
	for _, place := range r.Looked {
		p.line("looked at ", "%s", place)
	}
	warnings := len(r.Findings) - r.Errors()
	p.line("", "%s, %s", plural(r.Errors(), "error"), plural(warnings, "warning"))
	_, err := io.WriteString(w, p.String())
	return err
}

func adviceLead(f doctor.Finding) string {
	if f.Command == "" {
		return "fix it: "
	}
	return "         "
}
