package pipeline_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// What fly validate-pipeline --strict takes, and what runs.
func TestLintLeavesAloneWhatFlyTakes(t *testing.T) {
	t.Parallel()
	image := "      image_resource: {type: registry-image, source: {repository: busybox, tag: 1.36.1}}\n"
	for name, data := range map[string]string{
		"each across has variables of its own": "jobs:\n- name: j\n  plan:\n  - task: make\n    config:\n      platform: linux\n" + image +
			"      outputs: [{name: o}]\n      run: {path: make}\n" +
			"  - across: [{var: a, values: [1, 2]}]\n    do:\n    - {load_var: v, file: o/f}\n" +
			"  - across: [{var: a, values: [1, 2]}]\n    do:\n    - {load_var: v, file: o/f}\n",
		"a try may lack what it reads": "resources:\n- name: lock\n  type: pool\n  source: {uri: x, branch: main, pool: p}\n" +
			"jobs:\n- name: take\n  plan:\n  - {put: lock, params: {acquire: true}}\n- name: free\n  plan:\n" +
			"  - try: {get: lock, passed: [take]}\n  - try: {put: lock, params: {release: lock}}\n",
		"the password beside a token of GitHub": "resources:\n- name: code\n  type: git\n  source: {uri: \"https://github.com/a/b\", username: ((token)), password: x-oauth-basic}\n" +
			"jobs:\n- name: j\n  plan:\n  - get: code\n",
		"y is true": "resources:\n- name: code\n  type: git\n  source: {uri: x}\njobs:\n- name: j\n  serial: n\n  plan:\n  - {get: code, trigger: y}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Empty(t, pipeline.Lint("pipeline.yml", []byte(data), nil))
		})
	}
}
