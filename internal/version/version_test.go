package version_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/version"
)

func TestParse(t *testing.T) {
	for _, text := range []string{
		"1.2.3", "0.0.0", "1.2.3-rc.1", "1.2.3-0", "1.2.3--", "1.2.3-a.b-c.0d", "1.2.3+001", "1.2.3-rc.1+ci.7", "1.0.0+-",
		"9223372036854775806.0.0",
	} {
		assert.Equal(t, text, parse(t, text).String())
	}
	for _, text := range []string{"1.2.3\n", "\r\n 1.2.3\r\n", "\t1.2.3 \n\n", "1.2.3\r\n"} {
		assert.Equal(t, "1.2.3", parse(t, text).String(), "%q", text)
	}
}

func TestParseSaysWhatToWrite(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "write three numbers, as in 1.2.3",
		" \r\n":                      "write three numbers",
		"v1.2.3":                     "write 1.2.3, a prefix belongs only into tags",
		"V1.2.3-rc.1":                "write 1.2.3-rc.1",
		"1.2":                        "it needs three numbers, as in 1.2.0",
		"7":                          "it needs three numbers, as in 7.0.0",
		"1.2.3\n1.2.4":               "it has several lines",
		"1.2.3\r\n\r\n1.2.3":         "it has several lines",
		"1.2.3.4":                    "write three numbers",
		"1.2.x":                      `"x" is not a number`,
		"1. 2.3":                     `" 2" is not a number`,
		"1.-2.3":                     "write three numbers",
		"01.2.3":                     `"01" begins with a zero`,
		"1.2.3-":                     `the pre-release "" may have only`,
		"1.2.3-rc..1":                `the pre-release "" may have only`,
		"1.2.3-01":                   "the pre-release number 01 begins with a zero",
		"1.2.3-rc_1":                 `the pre-release "rc_1"`,
		"1.2.3+":                     `the build ""`,
		"1.2.3+a+b":                  `the build "a+b"`,
		"9223372036854775807.0.0":    "is too large",
		"1.0.0-99999999999999999999": "is too large",
		"1.0.0-9223372036854775807":  "is too large",
		"latest":                     "write three numbers, as in 1.2.3",
		"No conventional commits for your repository that required a bump. Changelogs will be updated": `"No conventional commits for your repository that required a "…`,
	} {
		_, err := version.Parse(text)
		require.ErrorIs(t, err, version.ErrInvalid, "%q", text)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "\n")
	}
}

// The order is the one of semver.org, item 11, with its own example.
func TestCompare(t *testing.T) {
	order := []string{
		"0.0.0-0", "0.0.0", "0.9.10", "1.0.0-0.3.7", "1.0.0-2", "1.0.0-11", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
		"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.1.0", "1.10.0", "2.0.0",
	}
	for i, a := range order {
		for j, b := range order {
			got := parse(t, a).Compare(parse(t, b))
			switch {
			case i < j:
				assert.Negative(t, got, "%s %s", a, b)
			case i > j:
				assert.Positive(t, got, "%s %s", a, b)
			default:
				assert.Zero(t, got, "%s %s", a, b)
			}
		}
	}
	assert.Zero(t, parse(t, "1.0.0+a").Compare(parse(t, "1.0.0+b")))
}

func TestFinal(t *testing.T) {
	v := parse(t, "1.2.3-rc.4+ci.5")
	assert.False(t, v.IsFinal())
	assert.Equal(t, "1.2.3", v.Final().String())
	assert.True(t, v.Final().IsFinal())
	assert.Equal(t, "v1.2.3-rc.4+ci.5", v.Tag("v"))
}

func TestTags(t *testing.T) {
	for _, c := range []struct{ name, prefix, want string }{
		{"1.2.3", "", "1.2.3"},
		{"v1.2.3", "", "1.2.3"},
		{"v1.2.3-rc.1", "v", "1.2.3-rc.1"},
		{"1.2.3", "v", ""},
		{"api/v1.2.3", "api/v", "1.2.3"},
		{"api/v1.2.3", "", ""},
		{"api-1.2.3", "api-", "1.2.3"},
		{"vv1.2.3", "", ""},
		{"v1.2", "", ""},
		{"v1.2.3 ", "", ""},
		{"latest", "", ""},
		{"release-2026", "", ""},
		{"", "", ""},
	} {
		v, ok := version.ParseTag(c.name, c.prefix)
		assert.Equal(t, c.want != "", ok, "%q %q", c.name, c.prefix)
		if ok {
			assert.Equal(t, c.want, v.String())
			assert.Equal(t, c.name, v.Tag(strings.TrimSuffix(c.name, c.want)))
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range slices.Concat(bumped(), []string{"", "v1.2.3", "1.2", "1.2.3\r\n", "1.2.3\n1.2.4", "1.2.3-", "1.2.3+", "01.2.3"}) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := version.Parse(text)
		if err != nil {
			require.ErrorIs(t, err, version.ErrInvalid)
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.Equal(t, strings.TrimSpace(text), v.String())
		require.Zero(t, v.Compare(parse(t, v.String())))
		require.LessOrEqual(t, v.Compare(v.Final()), 0)
		fromTag, ok := version.ParseTag("v"+v.String(), "")
		require.True(t, ok)
		require.Equal(t, v, fromTag)
	})
}
