package pipeline

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// Pipeline is one pipeline file. Every Line is 1-based, of the key that begins the thing.
type Pipeline struct {
	File          string
	ResourceTypes []ResourceType
	Resources     []Resource
	Jobs          []Job
	Groups        []Group
	VarSources    []VarSource
}

// Resource looks a resource up by name.
func (p *Pipeline) Resource(name string) (Resource, bool) {
	return first(p.Resources, func(r Resource) bool { return r.Name == name })
}

// ResourceType looks a resource type up by name; the types that a Concourse worker brings along are not listed in files.
func (p *Pipeline) ResourceType(name string) (ResourceType, bool) {
	return first(p.ResourceTypes, func(t ResourceType) bool { return t.Name == name })
}

// Job looks a job up by name.
func (p *Pipeline) Job(name string) (Job, bool) {
	return first(p.Jobs, func(j Job) bool { return j.Name == name })
}

func first[T any](all []T, is func(T) bool) (found T, ok bool) {
	i := slices.IndexFunc(all, is)
	if i < 0 {
		return found, false
	}
	return all[i], true
}

// SetsItself tells whether a job of the pipeline sets it.
func (p *Pipeline) SetsItself() bool {
	return slices.ContainsFunc(p.AllSteps(), func(s Step) bool { return s.Kind == KindSetPipeline && s.SetPipeline.Name == "self" })
}

// ResourceType tells where a type's image comes from.
type ResourceType struct {
	Line       int
	Name, Type string
	Source     Value
	Defaults   Value // merged below the source of every resource of the type
	Params     Value
	Privileged bool
	CheckEvery string
	Tags       []string
}

// Resource is a thing outside that jobs get and put.
type Resource struct {
	Line                 int
	Name, OldName, Type  string
	Source               Value
	Version              Value // pinned, when present
	CheckEvery           string
	CheckTimeout         string
	WebhookToken         string
	Icon                 string
	Tags                 []string
	Public               bool
	ExposeBuildCreatedBy bool
}

// Job is a plan and when to run it.
type Job struct {
	Line                 int
	Name, OldName        string
	Plan                 []Step
	Serial               bool
	SerialGroups         []string
	MaxInFlight          int // 0: no limit
	Public               bool
	Interruptible        bool
	DisableManualTrigger bool
	DisableReruns        bool
	Tags                 []string
	BuildLogRetention    Value
	BuildLogsToRetain    Value // deprecated
	Hooks
	hasPlan bool
}

// Steps is the job as one step, the way Concourse runs it: a do of the plan, with the job's hooks around it.
func (j Job) Steps() Step {
	return Step{Kind: KindDo, Line: j.Line, Do: j.Plan, Hooks: j.Hooks}
}

// Hooks run after a step or a job, depending on how it ended. They nest, Ensure outermost:
// ensure(on_error(on_abort(on_failure(on_success(step))))). So on_failure sees the failure of on_success, and so on.
type Hooks struct {
	OnSuccess, OnFailure, OnError, OnAbort, Ensure *Step
}

// Kind is what a step does; its text is the key that a pipeline has for it.
type Kind string

// The step kinds that are understood.
const (
	KindGet         Kind = "get"
	KindPut         Kind = "put"
	KindTask        Kind = "task"
	KindSetPipeline Kind = "set_pipeline"
	KindLoadVar     Kind = "load_var"
	KindDo          Kind = "do"
	KindTry         Kind = "try"
	KindInParallel  Kind = "in_parallel"
)

// Step is one step of a plan. Exactly one field, the one of its Kind, is set; modifiers nest inside the hooks:
// hooks(across(attempts(timeout(step)))).
type Step struct {
	Kind Kind
	Line int

	Get         *Get
	Put         *Put
	Task        *Task
	SetPipeline *SetPipeline
	LoadVar     *LoadVar
	Do          []Step
	Try         *Step
	InParallel  *InParallel

	Across   *Across
	Attempts int    // 0: not said, which means one
	Timeout  string // Go duration, for each attempt; "" for none
	Tags     []string
	Hooks

	node *yaml.Node
}

