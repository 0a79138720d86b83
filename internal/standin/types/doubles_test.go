package types_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/standin/registry"
	"github.com/taxiway-ci/taxiway/internal/standin/types"
)

// asked is a request as the rehearsal writes it.
type asked struct {
	Source  map[string]any    `json:"source"`
	Version rehearsal.Version `json:"version,omitempty"`
	Params  map[string]any    `json:"params,omitempty"`
}

type answered struct {
	Version  rehearsal.Version
	Metadata []rehearsal.MetadataField
}

// double is a resource type with a check container of its own.
type double struct {
	typ  rehearsal.Type
	temp string
}

func newDouble(t *testing.T, typ rehearsal.Type) double {
	t.Helper()
	return double{typ, t.TempDir()}
}

func (d double) ask(t *testing.T, verb rehearsal.Verb, dir string, a asked) ([]byte, error) {
	t.Helper()
	text, err := json.Marshal(a)
	require.NoError(t, err)
	temp := d.temp
	if verb != rehearsal.Check {
		temp = t.TempDir()
	}
	return d.typ.Run(t.Context(), rehearsal.Call{Verb: verb, Request: text, Dir: dir, Temp: temp, Log: &rehearsal.Log{}, Env: []string{"BUILD_ID=7"}})
}

func (d double) check(t *testing.T, a asked) []rehearsal.Version {
	t.Helper()
	out, err := d.ask(t, rehearsal.Check, "", a)
	require.NoError(t, err)
	var versions []rehearsal.Version
	require.NoError(t, json.Unmarshal(out, &versions))
	return versions
}

func (d double) step(t *testing.T, verb rehearsal.Verb, dir string, a asked) answered {
	t.Helper()
	out, err := d.ask(t, verb, dir, a)
	require.NoError(t, err)
	var got answered
	require.NoError(t, json.Unmarshal(out, &got))
	return got
}

func (d double) fails(t *testing.T, verb rehearsal.Verb, dir string, a asked) error {
	t.Helper()
	_, err := d.ask(t, verb, dir, a)
	require.Error(t, err)
	return err
}

func read(t *testing.T, elements ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elements...))
	require.NoError(t, err)
	return string(text)
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		at := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		require.NoError(t, os.WriteFile(at, []byte(content), 0o644))
	}
}

func served(t *testing.T) *gittest.Repository {
	t.Helper()
	r, _ := servedBy(t)
	return r
}

