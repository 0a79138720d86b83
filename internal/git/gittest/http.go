package gittest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/standin/server"
)

// The services a client can ask for.
const (
	UploadPack  = "git-upload-pack"  // fetch
	ReceivePack = "git-receive-pack" // push
)

// Fault is one way for the HTTP side of a server to misbehave. The path that it
// matches may be UploadPack or ReceivePack: both are part of every request to the
// service, of the advertisement (GET) and of the work itself (POST).
type Fault = server.Fault

// CutPack is a [Fault.Change] that breaks the connection after so many bytes of
// the pack that is sent.
func CutPack(n int) func() server.Change {
	return inPack(server.Cut(n))
}

// CorruptPack is a [Fault.Change] that flips one bit of the pack that is sent.
func CorruptPack() func() server.Change {
	const at = 20 // behind the pack's own header
	return inPack(func() server.Change {
		sent := 0
		return func(p []byte) ([]byte, bool) {
			if i := at - sent; i >= 0 && i < len(p) {
				p = slices.Clone(p)
				p[i] ^= 0x10
			}
			sent += len(p)
			return p, false
		}
	})
}

// inPack applies a change from the first byte of a pack on.
func inPack(change func() server.Change) func() server.Change {
	return func() server.Change {
		inside, begun := change(), false
		return func(p []byte) ([]byte, bool) {
			start := 0
			if !begun {
				if start = bytes.Index(p, []byte("PACK")); start < 0 {
					return p, false
				}
				begun = true
			}
			pack, broken := inside(p[start:])
			return slices.Concat(p[:start], pack), broken
		}
	}
}

// Request is what the server saw of one HTTP request.
type Request struct {
	server.Request

	Service      string // UploadPack, ReceivePack or "" for anything else
	Command      string // of protocol version 2: ls-refs or fetch
	Wants, Haves int    // of a fetch
}

// Requests are the HTTP requests since the start or the last Reset, see
// [server.Server.Requests].
func (s *Server) Requests() []Request {
	var all []Request
	for _, r := range s.Server.Requests() {
		all = append(all, described(r))
	}
	return all
}

// Asked are the names of those requests in one line, and the bytes of their bodies and answers.
func (s *Server) Asked() (names string, size int64) {
	var all []string
	for _, r := range s.Requests() {
		all, size = append(all, cmp.Or(r.Command, r.Method+"-"+r.Service)), size+r.In+r.Out
	}
	return strings.Join(all, " "), size
}

func described(r server.Request) Request {
	q := Request{Request: r}
	for _, name := range []string{UploadPack, ReceivePack} {
		if r.Query == "service="+name || strings.HasSuffix(r.Path, "/"+name) {
			q.Service = name
		}
	}
	if q.Service != UploadPack || r.Method != http.MethodPost {
		return q
	}
	text := plain(r.Header, r.Body)
	q.Wants, q.Haves = bytes.Count(text, []byte("want ")), bytes.Count(text, []byte("have "))
	if _, after, ok := bytes.Cut(text, []byte("command=")); ok {
		line, _, _ := bytes.Cut(after, []byte("\n"))
		if i := bytes.Index(line, []byte("00")); i > 0 { // the next packet, when the line has no newline
			line = line[:i]
		}
		q.Command = string(line)
	}
	return q
}

// plain is the body of a request without its compression.
func plain(header http.Header, body []byte) []byte {
	if header.Get("Content-Encoding") != "gzip" {
		return body
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body
	}
	text, _ := io.ReadAll(z) // only the beginning of a long body is there
	return text
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(r) {
		w.Header().Set("Www-Authenticate", `Basic realm="gittest"`)
		http.Error(w, "credentials wanted", http.StatusUnauthorized)
		return
	}
	s.completePath(r)
	if s.options.RefuseWants && s.refuseWants(w, r) {
		return
	}
	s.backend(w, r)
}

func (s *Server) allowed(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	username, password, _ := r.BasicAuth()
	want, known := s.passwords[username]
	return len(s.passwords) == 0 || known && password == want
}

// completePath lets addresses without ".git" work, as the large hosts do.
func (s *Server) completePath(r *http.Request) {
	for _, tail := range []string{"/info/refs", "/" + UploadPack, "/" + ReceivePack} {
		name, ok := strings.CutSuffix(r.URL.Path, tail)
		if !ok || strings.HasSuffix(name, ".git") {
			continue
		}
		if _, err := os.Stat(s.path(strings.TrimPrefix(name, "/"))); err == nil {
			r.URL.Path = name + ".git" + tail
		}
	}
}

// refuseWants refuses a fetch of anything but tips, and reports whether it did.
func (s *Server) refuseWants(w http.ResponseWriter, r *http.Request) bool {
	name, post := strings.CutSuffix(r.URL.Path, ".git/"+UploadPack)
	if !post {
		return false
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	refs, err := run(s.ctx, s.path(strings.TrimPrefix(name, "/")), nil, "for-each-ref", "--format=%(objectname) %(*objectname)")
	if err != nil {
		return false
	}
	for _, m := range regexp.MustCompile(`want ([0-9a-f]{40})`).FindAllSubmatch(plain(r.Header, body), -1) {
		if strings.Contains(refs, string(m[1])) {
			continue
		}
		line := "ERR upload-pack: not our ref " + string(m[1])
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		_, _ = fmt.Fprintf(w, "%04x%s", len(line)+4, line)
		return true
	}
	return false
}
