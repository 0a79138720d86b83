package lineage_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

// with spoils the chart's values before staging deploys them.
func (b *bank) with(spoil func(values string) string) lineage.Environment {
	b.t.Helper()
	b.writeChart(spoil(b.values()))
	b.vendor(b.chart)
	b.record("staging", byConcourse("staging"), nil)
	return b.trace("staging").Environments[0]
}

const valuesAt = vendored + "/values.yaml"

func TestMetadataIsMissing(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	e := b.with(func(values string) string {
		before, after, _ := strings.Cut(values, " # METADATA")
		_, after, _ = strings.Cut(after, "\n")
		return before + "\n" + after
	})
	assert.Equal(t, []string{"metadata: " + valuesAt + ":5 bank.image.digest: there is no METADATA comment beside the digest"}, broken(e))
	images := e.Runs.Charts[0].Images
	assert.Nil(t, images[0].Source, "nothing is guessed, although the other image has the same digest")
	assert.NotNil(t, images[1].Source)

	// the image itself knows
	b.labelled()
	image := b.trace("staging").Environments[0].Runs.Charts[0].Images[0]
	require.NotNil(t, image.Source)
	assert.Equal(t, lineage.ByLabels, image.Source.By)
	assert.Equal(t, b.built, image.Source.Commit.Hash)
	assert.Len(t, image.Broken, 1)
}

func TestMetadataIsBroken(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(string) string{
		"broken METADATA comment: it has no commit_ref": func(v string) string { return strings.Replace(v, "commit_ref", "commit-ref", 1) },
		"broken METADATA comment: it has app twice":     func(v string) string { return strings.Replace(v, "app=bank;", "app=bank;app=shop;", 1) },
		"no branch or tag of":                           func(v string) string { return strings.Replace(v, "commit_ref=", "commit_ref=0", 1) },
		`"main" is not a commit`:                        func(v string) string { return strings.Replace(v, "commit_ref=", "commit_ref=main;was=", 1) },
		"several digests: which one": func(v string) string {
			return "x: [sha256:" + strings.Repeat("a", 64) + ", 'sha256:" + strings.Repeat("b", 64) + "'] # METADATA:: repository=r;commit_ref=c0ffee0;\n" + v
		},
	} {
		e := newBank(t).with(spoil)
		require.NotEmpty(t, broken(e), want)
		assert.Contains(t, broken(e)[0], want)
	}
}

func TestTheDigestIsUnknown(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.labelled()
	b.digest = "sha256:" + strings.Repeat("0123abcd", 8)
	e := b.with(func(v string) string { return v })
	require.Len(t, broken(e), 2)
	assert.Equal(t, "registry: "+valuesAt+":5 bank.image.digest: the registry has no image with this digest: sha256:0123abcd0123 of "+imageName, broken(e)[0])
	image := e.Runs.Charts[0].Images[0]
	assert.Nil(t, image.Labels)
	assert.Equal(t, lineage.ByMetadata, image.Source.By, "the comment still says it")
}

func TestTheDigestIsNone(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.labelled()
	b.digest = "sha256:0a858023"
	e := b.with(func(v string) string { return v })
	require.Len(t, broken(e), 2)
	assert.Contains(t, broken(e)[0], `"sha256:0a858023" is not a digest: that has 64 hexadecimal digits`)
}

func TestTheLabelsSayOtherwise(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.labelled()
	other := strings.Repeat("9", 40)
	for want, labels := range map[string]map[string]string{
		"the image's label says 9999999: one of them is wrong":                                                     {"org.opencontainers.image.revision": other},
		"the image's label says https://github.com/acme/shop: one of them is wrong":                                {"org.opencontainers.image.revision": b.built, "org.opencontainers.image.source": "https://github.com/acme/shop"},
		"registry: " + valuesAt + ":5 bank.image.digest: the image has no label org.opencontainers.image.revision": {"other": "label"},
	} {
		b.digest = b.push(labels)
		e := b.with(func(v string) string { return v })
		require.Len(t, broken(e), 2, want)
		assert.Contains(t, broken(e)[0], want)
		if strings.Contains(want, "wrong") {
			assert.Nil(t, e.Runs.Charts[0].Images[0].Source)
		}
	}
}

