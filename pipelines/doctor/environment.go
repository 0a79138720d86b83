package doctor

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
)

// environment finds the environment of a source in its config; nil if it is not there.
func (d *doctor) environment(ctx context.Context, r *repository, src deployments.Source, asked string) (*cepler.Environment, error) {
	name := src.ConfigPath()
	data, ok, err := d.content(ctx, r, wanted{
		rule: "config-missing", asked: asked, branch: src.Branch, name: name, text: "is missing: it says which files each environment gets, and in which order",
		make:   command("mkdir -p %s && taxiway init --print cepler.yml --environments %s >%s", r.file(path.Dir(name)), strings.Join(d.chain(src, false), ","), r.file(name)),
		advice: "then correct its patterns",
	})
	if err != nil || !ok {
		return nil, err
	}
	config, err := cepler.ParseConfig(name, data)
	if err == nil {
		err = config.Mistakes()
	}
	if err != nil {
		d.find(Finding{Rule: "config-invalid", Level: Error, Place: r.at(src.Branch, name), Asked: asked, Text: err.Error(), Advice: "correct it"})
		return nil, nil //nolint:nilnil,nilerr // documented
	}
	env, err := config.Environment(src.Environment)
	if err != nil {
		d.find(Finding{
			Rule: "environment-missing", Level: Error, Place: r.at(src.Branch, name), Asked: asked, Text: err.Error(),
			Advice: "render the pipeline again, or add the environment",
		})
		return nil, nil //nolint:nilnil,nilerr // documented
	}
	return &env, d.patterns(ctx, r, src, env, asked)
}

// patterns looks for files that each pattern of an environment matches.
func (d *doctor) patterns(ctx context.Context, r *repository, src deployments.Source, env cepler.Environment, asked string) error {
	all, err := r.paths(ctx, src.Branch)
	if err != nil {
		return err
	}
	for _, glob := range slices.Concat(env.Latest, env.Propagated) {
		if !slices.ContainsFunc(all, glob.Match) {
			d.find(Finding{
				Rule: "pattern-matches-nothing", Level: Warning, Place: r.at(src.Branch, src.ConfigPath()), Asked: asked,
				Text:   fmt.Sprintf("%s of environment %s matches no file", glob, env.Name),
				Advice: "commit a file there, or correct the pattern",
			})
		}
	}
	return nil
}

// delivered reports whether an environment gets anything at or below a path.
func delivered(env cepler.Environment, all []string, name string) bool {
	name = path.Clean(name)
	return slices.ContainsFunc(all, func(p string) bool {
		return (name == "." || p == name || strings.HasPrefix(p, name+"/")) && (env.Latest.Match(p) || env.Propagated.Match(p))
	})
}

// gate looks for the gate of an environment, and whether it can be resolved.
func (d *doctor) gate(ctx context.Context, r *repository, src deployments.Source, asked string) error {
	branch, env := src.GatesBranchName(), src.Environment
	var all strings.Builder
	for _, name := range d.chain(src, true) {
		all.WriteString(gateLine(name))
	}
	lines := all.String()
	if _, ok := r.branches[branch]; !ok {
		d.find(Finding{
			Rule: "gates-branch-missing", Level: Error, Place: r.place(), Asked: asked, Text: fmt.Sprintf("has no branch %s: the gates are kept there", branch),
			Command: r.newBranch(branch, src.GatesFile, lines, "chore: gates"), Advice: r.push(branch),
		})
		return nil
	}
	d.pushed(r, branch, r.branches[branch])
	data, ok, err := r.read(ctx, branch, src.GatesFile)
	if err != nil {
		return err
	}
	if !ok {
		d.find(Finding{
			Rule: "gates-file-missing", Level: Error, Place: r.at(branch, src.GatesFile), Asked: asked, Text: "is missing",
			Command: r.writeOn(branch, src.GatesFile, lines, "chore: gates", ">"), Advice: r.push(branch),
		})
		return nil
	}
	gates, err := cepler.ParseGates(src.GatesFile, data)
	if err != nil {
		d.find(Finding{Rule: "gates-file-invalid", Level: Error, Place: r.at(branch, src.GatesFile), Asked: asked, Text: err.Error(), Advice: "correct it"})
		return nil //nolint:nilerr // it is a finding
	}
	if _, ok := gates.For(env); !ok {
		d.find(Finding{
			Rule: "gate-missing", Level: Error, Place: r.at(branch, src.GatesFile), Asked: asked, Text: fmt.Sprintf("has no gate for %s: it gets nothing", env),
			Command: r.writeOn(branch, src.GatesFile, gateLine(env), "chore: gate of "+env, ">>"), Advice: r.push(branch),
		})
		return nil
	}
	return d.resolved(ctx, r, src, asked)
}

