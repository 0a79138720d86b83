package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Pkt-lines, see gitprotocol-common(5): four hexadecimal digits of length,
// which count themselves, then content. Lengths below four are marks.

// kind is the kind of a packet.
type kind int

// The kinds of packets.
const (
	Data      kind = iota
	flush          // end of a message
	delimiter      // end of a section (protocol version 2)
	end            // end of an answer of several messages (protocol version 2)
)

const maxPacket = 65520 // bytes with the length itself

// Agent names this program to servers.
const Agent = "taxiway/1"

// ErrProtocol says that an answer is not one of the git protocol.
var ErrProtocol = errors.New("the answer is not that of a git server")

// maxText is how many bytes an answer may have outside of its pack: refs, the ends of
// history, the report of a push, words for people. A line for a ref has some 70
// bytes. It keeps a server that never ends from filling the memory.
const maxText = 32 << 20

// Reader reads the packets of one answer.
type Reader struct {
	r    *bufio.Reader
	buf  [maxPacket]byte
	text int64 // bytes outside of the pack so far
}

// NewReader reads an answer from r.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 32<<10)}
}

// next gives one packet, valid until the next call. An ERR packet is an error.
func (p *Reader) next() (kind, []byte, error) {
	kind, data, err := p.raw()
	if text, ok := bytes.CutPrefix(data, []byte("ERR ")); ok && err == nil {
		return kind, nil, &ServerError{strings.TrimSpace(string(text))}
	}
	return kind, data, err
}

func (p *Reader) raw() (kind, []byte, error) {
	head := p.buf[:4]
	if err := p.full(head); err != nil {
		return 0, nil, err
	}
	n, err := strconv.ParseUint(string(head), 16, 16)
	switch {
	case err != nil || n == 3 || n > maxPacket:
		return 0, nil, fmt.Errorf("%w: %q instead of a length", ErrProtocol, head)
	case n < 3:
		return [...]kind{flush, delimiter, end}[n], nil, nil
	}
	data := p.buf[4:n]
	if err := p.full(data); err != nil {
		return 0, nil, err
	}
	if p.text += int64(n); p.text > maxText {
		return 0, nil, fmt.Errorf("%w: the server's answer has more than %d bytes besides git objects", object.ErrLimit, maxText)
	}
	return Data, data, nil
}

// full fills buf; an end in the middle of a message is always too early.
func (p *Reader) full(buf []byte) error {
	_, err := io.ReadFull(p.r, buf)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// line is next for text: without the line end; ok is false at any mark.
func (p *Reader) line() (text string, ok bool, err error) {
	kind, data, err := p.next()
	if err != nil || kind != Data {
		return "", false, err
	}
	return strings.TrimSuffix(string(data), "\n"), true, nil
}

// ServerError is a refusal in the server's own words.
type ServerError struct{ Text string }

// Error quotes nothing, as the words are meant for people.
func (e *ServerError) Error() string { return "the server says: " + e.Text }

type writer struct{ bytes.Buffer }

func (w *writer) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintf(&w.Buffer, "%04x%s\n", len(text)+5, text)
}

func (w *writer) flush()     { fmt.Fprint(&w.Buffer, "0000") }
func (w *writer) delimiter() { fmt.Fprint(&w.Buffer, "0001") }

// sideband is a stream of which each packet's first byte says what it is: 1
// data, 2 words for people, 3 the end with words for people.
type sideband struct {
	pkts *Reader
	says func(string)
	rest []byte
	done bool
}

// Read gives the data.
func (s *sideband) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.done {
			return 0, io.EOF
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *sideband) fill() error {
	kind, data, err := s.pkts.next()
	switch {
	case err != nil:
		return err
	case kind != Data:
		s.done = true
	case len(data) == 0:
		return fmt.Errorf("%w: a packet without a band", ErrProtocol)
	case data[0] == 1:
		s.rest = data[1:]
		s.pkts.text -= int64(len(data) + 4) // the pack has a limit of its own
	case data[0] == 2:
		if s.says != nil {
			s.says(string(data[1:]))
		}
	case data[0] == 3:
		return &ServerError{strings.TrimSpace(string(data[1:]))}
	default:
		return fmt.Errorf("%w: band %d", ErrProtocol, data[0])
	}
	return nil
}

// IsRefused says that the server does not give these objects by their names.
func IsRefused(err error) bool {
	var e *ServerError
	return errors.As(err, &e) && (strings.Contains(e.Text, "not our ref") || strings.Contains(e.Text, "no such object") || strings.Contains(e.Text, "unadvertised object"))
}
