package cachixpaths_test

import (
	"fmt"
	"os"
	"os/signal"

	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
)

// serveForScript is the program nix-cache of the scripts: it serves the files of
// a folder as they are at that moment, and writes its address into a file.
//
//	nix-cache FOLDER ADDRESS &
func serveForScript() {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	server, err := nixcache.New(nixcache.Options{Dir: os.Args[1]})
	if err == nil {
		err = os.WriteFile(os.Args[2]+".new", []byte(server.URL()), 0o600)
	}
	if err == nil {
		err = os.Rename(os.Args[2]+".new", os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
	<-interrupted
	server.Close()
}
