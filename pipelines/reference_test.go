package pipelines

import (
	"fmt"
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

// referenceFacts are the facts of a file in testdata/reference. A text with {KEY} stands for one of each name that Each has for KEY.
type referenceFacts struct {
	Each        map[string][]string      `yaml:"each"`
	Jobs        map[string]referenceJob  `yaml:"jobs"`
	Resources   map[string]referencePath `yaml:"resources"`
	Groups      map[string][]string      `yaml:"groups"`
	Names       map[string]string        `yaml:"names"`
	JobNames    map[string]string        `yaml:"job_names"`
	Differences []struct {
		Theirs []string `yaml:"theirs"`
		Ours   []string `yaml:"ours"`
		Why    string   `yaml:"why"`
	} `yaml:"differences"`
}

type referenceJob struct {
	Serial      bool `yaml:"serial"`
	MaxInFlight int  `yaml:"max_in_flight"`
	Get         map[string]struct {
		Trigger bool     `yaml:"trigger"`
		Every   bool     `yaml:"every"`
		Passed  []string `yaml:"passed"`
	} `yaml:"get"`
	Put      []string `yaml:"put"`
	Workers  []string `yaml:"workers"`
	Attempts []int    `yaml:"attempts"` // of each step that is tried more than once
}

// referencePath is what a git resource watches: files, and folders without the patterns that mean one.
type referencePath struct {
	Paths  []string `yaml:"paths"`
	Ignore []string `yaml:"ignore_paths"`
}

// gets is one thing that a pipeline says, in words that can be compared.
func gets(job, resource string, trigger, every bool, passed []string) string {
	words := job + " gets " + resource
	if every {
		words += ", every version"
	}
	if trigger {
		words += ", which starts it"
	}
	if passed = slices.Sorted(slices.Values(passed)); len(passed) > 0 {
		words += ", passed " + strings.Join(passed, " ")
	}
	return words
}

func atATime(job string, serial bool, most int) []string {
	if serial {
		return []string{job + " runs once at a time"}
	} else if most > 0 {
		return []string{fmt.Sprintf("%s runs %d at a time", job, most)}
	}
	return nil
}

func tries(job string, attempts []int) []string {
	if len(attempts) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s tries steps so often: %v", job, slices.Sorted(slices.Values(attempts)))}
}

func calledBefore(name, before string) []string {
	if before == "" {
		return nil
	}
	return []string{name + " was called " + before}
}

func watches(resource string, paths, ignored []string) []string {
	var all []string
	for _, path := range paths {
		all = append(all, resource+" watches "+strings.TrimSuffix(path, "/**"))
	}
	for _, path := range ignored {
		all = append(all, resource+" does not watch "+strings.TrimSuffix(path, "/**"))
	}
	return all
}

// each is the texts with every name that stands for {KEY}.
func (f referenceFacts) each(texts ...string) []string {
	for key, names := range f.Each {
		var filled []string
		for _, text := range texts {
			if !strings.Contains(text, "{"+key+"}") {
				filled = append(filled, text)
				continue
			}
			for _, name := range names {
				filled = append(filled, strings.ReplaceAll(text, "{"+key+"}", name))
			}
		}
		texts = filled
	}
	return texts
}

// statements are what their pipeline says, in the example's names.
func (f referenceFacts) statements() []string {
	called := func(in map[string]string, name string) string {
		for theirs, ours := range in {
			for _, pair := range f.each(theirs + "\n" + ours) {
				if found, other, _ := strings.Cut(pair, "\n"); found == name || theirs == name {
					return map[bool]string{true: ours, false: other}[theirs == name]
				}
			}
		}
		return name
	}
	jobs := func(names []string) []string {
		var all []string
		for _, name := range names {
			all = append(all, called(f.JobNames, name))
		}
		return all
	}
	var all []string
	for key, facts := range f.Jobs {
		job := called(f.JobNames, key)
		all = append(all, atATime(job, facts.Serial, facts.MaxInFlight)...)
		for resource, get := range facts.Get {
			all = append(all, gets(job, called(f.Names, resource), get.Trigger, get.Every, jobs(get.Passed)))
		}
		for _, resource := range facts.Put {
			all = append(all, job+" puts "+called(f.Names, resource))
		}
		for _, tag := range facts.Workers {
			all = append(all, job+" has workers "+tag)
		}
		all = append(all, tries(job, facts.Attempts)...)
	}
	for name, facts := range f.Resources {
		all = append(all, watches(called(f.Names, name), facts.Paths, facts.Ignore)...)
	}
	for name, members := range f.Groups {
		for _, job := range jobs(members) {
			all = append(all, "group "+name+" has "+job)
		}
	}
	return f.each(all...)
}

func statements(p *pipeline.Pipeline) []string {
	var all []string
	for _, r := range p.Resources {
		all = append(all, calledBefore(r.Name, r.OldName)...)
	}
	for _, job := range p.Jobs {
		all = append(all, atATime(job.Name, job.Serial, job.MaxInFlight)...)
		all = append(all, calledBefore(job.Name, job.OldName)...)
		job.Hooks = pipeline.Hooks{}
		var attempts []int
		walk(job.Steps(), func(s pipeline.Step) {
			for _, tag := range s.Tags {
				all = append(all, job.Name+" has workers "+tag)
			}
			switch s.Kind {
			case pipeline.KindGet:
				var passed []string
				for _, other := range s.Get.Passed {
					passed = append(passed, other.Value)
				}
				all = append(all, gets(job.Name, s.Get.Resource, s.Get.Trigger, s.Get.Version.Every, passed))
			case pipeline.KindPut:
				all = append(all, job.Name+" puts "+s.Put.Resource)
			default:
			}
			if s.Attempts > 1 {
				attempts = append(attempts, s.Attempts)
			}
			if s.Timeout != "" {
				all = append(all, "a step ends after "+s.Timeout)
			}
		})
		all = append(all, tries(job.Name, attempts)...)
	}
	for _, r := range p.Resources {
		all = append(all, watches(r.Name, textsOf(r.Source.Field("paths")), textsOf(r.Source.Field("ignore_paths")))...)
	}
	for _, group := range p.Groups {
		for _, job := range p.Jobs {
			if slices.ContainsFunc(group.Jobs, func(pattern pipeline.Text) bool { ok, _ := filepath.Match(pattern.Value, job.Name); return ok }) {
				all = append(all, "group "+group.Name+" has "+job.Name)
			}
		}
	}
	return all
}

func textsOf(list pipeline.Value) []string {
	var all []string
	for _, item := range list.Items() {
		text, _ := item.Text()
		all = append(all, text)
	}
	return all
}

// beyond are the texts of one list that the other has not.
func beyond(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.DeleteFunc(slices.Clone(a), func(text string) bool { return slices.Contains(b, text) }))))
}