func servedBy(t *testing.T) (*gittest.Repository, *gittest.Server) {
	t.Helper()
	server, err := gittest.New(gittest.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	r, err := server.Create("app")
	require.NoError(t, err)
	return r, server
}

func commit(t *testing.T, r *gittest.Repository, message string, files map[string]string) string {
	t.Helper()
	hash, err := r.Commit("main", message, files)
	require.NoError(t, err)
	return hash
}

func TestAnUnknownKeyIsAnError(t *testing.T) {
	t.Parallel()
	for name, typ := range map[string]rehearsal.Type{
		"git": types.Git{}, "registry-image": types.RegistryImage{}, "time": types.NewClock(time.Now()),
		"github-release": types.Release{}, "pull-request": types.PullRequest{}, "slack-notification": types.Slack{},
	} {
		d := newDouble(t, typ)
		err := d.fails(t, rehearsal.Check, "", asked{Source: map[string]any{"colour": "red"}})
		assert.ErrorContains(t, err, `unknown field "colour"`, name)
		assert.NotErrorIs(t, err, rehearsal.ErrScript, "%s: such a step is errored, not failed", name)
		err = d.fails(t, rehearsal.Out, t.TempDir(), asked{Params: map[string]any{"colour": "red"}})
		require.ErrorContains(t, err, `unknown field "colour"`, name)
		assert.NotErrorIs(t, err, rehearsal.ErrScript, name)
	}
}

func TestGitBranch(t *testing.T) {
	t.Parallel()
	r, d := served(t), newDouble(t, types.Git{})
	source := map[string]any{"uri": r.URL(), "branch": "main", "private_key": "x"}
	one := commit(t, r, "feat: one", map[string]string{"src/a": "1", "docs/a": "1"})
	assert.Equal(t, []rehearsal.Version{{"ref": one}}, d.check(t, asked{Source: source}))
	commit(t, r, "docs: two", map[string]string{"docs/a": "2"})
	commit(t, r, "feat: quiet [ci skip]", map[string]string{"src/a": "2"})
	three := commit(t, r, "feat: three", map[string]string{"src/a": "3"})
	from := asked{Source: source, Version: rehearsal.Version{"ref": one}}
	assert.Len(t, d.check(t, from), 3, "the given one and two others")
	source["paths"] = []string{"src"}
	assert.Equal(t, []rehearsal.Version{{"ref": one}, {"ref": three}}, d.check(t, from))
	source["disable_ci_skip"] = true
	assert.Len(t, d.check(t, from), 3)
	delete(source, "paths")
	source["ignore_paths"] = []string{"docs"}
	assert.Len(t, d.check(t, from), 3)
	delete(source, "ignore_paths")
	source["commit_filter"] = map[string]any{"exclude": []string{"^docs: t", "^quiet"}}
	assert.Len(t, d.check(t, from), 3, "one line of the message begins so")
	from.Version = rehearsal.Version{"ref": "0123456789012345678901234567890123456789"}
	assert.Equal(t, []rehearsal.Version{{"ref": three}}, d.check(t, from), "history was rewritten")
}

func TestGitChecksFetchOnlyWhatHasMoved(t *testing.T) {
	t.Parallel()
	r, server := servedBy(t)
	d, source := newDouble(t, types.Git{}), map[string]any{"uri": r.URL(), "branch": "main", "paths": []string{"a"}}
	one := commit(t, r, "feat: one", map[string]string{"a": "1"})
	two := commit(t, r, "docs: two", map[string]string{"b": "2"})
	for _, step := range []struct {
		what    string
		before  func() error
		from    string
		fetches bool
		want    []string
	}{
		{"the first check", nil, one, true, []string{one}},
		{"nothing has moved", nil, one, false, []string{one}},
		{"another version, of the same refs", nil, two, false, []string{two}},
		{"another branch has moved", func() error { return r.UpdateRef("refs/heads/other", one) }, one, false, []string{one}},
		{"another source", func() error { delete(source, "paths"); return nil }, one, true, []string{one, two}},
		{"the branch went back", func() error { return r.UpdateRef("refs/heads/main", one) }, two, true, []string{one}},
		{"it stays there", nil, two, false, []string{one}},
	} {
		if step.before != nil {
			require.NoError(t, step.before())
		}
		server.Reset()
		var want []rehearsal.Version
		for _, ref := range step.want {
			want = append(want, rehearsal.Version{"ref": ref})
		}
		assert.Equal(t, want, d.check(t, asked{Source: source, Version: rehearsal.Version{"ref": step.from}}), step.what)
		fetches := slices.ContainsFunc(server.Requests(), func(q gittest.Request) bool { return !strings.Contains(q.Header.Get("User-Agent"), "taxiway") })
		assert.Equal(t, step.fetches, fetches, step.what)
	}
}

func TestGitGet(t *testing.T) {
	t.Parallel()
	r, d := served(t), newDouble(t, types.Git{})
	source := map[string]any{"uri": r.URL(), "branch": "main"}
	one := commit(t, r, "feat: one\n\nWith a body.", map[string]string{"a": "1"})
	require.NoError(t, r.UpdateRef("refs/tags/0.1.0", one))
	require.NoError(t, r.UpdateRef("refs/tags/0.1.0-rc.1", one))
	two := commit(t, r, "feat: two", map[string]string{"a": "2"})
	dir := t.TempDir()
	got := d.step(t, rehearsal.In, dir, asked{Source: source, Version: rehearsal.Version{"ref": one}})
	assert.Equal(t, rehearsal.Version{"ref": one}, got.Version)
	assert.Equal(t, "1", read(t, dir, "a"))
	assert.Equal(t, one+"\n", read(t, dir, ".git/ref"))
	assert.Equal(t, one[:7]+"\n", read(t, dir, ".git/short_ref"))
	assert.Contains(t, read(t, dir, ".git/commit_message"), "With a body.")
	assert.Equal(t, "0.1.0,0.1.0-rc.1\n", read(t, dir, ".git/tags"))
	assert.Contains(t, read(t, dir, ".git/metadata.json"), one)

	named := t.TempDir()
	newDouble(t, types.Git{Named: map[string]string{r.URL(): "git@example.com:bank/app.git"}}).step(t, rehearsal.In, named, asked{Source: source, Version: rehearsal.Version{"ref": one}})
	origin, err := gittest.Open(named).Git("config", "remote.origin.url")
	require.NoError(t, err)
	assert.Equal(t, "git@example.com:bank/app.git\n", origin)
	_, err = gittest.Open(named).Git("fetch", "--quiet", "origin")
	require.NoError(t, err, "to where the source says")

	shallow := t.TempDir()
	d.step(t, rehearsal.In, shallow, asked{Source: source, Version: rehearsal.Version{"ref": one}, Params: map[string]any{"depth": 1, "fetch_tags": true}})
	assert.Equal(t, "1", read(t, shallow, "a"), "deepened until the commit was there")
	bare := t.TempDir()
	d.step(t, rehearsal.In, bare, asked{Source: source, Version: rehearsal.Version{"ref": two}, Params: map[string]any{"fetch_tags": false, "short_ref_format": "git-%s"}})
	assert.NoFileExists(t, filepath.Join(bare, ".git", "refs", "tags", "0.1.0"))
	assert.Equal(t, "git-"+two[:7]+"\n", read(t, bare, ".git/short_ref"))
	assert.ErrorIs(t, d.fails(t, rehearsal.In, t.TempDir(), asked{Source: source, Version: rehearsal.Version{"ref": "0123456789012345678901234567890123456789"}}), rehearsal.ErrScript)
}

func TestGitTags(t *testing.T) {
	t.Parallel()
	r, d := served(t), newDouble(t, types.Git{})
	source := map[string]any{"uri": r.URL(), "branch": "main", "tag_filter": "v*"}
	assert.ErrorIs(t, d.fails(t, rehearsal.Check, "", asked{Source: source}), rehearsal.ErrScript, "there is no branch yet")
	one := commit(t, r, "feat: one", map[string]string{"a": "1"})
	require.NoError(t, r.UpdateRef("refs/tags/v0.9.0", one))
	require.NoError(t, r.UpdateRef("refs/tags/other", one))
	two := commit(t, r, "feat: two", map[string]string{"a": "2"})
	require.NoError(t, r.UpdateRef("refs/tags/v0.10.0", two))
	assert.Equal(t, []rehearsal.Version{{"ref": "v0.10.0", "commit": two}}, d.check(t, asked{Source: source}))
	assert.Equal(t, []rehearsal.Version{{"ref": "v0.9.0", "commit": one}, {"ref": "v0.10.0", "commit": two}},
		d.check(t, asked{Source: source, Version: rehearsal.Version{"ref": "v0.9.0"}}))
	dir := t.TempDir()
	d.step(t, rehearsal.In, dir, asked{Source: source, Version: rehearsal.Version{"ref": "v0.9.0", "commit": one}})
	assert.Equal(t, "1", read(t, dir, "a"))
}

func TestGitPut(t *testing.T) {
	t.Parallel()
	r, d := served(t), newDouble(t, types.Git{})
	source := map[string]any{"uri": r.URL(), "branch": "main"}
	one := commit(t, r, "feat: one", map[string]string{"a": "1"})
	build := t.TempDir()
	clone := filepath.Join(build, "repo")
	require.NoError(t, os.Mkdir(clone, 0o755))
	d.step(t, rehearsal.In, clone, asked{Source: source, Version: rehearsal.Version{"ref": one}})
	write(t, build, map[string]string{"repo/b": "new", "version/tag": "1.0.0\n"})
	_, err := gittest.Open(clone).Git("add", "b")
	require.NoError(t, err)
	_, err = gittest.Open(clone).Git("commit", "--quiet", "-m", "feat: b")
	require.NoError(t, err)
	commit(t, r, "feat: meanwhile", map[string]string{"c": "3"})
	assert.ErrorIs(t, d.fails(t, rehearsal.Out, build, asked{Source: source, Params: map[string]any{"repository": "repo"}}), rehearsal.ErrScript, "the branch has moved")
	got := d.step(t, rehearsal.Out, build, asked{Source: source, Params: map[string]any{"repository": "repo", "rebase": true}})
	tip, err := r.RevParse("main")
	require.NoError(t, err)
	assert.Equal(t, rehearsal.Version{"ref": tip}, got.Version)
	for _, file := range []string{"a", "b", "c"} {
		_, err := r.Show("main", file)
		require.NoError(t, err, file)
	}
	d.step(t, rehearsal.Out, build, asked{Source: source, Params: map[string]any{"repository": "repo", "tag": "version/tag", "tag_prefix": "v", "only_tag": true, "annotate": "version/tag"}})
	tagged, err := r.RevParse("v1.0.0^{commit}")
	require.NoError(t, err)
	assert.Equal(t, tip, tagged)
	assert.ErrorContains(t, d.fails(t, rehearsal.Out, build, asked{Source: source, Params: map[string]any{"repository": "../x"}}), "not a path in the build's folder")
}

func build(t *testing.T, dir string, env ...string) error {
	t.Helper()
	return types.OCIBuild{}.RunTask(t.Context(), rehearsal.TaskCall{Path: "build", Dir: dir, Env: append(env, "PATH=/bin", "HOME=/root"), Log: &rehearsal.Log{}})
}

func sourceTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"repo/Dockerfile": "# an app\nFROM scratch\nARG VERSION\nLABEL org.opencontainers.image.version=$VERSION\nCOPY bin/app \\\n  /app\nCOPY --from=other x /x\nRUN true\nUSER 1000\nENTRYPOINT [\"/app\"]\n",
		"repo/bin/app":    "app\n", "labels": "org.opencontainers.image.revision=abc\n",
	})
	return dir
}

