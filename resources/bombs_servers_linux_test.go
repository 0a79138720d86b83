package resources_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/standin/nixcache"
)

// mebibytes is a text again and again, up to so many MiB.
func mebibytes(n int, text string) string { return strings.Repeat(text, n<<20/len(text)-1) }

// many is a JSON list of as many values as fit into so many MiB.
func many(n int, value string) string {
	return "[" + strings.TrimSuffix(mebibytes(n, value+","), ",") + "]"
}

// says is an answer that is the same each time.
func says(text string) func(w io.Writer) {
	return func(w io.Writer) { _, _ = io.WriteString(w, text) }
}

// zipped compresses what is written; net/http unpacks it by itself.
func zipped(write func(w io.Writer)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		write(z)
		_ = z.Close()
	}
}

// handled is a server that answers as the handler does.
func handled(key string, handle http.HandlerFunc) func(t *testing.T) object {
	return func(t *testing.T) object {
		t.Helper()
		s := httptest.NewServer(handle)
		t.Cleanup(s.Close)
		return object{key: s.URL}
	}
}

// wideBombs are lists that are small for their bytes and large in memory, where each value becomes an object of many fields.
func wideBombs() map[string]bomb {
	const asJSON = "application/json"
	forge := object{"repository": "acme/x", "access_token": "t", "uri": "http://127.0.0.1:9/x.git"}
	builds := []met{{program: "pull-request-builds", verb: "check", source: forge}}
	bodies := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", asJSON)
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, r.Host, r.URL.Path, 2))
		_, _ = io.WriteString(w, `[{"number": 1, "state": "open", "head": {"sha": "`+someCommit+`"}, "title": "`+mebibytes(8, "word ")+`"}]`)
	}
	pins := []met{{program: "cachix-paths", verb: "check", source: object{"cache": "acme", "pins": []string{"web"}}}}
	api := func(list string) func(t *testing.T) object {
		return func(t *testing.T) object {
			t.Helper()
			s := httptest.NewUnstartedServer(nil)
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if path.Base(r.URL.Path) == "acme" {
					_, _ = fmt.Fprintf(w, `{"uri": "http://%s/", "publicSigningKeys": []}`, r.Host)
					return
				}
				_, _ = io.WriteString(w, list)
			})
			s.Start()
			t.Cleanup(s.Close)
			return object{"api_url": s.URL}
		}
	}
	return map[string]bomb{
		"five million pull requests":     {answers("api_url", asJSON, says(many(15, "{}"))), builds, "it has more than 250000 values"},
		"pages of large pull requests":   {handled("api_url", bodies), builds, "the list has more than 33554432 bytes"},
		"an answer of the forge, zipped": {handled("api_url", zipped(func(w io.Writer) { endless(w, " ") })), builds, "the server's answer is too large"},
		"five million pins":              {api(many(15, "{}")), pins, "it has more than 250000 values"},
		"five million lacking paths":     {api(many(15, `""`)), []met{waits(nixcache.PathOf("x"), object{"cache": "acme"})}, "it has more than 250000 values"},
	}
}

// waits is a put that waits for a list of paths.
func waits(list string, source object) met {
	return met{
		program: "cachix-paths", verb: "out", source: source, files: map[string]string{"list": list + "\n"},
		rest: object{"params": object{"paths_file": "list", "closure": true, "verify": "nar", "timeout": "10m", "interval": "1s"}},
	}
}

// narinfo is one of the size of a path, with what it refers to.
func narinfo(storePath string, references ...string) string {
	return "StorePath: " + storePath + "\nURL: nar/x.nar\nCompression: none\nNarHash: sha256:" + strings.Repeat("0", 52) + "\nNarSize: 1\nReferences: " + strings.Join(references, " ") + "\n"
}

// base is a name in the store that stands for a number.
func base(n int) string {
	const letters = "0123456789abcdfghijklmnpqrsvwxyz"
	hash := []byte(strings.Repeat("0", 32))
	for i := 31; n > 0; i-- {
		hash[i], n = letters[n%32], n/32
	}
	return string(hash) + "-x"
}

// number is what a base stands for.
func number(hash string) int {
	n := 0
	for _, c := range hash {
		n = n*32 + strings.IndexRune("0123456789abcdfghijklmnpqrsvwxyz", c)
	}
	return n
}