// Name is what the step's key holds for the kinds that have a name, "" for the others.
func (s Step) Name() string {
	switch s.Kind {
	case KindGet:
		return s.Get.Name
	case KindPut:
		return s.Put.Name
	case KindTask:
		return s.Task.Name
	case KindSetPipeline:
		return s.SetPipeline.Name
	case KindLoadVar:
		return s.LoadVar.Name
	default:
		return ""
	}
}

// Get fetches a version of a resource into an artifact of its name. The version's metadata becomes the local variable of that
// name: ((.:Name.key)). The get after a put does the same.
type Get struct {
	Name     string // of the artifact
	Resource string // defaults to Name
	Version  Version
	Params   Value
	Passed   []Text // jobs whose last successful builds must have used the version
	Trigger  bool
}

// Text is a string of the file with its line.
type Text struct {
	Line  int
	Value string
}

// Version says which version a get takes: the latest one unless said otherwise.
type Version struct {
	Every  bool
	Pinned map[string]string
}

// Put makes a new version of a resource and then, unless NoGet, gets it into an artifact of its name.
type Put struct {
	Name      string
	Resource  string // defaults to Name
	Params    Value
	GetParams Value
	Inputs    Inputs
	NoGet     bool
}

// Inputs says which artifacts a put sees. Detect, which is also the default when nothing is Given, means
// those that the first path segment of a string anywhere in params names.
type Inputs struct {
	Given       bool
	All, Detect bool
	Names       []Text
}

// Task runs a program in a container.
type Task struct {
	Name          string
	File          string      // task config in an artifact, artifact/path
	Config        *TaskConfig // or here
	Image         string      // artifact that is the image
	Params        Value       // environment, over the config's
	Vars          Value       // for the task file
	InputMapping  map[string]string
	OutputMapping map[string]string
	Privileged    bool
	Hermetic      bool
	Limits        Value
}

// TaskConfig is what a task file holds.
type TaskConfig struct {
	Line          int
	Platform      string
	RootfsURI     string
	ImageResource *ImageResource
	Inputs        []Input
	Outputs       []Output
	Caches        []Cache
	Params        Value
	Run           Run
	Limits        Value
}

// ImageResource is where a task's image comes from.
type ImageResource struct {
	Line       int
	Name, Type string
	Source     Value
	Params     Value
	Version    Value
	Tags       []string
}

// Input is an artifact that a task wants; Path defaults to Name.
type Input struct {
	Line       int
	Name, Path string
	Optional   bool
}

// Output is an artifact that a task makes; Path defaults to Name.
type Output struct {
	Line       int
	Name, Path string
}

// Cache is a folder kept between builds.
type Cache struct {
	Line      int
	Path, TTL string
}

// Run is a task's command.
type Run struct {
	Line            int
	Path, Dir, User string
	Args            []string
}

// SetPipeline configures a pipeline from an artifact.
type SetPipeline struct {
	Name         string
	File         string
	Team         string
	Vars         Value
	VarFiles     []Text
	InstanceVars Value
}

// LoadVar reads a file of an artifact into the local variable ((.:Name)).
type LoadVar struct {
	Name   string
	File   string
	Format string // json, yaml, trim or raw; "" goes by the file's ending, trim when it says nothing
	Reveal bool
}

// InParallel runs steps at the same time.
type InParallel struct {
	Steps    []Step
	Limit    int // 0: all at once
	FailFast bool
}

// Across runs its step once for every combination of values.
type Across struct {
	Vars     []AcrossVar
	FailFast bool
}

// AcrossVar is one variable of an across step, ((.:Var)) inside it.
type AcrossVar struct {
	Line           int
	Var            string
	Values         Value
	MaxInFlight    int // 0: not said, which means one
	MaxInFlightAll bool
}

// Group is a tab of the web view.
type Group struct {
	Line            int
	Name            string
	Jobs, Resources []Text
}

// VarSource is a credential manager of the pipeline.
type VarSource struct {
	Line       int
	Name, Type string
	Config     Value
}
