package transport

import (
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

func TestPublishedKeysHaveThePublishedFingerprints(t *testing.T) {
	lines, skipped, err := checkedHosts(publishedKeys)
	require.NoError(t, err)
	assert.Empty(t, skipped)
	got := map[string]string{}
	for _, line := range lines {
		if line == "" {
			continue
		}
		_, hosts, key, _, _, err := ssh.ParseKnownHosts([]byte(line))
		require.NoError(t, err)
		require.Len(t, hosts, 1)
		got[hosts[0]+" "+key.Type()] = ssh.FingerprintSHA256(key)
	}
	assert.Equal(t, map[string]string{
		"github.com ssh-ed25519":            "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
		"github.com ecdsa-sha2-nistp256":    "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
		"github.com ssh-rsa":                "SHA256:uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s",
		"gitlab.com ssh-ed25519":            "SHA256:eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
		"gitlab.com ecdsa-sha2-nistp256":    "SHA256:HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw",
		"gitlab.com ssh-rsa":                "SHA256:ROQFvPThGrW4RuWLoL9tq9I9zJ42fK4XywyRtbOz/EQ",
		"bitbucket.org ssh-ed25519":         "SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
		"bitbucket.org ecdsa-sha2-nistp256": "SHA256:FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
		"bitbucket.org ssh-rsa":             "SHA256:46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E",
	}, got)
}

// verdict is what known_hosts says about a key that a host shows.
func verdict(t *testing.T, text, uri string, key ssh.PublicKey) (warned []string, err error) {
	t.Helper()
	e, err := ParseAddress(uri)
	require.NoError(t, err)
	trust, err := newTrust(text, e, func(format string, args ...any) { warned = append(warned, fmt.Sprintf(format, args...)) })
	require.NoError(t, err)
	return warned, trust.check("", &net.TCPAddr{}, key)
}

func newKey(tb testing.TB) (line string, key ssh.PublicKey) {
	tb.Helper()
	made, err := gittest.NewKey("ed25519", "")
	require.NoError(tb, err)
	key, _, _, _, err = ssh.ParseAuthorizedKey([]byte(made.Authorised)) //nolint:dogsled // only the key counts
	require.NoError(tb, err)
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), key
}

func TestKnownHostsPatterns(t *testing.T) {
	line, key := newKey(t)
	const hashed = "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg=" // of 192.168.1.61
	for _, c := range []struct {
		pattern, host string
		want          bool
	}{
		{"git.example.com", "git.example.com", true},
		{"git.example.com", "GIT.example.com:22", true},
		{"GIT.example.com", "git.example.com", true},
		{"git.example.com", "git.example.com:2222", false},
		{"[git.example.com]:2222", "git.example.com:2222", true},
		{"*.example.com", "git.example.com", true},
		{"*.example.com,!git.example.com", "git.example.com", false},
		{"a,git.example.com", "git.example.com", true},
		{"example.com", "git.example.com", false},
		{hashed, "192.168.1.61", true},
		{hashed, "192.168.1.62", false},
		{"::1", "[::1]", true},
		{"[::1]:2222", "[::1]:2222", true},
	} {
		warned, err := verdict(t, c.pattern+" "+line, "ssh://git@"+c.host+"/o/r", key)
		assert.Equal(t, c.want, err == nil, "%s against %s: %v", c.pattern, c.host, err)
		assert.Empty(t, warned)
	}
}

// One line with a kind of key that this program does not know takes no other line away.
func TestALineWithAnUnknownKindOfKeyIsSkipped(t *testing.T) {
	line, key := newKey(t)
	const kind = "ssh-mldsa-65@openssh.com"
	other := base64.StdEncoding.EncodeToString([]byte("\x00\x00\x00" + string(rune(len(kind))) + kind + "the key"))
	text := "h.example.com " + kind + " " + other + "\n# a comment\nh.example.com " + line
	warned, err := verdict(t, text, "git@h.example.com:o/r", key)
	require.NoError(t, err)
	assert.Equal(t, []string{"warning: known_hosts: skipped, as this program does not know the kind of key: line 1 (" + kind + ")"}, warned)

	_, err = verdict(t, "h.example.com "+kind+" "+other, "git@h.example.com:o/r", key)
	require.ErrorContains(t, err, "and known_hosts has no line for it")
	for _, broken := range []string{"h.example.com " + kind + " " + other[:8], "h.example.com other " + other, "h.example.com " + kind, "@revoked"} {
		_, _, err := checkedHosts(broken + "\nh.example.com " + line)
		require.ErrorContains(t, err, "known_hosts: line 1 is not of the form", broken)
	}
	_, err = newTrust("[h.example.com "+line, &Address{Scheme: "ssh", host: "h.example.com"}, t.Logf)
	require.ErrorContains(t, err, "known_hosts: line 1: ")
	assert.NotContains(t, err.Error(), "known_hosts-", "the name of the temporary file")
}

func TestAnotherKeyOfTheHostIsRefused(t *testing.T) {
	line, _ := newKey(t)
	shown, key := newKey(t)
	_, err := verdict(t, "h "+line, "git@h:o/r", key)
	require.ErrorContains(t, err, "somebody is in between")
	require.ErrorContains(t, err, "\nh "+shown)
	_, err = verdict(t, "@revoked h "+shown+"\nh "+line, "git@h:o/r", key)
	require.ErrorContains(t, err, "marked as revoked")
}

// Whatever known_hosts holds: it is refused as a whole, or no key is trusted that it does not hold.
func FuzzKnownHosts(f *testing.F) {
	_, key := newKey(f)
	published := strings.Split(publishedKeys, "\n")[1]
	f.Add(publishedKeys)
	f.Add("|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= " + published)
	f.Add("@cert-authority *.example.com,!git.example.com " + strings.TrimPrefix(published, "github.com "))
	f.Add("@revoked * ssh-dss AAAAB3NzaC1kc3MAAAA=\n[::1]:22 x")
	f.Add("h ssh-new AAAAB3NzaC1uZXc=")
	f.Add("[ ssh-ed25519 AAAA")
	f.Add("@ @")
	f.Fuzz(func(t *testing.T, text string) {
		e := &Address{Scheme: "ssh", host: "git.example.com", Path: "o/r"}
		trust, err := newTrust(text, e, t.Logf)
		if err != nil {
			assert.ErrorContains(t, err, "known_hosts: ")
			return
		}
		var refused *hostKeyError
		require.ErrorAs(t, trust.check("", &net.TCPAddr{}, key), &refused, "a key that is not in the text is trusted")
	})
}
