package pipeline

import (
	"regexp"
	"slices"
	"strings"
)

// images: every image is pinned, so that what ran yesterday runs today.
func (l *linter) images() {
	for _, t := range l.p.ResourceTypes {
		l.pinned("resource type "+quote(t.Name), t.Line, t.Type, t.Source, Value{})
	}
	for _, j := range l.p.Jobs {
		j.eachStep(func(s Step) {
			if s.Kind != KindTask || s.Task.Config == nil {
				return
			}
			c := s.Task.Config
			switch {
			case c.ImageResource != nil:
				l.pinned("task "+quote(s.Task.Name), c.ImageResource.Line, c.ImageResource.Type, c.ImageResource.Source, c.ImageResource.Version)
			case s.Task.Image == "" && c.RootfsURI == "" && c.Platform == "linux":
				l.errorf(s.Line, "no-image", "add image_resource to its config", "task %s has no image", quote(s.Task.Name))
			}
		})
	}
}

// moving are tags that are given to another image with every release.
func moving() []string {
	return []string{"latest", "edge", "main", "master", "stable", "dev", "nightly", "rc", "beta", "alpha", "lts"}
}

// shortVersion is a version without its last part.
var shortVersion = regexp.MustCompile(`^v?\d+(\.\d+)?$`)

func (l *linter) pinned(what string, line int, kind string, source, version Value) {
	if kind != "registry-image" && kind != "docker-image" {
		return
	}
	if kind == "docker-image" {
		l.warnf(line, "deprecated", "use registry-image", "%s comes through docker-image, which is deprecated", what)
	}
	if !version.Field("digest").IsZero() || HasRef(textOf(source.Field("tag"))) {
		return
	}
	const mend = "give it the tag of one version, or a digest under version"
	if d := textOf(source.Field("repository")); strings.Contains(d, "@sha256:") {
		return
	}
	tag := source.Field("tag")
	switch text := textOf(tag); {
	case tag.IsZero():
		l.errorf(line, "unpinned-image", mend, "the image of %s has no tag, which means latest", what)
	case slices.Contains(moving(), text), strings.HasPrefix(text, "latest-"), strings.HasSuffix(text, "-latest"):
		l.errorf(tag.Line(), "unpinned-image", mend, "the image of %s has the tag %s, which moves", what, quote(text))
	case shortVersion.MatchString(text):
		l.warnf(tag.Line(), "unpinned-image", mend, "the image of %s has the tag %s, which moves with every small release", what, quote(text))
	}
}

// textOf is a scalar's text whatever its type, "" for anything else.
func textOf(v Value) string {
	if v.node == nil || len(v.node.Content) > 0 {
		return ""
	}
	return v.node.Value
}