// offline is a registry that cannot be reached.
type offline struct{}

func (offline) Labels(context.Context, string, string) (lineage.Labels, error) {
	return lineage.Labels{}, errors.New("ask the registry about it: no route to host")
}

func TestTheRegistryIsNotThere(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.options.Labels = offline{}
	e := b.with(func(v string) string { return strings.Replace(v, "    repository: "+imageName+"\n", "", 1) })
	require.Len(t, broken(e), 2)
	assert.Contains(t, broken(e)[0], "does not say the image's repository beside the digest")
	assert.Contains(t, broken(e)[1], "no route to host")
}

func TestWhoRecorded(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.record("staging", byCepler("staging"), nil)
	e := b.trace("staging").Environments[0]
	assert.Equal(t, lineage.NoBuild, e.Recorder)
	assert.Empty(t, broken(e), "the link is whole; only the build is not known")
	assert.NotEmpty(t, e.Runs.Charts[0].Images[0].Source.Releases, "the rest of the chain is whole")

	b.record("staging", "fix: the state by hand", func(s string) string { return strings.Replace(s, "version: 4", "version: 5", 1) })
	e = b.trace("staging").Environments[0]
	assert.Equal(t, lineage.Somebody, e.Recorder)
	require.Len(t, broken(e), 1)
	assert.Contains(t, broken(e)[0], "fix: the state by hand) changed it last and is not a record of a deployment")
}

func TestTheRecordIsDirty(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	values, err := b.deployments.RevParse("main:" + valuesAt)
	require.NoError(t, err)
	terraform, err := b.deployments.RevParse("main:modules/bank/main.tf")
	require.NoError(t, err)
	b.record("staging", byConcourse("staging"), func(s string) string {
		s = strings.Replace(s, "  files:", "  any_dirty: true\n  files:", 1)
		s = strings.Replace(s, values+"\n", strings.Repeat("5", 40)+"\n      dirty: true\n", 1)
		return strings.Replace(s, terraform+"\n", "~\n      dirty: true\n", 1)
	})
	e := b.trace("staging").Environments[0]
	all := strings.Join(broken(e), "\n")
	assert.Contains(t, all, "files: modules/bank/main.tf: the file was not there when the state was deployed")
	assert.Contains(t, all, "files: "+valuesAt+": the record is dirty: a file with content 5555555 was deployed that git does not have there")
	assert.Contains(t, all, "image: "+valuesAt+": git does not have the content 5555555 that was deployed: its images are not known")
	assert.Contains(t, all, "chart: "+vendored+": its files are those of no single commit that is here, so no vendir.yml says where they came from")
	assert.Empty(t, e.Runs.Charts[0].Images)
	assert.Nil(t, e.Runs.Charts[0].Vendored)
}

func TestTheVendoredFilesAreNotTheChart(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	files := b.files(b.chart)
	files[valuesAt] += "edited: by hand\n"
	files[vendored+"/mine.yaml"] = "x: 1\n"
	delete(files, vendored+"/templates/pod.yaml")
	_, err := b.deployments.Delete("main", "chore: less", vendored+"/templates/pod.yaml")
	require.NoError(t, err)
	b.commit("chore: by hand", files)
	b.record("staging", byConcourse("staging"), nil)
	e := b.trace("staging").Environments[0]
	require.Len(t, broken(e), 1)
	assert.Equal(t, "chart: "+vendored+": the vendored files are not those of commit "+b.chart[:7]+": mine.yaml (is not there), templates/pod.yaml (was not copied), values.yaml", broken(e)[0])
	assert.False(t, e.Runs.Charts[0].Vendored.Verified)
}

