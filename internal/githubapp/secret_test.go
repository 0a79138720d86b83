package githubapp

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/secret"
)

// What is obtained with a key is a secret too: the statement that the key signs
// and the token it is exchanged for.
func TestObtainedSecretsAreRegistered(t *testing.T) {
	h := newHub(t)
	var mask secret.Mask
	a := h.app(t, "7")
	token, _, err := a.Token(secret.With(t.Context(), &mask))
	require.NoError(t, err)
	require.Len(t, h.credentials, 2)
	for _, header := range h.credentials {
		assert.Equal(t, "Bearer ((redacted))", mask.Text(header))
	}
	assert.Equal(t, "a token ((redacted))", mask.Text("a token "+token))
}
