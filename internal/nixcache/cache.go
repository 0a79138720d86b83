package nixcache

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
)

const (
	// defaultAPI is the public Cachix.
	defaultAPI = "https://cachix.org"
	// connections is how many there are to one server at most, and so how many requests are under way: as many as curl's.
	connections = 50
	// streams is how many requests one connection of HTTP/2 carries at the same time: what every server should allow (RFC 9113,
	// section 6.5.2).
	streams = 100
	// requestLimit is how long one request may take.
	requestLimit = 30 * time.Second
)

// Options say which cache, and how to reach it. Name or URL is needed.
type Options struct {
	// Name is a cache on Cachix.
	Name string
	// URL is any binary cache that speaks HTTP.
	URL string
	// APIURL is the Cachix to ask; empty means [defaultAPI].
	APIURL string
	// Token opens private caches. It is sent to the host of URL, or of APIURL and
	// the hosts below it, and to nobody else.
	Token string
	// PublicKeys are trusted, instead of those that a Cachix cache publishes.
	PublicKeys []string
	// TLS is whom to trust.
	TLS httpclient.TLS
	// Logf gets a line for people about what is out of the ordinary; may be nil.
	Logf func(format string, args ...any)
	// Client replaces the client made from TLS, for tests.
	Client *http.Client
}

// Cache is a binary cache. It is safe for concurrent use.
type Cache struct {
	name     string
	client   *http.Client
	logf     func(format string, args ...any)
	access   access
	slots    chan struct{} // one for each request under way; those that only HTTP/2 may have are taken until it is seen
	widen    func()        // frees them, once
	gate     gate
	large    sync.Mutex // held by who reads a large answer
	requests atomic.Int64

	api *url.URL // of the cache at Cachix; nil for a plain cache

	mu     sync.Mutex // guards what follows, which the cache itself tells
	known  bool
	base   *url.URL // what narinfo files are below
	folder *url.URL // the same with a slash at the end
	keys   Keys
	given  bool // the keys are those of Options
}

// Open makes a cache without asking it anything. Its errors name the option.
func Open(o Options) (*Cache, error) {
	c := &Cache{client: o.Client, logf: o.Logf, slots: make(chan struct{}, streams)}
	for range streams - connections {
		c.slots <- struct{}{}
	}
	c.widen = sync.OnceFunc(func() {
		for range streams - connections {
			<-c.slots
		}
	})
	if c.logf == nil {
		c.logf = func(string, ...any) {}
	}
	var err error
	if c.keys, err = ParseKeys(o.PublicKeys); err != nil {
		return nil, fmt.Errorf("public_keys: %w", err)
	}
	c.given = len(c.keys) > 0
	if err := c.locate(o); err != nil {
		return nil, err
	}
	if home := c.access.home; o.Token != "" && httpclient.Exposed(home.Scheme, home.Hostname()) {
		c.logf("warning: auth_token can be read on the way to %s, because the address is not https", home.Host)
	}
	if home := c.access.home; o.TLS.SkipVerification && home.Scheme == "https" {
		c.logf("warning: skip_ssl_verification is set: the identity of %s is not verified", home.Host)
	}
	if c.client == nil {
		if c.client, err = newClient(o.TLS); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func newClient(t httpclient.TLS) (*http.Client, error) {
	client, err := httpclient.New(t)
	if err != nil {
		return nil, err
	}
	if transport, ok := client.Transport.(*http.Transport); ok {
		transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost = connections, connections
		transport.ResponseHeaderTimeout = 0 // [requestLimit] is shorter, and a clock for each request takes time
		transport.DisableCompression = true // most answers are shorter than what is said about how they are packed
	}
	return client, nil
}

// locate finds out where to ask.
func (c *Cache) locate(o Options) error {
	switch {
	case o.Name != "" && o.URL != "":
		return errors.New("cache and url: give one of them, the name of a Cachix cache or the address of any cache")
	case o.Name != "":
		return c.locateCachix(o)
	case o.URL != "":
		return c.locatePlain(o)
	}
	return errors.New("cache or url: one of them is required, the name of a Cachix cache or the address of any cache")
}

func (c *Cache) locateCachix(o Options) error {
	if name, ok := strings.CutSuffix(o.Name, ".cachix.org"); ok {
		return fmt.Errorf("cache: write the name alone, %s", strings.TrimPrefix(name, "https://"))
	}
	if strings.Trim(o.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" || strings.Trim(o.Name, ".") == "" {
		return fmt.Errorf("cache: %q is not a valid name of a Cachix cache; set url for an address", o.Name)
	}
	address := o.APIURL
	if address == "" {
		address = defaultAPI
	}
	api, err := parseAddress(address)
	if err != nil {
		return fmt.Errorf("api_url: %w", err)
	}
	c.name = o.Name
	api.Path = strings.TrimSuffix(strings.TrimSuffix(api.Path, "/"), "/api/v1") + "/"
	c.api = api.JoinPath("api", "v1", "cache", o.Name)
	c.access = access{token: o.Token, home: api, api: c.api}
	return nil
}

func (c *Cache) locatePlain(o Options) error {
	base, err := parseAddress(o.URL)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if base.User != nil {
		return errors.New("url: remove user and password; set auth_token for a token")
	}
	if strings.HasSuffix(base.Path, "/nix-cache-info") {
		return errors.New("url: write the address of the cache, without nix-cache-info")
	}
	c.name = base.Redacted()
	c.access = access{token: o.Token, home: base}
	c.base, c.folder = base, base.JoinPath("/")
	return nil
}

func parseAddress(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("is not a valid address: %w", errors.Unwrap(err))
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, fmt.Errorf("%q is not the address of a web server; write https://cache.example.org", u.Redacted())
	}
	u.RawQuery, u.Fragment = "", ""
	return u, nil
}

// Name is what people call the cache: its name, or its address.
func (c *Cache) Name() string { return c.name }

// IsCachix says whether the cache can do what only Cachix can.
func (c *Cache) IsCachix() bool { return c.api != nil }

// Requests counts the requests that were sent.
func (c *Cache) Requests() int64 { return c.requests.Load() }

// Address is where the cache's files are, as far as it is known.
func (c *Cache) Address() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base != nil {
		return c.base.String()
	}
	return ""
}

