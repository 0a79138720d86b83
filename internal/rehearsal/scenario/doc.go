// Package scenario plays a rehearsal from a file: acts of people and of
// misfortune (commits, gates, faults, pins), and after each act what must hold.
// An expectation that does not hold ends the play with an error that names it.
package scenario
