package rehearsal

import (
	"strings"
	"sync"
)

// Log keeps what a step says: its beginning and its end, when it is long. It is
// safe for concurrent use.
type Log struct {
	mu         sync.Mutex
	head, tail []byte
	dropped    bool
}

// logHalf bounds each half of a Log, in bytes.
const logHalf = 64 << 10

// Write never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	if room := logHalf - len(l.head); room > 0 {
		take := min(room, len(p))
		l.head, p = append(l.head, p[:take]...), p[take:]
	}
	l.tail = append(l.tail, p...)
	if extra := len(l.tail) - logHalf; extra > 0 {
		l.tail, l.dropped = append(l.tail[:0], l.tail[extra:]...), true
	}
	return n, nil
}

// String is what was said.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	middle := ""
	if l.dropped {
		middle = "\n[…]\n"
	}
	return string(l.head) + middle + string(l.tail)
}

// Plain is a text without colours.
func Plain(s string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		_, s, _ = strings.Cut(after, "m")
	}
}
