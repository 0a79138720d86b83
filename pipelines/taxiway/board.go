package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/board"
)

func boardCommand() *cobra.Command {
	var f boardFlags
	command := &cobra.Command{
		Use:   "board --deployments CLONE|URL (--html FILE | --listen ADDRESS)",
		Short: "Show what runs where, what waits and what changed, as a page",
		Long: "Show as a page what runs where, what waits and why, what changed and who opened which gate: the chains of environments,\n" +
			"a comparison of any two, every record, and the way from each back to the source. --html writes one file that needs\n" +
			"nothing besides; --listen serves it, and reads again when a branch of the deployments moved. A clone is read as it is.",
		Example: "  taxiway board --deployments ../deployments --clone ../charts --clone ../lana-bank --html board.html\n" +
			"  taxiway board --deployments https://github.com/acme/deployments --listen 8080",
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return failed("board", f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
	flags := command.Flags()
	f.add(flags)
	flags.Lookup("deployments").Usage = "clone of the deployments repository, or its address"
	flags.StringVar(&f.html, "html", "", "write the page to this file, - for the output")
	flags.StringVar(&f.listen, "listen", "", "serve the page at this address; a port alone is one of this machine, for its own readers")
	flags.StringVar(&f.cache, "cache", "", "folder for what is fetched from an address, for the next time (default: memory)")
	return command
}

// boardFlags are what a user says.
type boardFlags struct {
	readerFlags
	html, listen, cache string
}

func (f boardFlags) run(ctx context.Context, w, log io.Writer) (err error) {
	if (f.html == "") == (f.listen == "") {
		return usagef("board: set one of --html FILE and --listen ADDRESS")
	}
	o, err := f.options(ctx, "board", log)
	if err != nil {
		return err
	}
	repository, err := board.Open(board.Options{Options: o, Question: f.question}, f.cache)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, repository.Close()) }()
	if f.listen != "" {
		return f.serve(ctx, repository, log)
	}
	return f.write(ctx, repository, w)
}

// write writes the page once.
func (f boardFlags) write(ctx context.Context, repository *board.Repository, w io.Writer) error {
	refs, err := repository.Refs(ctx)
	if err != nil {
		return err
	}
	b, err := repository.Board(ctx, refs, time.Now())
	if err != nil {
		return err
	}
	if f.html != "-" {
		return b.WriteFile(f.html)
	}
	page, err := b.Page()
	if err == nil {
		_, err = w.Write(page)
	}
	return err
}

func (f boardFlags) serve(ctx context.Context, repository *board.Repository, log io.Writer) error {
	address, loopback := listenAddress(f.listen)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("--listen %s: write a port like 8080, or HOST:PORT: %w", f.listen, err)
	}
	server := board.NewServer(repository)
	server.Loopback = loopback
	server.Logf = logMasked(ctx, log)
	server.Logf("the board is at http://%s", listener.Addr())
	return server.Serve(ctx, listener)
}

// listenAddress is a complete address, and whether only this machine reaches it. A port alone is one of this machine.
func listenAddress(given string) (address string, loopback bool) {
	host, port, err := net.SplitHostPort(given)
	if err != nil {
		host, port = "", given
	}
	if host == "" {
		host = "127.0.0.1"
	}
	ip := net.ParseIP(host)
	return net.JoinHostPort(host, port), host == "localhost" || ip != nil && ip.IsLoopback()
}
