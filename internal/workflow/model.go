package workflow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/strict"
)

// Workflow is a file of .github/workflows.
type Workflow struct {
	File string
	Name string
	// Events are what starts it, with what the file says about each; null when it says nothing.
	Events map[string]*yaml.Node
	Jobs   []Job

	root *yaml.Node
}

// Job is a job of a workflow.
type Job struct {
	ID          string            `yaml:"-"`
	Name        string            `yaml:"name"`
	If          string            `yaml:"if"`
	Needs       names             `yaml:"needs"`
	Uses        string            `yaml:"uses"`
	Env         map[string]string `yaml:"env"`
	Permissions yaml.Node         `yaml:"permissions"`
	Timeout     yaml.Node         `yaml:"timeout-minutes"`
	Strategy    struct {
		Matrix yaml.Node `yaml:"matrix"`
	} `yaml:"strategy"`
	Steps []Step `yaml:"steps"`

	node *yaml.Node
	line int
}

// Step is a step of a job.
type Step struct {
	ID              string            `yaml:"id"`
	Name            string            `yaml:"name"`
	If              string            `yaml:"if"`
	Uses            string            `yaml:"uses"`
	With            map[string]string `yaml:"with"`
	Env             map[string]string `yaml:"env"`
	Run             string            `yaml:"run"`
	ContinueOnError string            `yaml:"continue-on-error"`

	node *yaml.Node
}

// UnmarshalYAML also keeps the place of the step.
func (s *Step) UnmarshalYAML(n *yaml.Node) error {
	type plain Step
	s.node = n
	return n.Decode((*plain)(s))
}

// names is one name or a list.
type names []string

// UnmarshalYAML takes both.
func (n *names) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*n = names{node.Value}
		return nil
	}
	return node.Decode((*[]string)(n))
}

// IsWorkflow reports whether a file is a workflow: its jobs are a mapping, those of a pipeline are a list. A mapping beside what only
// a pipeline has is a mistake in a pipeline.
func IsWorkflow(data []byte) bool {
	var w struct {
		On        yaml.Node `yaml:"on"`
		Jobs      yaml.Node `yaml:"jobs"`
		Resources yaml.Node `yaml:"resources"`
		Types     yaml.Node `yaml:"resource_types"`
	}
	if yaml.Unmarshal(data, &w) != nil || w.Jobs.Kind != yaml.MappingNode {
		return false
	}
	return len(w.Jobs.Content)+len(w.On.Content)+len(w.On.Value) > 0 && w.Resources.IsZero() && w.Types.IsZero()
}

// Parse reads a workflow; file is its name for messages.
func Parse(file string, data []byte) (*Workflow, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("read workflow %s: %w", file, err)
	}
	var parts struct {
		Name string    `yaml:"name"`
		On   yaml.Node `yaml:"on"`
		Jobs yaml.Node `yaml:"jobs"`
	}
	if err := document.Decode(&parts); err != nil {
		return nil, fmt.Errorf("read workflow %s: %w", file, err)
	}
	if parts.Jobs.Kind != yaml.MappingNode { // as in a file of comments, which has no content at all
		return nil, fmt.Errorf("read workflow %s: it has no jobs", file)
	}
	w := &Workflow{File: file, Name: parts.Name, Events: events(&parts.On), root: document.Content[0]}
	for key, value := range strict.Pairs(&parts.Jobs) {
		job := Job{ID: key.Value, node: value, line: key.Line}
		if err := value.Decode(&job); err != nil {
			return nil, fmt.Errorf("read workflow %s: job %s: %w", file, key.Value, err)
		}
		w.Jobs = append(w.Jobs, job)
	}
	return w, nil
}

// events are written as one name, a list or a mapping.
func events(n *yaml.Node) map[string]*yaml.Node {
	all := map[string]*yaml.Node{}
	switch n.Kind {
	case yaml.ScalarNode:
		all[n.Value] = &yaml.Node{}
	case yaml.SequenceNode:
		for _, e := range n.Content {
			all[e.Value] = &yaml.Node{}
		}
	case yaml.MappingNode:
		for key, value := range strict.Pairs(n) {
			all[key.Value] = value
		}
	default:
	}
	return all
}

