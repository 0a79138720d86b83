package ceplergate_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
	ceplergate "github.com/taxiway-ci/taxiway/resources/cepler-gate"
)

const token = "ghp_right"

const config = `deployment: bank
environments:
  staging:
    latest: [chart/**]
  qa:
    passed: staging
    propagated: [chart/**]
    latest: [qa/*]
  production:
    passed: qa
    propagated: [chart/**]
    latest: [production/*]
`

// world is a deployments repository at a stand-in for GitHub, and the code that its images are built from.
type world struct {
	t      *testing.T
	git    *gittest.Server
	server *github.Server
	repo   *github.Repository
	code   *gittest.Repository
	src    ceplergate.Source
	now    time.Time

	noted map[string]string // the metadata of the last get

	mu  sync.Mutex
	log []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server, err := gittest.New(gittest.Options{})
	if errors.Is(err, gittest.ErrNoGit) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	content, err := server.Create("team/deployments")
	require.NoError(t, err)
	w := &world{t: t, git: server, now: time.Now().Add(-48 * time.Hour)}
	w.code, err = server.Create("team/bank")
	require.NoError(t, err)
	clock := time.Now().Add(-time.Hour)
	w.server = github.New(github.Options{Git: server, Tokens: []string{token}, Now: func() time.Time {
		clock = clock.Add(time.Second)
		return clock
	}})
	t.Cleanup(w.server.Close)
	w.repo = w.server.Repository("team/deployments")
	w.src = ceplergate.Source{
		Source: deployments.Source{
			Access:      git.Access{URI: content.URL(), Branch: "main", GitUser: "gate bot <gates@acme.example>"},
			Environment: "production", GatesFile: "bank.yml", GatesBranch: "gates",
		},
		GitHub:       &forge.Access{Repository: "team/deployments", APIURL: w.server.APIURL(), AccessToken: token},
		Repositories: []ceplergate.Repository{{Access: git.Access{URI: w.code.URL()}, Address: "https://github.com/team/bank"}},
	}
	require.NoError(t, w.src.Validate())
	w.commit("init", map[string]string{"cepler.yml": config, "chart/Chart.yaml": "name: bank\nversion: 0.1.0\n", "qa/a": "1\n", "production/a": "1\n"})
	w.gates("# who may\nqa: HEAD\nproduction: HEAD # all of it\n")
	return w
}

// codeCommits adds commits to the code, and gives the last one.
func (w *world) codeCommits(subjects ...string) string {
	w.t.Helper()
	i := w.code.Continue("main")
	var last *gittest.Commit
	for n, subject := range subjects {
		last = i.Commit("main", subject).Write("main.go", fmt.Sprint(subject, n))
	}
	require.NoError(w.t, i.Done())
	return last.Hash()
}

func (w *world) tag(name, commit string) {
	w.t.Helper()
	_, err := w.code.Git("tag", name, commit)
	require.NoError(w.t, err)
}

// image is a line of values.yaml that pins an image built from a commit.
func image(name, digit, commit string) string {
	comment := ""
	if commit != "" {
		comment = fmt.Sprintf(" # METADATA:: repository=https://github.com/team/bank;commit_ref=%.7s;app=%s;", commit, name)
	}
	return fmt.Sprintf("%s:\n  image:\n    repository: registry.example/%s\n    digest: %q%s\n", name, name, "sha256:"+strings.Repeat(digit, 64), comment)
}

// chart commits the images that staging is to deploy next.
func (w *world) chart(message string, images ...string) {
	w.t.Helper()
	w.commit(message, map[string]string{"chart/values.yaml": strings.Join(images, "")})
}

func (w *world) commit(message string, files map[string]string) string {
	w.t.Helper()
	hash, err := w.repo.Git().Commit("main", message, files)
	require.NoError(w.t, err)
	return hash
}

// gates writes the gates file as a person does.
func (w *world) gates(text string) string {
	w.t.Helper()
	hash, err := w.repo.Push("gates", "rosa", "gates by hand", map[string]string{"bank.yml": text})
	require.NoError(w.t, err)
	return hash
}

func (w *world) gatesFile(branch string) string {
	w.t.Helper()
	text, err := w.repo.Git().Show(branch, "bank.yml")
	require.NoError(w.t, err)
	return strings.ReplaceAll(text, `"`, "") // a hash that begins as a number does, such as 0b1, is written in quotes
}

// deploy deploys what an environment has pending with its gate open, and returns the record. edit may
// change what is on disk before that is recorded.
func (w *world) deploy(environment string, edit ...func(dir string)) string {
	w.t.Helper()
	return w.record(environment, nil, edit...)
}

// rollback deploys the version of a record again.
func (w *world) rollback(environment string, number int) {
	w.t.Helper()
	src := deployments.Source{Access: git.Access{URI: w.repo.Git().Dir, Branch: "main"}, Environment: environment}
	conn := w.connect(src)
	refs, err := conn.Remote.Refs(w.t.Context(), src.RefNames()...)
	require.NoError(w.t, err)
	view, err := conn.View(w.t.Context(), refs)
	require.NoError(w.t, err)
	plan, err := conn.Plan(w.t.Context(), view, environment, w.now)
	require.NoError(w.t, err)
	versions, err := conn.Offer(w.t.Context(), plan, &deployments.Version{Version: strconv.Itoa(number)})
	require.NoError(w.t, err)
	w.record(environment, &versions[0])
}

