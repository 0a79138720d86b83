//go:build unix

package resources_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// marker is in each text that a server sends, so that a test knows that the text was shown.
const marker = "heard-from-server"

// hidden is a secret of a source, and its key.
type hidden struct{ key, value string }

// wardrobe are values for all keys with secrets, in two sets, since a password and a GitHub App exclude each other.
func wardrobe(t *testing.T, app bool) map[string]string {
	t.Helper()
	key, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	all := map[string]string{
		"auth_token": `c4chix/T0ken+"<&>\x`, "private_key": key.Private, "private_key_passphrase": "correct horse  b4ttery/+&ü",
		"signing_key_passphrase": `st4ple "and" <more>\n`, "password": `p4ss  w+rd/"<&>\é!`,
	}
	if app {
		pgp, err := gittest.NewOpenPGPKey("ed25519", "robot@example.com", "", time.Now().Add(-time.Hour), 0)
		require.NoError(t, err)
		pair, err := gittest.NewKey("rsa-pem", "")
		require.NoError(t, err)
		all["signing_key"], all["app_private_key"] = pgp.Private, pair.Private
		for _, without := range []string{"private_key_passphrase", "signing_key_passphrase", "password"} {
			delete(all, without)
		}
		return all
	}
	all["private_key"] = encryptedKey(t, all["private_key_passphrase"])
	all["signing_key"] = encryptedKey(t, all["signing_key_passphrase"])
	all["access_token"] = hubToken
	return all
}

// encryptedKey is in the older form, which is read fast.
func encryptedKey(t *testing.T, passphrase string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	block, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", der, []byte(passphrase), x509.PEMCipherAES256) //nolint:staticcheck // people have such keys
	require.NoError(t, err)
	return string(pem.EncodeToMemory(block))
}

// dress puts a secret at each key of a source that is for one, as the type's schema has them. It returns the secrets.
func dress(t *testing.T, source, schema object, from map[string]string, path string) []hidden {
	t.Helper()
	var all []hidden
	for _, key := range slices.Sorted(maps.Keys(schema)) {
		property, _ := schema[key].(object)
		inner, isMap := property["properties"].(object)
		items, _ := property["items"].(object)
		_, isList := items["properties"].(object)
		switch {
		case isMap:
			below, present := source[key].(object)
			if key == "registry" && !present {
				below = object{"username": "robot", "insecure": true}
				source[key] = below
			}
			if below != nil {
				all = append(all, dress(t, below, inner, from, path+key+".")...)
			}
		case key == "repositories" && isList:
			one := object{"uri": strings.Replace(fmt.Sprint(source["uri"]), "//", "//robot:in-the-uri-of-another@", 1)}
			source[key] = []any{one}
			all = append(all, hidden{path + key + "[0].uri", "in-the-uri-of-another"})
		case regexp.MustCompile(`(password|passphrase|token|_key)$`).MatchString(key):
			value, ok := from[key]
			if !ok {
				delete(source, key)
				continue
			}
			source[key] = value
			all = append(all, hidden{path + key, value})
			switch key {
			case "password":
				source["username"] = "robot"
			case "app_private_key":
				source["app_id"] = "17"
			case "signing_key":
				source["git_user"] = "Robot <robot@example.com>"
			}
		}
	}
	return all
}

// sourceSchema are the keys of a type's source.
func sourceSchema(t *testing.T, name string) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(name, "schema.json"))
	require.NoError(t, err)
	var schema struct {
		Properties struct {
			Source struct{ Properties object }
		}
	}
	require.NoError(t, json.Unmarshal(text, &schema))
	return schema.Properties.Source.Properties
}

