package concourse_test

import (
	"encoding/json"
	"testing"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/concourse/conformance"
)

const privateKey = "-----BEGIN KEY-----\n4vDPlBxXQTUyR1Yrhk2ZLw\nq8v+Hj/3TtuG9sKcV5mRbA\n-----END KEY-----\n"

func TestConformance(t *testing.T) {
	subject := conformance.Subject{
		Schema: concourse.Describe(sample{}),
		Source: func(url string) string {
			raw, err := json.Marshal(map[string]any{"uri": url, "branch": "main", "do": "get", "password": "pass/word+1", "private_key": privateKey})
			if err != nil {
				t.Fatal(err)
			}
			return string(raw)
		},
		Secrets:   []string{"pass/word+1", privateKey},
		Version:   `{"ref": "one"}`,
		PutParams: `{"repository": "r"}`,
		Artifacts: map[string]string{"r/ref": "two\n"},
		Live: func(*testing.T) (string, string) {
			return `{"uri": "x", "branch": "main"}`, `{"ref": "gone"}`
		},
	}
	conformance.Run(t, subject)
}
