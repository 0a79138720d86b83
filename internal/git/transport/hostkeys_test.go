package transport

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

func TestPublishedKeysHaveThePublishedFingerprints(t *testing.T) {
	hosts, err := parseKnownHosts(publishedKeys)
	require.NoError(t, err)
	got := map[string]string{}
	for _, h := range hosts {
		require.Len(t, h.patterns, 1)
		got[h.patterns[0]+" "+h.key.Type()] = ssh.FingerprintSHA256(h.key)
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

func TestKnownHostsPatterns(t *testing.T) {
	key, err := gittest.NewKey("ed25519", "")
	require.NoError(t, err)
	const hashed = "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg=" // of 192.168.1.61
	for _, c := range []struct {
		pattern, host, port string
		want                bool
	}{
		{"git.example.com", "git.example.com", "", true},
		{"git.example.com", "GIT.example.com", "22", true},
		{"git.example.com", "git.example.com", "2222", false},
		{"[git.example.com]:2222", "git.example.com", "2222", true},
		{"*.example.com", "git.example.com", "", true},
		{"*.example.com,!git.example.com", "git.example.com", "", false},
		{"a,git.example.com", "git.example.com", "", true},
		{"example.com", "git.example.com", "", false},
		{hashed, "192.168.1.61", "", true},
		{hashed, "192.168.1.62", "", false},
	} {
		hosts, err := parseKnownHosts(c.pattern + " " + key.Authorised)
		require.NoError(t, err)
		assert.Equal(t, c.want, hosts[0].matches(c.host, c.port), "%s against %s:%s", c.pattern, c.host, c.port)
	}
}