func cacheBombs() map[string]bomb {
	var hundred strings.Builder
	for i := range 200 {
		hundred.WriteString("/nix/store/" + base(i) + "\n")
	}
	cache := func(refer func(n int) []string, nar func(w io.Writer)) func(t *testing.T) object {
		return handled("url", func(w http.ResponseWriter, r *http.Request) {
			name := path.Base(r.URL.Path)
			hash, isInfo := strings.CutSuffix(name, ".narinfo")
			switch {
			case isInfo:
				n := number(hash)
				_, _ = io.WriteString(w, narinfo("/nix/store/"+base(n), refer(n)...))
			case nar != nil:
				nar(w)
			}
		})
	}
	large := make([]string, 0, 4<<20/36)
	for i := range cap(large) {
		large = append(large, base(i))
	}
	none := func(int) []string { return nil }
	one := waits("/nix/store/"+base(0), object{})
	nar := one
	nar.fine = true
	return map[string]bomb{
		"a closure without end": {cache(func(n int) []string {
			var more []string
			for i := range 1000 {
				more = append(more, base(n*1000+i+1))
			}
			return more
		}, nil), []met{one}, "more than 48 MiB of text"},
		"narinfos of 4 MB each": {cache(func(int) []string { return large[:4<<20/36] }, nil), []met{waits(hundred.String(), object{})}, "more than 48 MiB of text"},
		"a NAR without end":     {cache(none, func(w io.Writer) { endless(w, "x") }), []met{nar}, ""},
		"a zipped NAR without end": {handled("url", func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, ".narinfo") {
				_, _ = io.WriteString(w, narinfo("/nix/store/"+base(0)))
				return
			}
			zipped(func(w io.Writer) { endless(w, "x") })(w, r)
		}), []met{nar}, ""},
		"a zipped narinfo without end": {handled("url", zipped(func(w io.Writer) { endless(w, "StorePath: x\n") })), []met{one}, "is larger than 4096 KiB"},
	}
}

// textBombs are files of a repository in YAML and TOML: deep, wide, long, and full of aliases.
func textBombs() map[string]bomb {
	const vendir = "apiVersion: vendir.k14s.io/v1alpha1\nkind: Config\ndirectories:\n- path: vendor\n  contents:\n  - {path: ., git: {url: x, ref: old}, includePaths: [chart/**/*], newRootPath: chart}\n"
	repository := func(file, text string) func(t *testing.T) object {
		files := map[string]string{
			"cepler.yml": "deployment: bank\nenvironments: {dev: {latest: [chart/*]}}\n", "gates.yml": "dev: HEAD\n", "vendir.yml": vendir,
			"chart/Chart.yaml": "name: a\nversion: 1.0.0\n", "chart/values.yaml": "a: " + oldDigest + "\n", "cog.toml": "", "cliff.toml": "", "version": "1.2.3\n",
		}
		files[file] = text
		return committed(files)
	}
	config := []met{{program: "cepler-in", verb: "check", source: object{"environment": "dev"}}, {program: "cepler-board", verb: "out"}}
	gates := []met{{program: "cepler-in", verb: "check", source: object{"environment": "dev", "gates_file": "gates.yml", "gates_branch": "main"}}}
	chart := []met{{
		program: "chart-bump", verb: "out", source: chartKeys(), files: map[string]string{"image/digest": newDigest, "image/labels.json": `{"org.opencontainers.image.source": "https://example.com/a", "org.opencontainers.image.revision": "` + someCommit + `"}`},
		rest: object{"params": object{"images": object{"a": object{"digest_file": "image/digest"}}}},
	}}
	bump := []met{{program: "vendir-bump", verb: "out", source: object{"directory": "vendor"}, rest: object{"params": object{"repository": "repo"}}, clone: true}}
	conventional := func(key, file string) []met {
		rest := object{"params": object{"bump": "conventional", "repository": "repo"}}
		return []met{{program: "semver-git", verb: "out", source: object{"file": "version", key: file}, rest: rest, clone: true}}
	}
	all := map[string]bomb{}
	for _, f := range []struct {
		name   string
		runs   []met
		prefix string // of a list or mapping in it
	}{
		{"cepler.yml", config, "environments: "},
		{"gates.yml", gates, "dev: "},
		{"vendir.yml", bump, vendir + "a: "},
		{"vendir.lock.yml", bump, "a: "},
		{"chart/Chart.yaml", bump, "dependencies: "},
		{"chart/values.yaml", chart, "a: "},
		{"cog.toml", conventional("cog_toml", "cog.toml"), "a = "},
		{"cliff.toml", conventional("cliff_toml", "cliff.toml"), "a = "},
	} {
		all["a wide "+f.name] = bomb{repository(f.name, f.prefix+"["+strings.Repeat("1,", 500_000)+"1]\n"), f.runs, path.Base(f.name)}
		all["a deep "+f.name] = bomb{repository(f.name, f.prefix+deep("[")), f.runs, path.Base(f.name)}
		all["a long "+f.name] = bomb{repository(f.name, f.prefix+"'"+mebibytes(9, "word ")+"'\n"), f.runs, path.Base(f.name)}
		if !strings.HasSuffix(f.name, ".toml") {
			all["aliases in "+f.name] = bomb{repository(f.name, laughs("b")+strings.Replace(f.prefix, "\n- path: vendor\n", " *a9\nx:\n- path: vendor\n", 1)+"*a9\n"), f.runs, path.Base(f.name)}
		}
	}
	return all
}

