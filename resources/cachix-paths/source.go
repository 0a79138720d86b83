package cachixpaths

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
	"github.com/taxiway-ci/taxiway/internal/nixcache"
)

// Source says which cache, and what check watches there.
type Source struct {
	// Cache is the name of a cache on Cachix.
	Cache string `json:"cache"`
	// URL is the address of any other binary cache.
	URL string `json:"url"`
	// AuthToken opens a private cache.
	AuthToken string `json:"auth_token"`
	// APIURL is a Cachix other than the public one.
	APIURL string `json:"api_url"`
	// PublicKeys are trusted, instead of those that the cache publishes.
	PublicKeys []string `json:"public_keys"`
	// Pins are the names of pins that check watches.
	Pins []string `json:"pins"`
	// Paths are store paths that check waits for.
	Paths []string `json:"paths"`
	// CACert is trusted besides the usual authorities.
	CACert string `json:"ca_cert"`
	// SkipSSLVerification trusts everybody.
	SkipSSLVerification bool `json:"skip_ssl_verification"`
}

// Validate reports what can be known without the network.
func (s Source) Validate() error {
	if _, err := s.open(nil); err != nil {
		return err
	}
	switch {
	case strings.ContainsAny(s.AuthToken, " \t\r\n"):
		return errors.New("auth_token: contains a blank or a line break: give the token alone")
	case s.APIURL != "" && s.Cache == "":
		return errors.New("api_url: cache, the name of a Cachix cache, is required beside it")
	case len(s.Pins) > 0 && s.Cache == "":
		return errors.New("pins: only Cachix has pins: set cache in place of url")
	case len(s.Pins) > 0 && len(s.Paths) > 0:
		return errors.New("pins: a check watches pins or paths: remove one of them")
	case slices.Contains(s.Pins, ""):
		return errors.New("pins: one of the names is empty")
	}
	if _, err := nixcache.ParseLines(s.Paths); err != nil {
		return fmt.Errorf("paths: %w", err)
	}
	return nil
}

// Secrets lists what is never shown.
func (s Source) Secrets() []string { return []string{s.AuthToken} }

// open makes the cache, without asking it anything.
func (s Source) open(logf func(string, ...any)) (*nixcache.Cache, error) {
	return nixcache.Open(nixcache.Options{
		Name: s.Cache, URL: s.URL, APIURL: s.APIURL, Token: s.AuthToken, PublicKeys: s.PublicKeys,
		TLS: httpclient.TLS{CACert: s.CACert, SkipVerification: s.SkipSSLVerification}, Logf: logf,
	})
}
