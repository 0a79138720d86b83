package rehearsal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// pushes is a resource type with the files of each push; the version n is the push with that number.
type pushes struct{ files []map[string]string }

func (p *pushes) Run(_ context.Context, c rehearsal.Call) ([]byte, error) {
	var req struct{ Version rehearsal.Version }
	if err := json.Unmarshal(c.Request, &req); err != nil {
		return nil, err
	}
	if c.Verb == rehearsal.Check {
		return fmt.Appendf(nil, `[{"n":"%d"}]`, len(p.files)), nil
	}
	n, err := strconv.Atoi(req.Version["n"])
	if err != nil {
		return nil, err
	}
	for name, text := range p.files[n-1] {
		if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return json.Marshal(map[string]any{"version": req.Version})
}

// setter is a pipeline that sets itself with the file p.yml of each push, and what else it has.
const setter = `resources:
- {name: repo, type: pushes}
- {name: a, type: shelf, source: {name: a}}
%s
jobs:
- name: set
  plan:
  - {get: repo, trigger: true}
  - set_pipeline: self
    file: repo/p.yml%s
  - put: a
    params: {"n": done}
%s`

func setterOf(resources, step, jobs string) string { return fmt.Sprintf(setter, resources, step, jobs) }

// takesA is a job that starts with each version of a.
const takesA = "- {name: use, plan: [{get: a, trigger: true}]}\n"

// sets rehearses a pipeline that sets itself.
func sets(t *testing.T, first string, o rehearsal.Options) (*rehearsal.Rehearsal, *pushes) {
	t.Helper()
	p, err := pipeline.Parse("first.yml", []byte(first))
	require.NoError(t, err)
	repo := &pushes{}
	o.Pipeline, o.Dir, o.TaskPath = p, t.TempDir(), os.Getenv("PATH")
	o.Types = map[string]rehearsal.Type{"pushes": repo, "shelf": newShelf()}
	r, err := rehearsal.New(o)
	require.NoError(t, err)
	return r, repo
}

func (p *pushes) push(files map[string]string) { p.files = append(p.files, files) }

func TestAPipelineSetsItself(t *testing.T) {
	t.Parallel()
	first := setterOf("", "", takesA)
	r, repo := sets(t, first, rehearsal.Options{})
	repo.push(map[string]string{"p.yml": first})
	assert.Equal(t, []string{"set#1 succeeded", "use#1 succeeded"}, settled(t, r))

	// a job appears, and begins with what the pipeline knows; the build that set it goes on with its put
	repo.push(map[string]string{"p.yml": setterOf("", "", takesA+"- {name: more, plan: [{get: a, trigger: true, passed: [use]}]}\n")})
	assert.Equal(t, []string{"set#2 succeeded", "more#1 succeeded"}, settled(t, r))
	assert.Contains(t, r.Builds("set")[1].Steps[1].Log, "setting pipeline: rehearsal\njob more has been added\n")
	assert.Equal(t, "a", r.Builds("set")[1].Outputs[0].Resource)

	// a job that vanished does not start any more, and one with an old_name keeps its builds
	repo.push(map[string]string{"p.yml": setterOf("", "", strings.Replace(takesA, "name: use", "name: uses, old_name: use", 1))})
	assert.Equal(t, []string{"set#3 succeeded"}, settled(t, r))
	assert.Contains(t, r.Builds("set")[2].Steps[1].Log, "job uses has been added\njob more has been removed\njob use has been removed\n")
	assert.Len(t, r.Builds("uses"), 1)
	_, err := r.Trigger(t.Context(), "more", "Ana")
	require.ErrorContains(t, err, `there is no job "more"`)
}

func TestWhatAResourceKeepsWhenAPipelineSetsItself(t *testing.T) {
	t.Parallel()
	const other = "- {name: b, type: shelf, source: {name: %s}}\n"
	const jobs = takesA + "- {name: takes-b, plan: [{get: b}]}\n"
	first := setterOf(fmt.Sprintf(other, "b"), "", jobs)
	r, repo := sets(t, first, rehearsal.Options{})
	repo.push(map[string]string{"p.yml": first})
	settled(t, r)
	require.NoError(t, r.Pin("a", map[string]string{"n": "done"}))
	versions, err := r.Versions("a")
	require.NoError(t, err)
	require.Len(t, versions, 1)

	repo.push(map[string]string{"p.yml": setterOf(fmt.Sprintf(other, "c"), "", jobs)})
	settled(t, r)
	after, err := r.Versions("a")
	require.NoError(t, err)
	assert.Equal(t, versions, after, "the same source")
	assert.Equal(t, rehearsal.Version{"n": "done"}, r.Pinned("a"))
	source, err := r.Source("b")
	require.NoError(t, err)
	assert.Equal(t, "c", source["name"])
	assert.Equal(t, "c", func() string {
		s, _ := r.Pipeline().Resource("b")
		text, _ := s.Source.Field("name").Text()
		return text
	}())
}

func TestAPipelineThatIsRefusedChangesNothing(t *testing.T) {
	t.Parallel()
	first := setterOf("", "", takesA)
	r, repo := sets(t, first, rehearsal.Options{})
	repo.push(map[string]string{"p.yml": setterOf("", "", "- {name: more, plan: [{get: b}]}\n")})
	_, err := r.Settle(t.Context())
	require.NoError(t, err)
	b := r.Builds("set")[0]
	require.NotEqual(t, rehearsal.Succeeded, b.Status)
	assert.Contains(t, b.Why(), "job more gets b, and there is no such resource")

	repo.push(map[string]string{"p.yml": "jobs: [{nam: x}]\n"})
	_, err = r.Settle(t.Context())
	require.NoError(t, err)
	b = r.Builds("set")[1]
	assert.Equal(t, rehearsal.Failed, b.Status)
	assert.Contains(t, b.Steps[1].Log, "invalid pipeline:\nrepo/p.yml:1: ")
	assert.Len(t, b.Steps, 2, "the put does not run")

	repo.push(map[string]string{"other.yml": first})
	_, err = r.Settle(t.Context())
	require.NoError(t, err)
	assert.Contains(t, r.Builds("set")[2].Why(), "read repo/p.yml: ")

	repo.push(map[string]string{"p.yml": first})
	assert.Equal(t, []string{"set#4 succeeded", "use#1 succeeded"}, settled(t, r), "the old pipeline goes on")
}

// The values of vars count before those of files, those before the instance's; the server has the others. The team of the step
// and its instance_vars do not count.
func TestVarsOfAPipelineThatSetsItself(t *testing.T) {
	t.Parallel()
	const step = "\n    team: other\n    instance_vars: {branch: none}\n    vars: {one: ((.:which.name))}\n    var_files: [repo/vars.yml, repo/more.yml]\n"
	const says = "- {name: say, plan: [{get: a, trigger: true}, {task: say, config: {platform: linux, run: {path: sh, args: [-c, " +
		`'echo ((one)) ((two)) ((three)) ((branch)) ((secret)); test "$BUILD_PIPELINE_INSTANCE_VARS" = ""']}}}]}` + "\n"
	load := strings.Replace(setterOf("", step, takesA), "  - set_pipeline", "  - {load_var: which, file: repo/n.json}\n  - set_pipeline", 1)
	r, repo := sets(t, load, rehearsal.Options{Vars: map[string]any{"secret": "s", "one": "server"}, InstanceVars: map[string]any{"branch": "main", "two": "instance"}, Team: "mine"})
	repo.push(map[string]string{
		"p.yml": strings.Replace(load, takesA, says, 1), "n.json": `{"name": "vars"}`,
		"vars.yml": "{one: file, two: file}", "more.yml": "{two: more, three: 3}",
	})
	assert.Equal(t, []string{"set#1 succeeded", "say#1 succeeded"}, settled(t, r))
	assert.Equal(t, "vars file 3 main s\n", r.Builds("say")[0].Steps[1].Log)
	text, err := json.Marshal(r.Pipeline().Jobs[1].Plan[1].Task.Config.Run.Args)
	require.NoError(t, err)
	assert.Contains(t, string(text), "((secret))", "a secret stays with the server")
}

// Concourse archives a pipeline when the job that has set it is gone, or succeeds without setting it.
func TestAPipelineThatDropsItsOwnJobIsArchived(t *testing.T) {
	t.Parallel()
	first := setterOf("", "", takesA)
	for name, next := range map[string]string{
		"the job is gone":     "resources: [{name: repo, type: pushes}]\njobs: [{name: use, plan: [{get: repo, trigger: true}]}]\n",
		"the job does not":    "resources: [{name: repo, type: pushes}]\njobs: [{name: set, plan: [{get: repo, trigger: true}]}]\n",
		"the job goes by old": "resources: [{name: repo, type: pushes}]\njobs: [{name: set-it, plan: [{get: repo, trigger: true}]}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, repo := sets(t, first, rehearsal.Options{})
			repo.push(map[string]string{"p.yml": next})
			settled(t, r)
			repo.push(map[string]string{"p.yml": first})
			ran := settled(t, r)
			if name == "the job does not" {
				assert.Equal(t, []string{"set#2 succeeded"}, ran)
				repo.push(map[string]string{"p.yml": first})
				ran = settled(t, r)
			}
			assert.Empty(t, ran)
			_, err := r.Trigger(t.Context(), r.Pipeline().Jobs[0].Name, "Ana")
			require.ErrorContains(t, err, "the pipeline is archived, because job set, which has set it, does not set it any more")
		})
	}
}
