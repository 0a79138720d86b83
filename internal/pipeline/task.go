package pipeline

import (
	"regexp"
	"sync"

	"go.yaml.in/yaml/v3"
)

// ParseTask reads a task config file, as the file of a task step names it. The error is an *InvalidError.
func ParseTask(file string, data []byte) (*TaskConfig, error) {
	r := report{file: file}
	root := r.load(data)
	if root == nil {
		return nil, &InvalidError{r.findings}
	}
	c := r.taskConfig(root)
	if r.findings.Errors() > 0 {
		return nil, &InvalidError{sorted(r.findings)}
	}
	return c, nil
}

func (r *report) task(m *mapping) *Task {
	t := &Task{
		Name: m.required("task"), File: m.text("file"), Image: m.text("image"), Params: m.mappingValue("params"),
		Vars: m.mappingValue("vars"), InputMapping: m.stringMap("input_mapping"), OutputMapping: m.stringMap("output_mapping"),
		Privileged: m.boolean("privileged"), Hermetic: m.boolean("hermetic"), Limits: r.limits(m),
	}
	if n := m.get("config"); n != nil {
		t.Config = r.taskConfig(n)
	}
	switch {
	case t.Config == nil && t.File == "":
		r.errorf(m.line("task"), "task", "", "task %s has neither file nor config", quote(t.Name))
	case t.Config != nil && t.File != "":
		r.errorf(m.line("file"), "task", "keep one of them", "task %s has both file and config", quote(t.Name))
	}
	return t
}

func (r *report) taskConfig(n *yaml.Node) *TaskConfig {
	m := r.mapping(n, "a task config")
	c := &TaskConfig{
		Line: n.Line, Platform: m.required("platform"), RootfsURI: m.text("rootfs_uri"), Params: m.mappingValue("params"),
		Limits: r.limits(m),
	}
	if n := m.get("image_resource"); n != nil {
		c.ImageResource = r.imageResource(n)
	}
	if n := m.get("run"); n != nil {
		c.Run = r.run(n)
	} else if m.node.Kind == yaml.MappingNode {
		r.errorf(m.line("run"), "missing-key", "add run with a path", "a task config has no \"run\"")
	}
	r.taskFolders(m, c)
	m.done()
	return c
}

// memoryLimit is as fly reads it (atc/container_limits.go).
var memoryLimit = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)^\d+([KMG]i?B?)?$`) })

// limits are those of a container: cpu is a number, memory a number of bytes or a text with a unit.
func (r *report) limits(m *mapping) Value {
	v := m.mappingValue("container_limits")
	if cpu := v.Field("cpu"); !cpu.IsZero() && cpu.node.ShortTag() != "!!int" && cpu.node.ShortTag() != "!!float" {
		r.errorf(cpu.Line(), "wrong-type", "", "cpu of container_limits must be a number, this is a %s", kindName(cpu.node))
	}
	if text, ok := v.Field("memory").Text(); ok && !memoryLimit().MatchString(text) {
		r.errorf(v.Field("memory").Line(), "wrong-type", "write it like 512MB or 2GiB", "memory of container_limits cannot be read: %s", quote(text))
	}
	return v
}

func (r *report) taskFolders(m *mapping, c *TaskConfig) {
	for _, n := range m.list("inputs") {
		in := r.mapping(n, "a task input")
		c.Inputs = append(c.Inputs, Input{Line: n.Line, Name: in.required("name"), Path: in.text("path"), Optional: in.boolean("optional")})
		in.done()
	}
	for _, n := range m.list("outputs") {
		out := r.mapping(n, "a task output")
		c.Outputs = append(c.Outputs, Output{Line: n.Line, Name: out.required("name"), Path: out.text("path")})
		out.done()
	}
	for _, n := range m.list("caches") {
		cache := r.mapping(n, "a task cache")
		c.Caches = append(c.Caches, Cache{Line: n.Line, Path: cache.required("path"), TTL: cache.text("ttl")})
		r.interval(cache, "ttl", cache.text("ttl"))
		cache.done()
	}
}

func (r *report) imageResource(n *yaml.Node) *ImageResource {
	m := r.mapping(n, "an image_resource")
	i := &ImageResource{
		Line: n.Line, Name: m.text("name"), Type: m.required("type"), Source: m.mappingValue("source"),
		Params: m.mappingValue("params"), Version: m.mappingValue("version"), Tags: m.strings("tags"),
	}
	m.done()
	return i
}

func (r *report) run(n *yaml.Node) Run {
	m := r.mapping(n, "run")
	run := Run{Line: n.Line, Path: m.required("path"), Dir: m.text("dir"), User: m.text("user"), Args: m.strings("args")}
	m.done()
	return run
}
