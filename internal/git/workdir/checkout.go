package workdir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sort"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"golang.org/x/sync/errgroup"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/pack"
	"github.com/taxiway-ci/taxiway/internal/guard"
)

// Source is where objects are read. It fetches those that are missing.
type Source interface {
	// Object returns an object of a kind, as it is stored.
	Object(ctx context.Context, kind plumbing.ObjectType, h object.Hash) ([]byte, error)
	Tree(ctx context.Context, h object.Hash) ([]object.Entry, error)
	// Need fetches those of the blobs that are missing with one request.
	Need(ctx context.Context, blobs ...object.Hash) error
	object.Blobs
}

// File is a file of a repository that is to be written to disk.
type File struct {
	Path string // from the top of the tree, with slashes
	Mode filemode.FileMode
	Hash object.Hash // of the blob; of a commit for a submodule
}

const (
	checkoutWriters = 4
	batchFiles      = 64      // files of one folder that one writer takes at a time
	batchBytes      = 1 << 20 // content of such a batch
)

// Checkout writes files into dir, which must exist, and makes the folders they
// need. What they lack in blobs is fetched with one request. Nothing that is
// there is overwritten, nothing is written through a symbolic link or outside of
// dir, and names that git refuses are refused before the first file is written.
// A submodule becomes an empty folder. Contents are delivered as they are: no
// line endings are changed and pointers of LFS stay pointers.
func Checkout(ctx context.Context, s Source, dir string, files []File) error {
	p, err := newCheckoutPlan(files)
	if err != nil {
		return fmt.Errorf("check out to %s: %w", dir, err)
	}
	if err := s.Need(ctx, p.blobs()...); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("check out: %w", err)
	}
	defer func() { _ = root.Close() }()
	if err := p.makeFolders(root); err != nil {
		return fmt.Errorf("check out to %s: %w", dir, err)
	}
	if err := writeFiles(ctx, s, root, p.files); err != nil {
		return fmt.Errorf("check out to %s: %w", dir, err)
	}
	if err := writeLinks(ctx, s, root, p.links); err != nil {
		return fmt.Errorf("check out to %s: %w", dir, err)
	}
	return nil
}

// checkoutPlan is a checked list of what to write, each part sorted by path, so
// that a folder comes before what is in it.
type checkoutPlan struct {
	folders      []string
	files, links []File
}

func newCheckoutPlan(files []File) (*checkoutPlan, error) {
	p := &checkoutPlan{}
	isFolder := make(map[string]bool, len(files)) // of every path that is taken
	for _, f := range files {
		f.Mode = object.WrittenMode(f.Mode)
		if err := object.CheckPath(f.Path, f.Mode); err != nil {
			return nil, err
		}
		if _, ok := isFolder[f.Path]; ok {
			return nil, fmt.Errorf("refuse to write %.200q: the tree has it twice", f.Path)
		}
		if err := p.parents(f.Path, isFolder); err != nil {
			return nil, err
		}
		isFolder[f.Path] = false
		if err := p.add(f); err != nil {
			return nil, err
		}
	}
	slices.Sort(p.folders)
	for _, all := range [][]File{p.files, p.links} {
		sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	}
	return p, nil
}

// parents notes the folders above a path.
func (p *checkoutPlan) parents(name string, isFolder map[string]bool) error {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		folder, ok := isFolder[dir]
		if ok && !folder {
			return fmt.Errorf("refuse to write %.200q: the tree has %.200q also as a file", name, dir)
		}
		if ok {
			return nil
		}
		isFolder[dir] = true
		p.folders = append(p.folders, dir)
	}
	return nil
}

func (p *checkoutPlan) add(f File) error {
	switch f.Mode {
	case filemode.Regular, filemode.Executable:
		p.files = append(p.files, f)
	case filemode.Symlink:
		p.links = append(p.links, f)
	case filemode.Submodule:
		p.folders = append(p.folders, f.Path)
	default:
		return fmt.Errorf("refuse to write %.200q: the mode %o is not one of a file", f.Path, uint32(f.Mode))
	}
	return nil
}

func (p *checkoutPlan) blobs() []object.Hash {
	all := make([]object.Hash, 0, len(p.files)+len(p.links))
	for _, f := range p.files {
		all = append(all, f.Hash)
	}
	for _, f := range p.links {
		all = append(all, f.Hash)
	}
	return all
}

func (p *checkoutPlan) makeFolders(root *os.Root) error {
	for _, dir := range p.folders {
		err := root.Mkdir(dir, 0o755)
		if !errors.Is(err, fs.ErrExist) {
			if err != nil {
				return fmt.Errorf("make the folder %q: %w", dir, err)
			}
			continue
		}
		info, err := root.Lstat(dir)
		if err != nil {
			return fmt.Errorf("make the folder %q: %w", dir, err)
		}
		if !info.IsDir() {
			return fmt.Errorf("make the folder %q: something else is in its place", dir)
		}
	}
	return nil
}

