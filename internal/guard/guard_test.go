package guard_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/guard"
)

func TestRun(t *testing.T) {
	require.NoError(t, guard.Run(func() error { return nil }))
	broken := errors.New("broken")
	require.ErrorIs(t, guard.Run(func() error { return broken }), broken)
	var list []int
	at := len(list)
	err := guard.Run(func() error { list[at] = 1; return nil })
	require.Error(t, err)
	assert.Regexp(t, `^a fault in this program at guard_test\.go:\d+: runtime error: index out of range \[0\] with length 0; please report it$`, err.Error())
	assert.ErrorContains(t, guard.Run(func() error { panic("two\nlines") }), ": two lines; please report it")
}
