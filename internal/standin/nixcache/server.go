// Package nixcache is a binary cache for tests and rehearsals, on loopback:
// it serves the files that the real nix program writes, or paths made up and
// signed here, both as a plain cache and as Cachix does (bulk look-up, pins, a
// private cache's token), and misbehaves when asked to. It needs no testing.TB.
package nixcache

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nix-community/go-nix/pkg/narinfo/signature"
	"github.com/nix-community/go-nix/pkg/nixbase32"

	"github.com/taxiway-ci/taxiway/internal/standin/server"
)

// Options say what a server is like.
type Options struct {
	// Name is the cache's name at Cachix; empty means "cache".
	Name string
	// Dir is a folder whose files are served as they are at that moment, such as
	// one that nix copy --to file://DIR fills; may be empty.
	Dir string
	// Token makes the cache private.
	Token string
	// Key signs what is made up here, and is published, in nix's form
	// name:base64; empty means a new one.
	Key string
	// TLS makes the server speak https, with a certificate of its own.
	TLS bool
	// NoBulk leaves out Cachix's bulk look-up.
	NoBulk bool
	// NarsAt is where requests for NARs are redirected to, such as another server.
	NarsAt string
}

// Server is a binary cache. Its methods are safe for concurrent use.
type Server struct {
	*server.Server

	options Options
	key     signature.SecretKey

	mu    sync.Mutex
	files map[string][]byte // in addition to those in Options.Dir
	pins  []pin
}

// Fault is one way for a cache to misbehave.
type Fault = server.Fault

// New starts a server. Close ends it.
func New(o Options) (*Server, error) {
	if o.Name == "" {
		o.Name = "cache"
	}
	s := &Server{options: o, files: map[string][]byte{}}
	var err error
	if o.Key == "" {
		s.key, _, err = signature.GenerateKeypair(o.Name+".example.org-1", nil)
	} else {
		s.key, err = signature.LoadSecretKey(o.Key)
	}
	if err != nil {
		return nil, fmt.Errorf("the cache's key: %w", err)
	}
	s.files["nix-cache-info"] = []byte("StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 40\n")
	s.Server = server.New(http.HandlerFunc(s.serve), o.TLS)
	return s, nil
}

// URL returns the address, as a plain cache and as Cachix's API.
func (s *Server) URL() string { return s.BaseURL() }

// Name is the cache's name at Cachix.
func (s *Server) Name() string { return s.options.Name }

// PublicKey is what the cache signs with, in nix's form.
func (s *Server) PublicKey() string { return s.key.ToPublicKey().String() }

// SecretKey is what the cache signs with, in nix's form, for nix copy.
func (s *Server) SecretKey() string { return s.key.String() }

// Set puts a file into the cache; nil removes one that was set before.
func (s *Server) Set(name string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if content == nil {
		delete(s.files, name)
		return
	}
	s.files[name] = content
}

// file reads a file of the cache.
func (s *Server) file(name string) ([]byte, error) {
	s.mu.Lock()
	content, ok := s.files[name]
	s.mu.Unlock()
	if ok {
		return content, nil
	}
	if s.options.Dir == "" {
		return nil, fs.ErrNotExist
	}
	root, err := os.OpenRoot(s.options.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return root.ReadFile(name)
}

func (s *Server) has(name string) bool {
	_, err := s.file(name)
	return err == nil
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.options.Token != "" && !s.authorised(r) {
		w.Header().Set("Www-Authenticate", "Basic")
		http.Error(w, "this cache is private", http.StatusUnauthorized)
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/api/v1/cache/"); ok {
		s.serveAPI(w, r, rest)
		return
	}
	s.serveFile(w, r, strings.TrimPrefix(r.URL.Path, "/"))
}

func (s *Server) authorised(r *http.Request) bool {
	if r.Header.Get("Authorization") == "Bearer "+s.options.Token {
		return true
	}
	_, password, ok := r.BasicAuth()
	return ok && password == s.options.Token
}

func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, name string) {
	content, err := s.file(name)
	if err != nil {
		http.Error(w, "404", http.StatusNotFound)
		return
	}
	if s.options.NarsAt != "" && strings.HasPrefix(name, "nar/") {
		w.Header().Set("Location", s.options.NarsAt+"/"+name+"?signature=s3cr3t")
		w.WriteHeader(http.StatusFound)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(content)))
}

// serveAPI is the part of Cachix's API that concerns one cache.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, rest string) {
	name, what, _ := strings.Cut(rest, "/")
	if name != s.options.Name {
		http.Error(w, `{"error":"cache `+name+` does not exist"}`, http.StatusNotFound)
		return
	}
	switch r.Method + " " + what {
	case "GET ":
		answer(w, map[string]any{
			"name": name, "uri": s.BaseURL(), "isPublic": s.options.Token == "", "permission": "Read",
			"publicSigningKeys": []string{s.PublicKey()}, "githubUsername": "", "preferredCompressionMethod": "ZSTD",
		})
	case "POST narinfo":
		s.serveBulk(w, r)
	case "GET pin":
		s.mu.Lock()
		defer s.mu.Unlock()
		answer(w, s.pins)
	case "POST pin":
		s.servePin(w, r)
	default:
		http.Error(w, `{"error":"no such endpoint"}`, http.StatusNotFound)
	}
}

