package cepler_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/cepler/zones"
)

// gate is the gate of production with the given rows as its mapping.
func gate(t *testing.T, rows ...string) cepler.Gate {
	t.Helper()
	gates, err := cepler.ParseGates("gates.yml", []byte("production:\n  "+strings.Join(rows, "\n  ")+"\n"))
	require.NoError(t, err)
	g, ok := gates.For("production")
	require.True(t, ok)
	return g
}

// at is a time like "2026-01-02 15:04 UTC", or with another zone's name.
func at(t *testing.T, text string) time.Time {
	t.Helper()
	wall, zone := text[:16], text[17:]
	location, err := zones.Load(zone)
	require.NoError(t, err)
	when, err := time.ParseInLocation("2006-01-02 15:04", wall, location)
	require.NoError(t, err)
	return when
}

func TestPlainGatesAreCeplers(t *testing.T) {
	t.Parallel()
	gates, err := cepler.ParseGates("gates.yml", lines("staging: HEAD", "qa: 1fac1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f6a7b8c", "old: 1234567", "tag: v1.2.0"))
	require.NoError(t, err)
	for env, commit := range map[string]string{"staging": "HEAD", "qa": "1fac1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f6a7b8c", "old": "1234567", "tag": "v1.2.0"} {
		g, ok := gates.For(env)
		assert.True(t, ok)
		assert.Equal(t, cepler.Gate{Commit: commit}, g)
		assert.False(t, g.HasRules())
		assert.True(t, g.Decide(cepler.Facts{}).Open)
	}
	_, ok := gates.For("production")
	assert.False(t, ok)
	assert.Equal(t, []string{"old", "qa", "staging", "tag"}, gates.Environments())
}

func TestGatesWithRules(t *testing.T) {
	t.Parallel()
	g := gate(t,
		"commit: 1f3c2aa", "soak: 1d2h30m",
		"windows: [{days: mon-thu, from: 09:00, to: '16:30', zone: Europe/Zurich}, {days: [sat, sun]}]",
		"freeze: [{from: 2026-12-20, to: 2027-01-03, zone: Europe/Zurich, reason: holidays}]",
		"approvals: {need: 2, given: [{by: ana, commit: 1f3c2aa}]}", "reason: ask the platform team",
	)
	assert.True(t, g.HasRules())
	assert.Equal(t, "1f3c2aa", g.Commit)
	assert.Equal(t, 26*time.Hour+30*time.Minute, g.Soak)
	require.Len(t, g.Windows, 2)
	assert.Equal(t, "mon,tue,wed,thu 09:00-16:30 Europe/Zurich", g.Windows[0].String())
	assert.Equal(t, "sat,sun 00:00-24:00 UTC", g.Windows[1].String())
	require.Len(t, g.Freezes, 1)
	assert.True(t, at(t, "2026-12-20 00:00 Europe/Zurich").Equal(g.Freezes[0].From))
	assert.True(t, at(t, "2027-01-04 00:00 Europe/Zurich").Equal(g.Freezes[0].To), "the last day is part of it")
	assert.Equal(t, 2, g.Need)
	assert.Equal(t, []cepler.Approval{{By: "ana", Commit: "1f3c2aa"}}, g.Approvals)
	assert.Equal(t, "HEAD", gate(t, "soak: 2h").Commit)

	again := gate(t, "soak: 2h", "windows: [{days: mon, zone: Europe/Zurich}]")
	assert.True(t, reflect.DeepEqual(again, gate(t, "soak: 120m", "windows: {days: mon, zone: Europe/Zurich}")), "the same gate, written otherwise")
}

func TestGatesFaultsAreNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "gates.yml: the file is empty",
		"- a":                            "gates.yml:1: the gates file: want a mapping, got a list",
		"production: [HEAD]":             "gates.yml:1: production: want a text, got a list",
		"a: b\nproduction:":              "gates.yml:2: production: nothing is given",
		"production: ''":                 "gates.yml:1: production: nothing is given",
		"production: {}":                 "gates.yml:1: production is empty; known are approvals, commit",
		"a: 1234567\na: HEAD":            "gates.yml:2: the gates file has a twice, first in line 1; remove one",
		"a: HEAD\na: {soak: 2h}":         "gates.yml:2: the gates file has a twice",
		"a: {soak: 2h}\na: HEAD":         "gates.yml:2: the gates file has a twice",
		"a: {soak: 2h}\na: {soak: 2}":    "gates.yml:2: the gates file has a twice",
		"a:\n  sock: 2h":                 `gates.yml:2: a: unknown key "sock"; did you mean "soak"?`,
		"a:\n  soak: 2h\n  soak: 3h":     "gates.yml:3: a has soak twice",
		"a:\n  commit:":                  "gates.yml:2: a.commit: nothing is given",
		"a:\n  commit: [x]":              "gates.yml:2: a.commit: want a text, got a list",
		"a:\n  soak: 2":                  `gates.yml:2: a.soak: "2" is not a valid duration; write 30m, 2h, 1h30m or 3d`,
		"a:\n  soak: 2x":                 "is not a valid duration",
		"a:\n  soak: -2h":                "must be positive",
		"a:\n  soak: 1d-2h":              "must be positive",
		"a:\n  soak: 0h":                 "must be positive",
		"a:\n  soak: 999d":               "at most a year",
		"a:\n  windows: mon":             `gates.yml:2: a.windows: want a list, got "mon"`,
		"a:\n  windows: []":              "gates.yml:2: a.windows: the list is empty; omit the key",
		"a:\n  windows:\n  - {day: mon}": `gates.yml:3: a.windows[0]: unknown key "day"; did you mean "days"?`,
		"a:\n  windows:\n  - {days: mon}\n  - {days: mo}":    `gates.yml:4: a.windows[1].days: "mo" is not a day`,
		"a:\n  windows:\n  - {days: []}":                     "a.windows[0].days: no day is given",
		"a:\n  windows:\n  - {from: 9}":                      `gates.yml:3: a.windows[0].from: "9" is not a time of day; write 09:00`,
		"a:\n  windows:\n  - {from: '25:00'}":                "is not a time of day",
		"a:\n  windows:\n  - {from: '09:00', to: '09:00'}":   "a window from 09:00 to 09:00 is empty",
		"a:\n  windows:\n  - {from: '24:00'}":                "a window from 24:00 to 24:00 is empty",
		"a:\n  windows:\n  - {zone: Europe/Zuerich}":         `gates.yml:3: a.windows[0].zone: there is no time zone "Europe/Zuerich"; write UTC, or a name like Europe/Zurich`,
		"a:\n  windows:\n  - {zone: Local}":                  `there is no time zone "Local"`,
		"a:\n  freeze:":                                      "gates.yml:2: a.freeze: nothing is given",
		"a:\n  freeze: [x]":                                  "gates.yml:2: a.freeze[0]: want a mapping",
		"a:\n  freeze: [{from: tomorrow}]":                   `gates.yml:2: a.freeze[0].from: "tomorrow" is not a valid date`,
		"a:\n  freeze: [{from: 2026-02-30}]":                 "is not a valid date",
		"a:\n  freeze: [{from: 2026-02-03, to: 2026-02-01}]": "a.freeze[0]: it ends before it begins",
		"a:\n  freeze: [{form: 2026-02-03}]":                 `did you mean "from"?`,
		"a:\n  approvals: 2":                                 `gates.yml:2: a.approvals: want a mapping, got "2"`,
		"a:\n  approvals: {need: 0}":                         "a.approvals.need: want a number of people from 1 to 20",
		"a:\n  approvals: {need: all}":                       `got "all"`,
		"a:\n  approvals: {given: [{by: ana}]}":              "a.approvals.given[0] has no commit: name what ana approves",
		"a:\n  approvals: {given: [{commit: x}]}":            "a.approvals.given[0] has no by",
		"a:\n  approvals: {given: [{by: ana, comit: x}]}":    `did you mean "commit"?`,
		"a:\n  approvals: {given: ana}":                      "a.approvals.given: want a list",
		"a:\n  reason: [x]":                                  "a.reason: want a text, got a list",
		"a:\n  reason: " + strings.Repeat("x", 1001):         "a.reason: the text has 1001 bytes",
	} {
		_, err := cepler.ParseGates("gates.yml", []byte(text+"\n"))
		if assert.Error(t, err, text) {
			assert.ErrorContains(t, err, want)
		}
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	approve := func(commits ...string) func(string) bool {
		return func(c string) bool { return slices.Contains(commits, c) }
	}
	// 2026-01-02 was a Friday
	for name, c := range map[string]struct {
		rows    []string
		now     string
		facts   cepler.Facts
		reasons []string
		until   string
	}{
		"soaking": {
			[]string{"soak: 2h"},
			"2026-01-02 14:00 UTC",
			cepler.Facts{UpstreamRecorded: at(t, "2026-01-02 13:04 UTC"), Upstream: "gcp-galoy-staging"},
			[]string{"soaks until 2026-01-02 15:04 UTC (2h since gcp-galoy-staging recorded it)"},
			"2026-01-02 15:04 UTC",
		},
		"soaked":            {[]string{"soak: 2h"}, "2026-01-02 15:04 UTC", cepler.Facts{UpstreamRecorded: at(t, "2026-01-02 13:04 UTC")}, nil, ""},
		"nothing to soak":   {[]string{"soak: 2h"}, "2026-01-02 15:04 UTC", cepler.Facts{}, nil, ""},
		"inside its window": {[]string{"windows: {days: mon-fri, from: 09:00, to: 17:00, zone: Europe/Zurich}"}, "2026-01-02 09:00 Europe/Zurich", cepler.Facts{}, nil, ""},
		"the window is over": {
			[]string{"windows: {days: mon-fri, from: 09:00, to: 17:00, zone: Europe/Zurich}"},
			"2026-01-02 17:00 Europe/Zurich",
			cepler.Facts{},
			[]string{"outside its windows; next opens Mon 2026-01-05 09:00 Europe/Zurich"},
			"2026-01-05 09:00 Europe/Zurich",
		},
		"the nearest window counts": {
			[]string{"windows: [{days: mon, from: 09:00, to: 17:00}, {days: sat, from: 23:00, to: 02:00, zone: Asia/Tokyo}]"},
			"2026-01-02 17:00 UTC",
			cepler.Facts{},
			[]string{"outside its windows; next opens Sat 2026-01-03 23:00 Asia/Tokyo"},
			"2026-01-03 14:00 UTC",
		},
		"a window over midnight": {[]string{"windows: {days: fri, from: 22:00, to: 06:00}"}, "2026-01-03 05:59 UTC", cepler.Facts{}, nil, ""},
		"a window over midnight ends": {
			[]string{"windows: {days: fri, from: 22:00, to: 06:00}"},
			"2026-01-03 06:00 UTC",
			cepler.Facts{},
			[]string{"outside its windows; next opens Fri 2026-01-09 22:00 UTC"},
			"2026-01-09 22:00 UTC",
		},
		"only its own day": {
			[]string{"windows: {days: fri-mon, from: 00:00, to: 24:00}"},
			"2026-01-06 00:00 UTC",
			cepler.Facts{},
			[]string{"outside its windows; next opens Fri 2026-01-09 00:00 UTC"},
			"2026-01-09 00:00 UTC",
		},
		"frozen": {
			[]string{"freeze: {from: 2026-01-01, to: 2026-01-03 18:00, reason: holidays}"},
			"2026-01-02 12:00 UTC",
			cepler.Facts{},
			[]string{"frozen until 2026-01-03 18:00 UTC: holidays"},
			"2026-01-03 18:00 UTC",
		},
		"not yet frozen":     {[]string{"freeze: {from: 2026-01-02T13:00:00+01:00}"}, "2026-01-02 11:59 UTC", cepler.Facts{}, nil, ""},
		"frozen by offset":   {[]string{"freeze: {from: 2026-01-02T13:00:00+01:00}"}, "2026-01-02 12:00 UTC", cepler.Facts{}, []string{"frozen"}, ""},
		"frozen till lifted": {[]string{"freeze: true"}, "2026-01-02 12:00 UTC", cepler.Facts{}, []string{"frozen"}, ""},
		"frozen for a reason": {
			[]string{"freeze: incident 42", "reason: ask ana"}, "2026-01-02 12:00 UTC", cepler.Facts{}, []string{"frozen: incident 42 (ask ana)"}, "",
		},
		"not frozen":        {[]string{"freeze: false", "soak: 1h"}, "2026-01-02 12:00 UTC", cepler.Facts{}, nil, ""},
		"nobody approved":   {[]string{"approvals: {need: 2, given: []}"}, "2026-01-02 12:00 UTC", cepler.Facts{}, []string{"0 of 2 approvals"}, ""},
		"one person twice":  {[]string{"approvals: {need: 2, given: [{by: ana, commit: a}, {by: Ana , commit: b}]}"}, "2026-01-02 12:00 UTC", cepler.Facts{Approved: approve("a", "b")}, []string{"1 of 2 approvals, by ana"}, ""},
		"another commit":    {[]string{"approvals: {need: 2, given: [{by: ana, commit: a}, {by: ben, commit: b}]}"}, "2026-01-02 12:00 UTC", cepler.Facts{Approved: approve("a")}, []string{"1 of 2 approvals, by ana"}, ""},
		"two people":        {[]string{"approvals: {need: 2, given: [{by: ana, commit: a}, {by: ben, commit: b}]}"}, "2026-01-02 12:00 UTC", cepler.Facts{Approved: approve("a", "b")}, nil, ""},
		"nothing to ask by": {[]string{"approvals: {given: [{by: ana, commit: a}]}"}, "2026-01-02 12:00 UTC", cepler.Facts{}, []string{"0 of 1 approvals"}, ""},
		"all at once": {
			[]string{"soak: 12h", "windows: {days: mon-fri, from: 09:00, to: 17:00}", "freeze: {from: 2026-01-05, to: 2026-01-06}"},
			"2026-01-02 17:30 UTC",
			cepler.Facts{UpstreamRecorded: at(t, "2026-01-02 17:00 UTC"), Upstream: "qa"},
			[]string{"soaks until 2026-01-03 05:00 UTC (12h since qa recorded it)", "outside its windows; next opens Mon 2026-01-05 09:00 UTC"},
			"2026-01-07 09:00 UTC",
		},
		"the window opens into a freeze without end": {
			[]string{"windows: {days: mon}", "freeze: {from: 2026-01-04}"},
			"2026-01-02 17:30 UTC",
			cepler.Facts{},
			[]string{"outside its windows; next opens Mon 2026-01-05 00:00 UTC"},
			"",
		},
		"time alone is not enough": {
			[]string{"soak: 2h", "approvals: {need: 1}"},
			"2026-01-02 14:00 UTC",
			cepler.Facts{UpstreamRecorded: at(t, "2026-01-02 13:04 UTC")},
			[]string{"soaks until 2026-01-02 15:04 UTC (2h since the environment before recorded it)", "0 of 1 approvals"},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.facts.Now = at(t, c.now)
			got := gate(t, c.rows...).Decide(c.facts)
			assert.Equal(t, c.reasons == nil, got.Open)
			assert.Equal(t, c.reasons, got.Reasons)
			if c.until == "" {
				assert.Zero(t, got.Until)
			} else {
				assert.Equal(t, at(t, c.until).UTC(), got.Until.UTC())
			}
		})
	}
}