func TestVendirDoesNotSayTheCommit(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("ab", 20)
	for want, spoil := range map[string]func(b *bank, files map[string]string){
		`its ref "origin/main" is not a commit, and no vendir.lock.yml says which one was synced`: func(b *bank, files map[string]string) {
			files["vendir.yml"] = strings.Replace(files["vendir.yml"], b.chart, "origin/main", 1)
			files["vendir.lock.yml"] = "apiVersion: vendir.k14s.io/v1alpha1\n"
		},
		"vendir.yml asks for abababa, and the lock says that": func(b *bank, files map[string]string) {
			files["vendir.yml"] = strings.Replace(files["vendir.yml"], b.chart, other, 1)
		},
		"is filled from helmChart, which names no commit": func(_ *bank, files map[string]string) {
			files["vendir.yml"] = "directories: [{path: modules/bank/vendor/bank, contents: [{path: chart, helmChart: {name: bank, version: 1.0.0}}]}]\n"
		},
		"chart: vendir.yml: it does not parse": func(_ *bank, files map[string]string) { files["vendir.yml"] = "a: [\n" },
		"chart: vendir.lock.yml: it does not parse": func(_ *bank, files map[string]string) {
			files["vendir.lock.yml"] = "a: [\n"
		},
		"commit abababa is not there": func(b *bank, files map[string]string) {
			files["vendir.yml"] = strings.Replace(files["vendir.yml"], b.chart, other, 1)
			files["vendir.lock.yml"] = strings.Replace(files["vendir.lock.yml"], b.chart, other, 1)
		},
		"chart: " + vendored + "/Chart.yaml: it does not parse":         func(_ *bank, files map[string]string) { files[vendored+"/Chart.yaml"] = "a: [\n" },
		"image: " + valuesAt + ": it holds a digest and does not parse": func(_ *bank, files map[string]string) { files[valuesAt] = "a: [sha256:\n" },
	} {
		b := newBank(t)
		files := b.files(b.chart)
		spoil(b, files)
		b.commit("chore: spoilt\n", files)
		// the files changed last together with vendir.yml
		b.commit("chore: and again", map[string]string{vendored + "/templates/pod.yaml": "again\n"})
		b.record("staging", byConcourse("staging"), nil)
		assert.Contains(t, strings.Join(broken(b.trace("staging").Environments[0]), "\n"), want)
	}
}

// A ref that moves is no fault where the lock says what was synced.
func TestTheLockNamesTheCommit(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	files := b.files(b.chart)
	files["vendir.yml"] = strings.Replace(files["vendir.yml"], b.chart, "origin/main", 1)
	files[vendored+"/new.txt"] = "x"
	b.commit("chore: sync", files)
	_, err := b.charts.Commit("main", "feat: more", map[string]string{"charts/bank/new.txt": "x"})
	require.NoError(t, err)
	b.options.Clones = nil
	b.record("staging", byConcourse("staging"), nil)
	v := b.trace("staging").Environments[0].Runs.Charts[0].Vendored
	assert.Equal(t, b.chart, v.Commit.Hash)
	assert.Equal(t, "origin/main", v.Ref)
}

func TestTheSourceCommitIsInNoRelease(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	head, err := b.source.Commit("main", "feat: not released", map[string]string{"new.go": "package main\n"})
	require.NoError(t, err)
	b.built = head
	e := b.with(func(v string) string { return v })
	require.Len(t, broken(e), 2)
	assert.Contains(t, broken(e)[0], "release: "+valuesAt+":5 bank.image.digest: no release of "+sourceAddress+" has commit "+head[:7])

	// the first release that has a commit without one of its own
	first, err := b.source.RevParse("0.42.0^{commit}^")
	require.NoError(t, err)
	b.built = first
	e = b.with(func(v string) string { return v })
	assert.Empty(t, broken(e))
	assert.Equal(t, "0.42.0", e.Runs.Charts[0].Images[0].Source.ReleasedIn)
	assert.Empty(t, e.Runs.Charts[0].Images[0].Source.Releases)
}