// forms are the texts in which SECURITY.md promises to mask a secret, by name.
func forms(secret string) map[string]string {
	trimmed := strings.TrimSpace(secret)
	all := map[string]string{"as it is": secret, "without line end": trimmed}
	for i, line := range strings.Split(trimmed, "\n") {
		name := "line " + strconv.Itoa(i) + " "
		if i > 1 || len(line) < 8 || strings.HasPrefix(line, "-----") {
			continue
		}
		quoted := inJSON(line, true)
		escaped := html.EscapeString(line)
		basic := base64.StdEncoding.EncodeToString([]byte("robot:" + line))
		maps.Copy(all, map[string]string{
			name + "basic in a query": url.QueryEscape(basic), name + "basic in a path": url.PathEscape(basic), name + "slashes in JSON": strings.ReplaceAll(quoted, "/", `\/`),
			name + "in JSON": quoted, name + "in JSON without HTML": inJSON(line, false), name + "JSON in JSON": inJSON("{"+quoted+"}", true),
			name + "in Go": fmt.Sprintf("%q", line), name + "in ASCII": fmt.Sprintf("%+q", line), name + "quoted twice": fmt.Sprintf("%q", fmt.Sprintf("%q", line)),
			name + "in HTML": escaped, name + "in XML": strings.NewReplacer("&#34;", "&quot;", "&#39;", "&apos;").Replace(escaped),
			name + "in a query": url.QueryEscape(line), name + "in a path": url.PathEscape(line), name + "as userinfo": url.UserPassword("x", line).String(),
			name + "lower-case percent": regexp.MustCompile(`%[0-9A-F]{2}`).ReplaceAllStringFunc(url.QueryEscape(line), strings.ToLower),
			name + "base64":             base64.StdEncoding.EncodeToString([]byte(line)), name + "base64 for addresses": base64.RawURLEncoding.EncodeToString([]byte(line)),
			name + "basic": basic, name + "basic of a token": base64.StdEncoding.EncodeToString([]byte("x-access-token:" + line)),
			name + "basic of git": base64.StdEncoding.EncodeToString([]byte("git:" + line)),
		})
	}
	all["the whole in JSON"], all["the whole in Go"], all["the whole in a query"] = inJSON(secret, true), fmt.Sprintf("%q", secret), url.QueryEscape(secret)
	return all
}

// inJSON is a value as JSON writes it, with what HTML reads escaped or not.
func inJSON(value any, escapeHTML bool) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(escapeHTML)
	if err := e.Encode(value); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// window is how many bytes of a secret, in any form, may not be shown together. Base64 shows a little of its ends, which
// depend on what stands beside it.
const window = 12

// leaked is a part of a form that a text shows, or empty.
func leaked(shown, form string) string {
	for line := range strings.Lines(form) {
		line = strings.Trim(line, "\" \t\r\n")
		if strings.HasPrefix(line, "-----") || len(line) < 8 {
			continue
		}
		for at := 0; at == 0 || at+window <= len(line); at++ {
			part := line[at:min(at+window, len(line))]
			if strings.Contains(shown, part) && !strings.Contains(harmless, part) {
				return part
			}
		}
	}
	return ""
}

// harmless are pieces of forms that are no part of a secret.
var harmless = base64.StdEncoding.EncodeToString([]byte("x-access-token:")) + "-----BEGIN OPENSSH PRIVATE KEY----------END " +
	url.QueryEscape("-----BEGIN OPENSSH PRIVATE KEY-----\n-----BEGIN RSA PRIVATE KEY-----\n-----BEGIN EC PRIVATE KEY-----\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n")

// gossip stands before the servers of a source. It hands requests on until it is told to answer them itself, by telling all
// that it was told.
type gossip struct {
	t      *testing.T
	answer http.HandlerFunc // nil hands requests on
	app    bool             // a GitHub App gets its tokens

	mu      sync.Mutex
	headers []string        // credentials as they came, since forget
	all     strings.Builder // all that was sent, but for these headers
}

const obtained = "ghs_0btained-by-the-App"