func TestABuiltImageIsPushedAndPulled(t *testing.T) {
	t.Parallel()
	images := registry.New("")
	t.Cleanup(func() { images.Close() })
	dir, again := sourceTree(t), sourceTree(t)
	params := []string{"CONTEXT=repo", "BUILD_ARG_VERSION=1.0.0", "LABELS_FILE=labels", "LABEL_team=bank"}
	require.NoError(t, build(t, dir, params...))
	require.NoError(t, build(t, again, append(params, "OUTPUT_OCI=true")...))
	assert.Equal(t, read(t, dir, "image/digest"), read(t, again, "image/digest"), "the same context, the same image")

	d := newDouble(t, types.RegistryImage{Host: images.Host})
	source := map[string]any{"repository": "gcr.io/bank/app", "tag": "edge", "username": "u", "password": "p"}
	assert.Empty(t, d.check(t, asked{Source: source}), "nothing was pushed")
	write(t, dir, map[string]string{"version/version": "1.0.0-rc.1\n1.0.0\n"})
	put := d.step(t, rehearsal.Out, dir, asked{Source: source, Params: map[string]any{"image": "image/image.tar", "additional_tags": "version/version"}})
	digest := put.Version["digest"]
	assert.Equal(t, rehearsal.Version{"tag": "edge", "digest": digest}, put.Version)
	assert.Equal(t, []rehearsal.Version{put.Version}, d.check(t, asked{Source: source}))

	got := t.TempDir()
	d.step(t, rehearsal.In, got, asked{Source: source, Version: put.Version, Params: map[string]any{"skip_download": true}})
	assert.Equal(t, "gcr.io/bank/app", read(t, got, "repository"))
	assert.Equal(t, "edge", read(t, got, "tag"))
	assert.Equal(t, digest, read(t, got, "digest"))
	assert.JSONEq(t, `{"org.opencontainers.image.version":"1.0.0","org.opencontainers.image.revision":"abc","team":"bank"}`, read(t, got, "labels.json"))
	files := t.TempDir()
	d.step(t, rehearsal.In, files, asked{Source: source, Version: put.Version})
	assert.Equal(t, "app\n", read(t, files, "rootfs/app"))

	versions := map[string]any{"repository": "gcr.io/bank/app"}
	assert.Equal(t, []rehearsal.Version{{"tag": "1.0.0", "digest": digest}}, d.check(t, asked{Source: versions}))
	versions["pre_releases"] = true
	assert.Len(t, d.check(t, asked{Source: versions}), 2)

	layout := d.step(t, rehearsal.Out, again, asked{Source: map[string]any{"repository": "gcr.io/bank/app"}, Params: map[string]any{"image": "image/image", "version": "1.0.1"}})
	assert.Equal(t, rehearsal.Version{"tag": "1.0.1", "digest": digest}, layout.Version)
	oci := t.TempDir()
	d.step(t, rehearsal.In, oci, asked{Source: source, Version: put.Version, Params: map[string]any{"format": "oci"}})
	again2 := d.step(t, rehearsal.Out, oci, asked{Source: source, Params: map[string]any{"image": "image.tar"}})
	assert.Equal(t, put.Version, again2.Version, "promoted without a new build, the digest stays")
	assert.ErrorContains(t, d.fails(t, rehearsal.Out, dir, asked{Source: versions, Params: map[string]any{"image": "image/none.tar"}}), "no tag to push")
}

