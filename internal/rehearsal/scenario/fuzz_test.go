package scenario_test

import (
	"testing"

	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
)

// Whatever the file holds, it is refused with a message or can be played.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := scenario.Parse("s.yml", text)
		if err == nil && len(s.Acts) == 0 {
			t.Fatal("a scenario without acts was accepted")
		}
		if err == nil {
			for _, a := range s.Acts {
				if a.Title == "" {
					t.Fatal("an act without a title was accepted")
				}
			}
		}
	})
}
