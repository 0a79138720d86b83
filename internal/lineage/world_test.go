package lineage_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/lineage/labels"
	"github.com/taxiway-ci/taxiway/internal/standin/registry"
)

const (
	sourceAddress = "https://github.com/acme/bank"
	chartsAddress = "git@github.com:acme/charts.git"

	// imageName is in a registry that only toRegistry finds.
	imageName = "registry.example/acme/bank"
)

// bank is a source repository, a chart of it, and a deployments repository that
// vendors the chart, with the images in a registry.
type bank struct {
	t           *testing.T
	source      *gittest.Repository
	charts      *gittest.Repository
	deployments *gittest.Repository
	registry    string
	digest      string // of the server's image

	built   string // the source commit of the images
	chart   string // the commit of the charts repository
	bump    string // the commit that vendored it
	options lineage.Options
}

func initialised(t *testing.T, folder string) *gittest.Repository {
	t.Helper()
	r, err := gittest.Init(filepath.Join(t.TempDir(), folder))
	require.NoError(t, err)
	return r
}

// newBank makes the world up to a bump that staging has not deployed yet.
func newBank(t *testing.T) *bank {
	t.Helper()
	b := &bank{t: t, source: initialised(t, "bank"), charts: initialised(t, "charts"), deployments: initialised(t, "deployments")}
	b.release()
	b.image()
	b.writeChart(b.values())
	b.vendor(b.chart)
	b.options = lineage.Options{
		Deployments: b.deployments.Dir,
		Clones:      map[string]string{sourceAddress + ".git": b.source.Dir, "ssh://git@github.com/acme/charts": b.charts.Dir},
	}
	return b
}

// release has a commit of the source repository, with a release on it.
func (b *bank) release() {
	i := b.source.Import()
	i.Commit("main", "chore: first").Write("main.go", "package main\n")
	built := i.Commit("main", "feat: daily interest\n\nMore of it.\n").Write("main.go", "package main // daily\n")
	i.Tag("0.42.0-rc.1", "", built)
	i.Tag("0.42.0", "Release 0.42.0", built)
	i.Tag("nightly", "", built)
	later := i.Commit("main", "feat: loans").Write("loans.go", "package main\n")
	i.Tag("v0.43.0", "", later)
	require.NoError(b.t, i.Done())
	b.built = built.Hash()
}

func (b *bank) image() {
	b.t.Helper()
	loopback := registry.New("")
	b.t.Cleanup(loopback.Close)
	b.registry = loopback.Host
	b.digest = b.push(map[string]string{
		"org.opencontainers.image.revision": b.built,
		"org.opencontainers.image.source":   sourceAddress,
		"org.opencontainers.image.version":  "0.42.0",
	})
}

// toRegistry sends what is for any registry to the one of the test.
type toRegistry struct{ host string }

func (r toRegistry) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.URL.Scheme, request.URL.Host = "http", r.host
	return http.DefaultTransport.RoundTrip(request)
}

// labelled makes the reader ask the registry.
func (b *bank) labelled() { b.options.Labels = labels.Registry{Transport: toRegistry{b.registry}} }

// push pushes an image with labels and returns its digest.
func (b *bank) push(has map[string]string) string {
	b.t.Helper()
	image, err := mutate.Config(empty.Image, v1.Config{Labels: has})
	require.NoError(b.t, err)
	ref, err := name.ParseReference(b.registry + "/acme/bank:latest")
	require.NoError(b.t, err)
	require.NoError(b.t, remote.Write(ref, image))
	digest, err := image.Digest()
	require.NoError(b.t, err)
	return digest.String()
}

// values has an image in each notation.
func (b *bank) values() string {
	comment := fmt.Sprintf("# METADATA:: repository=%s;commit_ref=%.7s;app=bank;", sourceAddress, b.built)
	return fmt.Sprintf("# what people set\nbank:\n  image:\n    repository: %s\n    digest: %q %s\nworker:\n  image: %s:0.42.0@%s %smonorepo_subdir=worker; # keep\n",
		imageName, b.digest, comment, imageName, b.digest, comment)
}

func (b *bank) writeChart(values string) {
	b.t.Helper()
	hash, err := b.charts.Commit("main", "chore(bank): bump bank image", map[string]string{
		"charts/bank/Chart.yaml":           "apiVersion: v2\nname: bank\nversion: 0.3.1\nappVersion: 0.42.0\n",
		"charts/bank/values.yaml":          values,
		"charts/bank/templates/pod.yaml":   "image: {{ .Values.bank.image.digest }} # sha256:abc\n",
		"charts/bank/charts/db/Chart.yaml": "name: db\nversion: 1.0.0\n",
		"README.md":                        "# Charts\n",
	})
	require.NoError(b.t, err)
	b.chart = hash
}

const bankConfig = `deployment: bank
environments:
  staging:
    latest: [modules/**, staging/*]
  production:
    passed: staging
    propagated: [modules/**]
    latest: [production/*]
`

const vendored = "modules/bank/vendor/bank/chart"

