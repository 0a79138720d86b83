package lineage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/provenance"
)

// The whole chain, from an environment to the release.
func TestTheChainIsWhole(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.labelled()
	b.record("staging", byConcourse("staging"), nil)
	e := b.trace("bank/staging").Environments[0]
	assert.Empty(t, broken(e))
	assert.EqualValues(t, 4, e.Version)
	assert.Equal(t, lineage.Taxiway, e.Recorder)
	assert.Equal(t, "https://ci.example/builds/7", e.Build)
	assert.Equal(t, b.bump, e.Change.Hash)
	require.Len(t, e.Runs.Charts, 1, "the chart inside of the chart says nothing of its own")
	chart := e.Runs.Charts[0]
	assert.Equal(t, "bank", chart.Name)
	assert.Equal(t, "0.42.0", chart.AppVersion)
	require.NotNil(t, chart.Vendored)
	assert.Equal(t, b.chart, chart.Vendored.Commit.Hash)
	assert.Equal(t, "chore(bank): bump bank image", chart.Vendored.Commit.Subject)
	assert.True(t, chart.Vendored.Verified)
	require.Len(t, chart.Images, 2)
	for _, image := range chart.Images {
		assert.Equal(t, b.digest, image.Digest)
		assert.Equal(t, imageName, image.Repository)
		require.NotNil(t, image.Source, image.Path)
		assert.Equal(t, b.built, image.Source.Commit.Hash)
		assert.Equal(t, "feat: daily interest", image.Source.Commit.Subject)
		assert.Equal(t, []string{"0.42.0", "0.42.0-rc.1"}, image.Source.Releases)
		assert.Equal(t, lineage.ByBoth, image.Source.By)
	}
	assert.Equal(t, "bank.image.digest", chart.Images[0].Path)
	assert.Equal(t, 5, chart.Images[0].Line)
	assert.Equal(t, "worker", chart.Images[1].Source.Subdir)
}

// What is pending is traced as well, and production says why it waits.
func TestWhatIsPendingIsTraced(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.record("staging", byConcourse("staging"), nil)
	b.record("production", byConcourse("production"), nil)
	before := b.built
	later, err := b.source.RevParse("refs/heads/main")
	require.NoError(t, err)
	b.built = later
	b.writeChart(b.values())
	b.vendor(b.chart)
	_, err = b.deployments.Commit("cepler-gates", "chore: gates", map[string]string{"bank.yml": "staging: HEAD\nproduction: HEAD\n"})
	require.NoError(t, err)

	rows := b.trace().Environments
	require.Len(t, rows, 2)
	staging, production := rows[0], rows[1]
	require.NotNil(t, staging.Brings)
	assert.Equal(t, before, staging.Runs.Charts[0].Images[0].Source.Commit.Hash)
	assert.Equal(t, later, staging.Brings.Charts[0].Images[0].Source.Commit.Hash)
	assert.Equal(t, []string{"v0.43.0"}, staging.Brings.Charts[0].Images[0].Source.Releases)
	assert.Equal(t, b.chart, staging.Brings.Charts[0].Vendored.Commit.Hash)
	assert.Empty(t, staging.Waits)
	assert.Equal(t, "staging", production.Passed)
	assert.Contains(t, strings.Join(production.Waits, "; "), "staging has not deployed")
}

