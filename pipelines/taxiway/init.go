package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/githubapp"
	"github.com/taxiway-ci/taxiway/internal/gitprogram"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/strict"
	"github.com/taxiway-ci/taxiway/internal/visible"
	"github.com/taxiway-ci/taxiway/pipelines/starter"
)

// initFlags are what a user says, in flags or as answers.
type initFlags struct {
	forge                    string
	app, charts, deployments string
	chart, executor          string
	environments             []string
	tools, image, test       string
	digestPath               string
	dryRun, noCommit         bool
	print                    printFlags
}

func initCommand() *cobra.Command {
	var f initFlags
	command := &cobra.Command{
		Use:   "init",
		Short: "Write what your repositories need for the pipelines",
		Long: "Write what three repositories need for the pipelines: that of the app, that of the charts, and that of the deployments.\n" +
			"It takes clones, asks what flags do not say, writes what is missing and commits it, with your git. Nothing that is there\n" +
			"is changed, nothing is pushed, and a second time there is nothing to do. It ends with the next three commands.",
		Example: "  taxiway init --app ../shop --charts ../charts --deployments ../deployments\n" +
			"  taxiway init --forge git --charts ../charts --deployments ../deployments --chart shop --environments staging,production --dry-run",
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.print.name != "" {
				return failed("init", f.print.run(cmd.OutOrStdout(), f.environments))
			}
			return failed("init", f.run(cmd))
		},
	}
	flags := command.Flags()
	flags.StringVar(&f.forge, "forge", "", "github, github-enterprise, or git for any other server (default: by the address of the clones)")
	flags.StringVar(&f.app, "app", "", "clone of the repository that is released; without a release pipeline it is not needed")
	flags.StringVar(&f.charts, "charts", "", "clone of the repository with the Helm chart")
	flags.StringVar(&f.deployments, "deployments", "", "clone of the repository with what the environments deploy")
	flags.StringVar(&f.chart, "chart", "", "name of the chart (default: the only one in the charts repository)")
	flags.StringSliceVar(&f.environments, "environments", nil, "the environments in their order (default staging,production)")
	flags.StringVar(&f.executor, "executor", "", "how an environment is deployed: "+strings.Join(starter.Executors(), ", ")+" (default helm)")
	flags.StringVar(&f.tools, "tools", "", "image:tag in which tasks run, with bash, git, helm, kubectl and terraform (default: ci-tools:1.0.0 beside the app's image)")
	flags.StringVar(&f.image, "image", "", "repository of the app's image in a registry (default ghcr.io/OWNER/APP)")
	flags.StringVar(&f.test, "test", "", "command that tests the app (default: by what is in the repository)")
	flags.StringVar(&f.digestPath, "digest-path", "", "path of the image's digest in the chart's values (default: the only digest there, or image.digest)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be written, and write nothing")
	flags.BoolVar(&f.noCommit, "no-commit", false, "write the files and commit nothing; the branch of the gates is not made then")
	f.print.register(command)
	return command
}

// printFlags print one of the files instead.
type printFlags struct {
	name, directory, content, url string
	entry                         bool
	labels                        []string
}

func (p *printFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&p.name, "print", "", "print one file and write nothing: "+strings.Join(starter.Names(), ", "))
	flags.StringVar(&p.directory, "directory", "vendor/app", "for --print vendir.yml: folder of the copy")
	flags.StringVar(&p.content, "content", "chart", "for --print vendir.yml: name of the copy in its folder")
	flags.StringVar(&p.url, "url", "", "for --print vendir.yml: address of the repository that is copied")
	flags.BoolVar(&p.entry, "entry", false, "for --print vendir.yml: print the entry of the copy alone")
	flags.StringSliceVar(&p.labels, "labels", nil, "for --print checks.yml: labels that a pull request must have to be merged")
}

