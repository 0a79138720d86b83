package doctor

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
)

// repoInput is what the templates' tasks call the repository that they work in, and prepared its copy that is built.
const (
	repoInput     = "repo"
	preparedInput = "prepared"
)

// job looks at what the tasks of a job will read from repositories.
func (d *doctor) job(ctx context.Context, job pipeline.Job) error {
	artifacts := map[string]string{} // resource by artifact
	var tasks []*pipeline.Task
	for _, s := range job.AllSteps() {
		switch {
		case s.Get != nil:
			artifacts[s.Get.Name] = cmp.Or(s.Get.Resource, s.Get.Name)
		case s.Put != nil && !s.Put.NoGet:
			artifacts[s.Put.Name] = cmp.Or(s.Put.Resource, s.Put.Name)
		case s.Task != nil && s.Task.Config != nil:
			tasks = append(tasks, s.Task)
			for _, o := range s.Task.Config.Outputs {
				// a copy of the repository leads to the same resource
				if name := cmp.Or(s.Task.OutputMapping[o.Name], o.Name); name == preparedInput {
					artifacts[name] = artifacts[mapped(s.Task, repoInput)]
				}
			}
		}
	}
	for _, t := range tasks {
		if err := d.task(ctx, job, t, artifacts); err != nil {
			return err
		}
	}
	return nil
}

// mapped is the artifact of a task's input.
func mapped(t *pipeline.Task, input string) string { return cmp.Or(t.InputMapping[input], input) }

// asked are the paths that a task of the templates gets as its environment.
type askedPaths struct {
	directory, script, chart, values, dockerfile, context, program string
}

func (d *doctor) asks(t *pipeline.Task) (askedPaths, error) {
	params, err := d.filled(t.Config.Params)
	if err != nil {
		return askedPaths{}, err
	}
	text := func(name string) string {
		s, _ := params.Field(name).Text()
		if pipeline.HasRef(s) {
			return ""
		}
		return s
	}
	in := func(name string) string {
		rest, _ := strings.CutPrefix(text(name), preparedInput)
		return strings.TrimPrefix(rest, "/")
	}
	return askedPaths{
		directory: text("DIRECTORY"), script: text("SCRIPT_PATH"), chart: text("CHART"), values: text("VALUES"), program: text("PROGRAM"),
		dockerfile: in("DOCKERFILE"), context: in("CONTEXT"),
	}, nil
}

// task looks for the paths that a task gets as its environment.
func (d *doctor) task(ctx context.Context, job pipeline.Job, t *pipeline.Task, artifacts map[string]string) error {
	input := ""
	for _, i := range t.Config.Inputs {
		if i.Name == repoInput || i.Name == preparedInput {
			input = i.Name
		}
	}
	resource, ok := d.pipeline.Resource(artifacts[mapped(t, input)])
	if input == "" || !ok {
		return nil
	}
	src, err := decode[ceplerin.Source](d, resource.Source)
	if err != nil {
		return nil //nolint:nilerr // it has been reported with the resource
	}
	asked := d.asker("task "+t.Name+" of job", job.Name)
	r, err := d.repository(ctx, src.Access, asked)
	if err != nil || r == nil {
		return err
	}
	if _, ok := r.branches[src.Branch]; !ok {
		return nil
	}
	a, err := d.asks(t)
	if err != nil {
		return err
	}
	p := place{d: d, r: r, branch: src.Branch, asked: asked}
	switch {
	case d.typeOf(resource.Type) == "cepler-in":
		if p.env, err = d.envOf(ctx, r, src); err != nil || p.env == nil {
			return err
		}
		return p.deployment(ctx, a)
	case a.dockerfile != "":
		return p.build(ctx, a, prepares(job))
	}
	return p.flight(ctx, a)
}

// envOf is the environment of a source, or nil; what is wrong with it has been reported with the resource.
func (d *doctor) envOf(ctx context.Context, r *repository, src ceplerin.Source) (*cepler.Environment, error) {
	data, ok, err := r.read(ctx, src.Branch, src.ConfigPath())
	if err != nil || !ok {
		return nil, err
	}
	config, err := cepler.ParseConfig(src.ConfigPath(), data)
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // documented
	}
	env, err := config.Environment(src.Environment)
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // documented
	}
	return &env, nil
}