// before makes a server that stands before another one.
func (g *gossip) before(target string) string {
	to, err := url.Parse(target)
	require.NoError(g.t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.note(r)
		switch {
		case g.app && strings.HasSuffix(r.URL.Path, "/installation"):
			_, _ = fmt.Fprint(w, `{"id": 1, "permissions": {"contents": "write", "pull_requests": "write", "statuses": "write"}}`)
		case g.app && strings.HasSuffix(r.URL.Path, "/access_tokens"):
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprintf(w, `{"token": %q, "expires_at": %q}`, obtained, time.Now().Add(time.Hour).Format(time.RFC3339))
		case g.answer != nil:
			g.answer(w, r)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	g.t.Cleanup(server.Close)
	return server.URL
}

func (g *gossip) note(r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	assert.NoError(g.t, err)
	r.Body = io.NopCloser(bytes.NewReader(body))
	other := r.Header.Clone()
	other.Del("Authorization")
	_, _ = fmt.Fprintf(&g.all, "%s %s %v\n%s\n", r.Method, r.URL, other, body)
	if _, credentials, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && !slices.Contains(g.headers, credentials) {
		g.headers = append(g.headers, credentials)
	}
}

func (g *gossip) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.headers = nil
}

func (g *gossip) told() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.headers)
}

func (g *gossip) sent() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all.String()
}

// place is where a server shows a secret. It gets a text, and answers with it.
type place struct {
	name   string
	single bool // each form needs an answer of its own
	quotes bool // the answer is JSON, whose text some show as it is
	answer func(text string) http.HandlerFunc
}

// quoted are the forms of credentials as they came in a header.
func quoted(credentials string) map[string]string {
	return map[string]string{"as it came": credentials, "as it came, in JSON": inJSON(credentials, true), "as it came, in a query": url.QueryEscape(credentials)}
}

func body(status int, kind string, wrap func(string) string) func(string) http.HandlerFunc {
	return func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, wrap(text))
		}
	}
}

func header(status int, name string, value func(string) string) func(string) http.HandlerFunc {
	return func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(name, value(text))
			w.WriteHeader(status)
		}
	}
}

// packet is a line of git's protocol, in pieces of what one may hold.
func packets(band, text string) string {
	var b strings.Builder
	const most = 60_000
	for text != "" {
		piece := text[:min(most, len(text))]
		text = text[len(piece):]
		_, _ = fmt.Fprintf(&b, "%04x%s%s", len(band)+len(piece)+4, band, piece)
	}
	return b.String()
}

// sideband lets a fetch come to its pack, and talks in its place.
func sideband(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked := make([]byte, 4096)
		n, _ := r.Body.Read(asked)
		question := string(asked[:n])
		switch {
		case r.Method == http.MethodGet && strings.Contains(r.URL.RawQuery, "upload-pack"):
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			_, _ = fmt.Fprint(w, packets("", "# service=git-upload-pack\n")+"0000"+packets("", "version 2\n")+packets("", "agent=x\n")+packets("", "ls-refs=unborn\n")+packets("", "fetch=shallow filter\n")+packets("", "object-format=sha1\n")+"0000")
		case strings.Contains(question, "ls-refs"):
			w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
			for _, m := range regexp.MustCompile(`ref-prefix (refs/[^\n]*?)(?:\n|[0-9a-f]{4})`).FindAllStringSubmatch(question, -1) {
				_, _ = fmt.Fprint(w, packets("", "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0 "+m[1]+"\n"))
			}
			_, _ = fmt.Fprint(w, "0000")
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "upload-pack"):
			w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
			_, _ = fmt.Fprint(w, packets("", "packfile\n")+packets("\x02", text)+packets("\x02", "\r"+text+"\n")+packets("\x03", text)+"0000")
		default:
			http.Error(w, "no", http.StatusForbidden)
		}
	}
}