func (p *printFlags) run(w io.Writer, environments []string) error {
	if !slices.Contains(starter.Names(), p.name) {
		return usagef("init: there is no file %s to print, there are: %s", p.name, strings.Join(starter.Names(), ", "))
	}
	name := path.Base(p.directory)
	a := starter.Answers{
		Deployment: name, Chart: name, Vendored: p.directory, Content: p.content, ChartPath: "charts/" + name, Ref: "main", Gate: "HEAD", Executor: "helm",
		Environments: environments, Labels: p.labels, Charts: starter.Repository{URI: p.url}, Deployments: starter.Repository{Branch: "main"},
	}
	if len(environments) == 0 {
		a.Environments = defaultEnvironments()
	}
	file := p.name
	switch {
	case file == "checks.yml" && len(p.labels) == 0:
		return usagef("init: --print checks.yml: name the labels of the pull requests that merge by themselves with --labels")
	case p.entry:
		file = "entry.yml"
	}
	text, err := starter.Render(file, a)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func defaultEnvironments() []string { return []string{"staging", "production"} }

func (f *initFlags) run(cmd *cobra.Command) error {
	a, err := f.answers(cmd)
	if err != nil {
		return err
	}
	w := &writer{answers: a, dry: f.dryRun, noCommit: f.noCommit, out: cmd.OutOrStdout(), terminal: isTerminal(cmd.InOrStdin())}
	if err := w.run(cmd.Context()); err != nil {
		return err
	}
	return w.end()
}

// asker asks on a terminal what flags do not say.
type asker struct {
	in       *bufio.Reader
	out      io.Writer
	terminal bool
	missing  []string // flags that a person would have been asked for
}

// ask fills in a value: that of the flag, an answer, or what is usual.
func (a *asker) ask(value *string, flag, question, usual string) error {
	if *value != "" {
		return nil
	}
	if !a.terminal {
		if usual == "" {
			a.missing = append(a.missing, "--"+flag)
		}
		*value = usual
		return nil
	}
	shown := ""
	if usual != "" {
		shown = " [" + usual + "]"
	}
	if _, err := fmt.Fprintf(a.out, "%s%s: ", question, visible.Line(shown)); err != nil {
		return err
	}
	line, err := a.in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if *value = cmp.Or(strings.TrimSpace(line), usual); *value == "" {
		a.missing = append(a.missing, "--"+flag)
	}
	return nil
}

// answers asks for what flags do not say, and works out the rest.
func (f *initFlags) answers(cmd *cobra.Command) (starter.Answers, error) {
	var a starter.Answers
	q := &asker{in: bufio.NewReader(cmd.InOrStdin()), out: cmd.OutOrStdout(), terminal: isTerminal(cmd.InOrStdin())}
	if err := errors.Join(
		q.ask(&f.charts, "charts", "Clone of the repository with the Helm chart", ""),
		q.ask(&f.deployments, "deployments", "Clone of the repository with what the environments deploy", ""),
	); err != nil {
		return a, err
	}
	if len(q.missing) > 0 {
		return a, usagef("init: say which clones to write to: %s", strings.Join(q.missing, ", "))
	}
	var err error
	if a.Charts, err = repositoryIn(cmd.Context(), f.charts); err != nil {
		return a, err
	}
	if a.Deployments, err = repositoryIn(cmd.Context(), f.deployments); err != nil {
		return a, err
	}
	if err := q.ask(&f.forge, "forge", "Where are they: github, github-enterprise, or git for any other server", forgeOf(a.Deployments.Host)); err != nil {
		return a, err
	}
	if !slices.Contains([]string{starter.GitHub, starter.Enterprise, starter.Git}, f.forge) {
		return a, usagef("init: --forge %s: write github, github-enterprise or git", f.forge)
	}
	a.Forge = f.forge
	if err := f.code(cmd.Context(), q, &a); err != nil {
		return a, err
	}
	for _, more := range []func(*asker, *starter.Answers) error{f.chartOf, f.chain, f.images} {
		if err := more(q, &a); err != nil {
			return a, err
		}
	}
	return a, nil
}

// code is the repository that is released, if there is a release pipeline.
func (f *initFlags) code(ctx context.Context, q *asker, a *starter.Answers) (err error) {
	if a.Forge == starter.Git {
		return nil // the release pipeline needs GitHub
	}
	if err := q.ask(&f.app, "app", "Clone of the repository that is released", ""); err != nil {
		return err
	}
	if len(q.missing) > 0 {
		return usagef("init: say which clones to write to: %s", strings.Join(q.missing, ", "))
	}
	if a.App, err = repositoryIn(ctx, f.app); err != nil {
		return err
	}
	for _, r := range []*starter.Repository{&a.App, &a.Charts, &a.Deployments} {
		if a.Forge == starter.Enterprise {
			r.API = githubapp.API("https", r.Host).String()
		}
	}
	return nil
}

// chartOf is the chart, by the folders of the charts repository.
func (f *initFlags) chartOf(q *asker, a *starter.Answers) error {
	found, err := filepath.Glob(filepath.Join(a.Charts.Dir, "charts", "*", "Chart.yaml"))
	if err != nil {
		return err
	}
	usual := a.App.Name
	if len(found) == 1 {
		usual = filepath.Base(filepath.Dir(found[0]))
	}
	if err := q.ask(&f.chart, "chart", "Name of the chart", usual); err != nil {
		return err
	}
	if f.chart == "" {
		return usagef("init: %s has not just one chart in charts/: name yours with --chart", f.charts)
	}
	a.Chart, a.Deployment, a.ChartPath = f.chart, f.chart, "charts/"+f.chart
	a.Vendored, a.Content = "vendor/"+f.chart, "chart"
	return nil
}

// chain is the environments in their order. A cepler config that is there says it.
func (f *initFlags) chain(q *asker, a *starter.Answers) error {
	data, err := strict.ReadFile(filepath.Join(a.Deployments.Dir, "cepler.yml"))
	if err == nil {
		config, err := cepler.ParseConfig("cepler.yml", data)
		if err != nil {
			return err
		}
		f.environments, a.Deployment = config.InOrder(), config.Deployment
	}
	list := strings.Join(f.environments, ",")
	if err := errors.Join(
		q.ask(&list, "environments", "Environments in their order", strings.Join(defaultEnvironments(), ",")),
		q.ask(&f.executor, "executor", "How an environment is deployed: "+strings.Join(starter.Executors(), ", "), "helm"),
	); err != nil {
		return err
	}
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name == "" || strings.ContainsAny(name, "/ {}:#") || slices.Contains(a.Environments, name) {
			return usagef("init: --environments %s: write different names like staging,production", list)
		}
		a.Environments = append(a.Environments, name)
	}
	if !slices.Contains(starter.Executors(), f.executor) {
		return usagef("init: --executor %s: write one of %s", f.executor, strings.Join(starter.Executors(), ", "))
	}
	a.Executor = f.executor
	return nil
}

