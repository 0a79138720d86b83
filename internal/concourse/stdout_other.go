//go:build !unix

package concourse

import "os"

// takeStdout makes stdout another name of stderr and returns the real one.
func takeStdout() (*os.File, error) {
	stdout := os.Stdout
	os.Stdout = os.Stderr
	return stdout, nil
}
