package lineage_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/lineage"
)

func (b *bank) diff(x, y string) (*lineage.Difference, error) {
	b.t.Helper()
	reader := lineage.New(b.options)
	defer func() { assert.NoError(b.t, reader.Close()) }()
	return reader.Difference(b.t.Context(), lineage.Question{}, x, y)
}

// aheadBank has a staging that is a bump ahead of production.
func aheadBank(t *testing.T) (b *bank, before string) {
	t.Helper()
	b = newBank(t)
	b.record("staging", byConcourse("staging"), nil)
	b.record("production", byConcourse("production"), nil)
	before = b.built
	later, err := b.source.RevParse("refs/heads/main")
	require.NoError(t, err)
	b.built = later
	b.digest = "sha256:" + strings.Repeat("0b", 32)
	b.writeChart(b.values())
	b.vendor(b.chart)
	b.commit("feat: new <script> \u202e \x1b]52;c;x\a", map[string]string{"modules/bank/new.tf": "# new\n", "staging/only.yml": "x: 1\n"})
	_, err = b.deployments.Git("remote", "add", "origin", "git@github.com:acme/deployments.git")
	require.NoError(t, err)
	b.record("staging", byConcourse("staging"), nil)
	return b, before
}

func TestWhatOneEnvironmentHasAndAnotherDoesNot(t *testing.T) {
	t.Parallel()
	b, before := aheadBank(t)
	d, err := b.diff("staging", "bank/production")
	require.NoError(t, err)
	assert.Equal(t, "bank/staging", d.Has.Environment)
	assert.Equal(t, []string{"v0.43.0"}, d.Releases)
	require.Len(t, d.Charts, 1)
	assert.Equal(t, b.chart, d.Charts[0].Has.Commit.Hash)
	assert.Equal(t, "https://github.com/acme/charts/compare/"+d.Charts[0].Lacks.Commit.Hash+"..."+b.chart, d.Charts[0].Compare)
	require.Len(t, d.Images, 2)
	assert.Equal(t, b.digest, d.Images[0].Has)
	require.Len(t, d.Sources, 1)
	assert.Equal(t, "https://github.com/acme/bank/compare/"+before+"..."+b.built, d.Sources[0].Compare)
	require.Len(t, d.Sources[0].Commits, 1)
	assert.Equal(t, "feat: loans", d.Sources[0].Commits[0].Message)
	kinds := map[string]cepler.Kind{}
	for _, f := range d.Files {
		kinds[f.Path] = f.Kind
	}
	assert.Equal(t, map[string]cepler.Kind{"modules/bank/new.tf": cepler.Added, vendored + "/values.yaml": cepler.Changed}, kinds)
	assert.Equal(t, lineage.OwnFiles{Has: 2, Lacks: 1}, d.Own)
	assert.Contains(t, d.Compare, "https://github.com/acme/deployments/compare/")

	var text, raw bytes.Buffer
	require.NoError(t, d.TextIn(&text, 100))
	out := strings.NewReplacer(d.Charts[0].Lacks.Commit.Hash, "CHART0", b.chart, "CHART1", before, "SOURCE0", b.built, "SOURCE1", d.Has.Trigger.Hash, "TRIGGER1", d.Lacks.Trigger.Hash, "TRIGGER0",
		b.chart[:7], "CHART1.", d.Charts[0].Lacks.Commit.Short(), "CHART0.", before[:7], "SOURCE0", b.built[:7], "SOURCE1", b.bump[:7], "COMMIT.").Replace(text.String())
	golden(t, "difference.txt", b.timeless([]byte(out)))
	require.NoError(t, d.JSON(&raw))
	var back lineage.Difference
	require.NoError(t, json.Unmarshal(raw.Bytes(), &back))
	assert.Equal(t, d.Files, back.Files)
	assert.Equal(t, "feat: loans", back.Sources[0].Commits[0].Message)
}

// The other way round: production has only what staging replaced.
func TestWhatTheOneBehindHas(t *testing.T) {
	t.Parallel()
	b, _ := aheadBank(t)
	d, err := b.diff("production", "staging")
	require.NoError(t, err)
	require.Len(t, d.Sources, 1)
	assert.Zero(t, d.Sources[0].Total)
	assert.Equal(t, 1, d.Sources[0].Back)
	var text bytes.Buffer
	require.NoError(t, d.TextIn(&text, 100))
	assert.Contains(t, text.String(), "it lacks 1 commit that is there")
	assert.Contains(t, text.String(), "removed modules/bank/new.tf")
}

func TestDifferencesThatAreEmptyOrNotKnown(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	read := func(x, y string) string {
		d, err := b.diff(x, y)
		require.NoError(t, err)
		var text bytes.Buffer
		require.NoError(t, d.TextIn(&text, 100))
		return text.String()
	}
	assert.Contains(t, read("staging", "production"), "bank/staging runs nothing yet.")
	b.record("staging", byConcourse("staging"), nil)
	assert.Contains(t, read("staging", "production"), "added modules/bank/main.tf")
	assert.Contains(t, read("staging", "staging"), "has nothing that bank/staging (#4")
	_, err := b.diff("staging", "qa")
	require.ErrorContains(t, err, "there is no environment qa; there are: bank/production, bank/staging")
	b.commit("feat: shop", map[string]string{"cepler.yml": "deployment: shop\nenvironments: {staging: {latest: [shop/*]}}\n", "shop/f.yml": "x: 1\n"})
	_, err = b.diff("staging", "production")
	require.ErrorContains(t, err, "2 deployments have an environment staging: write DEPLOYMENT/staging")
	b.options.Clones = nil
	out := read("bank/staging", "shop/staging")
	assert.Contains(t, out, "not looked at")
}
