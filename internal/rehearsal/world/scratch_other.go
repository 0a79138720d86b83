//go:build !linux

package world

// scratch returns the folder that worlds are made in; "" is the usual one.
func scratch() string { return "" }
