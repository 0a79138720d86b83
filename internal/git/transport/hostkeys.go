package transport

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

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

// KnownHosts are the hosts whose keys are known without any known_hosts.
func KnownHosts() []string {
	var hosts []string
	for line := range strings.Lines(strings.TrimSpace(publishedKeys)) {
		if host, _, _ := strings.Cut(line, " "); !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// checkedHosts is a known_hosts text, see sshd(8), with host names in lower case and with an empty
// line for each line whose kind of key is not known here; skipped are the numbers and kinds of those.
// A line that is not valid is an error.
func checkedHosts(text string) (lines, skipped []string, err error) {
	keys := 0
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			lines = append(lines, "")
			continue
		}
		_, _, _, _, _, err := ssh.ParseKnownHosts([]byte(line)) //nolint:dogsled // only the verdict counts
		if kind := otherKind(line); err != nil && kind != "" {
			skipped = append(skipped, fmt.Sprintf("line %d (%s)", n+1, kind))
			lines = append(lines, "")
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("known_hosts: line %d is not of the form HOST KEY-TYPE BASE64-KEY; ssh-keyscan HOST prints such lines", n+1)
		}
		keys++
		lines = append(lines, lowerHosts(line))
	}
	if keys == 0 && len(skipped) == 0 {
		return nil, nil, errors.New("known_hosts: it has no key; it must have lines of the form: host key-type base64-key")
	}
	return lines, skipped, nil
}

// otherKind is the kind of key of a line that is well-formed: the key begins with the length and the
// name of its kind. It is "" for any other line.
func otherKind(line string) string {
	fields := strings.Fields(line)
	if strings.HasPrefix(line, "@") {
		fields = fields[1:]
	}
	if len(fields) < 3 {
		return ""
	}
	key, err := base64.StdEncoding.DecodeString(fields[2])
	const length = 4 // bytes
	name := fields[1]
	if err != nil || len(key) < length || uint64(binary.BigEndian.Uint32(key)) != uint64(len(name)) || !bytes.HasPrefix(key[length:], []byte(name)) {
		return ""
	}
	return name
}

// lowerHosts writes the host names of a line in lower case. Hashes of names stay as they are.
func lowerHosts(line string) string {
	fields := strings.Fields(line)
	at := 0
	if strings.HasPrefix(line, "@") {
		at = 1
	}
	if !strings.HasPrefix(fields[at], "|") {
		fields[at] = strings.ToLower(fields[at])
	}
	return strings.Join(fields, " ")
}

// trust decides about the key of one host.
type trust struct {
	name       string // as known_hosts writes it
	address    string // with a port
	given      bool   // known_hosts is set
	check      ssh.HostKeyCallback
	algorithms []string // of the keys that are known for the host; nil for any
	known      bool     // known_hosts has a key for the host
}

// newTrust reads known_hosts, or the published keys. logf gets a warning for lines that are skipped.
func newTrust(text string, e *Address, logf func(string, ...any)) (*trust, error) {
	t := &trust{address: strings.ToLower(e.dialAddress("22")), given: text != ""}
	t.name = knownhosts.Normalize(t.address)
	if !t.given {
		text = publishedKeys
	}
	lines, skipped, err := checkedHosts(text)
	if err != nil {
		return nil, err
	}
	if len(skipped) > 0 {
		logf("warning: known_hosts: skipped, as this program does not know the kind of key: %s", strings.Join(skipped, ", "))
	}
	known, err := readHosts(lines)
	if err != nil {
		return nil, err
	}
	t.check = func(_ string, remote net.Addr, key ssh.PublicKey) error {
		return t.judge(known(t.address, remote, key), key)
	}
	t.learn(known, lines)
	return t, nil
}