func (s *Server) serveBulk(w http.ResponseWriter, r *http.Request) {
	if s.options.NoBulk {
		http.Error(w, `{"error":"no such endpoint"}`, http.StatusNotFound)
		return
	}
	var hashes []string
	if err := json.NewDecoder(r.Body).Decode(&hashes); err != nil {
		http.Error(w, `{"error":"want a list of hashes"}`, http.StatusBadRequest)
		return
	}
	if len(hashes) > 32768 {
		http.Error(w, `{"error":"too many hashes"}`, http.StatusRequestEntityTooLarge)
		return
	}
	missing := []string{}
	for _, hash := range hashes {
		if !s.has(hash + ".narinfo") {
			missing = append(missing, hash)
		}
	}
	answer(w, missing)
}

// pin is a pin as Cachix shows it.
type pin struct {
	Name         string   `json:"name"`
	CreatedOn    string   `json:"createdOn"`
	LastRevision revision `json:"lastRevision"`
}

type revision struct {
	Revision  int             `json:"revision"`
	StorePath string          `json:"storePath"`
	CreatedOn string          `json:"createdOn"`
	Artifacts []string        `json:"artifacts"`
	Keep      json.RawMessage `json:"keep,omitempty"`
}

func (s *Server) servePin(w http.ResponseWriter, r *http.Request) {
	var spec struct {
		Name      string          `json:"name"`
		StorePath string          `json:"storePath"`
		Keep      json.RawMessage `json:"keep"`
	}
	if err := json.NewDecoder(r.Body).Decode(&spec); err != nil || spec.Name == "" {
		http.Error(w, `{"error":"want a pin"}`, http.StatusBadRequest)
		return
	}
	s.pin(spec.Name, spec.StorePath, spec.Keep)
	w.WriteHeader(http.StatusNoContent)
}

// Pin pins a path, as the cachix program does.
func (s *Server) Pin(name, storePath string) { s.pin(name, storePath, nil) }

func (s *Server) pin(name, storePath string, keep json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().UTC().Format(time.RFC3339Nano)
	last := revision{Revision: 1, StorePath: storePath, CreatedOn: now, Artifacts: []string{}, Keep: keep}
	for i := range s.pins {
		if s.pins[i].Name == name {
			last.Revision = s.pins[i].LastRevision.Revision + 1
			s.pins[i].LastRevision = last
			return
		}
	}
	s.pins = append(s.pins, pin{name, now, last})
}

// PinnedPath is what a pin holds now, and for how long, as JSON; empty for no
// such pin.
func (s *Server) PinnedPath(name string) (storePath, keep string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pins {
		if p.Name == name {
			return p.LastRevision.StorePath, string(p.LastRevision.Keep)
		}
	}
	return "", ""
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(http.ErrAbortHandler) // the client went away
	}
}

// Item is a path to make up.
type Item struct {
	// Name is the path's name; the hash follows from it.
	Name string
	// References are paths that it refers to.
	References []string
	// NoNar leaves the NAR out.
	NoNar bool
	// Size of the NAR; 0 means 64.
	Size int
}

// PathOf is the path that Put gives an item of this name.
func PathOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "/nix/store/" + nixbase32.EncodeToString(sum[:20]) + "-" + name
}

// errKey is a signing that went wrong.
var errKey = errors.New("the cache's key can't sign")

// Put makes up a path, signs it and puts it into the cache.
func (s *Server) Put(i Item) (storePath string, err error) {
	storePath = PathOf(i.Name)
	text, narName, nar := narinfo(i)
	fingerprint := fingerprintOf(storePath, nar, i.References)
	sig, err := s.key.Sign(nil, fingerprint)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errKey, err)
	}
	if !i.NoNar {
		s.Set(narName, nar)
	}
	s.Set(hashOf(storePath)+".narinfo", []byte(text+"Sig: "+sig.String()+"\n"))
	return storePath, nil
}

// Remove collects a path: its narinfo, or only its NAR.
func (s *Server) Remove(storePath string, onlyNar bool) {
	if text, err := s.file(hashOf(storePath) + ".narinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(line, "URL: "); ok {
				s.Set(strings.TrimSpace(name), nil)
			}
		}
	}
	if !onlyNar {
		s.Set(hashOf(storePath)+".narinfo", nil)
	}
}

// narinfo makes the text of a narinfo without its signature, and its NAR.
func narinfo(i Item) (text, narName string, nar []byte) {
	if i.Size == 0 {
		i.Size = 64
	}
	nar = []byte(strings.Repeat(i.Name+"\n", i.Size/(len(i.Name)+1)+1))[:i.Size]
	hash := narHash(nar)
	narName = "nar/" + strings.TrimPrefix(hash, "sha256:") + ".nar"
	names := make([]string, len(i.References))
	for n, r := range i.References {
		names[n] = strings.TrimPrefix(r, "/nix/store/")
	}
	text = fmt.Sprintf("StorePath: %s\nURL: %s\nCompression: none\nFileHash: %s\nFileSize: %d\nNarHash: %s\nNarSize: %d\nReferences: %s\n",
		PathOf(i.Name), narName, hash, len(nar), hash, len(nar), strings.Join(names, " "))
	return text, narName, nar
}

func narHash(nar []byte) string {
	sum := sha256.Sum256(nar)
	return "sha256:" + nixbase32.EncodeToString(sum[:])
}

func fingerprintOf(storePath string, nar []byte, references []string) string {
	return fmt.Sprintf("1;%s;%s;%d;%s", storePath, narHash(nar), len(nar), strings.Join(references, ","))
}

func hashOf(storePath string) string {
	base := strings.TrimPrefix(storePath, "/nix/store/")
	hash, _, _ := strings.Cut(base, "-")
	return hash
}