// batch is content for one folder.
type batch struct {
	dir   string
	files []written
	bytes int
}

type written struct {
	name    string
	mode    filemode.FileMode
	content []byte
}

// writeFiles reads the blobs one after the other, as a store has one reader, and
// leaves the writing to several.
func writeFiles(ctx context.Context, s Source, root *os.Root, files []File) error {
	g, ctx := errgroup.WithContext(ctx)
	batches := make(chan batch, checkoutWriters)
	for range checkoutWriters {
		g.Go(func() error {
			return guard.Run(func() error { return writeBatches(root, batches) })
		})
	}
	g.Go(func() error {
		defer close(batches)
		return guard.Run(func() error { return readBatches(ctx, s, root, files, batches) })
	})
	return g.Wait()
}

func writeBatches(root *os.Root, batches <-chan batch) error {
	for b := range batches {
		if err := b.write(root); err != nil {
			return err
		}
	}
	return nil
}

func readBatches(ctx context.Context, s Source, root *os.Root, files []File, out chan<- batch) error {
	var b batch
	total := int64(0)
	send := func() error {
		if len(b.files) == 0 {
			return nil
		}
		select {
		case out <- b:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for _, f := range files {
		dir, name := path.Split(f.Path)
		if dir != b.dir || len(b.files) >= batchFiles || b.bytes >= batchBytes {
			if err := send(); err != nil {
				return err
			}
			b = batch{dir: dir}
		}
		content, size, err := readOrStream(ctx, s, root, f)
		if err != nil {
			return fmt.Errorf("write %q: %w", f.Path, err)
		}
		if total += size; total > pack.MaxDelivered {
			return pack.Over("the delivery", total, pack.MaxDelivered, "bytes, or more")
		}
		if content == nil {
			continue
		}
		b.files = append(b.files, written{name, f.Mode, content})
		b.bytes += len(content)
	}
	return send()
}

// readOrStream returns a small blob's content; a large one it writes itself and
// returns nil.
func readOrStream(ctx context.Context, s Source, root *os.Root, f File) (content []byte, size int64, err error) {
	r, size, err := s.OpenBlob(ctx, f.Hash)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if size <= object.Large {
		content = make([]byte, size)
		_, err = io.ReadFull(r, content)
		return content, size, err
	}
	if size > pack.MaxDelivered {
		return nil, size, nil // the caller refuses it
	}
	w, err := create(root, f.Path, f.Mode)
	if err != nil {
		return nil, 0, err
	}
	n, err := io.Copy(w, pack.WithContext(ctx, r))
	if err == nil && n != size {
		err = fmt.Errorf("the blob %s has %d bytes instead of %d: %w", f.Hash, n, size, io.ErrUnexpectedEOF)
	}
	return nil, size, errors.Join(err, w.Close())
}

func (b batch) write(root *os.Root) error {
	if b.dir != "" {
		// Each open below a root looks at every folder on the way; once per batch
		// is enough.
		sub, err := root.OpenRoot(b.dir)
		if err != nil {
			return fmt.Errorf("write to %q: %w", b.dir, err)
		}
		defer func() { _ = sub.Close() }()
		root = sub
	}
	for _, f := range b.files {
		if err := f.write(root); err != nil {
			return fmt.Errorf("write %q: %w", b.dir+f.name, err)
		}
	}
	return nil
}

func (f written) write(root *os.Root) error {
	w, err := create(root, f.name, f.mode)
	if err != nil {
		return err
	}
	_, err = w.Write(f.content)
	return errors.Join(err, w.Close())
}

func create(root *os.Root, name string, mode filemode.FileMode) (*os.File, error) {
	permissions := fs.FileMode(0o644)
	if mode == filemode.Executable {
		permissions = 0o755
	}
	return root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, permissions)
}

// writeLinks comes last, so that no file can be written through a link. Targets
// may lead anywhere, as in git.
func writeLinks(ctx context.Context, s Source, root *os.Root, links []File) error {
	for _, f := range links {
		target, err := linkTarget(ctx, s, f.Hash)
		if err != nil {
			return fmt.Errorf("write the symbolic link %q: %w", f.Path, err)
		}
		if err := root.Symlink(target, f.Path); err != nil {
			return fmt.Errorf("write the symbolic link %q: %w", f.Path, err)
		}
	}
	return nil
}

func linkTarget(ctx context.Context, s Source, blob object.Hash) (string, error) {
	text, size, err := object.ReadBlob(ctx, s, blob, object.MaxPathLength)
	if err != nil {
		return "", err
	}
	if len(text) == 0 || slices.Contains(text, 0) {
		return "", fmt.Errorf("its target of %d bytes is not a path", size)
	}
	return string(text), nil
}
