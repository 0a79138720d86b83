package concourse

import (
	"encoding/json"
	"net/url"
	"sort"
	"strings"
)

// Build says which build runs a step, as far as Concourse tells. It is for
// annotations only: links, trailers, descriptions. See
// https://concourse-ci.org/docs/resource-types/implementing/#resource-metadata.
type Build struct {
	ID          string // unique in the installation
	Number      string // of the job; empty in a one-off build
	Job         string // empty in a one-off build
	Team        string
	CreatedBy   string // who started the build; only with expose_build_created_by
	ExternalURL string // of the web interface

	pipeline  string
	instance  string // JSON
	buildLink string // newer Concourse says it itself
}

func newBuild(p Process) Build {
	return Build{
		ID:          p.Getenv("BUILD_ID"),
		Number:      p.Getenv("BUILD_NAME"),
		Job:         p.Getenv("BUILD_JOB_NAME"),
		Team:        p.Getenv("BUILD_TEAM_NAME"),
		CreatedBy:   p.Getenv("BUILD_CREATED_BY"),
		ExternalURL: strings.TrimRight(p.Getenv("ATC_EXTERNAL_URL"), "/"),
		pipeline:    p.Getenv("BUILD_PIPELINE_NAME"),
		instance:    p.Getenv("BUILD_PIPELINE_INSTANCE_VARS"),
		buildLink:   p.Getenv("BUILD_URL"),
	}
}

// URL is the address of the build's page, or "" where it can't be known.
func (b Build) URL() string {
	switch {
	case b.buildLink != "":
		return b.buildLink
	case b.ExternalURL == "":
		return ""
	case b.inPipeline():
		link := b.ExternalURL + "/teams/" + url.PathEscape(b.Team) + "/pipelines/" + url.PathEscape(b.pipeline) +
			"/jobs/" + url.PathEscape(b.Job) + "/builds/" + url.PathEscape(b.Number)
		if query := b.instanceQuery(); query != "" {
			link += "?" + query
		}
		return link
	case b.ID != "":
		return b.ExternalURL + "/builds/" + url.PathEscape(b.ID)
	}
	return ""
}

// Pipeline is "team/pipeline/job #number", or "" for a one-off build. An
// instanced pipeline shows its vars behind its name, as fly takes them.
func (b Build) Pipeline() string {
	if !b.inPipeline() {
		return ""
	}
	name := b.pipeline
	var vars []string
	for _, v := range b.instanceVars() {
		vars = append(vars, v.path+":"+strings.Trim(v.value, `"`))
	}
	if len(vars) > 0 {
		name += "/" + strings.Join(vars, ",")
	}
	return b.Team + "/" + name + "/" + b.Job + " #" + b.Number
}

// Trailers are the last lines of a commit's message that say which build made it: its page and its
// name, as far as they are known.
func (b Build) Trailers() []string {
	var lines []string
	if page := b.URL(); page != "" {
		lines = append(lines, "Build: "+page)
	}
	if name := b.Pipeline(); name != "" {
		lines = append(lines, "Pipeline: "+name)
	}
	return lines
}

func (b Build) inPipeline() bool {
	return b.Team != "" && b.pipeline != "" && b.Job != "" && b.Number != ""
}

// instanceVar is one leaf of the instance vars: a dotted path and JSON.
type instanceVar struct{ path, value string }

func (b Build) instanceVars() []instanceVar {
	if b.instance == "" {
		return nil
	}
	var vars []instanceVar
	flatten("", json.RawMessage(b.instance), &vars)
	sort.Slice(vars, func(i, j int) bool { return vars[i].path < vars[j].path })
	return vars
}

func (b Build) instanceQuery() string {
	query := url.Values{}
	for _, v := range b.instanceVars() {
		query.Set("vars."+v.path, v.value)
	}
	return query.Encode()
}

// flatten collects the leaves of a JSON object. Anything else at the top, and
// what is not JSON, has none.
func flatten(path string, raw json.RawMessage, into *[]instanceVar) {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil || object == nil {
		if path != "" {
			*into = append(*into, instanceVar{path, string(raw)})
		}
		return
	}
	for key, value := range object {
		below := key
		if path != "" {
			below = path + "." + key
		}
		flatten(below, value, into)
	}
}
