package chartbump

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/provenance"
	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

// recorded is what the values say about one image.
type recorded struct {
	digest string
	provenance.Metadata
}

// record maps the names of images to what the values say. An image whose place
// is not there, or holds no digest, is missing.
type record map[string]recorded

// readRecord reads a values file. What it can't read it tells, as an old commit
// may have been made for another source.
func (s Source) readRecord(values []byte, logf func(string, ...any)) record {
	out := record{}
	f, err := yamledit.Parse(values, yamledit.Options{})
	if err != nil {
		logf("%s: %v", s.valuesPath(), err)
		return out
	}
	for _, img := range s.Images {
		v, err := f.Scalar(img.Path)
		if err != nil {
			logf("%s: image %s: %v", s.valuesPath(), img.Name, err)
			continue
		}
		found, err := parseShape(v.Text, target{image: img}.lastKey())
		if err != nil || found.digest == "" {
			logf("%s: image %s: line %d has no digest", s.valuesPath(), img.Name, v.Line)
			continue
		}
		m, _, err := provenance.Parse(v.Comment)
		if err != nil && !errors.Is(err, provenance.ErrNone) {
			logf("%s: image %s: line %d: %v", s.valuesPath(), img.Name, v.Line, err)
		}
		out[img.Name] = recorded{digest: found.digest, Metadata: m}
	}
	return out
}

// brings reports whether any image has a digest that it had not before.
func (r record) brings(before record) bool {
	for name, is := range r {
		if before[name].digest != is.digest {
			return true
		}
	}
	return false
}

// reader reads charts at commits.
type reader struct {
	src   Source
	store *git.Store
	logf  func(string, ...any)
}

// values is the blob of the values file, zero where there is none.
func (r reader) values(ctx context.Context, c *git.Commit) (git.Hash, error) {
	e, err := r.store.Lookup(ctx, c.Tree, r.src.valuesPath())
	if errors.Is(err, fs.ErrNotExist) || err == nil && !e.Mode.IsFile() {
		return git.Hash{}, nil
	}
	return e.Hash, err
}

// files are the blobs of Chart.yaml and of the values file in a tree of the base branch.
func (r reader) files(ctx context.Context, tree git.Hash) (chart, values git.Hash, err error) {
	if chart, err = r.lookup(ctx, tree, r.src.chartPath(), "source.chart names the folder of a chart"); err != nil {
		return chart, values, err
	}
	values, err = r.lookup(ctx, tree, r.src.valuesPath(), "source.values names the file")
	return chart, values, err
}

// lookup finds a regular file of the chart.
func (r reader) lookup(ctx context.Context, tree git.Hash, name, advice string) (git.Hash, error) {
	e, err := r.store.Lookup(ctx, tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		return git.Hash{}, fmt.Errorf("branch %s of %s has no file %s: %s%s", r.src.Branch, r.store.URL(), name, advice, r.store.Beside(ctx, tree, name))
	}
	if err != nil {
		return git.Hash{}, err
	}
	if e.Mode != filemode.Regular && e.Mode != filemode.Executable {
		return git.Hash{}, fmt.Errorf("%s on branch %s of %s is not a regular file", name, r.src.Branch, r.store.URL())
	}
	return e.Hash, nil
}

// checkPlaces returns an error if the values of a tree of the base branch lack a place of an image: no
// commit could bring a digest there, and a check would find nothing for ever.
func (r reader) checkPlaces(ctx context.Context, tree git.Hash) error {
	_, values, err := r.files(ctx, tree)
	if err != nil {
		return err
	}
	data, err := r.store.Blob(ctx, values)
	if err != nil {
		return fmt.Errorf("read %s: %w", r.src.valuesPath(), err)
	}
	f, err := parse(data, yamledit.Options{})
	if err != nil {
		return fmt.Errorf("%s on branch %s: %w", r.src.valuesPath(), r.src.Branch, err)
	}
	for _, img := range r.src.Images {
		if err := img.inValues(f); err != nil {
			return fmt.Errorf("%s on branch %s: %w", r.src.valuesPath(), r.src.Branch, err)
		}
	}
	return nil
}

// record reads a blob of the values file, which may be zero.
func (r reader) record(ctx context.Context, values git.Hash, logf func(string, ...any)) (record, error) {
	if values.IsZero() {
		return record{}, nil
	}
	data, err := r.store.Blob(ctx, values)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.src.valuesPath(), err)
	}
	return r.src.readRecord(data, logf), nil
}

// quiet drops what is said of commits that are only compared with.
func quiet(string, ...any) {}