// readHosts hands the lines to the library, which reads files only.
func readHosts(lines []string) (ssh.HostKeyCallback, error) {
	file, err := os.CreateTemp("", "known_hosts-")
	if err != nil {
		return nil, fmt.Errorf("known_hosts: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // it holds no secret
	_, err = file.WriteString(strings.Join(lines, "\n") + "\n")
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("known_hosts: %w", err)
	}
	known, err := knownhosts.New(file.Name())
	if err != nil {
		text := strings.TrimPrefix(err.Error(), "knownhosts: "+file.Name()+":")
		return nil, errors.New("known_hosts: line " + text)
	}
	return known, nil
}

// noKey is not the key of any host.
type noKey struct{}

// Type is not the type of any key.
func (noKey) Type() string { return "none" }

// Marshal is not the form of any key.
func (noKey) Marshal() []byte { return []byte("none") }

// Verify accepts nothing.
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("not a key") }

// learn finds the kinds of keys that are known for the host. The handshake offers only those, because
// a server with several keys might otherwise present an unknown one.
func (t *trust) learn(known ssh.HostKeyCallback, lines []string) {
	var unknown *knownhosts.KeyError
	if !errors.As(known(t.address, &net.TCPAddr{}, noKey{}), &unknown) {
		return
	}
	t.known = len(unknown.Want) > 0
	for _, k := range unknown.Want {
		names := []string{k.Key.Type()}
		switch {
		case strings.HasPrefix(lines[k.Line-1], "@cert-authority"):
			t.algorithms = nil // any kind of certificate
			return
		case k.Key.Type() == ssh.KeyAlgoRSA:
			names = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
		}
		for _, name := range names {
			if !slices.Contains(t.algorithms, name) {
				t.algorithms = append(t.algorithms, name)
			}
		}
	}
}

// hostKeyError is ErrHostKey with the key that was shown.
type hostKeyError struct{ text string }

// Error says what to do.
func (e *hostKeyError) Error() string { return object.ErrHostKey.Error() + ": " + e.text }

// Is makes it an ErrHostKey.
func (e *hostKeyError) Is(target error) bool { return target == object.ErrHostKey }

// judge turns the library's verdict about a key into an error for people.
func (t *trust) judge(err error, key ssh.PublicKey) error {
	var unknown *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &revoked):
		return &hostKeyError{fmt.Sprintf("%s shows a key that is marked as revoked: %s", t.name, ssh.FingerprintSHA256(key))}
	case errors.As(err, &unknown):
		return &hostKeyError{t.describe(key)}
	}
	return &hostKeyError{fmt.Sprintf("the key or certificate of %s: %v", t.name, err)}
}

// describe says which key was shown and how to trust it.
func (t *trust) describe(key ssh.PublicKey) string {
	line := knownhosts.Line([]string{t.address}, key)
	shown := fmt.Sprintf("%s shows the key %s (%s)", t.name, ssh.FingerprintSHA256(key), key.Type())
	switch {
	case t.known && t.given:
		return shown + ", which is not one of those in known_hosts for it: either the server has a new key, or somebody is in between. " +
			"Compare it with what the server's owner publishes before you change known_hosts to:\n" + line
	case t.known:
		return shown + ", which is not one of those that it publishes: somebody may be in between. " +
			"If the owner has published a new key, set known_hosts to:\n" + line
	case t.given:
		return shown + ", and known_hosts has no line for it. Compare it with what the server's owner publishes, then add to known_hosts:\n" + line
	}
	return shown + ", and known_hosts is not set. Compare it with what the server's owner publishes, then set known_hosts to:\n" + line
}

// refused finds the reason in an error of the handshake: a key that is not accepted, or no key of
// a kind that is known.
func (t *trust) refused(err error) error {
	var e *hostKeyError
	if errors.As(err, &e) {
		return e
	}
	var negotiation *ssh.AlgorithmNegotiationError
	if errors.As(err, &negotiation) && t.known {
		return &hostKeyError{fmt.Sprintf("%s has no key of a kind that known_hosts has for it (%s); it offers %s",
			t.name, strings.Join(t.algorithms, ", "), strings.Join(negotiation.SupportedAlgorithms, ", "))}
	}
	return nil
}
