package transport

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // git and OpenSSH use this hash
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// publishedKeys are the host keys that the hosts publish: GitHub's at
// api.github.com/meta, GitLab's and Bitbucket's in their documentation of SSH.
const publishedKeys = `
github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
github.com ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=
github.com ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQCj7ndNxQowgcQnjshcLrqPEiiphnt+VTTvDP6mHBL9j1aNUkY4Ue1gvwnGLVlOhGeYrnZaMgRK6+PKCUXaDbC7qtbW8gIkhL7aGCsOr/C56SJMy/BCZfxd1nWzAOxSDPgVsmerOBYfNqltV9/hWCqBywINIR+5dIg6JTJ72pcEpEjcYgXkE2YEFXV1JHnsKgbLWNlhScqb2UmyRkQyytRLtL+38TGxkxCflmO+5Z8CSSNY7GidjMIZ7Q4zMjA2n1nGrlTDkzwDCsw+wqFPGQA179cnfGWOWRVruj16z6XyvxvjJwbz0wQZ75XK5tKSb7FNyeIEs4TT4jk+S4dhPeAUC5y+bDYirYgM4GC7uEnztnZyaVWQ7B381AK4Qdrwt51ZqExKbQpTUNn+EjqoTwvqNj4kqx5QUCI0ThS/YkOxJCXmPUWZbhjpCg56i+2aB6CmK2JGhn57K5mj0MNdBXA4/WnwH6XoPWJzK5Nyu2zB3nAZp+S5hpQs+p1vN1/wsjk=
gitlab.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf
gitlab.com ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBFSMqzJeV9rUzU4kWitGjeR4PWSa29SPqJ1fVkhtj3Hw9xjLVXVYrU9QlYWrOLXBpQ6KWjbjTDTdDkoohFzgbEY=
gitlab.com ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCsj2bNKTBSpIYDEGk9KxsGh3mySTRgMtXL583qmBpzeQ+jqCMRgBqB98u3z++J1sKlXHWfM9dyhSevkMwSbhoR8XIq/U0tCNyokEi/ueaBMCvbcTHhO7FcwzY92WK4Yt0aGROY5qX2UKSeOvuP4D6TPqKF1onrSzH9bx9XUf2lEdWT/ia1NEKjunUqu1xOB/StKDHMoX4/OKyIzuS0q/T1zOATthvasJFoPrAjkohTyaDUz2LN5JoH839hViyEG82yB+MjcFV5MU3N1l1QL3cVUCh93xSaua1N85qivl+siMkPGbO5xR/En4iEY6K2XPASUEMaieWVNTRCtJ4S8H+9
bitbucket.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIazEu89wgQZ4bqs3d63QSMzYVa0MuJ2e2gKTKqu+UUO
bitbucket.org ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPIQmuzMBuKdWeF4+a2sjSSpBK0iqitSQ+5BM9KhpexuGt20JpTVM7u5BDZngncgrqDMbWdxMWWOGtZ9UgbqgZE=
bitbucket.org ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDQeJzhupRu0u0cdegZIa8e86EG2qOCsIsD1Xw0xSeiPDlCr7kq97NLmMbpKTX6Esc30NuoqEEHCuc7yWtwp8dI76EEEB1VqY9QJq6vk+aySyboD5QF61I/1WeTwu+deCbgKMGbUijeXhtfbxSxm6JwGrXrhBdofTsbKRUsrN1WoNgUa8uqN1Vx6WAJw1JHPhglEGGHea6QICwJOAr/6mrui/oB7pkaWKHj3z7d1IC4KWLtY47elvjbaTlkN04Kc/5LFEirorGYVbt15kAUlqGM65pk6ZBxtaO3+30LVlORZkxOh+LKL/BvbZ/iRNhItLqNyieoQj/uh/7Iv4uyH/cV/0b4WDSd3DptigWq84lJubb9t/DnZlrJazxyDCulTmKdOR7vs9gMTo+uoIrPSb8ScTtvw65+odKAlBj59dhnVp9zd7QUojOpXlL62Aw56U4oO+FALuevvMjiWeavKhJqlR7i5n9srYcrNV7ttmDw7kf/97P5zauIhxcjX+xHv4M=
`

// knownHost is one line of a known_hosts file, see sshd(8).
type knownHost struct {
	marker   string // @revoked, @cert-authority or ""
	patterns []string
	key      ssh.PublicKey
}

func parseKnownHosts(text string) ([]knownHost, error) {
	var hosts []knownHost
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		marker, names, key, _, _, err := ssh.ParseKnownHosts([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("known_hosts: line %d is not of the form: host key-type base64-key: %w", n+1, err)
		}
		if marker != "" {
			marker = "@" + marker
		}
		hosts = append(hosts, knownHost{marker, names, key})
	}
	if len(hosts) == 0 {
		return nil, errors.New("known_hosts: it has no key; it must have lines of the form: host key-type base64-key")
	}
	return hosts, nil
}

// matches reports whether the line is about an address.
func (k knownHost) matches(host, port string) bool {
	name := strings.ToLower(host)
	if port != "" && port != "22" {
		name = "[" + name + "]:" + port
	}
	found := false
	for _, p := range k.patterns {
		p, not := strings.CutPrefix(p, "!")
		if !matchesHost(p, name) {
			continue
		}
		if not {
			return false
		}
		found = true
	}
	return found
}

