// Package registry is an OCI registry in this process, in memory, on loopback.
package registry

import (
	"io"
	"log" //nolint:depguard // the registry's handler takes nothing else to be silent
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/taxiway-ci/taxiway/internal/standin/server"
)

// Fault is one way for a registry to misbehave.
type Fault = server.Fault

// Server is a registry.
type Server struct {
	*server.Server

	// Host is "127.0.0.1:PORT", the registry's name in references.
	Host string
}

// New starts a registry that serves referrers. With a password it answers only those who send it, whatever their name. Close
// ends it.
func New(password string) *Server {
	images := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))
	s := server.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, given, _ := r.BasicAuth(); password != "" && given != password {
			w.Header().Set("Www-Authenticate", `Basic realm="images"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
			return
		}
		images.ServeHTTP(w, r)
	}), false)
	return &Server{s, strings.TrimPrefix(s.BaseURL(), "http://")}
}
