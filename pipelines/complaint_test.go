package pipelines

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestComplaintsSpeakOfTheUsersFile(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ said, want string }{
		"what a template refuses": {
			"ytt: Error: \n- assert.fail: fail: github: acme/shop needs an access_token\n    in forge\n      forge.lib.yml:14 | #@ assert.fail(1)\n",
			"github: acme/shop needs an access_token",
		},
		"a value that is missing": {
			"ytt: Error: Validating final data values:\n  promote.labels\n    from: schema.yml:175\n    - must be: length >= 1 (by: schema.yml:174)\n      found: length = 0\n\n" +
				"  types.tag\n    from: values.yml:61\n    - must be: a full version (by: schema.lib.yml:102)\n",
			"Validating final data values:\n  promote.labels\n    - is required\n\n  types.tag\n    from: team.yml:61\n    - must be: a full version (by: schema.lib.yml:102)",
		},
		"half of a login": {
			"ytt: Error: Validating final data values:\n  types.password\n    from: schema.lib.yml:47\n    - must be: not null (by: schema.lib.yml:46)\n      found: value is null\n",
			"Validating final data values:\n  types.password\n    - is required: username and password are given together",
		},
		"a value that is empty": {
			"ytt: Error: Validating final data values:\n  git.uri\n    from: values.yml:2\n    - must be: length >= 1 (by: schema.lib.yml:48)\n      found: length = 0\n",
			"Validating final data values:\n  git.uri\n    from: team.yml:2\n    - must be: length >= 1 (by: schema.lib.yml:48)\n      found: length = 0",
		},
		"a value that does not exist": {
			"ytt: Error: Given data value is not declared in schema\nvalues.yml:\n     |\n  40 |   labls: []\n",
			"Given data value is not declared in schema\nteam.yml:\n     |\n  40 |   labls: []",
		},
		"a key that is a boolean": {
			"panic: expected struct key %!s(bool=true) to be string\n\ngoroutine 1 [running]:\ncarvel.dev/ytt/pkg/template/core.GoValue.dictAsStarlarkValue.func1(...)\n",
			"the values have a key that is not a text: y, n, yes, no, on, off, true, false and numbers need quotes where they are a name",
		},
		"a file that is not a YAML": {
			"ytt: Error: Unmarshaling YAML data values file 'values.yml': yaml: line 4\n",
			"Unmarshaling YAML data values file 'team.yml': yaml: line 4",
		},
	} {
		assert.Equal(t, tc.want, complaint(tc.said, filepath.Join("my", "team.yml")), name)
	}
}