// sshBombs are SSH servers.
func sshBombs() map[string]bomb {
	program := func(misbehaves func(c ssh.Channel)) func(t *testing.T) object {
		return func(t *testing.T) object {
			t.Helper()
			host, err := gittest.NewKey("ed25519", "")
			require.NoError(t, err)
			signer, err := ssh.ParsePrivateKey([]byte(host.Private))
			require.NoError(t, err)
			config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return &ssh.Permissions{}, nil }}
			config.AddHostKey(signer)
			return overSSH(t, func(c net.Conn) {
				_, channels, requests, err := ssh.NewServerConn(c, config)
				if err != nil {
					return
				}
				go ssh.DiscardRequests(requests)
				for asked := range channels {
					channel, requests, err := asked.Accept()
					if err != nil {
						return
					}
					for r := range requests {
						_ = r.Reply(true, nil)
						if r.Type == "exec" {
							go ssh.DiscardRequests(requests)
							misbehaves(channel)
						}
					}
				}
			})
		}
	}
	raw := func(talk func(c net.Conn)) func(t *testing.T) object {
		return func(t *testing.T) object { t.Helper(); return overSSH(t, talk) }
	}
	ref := packet(someCommit + " refs/heads/x" + strings.Repeat("y", 900) + "\n")
	return map[string]bomb{
		"lines without end before SSH":  {raw(func(c net.Conn) { endless(c, "welcome\r\n") }), gitReaders(), "overflow reading version string"},
		"a line without end before SSH": {raw(func(c net.Conn) { endless(c, "welcome ") }), gitReaders()[:1], "overflow reading version string"},
		"messages without end before the keys": {raw(func(c net.Conn) {
			_, _ = io.WriteString(c, "SSH-2.0-x\r\n")
			endless(c, "\x00\x00\x00\x0c\x06\x02\x00\x00\x00\x01x123456") // ignored ones
		}), gitReaders()[:1], "open an SSH connection"},
		"a packet of 4 GB": {raw(func(c net.Conn) {
			_, _ = io.WriteString(c, "SSH-2.0-x\r\n")
			endless(c, "\xff")
		}), gitReaders()[:1], "packet too large"},
		"refs without end over SSH":   {program(func(c ssh.Channel) { endless(c, ref) }), gitReaders(), "besides git objects"},
		"errors without end over SSH": {program(func(c ssh.Channel) { endless(c.Stderr(), "no ") }), gitReaders(), "the server's program writes more than 33554432 bytes of messages"},
	}
}

// overSSH is a server that answers each connection so, and the source that leads there.
func overSSH(t *testing.T, answer func(c net.Conn)) object {
	t.Helper()
	key, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	address := listen(t, func(c net.Conn) {
		go func() {
			defer func() { _ = c.Close() }()
			answer(c)
		}()
	})
	return object{"uri": "ssh://git@" + address + "/acme/x.git", "branch": "main", "private_key": key.Private, "insecure_ignore_host_key": true}
}