// images are the app's image and that of the tasks.
func (f *initFlags) images(q *asker, a *starter.Answers) error {
	owner, _, _ := strings.Cut(a.Deployments.Slug, "/")
	if a.Forge != starter.Git {
		if err := errors.Join(
			q.ask(&f.image, "image", "Repository of the app's image in a registry", strings.ToLower("ghcr.io/"+owner+"/"+a.App.Name)),
			q.ask(&f.test, "test", "Command that tests the app", testOf(a.App.Dir)),
		); err != nil {
			return err
		}
	}
	if err := q.ask(&f.tools, "tools", "Image in which tasks run, with bash, git, helm, kubectl and terraform", strings.ToLower(path.Dir(cmp.Or(f.image, "ghcr.io/"+owner+"/x"))+"/ci-tools:1.0.0")); err != nil {
		return err
	}
	at := strings.LastIndex(f.tools, ":")
	if at < 0 || strings.Contains(f.tools[at:], "/") {
		return usagef("init: --tools %s: write a repository and a tag, such as ghcr.io/acme/ci-tools:1.0.0", f.tools)
	}
	a.Tools, a.ToolsTag, a.Image, a.Test = f.tools[:at], f.tools[at+1:], f.image, f.test
	a.DigestPath = cmp.Or(f.digestPath, digestIn(filepath.Join(a.Charts.Dir, filepath.FromSlash(a.ChartPath), "values.yaml")), "image.digest")
	return nil
}

// testOf is how a repository is tested, by what is in it.
func testOf(dir string) string {
	for _, c := range []struct{ file, command string }{{"Makefile", "make test"}, {"go.mod", "go test ./..."}, {"package.json", "npm test"}, {"Cargo.toml", "cargo test"}} {
		if _, err := os.Stat(filepath.Join(dir, c.file)); err == nil { //nolint:gosec // the user's own clone
			return c.command
		}
	}
	return "make test"
}

// forgeOf guesses the forge by a host.
func forgeOf(host string) string {
	switch {
	case host == "github.com":
		return starter.GitHub
	case strings.Contains(host, "github"), strings.HasSuffix(host, ".ghe.com"):
		return starter.Enterprise
	}
	return starter.Git
}

// repositoryIn is the repository of a clone, by the address of its remote "origin" and the branch that is checked out.
func repositoryIn(ctx context.Context, dir string) (starter.Repository, error) {
	r := starter.Repository{Dir: dir, Writes: true, Bot: "deploy bot <deploy-bot@example.com>"}
	clone, err := gitprogram.Open(ctx, dir, false)
	if err != nil {
		return r, err
	}
	if r.URI = clone.Remote(ctx, "origin"); r.URI == "" {
		return r, fmt.Errorf("%s has no remote \"origin\", by which the pipelines would reach it: git -C %s remote add origin ADDRESS", dir, dir)
	}
	if r.Branch, err = clone.Branch(ctx); err != nil {
		return r, err
	}
	full := lineage.RepositoryName(r.URI)
	r.Host, r.Slug, _ = strings.Cut(full, "/")
	r.Name = path.Base(full)
	if u, err := url.Parse(r.URI); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		r.HTTPS, r.User, r.Host = true, userOf(u.User), u.Host
		u.User = nil
		r.URI = u.String()
	}
	r.HostKeys = !r.HTTPS && !slices.Contains(git.KnownHosts(), r.Host)
	return r, nil
}

// userOf is the user of an address, unless that is a token: one that stands alone, or with the word that GitHub took for a password.
func userOf(u *url.Userinfo) string {
	if password, ok := u.Password(); ok && password != "x-oauth-basic" && u.Username() != "" { //nolint:gosec // a word that GitHub takes for a password
		return u.Username()
	}
	return "git"
}