// In Zurich the clock went from 02:00 to 03:00 on 2026-03-29, and goes from
// 03:00 back to 02:00 on 2026-10-25, at 01:00 UTC both times.
func TestWindowsFollowTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ window, now, opens string }{
		"from winter into summer":       {"{days: sun, from: 09:00, to: 10:00, zone: Europe/Zurich}", "2026-03-28 12:00 UTC", "2026-03-29 07:00 UTC"},
		"from summer into winter":       {"{days: sun, from: 09:00, to: 10:00, zone: Europe/Zurich}", "2026-10-24 12:00 UTC", "2026-10-25 08:00 UTC"},
		"it begins in the hour skipped": {"{days: sun, from: 02:30, to: 04:00, zone: Europe/Zurich}", "2026-03-28 12:00 UTC", "2026-03-29 01:00 UTC"},
		"it lies in the hour skipped":   {"{days: sun, from: 02:15, to: 02:45, zone: Europe/Zurich}", "2026-03-28 12:00 UTC", "2026-04-05 00:15 UTC"},
		"the hour comes first":          {"{days: sun, from: 02:15, to: 02:45, zone: Europe/Zurich}", "2026-10-24 12:00 UTC", "2026-10-25 00:15 UTC"},
		"the hour comes again":          {"{days: sun, from: 02:15, to: 02:45, zone: Europe/Zurich}", "2026-10-25 00:45 UTC", "2026-10-25 01:15 UTC"},
		"half hours, southern summer":   {"{days: sun, from: 02:00, to: 02:20, zone: Australia/Lord_Howe}", "2026-10-03 00:00 UTC", "2026-10-10 15:00 UTC"},
		"a zone without changes":        {"{days: sun, from: 09:00, to: 10:00, zone: Asia/Tokyo}", "2026-03-28 12:00 UTC", "2026-03-29 00:00 UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := gate(t, "windows: "+c.window)
			now := at(t, c.now)
			v := g.Decide(cepler.Facts{Now: now})
			assert.False(t, v.Open)
			assert.Equal(t, at(t, c.opens).UTC(), v.Until.UTC())
			assert.True(t, g.Decide(cepler.Facts{Now: v.Until}).Open)
			assert.False(t, g.Decide(cepler.Facts{Now: v.Until.Add(-time.Nanosecond)}).Open)
			for step := now; step.Before(v.Until); step = step.Add(5 * time.Minute) {
				assert.False(t, g.Decide(cepler.Facts{Now: step}).Open, step)
			}
		})
	}
}