func places() []place {
	as := func(s string) string { return s }
	oneLine := func(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }
	message := func(s string) string {
		return inJSON(object{"message": s, "errors": []object{{"message": s, "resource": s, "field": "x", "code": "custom"}}}, true)
	}
	return []place{
		{"a refusal in plain text", true, false, body(http.StatusForbidden, "text/plain", as)},
		{"an error in JSON", false, true, body(http.StatusForbidden, "application/json", message)},
		{"a validation error", false, true, body(http.StatusUnprocessableEntity, "application/json", message)},
		{"a page in HTML", false, false, body(http.StatusForbidden, "text/html", func(s string) string { return "<html><body>" + html.EscapeString(s) + "</body></html>" })},
		{"an answer that is not JSON", false, false, body(http.StatusOK, "application/json", as)},
		{"a value of JSON", false, true, body(http.StatusOK, "application/json", func(s string) string {
			raw, _ := json.Marshal([]object{{"number": 1, "title": s, "head": s, "name": s, "lastRevision": s}})
			return string(raw)
		})},
		{"the type of an answer", true, false, header(http.StatusOK, "Content-Type", oneLine)},
		{"the challenge", true, false, header(http.StatusUnauthorized, "Www-Authenticate", func(s string) string { return `Basic realm="` + oneLine(s) + `"` })},
		{"a redirect's path", true, false, header(http.StatusFound, "Location", func(s string) string { return "/elsewhere/" + url.PathEscape(s) })},
		{"a redirect's query", true, false, header(http.StatusFound, "Location", func(s string) string { return "/elsewhere?token=" + url.QueryEscape(s) })},
		{"a redirect's user", true, false, header(http.StatusFound, "Location", func(s string) string {
			return "ftp://" + url.UserPassword("me", s).String() + "@h/" + marker
		})},
		{"a redirect to no address", true, false, header(http.StatusFound, "Location", func(s string) string { return "http://[" + oneLine(s) })},
		{"an error line of git", false, false, func(text string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				service := r.URL.Query().Get("service")
				w.Header().Set("Content-Type", "application/x-"+service+"-advertisement")
				_, _ = fmt.Fprint(w, packets("", "# service="+service+"\n")+"0000"+packets("ERR ", text))
			}
		}},
		{"a sideband of git", false, false, sideband},
	}
}

// theatre is a stage with secrets and a gossip before each of its servers.
type theatre struct {
	t       *testing.T
	stage   *stage
	gossip  *gossip
	secrets []hidden
	version json.RawMessage
	temp    string // of the program
	got     string // the folder of the last get
	puts    int
}

func newTheatre(t *testing.T, s *stage, app bool) *theatre {
	t.Helper()
	th := &theatre{t: t, stage: s, gossip: &gossip{t: t, app: app}, temp: t.TempDir()}
	servers := map[string]string{}
	s.source = th.behind(s.source, servers).(object)
	th.secrets = dress(t, s.source, sourceSchema(t, s.name), wardrobe(t, app), "source.")
	return th
}

// behind puts a gossip before each server in a value.
func (th *theatre) behind(v any, servers map[string]string) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for key, value := range v {
			out[key] = th.behind(value, servers)
		}
		return out
	case string:
		return regexp.MustCompile(`^http://127\.0\.0\.1:\d+`).ReplaceAllStringFunc(v, func(base string) string {
			if servers[base] == "" {
				servers[base] = th.gossip.before(base)
			}
			return servers[base]
		})
	}
	return v
}

func (th *theatre) run(verb string, source, params object) (status int, shown string) {
	th.t.Helper()
	request, args := object{"source": source}, []string{verb}
	switch verb {
	case "in":
		request["version"] = th.version
		th.got = th.t.TempDir()
		args = append(args, th.got)
	case "out":
		request["params"] = params
		args = append(args, th.stage.dir)
	}
	data, err := json.Marshal(request)
	require.NoError(th.t, err)
	var said, heard bytes.Buffer
	status = resourceTypes()[th.stage.name].run(th.t, concourse.Process{
		Args: args, Stdin: bytes.NewReader(data), Stdout: &said, Stderr: &heard, Env: []string{"NO_COLOR=1", "BUILD_CREATED_BY=ana"},
	})
	if verb == "check" && status == 0 {
		var versions []json.RawMessage
		require.NoError(th.t, json.Unmarshal(said.Bytes(), &versions))
		if len(versions) > 0 {
			th.version = versions[len(versions)-1]
		}
	}
	if verb == "out" && status == 0 {
		var answer struct{ Version json.RawMessage }
		require.NoError(th.t, json.Unmarshal(said.Bytes(), &answer))
		th.version = answer.Version
	}
	return status, said.String() + heard.String()
}