// RunsFor reports whether a pull request into that branch starts the workflow.
func (w *Workflow) RunsFor(base string) bool {
	pull, ok := w.Events["pull_request"]
	if !ok {
		return false
	}
	if only := strict.Member(pull, "branches"); only != nil {
		return matches(only, base)
	}
	not := strict.Member(pull, "branches-ignore")
	return not == nil || !matches(not, base)
}

// matches compares a branch with patterns, of which * is known.
func matches(patterns *yaml.Node, branch string) bool {
	return slices.ContainsFunc(append([]*yaml.Node{patterns}, patterns.Content...), func(n *yaml.Node) bool {
		ok, err := path.Match(n.Value, branch)
		return err == nil && ok && n.Kind == yaml.ScalarNode
	})
}

// Check is the name under which a job reports: its own, or its id.
func (j Job) Check() string {
	if j.Name != "" {
		return j.Name
	}
	return j.ID
}

// Combinations are those of the job's matrix, in its order: one without any when there is no matrix. Lists are taken, include and
// exclude are not.
func (j Job) Combinations() ([]map[string]any, error) {
	all := []map[string]any{{}}
	for key, value := range strict.Pairs(&j.Strategy.Matrix) {
		var values []any
		name := key.Value
		if err := value.Decode(&values); err != nil || name == "include" || name == "exclude" {
			return nil, fmt.Errorf("matrix: %s is not a list of values", name)
		}
		var next []map[string]any
		for _, before := range all {
			for _, v := range values {
				one := maps.Clone(before)
				one[name] = v
				next = append(next, one)
			}
		}
		all = next
	}
	return all, nil
}

// Title is the name of the job for one combination: GitHub puts the values behind a name that names none of them.
func (j Job) Title(combination map[string]any) string {
	if len(combination) == 0 || strings.Contains(j.Name, "${{") {
		return j.Check()
	}
	var values []string
	for _, name := range slices.Sorted(maps.Keys(combination)) {
		values = append(values, fmt.Sprint(combination[name]))
	}
	return j.Check() + " (" + strings.Join(values, ", ") + ")"
}

// Ruleset is a branch's rules, as GitHub exports and imports them, as far as checks are concerned.
type Ruleset struct {
	File     string
	Required []Required
	// Branches are those that the rules are for, as refs/heads/main.
	Branches []string
	// Queue says that pull requests are merged through a queue.
	Queue bool
	// Approvals is the number of reviews that a pull request needs, Methods are the ways to merge it: merge, squash, rebase.
	Approvals int
	Methods   []string
}

// Required is a check that must be green.
type Required struct {
	Context string `json:"context"`
	// App is the one that must report it; 0: anybody may.
	App int64 `json:"integration_id"`
}

// errNoRuleset is the answer to a JSON file of something else.
var errNoRuleset = errors.New("it is not a ruleset")

// ParseRuleset reads a ruleset.
func ParseRuleset(file string, data []byte) (*Ruleset, error) {
	var written struct {
		Conditions struct {
			Ref struct {
				Include []string `json:"include"`
			} `json:"ref_name"`
		} `json:"conditions"`
		Rules []struct {
			Type       string `json:"type"`
			Parameters struct {
				Required  []Required `json:"required_status_checks"`
				Approvals int        `json:"required_approving_review_count"`
				Methods   []string   `json:"allowed_merge_methods"`
			} `json:"parameters"`
		} `json:"rules"`
	}
	err := json.NewDecoder(bytes.NewReader(data)).Decode(&written)
	if err == nil && written.Rules == nil {
		err = errNoRuleset
	}
	if err != nil {
		return nil, fmt.Errorf("read ruleset %s: %w", file, err)
	}
	r := &Ruleset{File: file, Branches: written.Conditions.Ref.Include}
	for _, rule := range written.Rules {
		r.Required = append(r.Required, rule.Parameters.Required...)
		r.Queue = r.Queue || rule.Type == "merge_queue"
		r.Approvals = max(r.Approvals, rule.Parameters.Approvals)
		r.Methods = append(r.Methods, rule.Parameters.Methods...)
	}
	return r, nil
}
