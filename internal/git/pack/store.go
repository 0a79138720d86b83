package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/guard"
)

const (
	memoryPack = 32 << 20 // bytes of a pack that is kept in memory
	maxPacks   = 300      // more of them make every search slow
)

// Store keeps packs as they came, in memory or in a folder. Its file "state"
// says which packs count, what they lack, and which refs they came from; it is
// replaced in one step after everything else is on disk.
type Store struct {
	reader
	State State
}

// NewStore keeps packs in memory, and large ones in temporary files.
func NewStore() *Store {
	return &Store{
		reader: newReader(memoryPack),
		State:  State{Shallow: map[object.Hash]bool{}, Tips: map[string]object.Hash{}},
	}
}

// OpenStore opens a folder, which need not exist.
func OpenStore(dir string) (*Store, error) {
	s := NewStore()
	s.dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for git objects: %w", err)
	}
	data, err := os.ReadFile(s.file("state"))
	if errors.Is(err, os.ErrNotExist) {
		err := s.sweep()
		return s, err
	}
	if err != nil {
		return nil, fmt.Errorf("read the folder with git objects: %w", err)
	}
	if err := s.State.parse(string(data)); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", object.ErrDamaged, dir, err)
	}
	if len(s.State.packs) > maxPacks {
		err := s.reset()
		return s, err
	}
	for _, n := range s.State.packs {
		if err := s.load(n); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %s: pack %d: %w", object.ErrDamaged, dir, n, err), s.Close())
		}
	}
	err = s.sweep()
	return s, err
}

// reset begins anew: so many packs cost more than fetching again.
func (s *Store) reset() error {
	s.State = State{Shallow: map[object.Hash]bool{}, Tips: map[string]object.Hash{}}
	if err := os.Remove(s.file("state")); err != nil {
		return fmt.Errorf("empty the folder with git objects: %w", err)
	}
	return s.sweep()
}

// sweep removes what a process left that was stopped in the middle.
func (s *Store) sweep() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("read the folder with git objects: %w", err)
	}
	counts := map[string]bool{"state": true}
	for _, n := range s.State.packs {
		counts[packName(n)+".pack"], counts[packName(n)+".idx"] = true, true
	}
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasPrefix(name, "new-") || strings.HasSuffix(name, ".pack") || strings.HasSuffix(name, ".idx")
		if ours && !counts[name] {
			if err := os.Remove(s.file(name)); err != nil {
				return fmt.Errorf("clean the folder with git objects: %w", err)
			}
		}
	}
	return nil
}

func packName(n int) string { return fmt.Sprintf("%06d", n) }

func (s *Store) file(name string) string { return filepath.Join(s.dir, name) }

func (s *Store) load(n int) error {
	p := &pack{number: n}
	s.packs = append(s.packs, p)
	f, err := os.Open(s.file(packName(n) + ".pack"))
	if err != nil {
		return err
	}
	if err := s.use(p, f); err != nil {
		return err
	}
	if p.data.size > maxPack {
		return Over("the pack", int64(p.data.size), maxPack, "bytes")
	}
	head, err := p.data.bytes(0, packHeader)
	if err != nil {
		return err
	}
	if _, err := objectCount(head); err != nil {
		return err
	}
	raw, err := os.ReadFile(s.file(packName(n) + ".idx"))
	if err != nil {
		return err
	}
	if p.idx, err = readIdx(raw); err != nil {
		return err
	}
	sum, err := p.data.bytes(p.data.size-packTrailer, packTrailer)
	if err != nil {
		return err
	}
	if !bytes.Equal(p.idx.pack, sum) {
		return fmt.Errorf("%w: its index is another pack's", errDamaged)
	}
	return nil
}

// Add takes a pack in. An empty pack is not an error. The errors are [errDamaged] for
// what git does not make, and object.ErrLimit.
func (s *Store) Add(ctx context.Context, r io.Reader) error {
	p := &pack{number: 1}
	if len(s.packs) > 0 {
		p.number = s.packs[len(s.packs)-1].number + 1
	}
	x, while := scanWhile(WithContext(ctx, r))
	temp, err := s.receive(while, p)
	if temp != "" {
		defer func() { _ = os.Remove(temp) }() // it has another name when all went well
	}
	if err := while.done(err); err != nil {
		return errors.Join(err, p.end())
	}
	if len(x.all) == 0 {
		return p.end()
	}
	idx, err := x.index(p.data, s.Read)
	if err == nil {
		p.idx, err = readIdx(idx)
	}
	if err == nil && s.dir != "" {
		err = s.keep(p, temp, idx)
	}
	if err != nil {
		return errors.Join(err, p.end())
	}
	s.packs = append(s.packs, p)
	return nil
}