// someVersion has the keys of the versions of all types, of nothing that exists.
const someVersion = `{"commit": "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0", "ref": "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0", "trigger": "1f3c2aa01f3c2aa01f3c2aa01f3c2aa01f3c2aa0",
	"version": "1.0.0", "number": "1.0.0", "pr": "1", "open": "1", "gate": "HEAD", "paths": "sha256:00", "serial": "1", "hashes": "00000000000000000000000000000000"}`

// discreet fails the test when a text shows a secret in a form.
func (th *theatre) discreet(where, shown string, in map[string]string) {
	th.t.Helper()
	for name, form := range in {
		if part := leaked(shown, form); part != "" {
			th.t.Errorf("%s, %s: %q is shown in\n%s", where, name, part, shown[max(0, strings.Index(shown, part)-200):min(len(shown), strings.Index(shown, part)+200)])
		}
	}
}

// No secret of any key of any type is shown in a form that SECURITY.md promises to mask, wherever a server shows it; and none is
// written to a disk, a repository or a pull request.
func TestNoSecretIsShownOrWritten(t *testing.T) {
	heard := &tally{heard: map[string]int{}}
	for name, set := range stages() {
		if strings.Contains(name, " by ") {
			continue // another way to the same servers
		}
		for _, app := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, App %t", name, app), func(t *testing.T) {
				th := newTheatre(t, set(t), app)
				if app && !slices.ContainsFunc(th.secrets, func(h hidden) bool { return strings.HasSuffix(h.key, "app_private_key") }) {
					t.Skip("the type takes no GitHub App")
				}
				heard.count(func() { heard.types++; heard.secrets += len(th.secrets) })
				if !app {
					th.writesNone()
				}
				for _, p := range places() {
					if !app || p.name != "the challenge" { // a new token of an App is tried again after a 401
						th.tell(p, heard)
					}
				}
				th.tellOverSSH(heard)
			})
		}
	}
	for _, name := range []string{
		"a refusal in plain text", "an error in JSON", "a validation error", "the type of an answer", "a redirect's path", "a redirect's query", "an error line of git",
		"a sideband of git", "stderr over SSH",
	} {
		assert.NotZero(t, heard.heard[name], "%s: no type shows what a server says there, so that nothing is tested", name)
	}
	assert.GreaterOrEqual(t, heard.forms, 10_000)
	t.Logf("%d sources with %d secrets, %d forms, %d runs; heard %v", heard.types, heard.secrets, heard.forms, heard.runs, heard.heard)
}

type tally struct {
	mu                          sync.Mutex
	types, secrets, forms, runs int
	heard                       map[string]int // by place
}

func (c *tally) count(add func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add()
}

