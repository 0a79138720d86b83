package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/proposal"
	"github.com/taxiway-ci/taxiway/internal/release"
	"github.com/taxiway-ci/taxiway/internal/vendored"
	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/version/toml"
	"github.com/taxiway-ci/taxiway/internal/yamledit"
	ceplerboard "github.com/taxiway-ci/taxiway/resources/cepler-board"
	ceplergate "github.com/taxiway-ci/taxiway/resources/cepler-gate"
	ceplerin "github.com/taxiway-ci/taxiway/resources/cepler-in"
	chartbump "github.com/taxiway-ci/taxiway/resources/chart-bump"
	promoterc "github.com/taxiway-ci/taxiway/resources/promote-rc"
	pullrequestbuilds "github.com/taxiway-ci/taxiway/resources/pull-request-builds"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
	vendirbump "github.com/taxiway-ci/taxiway/resources/vendir-bump"
)

// typeOf is the resource type behind a name: the last part of its image.
func (d *doctor) typeOf(name string) string {
	if t, ok := d.pipeline.ResourceType(name); ok {
		if repository, ok := t.Source.Field("repository").Text(); ok {
			return path.Base(repository)
		}
	}
	return name
}

// resource looks at what one resource asks for.
func (d *doctor) resource(ctx context.Context, r pipeline.Resource) error {
	look := map[string]func(context.Context, pipeline.Resource) error{
		"git":                 asking(d, d.git),
		"cepler-in":           asking(d, d.ceplerIn),
		"cepler-out":          asking(d, d.ceplerIn), // their sources are the same
		"cepler-board":        asking(d, d.ceplerBoard),
		"cepler-gate":         asking(d, d.ceplerGate),
		"semver-git":          asking(d, d.semverGit),
		"promote-rc":          asking(d, d.promoteRC),
		"chart-bump":          asking(d, d.chartBump),
		"vendir-bump":         asking(d, d.vendirBump),
		"pull-request-builds": asking(d, d.pullRequests),
	}[d.typeOf(r.Type)]
	if look == nil {
		return nil
	}
	return look(ctx, r)
}

// asking decodes the source of a resource, and looks at what it asks for.
func asking[S any](d *doctor, look func(ctx context.Context, name string, src S) error) func(context.Context, pipeline.Resource) error {
	return func(ctx context.Context, r pipeline.Resource) error {
		src, err := decode[S](d, r.Source)
		if err != nil {
			return fmt.Errorf("source: %w", err)
		}
		asked := d.asker("resource", r.Name)
		if d.typeOf(r.Type) != "git" { // that one does not look at host keys
			d.hostKeys(r.Source, asked)
		}
		return look(ctx, asked, src)
	}
}

// hostKeys finds a server whose host keys a resource of the suite does not know.
func (d *doctor) hostKeys(source pipeline.Value, asked string) {
	uri, _ := source.Field("uri").Text()
	secure := strings.HasPrefix(uri, "ssh://") || !strings.Contains(uri, "://") && strings.Contains(uri, "@")
	host, _, _ := strings.Cut(lineage.RepositoryName(uri), "/")
	if !secure || !source.Field("known_hosts").IsZero() || !source.Field("insecure_ignore_host_key").IsZero() ||
		slices.Contains(git.KnownHosts(), host) {
		return
	}
	d.find(Finding{
		Rule: "host-key-unknown", Level: Error, Place: uri, Asked: asked, Text: "is reached by ssh, and the host keys of " + host + " are not known",
		Advice: "compare the output of ssh-keyscan " + host + " with what the server's owner says, store it as a secret, and refer to it in known_hosts of the values",
	})
}

func decode[S any](d *doctor, v pipeline.Value) (src S, err error) {
	filled, err := d.filled(v)
	if err != nil {
		return src, err
	}
	text, err := filled.JSON()
	if err != nil {
		return src, err
	}
	return concourse.ReadSource[S](text)
}

// asker names what asks for something.
func (d *doctor) asker(what, name string) string {
	return fmt.Sprintf("%s %s of %s", what, name, d.pipeline.File)
}

