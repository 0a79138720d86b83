package tools

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
)

//go:embed nix.sh
var nixScript string

//go:embed cachix.sh
var cachixScript string

// Nix stands in for the programs nix and cachix. The shell scripts that are run in their place ask it for store paths, and what
// cachix watch-exec builds is in the binary cache as soon as it is built.
type Nix struct {
	listener net.Listener
	cache    *nixcache.Server
	wg       sync.WaitGroup

	mu     sync.Mutex
	pushed []string
}

// StartNix starts to answer on loopback, for one binary cache. Close ends it.
func StartNix(ctx context.Context, cache *nixcache.Server) (*Nix, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("stand-in for nix on loopback: %w", err)
	}
	n := &Nix{listener: listener, cache: cache}
	n.wg.Go(n.accept)
	return n, nil
}

// Close ends the stand-in and waits for the questions that are being answered.
func (n *Nix) Close() error {
	err := n.listener.Close()
	n.wg.Wait()
	return err
}

// Install makes the programs nix and cachix of the folder do something, see [Folder.Act].
func (n *Nix) Install(folder *Folder) error {
	host, port, err := net.SplitHostPort(n.listener.Addr().String())
	if err != nil {
		return err
	}
	return errors.Join(
		folder.Act("nix", strings.NewReplacer("@HOST@", host, "@PORT@", port).Replace(nixScript)),
		folder.Act("cachix", cachixScript),
	)
}

// Pushed returns the names of the builds that were pushed to the cache so far.
func (n *Nix) Pushed() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.pushed)
}

func (n *Nix) accept() {
	for {
		conn, err := n.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			n.wg.Go(func() { n.answer(conn) })
		}
	}
}

// answerTime ends a question whose second half never comes.
const answerTime = 30 * time.Minute

// answer answers "path NAME" with the store path that a build of that name has, and "push NAME" with the same path once the
// cache has it. Without an answer the script fails.
func (n *Nix) answer(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	verb, name, _ := strings.Cut(strings.TrimSpace(line), " ")
	path := nixcache.PathOf(name)
	if verb == "push" {
		if path, err = n.cache.Put(nixcache.Item{Name: name}); err != nil {
			return
		}
		n.mu.Lock()
		n.pushed = append(n.pushed, name)
		n.mu.Unlock()
	}
	_, _ = fmt.Fprintln(conn, path)
}
