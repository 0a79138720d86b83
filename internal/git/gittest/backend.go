package gittest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// backend lets git answer. It is what "git http-backend" does, which takes three processes for a request where this takes one,
// or none for capabilities that are known.
func (s *Server) backend(w http.ResponseWriter, r *http.Request) {
	name, tail, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), ".git/")
	asked, advertised := tail, false
	if tail == "info/refs" && r.Method == http.MethodGet {
		asked, advertised = r.URL.Query().Get("service"), true
	}
	service := ""
	for _, known := range []string{UploadPack, ReceivePack} {
		if asked == known {
			service = known
		}
	}
	dir := s.path(name)
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err != nil || !filepath.IsLocal(name) || service == "" {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	protocol := r.Header.Get("Git-Protocol")
	if s.options.NoV2 {
		protocol = ""
	}
	w.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	if advertised {
		w.Header().Set("Content-Type", "application/x-"+service+"-advertisement")
		s.advertise(w, r, dir, service, protocol)
		return
	}
	w.Header().Set("Content-Type", "application/x-"+service+"-result")
	in := plain(r.Header, body)
	if s.options.Remember && service == UploadPack && strings.Contains(protocol, "version=2") {
		s.remembered(r, w, dir, protocol, in)
		return
	}
	_ = s.service(r, w, dir, service, protocol, in) // the client sees what is missing
}

// remembered gives a request the answer that it got before, if git would still give it. An answer that lists refs, or depends on them,
// is given again until a ref moves; one with objects that were asked for by hash, always. Errors are not remembered.
func (s *Server) remembered(r *http.Request, w io.Writer, dir, protocol string, in []byte) {
	const largest = 1 << 20 // bytes of an answer
	key := func() string {
		state := ""
		if !bytes.Contains(in, []byte("command=fetch")) || bytes.Contains(in, []byte("include-tag")) {
			state, _ = Open(dir).RefState() // "" where it cannot be read: git says why
		}
		return dir + "\n" + state + "\n" + string(in)
	}
	before := key()
	s.mu.Lock()
	known, ok := s.answers[before]
	s.mu.Unlock()
	if ok {
		_, _ = w.Write(known)
		return
	}
	var text bytes.Buffer
	if s.service(r, io.MultiWriter(w, &text), dir, UploadPack, protocol, in) != nil || text.Len() > largest || key() != before {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[before] = text.Bytes()
}

// service runs the program of a service once. It reads the body of a request and writes that of the answer.
func (s *Server) service(r *http.Request, out io.Writer, dir, service, protocol string, in []byte, flags ...string) error {
	args := append([]string{strings.TrimPrefix(service, "git-"), "--stateless-rpc"}, flags...)
	cmd := exec.CommandContext(r.Context(), s.git, append(args, ".")...) //nolint:gosec // the arguments are those above
	// git that is killed at once when its client goes away would leave the lock of a ref, which refuses all later pushes.
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, time.Minute
	cmd.Dir, cmd.Stdin, cmd.Stdout = dir, bytes.NewReader(in), out
	cmd.Env = append(environment(s.dir), "GIT_PROTOCOL="+protocol)
	return cmd.Run()
}

// advertise writes the refs, or the capabilities of protocol version 2. Those depend on git and the repository's configuration
// alone, so git runs once for them.
func (s *Server) advertise(w http.ResponseWriter, r *http.Request, dir, service, protocol string) {
	if strings.Contains(protocol, "version=2") && service == UploadPack {
		config, _ := os.ReadFile(filepath.Join(dir, "config")) // without it git has its defaults
		key := dir + "\n" + string(config)
		s.mu.Lock()
		known, ok := s.capabilities[key]
		s.mu.Unlock()
		if !ok {
			var text bytes.Buffer
			if s.service(r, &text, dir, service, protocol, nil, "--advertise-refs") != nil {
				return
			}
			known = text.Bytes()
			s.mu.Lock()
			s.capabilities[key] = known
			s.mu.Unlock()
		}
		_, _ = w.Write(known)
		return
	}
	line := "# service=" + service + "\n"
	_, _ = fmt.Fprintf(w, "%04x%s0000", len(line)+len("0000"), line)
	_ = s.service(r, w, dir, service, protocol, nil, "--advertise-refs") // the client sees what is missing
}
