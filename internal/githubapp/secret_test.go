package githubapp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/secret"
)

// What is obtained with a key is a secret too: the statement that the key signs
// and the token it is exchanged for.
func TestObtainedSecretsAreRegistered(t *testing.T) {
	h := newHub(t)
	var hidden []string
	ctx := secret.With(t.Context(), func(secrets ...string) { hidden = append(hidden, secrets...) })
	token, _, err := h.app(t, "7").Token(ctx)
	require.NoError(t, err)
	require.Len(t, hidden, 3)
	assert.Equal(t, 2, strings.Count(hidden[0], "."), "a JWT has three parts: %s", hidden[0])
	assert.Equal(t, token, hidden[2])
}
