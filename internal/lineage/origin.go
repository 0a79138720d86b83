package lineage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/taxiway-ci/taxiway/internal/git"
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
	o.broken = append(o.broken, Broken{LinkChart, where, fmt.Sprintf(format, args...)})
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
			differing, err := o.compare(ctx, charts, c)
			if err != nil {
				return err
			}
			if len(differing) == 0 {
				o.out.Commit, o.out.Verified = commit(c), true
				return nil
			}
			o.say(o.content.dir, "the vendored files are not those of commit %.7s: %s", hash, some(differing))
		}
	}
	if len(candidates) == 1 {
		// what vendir.yml says stands, though it is not all of the truth
		o.out.Commit = Commit{Hash: candidates[0], Subject: o.content.lockedTitle}
	}
	return nil
}

// compare are the vendored files that are not as the chart's commit has them,
// or not there.
func (o *origin) compare(ctx context.Context, charts *clone, c *git.Commit) ([]string, error) {
	var differing []string
	for _, p := range o.state.below(o.content.dir) {
		rel := strings.TrimPrefix(strings.TrimPrefix(p, o.content.dir), "/")
		entry, err := charts.store.Lookup(ctx, c.Tree, path.Join(o.content.newRoot, rel))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			differing = append(differing, rel+" (is not there)")
		case err != nil:
			return nil, fmt.Errorf("compare %s with %.7s of %s: %w", p, c.Hash, charts.place, err)
		case entry.Hash.String() != o.state.files[p].Hash:
			differing = append(differing, rel)
		}
	}
	missing, err := o.missing(ctx, charts, c)
	return append(differing, missing...), err
}

// missing are the files that vendir would have copied, and that are not in the
// commit of the deployments repository.
func (o *origin) missing(ctx context.Context, charts *clone, c *git.Commit) ([]string, error) {
	var missing []string
	root := o.content.newRoot
	descend := func(dir string) bool { return within(dir, root) || within(root, dir) }
	err := charts.store.Walk(ctx, c.Tree, descend, func(p string, _ git.Entry) error {
		if !within(p, root) || !o.content.copies(p) {
			return nil
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(p, root), "/")
		_, err := o.reader.store.Lookup(ctx, o.in.Tree, path.Join(o.content.dir, rel))
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, rel+" (was not copied)")
			return nil
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the files of %.7s of %s: %w", c.Hash, charts.place, err)
	}
	return missing, nil
}

// copies reports whether vendir copies the file at a path of its repository.
func (c *vendirContent) copies(p string) bool {
	match := func(pattern string) bool {
		ok, err := doublestar.Match(pattern, p)
		return ok && err == nil
	}
	if slices.ContainsFunc(c.exclude, match) {
		return false
	}
	return len(c.include) == 0 || slices.ContainsFunc(c.include, match)
}

// some names the first few of many.
func some(list []string) string {
	const shown = 3
	slices.Sort(list)
	if len(list) <= shown {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}