// prepares reports whether a job changes the source before it builds it.
func prepares(job pipeline.Job) bool {
	for _, t := range job.Tasks() {
		if command, ok := t.Config.Params.Field("COMMAND").Text(); ok && t.Name == "prepare" && command != "true" {
			return true
		}
	}
	return false
}

// place is where a task looks.
type place struct {
	d             *doctor
	r             *repository
	branch, asked string
	env           *cepler.Environment // that gets only some of the files; nil where everything is there
}

// want looks for a path, and then whether the environment gets it.
func (p place) want(ctx context.Context, w wanted) (bool, error) {
	w.asked, w.branch = p.asked, p.branch
	ok, err := p.d.path(ctx, p.r, w)
	if err != nil || !ok || p.env == nil {
		return ok, err
	}
	all, err := p.r.paths(ctx, p.branch)
	if err != nil || delivered(*p.env, all, w.name) {
		return true, err
	}
	p.d.find(Finding{
		Rule: "not-delivered", Level: Error, Place: p.r.at(p.branch, w.name), Asked: p.asked,
		Text:   fmt.Sprintf("is in the branch, and no pattern of environment %s matches it: the job does not get it", p.env.Name),
		Advice: fmt.Sprintf("add a pattern that matches it to latest or propagated of %s in the cepler config", p.env.Name),
	})
	return false, nil
}

// terraform looks for a Terraform configuration.
func (p place) terraform(ctx context.Context, rule, dir, text string) (bool, error) {
	all, err := p.r.paths(ctx, p.branch)
	if err != nil {
		return false, err
	}
	for _, name := range all {
		if path.Dir(name) == path.Clean(dir) && (strings.HasSuffix(name, ".tf") || strings.HasSuffix(name, ".tf.json") || strings.HasSuffix(name, ".tofu")) {
			return p.want(ctx, wanted{rule: rule, name: name, kind: file})
		}
	}
	main := path.Join(dir, "main.tf")
	_, err = p.want(ctx, wanted{
		rule: rule, name: main, kind: file, text: text,
		make: command("mkdir -p %s && printf '%%s\\n' 'terraform {}' >%s", p.r.file(dir), p.r.file(main)), advice: "it is empty at first: add what makes the environment, and a backend",
	})
	return false, err
}

// script looks for a script.
func (p place) script(ctx context.Context, name, what string) error {
	_, err := p.want(ctx, wanted{
		rule: "script-missing", name: name, kind: file, text: "is missing: " + what,
		make: command("mkdir -p %s && printf '%%s\\n' '#!/usr/bin/env bash' 'set -euo pipefail' >%s", p.r.file(path.Dir(name)), p.r.file(name)), advice: "it does nothing at first",
	})
	return err
}

// deployment is a task that deploys, or that checks after it.
func (p place) deployment(ctx context.Context, a askedPaths) error {
	switch {
	case a.chart != "":
		if _, err := p.want(ctx, wanted{
			rule: "deployed-chart-missing", name: path.Join(a.chart, "Chart.yaml"), kind: file, text: "is missing: the chart that helm installs",
			advice: "let the charts pipeline copy it first, run vendir sync, or correct the executor's chart in the values",
		}); err != nil {
			return err
		}
		values := path.Join(a.directory, a.values)
		_, err := p.want(ctx, wanted{
			rule: "deployed-values-missing", name: values, kind: file, text: "is missing: the values of this environment",
			make: command("mkdir -p %s && printf '%%s\\n' '{}' >%s", p.r.file(path.Dir(values)), p.r.file(values)),
		})
		return err
	case a.script != "":
		if err := p.script(ctx, a.script, "the script that the job runs"); err != nil {
			return err
		}
	case a.program != "":
		_, err := p.terraform(ctx, "terraform-missing", a.directory, "is missing: there is no Terraform configuration for this environment")
		return err
	}
	if a.directory == "" {
		return nil
	}
	keep := path.Join(a.directory, ".gitkeep")
	w := wanted{
		rule: "directory-missing", name: a.directory, kind: folder, text: "is missing: the folder of the environment that the job works in",
		make: command("mkdir -p %s && touch %s", p.r.file(a.directory), p.r.file(keep)), advice: "it is empty at first",
	}
	_, err := p.want(ctx, w)
	return err
}

