package chartbump_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What lies beside a digest may not lead out of the build either.
func TestFilesBesideADigestStayInTheBuild(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("s3cr3t"), 0o600))
	for _, name := range []string{"tag", "labels.json"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.image(t, "img", digestB, revision2)
			file := filepath.Join(w.dir, "img", name)
			require.NoError(t, os.Remove(file))
			require.NoError(t, os.Symlink(secret, file))
			w.refused(t, w.source(nil), object{"images": object{"lana-bank": "img"}}, "img/"+name, "leaves the build's folder through a symbolic link")
		})
	}
}

// The labels of an image are what its Dockerfile says: any way to write an address.
func TestAddressesOfLabels(t *testing.T) {
	for label, want := range map[string]string{
		"git@github.com:acme/bank.git":           "repository=https://github.com/acme/bank;",
		"https://x:t0k@github.com/acme/bank.git": "repository=https://github.com/acme/bank;",
		"https://github.com/acme/bank/":          "repository=https://github.com/acme/bank;",
		"https://git.example.org/a/b/c.git":      "repository=https://git.example.org/a/b/c;",
	} {
		t.Run(label, func(t *testing.T) {
			w := newWorld(t)
			w.image(t, "img", digestB, revision2)
			labels, err := json.Marshal(map[string]string{"org.opencontainers.image.source": label, "org.opencontainers.image.revision": revision2})
			require.NoError(t, err)
			w.write(t, map[string]string{"img/labels.json": string(labels)})
			a := w.put(t, w.source(nil), object{"images": object{"lana-bank": "img"}})
			require.Zero(t, a.status, a.stderr)
			assert.Contains(t, w.show(t, "bot-bump", "charts/bank/values.yaml"), want)
			assert.NotContains(t, a.stderr, "t0k@")
		})
	}
}

func TestTheImageOfAnotherRepositoryHasItsOwnCommit(t *testing.T) {
	w := newWorld(t)
	code, err := w.git.Create("acme/bank")
	require.NoError(t, err)
	head, err := code.Commit("main", "feat: new", map[string]string{"a": "3"})
	require.NoError(t, err)
	_, err = code.Git("clone", "--quiet", code.Dir, filepath.Join(w.dir, "code"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "code", ".git", "config"), []byte("[core]\n\tbare = false\n[remote \"origin\"]\n\turl = git@github.com:acme/bank.git\n"), 0o644))
	w.image(t, "bank", digestB, head)
	w.image(t, "dw", digestD, revision3)
	a := w.put(t, everything(w), object{"images": object{"lana-bank": "bank", "dagster": "dw"}, "version_file": "version/version", "source_repository": "code"})
	require.Zero(t, a.status, a.stderr)
	got := w.show(t, "bot-bump", "charts/bank/values.yaml")
	assert.Contains(t, got, "repository=https://github.com/acme/bank;commit_ref="+head[:7]+";app=lana-bank;")
	assert.Contains(t, got, "repository=https://github.com/acme/dw;commit_ref=3333333;app=lana-dw;")
}

func TestABotBranchThatIsInTheBaseAlreadyIsFree(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.repo.UpdateRef("refs/heads/bot-bump", w.head(t, "main")))
	_, err := w.pulls.Push("bot-bump", "ana", "own work", map[string]string{"a": "b\n"})
	require.NoError(t, err)
	_, err = w.pulls.Open("bot-bump", "main", "own work", "ana")
	require.NoError(t, err)
	w.image(t, "lana-bank", digestB, revision2)
	w.refused(t, w.source(nil), object{"images": object{"lana-bank": "lana-bank"}}, "there are commits of other people on branch bot-bump")
	_, err = w.pulls.Merge(1, "merge", "ana")
	require.NoError(t, err)
	a := w.bumped(t, w.source(nil), digestB, revision2)
	assert.Equal(t, "2", a.version.PR)
	assert.Equal(t, "1\n", must(w.repo.Git("rev-list", "--count", "main..bot-bump")))
}

func TestCopyLeavesGitsOwnFilesOut(t *testing.T) {
	w := newWorld(t)
	w.image(t, "lana-bank", digestB, revision2)
	w.write(t, map[string]string{"tf/a.tf": "x\n", "tf/module/.git": "gitdir: ../../.git/modules/module\n", "tf/module/b.tf": "y\n"})
	a := w.put(t, w.source(nil), object{"images": object{"lana-bank": "lana-bank"}, "copy": []object{{"from": "tf", "to": "tf/old"}}})
	require.Zero(t, a.status, a.stderr)
	names := must(w.repo.Git("ls-tree", "-r", "--name-only", "bot-bump", "charts/bank/tf"))
	assert.Equal(t, "charts/bank/tf/old/a.tf\ncharts/bank/tf/old/module/b.tf\n", names)
}

