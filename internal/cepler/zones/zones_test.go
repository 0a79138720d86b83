package zones_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/cepler/zones"
)

var update = flag.Bool("update", false, "write zones.txt anew")

// since is when the table begins.
func since() time.Time { return time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC) }

// database is the time zone database of the Go release: TZif files by the names of zones. It skips where that is not the release of
// go.mod, which may have another one.
func database(t *testing.T) map[string][]byte {
	t.Helper()
	release, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "go{{.GoVersion}}").Output()
	require.NoError(t, err)
	if want := strings.TrimSpace(string(release)); runtime.Version() != want {
		t.Skipf("the table is of %s, and the tests run with %s", want, runtime.Version())
	}
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	require.NoError(t, err)
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	require.NoError(t, err)
	defer func() { require.NoError(t, archive.Close()) }()
	files := map[string][]byte{}
	for _, f := range archive.File {
		if f.FileInfo().IsDir() {
			continue
		}
		r, err := f.Open()
		require.NoError(t, err)
		files[f.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
	return files
}

func TestTheTableIsThatOfTheGoRelease(t *testing.T) {
	names := map[string][]string{}
	for name, data := range database(t) {
		if name == "UTC" {
			continue // Go has it
		}
		rules := base64.StdEncoding.EncodeToString(shorten(t, data))
		names[rules] = append(names[rules], name)
	}
	var lines []string
	for rules, same := range names {
		slices.Sort(same)
		lines = append(lines, rules+" "+strings.Join(same, " ")+"\n")
	}
	// what is alike stands together, which packs better
	slices.SortFunc(lines, func(a, b string) int { return cmp.Or(cmp.Compare(reverse(a), reverse(b)), cmp.Compare(a, b)) })
	want := strings.Join(lines, "")
	if *update {
		require.NoError(t, os.WriteFile("zones.txt", []byte(want), 0o600))
	}
	got, err := os.ReadFile("zones.txt")
	require.NoError(t, err)
	assert.True(t, want == string(got), "the time zone database of the Go release has other rules: go test ./internal/cepler/zones -update")
}

func reverse(line string) string {
	rules, _, _ := strings.Cut(line, " ")
	b := []byte(rules)
	slices.Reverse(b)
	return string(b)
}

// kind is a clock of a zone: its distance from UTC in seconds, whether it is one of summer, and its abbreviation.
type kind struct {
	offset       int32
	summer       byte
	abbreviation string
}

// shorten leaves out of a TZif file what was before the table begins.
func shorten(t *testing.T, data []byte) []byte {
	t.Helper()
	const header = 44
	count := func(of []byte, n int) int { return int(binary.BigEndian.Uint32(of[20+4*n:])) }
	require.Equal(t, "TZif", string(data[:4]))
	require.GreaterOrEqual(t, data[4], byte('2'))
	first := header + 5*count(data, 3) + 6*count(data, 4) + count(data, 5) + 8*count(data, 2) + count(data, 1) + count(data, 0)
	v2 := data[first:]
	times, types, letters := count(v2, 3), count(v2, 4), count(v2, 5)
	require.Zero(t, count(v2, 2), "leap seconds")
	body := v2[header:]
	kinds := make([]kind, types)
	at := body[9*times:]
	names := at[6*types : 6*types+letters]
	for i := range kinds {
		one := at[6*i:]
		name, _, _ := strings.Cut(string(names[one[5]:]), "\x00")
		kinds[i] = kind{int32(binary.BigEndian.Uint32(one)), one[4], name}
	}
	_, rule, found := strings.Cut(strings.TrimSuffix(string(v2), "\n"), "\n")
	require.True(t, found)
	rule = rule[strings.LastIndex(rule, "\n")+1:]

	begin := since().Unix()
	changes := map[int64]kind{begin: kinds[0]}
	for i := range times {
		when, to := int64(binary.BigEndian.Uint64(body[8*i:])), kinds[body[8*times+i]]
		changes[max(when, begin)] = to
	}
	return tzif(changes, rule)
}

// tzif writes a TZif file of version 2 whose part of version 1 is empty.
func tzif(changes map[int64]kind, rule string) []byte {
	var kinds []kind
	var whens, which, clocks, letters bytes.Buffer
	for _, when := range slices.Sorted(maps.Keys(changes)) {
		i := slices.Index(kinds, changes[when])
		if i < 0 {
			i, kinds = len(kinds), append(kinds, changes[when])
		}
		_ = binary.Write(&whens, binary.BigEndian, when) // a buffer takes everything
		which.WriteByte(byte(i))
	}
	for _, k := range kinds {
		_ = binary.Write(&clocks, binary.BigEndian, k.offset)
		clocks.Write([]byte{k.summer, byte(letters.Len())})
		letters.WriteString(k.abbreviation + "\x00")
	}
	head := func(times, types, letters int) []byte {
		b := append([]byte("TZif2"), make([]byte, 15+12)...)
		for _, n := range []int{times, types, letters} {
			b = binary.BigEndian.AppendUint32(b, uint32(n))
		}
		return b
	}
	return slices.Concat(head(0, 0, 0), head(len(changes), len(kinds), letters.Len()),
		whens.Bytes(), which.Bytes(), clocks.Bytes(), letters.Bytes(), []byte("\n"+rule+"\n"))
}

// From 2015 on, each zone is as in the database, with each change of its clock, for a hundred years.
func TestZonesAreThoseOfTheDatabase(t *testing.T) {
	all := database(t)
	assert.Greater(t, len(all), 590)
	for name, data := range all {
		want, err := time.LoadLocationFromTZData(name, data)
		require.NoError(t, err)
		got, err := zones.Load(name)
		require.NoError(t, err)
		require.Equal(t, name, got.String())
		for at := since(); at.Year() < 2115; {
			for _, moment := range []time.Time{at, at.Add(time.Second), at.Add(-time.Second), at.Add(40 * 24 * time.Hour)} {
				if !moment.Before(since()) {
					require.Equal(t, clock(moment, want), clock(moment, got), "%s at %s", name, moment.UTC())
				}
			}
			_, end := at.In(want).ZoneBounds()
			_, same := at.In(got).ZoneBounds()
			require.True(t, end.Equal(same), "%s: %s and %s", name, end, same)
			if end.IsZero() {
				break
			}
			if !end.After(at) { // as Go says of the end of a year, in some zones
				end = at.Add(24 * time.Hour)
			}
			at = end
		}
	}
}

// clock is what a clock of a zone shows.
func clock(at time.Time, zone *time.Location) string {
	at = at.In(zone)
	if at.IsDST() {
		return at.Format("2006-01-02T15:04:05 -07:00:00 MST summer")
	}
	return at.Format("2006-01-02T15:04:05 -07:00:00 MST")
}

func TestNamesThatAreNoZones(t *testing.T) {
	for _, name := range []string{"Mars/Olympus", "Europe", "europe/zurich ", "../Europe/Zurich", "Europe/Zurich "} {
		_, err := zones.Load(name)
		require.Error(t, err, name)
	}
	utc, err := zones.Load("UTC")
	require.NoError(t, err)
	assert.Same(t, time.UTC, utc)
}
