// Package zones has the time zones of the world, for programs in images that have no files of their own. It is for wall clocks from
// 2015 on: what was before is left out, which is nine tenths of package time/tzdata.
//
// The table zones.txt is made from the time zone database of the Go release that this module is built with. A test says when
// that has other rules, and writes the table anew:
//
//	go test ./internal/cepler/zones -update
package zones

import (
	_ "embed" // the table
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// table has a line for each set of rules: a TZif file (RFC 9636) in base 64, and the names of the zones that have these rules.
//
//go:embed zones.txt
var table string

// Load finds a zone by its name in the IANA time zone database, such as Europe/Zurich. It is the same on each machine; for a zone
// that is not known here, that of the machine.
func Load(name string) (*time.Location, error) {
	for line := range strings.Lines(table) {
		rules, names, _ := strings.Cut(line, " ")
		for known := range strings.FieldsSeq(names) {
			if known != name {
				continue
			}
			data, err := base64.StdEncoding.DecodeString(rules)
			if err != nil {
				return nil, fmt.Errorf("rules of zone %s: %w", name, err)
			}
			return time.LoadLocationFromTZData(name, data)
		}
	}
	return time.LoadLocation(name)
}
