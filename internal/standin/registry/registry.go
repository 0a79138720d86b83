// Package registry is an OCI registry in this process, in memory, on loopback.
package registry

import (
	"context"
	"fmt"
	"io"
	"log" //nolint:depguard // the registry's handler takes nothing else to be silent
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Server is a registry on a free port of 127.0.0.1.
type Server struct {
	// Host is "127.0.0.1:PORT", the registry's name in references.
	Host string

	server *http.Server
}

// New starts a registry that serves referrers. Close ends it.
func New(ctx context.Context) (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("registry on loopback: %w", err)
	}
	silent := log.New(io.Discard, "", 0)
	server := &http.Server{
		Handler:           registry.New(registry.WithReferrersSupport(true), registry.Logger(silent)),
		ReadHeaderTimeout: 30 * time.Minute, ErrorLog: silent,
	}
	go func() { _ = server.Serve(listener) }()
	return &Server{Host: listener.Addr().String(), server: server}, nil
}

// Close ends the registry and forgets what it held.
func (l *Server) Close() error {
	if err := l.server.Close(); err != nil {
		return fmt.Errorf("registry on loopback: %w", err)
	}
	return nil
}
