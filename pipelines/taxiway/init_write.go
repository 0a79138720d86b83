package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/gitprogram"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/strict"
	"github.com/taxiway-ci/taxiway/internal/vendored"
	"github.com/taxiway-ci/taxiway/pipelines"
	"github.com/taxiway-ci/taxiway/pipelines/doctor"
	"github.com/taxiway-ci/taxiway/pipelines/starter"
)

// Files that init writes.
const (
	releaseValues     = "ci/release.values.yml"
	chartsValues      = "ci/charts.values.yml"
	deploymentsValues = "ci/deployments.values.yml"
	rehearsalVars     = "ci/rehearsal.vars.yml"
	vendirFile        = "vendir.yml"
)

// writer writes what is missing into the clones.
type writer struct {
	answers       starter.Answers
	dry, noCommit bool
	terminal      bool
	out           io.Writer

	// of the clone at hand
	clone   *gitprogram.Clone
	dir     string
	written []string
	// branches are what is to be pushed, by folder.
	branches map[string][]string
}

func (w *writer) run(ctx context.Context) error {
	w.branches = map[string][]string{}
	steps := []func(context.Context) error{w.app, w.charts, w.deployments}
	if w.answers.Forge == starter.Git {
		steps = steps[1:]
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin turns to a clone.
func (w *writer) begin(ctx context.Context, r starter.Repository) (err error) {
	w.dir, w.written = r.Dir, nil
	w.clone, err = gitprogram.Open(ctx, r.Dir, w.terminal)
	return err
}

func (w *writer) app(ctx context.Context) error {
	if err := w.begin(ctx, w.answers.App); err != nil {
		return err
	}
	if err := w.file(releaseValues, "release.values.yml", w.answers); err != nil {
		return err
	}
	_, err := w.commit(ctx, w.answers.App)
	return err
}

func (w *writer) charts(ctx context.Context) error {
	a := w.answers
	if err := w.begin(ctx, a.Charts); err != nil {
		return err
	}
	flight := "ci/testflight/" + a.Chart + "/"
	terraform := w.unless(flight+"*.tf", flight+"main.tf", "testflight.tf", a)
	err := errors.Join(
		w.file(chartsValues, "charts.values.yml", a),
		terraform,
		w.file(flight+"values.yml", "testflight.values.yml", a),
		w.file(flight+"smoketest.sh", "smoketest.sh", a),
	)
	if err != nil {
		return err
	}
	w.answers.Ref, err = w.commit(ctx, a.Charts)
	return err
}

func (w *writer) deployments(ctx context.Context) error {
	a := w.answers
	if err := w.begin(ctx, a.Deployments); err != nil {
		return err
	}
	copies := !w.has(vendirFile)
	err := errors.Join(
		w.file("cepler.yml", "cepler.yml", a),
		w.file(vendirFile, "vendir.yml", a),
		w.file(deploymentsValues, "deployments.values.yml", a),
		w.file(rehearsalVars, "rehearsal.vars.yml", a),
	)
	if a.Executor == "script" {
		err = errors.Join(err, w.file("ci/deploy.sh", "deploy.sh", a))
	}
	for _, name := range a.Environments {
		a.Environment = name
		dir := "environments/" + name + "/"
		if a.Executor == "terraform" {
			err = errors.Join(err, w.unless(dir+"*.tf", dir+"main.tf", "environment.tf", a))
		} else {
			err = errors.Join(err, w.file(dir+"values.yml", "environment.values.yml", a))
		}
	}
	if err == nil && copies {
		err = w.sync(ctx)
	}
	if err != nil {
		return err
	}
	if w.answers.Gate, err = w.commit(ctx, a.Deployments); err != nil {
		return err
	}
	return w.gates(ctx)
}

// has reports whether the work tree has a path.
func (w *writer) has(name string) bool {
	_, err := os.Lstat(filepath.Join(w.dir, filepath.FromSlash(name)))
	return err == nil
}

// unless writes a file, unless there is one that matches the pattern.
func (w *writer) unless(pattern, name, template string, a starter.Answers) error {
	found, err := filepath.Glob(filepath.Join(w.dir, filepath.FromSlash(pattern)))
	if err != nil || len(found) > 0 {
		return err
	}
	return w.file(name, template, a)
}

// file writes a file, unless it is there.
func (w *writer) file(name, template string, a starter.Answers) error {
	if w.has(name) {
		return nil
	}
	text, err := starter.Render(template, a)
	if err != nil {
		return err
	}
	w.written = append(w.written, name)
	if w.dry {
		return nil
	}
	full := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil { //nolint:gosec // as git makes folders
		return err
	}
	mode := fs.FileMode(0o644)
	if path.Ext(name) == ".sh" {
		mode = 0o755
	}
	return os.WriteFile(full, text, mode)
}

// sync copies the chart for the first time, as the charts pipeline will do after each test flight.
func (w *writer) sync(ctx context.Context) (err error) {
	a := w.answers
	if _, missing := os.Stat(filepath.Join(a.Charts.Dir, filepath.FromSlash(a.ChartPath), "Chart.yaml")); missing != nil {
		return say(w.out, "%s: there is no chart in %s yet, so it was not copied", a.Charts.Dir, a.ChartPath)
	}
	if w.dry {
		w.written = append(w.written, a.Vendored+"/"+a.Content+"/", vendored.LockFile)
		return nil
	}
	clone, err := git.OpenClone(a.Charts.Dir)
	if err != nil {
		return err
	}
	origin, err := vendored.OpenOrigin(ctx, clone, a.Ref)
	if err != nil {
		return errors.Join(err, clone.Close())
	}
	defer func() { err = errors.Join(err, origin.Close()) }()
	disk, err := vendored.OpenDisk(w.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	plan, err := vendored.Make(ctx, disk, vendored.Target{Config: vendirFile, Directory: a.Vendored, Content: a.Content}, origin)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(plan.Edits)) {
		if !slices.Contains(w.written, name) {
			w.written = append(w.written, name)
		}
	}
	return disk.Apply(plan)
}

// commit commits what was written, says so, and returns the newest commit of what is checked out.
func (w *writer) commit(ctx context.Context, r starter.Repository) (string, error) {
	head := w.clone.Find(ctx, "origin", r.Branch)
	if len(w.written) == 0 {
		return head, say(w.out, "%s: everything is there", w.dir)
	}
	what := "wrote "
	if w.dry {
		what = "would write "
	}
	if err := say(w.out, "%s: %s", w.dir, what+strings.Join(shortened(w.written), ", ")); err != nil || w.dry || w.noCommit {
		return head, err
	}
	hash, err := w.clone.CommitFiles(ctx, "ci: what the pipelines need", w.written)
	if err != nil {
		return "", err
	}
	w.branches[w.dir] = append(w.branches[w.dir], r.Branch)
	return hash, say(w.out, "%s: committed to branch %s as %.7s; not pushed", w.dir, r.Branch, hash)
}

// shortened names at most a dozen files.
func shortened(all []string) []string {
	const shown = 12
	if len(all) <= shown {
		return all
	}
	return append(slices.Clone(all[:shown]), fmt.Sprintf("and %d more", len(all)-shown))
}

// gates makes the branch of the gates, or adds the file to it.
func (w *writer) gates(ctx context.Context) error {
	a, name := w.answers, w.answers.Deployment+".yml"
	tip := w.clone.Find(ctx, "origin", lineage.GatesBranch)
	if tip != "" {
		if has, err := w.clone.Has(ctx, tip, name); has || err != nil {
			return err
		}
	}
	last := a.Environments[len(a.Environments)-1]
	if w.dry || w.noCommit {
		return say(w.out, "%s: would commit %s to branch %s: the gate of %s", w.dir, name, lineage.GatesBranch, last)
	}
	text, err := starter.Render("gates.yml", a)
	if err != nil {
		return err
	}
	hash, err := w.clone.Commit(ctx, gitprogram.Commit{Parent: tip, Files: map[string][]byte{name: text}, Message: "gate: " + last + " waits\n"})
	if err != nil {
		return err
	}
	if err := w.clone.SetBranch(ctx, lineage.GatesBranch, hash, w.clone.Find(ctx, "", lineage.GatesBranch)); err != nil {
		return err
	}
	w.branches[w.dir] = append(w.branches[w.dir], lineage.GatesBranch)
	return say(w.out, "%s: branch %s has %s: %s gets nothing beyond %.7s until its gate is opened; not pushed", w.dir, lineage.GatesBranch, name, last, a.Gate)
}

// end says what the repositories do not have yet, and the next three commands.
func (w *writer) end() error {
	a := w.answers
	p := &prose{width: columns(w.out)}
	p.line("", "")
	if a.Forge == starter.Git {
		p.line("", "Without GitHub there is no release pipeline: a person could not merge its pull request, and the release itself is GitHub's. "+
			"The charts and deployments pipelines work with any git server: a commit to the chart flies, is copied into the deployments, and goes "+
			"through the environments. Write the digest of a new image into the chart's values yourself, or with the resource type chart-bump in push mode.")
		p.line("", "")
	}
	p.line("", "Look through the files, and change what is not right: the images of tasks above all. Next:")
	args, clones := w.pipelines()
	for i, command := range []string{
		"taxiway doctor " + args + clones,
		"taxiway rehearse " + args + clones + " --vars " + doctor.Quote(inDir(a.Deployments.Dir, rehearsalVars)),
		w.pushes(),
	} {
		fmt.Fprintf(&p.text, "  %d. %s\n", i+1, command) // in one line, so that it can be copied
	}
	_, err := io.WriteString(w.out, p.String())
	return err
}

// pipelines are the arguments of doctor and rehearse.
func (w *writer) pipelines() (args, clones string) {
	a := w.answers
	type part struct {
		template, values string
		in               starter.Repository
	}
	parts := []part{{"charts", chartsValues, a.Charts}, {pipelines.Deployments, deploymentsValues, a.Deployments}}
	if a.Forge != starter.Git {
		parts = append([]part{{"release", releaseValues, a.App}}, parts...)
	}
	var named []string
	for _, p := range parts {
		named = append(named, p.template+"="+doctor.Quote(inDir(p.in.Dir, p.values)))
		clones += " --repository " + doctor.Quote(p.in.Dir)
	}
	return strings.Join(named, " "), clones
}

func inDir(dir, name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }

// pushes are the commands that bring everything to the remotes.
func (w *writer) pushes() string {
	var all []string
	for _, dir := range slices.Sorted(maps.Keys(w.branches)) {
		all = append(all, fmt.Sprintf("git -C %s push origin %s", doctor.Quote(dir), strings.Join(w.branches[dir], " ")))
	}
	if len(all) == 0 {
		return fmt.Sprintf("taxiway set deployments --values %s --repository %s --target TARGET",
			doctor.Quote(inDir(w.answers.Deployments.Dir, deploymentsValues)), doctor.Quote(w.answers.Deployments.Dir))
	}
	return strings.Join(all, " && ")
}

// digestIn is the path of the only key "digest" in a file of values; "" if there is none, or more than one.
func digestIn(file string) string {
	data, err := strict.ReadFile(file)
	var values map[string]any
	if err != nil || strict.YAML(data, &values) != nil {
		return ""
	}
	if found := digestsIn(values, ""); len(found) == 1 {
		return found[0]
	}
	return ""
}

// digestsIn are the paths of the keys "digest" in values, each behind a prefix.
func digestsIn(values map[string]any, prefix string) []string {
	var found []string
	for key, value := range values {
		if key == "digest" {
			found = append(found, prefix+key)
		}
		if below, ok := value.(map[string]any); ok {
			found = append(found, digestsIn(below, prefix+key+".")...)
		}
	}
	return found
}
