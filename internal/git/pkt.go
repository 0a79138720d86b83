package git

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Pkt-lines, see gitprotocol-common(5): four hexadecimal digits of length,
// which count themselves, then content. Lengths below four are marks.

type pktKind int

const (
	pktData      pktKind = iota
	pktFlush             // end of a message
	pktDelimiter         // end of a section (protocol version 2)
	pktEnd               // end of an answer of several messages (protocol version 2)
)

const maxPkt = 65520 // bytes with the length itself

var errProtocol = errors.New("the answer is not what git servers say")

type pktReader struct {
	r   *bufio.Reader
	buf [maxPkt]byte
}

func newPktReader(r io.Reader) *pktReader {
	return &pktReader{r: bufio.NewReaderSize(r, 32<<10)}
}

// next gives one packet, valid until the next call. An ERR packet is an error.
func (p *pktReader) next() (pktKind, []byte, error) {
	kind, data, err := p.raw()
	if text, ok := bytes.CutPrefix(data, []byte("ERR ")); ok && err == nil {
		return kind, nil, &serverError{strings.TrimSpace(string(text))}
	}
	return kind, data, err
}

func (p *pktReader) raw() (pktKind, []byte, error) {
	head := p.buf[:4]
	if _, err := io.ReadFull(p.r, head); err != nil {
		return 0, nil, cutShort(err)
	}
	n, err := strconv.ParseUint(string(head), 16, 16)
	switch {
	case err != nil || n == 3 || n > maxPkt:
		return 0, nil, fmt.Errorf("%w: %q instead of a length", errProtocol, head)
	case n < 3:
		return [...]pktKind{pktFlush, pktDelimiter, pktEnd}[n], nil, nil
	}
	data := p.buf[4:n]
	if _, err := io.ReadFull(p.r, data); err != nil {
		return 0, nil, cutShort(err)
	}
	return pktData, data, nil
}

// line is next for text: without the line end; ok is false at any mark.
func (p *pktReader) line() (text string, ok bool, err error) {
	kind, data, err := p.next()
	if err != nil || kind != pktData {
		return "", false, err
	}
	return strings.TrimSuffix(string(data), "\n"), true, nil
}

// cutShort is an end that comes in the middle.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// serverError is a refusal in the server's own words.
type serverError struct{ text string }

// Error quotes nothing, as the words are meant for people.
func (e *serverError) Error() string { return "the server says: " + e.text }

type pktWriter struct{ bytes.Buffer }

func (w *pktWriter) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintf(&w.Buffer, "%04x%s\n", len(text)+5, text)
}

func (w *pktWriter) flush()     { fmt.Fprint(&w.Buffer, "0000") }
func (w *pktWriter) delimiter() { fmt.Fprint(&w.Buffer, "0001") }

// sideband is a stream of which each packet's first byte says what it is: 1
// data, 2 words for people, 3 the end with words for people.
type sideband struct {
	pkts *pktReader
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
	case kind != pktData:
		s.done = true
	case len(data) == 0:
		return fmt.Errorf("%w: a packet without a band", errProtocol)
	case data[0] == 1:
		s.rest = data[1:]
	case data[0] == 2:
		if s.says != nil {
			s.says(string(data[1:]))
		}
	case data[0] == 3:
		return &serverError{strings.TrimSpace(string(data[1:]))}
	default:
		return fmt.Errorf("%w: band %d", errProtocol, data[0])
	}
	return nil
}