// tell lets the servers tell all secrets in all forms at a place.
func (th *theatre) tell(p place, heard *tally) {
	th.t.Helper()
	verbs := []string{"check", "in", "out"}
	params := th.params()
	if th.version == nil {
		th.version = json.RawMessage(someVersion)
	}
	all := map[string]string{}
	for _, secret := range th.known() {
		for name, form := range forms(secret.value) {
			all[secret.key+" "+name] = form
		}
	}
	try := func(verb, text string, in map[string]string) {
		th.gossip.forget()
		th.gossip.answer = func(w http.ResponseWriter, r *http.Request) {
			words := []string{text}
			for _, credentials := range th.gossip.told() {
				switch {
				case in == nil:
					words = append(words, credentials)
				case !p.single:
					words = slices.AppendSeq(words, maps.Values(quoted(credentials)))
				}
			}
			p.answer(strings.Join(words, " "))(w, r)
		}
		_, shown := th.run(verb, th.stage.source, params)
		th.discreet(p.name+" in "+verb, shown, in)
		for _, credentials := range th.gossip.told() {
			th.discreet(p.name+" in "+verb+", a header", shown, quoted(credentials))
		}
		heard.count(func() {
			heard.runs++
			heard.forms += len(in) + len(quoted(""))
			if strings.Contains(shown, marker) {
				heard.heard[p.name]++
			}
		})
	}
	if !p.single {
		maps.DeleteFunc(all, func(name, _ string) bool { // the place quotes them once more
			return p.quotes && (strings.Contains(name, "JSON in JSON") || strings.Contains(name, "twice"))
		})
		texts := slices.Collect(maps.Values(all))
		for _, verb := range verbs {
			try(verb, marker+" "+strings.Join(texts, " \n "), all)
		}
		return
	}
	for i, secret := range th.known() {
		value := strings.TrimSpace(secret.value)
		in := map[string]string{"as it is": value, "in Go": fmt.Sprintf("%q", value), "in HTML": html.EscapeString(value)}
		if !strings.Contains(value, "\n") {
			in["basic"] = base64.StdEncoding.EncodeToString([]byte("robot:" + value))
		}
		for name, form := range in {
			try(verbs[i%3], marker+" "+form+" "+marker, map[string]string{secret.key + " " + name: form})
		}
	}
	for _, verb := range verbs {
		try(verb, marker, nil)
	}
	if cut := th.secrets[len(th.secrets)-1]; p.name == places()[0].name {
		for pad := 250; pad < 450; pad += 9 { // wherever a text is cut
			try(verbs[pad%2], marker+strings.Repeat(" x", pad/2)+cut.value, map[string]string{cut.key + " at the cut": cut.value})
		}
	}
}

// params are those of a put that has something to do. One that waits for a cache does so for a moment only.
func (th *theatre) params() object {
	th.puts++
	if th.stage.next != nil {
		params, _ := th.stage.next(th.puts)
		return params
	}
	if th.stage.idle == nil {
		return nil
	}
	return with(th.stage.idle, object{"timeout": "50ms", "interval": "10ms"}, "")
}

// known are the secrets of the source, and those that were obtained with them.
func (th *theatre) known() []hidden {
	if !th.gossip.app {
		return th.secrets
	}
	return append(slices.Clip(th.secrets), hidden{"obtained", obtained})
}

// tellOverSSH lets the command on an SSH server tell all secrets to its stderr.
func (th *theatre) tellOverSSH(heard *tally) {
	th.t.Helper()
	if _, ok := th.stage.source["private_key"]; !ok {
		return
	}
	all := map[string]string{}
	for _, secret := range th.secrets {
		if !strings.HasPrefix(secret.key, "source.password") && !strings.HasPrefix(secret.key, "source.app") { // they exclude an SSH address
			maps.Copy(all, map[string]string{secret.key: secret.value, secret.key + " quoted": fmt.Sprintf("%q", secret.value), secret.key + " base64": base64.StdEncoding.EncodeToString([]byte(secret.value))})
		}
	}
	texts := strings.Join(slices.Collect(maps.Values(all)), " \n ")
	source := maps.Clone(th.stage.source)
	for _, key := range []string{"username", "password", "app_id", "app_private_key"} {
		delete(source, key)
	}
	source["uri"], source["insecure_ignore_host_key"] = "ssh://git@"+talkingSSH(th.t, "permission denied "+marker+" "+texts)+"/acme/mono.git", true
	params := th.params()
	for _, verb := range []string{"check", "in", "out"} {
		_, shown := th.run(verb, source, params)
		th.discreet("stderr over SSH in "+verb, shown, all)
		heard.count(func() {
			heard.runs++
			heard.forms += len(all)
			if strings.Contains(shown, marker) {
				heard.heard["stderr over SSH"]++
			}
		})
	}
}