// version is what an environment has pending.
func (w *world) version(environment string) deployments.Version {
	w.t.Helper()
	src := deployments.Source{Access: git.Access{URI: w.repo.Git().Dir, Branch: "main"}, Environment: environment}
	conn := w.connect(src)
	refs, err := conn.Remote.Refs(w.t.Context(), src.RefNames()...)
	require.NoError(w.t, err)
	view, err := conn.View(w.t.Context(), refs)
	require.NoError(w.t, err)
	plan, err := conn.Plan(w.t.Context(), view, environment, w.now)
	require.NoError(w.t, err)
	require.True(w.t, plan.Pending(), "%s has something pending", environment)
	return plan.Version()
}

func (w *world) record(environment string, v *deployments.Version, edit ...func(dir string)) string {
	w.t.Helper()
	if v == nil {
		pending := w.version(environment)
		v = &pending
	}
	conn := w.connect(deployments.Source{Access: git.Access{URI: w.repo.Git().Dir, Branch: "main"}, Environment: environment})
	dir := filepath.Join(w.t.TempDir(), "get")
	restored, err := conn.Get(w.t.Context(), *v, dir, true)
	require.NoError(w.t, err)
	for _, change := range edit {
		change(dir)
	}
	w.now = w.now.Add(time.Minute)
	_, err = conn.Record(w.t.Context(), deployments.Recording{Restored: restored, Dir: dir, Now: w.now, Trailers: []string{"Build: https://ci.example/builds/7"}})
	require.NoError(w.t, err)
	return w.tip("main")
}

func (w *world) connect(src deployments.Source) *deployments.Connection {
	w.t.Helper()
	conn, err := deployments.Connect(src, git.Open, func(string, ...any) {})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (w *world) tip(branch string) string {
	w.t.Helper()
	hash, err := w.repo.Git().RevParse(branch)
	require.NoError(w.t, err)
	return hash
}

// offered reports whether production's cepler-in would offer something now.
func (w *world) offered() bool {
	w.t.Helper()
	src := w.src.Source
	src.URI = w.repo.Git().Dir
	conn := w.connect(src)
	refs, err := conn.Remote.Refs(w.t.Context(), src.RefNames()...)
	require.NoError(w.t, err)
	view, err := conn.View(w.t.Context(), refs)
	require.NoError(w.t, err)
	plan, err := conn.Plan(w.t.Context(), view, "production", w.now)
	require.NoError(w.t, err)
	return plan.Offered()
}

// step is one of a build that ana started.
func (w *world) step(dir string) concourse.Step {
	return concourse.Step{
		Dir: dir, Build: concourse.Build{ID: "9", ExternalURL: "https://ci.example", CreatedBy: "ana"},
		Logf: func(format string, args ...any) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.log = append(w.log, fmt.Sprintf(format, args...))
		},
	}
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := strings.Join(w.log, "\n")
	w.log = nil
	return text
}

// put puts, which must succeed.
func (w *world) put(p ceplergate.PutParams) ceplergate.Result {
	w.t.Helper()
	got, err := ceplergate.Resource{}.Out(w.t.Context(), w.step(""), w.src, p)
	require.NoError(w.t, err)
	return got
}

// propose keeps the pull request, and returns the newest one of its environment.
func (w *world) propose() github.Pull {
	w.t.Helper()
	w.put(ceplergate.PutParams{})
	all, err := w.repo.Pulls()
	require.NoError(w.t, err)
	for _, pull := range slices.Backward(all) {
		if pull.Head == "promote-bank-"+w.src.Environment {
			return pull
		}
	}
	require.FailNow(w.t, "no pull request", w.logged())
	return github.Pull{}
}

func (w *world) check(given *ceplergate.Version) []ceplergate.Version {
	w.t.Helper()
	got, err := ceplergate.Resource{}.Check(w.t.Context(), w.step(""), w.src, given)
	require.NoError(w.t, err)
	return got
}

// get gives the files of a version, twice the same.
func (w *world) get(v ceplergate.Version) map[string]string {
	w.t.Helper()
	var all [2]map[string]string
	for i := range all {
		dir := w.t.TempDir()
		got, err := ceplergate.Resource{}.In(w.t.Context(), w.step(dir), w.src, v, ceplergate.GetParams{})
		require.NoError(w.t, err)
		require.Equal(w.t, v, got.Version)
		w.noted = map[string]string{}
		for _, f := range got.Metadata {
			w.noted[f.Name] = f.Value
		}
		all[i] = map[string]string{}
		entries, err := os.ReadDir(dir)
		require.NoError(w.t, err)
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			require.NoError(w.t, err)
			all[i][e.Name()] = string(data)
		}
	}
	assert.Equal(w.t, all[0], all[1])
	return all[0]
}

// behind is a world in which production runs a first release, and QA a second one; production's gate is
// closed. It returns QA's record.
func behind(t *testing.T) (w *world, record string) {
	t.Helper()
	w = newWorld(t)
	old := w.codeCommits("feat: everything")
	w.tag("0.41.0", old)
	w.chart("chore: bump bank to 0.41.0", image("api", "1", old), image("web", "2", old))
	w.deploy("staging")
	first := w.deploy("qa")
	w.gates("# who may\nqa: HEAD\nproduction: " + first + " # by hand\n")
	w.deploy("production")
	record = w.nextRelease("0.42.0", "3", "feat(api): transfers (#7)", "fix: <b>rounding</b> @team", "chore: tidy")
	return w, record
}

// nextRelease brings commits of the code to QA as a release.
func (w *world) nextRelease(name, digit string, subjects ...string) string {
	w.t.Helper()
	commit := w.codeCommits(subjects...)
	w.tag(name, commit)
	w.chart("chore: bump bank to "+name, image("api", digit, commit), image("web", digit, commit))
	w.deploy("staging")
	return w.deploy("qa")
}