// gitSource are the keys of the git resource that count here. It ignores others.
type gitSource struct {
	git.Access

	Paths []string `json:"paths"`
}

// branch opens a repository and looks for its branch; nil if either is missing.
func (d *doctor) branch(ctx context.Context, access git.Access, asked string) (*repository, error) {
	r, err := d.repository(ctx, access, asked)
	if err != nil || r == nil {
		return nil, err
	}
	if access.Branch != "" && !d.branchOf(r, access.Branch, asked) {
		return nil, nil //nolint:nilnil // documented
	}
	return r, nil
}

// git is a repository that jobs get.
func (d *doctor) git(ctx context.Context, asked string, src gitSource) error {
	r, err := d.branch(ctx, src.Access, asked)
	if err != nil || r == nil {
		return err
	}
	for _, p := range src.Paths {
		if strings.ContainsAny(p, "*?[") || p == "" {
			continue // a pattern may match later
		}
		got, err := r.look(ctx, src.Branch, p)
		if err != nil {
			return err
		}
		if got == nothing && !r.uncommitted(p) {
			d.find(Finding{
				Rule: "watched-path-missing", Level: Warning, Place: r.at(src.Branch, p), Asked: asked, Text: "is watched and does not exist",
				Advice: "create it, or correct the path in the values and render again",
			})
		}
	}
	return nil
}

// semverGit keeps the version. It makes its branch itself.
func (d *doctor) semverGit(ctx context.Context, asked string, src semvergit.Source) error {
	r, err := d.repository(ctx, src.Access, asked)
	if err != nil || r == nil {
		return err
	}
	newest := release.Highest(release.Tags(r.refs, src.TagPrefix), func(version.Version) bool { return true })
	fallback := cmp.Or(src.InitialVersion, "0.0.0")
	if newest != nil {
		fallback = newest.String()
	}
	data, ok, err := r.read(ctx, src.Branch, src.File)
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(data))
	if !ok || text == "" {
		text = cmp.Or(src.InitialVersion, "0.0.0")
	}
	kept, err := version.Parse(text)
	if err != nil {
		d.find(Finding{
			Rule: "version-invalid", Level: Error, Place: r.at(src.Branch, src.File), Asked: asked, Text: fmt.Sprintf("is not a version: %v", err),
			Command: r.writeOn(src.Branch, src.File, fallback+"\n", "chore: a version", ">"),
		})
		return nil
	}
	if newest != nil && kept.Compare(*newest) < 0 {
		f := Finding{
			Rule: "version-behind", Level: Error, Place: r.at(src.Branch, src.File), Asked: asked,
			Text: fmt.Sprintf("the version is %s, and there is a tag of %s already", kept, newest),
		}
		if ok {
			f.Command = r.writeOn(src.Branch, src.File, newest.String()+"\n", "chore: version "+newest.String(), ">")
		} else {
			f.Command = r.newBranch(src.Branch, src.File, newest.String()+"\n", "chore: version "+newest.String())
		}
		d.find(f)
	}
	return nil
}

// cog looks for the cocogitto config of a code repository.
func (d *doctor) cog(ctx context.Context, r *repository, branch, name, asked string) error {
	if name == "" {
		return nil
	}
	data, ok, err := d.content(ctx, r, wanted{
		rule: "cog-missing", asked: asked, branch: branch, name: name, text: "is missing: the commit types that count are read from it",
		make: command("printf '%%s\\n' 'ignore_merge_commits = true' >%s", r.file(name)),
	})
	if err != nil || !ok {
		return err
	}
	rules, err := version.ParseCog(data, toml.Decode)
	if err != nil {
		d.find(Finding{Rule: "cog-invalid", Level: Error, Place: r.at(branch, name), Asked: asked, Text: err.Error(), Advice: "correct it: cocogitto refuses unknown keys, and so do the resources"})
	}
	for _, w := range rules.Warnings {
		d.find(Finding{Rule: "cog-unknown-key", Level: Warning, Place: r.at(branch, name), Asked: asked, Text: w, Advice: "remove the key, or correct it"})
	}
	return nil
}

