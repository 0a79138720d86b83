package pipeline_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// using is a pipeline that gives a key to an image of a version, in a registry or of an owner on Docker Hub.
func using(n pipeline.Need, owner, tag string) string {
	key := fmt.Sprintf("{%s: x}", n.Key)
	source, get, put := "{uri: x}", "{}", "{}"
	switch n.Place {
	case pipeline.SourceKey:
		source = key
	case pipeline.GetKey:
		get = key
	case pipeline.PutKey:
		put = key
	case pipeline.TaskKey:
		return "jobs:\n- name: j\n  plan:\n  - task: t\n    config:\n      platform: linux\n      image_resource: {type: registry-image, source: {repository: " + owner + "/" + n.Image +
			", tag: " + tag + "}}\n      run: {path: build}\n      params: " + key + "\n"
	}
	return "resource_types:\n- name: x\n  type: registry-image\n  source: {repository: " + owner + "/" + n.Image + ", tag: " + tag + "}\n" +
		"resources:\n- {name: r, type: x, source: " + source + "}\njobs:\n- name: j\n  plan:\n  - get: r\n    params: " + get + "\n  - put: r\n    inputs: []\n    params: " + put + "\n"
}

func oldVersions(text string) pipeline.Findings {
	var found pipeline.Findings
	for _, f := range pipeline.Lint("p.yml", []byte(text), nil) {
		if f.Rule == "old-version" {
			found = append(found, f)
		}
	}
	return found
}

// upstream is who makes an image.
func upstream(n pipeline.Need) string {
	if n.Image == "slack-notification-resource" {
		return "cfcommunity"
	}
	return "concourse"
}

// Each need is found with the version before it, and not with it.
func TestKeysThatAnOldVersionLacks(t *testing.T) {
	t.Parallel()
	for _, n := range pipeline.Needs() {
		owner := upstream(n)
		enough := n.Since
		if n.After {
			enough = "1.13.1"
			assert.Len(t, oldVersions(using(n, owner, n.Since)), 1)
		}
		for _, tag := range []string{enough, "v" + enough, enough + "-alpine", "99", "latest", "edge", `"1"`, "((tag))"} {
			assert.Empty(t, oldVersions(using(n, owner, tag)), "%s %s", n.Key, tag)
		}
		for _, tag := range []string{"0.0.9", "v0.0.9", "0.0.9-alpine", `"0.0"`} {
			found := oldVersions(using(n, owner, tag))
			require.Len(t, found, 1, "%s %s", n.Key, tag)
			assert.Equal(t, pipeline.Error, found[0].Severity)
			assert.Contains(t, found[0].Text, n.Key)
			assert.Contains(t, found[0].Mend, "take "+n.Version())
		}
	}
	need := pipeline.Needs()[0]
	assert.Equal(t, `p.yml:4: resource "r" has "commit_filter", which git-resource 1.5.9 does not know: every commit is a version, also the pipeline's own; take 1.6.0 or newer`,
		oldVersions(using(need, "concourse", "1.5.9")).String())
}

// A fork counts its versions itself, and a copy may be of any: neither keeps a pipeline from being set.
func TestVersionsOfAForkAreAWarning(t *testing.T) {
	t.Parallel()
	for _, n := range pipeline.Needs() {
		hub := oldVersions(using(n, "docker.io/"+upstream(n), "0.0.9"))
		require.Len(t, hub, 1, n.Key)
		assert.Equal(t, pipeline.Error, hub[0].Severity)
		for _, owner := range []string{"registry.acme", "acme", "ghcr.io/" + upstream(n)} {
			found := oldVersions(using(n, owner, "0.0.9"))
			require.Len(t, found, 1, "%s %s", owner, n.Key)
			assert.Equal(t, pipeline.Warning, found[0].Severity)
		}
	}
	need := pipeline.Needs()[0]
	assert.Equal(t, `p.yml:4: warning: resource "r" has "commit_filter", which git-resource 0.3.1 does not know if its versions are those of concourse/git-resource: `+
		`every commit is a version, also the pipeline's own; take 1.6.0 or newer, or allow it if registry.acme/git-resource has versions of its own`,
		oldVersions(using(need, "registry.acme", "0.3.1")).String())
}

// The types of Concourse's own are as old as it is. One key is newer than most of them.
func TestKeysThatConcoursesOwnTypesMayLack(t *testing.T) {
	t.Parallel()
	const text = "resources:\n- {name: rel, type: github-release, source: {owner: a, repository: b, app_id: ((id)), private_key: ((key))}}\n" +
		"- {name: code, type: git, source: {uri: x, commit_filter: {exclude: [a]}}}\njobs:\n- {name: j, plan: [{get: code}, {put: rel, params: {name: code/a, tag: code/a}}]}\n"
	found := oldVersions(text)
	require.Len(t, found, 1)
	assert.Equal(t, pipeline.Warning, found[0].Severity)
	assert.Contains(t, found[0].String(), `p.yml:2: warning: resource "rel" has "app_id", which needs a version after 1.13.0 of github-release: with an older one, a GitHub App cannot make the release; look for`)
}
