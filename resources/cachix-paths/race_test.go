//go:build race

package cachixpaths_test

const raceEnabled = true