// cliff reads the configuration of git-cliff that notes are grouped by.
func (d *doctor) cliff(ctx context.Context, r *repository, branch, name, asked string) error {
	if name == "" {
		return nil
	}
	initial := command("git cliff --init && mv cliff.toml %s", r.file(name))
	if r.file(name) == "cliff.toml" {
		initial = command("git cliff --init")
	}
	data, ok, err := d.content(ctx, r, wanted{
		rule: "cliff-missing", asked: asked, branch: branch, name: name, text: "is missing: the groups of release notes are read from it",
		make: initial,
	})
	if err != nil || !ok {
		return err
	}
	if _, err := version.ParseCliff(data, toml.Decode); err != nil {
		d.find(Finding{Rule: "cliff-invalid", Level: Error, Place: r.at(branch, name), Asked: asked, Text: err.Error(), Advice: "correct it; patterns are read as Go's regular expressions, without flags such as (?x) that Rust's have besides"})
	}
	return nil
}

// promoteRC keeps the pull request of a candidate.
func (d *doctor) promoteRC(ctx context.Context, asked string, src promoterc.Source) error {
	if err := d.forge(ctx, asked, &src.GitHub, false); err != nil {
		return err
	}
	r, err := d.branch(ctx, src.Access, asked)
	if err != nil || r == nil {
		return err
	}
	return errors.Join(d.cog(ctx, r, src.Branch, src.CogTOML, asked), d.cliff(ctx, r, src.Branch, src.CliffTOML, asked))
}

// chartBump writes digests into the values of a chart.
func (d *doctor) chartBump(ctx context.Context, asked string, src chartbump.Source) error {
	r, err := d.branch(ctx, src.Access, asked)
	if err != nil {
		return err
	}
	if err := d.proposals(ctx, r, src.Access, src.Settings, asked); err != nil || r == nil {
		return err
	}
	chart := path.Join(src.Chart, "Chart.yaml")
	ok, err := d.path(ctx, r, wanted{
		rule: "chart-missing", asked: asked, branch: src.Branch, name: chart, kind: file, text: "is missing: there is no chart in " + src.Chart,
		make: command("mkdir -p %s && printf '%%s\\n' 'apiVersion: v2' %s 'version: 0.1.0' >%s", r.file(src.Chart), "name: "+path.Base(src.Chart), r.file(chart)),
	})
	if err != nil || !ok {
		return err
	}
	values := path.Join(src.Chart, cmp.Or(src.Values, "values.yaml"))
	data, ok, err := d.content(ctx, r, wanted{
		rule: "chart-values-missing", asked: asked, branch: src.Branch, name: values, text: "is missing: the digests of the images are written there",
		make: command("printf '%%s\\n' 'image:' '  digest: \"\"' >%s", r.file(values)),
	})
	if err != nil || !ok {
		return err
	}
	d.bumped(r, src, values, data, asked)
	return nil
}

// bumped looks for the paths that chart-bump changes.
func (d *doctor) bumped(r *repository, src chartbump.Source, values string, data []byte, asked string) {
	document, err := yamledit.Parse(data, yamledit.Options{})
	if err != nil {
		d.find(Finding{Rule: "chart-values-invalid", Level: Error, Place: r.at(src.Branch, values), Asked: asked, Text: err.Error(), Advice: "correct it"})
		return
	}
	wanted := map[string]string{}
	for _, i := range src.Images {
		wanted[i.Path] = "the digest of image " + i.Name
		if i.CommitPath != "" {
			wanted[i.CommitPath] = "the commit of image " + i.Name
		}
	}
	for _, p := range src.AppVersionPaths {
		wanted[p] = "the version"
	}
	for _, p := range slices.Sorted(maps.Keys(wanted)) {
		if _, err := document.Scalar(p); err != nil {
			f := Finding{
				Rule: "value-path-missing", Level: Error, Place: r.at(src.Branch, values), Asked: asked, Text: fmt.Sprintf("has no place for %s: %v", wanted[p], err),
				Advice: "add it, with an empty text as its value, or correct the path in the values of the release pipeline, and render again",
			}
			f.Command, data = r.addValue(values, p, data)
			d.find(f)
		}
	}
}

