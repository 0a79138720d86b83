package wire

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Push is the request of git-receive-pack, see gitprotocol-pack(5), with the
// pack that write makes unless all updates are deletions.
func Push(g *Greeting, updates []object.Update, write func(io.Writer) error) ([]byte, error) {
	if len(updates) > 1 && !g.supports("atomic") {
		return nil, errors.New("the server can't update several refs at once, so it would be possible that only a part of them is updated")
	}
	use := []string{"agent=" + Agent}
	for _, c := range []string{"report-status", "side-band-64k"} {
		if g.supports(c) {
			use = append(use, c)
		}
	}
	if len(updates) > 1 {
		use = append(use, "atomic")
	}
	if g.supports("object-format") {
		use = append(use, "object-format=sha1")
	}
	var w writer
	deletes := true
	for i, u := range updates {
		text := fmt.Sprintf("%s %s %s", u.Old, u.New, u.Ref)
		if i == 0 {
			text += "\x00 " + strings.Join(use, " ")
		}
		fmt.Fprintf(&w.Buffer, "%04x%s", len(text)+4, text)
		deletes = deletes && u.New.IsZero()
	}
	w.flush()
	if !deletes {
		if err := write(&w.Buffer); err != nil {
			return nil, err
		}
	}
	return w.Bytes(), nil
}

// Report is the server's word on each ref; "" is success.
type Report struct {
	unpack string
	refs   map[string]string
	known  bool            // the server reports at all
	said   strings.Builder // to people
}

// ReadReport reads what a server reports about a push.
func ReadReport(body io.Reader, g *Greeting) (*Report, error) {
	r := &Report{refs: map[string]string{}, known: g.supports("report-status")}
	p := NewReader(body)
	if g.supports("side-band-64k") {
		band := &sideband{pkts: p, says: func(text string) {
			if r.said.Len() < maxSaid {
				r.said.WriteString(text)
			}
		}}
		defer func() { _, _ = io.CopyN(io.Discard, band, maxSaid) }() // the server's last words
		p = NewReader(band)
	}
	if !r.known {
		return r, nil
	}
	for first := true; ; first = false {
		text, ok, err := p.line()
		if err != nil {
			return nil, err
		}
		if !ok {
			return r, nil
		}
		if err := r.add(text, first); err != nil {
			return nil, err
		}
	}
}

// maxSaid bounds the words of a server, in bytes.
const maxSaid = 16 << 10

func (r *Report) add(text string, first bool) error {
	what, rest, _ := strings.Cut(text, " ")
	ref, reason, _ := strings.Cut(rest, " ")
	switch {
	case first && what == "unpack":
		if rest != "ok" {
			r.unpack = rest
		}
	case what == "ok":
		r.refs[ref] = ""
	case what == "ng":
		if reason == "" {
			reason = "no reason given"
		}
		r.refs[ref] = reason
	case what == "option":
	default:
		return fmt.Errorf("%w: %.80q in the report of a push", ErrProtocol, text)
	}
	return nil
}

// errUnreported is a push of which the server said nothing.
var errUnreported = errors.New("the server does not report whether it accepted the push")

// Verdict is nil when the server accepted all updates; otherwise it says why not.
func (r *Report) Verdict(updates []object.Update) error {
	if !r.known {
		return errUnreported
	}
	// Of several refs that fail together, one has the reason.
	var rejected *object.Rejected
	for _, u := range updates {
		reason, ok := r.refs[u.Ref]
		if !ok {
			return fmt.Errorf("%s: %w", u.Ref, errUnreported)
		}
		if reason != "" && (rejected == nil || rejected.Reason == atomicFailed) {
			rejected = &object.Rejected{Ref: u.Ref, Reason: reason, Remote: r.said.String()}
		}
	}
	if r.unpack != "" {
		return &object.Rejected{Ref: updates[0].Ref, Reason: "the server could not store the objects: " + r.unpack, Remote: r.said.String()}
	}
	if rejected != nil {
		return rejected
	}
	return nil
}

const atomicFailed = "atomic push failure"

// IsCollision says that a push may have failed only because another one was at
// work, so that the values of the refs must be looked at.
func IsCollision(err error) bool {
	var r *object.Rejected
	if errors.Is(err, errUnreported) {
		return true
	}
	if !errors.As(err, &r) {
		return false
	}
	reason := strings.ToLower(r.Reason)
	return slices.ContainsFunc([]string{
		"failed to update ref", "failed to lock", "cannot lock", "could not lock", "unable to lock", "lock exists", "already exists",
		"atomic", "transaction", "fetch first", "non-fast-forward", "stale info", "reference does not exist", "is at ", "migrat",
	}, func(words string) bool { return strings.Contains(reason, words) })
}
