//go:build unix

package resources_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// Each type that is told to verify nobody says whom it did not verify.
func TestSwitchingVerificationOffWarns(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	api := object{"repository": "acme/x", "access_token": "t0k3n", "api_url": server.URL, "skip_ssl_verification": true}
	tried := 0
	for name, typ := range resourceTypes() {
		keys := sourceSchema(t, name)
		if name == "cepler-out" || name == "vendir-bump" { // whose checks ask nobody; git is reached as in the others
			continue
		}
		tried++
		source := with(exampleRequest(t, name)["source"].(object), object{"skip_ssl_verification": true}, "")
		for key, value := range map[string]any{"uri": server.URL + "/x.git", "api_url": server.URL, "github": api} {
			if _, ok := keys[key]; ok {
				source[key] = value
			}
		}
		if name == "cachix-paths" {
			source["pins"] = []string{"web"}
		}
		stdin, err := json.Marshal(object{"source": source})
		require.NoError(t, err)
		var stdout, stderr bytes.Buffer
		typ.run(t, concourse.Process{Args: []string{"x", "check"}, Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Env: []string{"NO_COLOR=1"}})
		assert.Contains(t, stderr.String(), "warning: skip_ssl_verification is set: the identity of 127.0.0.1", name)
	}
	assert.Equal(t, len(resourceTypes())-2, tried)
}

// A type that is told to take any host key says whose.
func TestTakingAnyHostKeyWarns(t *testing.T) {
	key, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	address := talkingSSH(t, "permission denied")
	stdin, err := json.Marshal(object{"source": object{"uri": "ssh://git@" + address + "/x.git", "branch": "main", "file": "version", "private_key": key.Private, "insecure_ignore_host_key": true}})
	require.NoError(t, err)
	var stdout, stderr bytes.Buffer
	status := resourceTypes()["semver-git"].run(t, concourse.Process{Args: []string{"x", "check"}, Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Env: []string{"NO_COLOR=1"}})
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr.String(), "warning: insecure_ignore_host_key is set: the identity of 127.0.0.1 is not verified")
}

// Credentials that go to a registry without TLS are told of.
func TestARegistryWithoutTLSIsToldOf(t *testing.T) {
	m := exampleRequest(t, "chart-bump")
	source := with(m["source"].(object), object{"uri": "http://127.0.0.1:9/x.git", "registry": object{"username": "robot", "password": "pa55w0rd", "insecure": true}}, "")
	stdin, err := json.Marshal(object{"source": source, "params": object{"images": object{"bank": object{"image": "registry.invalid/bank:edge"}}}})
	require.NoError(t, err)
	var stdout, stderr bytes.Buffer
	status := resourceTypes()["chart-bump"].run(t, concourse.Process{Args: []string{"x", "out", t.TempDir()}, Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Env: []string{"NO_COLOR=1"}})
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr.String(), "warning: the credentials for registry.invalid can be read on the way, because registry.insecure is set")
}

// exampleRequest is the valid request of a type's table of mistakes.
func exampleRequest(t *testing.T, name string) object {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join(name, "testdata", "messages.txtar"))
	require.NoError(t, err)
	all := object{}
	require.NoError(t, json.Unmarshal(archive.Files[0].Data, &all))
	return all
}
