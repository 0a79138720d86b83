package conformance

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func garbage(t *testing.T, s Subject) {
	t.Helper()
	for i, stdin := range []string{
		"", " \n", "nonsense", "{", "}", "null", "[]", `"source"`, "1", "{}", `{"source": 1}`, `{"source": []}`, "\x00\xff",
		`{"sorce": {}}`, `{"source": {}} {}`, `{"source": {}, "source": {}}`, strings.Repeat("[", 100_000),
	} {
		s.refused(t, s.run(t, verbs()[i%len(verbs())], stdin))
	}
}

func closedStdin(t *testing.T, s Subject) {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell to start a program without stdin")
	}
	for _, verb := range verbs() {
		path, err := exec.LookPath(verb)
		require.NoError(t, err)
		script := filepath.Join(t.TempDir(), verb)
		require.NoError(t, os.WriteFile(script, fmt.Appendf(nil, "#!%s\nexec %s \"$@\" <&-\n", shell, path), 0o755))
		s.refused(t, s.start(t, script, nil, s.arguments(t, verb)...).wait(t))
	}
}

func noFolder(t *testing.T, s Subject) {
	t.Helper()
	for _, verb := range []string{"in", "out"} {
		q := s.request(t, verb, nowhere, nil)
		s.refused(t, s.start(t, verb, strings.NewReader(q)).wait(t))
		s.refused(t, s.start(t, verb, strings.NewReader(q), "a", "b").wait(t))
	}
	s.refused(t, s.start(t, "out", strings.NewReader(s.request(t, "out", nowhere, nil)), filepath.Join(t.TempDir(), "absent")).wait(t))
}

func noVersion(t *testing.T, s Subject) {
	t.Helper()
	for _, version := range []any{nil, "x", []any{}} {
		q := object(t, s.request(t, "in", nowhere, nil))
		q["version"] = version
		r := s.run(t, "in", text(t, q))
		s.refused(t, r)
		assert.Contains(t, r.stderr, "version")
	}
}

// stopped sends a signal and checks the end.
func (s Subject) stopped(t *testing.T, p *program, signal syscall.Signal, name string) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(signal))
	r := p.wait(t)
	s.refused(t, r)
	assert.Contains(t, r.stderr, "stopped by "+name, p.verb)
}

func stoppedReading(t *testing.T, s Subject) {
	t.Helper()
	for _, verb := range verbs() {
		ours, theirs := pipe(t)
		p := s.start(t, verb, theirs, s.arguments(t, verb)...)
		_, err := io.WriteString(ours, `{"source": {`)
		require.NoError(t, err)
		awaitReading(t, ours)
		s.stopped(t, p, syscall.SIGINT, "SIGINT")
	}
}

func pipe(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	theirs, ours, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = ours.Close(); _ = theirs.Close() })
	return ours, theirs
}

// awaitReading returns when the program has read some of what is in the pipe,
// since before that it may not be ready for signals: it fills the pipe, and the
// last write ends only when somebody reads.
func awaitReading(t *testing.T, w *os.File) {
	t.Helper()
	require.NoError(t, w.SetWriteDeadline(time.Now().Add(patience)))
	const more = 1 << 20 // a pipe holds 64 KiB, unless somebody made it larger
	_, err := w.Write([]byte(strings.Repeat(" ", more)))
	require.NoError(t, err, "the program does not read its stdin")
}

func stoppedWaiting(t *testing.T, s Subject) {
	t.Helper()
	if len(s.online()) == 0 {
		t.Skip("no verb asks a server")
	}
	for _, verb := range s.online() {
		asked := make(chan net.Conn, 100)
		address := silentServer(t, asked)
		dir := s.arguments(t, verb)
		p := s.start(t, verb, strings.NewReader(s.request(t, verb, "http://"+address+"/owner/repository.git", nil)), dir...)
		select {
		case <-asked:
			s.stopped(t, p, syscall.SIGTERM, "SIGTERM")
		case err := <-p.done:
			t.Errorf("%s ended without asking its server: %v\n%s", verb, err, p.stderr.String())
		case <-time.After(patience):
			t.Errorf("%s asked no server", verb)
		}
		if verb == "in" {
			s.left(t, dir[0])
		}
	}
}