func TestACloneCannotBeRead(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.options.Clones[sourceAddress+".git"] = t.TempDir()
	e := b.with(func(v string) string { return v })
	require.Len(t, broken(e), 2)
	assert.Contains(t, broken(e)[0], "source: "+valuesAt+":5 bank.image.digest: it cannot be read")
}

func TestHistoryWasRewritten(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.record("staging", byConcourse("staging"), func(s string) string {
		return strings.ReplaceAll(s, b.bump, strings.Repeat("7", 40))
	})
	e := b.trace("staging").Environments[0]
	all := strings.Join(broken(e), "\n")
	assert.Contains(t, all, "it was deployed from commit 7777777, which the repository does not have: its history was rewritten")
	assert.Empty(t, e.Change)
}

// A damaged state breaks its own environment only.
func TestAStateIsDamaged(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.record("staging", byConcourse("staging"), nil)
	b.record("production", byConcourse("production"), func(string) string { return "version: many\n" })
	rows := b.trace().Environments
	assert.Empty(t, broken(rows[0]))
	require.Len(t, broken(rows[1]), 1)
	assert.Contains(t, broken(rows[1])[0], "record: bank/production: ")
	assert.Contains(t, broken(rows[1])[0], "production.state:1: version: want a whole number")
}

// A gate that leads nowhere keeps only the answer about what comes next back.
func TestAGateLeadsNowhere(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.record("staging", byConcourse("staging"), nil)
	_, err := b.deployments.Commit("cepler-gates", "gates", map[string]string{"bank.yml": "staging: nowhere\nproduction: HEAD\n"})
	require.NoError(t, err)
	e := b.trace("staging").Environments[0]
	require.Len(t, broken(e), 1)
	assert.Contains(t, broken(e)[0], "what comes next cannot be said: gate of staging")
	assert.NotEmpty(t, e.Runs.Charts)
}

// An address is as good as a clone, and only what is needed is fetched.
func TestClonesMayBeAddresses(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	server := served(t)
	for address, from := range map[string]string{sourceAddress: b.source.Dir, chartsAddress: b.charts.Dir} {
		r, err := server.Create(strings.TrimSuffix(address[strings.LastIndex(address, "/")+1:], ".git"))
		require.NoError(t, err)
		_, err = r.Git("fetch", "--quiet", from, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
		require.NoError(t, err)
		b.options.Clones[address] = r.URL()
	}
	delete(b.options.Clones, sourceAddress+".git")
	delete(b.options.Clones, "ssh://git@github.com/acme/charts")
	b.record("staging", byConcourse("staging"), nil)
	e := b.trace("staging").Environments[0]
	assert.Empty(t, broken(e))
	assert.True(t, e.Runs.Charts[0].Vendored.Verified)
	assert.Equal(t, "0.42.0", e.Runs.Charts[0].Images[0].Source.Releases[0])
}

// The end of a shallow clone is not taken for the record.
func TestTheCloneIsShallow(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.record("staging", byConcourse("staging"), nil)
	b.commit("chore: elsewhere", map[string]string{"README.md": "x"})
	shallow := t.TempDir()
	_, err := b.deployments.Git("clone", "--quiet", "--bare", "--depth=1", "file://"+b.deployments.Dir, shallow)
	require.NoError(t, err)
	b.options.Deployments = shallow
	e := b.trace("staging").Environments[0]
	assert.EqualValues(t, 4, e.Version)
	assert.Zero(t, e.Since)
	assert.Empty(t, e.Record)
	all := strings.Join(broken(e), "\n")
	assert.Contains(t, all, "staging.state: the clone is shallow and ends before the record: when and by whom it was recorded is not known")
	assert.Contains(t, all, "its files are those of no single commit that is here")
}

// An index has its labels in the images it lists, and notes beside them.
func TestAnImageForSeveralPlatforms(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	b.labelled()
	note, err := mutate.Config(empty.Image, v1.Config{Labels: map[string]string{"org.opencontainers.image.revision": strings.Repeat("9", 40)}})
	require.NoError(t, err)
	image, err := mutate.Config(empty.Image, v1.Config{Labels: map[string]string{"org.opencontainers.image.revision": b.built}})
	require.NoError(t, err)
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: note, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}},
		mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
	ref, err := name.ParseReference(b.registry + "/acme/bank:latest")
	require.NoError(t, err)
	require.NoError(t, remote.WriteIndex(ref, index))
	digest, err := index.Digest()
	require.NoError(t, err)
	b.digest = digest.String()
	e := b.with(func(v string) string { return v })
	assert.Empty(t, broken(e))
	assert.Equal(t, b.built, e.Runs.Charts[0].Images[0].Labels.Revision)

	index = mutate.RemoveManifests(index, func(d v1.Descriptor) bool { return d.Platform.OS == "linux" })
	require.NoError(t, remote.WriteIndex(ref, index))
	digest, err = index.Digest()
	require.NoError(t, err)
	b.digest = digest.String()
	e = b.with(func(v string) string { return v })
	require.Len(t, broken(e), 2)
	assert.Contains(t, broken(e)[0], "no label org.opencontainers.image.revision")

	index, ok := mutate.Annotations(index, map[string]string{"org.opencontainers.image.revision": b.built}).(v1.ImageIndex)
	require.True(t, ok)
	require.NoError(t, remote.WriteIndex(ref, index))
	digest, err = index.Digest()
	require.NoError(t, err)
	b.digest = digest.String()
	e = b.with(func(v string) string { return v })
	assert.Empty(t, broken(e), "annotations of an index are labels, as in chart-bump")
}

