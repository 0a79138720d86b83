package gittest

import "os"

// Writers returns how many writers a test starts at once: few in an ordinary run, where one storm of each mechanism has its
// full size, and all where TAXIWAY_STORMS is set, as "make storms" does.
func Writers(few, all int) int {
	if os.Getenv("TAXIWAY_STORMS") != "" {
		return all
	}
	return few
}