// left checks that a get which failed left nothing half-written.
func (s Subject) left(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if _, ours := s.Artifacts[e.Name()]; !ours && !s.artifact(e.Name()) {
			t.Errorf("a get that failed left %s", e.Name())
		}
	}
}

func (s Subject) artifact(top string) bool {
	for name := range s.Artifacts {
		if strings.HasPrefix(name, top+"/") {
			return true
		}
	}
	return false
}

// silentServer takes connections and says nothing.
func silentServer(t *testing.T, asked chan<- net.Conn) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			select {
			case asked <- c:
			default:
			}
		}
	}()
	return l.Addr().String()
}

// indiscreetServer refuses everything and tells the client's credentials, as
// they came and in the clear, like a proxy in debug mode.
func indiscreetServer(t *testing.T, s Subject) {
	t.Helper()
	if len(s.online()) == 0 {
		t.Skip("no verb asks a server")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Www-Authenticate", `Basic realm="git"`)
		status := http.StatusForbidden
		if r.Header.Get("Authorization") == "" {
			status = http.StatusUnauthorized // some clients wait for this before they send credentials
		}
		w.WriteHeader(status)
		header := r.Header.Get("Authorization")
		_, encoded, _ := strings.Cut(header, " ")
		plain, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			plain = []byte(encoded)
		}
		_, _ = fmt.Fprintf(w, "denied: %s\n%s\n%s\n", header, plain, strings.Join(s.Secrets, "\n")) //nolint:gosec // a body for no browser
	}))
	defer server.Close()
	for _, verb := range s.online() {
		s.refused(t, s.run(t, verb, s.request(t, verb, server.URL+"/owner/repository.git", nil)))
	}
}

func checkAnswers(t *testing.T, s Subject) {
	t.Helper()
	source := s.Source(nowhere)
	if s.Live != nil {
		source, _ = s.Live(t)
	} else if len(s.online()) > 0 && s.online()[0] == "check" {
		t.Skip("the subject has no live remote")
	}
	first := s.versions(t, fmt.Sprintf(`{"source": %s}`, source))
	null := s.versions(t, fmt.Sprintf(`{"source": %s, "version": null}`, source))
	assert.Equal(t, first, null, "no version and null are the same")
	for _, v := range first {
		again := s.versions(t, text(t, map[string]any{"source": json.RawMessage(source), "version": v}))
		assert.NotEmpty(t, again, "the given version is still valid, or replaced by the current one")
	}
	s.versions(t, fmt.Sprintf(`{"source": %s, "version": %s}`, source, s.Version))
	s.versions(t, fmt.Sprintf(`{"source": %s, "version": {"of_an": "older resource type"}}`, source))
}

// versions is what a check that must succeed answers.
func (s Subject) versions(t *testing.T, request string) []map[string]string {
	t.Helper()
	r := s.run(t, "check", request)
	require.Equal(t, 0, r.status, "check of %s\n%s", request, r.stderr)
	s.discreet(t, r)
	var list []map[string]string
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &list), r.stdout)
	require.NotNil(t, list, "check must answer a list, got %s", r.stdout)
	return list
}

func missingVersion(t *testing.T, s Subject) {
	t.Helper()
	if s.Live == nil {
		t.Skip("the subject has no live remote")
	}
	source, missing := s.Live(t)
	if missing == "" {
		t.Skip("every version can be had")
	}
	q := object(t, s.request(t, "in", nowhere, nil))
	q["source"], q["version"] = json.RawMessage(source), json.RawMessage(missing)
	dir := s.folder(t)
	r := s.start(t, "in", strings.NewReader(text(t, q)), dir).wait(t)
	s.refused(t, r)
	s.left(t, dir)
}
