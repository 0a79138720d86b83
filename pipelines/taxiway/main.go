// Program taxiway is the suite on a laptop: it renders the pipeline templates, checks pipeline files, rehearses them on this
// machine, sets them, and says what every environment runs.
package main

import "os"

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) } //nolint:forbidigo // the one place where this program ends