// referenceRenderings are the pipelines of the reference team: an example, or values beside the facts.
func referenceRenderings(t *testing.T) map[string]Rendering {
	t.Helper()
	release := exampleOf("lana-bank", "release").Rendering()
	values, err := os.ReadFile(release.Values)
	require.NoError(t, err)
	awaits := regexp.MustCompile(`(?m)^await_release_binary:\n( {2}.*\n)+\n`) // the team has switched it off
	require.Regexp(t, awaits, string(values))
	release.Values = filepath.Join(t.TempDir(), valuesFile)
	require.NoError(t, os.WriteFile(release.Values, awaits.ReplaceAll(values, nil), 0o644))
	of := func(template string) Rendering {
		return Rendering{Template: template, Values: filepath.Join(referenceFolder, template+"-values.yml"), Repository: referenceFolder}
	}
	return map[string]Rendering{"release": release, "charts": of("charts"), "nix-cache": of("nix-cache"), Deployments: of(Deployments)}
}

const referenceFolder = "testdata/reference"

// Jobs, what starts them, what must have passed, what they put, where they run, how often and how long steps are tried, what their resources watch and how they are grouped is
// as the reference team has it, or the page says why not.
func TestThePipelinesOfTheReferenceTeam(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/reference.md")
	require.NoError(t, err)
	said := strings.Join(strings.Fields(string(page)), " ")
	for name, r := range referenceRenderings(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(referenceFolder, name+".yml"))
			require.NoError(t, err)
			var facts referenceFacts
			require.NoError(t, yaml.Unmarshal(text, &facts))
			rendering, err := r.Render()
			require.NoError(t, err)
			findings := pipeline.Lint(WantFile, rendering, OwnTypes())
			assert.Zero(t, findings.Errors(), "%s", findings)
			p, err := pipeline.Parse(WantFile, rendering)
			require.NoError(t, err)

			theirs, ours := facts.statements(), statements(p)
			var onlyTheirs, onlyOurs []string
			for _, d := range facts.Differences {
				onlyTheirs, onlyOurs = append(onlyTheirs, facts.each(d.Theirs...)...), append(onlyOurs, facts.each(d.Ours...)...)
				require.NotEmpty(t, d.Why)
				assert.Contains(t, said, "| "+strings.Join(strings.Fields(d.Why), " ")+" |")
			}
			onlyTheirs, onlyOurs = slices.Sorted(slices.Values(onlyTheirs)), slices.Sorted(slices.Values(onlyOurs))
			assert.Equal(t, onlyTheirs, beyond(theirs, ours), "what only they do")
			assert.Equal(t, onlyOurs, beyond(ours, theirs), "what only the example does")
			equal := len(slices.Compact(slices.Sorted(slices.Values(theirs)))) - len(onlyTheirs)
			assert.Regexp(t, fmt.Sprintf(`(?m)^\| \[%s\].*\| %d \| %d \|$`, name, equal, len(onlyTheirs)), string(page))
		})
	}
}

