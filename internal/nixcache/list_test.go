package nixcache_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/nixcache"
)

const (
	pathA = "/nix/store/12wigjpizrn8axaqxj288q1b751qmwya-a"
	pathB = "/nix/store/m5gl096fdzlmvp69v4iqgikbjnsz9ai9-b"
	baseA = "12wigjpizrn8axaqxj288q1b751qmwya-a"
)

func TestParseList(t *testing.T) {
	for name, c := range map[string]struct {
		list string
		want []string
	}{
		"empty":                    {"", nil},
		"white space":              {" \n\t\r\n", nil},
		"one":                      {pathA + "\n", []string{pathA}},
		"no newline at the end":    {pathA + "\n" + pathB, []string{pathA, pathB}},
		"blank lines, indentation": {"\n\n  " + pathA + "  \n\n" + pathB + "\n\n", []string{pathA, pathB}},
		"CRLF":                     {pathA + "\r\n" + pathB + "\r\n", []string{pathA, pathB}},
		"duplicates":               {pathB + "\n" + pathA + "\n" + pathB + "\n", []string{pathB, pathA}},
		"comments":                 {"# built today\n" + pathA + "\n#" + pathB, []string{pathA}},
		"byte order mark":          {"\ufeff" + pathA, []string{pathA}},
		"build --json":             {`[{"drvPath":"/nix/store/x.drv","outputs":{"out":"` + pathB + `","dev":"` + pathA + `"}}]`, []string{pathA, pathB}},
		"build --json, several":    {`[{"outputs":{"out":"` + pathB + `"},"startTime":1},` + "\n" + `"` + pathA + `"]`, []string{pathB, pathA}},
		"path-info, old":           {`[{"path":"` + pathA + `","narSize":1},{"path":"` + pathB + `","valid":false}]`, []string{pathA, pathB}},
		"path-info, new":           {` {"` + pathB + `":null,"` + pathA + `":{"narSize":1}}`, []string{pathA, pathB}},
		"path-info, format 2":      {`{"version":2,"storeDir":"/nix/store","info":{"` + baseA + `":{"narSize":1}}}`, []string{pathA}},
		"empty array":              {"[]", nil},
		"empty object":             {"{}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := nixcache.ParseList([]byte(c.list))
			require.NoError(t, err)
			var texts []string
			for _, p := range got {
				texts = append(texts, p.String())
			}
			assert.Equal(t, c.want, texts)
		})
	}
}

func TestParseListRefuses(t *testing.T) {
	for want, list := range map[string]string{
		`line 2: "hello" is not a store path`:               pathA + "\nhello\n",
		`line 3: "/nix/store/x" is not a store path`:        "\n" + pathA + "\n/nix/store/x",
		"is a derivation, which caches do not need to hold": pathA + ".drv\n",
		`line 1: "` + pathA + `.drv^out" names outputs`:     pathA + ".drv^out\n",
		`names outputs, whose paths it does not tell: list the outputs themselves (nix build --dry-run --json "` + pathA + `.drv^*" prints them)`: pathA + ".drv^out,dev",
		"is a file in a store path: list the path itself":                            pathA + "/bin/a\n",
		"error: builder failed":                                                      "error: builder failed\n",
		"it starts like JSON, but is not valid JSON":                                 "[" + pathA,
		"entry 1 of the JSON: is neither of":                                         "[1]",
		"entry 2 of the JSON: has neither a path":                                    `["` + pathA + `", {}]`,
		"the path of output out of /nix/store/x.drv is not known before it is built": `[{"drvPath":"/nix/store/x.drv","outputs":{"out":null}}]`,
		"entry 1 of the JSON: output out: ":                                          `[{"outputs":{"out":"x"}}]`,
		`a key of the JSON: "x" is not a store path`:                                 `{"x":{}}`,
		"the JSON is about another store":                                            `{"info":{},"storeDir":"/gnu/store"}`,
		"\"info\" in the JSON":                                                       `{"info":[],"storeDir":"/nix/store"}`,
	} {
		_, err := nixcache.ParseList([]byte(list))
		require.Error(t, err, list)
		assert.Contains(t, err.Error(), want)
	}
	_, err := nixcache.ParseList([]byte(strings.Repeat("x\n", 100)))
	require.Error(t, err)
	assert.Equal(t, 5, strings.Count(err.Error(), "line "), "five bad lines say enough")
}

func TestHugeLists(t *testing.T) {
	garbage := make([]byte, 1<<20)
	for i := range garbage {
		garbage[i] = byte(i*i>>9 ^ i)
	}
	for _, list := range [][]byte{garbage, bytes.Repeat([]byte("a"), 1<<20), append([]byte("["), garbage...), bytes.Repeat([]byte("["), 1<<20), bytes.Repeat([]byte("{\"info\":"), 1<<17)} {
		_, err := nixcache.ParseList(list)
		require.Error(t, err)
		assert.Less(t, len(err.Error()), 5000)
	}
	const lines = 200_000
	var b bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&b, "/nix/store/%032d-path-%d\n", i%(lines/2), i%(lines/2))
	}
	paths, err := nixcache.ParseList(b.Bytes())
	require.NoError(t, err)
	assert.Len(t, paths, lines/2)
	b.WriteString("and one that is none")
	_, err = nixcache.ParseList(b.Bytes())
	require.ErrorContains(t, err, "line 200001: ")
}

func TestListsOfNix(t *testing.T) {
	for file, n := range map[string]int{"testdata/path-info.json": 3, "testdata/dry-run.json": 1} {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		paths, err := nixcache.ParseList(data)
		require.NoError(t, err)
		assert.Len(t, paths, n, file)
	}
}

func TestWordsForPeople(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		assert.Equal(t, want, nixcache.Count(n))
	}
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1500: "1.5 kB", 999_999_999_999: "1000.0 GB", 1 << 62: "4611.7 PB"} {
		assert.Equal(t, want, nixcache.Size(n))
	}
}
