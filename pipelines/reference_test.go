package pipelines

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// referenceFacts are the facts of testdata/reference.yml.
type referenceFacts struct {
	Jobs map[string]struct {
		Serial bool `yaml:"serial"`
		Get    map[string]struct {
			Trigger bool     `yaml:"trigger"`
			Passed  []string `yaml:"passed"`
		} `yaml:"get"`
		Put []string `yaml:"put"`
	} `yaml:"jobs"`
	Names       map[string]string `yaml:"names"`
	Differences []struct {
		Theirs []string `yaml:"theirs"`
		Ours   []string `yaml:"ours"`
		Why    string   `yaml:"why"`
	} `yaml:"differences"`
}

// gets is one thing that a pipeline says, in words that can be compared.
func gets(job, resource string, trigger bool, passed []string) string {
	words := job + " gets " + resource
	if trigger {
		words += ", which starts it"
	}
	if passed = slices.Sorted(slices.Values(passed)); len(passed) > 0 {
		words += ", passed " + strings.Join(passed, " ")
	}
	return words
}

func (f referenceFacts) statements() []string {
	name := func(resource string) string {
		if other, ok := f.Names[resource]; ok {
			return other
		}
		return resource
	}
	var all []string
	for job, facts := range f.Jobs {
		if facts.Serial {
			all = append(all, job+" runs once at a time")
		}
		for resource, get := range facts.Get {
			all = append(all, gets(job, name(resource), get.Trigger, get.Passed))
		}
		for _, resource := range facts.Put {
			all = append(all, job+" puts "+name(resource))
		}
	}
	return all
}

func statements(p *pipeline.Pipeline) []string {
	var all []string
	for _, job := range p.Jobs {
		if job.Serial {
			all = append(all, job.Name+" runs once at a time")
		}
		job.Hooks = pipeline.Hooks{}
		walk(job.Steps(), func(s pipeline.Step) {
			switch s.Kind {
			case pipeline.KindGet:
				var passed []string
				for _, other := range s.Get.Passed {
					passed = append(passed, other.Value)
				}
				all = append(all, gets(job.Name, s.Get.Resource, s.Get.Trigger, passed))
			case pipeline.KindPut:
				all = append(all, job.Name+" puts "+s.Put.Resource)
			default:
			}
		})
	}
	return all
}

// beyond are the texts of one list that the other has not.
func beyond(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.DeleteFunc(slices.Clone(a), func(text string) bool { return slices.Contains(b, text) }))))
}

// Jobs, what starts them, what must have passed and what they put are the reference team's, or the page says why not.
func TestThePipelineOfTheReferenceTeam(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/reference.yml")
	require.NoError(t, err)
	var facts referenceFacts
	require.NoError(t, yaml.Unmarshal(text, &facts))

	r := exampleOf("lana-bank", "release").Rendering()
	values, err := os.ReadFile(r.Values)
	require.NoError(t, err)
	awaits := regexp.MustCompile(`(?m)^await_release_binary:\n( {2}.*\n)+\n`) // the team has switched it off
	require.Regexp(t, awaits, string(values))
	r.Values = filepath.Join(t.TempDir(), valuesFile)
	require.NoError(t, os.WriteFile(r.Values, awaits.ReplaceAll(values, nil), 0o644))
	rendering, err := r.Render()
	require.NoError(t, err)
	assert.Zero(t, pipeline.Lint(WantFile, rendering, OwnTypes()).Errors())
	p, err := pipeline.Parse(WantFile, rendering)
	require.NoError(t, err)

	theirs, ours := facts.statements(), statements(p)
	var onlyTheirs, onlyOurs []string
	page, err := os.ReadFile("docs/reference.md")
	require.NoError(t, err)
	said := strings.Join(strings.Fields(string(page)), " ")
	for _, d := range facts.Differences {
		onlyTheirs, onlyOurs = append(onlyTheirs, d.Theirs...), append(onlyOurs, d.Ours...)
		require.NotEmpty(t, d.Why)
		assert.Contains(t, said, "| "+strings.Join(strings.Fields(d.Why), " ")+" |")
	}
	assert.Equal(t, slices.Sorted(slices.Values(onlyTheirs)), beyond(theirs, ours), "what only they do")
	assert.Equal(t, slices.Sorted(slices.Values(onlyOurs)), beyond(ours, theirs), "what only the example does")
}
