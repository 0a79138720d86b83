package ociimage

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

// Loopback is a registry in this process, in memory, on a free port of 127.0.0.1. Rehearsals and tests use it.
type Loopback struct {
	// Host is "127.0.0.1:PORT", the registry's name in references.
	Host string

	server *http.Server
}

// StartLoopback starts a registry, with referrers, that ends with Close.
func StartLoopback(ctx context.Context) (*Loopback, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("registry on loopback: %w", err)
	}
	silent := log.New(io.Discard, "", 0)
	server := &http.Server{
		Handler:           registry.New(registry.WithReferrersSupport(true), registry.Logger(silent)),
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: silent,
	}
	go func() { _ = server.Serve(listener) }()
	return &Loopback{Host: listener.Addr().String(), server: server}, nil
}

// Close ends the registry and forgets what it held.
func (l *Loopback) Close() error {
	if err := l.server.Close(); err != nil {
		return fmt.Errorf("registry on loopback: %w", err)
	}
	return nil
}