// Keys are the trusted keys: those given, or those that a Cachix cache
// publishes. A plain cache publishes none.
func (c *Cache) Keys(ctx context.Context) (Keys, error) {
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keys, nil
}

// prepare asks a Cachix cache for its address and keys, once. A plain cache is
// asked nothing.
func (c *Cache) prepare(ctx context.Context) error {
	c.mu.Lock()
	known := c.known || c.api == nil
	c.mu.Unlock()
	if known {
		return nil
	}
	return c.readInfo(ctx)
}

// Narinfo reads what the cache says about a path. It is about that path; its
// signatures are not verified. [ErrMissing] when there is none.
func (c *Cache) Narinfo(ctx context.Context, p Path) (Narinfo, error) {
	var n Narinfo
	err := c.narinfo(ctx, p.Hash(), func(got Narinfo, _ int) error { n = got; return nil })
	if err == nil {
		err = n.isAbout(p)
	}
	return n, err
}

func (n Narinfo) isAbout(p Path) error {
	if n.Path != p {
		return fmt.Errorf("%w: the request was for %s, the answer is about %s", ErrWrong, p, n.Path)
	}
	return nil
}

// narinfo reads what the cache says about a path of which the hash is known, and hands it on with its size in memory. Large ones are
// read and handed on one at a time.
func (c *Cache) narinfo(ctx context.Context, hash string, take func(n Narinfo, size int) error) error {
	if err := CheckHash(hash); err != nil {
		return err
	}
	if err := c.prepare(ctx); err != nil {
		return err
	}
	_, err := c.ask(ctx, question{method: http.MethodGet, url: c.file(hash + ".narinfo"), most: maxNarinfo, take: func(body []byte) error {
		n, err := ParseNarinfo(string(body))
		switch {
		case err != nil:
			return fmt.Errorf("%w: %s.narinfo: %w", ErrWrong, hash, err)
		case n.Path.Hash() != hash:
			return fmt.Errorf("%w: the request was for %s, the answer is about %s", ErrWrong, hash, n.Path)
		}
		const word, signed = 16, 100 // bytes
		return take(n, len(body)+word*len(n.References)+signed*len(n.Signatures))
	}})
	return err
}

// file is the address of a file of the cache; of the folder that all are in if the name is empty.
func (c *Cache) file(name string) *url.URL {
	c.mu.Lock()
	u := *c.folder
	c.mu.Unlock()
	u.Path += name
	if u.RawPath != "" {
		u.RawPath += name
	}
	return &u
}

// HasNar asks whether the NAR of a narinfo is there, and of the size it should
// have. [ErrMissing] when not.
func (c *Cache) HasNar(ctx context.Context, n Narinfo) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	where, err := c.file("").Parse(n.URL)
	if err != nil {
		return fmt.Errorf("%w: the address of the NAR of %s: %w", ErrWrong, n.Path, err)
	}
	// one byte, since servers that redirect to a signed address may allow
	// nothing but GET
	got, err := c.ask(ctx, question{method: http.MethodGet, url: where, firstByte: true})
	var status *statusError
	if errors.As(err, &status) && status.status == http.StatusForbidden && !c.access.trusts(status.at) {
		// the store behind a cache, which does not tell strangers what it lacks
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err != nil {
		return err
	}
	if n.FileSize > 0 && got.size >= 0 && got.size != int64(n.FileSize) { //nolint:gosec // parsed with 63 bits
		return fmt.Errorf("%w: the NAR of %s has %d bytes, its narinfo says %d", ErrMissing, n.Path, got.size, n.FileSize)
	}
	return nil
}

// exists asks whether the address is that of a cache; the error is [ErrNoCache] if it is not.
func (c *Cache) exists(ctx context.Context) error {
	if c.IsCachix() {
		return c.prepare(ctx)
	}
	got, err := c.ask(ctx, question{method: http.MethodGet, url: c.file("nix-cache-info"), most: 1 << 16})
	if errors.Is(err, ErrMissing) {
		return fmt.Errorf("%w: %s has no nix-cache-info, which every binary cache has: is url right?", ErrNoCache, c.name)
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(got.body)) {
		key, value, _ := strings.Cut(line, ":")
		if dir := strings.TrimSpace(value); key == "StoreDir" && dir != StoreDir {
			return fmt.Errorf("%w: it is a cache for the store %s, not for %s", ErrWrong, quote(dir), StoreDir)
		}
	}
	return nil
}
