package wire

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// endless repeats a packet forever.
type endless struct {
	packet string
	at     int
}

// Read never ends.
func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], e.packet[e.at:])
		n, e.at = n+c, (e.at+c)%len(e.packet)
	}
	return n, nil
}

func line(text string) string { return fmt.Sprintf("%04x%s\n", len(text)+5, text) }

func TestAnswersThatNeverEndAreRefused(t *testing.T) {
	id := strings.Repeat("a", 40)
	v2 := &Greeting{V2: true, can: map[string]string{"fetch": "shallow filter"}}
	for name, read := range map[string]func() error{
		"ls-refs": func() error {
			_, err := ReadRefs(NewReader(&endless{packet: line(id + " refs/heads/x" + strings.Repeat("y", 900))}))
			return err
		},
		"an advertisement": func() error {
			_, err := ReadGreeting(NewReader(&endless{packet: line(id + " refs/heads/x" + strings.Repeat("y", 900))}))
			return err
		},
		"shallow lines": func() error {
			_, _, err := ReadFetched(io.MultiReader(strings.NewReader(line("shallow-info")), &endless{packet: line("shallow " + id)}), v2, Fetch{})
			return err
		},
		"sections": func() error {
			_, _, err := ReadFetched(&endless{packet: line("acknowledgments")}, v2, Fetch{})
			return err
		},
		"words for people": func() error {
			_, pack, err := ReadFetched(io.MultiReader(strings.NewReader(line("packfile")), &endless{packet: line("\x02" + strings.Repeat("word ", 100))}), v2, Fetch{})
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, pack)
			return err
		},
	} {
		require.ErrorIs(t, read(), object.ErrLimit, name)
	}
}