// files are those of the deployments repository that vendors commit of the chart.
func (b *bank) files(commit string) map[string]string {
	b.t.Helper()
	all := map[string]string{
		"cepler/bank.yml": bankConfig,
		"vendir.yml": "apiVersion: vendir.k14s.io/v1alpha1\nkind: Config\ndirectories:\n- path: modules/bank/vendor/bank\n  contents:\n  - path: chart\n    git:\n      url: " + chartsAddress +
			"\n      ref: " + commit + "\n    includePaths:\n    - charts/bank/**/*\n    newRootPath: charts/bank\n",
		"vendir.lock.yml": "apiVersion: vendir.k14s.io/v1alpha1\ndirectories:\n- contents:\n  - git:\n      commitTitle: 'chore(bank): bump bank image'\n      sha: " + commit +
			"\n    path: chart\n  path: modules/bank/vendor/bank\nkind: LockConfig\n",
		"modules/bank/main.tf":  "# terraform\n",
		"staging/values.yml":    "domain: staging.example\n",
		"production/values.yml": "domain: example.com\n",
	}
	listed, err := b.charts.Git("ls-tree", "-r", "--name-only", commit, "charts/bank/")
	require.NoError(b.t, err)
	for p := range strings.FieldsSeq(listed) {
		text, err := b.charts.Show(commit, p)
		require.NoError(b.t, err)
		all[vendored+strings.TrimPrefix(p, "charts/bank")] = text
	}
	return all
}

// vendor commits the bump of the chart's reference.
func (b *bank) vendor(commit string) {
	b.t.Helper()
	b.commit("chore: bump bank to "+commit[:7], b.files(commit))
}

func (b *bank) commit(message string, files map[string]string) string {
	b.t.Helper()
	hash, err := b.deployments.Commit("main", message, files)
	require.NoError(b.t, err)
	b.bump = hash
	return hash
}

// record says that staging, or another environment, runs the newest commit, as
// a cepler-out in a Concourse would; edit may spoil it.
func (b *bank) record(environment, message string, edit func(state string) string) {
	b.t.Helper()
	head, err := b.deployments.RevParse("refs/heads/main")
	require.NoError(b.t, err)
	listed, err := b.deployments.Git("ls-tree", "-r", "main", "--", "modules", environment)
	require.NoError(b.t, err)
	var s strings.Builder
	fmt.Fprintf(&s, "---\nversion: 4\ncurrent:\n  head_commit: %s\n", head)
	if environment == "production" {
		fmt.Fprintf(&s, "  propagated_head: %s\n", head)
	}
	s.WriteString("  files:\n")
	for line := range strings.Lines(listed) {
		meta, p, _ := strings.Cut(strings.TrimSpace(line), "\t")
		from, err := b.deployments.Log("%H %s", "-1", "main", "--", p)
		require.NoError(b.t, err)
		hash, subject, _ := strings.Cut(from[0], " ")
		key := "{latest}/" + p
		if environment == "production" && strings.HasPrefix(p, "modules/") {
			key = "{staging}/" + p
		}
		fmt.Fprintf(&s, "    %q:\n      file_hash: %s\n      from_commit: %s\n      message: %q\n", key, strings.Fields(meta)[2], hash, subject)
	}
	if environment == "production" {
		s.WriteString("propagated_from: staging\n")
	}
	state := s.String()
	if edit != nil {
		state = edit(state)
	}
	_, err = b.deployments.Commit("main", message, map[string]string{"cepler/.cepler/bank/" + environment + ".state": state})
	require.NoError(b.t, err)
}

// byConcourse is the message of this suite's records.
func byConcourse(environment string) string {
	return "ci(cepler): Updated 'bank' state in '" + environment + "'\n\nBuild: https://ci.example/builds/7\nPipeline: deployments\n"
}

func byCepler(environment string) string {
	return "ci(cepler): Updated 'bank' state in '" + environment + "'"
}

// trace answers at a fixed moment.
func (b *bank) trace(environments ...string) *lineage.Trace {
	b.t.Helper()
	trace, err := b.ask(lineage.Question{Environments: environments})
	require.NoError(b.t, err)
	return trace
}

func (b *bank) ask(q lineage.Question) (*lineage.Trace, error) {
	b.t.Helper()
	reader := lineage.New(b.options)
	defer func() { assert.NoError(b.t, reader.Close()) }()
	q.Now = time.Date(2026, 11, 24, 20, 0, 0, 0, time.UTC)
	return reader.Trace(b.t.Context(), q)
}

// golden compares with a committed file, both ways: it also must be there.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

// timeless replaces what differs from run to run.
func (b *bank) timeless(text []byte) []byte {
	for from, to := range map[string]string{b.deployments.Dir: "deployments", b.source.Dir: "bank", b.charts.Dir: "charts"} {
		text = bytes.ReplaceAll(text, []byte(from), []byte(to))
	}
	return text
}

// broken are the links that are missing in what one environment runs.
func broken(e lineage.Environment) []string {
	var all []string
	for _, b := range e.AllBroken() {
		all = append(all, b.String())
	}
	return all
}

func served(t *testing.T) *gittest.Server {
	t.Helper()
	server, err := gittest.New(gittest.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	return server
}
