package pipeline

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Key is where a resource type or task of others takes a key.
type Key string

// The places of keys.
const (
	SourceKey Key = "source"
	GetKey    Key = "params of a get"
	PutKey    Key = "params of a put"
	TaskKey   Key = "params of a task"
)

// Need is a key of a resource type or task of others that came with one of its versions. An older one ignores the key without a word, or
// fails.
type Need struct {
	Image string // last part of the image's repository, as in concourse/git-resource
	Core  string // name of the type that comes with Concourse; "" for none
	Place Key
	Key   string
	Since string // first version that knows the key; with After the last one that does not
	After bool
	// Without is what happens without it, as the rest of a sentence that begins with the key.
	Without string
}

// Version is the version that a Need asks for, as the rest of a sentence that begins with "needs".
func (n Need) Version() string {
	if n.After {
		return "a version after " + n.Since
	}
	return n.Since + " or newer"
}

// Needs are the keys that templates of the suite use, or that its users are told to use, and that old versions lack. The versions are
// those of the first tag whose documentation has the key.
func Needs() []Need {
	return []Need{
		{"git-resource", "git", SourceKey, "commit_filter", "1.6.0", false, "every commit is a version, also the pipeline's own"},
		{"git-resource", "git", SourceKey, "fetch_tags", "1.7.1", false, "the clone lacks the tags that versions follow from"},
		{"git-resource", "git", SourceKey, "private_key_passphrase", "1.13.0", false, "an encrypted key does not open"},
		{"registry-image-resource", "registry-image", PutKey, "additional_tags", "0.4.0", false, "the image gets one of its tags alone"},
		{"registry-image-resource", "registry-image", GetKey, "skip_download", "0.10.0", false, "a bump downloads the whole image"},
		{"registry-image-resource", "registry-image", SourceKey, "insecure", "1.5.0", false, "a registry over http is refused"},
		{"github-release-resource", "github-release", SourceKey, "github_uploads_url", "1.0.0", false, "files of releases go to github.com"},
		{"github-release-resource", "github-release", SourceKey, "app_id", "1.13.0", true, "a GitHub App cannot make the release"},
		{"slack-notification-resource", "", PutKey, "text_file", "1.0.0", false, "the message lacks what was deployed"},
		{"oci-build-task", "", TaskKey, "BUILD_ARGS_FILE", "0.1.0", false, "the Dockerfile does not get the version"},
		{"oci-build-task", "", TaskKey, "LABELS_FILE", "0.6.0", false, "the image lacks the labels that lead back to its source"},
	}
}

// versions: a type or task of others is not older than the keys that are used of it.
func (l *linter) versions() {
	steps := l.p.AllSteps()
	for _, n := range Needs() {
		for _, r := range l.p.Resources {
			if n.Place == SourceKey {
				l.newEnough(n, r.Type, "resource "+quote(r.Name), r.Line, l.source(r))
			}
		}
		for _, s := range steps {
			l.stepVersion(n, s)
		}
	}
}

func (l *linter) stepVersion(n Need, s Step) {
	switch {
	case s.Kind == KindGet && n.Place == GetKey:
		l.newEnough(n, l.declared(s.Get.Resource), "get "+quote(s.Get.Name), s.Line, s.Get.Params)
	case s.Kind == KindPut && n.Place == PutKey:
		l.newEnough(n, l.declared(s.Put.Resource), "put "+quote(s.Put.Name), s.Line, s.Put.Params)
	case s.Kind == KindTask && n.Place == TaskKey && s.Task.Config != nil && s.Task.Config.ImageResource != nil:
		for _, params := range []Value{s.Task.Config.Params, s.Task.Params} {
			l.oldImage(n, "task "+quote(s.Task.Name), s.Task.Config.ImageResource.Source, params)
		}
	default:
	}
}

// declared is the type of a resource, as the pipeline calls it.
func (l *linter) declared(resource string) string {
	r, _ := l.p.Resource(resource)
	return r.Type
}

// newEnough holds a key against the version of the type that it is given to.
func (l *linter) newEnough(n Need, typ, what string, line int, given Value) {
	if t, ok := l.p.ResourceType(typ); ok {
		l.oldImage(n, what, t.Source, given)
		return
	}
	// which version a Concourse brings along is not in the file; all but one are older than any that runs these pipelines
	if n.After && typ == n.Core && !given.Field(n.Key).IsZero() {
		l.warnf(line, "old-version", "look for the version of the type with fly workers --details, and define a newer one under resource_types if it is older",
			"%s has %s, which needs %s of %s: with an older one, %s", what, quote(n.Key), n.Version(), n.Core, n.Without)
	}
}

// oldImage reports a key that the version of an image does not know.
func (l *linter) oldImage(n Need, what string, image, given Value) {
	repository, tag := textOf(image.Field("repository")), textOf(image.Field("tag"))
	repository, _, _ = strings.Cut(repository, "@")
	repository = strings.TrimPrefix(repository, "docker.io/")
	if repository[strings.LastIndex(repository, "/")+1:] != n.Image || given.Field(n.Key).IsZero() || !n.tooOld(tag) {
		return
	}
	line := image.Field("tag").Line()
	if repository == n.upstream() {
		l.errorf(line, "old-version", "take "+n.Version(), "%s has %s, which %s %s does not know: %s", what, quote(n.Key), n.Image, tag, n.Without)
		return
	}
	l.warnf(line, "old-version", "take "+n.Version()+", or allow it if "+repository+" has versions of its own",
		"%s has %s, which %s %s does not know if its versions are those of %s: %s", what, quote(n.Key), n.Image, tag, n.upstream(), n.Without)
}

// upstream is the repository of Docker Hub whose tags the versions of a Need are. A copy elsewhere may have the same ones, a fork has others.
func (n Need) upstream() string {
	if n.Image == "slack-notification-resource" {
		return "cfcommunity/" + n.Image
	}
	return "concourse/" + n.Image
}

// tooOld tells whether a tag is certainly too old: one that is not a version is not, and a short one stands for the newest of its kind.
func (n Need) tooOld(tag string) bool {
	has, needs := numbers(tag), numbers(n.Since)
	if len(has) == 0 {
		return false
	}
	needs = needs[:min(len(needs), len(has))]
	order := slices.Compare(has, needs)
	return order < 0 || n.After && order == 0 && len(has) == len(numbers(n.Since))
}

// numbers are those of a version tag: 1, 8, 1 of v1.8.1-alpine. None, when it is not a version.
func numbers(tag string) []int {
	version := regexp.MustCompile(`^v?(\d{1,9}(?:\.\d{1,9}){0,2})(?:[-+].*)?$`).FindStringSubmatch(tag)
	if version == nil {
		return nil
	}
	var all []int
	for part := range strings.SplitSeq(version[1], ".") {
		number, err := strconv.Atoi(part)
		if err != nil {
			return nil
		}
		all = append(all, number)
	}
	return all
}
