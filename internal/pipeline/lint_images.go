package pipeline

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// images: every image is pinned, so that what ran yesterday runs today. One that many tasks use is reported once.
func (l *linter) images() {
	l.unpinned = map[string]bool{}
	for _, t := range l.p.ResourceTypes {
		l.pinned("resource type "+quote(t.Name), t.Line, t.Type, t.Source, Value{})
	}
	for _, s := range l.p.AllSteps() {
		if s.Kind != KindTask || s.Task.Config == nil {
			continue
		}
		c := s.Task.Config
		switch {
		case c.ImageResource != nil:
			l.pinned("task "+quote(s.Task.Name), c.ImageResource.Line, c.ImageResource.Type, c.ImageResource.Source, c.ImageResource.Version)
		case s.Task.Image == "" && c.RootfsURI == "" && c.Platform == "linux":
			l.errorf(s.Line, "no-image", "add image_resource to its config", "task %s has no image", quote(s.Task.Name))
		}
	}
}

// moving are tags that are given to another image with every release.
func moving() []string {
	return []string{"latest", "edge", "main", "master", "stable", "dev", "nightly", "rc", "beta", "alpha", "lts"}
}

// shortVersion is a version without its last part.
var shortVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^v?\d+(\.\d+)?$`) })

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
	text := textOf(tag)
	why := ""
	switch {
	case tag.IsZero():
		why = "no tag, which means latest"
	case slices.Contains(moving(), text), strings.HasPrefix(text, "latest-"), strings.HasSuffix(text, "-latest"):
		why = "the tag " + quote(text) + ", which moves"
	case shortVersion().MatchString(text):
		why = "the tag " + quote(text) + ", which moves with every small release"
	}
	image := textOf(source.Field("repository")) + ":" + text
	if why == "" || l.unpinned[image] {
		return
	}
	l.unpinned[image] = true
	if !tag.IsZero() {
		line = tag.Line()
	}
	l.warnf(line, "unpinned-image", mend, "the image of %s has %s", what, why)
}

// textOf is a scalar's text whatever its type, "" for anything else.
func textOf(v Value) string {
	if v.node == nil || len(v.node.Content) > 0 {
		return ""
	}
	return v.node.Value
}
