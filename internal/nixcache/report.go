package nixcache

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxRows is how many rows a table of missing paths has.
const maxRows = 50

// Table has a row for each missing path, as far as people read on.
func (r Report) Table() string {
	var b strings.Builder
	for i, l := range r.Missing {
		if i == maxRows {
			fmt.Fprintf(&b, "… and %s more\n", Count(len(r.Missing)-maxRows))
			break
		}
		fmt.Fprintf(&b, "%s  %s", l.Path, l.Why)
		if !l.For.IsZero() {
			fmt.Fprintf(&b, ", needed by %s", l.For.Base())
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Count writes a number with commas: 1,000.
func Count(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Duration writes a duration as people say it: 1m30s, 27m, 2h, 0.5s.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + "s"
	case d < 10*time.Minute:
		d = d.Round(time.Second)
	default:
		d = d.Round(time.Minute)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Size writes a size in bytes as people say it: 1.5 GB.
func Size(bytes uint64) string {
	const unit = 1000
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, prefix := float64(bytes)/unit, 0
	for value >= unit && prefix < 4 {
		value, prefix = value/unit, prefix+1
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + "kMGTP"[prefix:prefix+1] + "B"
}
