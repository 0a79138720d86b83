package lineage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/vendored"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// origin looks for the commit that a vendored folder is a copy of.
type origin struct {
	reader  *Reader
	state   *snapshot
	in      *git.Commit // of the deployments repository
	content *vendirContent

	out    *Vendored
	broken []Broken
}

func (o *origin) say(where, format string, args ...any) {
	o.broken = append(o.broken, Broken{linkChart, where, fmt.Sprintf(format, args...)})
}

func (o *origin) find(ctx context.Context) error {
	var candidates []string
	candidates, o.broken = o.content.candidates()
	if len(candidates) == 0 {
		return nil
	}
	charts, err := o.reader.clone(ctx, o.content.url)
	if err != nil {
		o.say(o.content.url, "%v", err)
	}
	if charts != nil {
		return o.verify(ctx, charts, candidates)
	}
	if len(candidates) == 1 {
		o.out.Commit = Commit{Hash: candidates[0], Subject: o.content.lockedTitle}
	}
	return ctx.Err()
}

// verify compares the state's files with those of the candidates.
func (o *origin) verify(ctx context.Context, charts *clone, candidates []string) error {
	for _, hash := range candidates {
		c, err := charts.commit(ctx, hash)
		if err != nil {
			return err
		}
		if c == nil {
			o.say(o.content.url, "commit %.7s is not there: it was never pushed, its branch was rewritten, or %s is not up to date", hash, charts.place)
		} else {
			same, err := o.isCopyOf(ctx, charts, c)
			if same || err != nil {
				return err
			}
		}
	}
	if len(candidates) == 1 {
		// what vendir.yml says stands, though it is not all of the truth
		o.out.Commit = Commit{Hash: candidates[0], Subject: o.content.lockedTitle}
	}
	return nil
}

// isCopyOf reports whether the files are those of the commit, and says so.
func (o *origin) isCopyOf(ctx context.Context, charts *clone, c *git.Commit) (bool, error) {
	differing, err := o.compare(ctx, charts, c)
	if why := (*incomparableError)(nil); errors.As(err, &why) {
		o.say(o.content.file, "the vendored files cannot be compared with those of commit %.7s: %v", c.Hash, err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if len(differing) > 0 {
		o.say(o.content.dir, "the vendored files are not those of commit %.7s: %s", c.Hash, visible.List(slices.Sorted(slices.Values(differing)), 3)) //nolint:mnd // people look at a few
		return false, nil
	}
	o.out.Commit, o.out.Verified = CommitOf(c), true
	return true, nil
}

// compare are the vendored files that are not as vendir would copy them from the
// commit, or not there.
func (o *origin) compare(ctx context.Context, charts *clone, c *git.Commit) ([]string, error) {
	text, err := o.reader.file(ctx, o.in, o.content.file)
	if err != nil {
		return nil, err
	}
	content, err := vendored.ReadContent(text, o.content.target)
	if err != nil {
		return nil, &incomparableError{err}
	}
	want, err := content.Select(ctx, vendored.OriginAt(charts.store, c))
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, &incomparableError{err}
	}
	var differing []string
	for _, p := range o.state.below(o.content.dir) {
		name := strings.TrimPrefix(p, o.content.dir+"/")
		if f, ok := want[name]; !ok {
			differing = append(differing, name+" (is not there)")
		} else if f.Hash.String() != o.state.files[p].Hash {
			differing = append(differing, name)
		}
	}
	for name := range want {
		// an environment need not look at all of the files
		_, err := o.reader.store.Lookup(ctx, o.in.Tree, path.Join(o.content.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			differing = append(differing, name+" (was not copied)")
		} else if err != nil {
			return nil, fmt.Errorf("compare %s with %.7s of %s: %w", o.content.dir, c.Hash, charts.place, err)
		}
	}
	return differing, nil
}

// incomparableError says why the files cannot be compared.
type incomparableError struct{ err error }

func (e *incomparableError) Error() string { return e.err.Error() }

func (e *incomparableError) Unwrap() error { return e.err }