// The gates that pipelines read are the fetched ones: a local branch of that name is older. A name like origin/gates is
// accepted.
func TestTheFetchedGatesCount(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	clone := filepath.Join(t.TempDir(), "clone")
	_, err := b.deployments.Commit("cepler-gates", "chore: gates", map[string]string{"bank.yml": "staging: nowhere\nproduction: HEAD\n"})
	require.NoError(t, err)
	run := func(args ...string) {
		out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	run("clone", "-q", b.deployments.Dir, clone)
	run("-C", clone, "branch", "-q", "cepler-gates", "origin/cepler-gates")
	_, err = b.deployments.Commit("cepler-gates", "chore: open staging", map[string]string{"bank.yml": "staging: HEAD\nproduction: HEAD\n"})
	require.NoError(t, err)
	run("-C", clone, "fetch", "-q")
	b.options.Deployments = clone
	for _, branch := range []string{"", "cepler-gates", "origin/cepler-gates"} {
		trace, err := b.ask(lineage.Question{GatesBranch: branch, Environments: []string{"staging"}})
		require.NoError(t, err, branch)
		require.Len(t, trace.Environments, 1)
		assert.NotNil(t, trace.Environments[0].Pending, branch)
		assert.Empty(t, trace.Environments[0].Waits, branch)
		assert.Empty(t, broken(trace.Environments[0]), branch)
	}
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.labelled()
	b.record("staging", byConcourse("staging"), nil)
	b.record("production", byCepler("production"), nil)
	b.built = b.built[:1] + "000000" // a commit that never was
	b.writeChart(strings.Replace(b.values(), "# METADATA", "# <script>alert('x')</script> METADATA", 1))
	b.vendor(b.chart)
	b.commit("feat: <b>markup</b> & \x1b[31mcolours", map[string]string{"staging/values.yml": "domain: other.example\n"})
	_, err := b.deployments.Commit("cepler-gates", "chore: gates", map[string]string{"bank.yml": "staging: HEAD\nproduction: " + b.bump + "\n"})
	require.NoError(t, err)
	trace := b.trace()
	for file, write := range map[string]func(*bytes.Buffer) error{
		"trace.txt":  func(w *bytes.Buffer) error { return trace.Text(w) },
		"trace.json": func(w *bytes.Buffer) error { return trace.JSON(w) },
	} {
		var out bytes.Buffer
		require.NoError(t, write(&out))
		assert.NotContains(t, out.String(), "\x1b")
		golden(t, file, b.timeless(out.Bytes()))
	}
}

// What JSON says can be read back without loss.
func TestJSONIsTheTrace(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.record("staging", byConcourse("staging"), nil)
	want := b.trace()
	var out bytes.Buffer
	require.NoError(t, want.JSON(&out))
	var got lineage.Trace
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	assert.Equal(t, want.Environments[0].Runs, got.Environments[0].Runs)
	assert.True(t, want.Environments[0].Since.Equal(got.Environments[0].Since))
}

// Without clones and registries nothing is broken, and the trace says what it
// did not look at.
func TestWhatWasNotLookedAt(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.options.Clones = nil
	b.record("staging", byConcourse("staging"), nil)
	trace := b.trace("staging")
	e := trace.Environments[0]
	assert.Empty(t, broken(e))
	assert.Equal(t, lineage.Commit{Hash: b.chart, Subject: "chore(bank): bump bank image"}, e.Runs.Charts[0].Vendored.Commit, "as vendir's lock says")
	assert.False(t, e.Runs.Charts[0].Vendored.Verified)
	assert.Equal(t, &lineage.Source{Repository: sourceAddress, Commit: lineage.Commit{Hash: b.built[:7]}, By: lineage.ByMetadata}, e.Runs.Charts[0].Images[0].Source)
	require.Len(t, trace.NotAsked, 3)
	assert.Contains(t, trace.NotAsked[0], "github.com/acme/bank")
	assert.Contains(t, trace.NotAsked[1], "github.com/acme/charts")
	assert.Contains(t, trace.NotAsked[2], "registries")
}

func TestQuestionsThatHaveNoAnswer(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	for want, q := range map[string]lineage.Question{
		"there is no environment qa; there are: bank/production, bank/staging": {Environments: []string{"qa"}},
		"branch release": {Branch: "release"},
		"other.yml":      {Configs: []string{"other.yml"}},
		"gates.yml":      {GatesFile: "gates.yml", GatesBranch: "main"},
		"branch gates":   {GatesBranch: "gates"},
		"vendir.yml":     {Configs: []string{"vendir.yml"}},
	} {
		_, err := b.ask(q)
		require.ErrorContains(t, err, want)
	}
	b.options.Deployments = t.TempDir()
	_, err := b.ask(lineage.Question{})
	require.ErrorContains(t, err, b.options.Deployments)
	r := initialised(t, "empty")
	_, err = r.Commit("trunk", "first", map[string]string{"f": "x"})
	require.NoError(t, err)
	b.options.Deployments = r.Dir
	_, err = b.ask(lineage.Question{})
	require.ErrorContains(t, err, "neither a branch main nor master")
	_, err = b.ask(lineage.Question{Branch: "trunk"})
	require.ErrorContains(t, err, "no cepler config")
}

// States whose config is gone, files that are no configs and gates that are not
// there are told.
func TestWhatIsBesideTheConfigs(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.commit("chore: more", map[string]string{
		"cepler/old.yml": "not: a config\n", "cepler/.cepler/gone/staging.state": "version: 1\n",
		"cepler.yml": "deployment: shop\nenvironments: {prod: {latest: [shop/*]}}\n", "shop/f.yml": "x: 1\n",
	})
	_, err := b.deployments.Commit("cepler-gates", "gates", map[string]string{"bank.yml": "staging: HEAD\nproduction: HEAD\n"})
	require.NoError(t, err)
	trace := b.trace()
	require.Len(t, trace.Environments, 3)
	assert.Equal(t, "shop/prod", trace.Environments[2].Key())
	notes := strings.Join(trace.NotAsked, "\n")
	assert.Contains(t, notes, "cepler/old.yml is not a cepler config")
	assert.Contains(t, notes, "cepler/.cepler/gone belong to no cepler config")
	assert.Contains(t, notes, "branch cepler-gates has no shop.yml")
}

func TestWordsForWhatIsBroken(t *testing.T) {
	t.Parallel()
	e := lineage.Environment{
		Deployment: "bank", Name: "qa", Since: time.Unix(0, 0),
		Broken: []lineage.Broken{{Link: lineage.LinkRecord, Where: "a", Why: "b"}},
		Runs:   lineage.Contents{Broken: []lineage.Broken{{Link: lineage.LinkFiles, Where: "c", Why: "d"}}, Images: []lineage.Image{{Metadata: &provenance.Metadata{}, Broken: []lineage.Broken{{Link: lineage.LinkImage, Where: "e", Why: "f"}}}}},
	}
	assert.Equal(t, []string{"record: a: b", "files: c: d", "image: e: f"}, broken(e))
	assert.Equal(t, 3, (&lineage.Trace{Environments: []lineage.Environment{e}}).Broken())
}

// Who knows the sources already gets the same answer.
func TestATraceOfSources(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.record("staging", byConcourse("staging"), nil)
	want := b.trace("staging")
	r := lineage.New(b.options)
	defer func() { assert.NoError(t, r.Close()) }()
	got, err := r.TraceOf(t.Context(), []deployments.Source{{Access: git.Access{Branch: "main"}, Config: "cepler/bank.yml", Environment: "staging"}}, want.At)
	require.NoError(t, err)
	require.Len(t, got.Looks, 1)
	assert.NotNil(t, got.Environments[0].Report)
	for _, trace := range []*lineage.Trace{want, got} {
		trace.Looks, trace.Environments[0].Report = nil, nil
	}
	assert.Equal(t, want, got)
	both := []deployments.Source{{Access: git.Access{Branch: "main"}, Config: "cepler/bank.yml", Environment: "production"}, {Access: git.Access{Branch: "main"}, Config: "cepler/bank.yml", Environment: "staging"}}
	got, err = r.TraceOf(t.Context(), both, want.At)
	require.NoError(t, err)
	assert.Equal(t, []string{"bank/staging", "bank/production"}, []string{got.Environments[0].Key(), got.Environments[1].Key()})
	_, err = r.TraceOf(t.Context(), nil, want.At)
	require.ErrorContains(t, err, "no environment")
}

// Every kind of fact that a page or table can show.
func TestEveryKindOfFact(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("c0ffee0", 6)[:40]
	at := time.Date(2026, 11, 24, 20, 0, 0, 0, time.UTC)
	image := func(path string, source *lineage.Source) lineage.Image {
		return lineage.Image{File: "values.yaml", Line: 3, Path: path, Digest: "sha256:" + strings.Repeat("0a", 32), Source: source}
	}
	trace := &lineage.Trace{
		Repository: "../deployments", Branch: "main", Head: lineage.Commit{Hash: full}, At: at,
		NotAsked: []string{"repository <x> was not looked at, " + strings.Repeat("which is a long story that does not fit on a line, ", 3)},
		Environments: []lineage.Environment{
			{Deployment: "shop", Name: "new", Waits: []string{"staging has not been deployed yet"}},
			{
				Deployment: "shop", Name: "old", Version: 7, Trigger: lineage.Commit{Hash: full}, Recorder: lineage.Somebody, Record: lineage.Commit{Hash: full},
				Build: "javascript:alert(1)", Held: "pinned to version 3",
				Runs: lineage.Contents{
					Charts: []lineage.Chart{{Path: "charts/own", Name: "own"}, {Path: "vendor/x", Name: "x", Vendored: &lineage.Vendored{Repository: "git@git.example:x.git"}}},
					Images: []lineage.Image{
						image("a", &lineage.Source{Repository: "https://git.example/bank", Commit: lineage.Commit{Hash: "c0ffee0"}, By: lineage.ByMetadata}),
						image("b", &lineage.Source{Repository: "git@github.com:acme/bank.git", Commit: lineage.Commit{Hash: full, Subject: "feat: x"}, By: lineage.ByLabels, ReleasedIn: "1.2.3"}),
						image("c", nil),
					},
					Broken: []lineage.Broken{{Link: lineage.LinkImage, Where: "values.yaml", Why: "it does not parse"}},
				},
				Pending: &deployments.Pending{Version: 8, Trigger: full, Subject: "fix: y", Changes: []string{"changed values.yaml"}},
				Waits:   []string{"the gate is closed"},
			},
		},
	}
	var text bytes.Buffer
	require.NoError(t, trace.Text(&text))
	golden(t, "facts.txt", text.Bytes())
	for line := range strings.SplitSeq(text.String(), "\n") {
		assert.LessOrEqual(t, len([]rune(line)), 110, line)
	}
	broken := failing{errors.New("disk full")}
	require.ErrorIs(t, trace.Text(broken), broken.err)
	require.ErrorIs(t, trace.JSON(broken), broken.err)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
