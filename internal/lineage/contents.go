package lineage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// snapshot is a state's files by path.
type snapshot struct {
	cepler.Snapshot

	files map[string]cepler.File
	paths []string // sorted
}

func newSnapshot(s cepler.Snapshot) *snapshot {
	out := &snapshot{Snapshot: s, files: s.ByPath()}
	out.paths = slices.Sorted(maps.Keys(out.files))
	return out
}

// below are the paths in a folder and its folders.
func (s *snapshot) below(dir string) []string {
	var found []string
	for _, p := range s.paths {
		if within(p, dir) {
			found = append(found, p)
		}
	}
	return found
}

// within reports whether p is dir or in it; "" and "." are the root.
func within(p, dir string) bool {
	return dir == "" || dir == "." || p == dir || strings.HasPrefix(p, dir+"/")
}

const chartFile = "Chart.yaml"

// contents finds the charts and images in a state.
func (r *Reader) contents(ctx context.Context, s cepler.Snapshot) (Contents, error) {
	state := newSnapshot(s)
	out := Contents{Broken: dirty(state)}
	charts := map[string]*Chart{}
	for _, p := range state.paths {
		if path.Base(p) == chartFile {
			charts[path.Dir(p)] = &Chart{Path: path.Dir(p)}
		}
	}
	for _, p := range state.paths {
		images, broken, err := r.imagesIn(ctx, state, p)
		if err != nil {
			return out, err
		}
		if c := chartOf(charts, p); c != nil {
			c.Images, c.Broken = append(c.Images, images...), append(c.Broken, broken...)
			continue
		}
		out.Images, out.Broken = append(out.Images, images...), append(out.Broken, broken...)
	}
	for _, dir := range slices.Sorted(maps.Keys(charts)) {
		c := charts[dir]
		if chartOf(charts, path.Dir(dir)) != nil && len(c.Images)+len(c.Broken) == 0 {
			continue // a chart inside of another one, which says it all
		}
		if err := r.chart(ctx, state, c); err != nil {
			return out, err
		}
		out.Charts = append(out.Charts, *c)
	}
	return out, ctx.Err()
}

// dirty names the files that were not as git has them when they were deployed.
func dirty(s *snapshot) []Broken {
	var broken []Broken
	for _, p := range s.paths {
		switch f := s.files[p]; {
		case f.Hash == "":
			broken = append(broken, Broken{LinkFiles, p, "the file was not there when the state was deployed, though git has it"})
		case f.Dirty:
			broken = append(broken, Broken{LinkFiles, p, fmt.Sprintf("the record is dirty: a file with content %.7s was deployed that git does not have there", f.Hash)})
		}
	}
	return broken
}

// chartOf is the nearest chart that the path is in; nil without one.
func chartOf(charts map[string]*Chart, p string) *Chart {
	for dir := p; dir != "." && dir != "/"; dir = path.Dir(dir) {
		if c, ok := charts[dir]; ok {
			return c
		}
	}
	return charts["."]
}

// blob is the content of a state's file; false when git does not have it.
func (r *Reader) blob(ctx context.Context, f cepler.File) (data []byte, ok bool, err error) {
	h, ok := deployments.FullCommit(f.Hash)
	if !ok {
		return nil, false, nil
	}
	data, err = r.store.Blob(ctx, h)
	if errors.Is(err, git.ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// chart says what the chart is and where it came from.
func (r *Reader) chart(ctx context.Context, s *snapshot, c *Chart) error {
	at := path.Join(c.Path, chartFile)
	data, ok, err := r.blob(ctx, s.files[at])
	if err != nil {
		return err
	}
	var about deployments.Chart
	if !ok {
		c.Broken = append(c.Broken, Broken{linkChart, at, "git does not have the content that was deployed"})
	} else if about, err = deployments.ParseChart(data); err != nil {
		c.Broken = append(c.Broken, Broken{linkChart, at, fmt.Sprintf("it does not parse: %v", err)})
	}
	c.Name, c.Version, c.AppVersion = about.Name, about.Version, about.AppVersion
	if c.Name == "" {
		c.Name = path.Base(c.Path)
	}
	return r.vendored(ctx, s, c)
}

// vendored finds out whether and from where vendir copied the chart.
func (r *Reader) vendored(ctx context.Context, s *snapshot, c *Chart) error {
	in, err := r.holding(ctx, s, c.Path)
	if err != nil {
		return err
	}
	if in == nil {
		c.Broken = append(c.Broken, Broken{linkChart, c.Path, "its files are those of no single commit that is here, so no vendir.yml says where they came from"})
		return nil
	}
	content, broken, err := r.vendirContent(ctx, in, c.Path)
	c.Broken = append(c.Broken, broken...)
	if err != nil || content == nil {
		return err
	}
	o := origin{reader: r, state: s, in: in, content: content, out: &Vendored{
		Config: content.file, In: in.Hash.String(), Repository: content.url, Ref: content.ref, Path: content.newRoot,
	}}
	err = o.find(ctx)
	c.Vendored, c.Broken = o.out, append(c.Broken, o.broken...)
	return err
}

// holding is a commit of the deployments repository in which the files below dir
// are just as the state has them; nil when there is none. The commit that
// changed them last is the likeliest one, as vendir.yml was changed with them;
// where several branches changed them it is the commit that was deployed.
func (r *Reader) holding(ctx context.Context, s *snapshot, dir string) (*git.Commit, error) {
	changed, err := r.newestOf(ctx, s.Snapshot, func(p string) bool { return within(p, dir) })
	if err != nil {
		return nil, err
	}
	for _, c := range []*git.Commit{changed, r.known(ctx, s.Head), r.known(ctx, s.PropagatedHead)} {
		if c == nil {
			continue
		}
		same, err := r.holds(ctx, c, s, dir)
		if same || err != nil {
			return c, err
		}
	}
	return nil, nil //nolint:nilnil // documented
}

// holds reports whether a commit has the state's files below dir.
func (r *Reader) holds(ctx context.Context, c *git.Commit, s *snapshot, dir string) (bool, error) {
	for _, p := range s.below(dir) {
		entry, err := r.store.Lookup(ctx, c.Tree, p)
		if errors.Is(err, fs.ErrNotExist) || err == nil && entry.Hash.String() != s.files[p].Hash {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("look for %s at %.7s: %w", p, c.Hash, err)
		}
	}
	return true, nil
}