func TestSharedValuesAreReadToo(t *testing.T) {
	w := newWorld(t)
	w.commit(t, "shared", map[string]string{"charts/bank/values.yaml": "first: &img {digest: " + digestA + "}\nagain: *img\n"})
	source := w.source(object{"shared_values": true, "images": []object{{"name": "lana-bank", "path": "first.digest"}}})
	source["mode"] = "push"
	for _, key := range []string{"github", "bot_branch", "labels"} {
		delete(source, key)
	}
	a := w.bumped(t, source, digestB, revision2)
	got := w.run(t, "check", "", object{"source": source, "version": nil})
	require.Zero(t, got.status, got.stderr)
	require.Len(t, got.versions, 1)
	assert.Equal(t, a.version, got.versions[0])
}

func TestCopyTurnsFilesAndFolders(t *testing.T) {
	w := newWorld(t)
	w.image(t, "lana-bank", digestB, revision2)
	w.commit(t, "more", map[string]string{"charts/bank/tf/old/sub/x": "1\n"})
	w.write(t, map[string]string{"tf/gone.tf/a": "x\n", "tf/sub": "file\n"})
	a := w.put(t, w.source(nil), object{"images": object{"lana-bank": "lana-bank"}, "copy": []object{{"from": "tf", "to": "tf/old"}}})
	require.Zero(t, a.status, a.stderr)
	names := must(w.repo.Git("ls-tree", "-r", "--name-only", "bot-bump", "charts/bank/tf"))
	assert.Equal(t, "charts/bank/tf/old/gone.tf/a\ncharts/bank/tf/old/sub\n", names)
}

// A candidate that becomes a release is the same image under another tag.
func TestARelabelledImageGetsTheVersion(t *testing.T) {
	w := newWorld(t)
	comment := " # METADATA:: repository=https://github.com/acme/bank;commit_ref=1111111;app=lana-bank;"
	w.commit(t, "a candidate", map[string]string{"charts/bank/values.yaml": "a: v0.42.0-rc.1@" + digestA + comment + "\nb: edge@" + digestA + comment + "\n"})
	w.image(t, "final", digestA, revision3)
	source := w.source(object{"images": []object{{"name": "lana-bank", "path": "a"}, {"name": "b", "path": "b"}}})
	params := object{"images": object{"lana-bank": "final", "b": "final"}, "version_file": "version/version"}
	a := w.put(t, source, params)
	require.Zero(t, a.status, a.stderr)
	assert.Equal(t, "a: v0.42.0@"+digestA+comment+"\nb: edge@"+digestA+comment+"\n", w.show(t, "bot-bump", "charts/bank/values.yaml"))
	assert.Equal(t, "chore(bank): bump to 0.42.0", w.pull(t).Title)
	again := w.put(t, source, params)
	assert.Equal(t, a.version, again.version)
}

func TestHalfOfARegistrysCredentialsIsRefused(t *testing.T) {
	w := newWorld(t)
	w.image(t, "lana-bank", digestB, revision2)
	for _, half := range []object{{"username": "robot"}, {"password": "r3gistry"}} {
		w.refused(t, w.source(object{"registry": half}), object{"images": object{"lana-bank": "lana-bank"}}, "source: registry: username and password are required together")
	}
}

// One changed digit in the cache is a miss: no check answers a commit that does not exist.
func TestAFlippedDigitInTheCacheIsAMiss(t *testing.T) {
	w := newWorld(t)
	head := w.head(t, "main")
	require.Equal(t, commits(head), w.check(t, nil))
	answers, err := filepath.Glob(filepath.Join(os.TempDir(), "taxiway-chart-bump-*", "answer"))
	require.NoError(t, err)
	require.Len(t, answers, 1)
	good, err := os.ReadFile(answers[0])
	require.NoError(t, err)
	at := bytes.Index(good, []byte(head))
	require.Positive(t, at)
	for i := range 40 {
		bad := bytes.Clone(good)
		bad[at+i] ^= 1
		require.NoError(t, os.WriteFile(answers[0], bad, 0o600))
		assert.Equal(t, commits(head), w.warmCheck(t, nil), "digit %d", i)
		again, err := os.ReadFile(answers[0])
		require.NoError(t, err)
		assert.Equal(t, string(good), string(again))
	}
}

func TestHugeFilesAreNotRead(t *testing.T) {
	w := newWorld(t)
	w.image(t, "good", digestB, revision2)
	w.image(t, "huge", digestB, revision2)
	w.write(t, map[string]string{"tf/a": "", "tf/b": ""})
	good := object{"lana-bank": "good"}
	grow := func(name string, size int64) {
		require.NoError(t, os.Truncate(filepath.Join(w.dir, name), size))
	}
	grow("tf/a", 1)
	grow("tf/b", 256<<20)
	w.refused(t, w.source(nil), object{"images": good, "copy": []object{{"from": "tf", "to": "tf"}}}, "params.copy[0].from: with b there are more than 256 MiB to copy")
	for _, name := range []string{"labels.json", "tag", "digest"} {
		grow("huge/"+name, 1<<32)
		w.refused(t, w.source(nil), object{"images": object{"lana-bank": "huge"}}, "read huge/"+name+": it has 4294967296 bytes")
	}
	grow("version/version", 1<<32)
	w.refused(t, w.source(object{"chart_app_version": true}), object{"images": good, "version_file": "version/version"}, "params.version_file: read version/version: it has")
}
