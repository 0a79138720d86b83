// Package local reads and updates repositories on this machine, bare or with a work
// tree, where they are.
package local