// scanning reads a pack for two: for who keeps it, and for an indexer beside.
type scanning struct {
	io.Reader
	pipe   *io.PipeWriter
	result chan error
}

// scanWhile scans a pack while it is received: the server works on what comes
// next in the meantime.
func scanWhile(r io.Reader) (*indexer, scanning) {
	out, in := io.Pipe()
	s := scanning{Reader: io.TeeReader(r, in), pipe: in, result: make(chan error, 1)}
	x := newIndexer()
	go func() {
		err := guard.Run(func() error { return x.scan(out) })
		_ = out.CloseWithError(err) // nil: whatever else is written is an error
		s.result <- err
	}()
	return x, s
}

// done waits for the scan after the pack was received, or could not be.
func (s scanning) done(received error) error {
	_ = s.pipe.CloseWithError(received) // nil: the end
	scanned := <-s.result
	if received != nil {
		return received
	}
	return scanned
}

func (s *Store) keep(p *pack, temp string, idx []byte) error {
	name := s.file(packName(p.number))
	if err := os.Rename(temp, name+".pack"); err != nil {
		return fmt.Errorf("keep git objects: %w", err)
	}
	if err := os.WriteFile(name+".idx", idx, 0o600); err != nil {
		return fmt.Errorf("keep git objects: %w", err)
	}
	s.State.packs = append(s.State.packs, p.number)
	return nil
}

// receive brings a pack in: into memory, or into a file that is given when it
// has a name. A file without a folder is removed when the pack is closed.
func (s *Store) receive(r io.Reader, p *pack) (temp string, err error) {
	if s.dir != "" {
		f, err := os.CreateTemp(s.dir, "new-")
		if err != nil {
			return "", fmt.Errorf("make a file for git objects: %w", err)
		}
		return f.Name(), s.fill(r, p, f)
	}
	head, err := io.ReadAll(io.LimitReader(r, s.inMemory+1))
	if err != nil {
		return "", fmt.Errorf("receive git objects: %w", err)
	}
	if int64(len(head)) <= s.inMemory {
		if len(head) < packHeader+packTrailer {
			return "", fmt.Errorf("%w: %d bytes are not a pack", errDamaged, len(head))
		}
		p.data = inMemory(head)
		p.unpacker = newUnpacker(p.data)
		return "", nil
	}
	f, err := tempFile("new-")
	if err != nil {
		return "", fmt.Errorf("make a file for git objects: %w", err)
	}
	if err := s.fill(io.MultiReader(bytes.NewReader(head), r), p, f); err != nil {
		return "", err
	}
	p.close = func() error { return endTemp(f) }
	return "", nil
}

// fill receives the pack into a file, from which it is used.
func (s *Store) fill(r io.Reader, p *pack, f *os.File) error {
	n, err := io.Copy(f, io.LimitReader(r, maxPack+1))
	switch {
	case err != nil:
		err = fmt.Errorf("receive git objects: %w", err)
	case n > maxPack:
		err = Over("the pack", n, maxPack, "bytes")
	default:
		err = s.use(p, f)
	}
	if err != nil {
		p.close = nil
		return errors.Join(err, endTemp(f))
	}
	return nil
}

// Save makes what was added last.
func (s *Store) Save() error {
	if s.dir == "" {
		return nil
	}
	temp := s.file("new-state")
	if err := os.WriteFile(temp, []byte(s.State.text()), 0o600); err != nil {
		return fmt.Errorf("keep git objects: %w", err)
	}
	if err := os.Rename(temp, s.file("state")); err != nil {
		return fmt.Errorf("keep git objects: %w", err)
	}
	return nil
}

// WithContext ends the reading of r with a context.
func WithContext(ctx context.Context, r io.Reader) io.Reader { return contextReader{ctx, r} }

// contextReader ends a long copy with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read fails once the context has ended.
func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