// A name that is none is told, and the registry is asked once only.
func TestWhatTheRegistryIsAsked(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	asked := &counting{revision: b.built}
	b.options.Labels = asked
	e := b.with(func(v string) string { return v })
	assert.Empty(t, broken(e))
	assert.Equal(t, 1, asked.times, "for two images with one digest")
	b.labelled()
	e = b.with(func(v string) string { return strings.Replace(v, imageName+"\n", "Not/A Name\n", 1) })
	require.Len(t, broken(e), 1)
	assert.Contains(t, broken(e)[0], "image Not/A Name@sha256:")
}

type counting struct {
	revision string
	times    int
}

func (c *counting) Labels(context.Context, string, string) (lineage.Labels, error) {
	c.times++
	return lineage.Labels{Revision: c.revision}, nil
}

// A short commit that several have is not one of them.
func TestAShortCommitMeansSeveral(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	const many = 600
	i := b.source.Import()
	commits := make([]*gittest.Commit, many)
	for n := range commits {
		commits[n] = i.Commit("main", fmt.Sprintf("chore: %d", n)).Write("n", strconv.Itoa(n))
	}
	require.NoError(t, i.Done())
	first, twice := map[string]bool{}, ""
	for _, c := range commits {
		if prefix := c.Hash()[:4]; first[prefix] {
			twice = prefix
		} else {
			first[prefix] = true
		}
	}
	require.NotEmpty(t, twice, "of 600 commits two begin alike")
	b.built = twice
	e := b.with(func(v string) string { return v })
	require.Len(t, broken(e), 2)
	assert.Contains(t, broken(e)[0], "commits that begin with "+twice)
	assert.Equal(t, twice, e.Runs.Charts[0].Images[0].Source.Commit.Hash, "as it is written down")
}

func TestTheCopyCannotBeCompared(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	files := b.files(b.chart)
	files["vendir.yml"] = strings.Replace(files["vendir.yml"], "newRootPath: charts/bank", "newRootPath: charts/other", 1)
	files[vendored+"/new.txt"] = "x"
	b.commit("chore: sync", files)
	b.record("staging", byConcourse("staging"), nil)
	e := b.trace("staging").Environments[0]
	require.Len(t, broken(e), 1)
	assert.Contains(t, broken(e)[0], "chart: vendir.yml: the vendored files cannot be compared with those of commit "+b.chart[:7])
	assert.Contains(t, broken(e)[0], "has no folder charts/other")
}
