package lineage

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const digits = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// Each notation of an image, with what is to be found.
func TestDigests(t *testing.T) {
	t.Parallel()
	const digest = "sha256:" + digits
	for text, want := range map[string]pinned{
		"image: {repository: r.example/a, digest: \"" + digest + "\"} # c":                                   {1, "image.digest", "r.example/a", digest, "# c", true},
		"\nimage: r.example:5000/a:v1@" + digest + " # c":                                                    {2, "image", "r.example:5000/a", digest, "# c", true},
		"image:\n  registry: r.example/\n  repository: a/b\n  tag: v1@" + digest:                             {4, "image.tag", "r.example/a/b", digest, "", true},
		"- name: x\n  digest: '" + digest + "' # it's # one\r":                                               {2, "[0].digest", "", digest, "# it's # one", true},
		"\"a.b\": {c: [x, '" + digest + "']}":                                                                {1, `"a.b".c[1]`, "", digest, "", true},
		"a: &x " + digest + "# no comment":                                                                   {1, "a", "", digest, "", false},
		"a: &x " + digest + "   # yes\nb: *x":                                                                {1, "a", "", digest, "# yes", true},
		"d: \"" + strings.ToUpper(digest[7:]) + "\"\n---\ne: SHA256:x\nf: sha256:" + strings.ToUpper(digits): {4, "f", "", digest, "", true},
		"d: 'sha256:0a85 # no'   # yes":                                                                      {1, "d", "", "sha256:0a85", "# yes", false},
		"d: 'sha256:'":                                                                                       {1, "d", "", "sha256:", "", false},
		"# the \"first\n\"k\": x # \"\nd: " + digest + " #":                                                  {3, "d", "", digest, "#", true},
	} {
		got, err := digestsOf([]byte(text))
		require.NoError(t, err, text)
		require.Len(t, got, 1, text)
		assert.Equal(t, want, got[0], text)
	}
	for _, text := range []string{"a: 1", "a: |\n  x@" + digest, "? [" + "a]\n: b", "# " + digest} {
		got, err := digestsOf([]byte(text))
		require.NoError(t, err, text)
		assert.Empty(t, got, text)
	}
	_, err := digestsOf([]byte("a: [" + digest))
	require.Error(t, err)
}

func TestAddressesOfOneRepository(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"https://github.com/acme/bank", "https://GitHub.com/acme/bank.git", "git@github.com:acme/bank.git", "ssh://git@github.com/acme/bank/",
		"github.com:acme/bank", " https://token@github.com/acme/bank",
	} {
		assert.Equal(t, "github.com/acme/bank", RepositoryName(address), address)
	}
	assert.Equal(t, "127.0.0.1:8080/acme/bank", RepositoryName("http://127.0.0.1:8080/acme/bank.git"))
	assert.Equal(t, "srv/git/bank", RepositoryName("/srv/git/bank.git"))
	assert.Equal(t, "https://github.com/acme/bank/commit/c0ffee0", CommitPage("git@github.com:acme/bank.git", "c0ffee0"))
	for _, none := range []string{"", "https://git.example/acme/bank", "/srv/github/bank", "javascript:github.com/x"} {
		assert.Empty(t, CommitPage(none, "c0ffee0"), none)
	}
}

func FuzzDigests(f *testing.F) {
	f.Add("image: {repository: r.example/a, digest: \"sha256:" + digits + "\"} # METADATA:: repository=r;commit_ref=c;")
	f.Add("a: &x sha256:" + digits + " # yes\nb: *x\n---\n- 'sha256:1' # \"")
	f.Fuzz(func(t *testing.T, text string) {
		found, err := digestsOf([]byte(text))
		if err != nil {
			return
		}
		lines := strings.Split(text, "\n")
		for _, p := range found {
			if !strings.HasPrefix(p.digest, "sha256:") || p.whole && len(p.digest) != len("sha256:")+digestDigits {
				t.Fatalf("%q is not a digest", p.digest)
			}
			if p.comment != "" && (p.comment[0] != '#' || !strings.Contains(lines[p.line-1], p.comment)) {
				t.Fatalf("%q is not a comment of line %d", p.comment, p.line)
			}
		}
	})
}

// A vendir.yml and its lock may be written by anybody: what they say is a commit, or a broken link in words.
func FuzzVendir(f *testing.F) {
	f.Add([]byte("directories:\n- path: vendor\n  contents:\n  - {path: ., git: {url: x, ref: origin/main}, newRootPath: charts/a}\n"))
	f.Add([]byte("directories:\n- path: ../..\n  contents:\n  - {path: /, git: {sha: 0000, commitTitle: [x]}}\n"))
	f.Add([]byte("directories: [{contents: [{helmChart: {}}, {inline: &x {}}, null]}, null]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		config, err := parseVendir(data)
		if err != nil {
			return
		}
		for _, d := range config.Directories {
			for _, section := range d.Contents {
				content := newContent("ci/vendir.yml", d.Path, section)
				refs, broken := content.candidates()
				if len(refs)+len(broken) == 0 {
					t.Fatalf("nothing is said about %+v", section)
				}
			}
		}
	})
}