// talkingSSH is the address of an SSH server that lets everybody in, and whose every command says a text and fails.
func talkingSSH(t *testing.T, text string) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }, //nolint:nilnil // that is how a key is accepted
		BannerCallback:    func(ssh.ConnMetadata) string { return text },
	}
	config.AddHostKey(signer)
	serve := func(c net.Conn) {
		_, channels, requests, err := ssh.NewServerConn(c, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for offered := range channels {
			channel, asked, err := offered.Accept()
			if err != nil {
				return
			}
			for request := range asked {
				_ = request.Reply(true, nil)
				if request.Type == "exec" {
					_, _ = channel.Stderr().Write([]byte(text))
					_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{1}))
					_ = channel.Close()
				}
			}
		}
	}
	return listen(t, func(c net.Conn) { go serve(c) })
}

// writesNone runs the verbs as they should go, and looks for the secrets in all that is shown, written and sent.
func (th *theatre) writesNone() {
	th.t.Helper()
	th.t.Setenv("TMPDIR", th.temp)
	th.gossip.answer = nil
	source := th.stage.source
	shown := ""
	ran := func(verb string, params object) {
		status, said := th.run(verb, source, params)
		require.Zero(th.t, status, "%s: %s", verb, said)
		shown += said
	}
	ran("check", nil)
	if params := th.params(); params != nil {
		params = maps.Clone(params)
		delete(params, "timeout")
		ran("out", params)
	}
	ran("check", nil)
	if th.version != nil {
		ran("in", nil)
	}
	sent := th.gossip.sent()
	kept := ""
	if th.stage.repo != nil {
		var err error
		kept, err = th.stage.repo.Git("cat-file", "--batch-all-objects", "--batch")
		require.NoError(th.t, err)
	}
	for _, secret := range th.secrets {
		in := map[string]string{secret.key: secret.value}
		th.discreet("what is shown", shown, in)
		th.discreet("what is sent", sent, in)
		th.discreet("the repository", kept, in)
		for _, dir := range []string{th.temp, th.stage.dir, th.got} {
			require.NoError(th.t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return err
				}
				text, err := os.ReadFile(path)
				th.discreet(path, string(text), in)
				return err
			}))
		}
	}
}

// The token that a registry's token server gives for the password is not shown either, when the registry repeats it.
func TestTheTokenOfARegistryIsNotShown(t *testing.T) {
	const token = "r3gistry-b34rer-t0ken/+=&"
	var registry *httptest.Server
	registry = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch credentials := r.Header.Get("Authorization"); {
		case r.URL.Path == "/token":
			_, _ = fmt.Fprint(w, inJSON(object{"token": token}, true))
		case credentials == "":
			w.Header().Set("Www-Authenticate", `Bearer realm="`+registry.URL+`/token",service="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.WriteHeader(http.StatusForbidden)
			var all []string
			for _, form := range slices.Sorted(maps.Keys(forms(token))) {
				all = append(all, forms(token)[form])
			}
			_, _ = fmt.Fprint(w, inJSON(object{"errors": []object{{"code": "DENIED", "message": marker + " " + credentials + " " + strings.Join(all, " ")}}}, true))
		}
	}))
	t.Cleanup(registry.Close)
	s := chartStage(t, "push")
	th := &theatre{t: t, stage: s, gossip: &gossip{t: t}}
	s.source["registry"] = object{"username": "robot", "password": "p4ssw0rd-of-the-registry", "insecure": true}
	image := strings.TrimPrefix(registry.URL, "http://") + "/bank:edge"
	status, shown := th.run("out", s.source, object{"images": object{"bank": object{"image": image}}})
	require.Equal(t, 1, status)
	require.Contains(t, shown, marker)
	in := forms(token)
	maps.DeleteFunc(in, func(name, _ string) bool {
		return strings.Contains(name, "JSON in JSON") || strings.Contains(name, "twice")
	})
	th.discreet("an error of the registry", shown, in)
}
