//go:build race

package resources_test

// raced says that the race detector takes memory of its own.
const raced = true
