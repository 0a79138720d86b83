package cachixpaths_test

import (
	"fmt"
	"os"
	"os/signal"

	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
)

// serveForScript is the program nix-cache of the scripts: it serves the files of
// a folder as they are at that moment, to those who have the token if there is one, and writes its address into a file.
//
//	nix-cache FOLDER ADDRESS [TOKEN] &
func serveForScript() {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	options := nixcache.Options{Dir: os.Args[1]}
	if len(os.Args) > 3 { //nolint:mnd // the token
		options.Token = os.Args[3]
	}
	server, err := nixcache.New(options)
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