// The rows of the page on tags and files of a release name what the rendering has.
func TestThePageNamesTheFilesOfARelease(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/reference.md")
	require.NoError(t, err)
	p := rendered(t, "lana-bank", "release")
	source := func(name string) pipeline.Value {
		r, ok := p.Resource(name)
		require.True(t, ok, name)
		return r.Source
	}
	text := func(v pipeline.Value) string {
		s, ok := v.Text()
		require.True(t, ok)
		return s
	}
	puts, dockerfiles, title := map[string]pipeline.Value{}, map[string]string{}, ""
	for _, job := range []string{"build-rc", "release", "bump-image-in-chart"} {
		walk(jobOf(t, p, job).Steps(), func(s pipeline.Step) {
			switch {
			case s.Kind == pipeline.KindPut:
				puts[s.Put.Resource] = s.Put.Params
			case s.Name() == "build-lana-bank":
				dockerfiles[job] = strings.TrimPrefix(text(s.Task.Config.Params.Field("DOCKERFILE")), "prepared/")
			case s.Name() == "prepare" && job == "release":
				title = text(s.Task.Config.Params.Field("TITLE"))
			}
		})
	}
	var files []string
	for _, c := range puts["chart"].Field("copy").Items() {
		files = append(files, text(c.Field("to")))
	}
	for _, f := range puts["chart"].Field("files").Items() {
		files = append(files, text(f.Field("path")))
	}
	version, promotion := source("version"), source("promote-rc")
	for row, want := range map[string][]string{
		"branch `" + text(version.Field("branch")) + "`, file `" + text(version.Field("file")) + "`": nil,
		"images of a release":         {"0.42.0", text(source("lana-bank-latest-image").Field("tag"))},
		"title of the GitHub release": {strings.Replace(title, "{version}", "0.42.0", 1), "release.title: " + title},
		"its file":                    {strings.TrimPrefix(textsOf(puts["github-release"].Field("globs"))[0], "binary/")},
		"Dockerfiles of the server":   {dockerfiles["build-rc"], dockerfiles["release"]},
		"pull request of a candidate": append(textsOf(promotion.Field("labels")), textsOf(promotion.Field("allowed_files"))...),
		"further files of the chart":  files,
		"versions in the chart":       textsOf(source("chart").Field("app_version_paths")),
		"commit types in `" + text(version.Field("cog_toml")) + "`": {"version.cog_toml"},
	} {
		line := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(row) + ` \|.*$`).FindString(string(page))
		require.NotEmpty(t, line, row)
		for _, name := range want {
			assert.Contains(t, line, "`"+strings.TrimSuffix(name, "**")+"`", row)
		}
	}
}
