package pipeline

import (
	"reflect"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// The suite's own types whose pipelines have rules of their own.
const (
	ceplerBoard = "cepler-board"
	ceplerGate  = "cepler-gate"
	ceplerIn    = "cepler-in"
	ceplerOut   = "cepler-out"
	chartBump   = "chart-bump"
	promoteRC   = "promote-rc"
	semverGit   = "semver-git"

	cachixPaths       = "cachix-paths"
	pullRequestBuilds = "pull-request-builds"
	vendirBump        = "vendir-bump"
)

// suite are all names under which a type of the suite is known by its image.
func suite() []string {
	return []string{ceplerBoard, ceplerGate, ceplerIn, ceplerOut, chartBump, promoteRC, semverGit, cachixPaths, pullRequestBuilds, vendirBump}
}

// suiteRules: mistakes with the suite's types that each resource by itself cannot see.
func (l *linter) suiteRules() {
	for _, j := range l.p.Jobs {
		for _, s := range j.AllSteps() {
			if s.Kind == KindPut {
				to, _ := l.p.Resource(s.Put.Resource)
				l.suitePut(j, s, to)
			}
		}
	}
}

func (l *linter) suitePut(j Job, s Step, to Resource) {
	l.startsItself(j, s, to)
	switch l.typeOf(s.Put.Resource) {
	case promoteRC:
		l.promotionWatched(s, to)
		l.promotionAllowed(s, to)
		l.oneBuild(j, s)
	case chartBump:
		l.bumpedImages(s, to)
		l.oneBuild(j, s)
	case semverGit:
		l.versionWatched(s, to)
		l.tested(j, s)
	case vendirBump:
		l.tested(j, s)
	default:
	}
}

// makers are the types whose puts make versions that were not there before.
func makers() []string {
	return []string{"git", "semver", "registry-image", "docker-image", "github-release", semverGit, promoteRC, chartBump, vendirBump}
}

// startsItself: what a job puts must not be what starts it.
func (l *linter) startsItself(j Job, put Step, to Resource) {
	kind, params := l.typeOf(put.Put.Resource), put.Put.Params
	again := kind == pullRequestBuilds && textOf(params.Field("build_again")) == "true"
	if !again && !slices.Contains(makers(), kind) || textOf(params.Field("only_tag")) == "true" {
		return
	}
	source := l.source(to)
	some := kind == "git" && (len(source.Field("paths").Items()) > 0 || len(source.Field("ignore_paths").Items()) > 0)
	for _, s := range j.AllSteps() {
		switch {
		case s.Kind != KindGet || s.Get.Resource != put.Put.Resource || !s.Get.Trigger || len(s.Get.Passed) > 0:
		case some: // the commit may not touch what is watched
			l.warnf(put.Line, "loop", "take trigger off the get, or give the put a resource of its own, unless what it commits is not watched or settles",
				"put %s makes a new version of %s if it commits one of the paths that are watched, which starts job %s again", quote(put.Put.Name), quote(put.Put.Resource), quote(j.Name))
		default:
			l.errorf(put.Line, "loop", "take trigger off the get, or give the put a resource of its own",
				"put %s makes a new version of %s, which starts job %s again: without end", quote(put.Put.Name), quote(put.Put.Resource), quote(j.Name))
		}
	}
}

// triggered tells whether any job starts with a new version of the resource, whoever made it.
func (l *linter) triggered(resource string) bool {
	return slices.ContainsFunc(l.p.AllSteps(), func(s Step) bool {
		return s.Kind == KindGet && s.Get.Resource == resource && s.Get.Trigger && len(s.Get.Passed) == 0
	})
}

// promotionWatched: opening the pull request must not look like its merge.
func (l *linter) promotionWatched(s Step, put Resource) {
	if l.triggered(s.Put.Resource) {
		l.errorf(s.Line, "loop", "put it through a second resource, so that only a merge is a version of the one that is got",
			"put %s opens a pull request, and its version starts the job that waits for a person to merge it", quote(s.Put.Name))
	}
	for _, res := range l.p.Resources {
		if res.Name != put.Name && l.known(res.Type) == promoteRC && l.triggered(res.Name) && reflect.DeepEqual(l.source(res).Data(), l.source(put).Data()) {
			l.warnf(s.Line, "loop", "give one of them a further key, such as draft",
				"%s and %s have the same source: where Concourse's global resources are on they share their versions, and putting the one starts what waits for the other",
				quote(put.Name), quote(res.Name))
		}
	}
}

// promotionAllowed: a file that the pull request may not touch would keep it from ever being a release.
func (l *linter) promotionAllowed(s Step, res Resource) {
	var allowed []string
	for _, item := range l.source(res).Field("allowed_files").Items() {
		allowed = append(allowed, textOf(item))
	}
	if len(allowed) == 0 || slices.ContainsFunc(allowed, HasRef) {
		return
	}
	for _, item := range s.Put.Params.Field("extra_files").Items() {
		to := item.Field("to")
		name := strings.TrimSuffix(textOf(to), "/")
		if name == "" || HasRef(name) {
			continue
		}
		if !slices.ContainsFunc(allowed, func(glob string) bool {
			match, err := doublestar.Match(glob, name)
			return err == nil && match || strings.HasPrefix(glob, name+"/")
		}) {
			l.errorf(to.Line(), "not-allowed", "add it to allowed_files of "+quote(res.Name),
				"put %s writes %s, which the pull request may not touch: merging it would never be a release", quote(s.Put.Name), quote(name))
		}
	}
}

// bumpedImages: a digest without a place in the chart, or the other way round.
func (l *linter) bumpedImages(s Step, res Resource) {
	var places []string
	for _, item := range l.source(res).Field("images").Items() {
		places = append(places, textOf(item.Field("name")))
	}
	if len(places) == 0 || slices.ContainsFunc(places, HasRef) {
		return
	}
	for _, f := range s.Put.Params.Field("images").Fields() {
		if !slices.Contains(places, f.Name) {
			l.errorf(f.Line, "unknown-image", didYouMean(f.Name, places),
				"put %s has a digest for the image %s, and %s does not say where it stands", quote(s.Put.Name), quote(f.Name), quote(res.Name))
		}
	}
}

// versionWatched: a version that is kept where the code is would start everything again with each count.
func (l *linter) versionWatched(s Step, number Resource) {
	version := l.source(number)
	message := textOf(version.Field("commit_message"))
	if strings.Contains(message, "[ci skip]") || strings.Contains(message, "[skip ci]") {
		return
	}
	for _, res := range l.p.Resources {
		code := l.source(res)
		if res.Type != "git" || !l.triggered(res.Name) || !watches(code, textOf(version.Field("file"))) {
			continue
		}
		if same(version, code, "uri") && same(version, code, "branch") {
			l.errorf(s.Line, "loop", "keep it on a branch of its own, or write [ci skip] into its commit_message",
				"put %s commits to the branch that %s watches: each version starts everything again", quote(s.Put.Name), quote(res.Name))
		}
	}
}

// watches tells whether a change of a file is a new version of a git resource.
func watches(code Value, file string) bool {
	only := code.Field("paths").Items()
	return (len(only) == 0 || matches(only, file)) && !matches(code.Field("ignore_paths").Items(), file)
}

// matches tells whether one of the globs, or one of the folders, is about the file.
func matches(globs []Value, file string) bool {
	return slices.ContainsFunc(globs, func(v Value) bool {
		glob := strings.TrimSuffix(textOf(v), "/")
		match, err := doublestar.Match(glob, file)
		return err == nil && match || strings.HasPrefix(file, glob+"/")
	})
}

// fetched are the gets of a job whose artifacts a put reads, in the order of its params.
func (l *linter) fetched(j Job, put Step) []Step {
	var gets []Step
	for _, file := range pathParams(l.typeOf(put.Put.Resource), put.Put.Params) {
		name, _, _ := strings.Cut(strings.TrimPrefix(file.Value, "./"), "/")
		for _, s := range j.AllSteps() {
			if s.Kind == KindGet && s.Get.Name == name && !slices.ContainsFunc(gets, func(g Step) bool { return g.Line == s.Line }) {
				gets = append(gets, s)
			}
		}
	}
	return gets
}

// tested: what is handed on has been through a job before.
func (l *linter) tested(j Job, put Step) {
	if textOf(put.Put.Params.Field("repository")) == "" {
		return
	}
	for _, get := range l.fetched(j, put) {
		if len(get.Get.Passed) == 0 && textOf(put.Put.Params.Field("repository")) == get.Get.Name {
			l.warnf(get.Line, "untested", "add passed with the jobs that test it", "put %s hands on %s, which no job has tested", quote(put.Put.Name), quote(get.Get.Name))
		}
	}
}

// oneBuild: what is put together belongs together, because the same build of an earlier job made it.
func (l *linter) oneBuild(j Job, put Step) {
	gets := l.fetched(j, put)
	for i, get := range gets {
		if i == 0 || slices.ContainsFunc(get.Get.Passed, func(p Text) bool {
			return slices.ContainsFunc(gets[0].Get.Passed, func(first Text) bool { return first.Value == p.Value })
		}) {
			continue
		}
		l.errorf(get.Line, "mixed-builds", "give both a passed with the job that made them",
			"put %s takes %s and %s, which may come from different builds", quote(put.Put.Name), quote(gets[0].Get.Name), quote(get.Get.Name))
	}
}

// same tells whether two sources have the same text for a key.
func same(a, b Value, key string) bool {
	text := textOf(a.Field(key))
	return text != "" && text == textOf(b.Field(key))
}