// flight is a task of a test flight.
func (p place) flight(ctx context.Context, a askedPaths) error {
	if a.directory != "" && a.program != "" {
		ok, err := p.terraform(ctx, "flight-missing", a.directory, "is missing: the Terraform configuration that makes the test flight's namespace")
		if err != nil {
			return err
		}
		if ok {
			if err := p.variable(ctx, a.directory); err != nil {
				return err
			}
		}
	}
	if a.chart != "" {
		if _, err := p.want(ctx, wanted{
			rule: "chart-missing", name: path.Join(a.chart, "Chart.yaml"), kind: file, text: "is missing: there is no chart in " + a.chart,
			make: command("mkdir -p %s && printf '%%s\\n' 'apiVersion: v2' %s 'version: 0.1.0' >%s", p.r.file(a.chart), "name: "+path.Base(a.chart), p.r.file(path.Join(a.chart, "Chart.yaml"))),
		}); err != nil {
			return err
		}
	}
	if a.values != "" {
		if _, err := p.want(ctx, wanted{
			rule: "flight-values-missing", name: a.values, kind: file, text: "is missing: the values of the test flight",
			make: command("mkdir -p %s && printf '%%s\\n' '{}' >%s", p.r.file(path.Dir(a.values)), p.r.file(a.values)),
		}); err != nil {
			return err
		}
	}
	if a.script != "" {
		return p.script(ctx, a.script, "the smoke test of the chart")
	}
	return nil
}

// namespaceVariable declares the variable with which a test flight's namespace comes.
var namespaceVariable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`variable\s+"testflight_namespace"`) })

// variable looks for the declaration of testflight_namespace.
func (p place) variable(ctx context.Context, dir string) error {
	all, err := p.r.paths(ctx, p.branch)
	if err != nil {
		return err
	}
	for _, name := range all {
		if path.Dir(name) != path.Clean(dir) {
			continue
		}
		data, _, err := p.r.read(ctx, p.branch, name)
		if err != nil {
			return err
		}
		if namespaceVariable().Match(data) {
			return nil
		}
	}
	name := path.Join(dir, "namespace.tf")
	p.d.find(Finding{
		Rule: "flight-variable-missing", Level: Warning, Place: p.r.at(p.branch, dir), Asked: p.asked,
		Text:    "declares no variable testflight_namespace: every flight would use the same names",
		Command: command("printf '%%s\\n' 'variable \"testflight_namespace\" { type = string }' >%s && ", p.r.file(name)) + p.r.commit("feat: the namespace of a test flight", name),
	})
	return nil
}

// build is a task that builds an image. What prepares the source may make the files.
func (p place) build(ctx context.Context, a askedPaths, prepared bool) error {
	if prepared {
		got, err := p.r.look(ctx, p.branch, a.dockerfile)
		if err == nil && got == nothing {
			p.d.find(Finding{
				Rule: "dockerfile-not-committed", Level: Warning, Place: p.r.at(p.branch, a.dockerfile), Asked: p.asked,
				Text: "is not in the branch: prepare has to make it", Advice: "commit it, or look at the command of prepare in the values",
			})
		}
		return err
	}
	if a.context != "" {
		if ok, err := p.want(ctx, wanted{
			rule: "context-missing", name: a.context, kind: folder, text: "is missing: the folder that the image is built from",
			make: command("mkdir -p %s && touch %s", p.r.file(a.context), p.r.file(path.Join(a.context, ".gitkeep"))),
		}); err != nil || !ok {
			return err
		}
	}
	_, err := p.want(ctx, wanted{
		rule: "dockerfile-missing", name: a.dockerfile, kind: file, text: "is missing: the image is built by it",
		make: command("mkdir -p %s && printf '%%s\\n' 'FROM scratch' >%s", p.r.file(path.Dir(a.dockerfile)), p.r.file(a.dockerfile)), advice: "it builds an empty image at first",
	})
	return err
}
