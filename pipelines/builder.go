package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/taxiway-ci/taxiway/internal/rehearsal"
	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
)

// builder answers the stand-in for nix, which is a shell script: "path NAME"
// with the store path that a build of that name has, "push NAME" with the same
// once the world's binary cache has it.
type builder struct {
	listener net.Listener
	cache    *nixcache.Server
	wg       sync.WaitGroup

	mu     sync.Mutex
	pushed []string
}

// names are what was pushed so far.
func (b *builder) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.pushed)
}

func startBuilder(ctx context.Context, cache *nixcache.Server) (*builder, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("rehearse: builder on loopback: %w", err)
	}
	b := &builder{listener: listener, cache: cache}
	b.wg.Go(b.accept)
	return b, nil
}

// hostAndPort are where it listens.
func (b *builder) hostAndPort() (host, port string) {
	host, port, _ = net.SplitHostPort(b.listener.Addr().String())
	return host, port
}

func (b *builder) close() error {
	err := b.listener.Close()
	b.wg.Wait()
	return err
}

func (b *builder) accept() {
	for {
		conn, err := b.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			b.wg.Go(func() { b.answer(conn) })
		}
	}
}

// answerTime bounds one question.
const answerTime = 10 * time.Second

func (b *builder) answer(conn net.Conn) {
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
		if path, err = b.cache.Put(nixcache.Item{Name: name}); err != nil {
			return // the script gets no answer and fails
		}
		b.mu.Lock()
		b.pushed = append(b.pushed, name)
		b.mu.Unlock()
	}
	_, _ = fmt.Fprintln(conn, path)
}

// beside lets the others in the world go on while a put of a type waits for
// what they do.
type beside struct {
	rehearsal.Type

	others func(ctx context.Context) error
}

// Run runs the others first, in the time that the put would wait.
func (b beside) Run(ctx context.Context, c rehearsal.Call) ([]byte, error) {
	if c.Verb == rehearsal.Out {
		if err := b.others(ctx); err != nil {
			return nil, err
		}
	}
	return b.Type.Run(ctx, c)
}
