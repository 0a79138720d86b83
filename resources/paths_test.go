package resources_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	cachixpaths "github.com/taxiway-ci/taxiway/resources/cachix-paths"
	ceplerout "github.com/taxiway-ci/taxiway/resources/cepler-out"
	chartbump "github.com/taxiway-ci/taxiway/resources/chart-bump"
	promoterc "github.com/taxiway-ci/taxiway/resources/promote-rc"
	pullrequestbuilds "github.com/taxiway-ci/taxiway/resources/pull-request-builds"
	semvergit "github.com/taxiway-ci/taxiway/resources/semver-git"
	vendirbump "github.com/taxiway-ci/taxiway/resources/vendir-bump"
)

type object = map[string]any

// putter is a resource type's put, with a source and params that are right but for a path.
type putter struct {
	run    func(t *testing.T, p concourse.Process) int
	source object
	params object
}

// putTo runs the put of a resource type.
func putTo[S concourse.Source, V, G, P any](r concourse.Resource[S, V, G, P]) func(t *testing.T, p concourse.Process) int {
	return func(t *testing.T, p concourse.Process) int {
		t.Helper()
		return concourse.Run(t.Context(), p, r)
	}
}

// with is params with other ones over them, which may have a PATH.
func with(params, more object, path string) object {
	out := maps.Clone(params)
	maps.Copy(out, more)
	return filled(out, path).(object)
}

func filled(v any, path string) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for key, value := range v {
			out[key] = filled(value, path)
		}
		return out
	case []object:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = filled(item, path)
		}
		return out
	case string:
		return strings.ReplaceAll(v, "PATH", path)
	}
	return v
}

func putters() map[string]putter {
	git := object{"uri": "http://127.0.0.1:9/x.git", "branch": "main"}
	of := func(more object) object { return with(git, more, "") }
	hub := object{"repository": "acme/x", "api_url": "http://127.0.0.1:9/api/v3", "access_token": "t"}
	return map[string]putter{
		"chart-bump": {
			putTo(chartbump.Resource{}),
			of(object{"chart": "chart", "images": []object{{"name": "a", "path": "a", "repository": "https://example.com/a"}}, "mode": "push", "chart_app_version": true}),
			object{"version_file": "version/version"},
		},
		"promote-rc":          {putTo(promoterc.Resource{}), of(object{"github": hub}), object{"version_file": "version/version", "repository": "repo"}},
		"semver-git":          {putTo(semvergit.Resource{}), of(object{"file": "version"}), object{}},
		"vendir-bump":         {putTo(vendirbump.Resource{}), of(object{"directory": "vendor"}), object{"repository": "repo"}},
		"cepler-out":          {putTo(ceplerout.Resource{}), of(object{"environment": "qa"}), object{}},
		"cachix-paths":        {putTo(cachixpaths.Resource{}), object{"cache": "acme"}, object{}},
		"pull-request-builds": {putTo(pullrequestbuilds.Resource{}), hub, object{"status": "success", "context": "build"}},
	}
}

// A path that leaves the build's folder, or the repository, is refused by every resource type and key in the same
// words, before any server is asked.
func TestPathsThatLeaveAreRefusedAlike(t *testing.T) {
	all, known := putters(), map[string]bool{}
	build := t.TempDir()
	outside := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(build, "version"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(build, "version", "version"), []byte("1.0.0-rc.1\n"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(build, "out")))

	const folder, link = `leaves the build's folder: write a path that starts with an artifact's name`, `leaves the build's folder through a symbolic link`
	builds := map[string]string{"../x": folder, "/etc/passwd": folder, "version/../../x": folder, "out": link}
	for _, c := range []struct {
		typ, key string
		params   object
	}{
		{"chart-bump", "params.images.a", object{"images": object{"a": object{"digest_file": "PATH"}}}},
		{"chart-bump", "params.version_file", object{"version_file": "PATH"}},
		{"chart-bump", "params.source_repository", object{"source_repository": "PATH"}},
		{"chart-bump", "params.copy[0].from", object{"copy": []object{{"from": "PATH", "to": "x"}}}},
		{"promote-rc", "params.version_file", object{"version_file": "PATH"}},
		{"promote-rc", "params.repository", object{"repository": "PATH"}},
		{"promote-rc", "params.extra_files[0].from", object{"extra_files": []object{{"from": "PATH", "to": "docs-site"}}}},
		{"semver-git", "params.file", object{"file": "PATH"}},
		{"semver-git", "params.repository", object{"bump": "conventional", "repository": "PATH"}},
		{"vendir-bump", "params.repository", object{"repository": "PATH"}},
		{"vendir-bump", "params.ref", object{"repository": "version", "ref": "PATH"}},
		{"cepler-out", "params.repository", object{"repository": "PATH"}},
		{"cachix-paths", "params.paths_file", object{"paths_file": "PATH"}},
		{"pull-request-builds", "params.path", object{"path": "PATH"}},
	} {
		known[c.typ] = true
		for path, want := range builds {
			p := all[c.typ]
			refuses(t, p, build, object{"source": p.source, "params": with(p.params, c.params, path)}, c.key, want)
		}
	}
	assert.Len(t, known, len(all))
}

func TestPathsOutsideOfTheRepositoryAreRefusedAlike(t *testing.T) {
	all, build := putters(), t.TempDir()
	for _, c := range []struct {
		typ, key       string
		source, params object
	}{
		{"chart-bump", "source: chart", object{"chart": "PATH"}, nil},
		{"chart-bump", "source: values", object{"values": "PATH"}, nil},
		{"chart-bump", "params: copy[0].to", nil, object{"copy": []object{{"from": "a", "to": "PATH"}}}},
		{"chart-bump", "params: files[0].path", nil, object{"files": []object{{"path": "PATH", "content": "x"}}}},
		{"promote-rc", "source: changelog", object{"changelog": "PATH"}, nil},
		{"promote-rc", "source: cog_toml", object{"cog_toml": "PATH"}, nil},
		{"semver-git", "source: file", object{"file": "PATH"}, nil},
		{"semver-git", "source: cog_toml", object{"cog_toml": "PATH"}, nil},
		{"semver-git", "params: changelog", nil, object{"bump": "conventional", "repository": "repo", "changelog": "PATH"}},
		{"vendir-bump", "source: config", object{"config": "PATH"}, nil},
		{"vendir-bump", "source: directory", object{"directory": "PATH"}, nil},
		{"vendir-bump", "source: content", object{"content": "PATH"}, nil},
		{"cepler-out", "source: config", object{"config": "PATH"}, nil},
		{"cepler-out", "source: gates_file", object{"gates_file": "PATH"}, nil},
	} {
		for _, path := range []string{"../x", "/etc/passwd", "a/../../x", ".."} {
			p := all[c.typ]
			refuses(t, p, build, object{"source": with(p.source, c.source, path), "params": with(p.params, c.params, path)}, c.key, "is not a path inside the repository: write it from the repository's root, like docs/CHANGELOG.md")
		}
	}
}

func refuses(t *testing.T, p putter, build string, request object, key, want string) {
	t.Helper()
	stdin, err := json.Marshal(request)
	require.NoError(t, err)
	var stdout, stderr bytes.Buffer
	status := p.run(t, concourse.Process{Args: []string{"out", build}, Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Env: []string{"NO_COLOR=1"}})
	assert.Equal(t, 1, status, "%s", stdin)
	assert.Empty(t, stdout.String())
	assert.True(t, strings.HasPrefix(stderr.String(), "error: "+key), "%s\n%s", stdin, stderr.String())
	assert.Contains(t, stderr.String(), want, "%s", stdin)
}