func matchesHost(pattern, name string) bool {
	if strings.HasPrefix(pattern, "|1|") {
		return matchesHashed(pattern, name)
	}
	pattern = strings.ToLower(pattern)
	if pattern == name {
		return true
	}
	if !strings.ContainsAny(pattern, "*?") {
		return false
	}
	// Brackets are part of addresses here, not of the pattern.
	ok, err := path.Match(strings.NewReplacer("[", `\[`, "]", `\]`).Replace(pattern), name)
	return ok && err == nil
}

func matchesHashed(pattern, name string) bool {
	parts := strings.Split(pattern, "|")
	if len(parts) != 4 {
		return false
	}
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	want, err := base64.StdEncoding.DecodeString(parts[3])
	if err != nil {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return hmac.Equal(mac.Sum(nil), want)
}

// trust decides about the key of one host.
type trust struct {
	host, port string
	given      bool // known_hosts is set
	lines      []knownHost
}

func newTrust(knownHosts string, e *Address) (*trust, error) {
	t := &trust{host: e.host, port: e.port, given: knownHosts != ""}
	if !t.given {
		knownHosts = publishedKeys
	}
	all, err := parseKnownHosts(knownHosts)
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		if k.matches(e.host, e.port) {
			t.lines = append(t.lines, k)
		}
	}
	return t, nil
}

// algorithms makes the server show a key of a kind that is known. Without that
// a server with several keys may show one that is not.
func (t *trust) algorithms() []string {
	var all []string
	add := func(names ...string) {
		for _, name := range names {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	for _, k := range t.lines {
		switch {
		case k.marker == "@revoked":
		case k.marker == "@cert-authority":
			return nil // any kind of certificate
		case k.key.Type() == ssh.KeyAlgoRSA:
			add(ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		default:
			add(k.key.Type())
		}
	}
	return all
}

// hostKeyError is ErrHostKey with the key that was shown.
type hostKeyError struct{ text string }

// Error says what to do.
func (e *hostKeyError) Error() string { return object.ErrHostKey.Error() + ": " + e.text }

// Is makes it an ErrHostKey.
func (e *hostKeyError) Is(target error) bool { return target == object.ErrHostKey }

func (t *trust) check(address string, remote net.Addr, key ssh.PublicKey) error {
	for _, k := range t.lines {
		if k.marker == "@revoked" && bytes.Equal(k.key.Marshal(), key.Marshal()) {
			return &hostKeyError{fmt.Sprintf("%s shows a key that is marked as revoked: %s", t.host, ssh.FingerprintSHA256(key))}
		}
	}
	if certificate, ok := key.(*ssh.Certificate); ok {
		return t.checkCertificate(address, remote, certificate)
	}
	for _, k := range t.lines {
		if k.marker == "" && bytes.Equal(k.key.Marshal(), key.Marshal()) {
			return nil
		}
	}
	return &hostKeyError{t.describe(key)}
}

func (t *trust) checkCertificate(address string, remote net.Addr, certificate *ssh.Certificate) error {
	checker := ssh.CertChecker{IsHostAuthority: func(authority ssh.PublicKey, _ string) bool {
		return slices.ContainsFunc(t.lines, func(k knownHost) bool {
			return k.marker == "@cert-authority" && bytes.Equal(k.key.Marshal(), authority.Marshal())
		})
	}}
	if err := checker.CheckHostKey(address, remote, certificate); err != nil {
		return &hostKeyError{fmt.Sprintf("the certificate of %s: %v", t.host, err)}
	}
	return nil
}

// describe says what was shown and how to trust it.
func (t *trust) describe(key ssh.PublicKey) string {
	name := t.host
	if t.port != "" && t.port != "22" {
		name = "[" + t.host + "]:" + t.port
	}
	line := name + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	shown := fmt.Sprintf("%s shows the key %s (%s)", name, ssh.FingerprintSHA256(key), key.Type())
	switch {
	case len(t.lines) > 0 && t.given:
		return shown + ", which is not one of those in known_hosts for it: either the server has a new key, or somebody is in between. " +
			"Compare it with what the server's owner publishes before you change known_hosts to:\n" + line
	case len(t.lines) > 0:
		return shown + ", which is not one of those that it publishes: somebody may be in between. " +
			"If the owner has published a new key, set known_hosts to:\n" + line
	case t.given:
		return shown + ", and known_hosts has no line for it. Compare it with what the server's owner publishes, then add to known_hosts:\n" + line
	}
	return shown + ", and known_hosts is not set. Compare it with what the server's owner publishes, then set known_hosts to:\n" + line
}

// refused finds the reason in an error of the handshake: a key that check did
// not like, or none of a kind that is known.
func (t *trust) refused(err error) error {
	var e *hostKeyError
	if errors.As(err, &e) {
		return e
	}
	var negotiation *ssh.AlgorithmNegotiationError
	if errors.As(err, &negotiation) && len(t.lines) > 0 {
		return &hostKeyError{fmt.Sprintf("%s has no key of a kind that known_hosts has for it (%s); it offers %s",
			t.host, strings.Join(t.algorithms(), ", "), strings.Join(negotiation.SupportedAlgorithms, ", "))}
	}
	return nil
}