// addValue is a command that adds an empty value at the end of a file, and what the file has then. It is "" where that would not
// put the value at its path, as where the key above it is there already.
func (r *repository) addValue(name, at string, data []byte) (do string, then []byte) {
	steps := strings.Split(at, ".")
	if strings.ContainsAny(at, "[]\"' :#") {
		return "", data
	}
	lines := make([]string, 0, len(steps))
	words := make([]string, 0, len(steps))
	for i, step := range steps {
		line := strings.Repeat("  ", i) + step + ":"
		if i == len(steps)-1 {
			line += ` ""`
		}
		lines, words = append(lines, line+"\n"), append(words, Quote(line))
	}
	then = append(slices.Clone(data), strings.Join(lines, "")...)
	document, err := yamledit.Parse(then, yamledit.Options{})
	if err != nil {
		return "", data
	}
	if _, err := document.Scalar(at); err != nil {
		return "", data
	}
	return "printf '%s\\n' " + strings.Join(words, " ") + " >>" + Quote(r.file(name)) + " && " + r.commit("chore: a place for "+at, name), then
}

// proposals looks at what a resource needs that changes files by pull requests.
func (d *doctor) proposals(ctx context.Context, r *repository, access git.Access, s proposal.Settings, asked string) error {
	if s.GitHub == nil {
		return nil
	}
	if err := d.forge(ctx, asked, s.GitHub, s.AutoMerge.On); err != nil || r == nil || s.AutoMerge.On || len(s.Labels) == 0 {
		return err
	}
	return d.merger(ctx, r, access.Branch, s.Labels, asked)
}

// workflows is the folder of GitHub's workflows.
const workflows = ".github/workflows"

// merger looks for a workflow that merges the pull requests with these labels.
func (d *doctor) merger(ctx context.Context, r *repository, branch string, labels []string, asked string) error {
	all, err := r.paths(ctx, branch)
	if err != nil {
		return err
	}
	for _, p := range all {
		if path.Dir(p) != workflows {
			continue
		}
		data, _, err := r.read(ctx, branch, p)
		if err != nil {
			return err
		}
		text := string(data)
		if strings.Contains(text, "pull_request") && strings.Contains(text, "merge") && !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(text, l) }) {
			return nil
		}
	}
	f := Finding{
		Rule: "automerge-missing", Level: Warning, Place: r.at(branch, workflows), Asked: asked,
		Text:   fmt.Sprintf("no workflow merges pull requests with the labels %s: a person has to", strings.Join(labels, ", ")),
		Advice: "or set auto_merge in the values",
	}
	const values = ".github/checks.yml"
	if slices.Contains(all, values) {
		f.Advice = "add the labels to bot_automerge in " + values + " and render the template checks again, or set auto_merge in the values"
	} else {
		f.Command = command("mkdir -p %s && taxiway init --print checks.yml --labels %s >%s && taxiway render checks --values %s --output %s && ",
			r.file(".github"), strings.Join(labels, ","), r.file(values), r.file(values), r.clone()) + r.commit("ci: merge the bot's pull requests", ".github")
	}
	d.find(f)
	return nil
}