// chain are the environments that the pipeline has of a config, in its order; those with a gate in the same file, if gated.
func (d *doctor) chain(src deployments.Source, gated bool) []string {
	var all []string
	for _, r := range d.pipeline.Resources {
		other, err := decode[ceplerin.Source](d, r.Source)
		if d.typeOf(r.Type) != "cepler-in" || err != nil || other.URI != src.URI || other.ConfigPath() != src.ConfigPath() {
			continue
		}
		if !gated || other.GatesFile == src.GatesFile && other.GatesBranchName() == src.GatesBranchName() {
			all = append(all, other.Environment)
		}
	}
	return all
}

// gateLine is a gate that lets everything through, as a line of a gates file.
func gateLine(environment string) string { return environment + ": HEAD\n" }

// resolved looks whether the gate is a commit of the branch.
func (d *doctor) resolved(ctx context.Context, r *repository, src deployments.Source, asked string) error {
	refs := map[string]git.Hash{}
	for name, h := range r.branches {
		refs["refs/heads/"+name] = h
	}
	for name, h := range r.refs {
		if strings.HasPrefix(name, "refs/tags/") {
			refs[name] = h
		}
	}
	repo := deployments.Copy(src, r.store, func() (map[string]git.Hash, error) { return refs, nil }, d.Logf)
	view, err := repo.ViewNow(ctx)
	if err != nil {
		return err
	}
	for _, name := range view.Gates.Environments() {
		if _, err := view.Config.Environment(name); err != nil {
			d.find(Finding{
				Rule: "gate-of-no-environment", Level: Warning, Place: r.at(src.GatesBranchName(), src.GatesFile), Asked: asked,
				Text: fmt.Sprintf("has a gate for %s, and the config has no such environment", name), Advice: "remove the line, or correct the name",
			})
		}
	}
	if _, err := repo.Plan(ctx, view, src.Environment, time.Now()); err != nil && ctx.Err() == nil {
		d.find(Finding{
			Rule: "gate-invalid", Level: Error, Place: r.at(src.GatesBranchName(), src.GatesFile), Asked: asked, Text: err.Error(),
			Command: r.writeOnLine(src.GatesBranchName(), src.GatesFile, src.Environment),
		})
	}
	return ctx.Err()
}

// writeOnLine is a command that sets a gate, which is a line of its own, to HEAD.
func (r *repository) writeOnLine(branch, name, environment string) string {
	edit := command("sed -i.orig %s", "s|^"+environment+":.*|"+environment+": HEAD|") + ` "$T/"` + Quote(name) + ` && rm "$T/"` + Quote(name+".orig")
	return r.onWorkTree(branch, edit, name, "chore: gate of "+environment)
}

// writeOn is a command that writes or appends to a file of a branch which is not checked out.
func (r *repository) writeOn(branch, name, text, message, redirect string) string {
	edit := `mkdir -p "$T/"` + Quote(path.Dir(name)) + " && " + printed(text) + " " + redirect + `"$T/"` + Quote(name)
	return r.onWorkTree(branch, edit, name, message)
}

// onWorkTree is a command that changes a file in a work tree of its own, which is then removed.
func (r *repository) onWorkTree(branch, edit, name, message string) string {
	return "T=$(mktemp -d) && " + r.do("worktree add --quiet ") + `"$T" ` + Quote(branch) + " && " + edit +
		` && git -C "$T" add ` + Quote(name) + command(` && git -C "$T" commit --quiet --message %s && `, message) + r.do("worktree remove ") + `"$T"`
}

// newBranch is a command that makes a branch without a history, with one file.
func (r *repository) newBranch(branch, name, text, message string) string {
	if strings.Contains(name, "/") {
		return "" // git mktree takes no folders
	}
	blob := printed(text) + " | " + r.do("hash-object -w --stdin")
	tree := "printf '100644 blob %s\\t%s\\n' " + `"$(` + blob + `)" ` + Quote(name) + " | " + r.do("mktree")
	return r.do("branch %s ", branch) + `"$(` + r.do("commit-tree -m %s ", message) + `"$(` + tree + `)")"`
}

// printed is a command that writes lines.
func printed(text string) string {
	words := []string{}
	for line := range strings.Lines(text) {
		words = append(words, Quote(strings.TrimSuffix(line, "\n")))
	}
	return "printf '%s\\n' " + strings.Join(words, " ")
}