func TestABuildThatCannotBe(t *testing.T) {
	t.Parallel()
	dir := sourceTree(t)
	err := build(t, dir, "CONTEXT=repo", "COLOUR=red")
	require.ErrorContains(t, err, "the parameter COLOUR")
	require.NotErrorIs(t, err, rehearsal.ErrScript)
	require.ErrorIs(t, build(t, dir, "CONTEXT=nowhere"), rehearsal.ErrScript)
	require.NoError(t, os.Remove(filepath.Join(dir, "repo", "bin", "app")))
	require.ErrorContains(t, build(t, dir, "CONTEXT=repo"), "bin/app is not in the context repo")
}

func TestStages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"Dockerfile": "FROM a AS one\nCOPY one /\nFROM b AS two\nCOPY --from=one one /\n", "one": "1"})
	digests := map[string]string{}
	for _, target := range []string{"", "one", "two"} {
		require.NoError(t, build(t, dir, "TARGET="+target))
		digests[target] = read(t, dir, "image", "digest")
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "image")))
	}
	assert.Equal(t, digests["two"], digests[""], "the last one")
	assert.NotEqual(t, digests["one"], digests["two"])
	require.ErrorContains(t, build(t, dir, "TARGET=three"), `no stage "three"`)
}

func TestTimePassesWhenToldTo(t *testing.T) {
	t.Parallel()
	clock := types.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	d := newDouble(t, clock)
	source := map[string]any{"interval": "24h"}
	first := d.check(t, asked{Source: source})
	require.Len(t, first, 1)
	assert.Equal(t, first, d.check(t, asked{Source: source, Version: first[0]}))
	clock.Pass(25 * time.Hour)
	assert.Len(t, d.check(t, asked{Source: source, Version: first[0]}), 2)
}