// vendirBump moves the copy of a repository.
func (d *doctor) vendirBump(ctx context.Context, asked string, src vendirbump.Source) error {
	r, err := d.branch(ctx, src.Access, asked)
	if err != nil {
		return err
	}
	if err := d.proposals(ctx, r, src.Access, src.Settings, asked); err != nil || r == nil {
		return err
	}
	config := cmp.Or(src.Config, "vendir.yml")
	origin := d.vendoredFrom(src)
	snippet := command("taxiway init --print vendir.yml --directory %s --content %s --url %s", src.Directory, cmp.Or(src.Content, "."), origin)
	data, ok, err := d.content(ctx, r, wanted{
		rule: "vendir-missing", asked: asked, branch: src.Branch, name: config, text: "is missing: it says which repositories are copied here",
		make: snippet + " >" + Quote(r.file(config)),
	})
	if err != nil || !ok {
		return err
	}
	content, err := vendored.ReadContent(data, vendored.Target{Config: config, Directory: src.Directory, Content: src.Content})
	switch {
	case errors.Is(err, vendored.ErrNoContent):
		d.find(Finding{
			Rule: "vendir-content-missing", Level: Error, Place: r.at(src.Branch, config), Asked: asked, Text: err.Error(),
			Command: snippet + command(" --entry >>%s && ", r.file(config)) + r.commit("chore: a copy of "+path.Base(src.Directory), config),
		})
	case err != nil:
		d.find(Finding{Rule: "vendir-invalid", Level: Error, Place: r.at(src.Branch, config), Asked: asked, Text: err.Error(), Advice: "correct it"})
	case origin != "" && lineage.RepositoryName(content.URL) != lineage.RepositoryName(origin):
		d.find(Finding{
			Rule: "vendir-other-repository", Level: Error, Place: r.at(src.Branch, config), Asked: asked,
			Text:    fmt.Sprintf("%s is a copy of %s, and the pipeline hands on %s", path.Join(src.Directory, src.Content), content.URL, origin),
			Command: command("sed -i.orig %s %s && rm %s && ", "s|"+content.URL+"|"+origin+"|", r.file(config), r.file(config+".orig")) + r.commit("chore: copy the right repository", config),
		})
	}
	return nil
}

// vendoredFrom is the address of the repository that puts of a vendir-bump resource hand on: that of the get which their
// repository names.
func (d *doctor) vendoredFrom(src vendirbump.Source) string {
	for _, job := range d.pipeline.Jobs {
		gets, origin := map[string]string{}, ""
		for _, s := range job.AllSteps() {
			switch {
			case s.Get != nil:
				gets[s.Get.Name] = cmp.Or(s.Get.Resource, s.Get.Name)
			case s.Put != nil:
				put, ok := d.pipeline.Resource(cmp.Or(s.Put.Resource, s.Put.Name))
				at, _ := put.Source.Field("directory").Text()
				if from, is := s.Put.Params.Field("repository").Text(); ok && is && at == src.Directory {
					if code, ok := d.pipeline.Resource(gets[from]); ok {
						origin, _ = code.Source.Field("uri").Text()
					}
				}
			}
		}
		if origin != "" {
			return origin
		}
	}
	return ""
}

// ceplerIn offers an environment its files.
func (d *doctor) ceplerIn(ctx context.Context, asked string, src ceplerin.Source) error {
	r, err := d.branch(ctx, src.Access, asked)
	if err != nil || r == nil {
		return err
	}
	env, err := d.environment(ctx, r, src.Source, asked)
	if err != nil || env == nil || src.GatesFile == "" {
		return err
	}
	return d.gate(ctx, r, src.Source, asked)
}

// ceplerGate keeps the pull request of a gate.
func (d *doctor) ceplerGate(ctx context.Context, asked string, src ceplergate.Source) error {
	if src.GitHub != nil {
		if err := d.forge(ctx, asked, src.GitHub, false); err != nil {
			return err
		}
	}
	return d.ceplerIn(ctx, asked, ceplerin.Source{Source: src.Source})
}

// ceplerBoard publishes the board of all environments, which other resources look at.
func (d *doctor) ceplerBoard(ctx context.Context, asked string, src ceplerboard.Source) error {
	_, err := d.branch(ctx, src.Access, asked)
	return err
}

// pullRequests builds the commits of pull requests.
func (d *doctor) pullRequests(ctx context.Context, asked string, src pullrequestbuilds.Source) error {
	return d.forge(ctx, asked, &src.Access, false)
}

// forge asks what the credentials may do, if that was asked for and they are known.
func (d *doctor) forge(ctx context.Context, asked string, access *forge.Access, autoMerge bool) error {
	if !d.Forges || access.AccessToken == "" && (access.AppID == "" || access.AppPrivateKey == "") {
		return nil // references that are not known here
	}
	key := fmt.Sprint(access.Repository, access.APIURL, access.AccessToken, access.AppID, autoMerge)
	if d.forges[key] {
		return nil
	}
	d.forges[key] = true
	return d.askForge(ctx, asked, access, autoMerge)
}
