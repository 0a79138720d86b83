package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/nearest"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/strict"
	"github.com/taxiway-ci/taxiway/internal/visible"
	"github.com/taxiway-ci/taxiway/internal/workflow"
	"github.com/taxiway-ci/taxiway/pipelines"
)

// lintFlags say what is looked for, and how findings are printed.
type lintFlags struct {
	format, baseline string
	allow            []string
	vars             varFlags
	rules            bool
}

func lintCommand() *cobra.Command {
	var flags lintFlags
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Say what is wrong with pipelines, workflows and rulesets, and how to fix it",
		Long: "Say what is wrong with pipeline files, and how to fix it; - is standard input.\n" +
			"Finds what `fly validate-pipeline --strict` finds, and what only shows when the pipeline runs.\n" +
			"Of workflows of GitHub Actions it finds what is unsafe for pull requests; together with the ruleset of a branch\n" +
			"(a file .json), also required checks that no workflow reports.\n" +
			"Exit status 1 when there is an error; warnings are only printed.\n\n" +
			"A comment in the line of a finding, or in the line above, allows it:\n" +
			"  # taxiway: allow unpinned-image because this image has no other tags\n" +
			"To adopt it step by step, keep today's findings in a file, and hear of new ones only:\n" +
			"  taxiway lint --format json pipeline.yml >lint-baseline.json\n" +
			"  taxiway lint --baseline lint-baseline.json pipeline.yml",
		Example: "  taxiway lint pipelines/examples/*/*/want.yml\n" +
			"  taxiway lint .github/workflows/*.yml .github/ruleset.json",
		Args: func(cmd *cobra.Command, args []string) error {
			if flags.rules {
				return nil
			}
			return some("name the pipeline files, for example: lint pipeline.yml")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.rules {
				return printRules(cmd.OutOrStdout())
			}
			return failed("lint", flags.run(cmd, args))
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.format, "format", "text", "how findings are printed: text (file:line: …, as editors read it), github (annotations of a workflow) or json (one a line)")
	f.StringArrayVar(&flags.allow, "allow", nil, "rule that finds nothing, may be repeated")
	f.StringVar(&flags.baseline, "baseline", "", "file with the output of an earlier --format json: these findings are left out")
	f.BoolVar(&flags.rules, "rules", false, "list the rules")
	flags.vars.register(cmd)
	return cmd
}

// run lints files; the error counts the errors among the findings.
func (f *lintFlags) run(cmd *cobra.Command, files []string) error {
	show, ok := formats()[f.format]
	if !ok {
		return usagef("lint: --format %s is not one of %s", f.format, strings.Join(slices.Sorted(maps.Keys(formats())), ", "))
	}
	if err := knownRules(f.allow); err != nil {
		return err
	}
	lookup, err := f.vars.lookup()
	if err != nil {
		return err
	}
	known, err := readBaseline(f.baseline)
	if err != nil {
		return err
	}
	var findings pipeline.Findings
	checks := map[string][]byte{} // workflows and rulesets, which belong together
	for _, file := range files {
		data, err := readPipeline(cmd, file)
		if err != nil {
			return err
		}
		if filepath.Ext(file) == ".json" || workflow.IsWorkflow(data) {
			checks[file] = data
			continue
		}
		findings = append(findings, pipeline.LintWith(file, data, pipeline.Options{Types: pipelines.OwnTypes(), Vars: lookup, Allow: f.allow})...)
	}
	// a ruleset requires what a workflow reports, so that they are looked at together
	findings = append(findings, slices.DeleteFunc(workflow.Lint(checks), func(found pipeline.Finding) bool { return slices.Contains(f.allow, found.Rule) })...)
	findings = known.without(findings)
	if err := printFindings(cmd.OutOrStdout(), show, findings); err != nil {
		return err
	}
	if left := known.left(); left > 0 {
		cmd.PrintErrf("%d findings of %s are gone: write it anew with --format json\n", left, f.baseline)
	}
	if n := findings.Errors(); n > 0 {
		return errors.New(plural(n, "error"))
	}
	return nil
}

// allRules are those of pipelines and of workflows, by name.
func allRules() []pipeline.Rule {
	all := append(pipeline.Rules(), workflow.Rules()...)
	slices.SortFunc(all, func(a, b pipeline.Rule) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func knownRules(allowed []string) error {
	var names []string
	for _, rule := range allRules() {
		names = append(names, rule.Name)
	}
	for _, rule := range allowed {
		if slices.Contains(names, rule) {
			continue
		}
		hint := "--rules lists them"
		if near := nearest.Of(rule, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		return usagef("lint: --allow %s: there is no such rule; %s", rule, hint)
	}
	return nil
}

func readPipeline(cmd *cobra.Command, file string) ([]byte, error) {
	if file != "-" {
		return strict.ReadYAML(file)
	}
	data, err := strict.ReadAll(cmd.InOrStdin())
	if err == nil {
		err = strict.Few(data)
	}
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	return data, nil
}

func printRules(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, rule := range allRules() {
		if _, err := fmt.Fprintf(t, "%s\tfinds %s\n", rule.Name, rule.Finds); err != nil {
			return err
		}
	}
	return t.Flush()
}

// formats are the ways to print a finding, by name.
func formats() map[string]func(pipeline.Finding) string {
	return map[string]func(pipeline.Finding) string{
		"text":   withRule,
		"github": annotation,
		"json":   jsonLine,
	}
}

// withRule is a finding for people, who need the rule's name to allow it.
func withRule(f pipeline.Finding) string { return f.String() + " [" + f.Rule + "]" }

// annotation is a finding as a command to a GitHub workflow:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
func annotation(f pipeline.Finding) string {
	property := strings.NewReplacer(":", "%3A", ",", "%2C")
	where := "file=" + property.Replace(annotated(f.File))
	if f.Line > 0 {
		where += fmt.Sprintf(",line=%d", f.Line)
	}
	text := f.Text
	if f.Mend != "" {
		text += "; " + f.Mend
	}
	return fmt.Sprintf("::%s %s,title=%s::%s", f.Severity, where, property.Replace(annotated(f.Rule)), annotated(text))
}

// annotated encodes a text for a workflow command.
func annotated(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

// written is a finding in JSON.
type written struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Severity string `json:"severity"`
	Rule     string `json:"rule"`
	Text     string `json:"text"`
	Mend     string `json:"mend,omitempty"`
}

func jsonLine(f pipeline.Finding) string {
	line, err := json.Marshal(written{f.File, f.Line, f.Severity.String(), f.Rule, f.Text, f.Mend})
	if err != nil {
		return f.String() // strings and numbers always have a JSON form
	}
	return string(line)
}

// lint prints the findings of one pipeline and counts the errors among them.
func lint(w io.Writer, file string, data []byte, vars pipeline.Lookup) (int, error) {
	findings := pipeline.LintWith(file, data, pipeline.Options{Types: pipelines.OwnTypes(), Vars: vars})
	return findings.Errors(), printFindings(w, withRule, findings)
}

func printFindings(w io.Writer, show func(pipeline.Finding) string, findings pipeline.Findings) error {
	for _, f := range findings {
		if _, err := fmt.Fprintln(w, visible.Line(show(f))); err != nil { // a finding quotes the file
			return fmt.Errorf("print the findings: %w", err)
		}
	}
	return nil
}