func TestFreezesTakeTheLongerReading(t *testing.T) {
	t.Parallel()
	// 02:30 happens twice
	g := gate(t, "freeze: {from: 2026-10-25 02:30, to: 2026-10-25 02:45, zone: Europe/Zurich}")
	assert.Equal(t, at(t, "2026-10-25 00:30 UTC"), g.Freezes[0].From.UTC())
	assert.Equal(t, at(t, "2026-10-25 01:45 UTC"), g.Freezes[0].To.UTC())
	// 02:30 never happens
	g = gate(t, "freeze: {from: 2026-03-29 02:30, to: 2026-03-29 02:30, zone: Europe/Zurich}")
	assert.Equal(t, at(t, "2026-03-29 00:30 UTC"), g.Freezes[0].From.UTC())
	assert.Equal(t, at(t, "2026-03-29 01:30 UTC"), g.Freezes[0].To.UTC())
	// the day after a change
	g = gate(t, "freeze: {from: 2026-03-30, to: 2026-03-30, zone: Europe/Zurich}")
	assert.Equal(t, at(t, "2026-03-29 22:00 UTC"), g.Freezes[0].From.UTC())
	assert.Equal(t, at(t, "2026-03-30 22:00 UTC"), g.Freezes[0].To.UTC())
}

// FuzzGates checks that nothing panics, and that a closed gate says why, and
// when it opens if it says so.
func FuzzGates(f *testing.F) {
	f.Add([]byte("staging: HEAD\nproduction: 1f3c2aa\n"), int64(0))
	f.Add([]byte("p: {soak: 2h, windows: [{days: mon-fri, from: '09:00', to: '17:00', zone: Europe/Zurich}], reason: x}\n"), int64(1_800_000_000))
	f.Add([]byte("p: {freeze: [{from: 2026-12-20, to: 2027-01-03}, {from: 2027-01-04, to: 2027-01-09}], windows: {days: 'sat,mon', from: '22:00', to: '04:00'}}\n"), int64(1_797_800_000))
	f.Add([]byte("p: {freeze: true, approvals: {need: 2, given: [{by: ana, commit: x}]}}\n"), int64(1))
	f.Fuzz(func(t *testing.T, data []byte, unix int64) {
		gates, err := cepler.ParseGates("gates.yml", data)
		if err != nil {
			require.ErrorContains(t, err, "gates.yml")
			return
		}
		now := time.Unix(unix%4_000_000_000, 0)
		for _, env := range gates.Environments() {
			g, _ := gates.For(env)
			facts := cepler.Facts{Now: now, UpstreamRecorded: now.Add(-time.Minute)}
			v := g.Decide(facts)
			require.Equal(t, v.Open, len(v.Reasons) == 0)
			if !v.Until.IsZero() {
				require.False(t, v.Open)
				require.True(t, v.Until.After(now))
				facts.Now = v.Until
				require.True(t, g.Decide(facts).Open, "%v %v", g, v)
			}
		}
	})
}
