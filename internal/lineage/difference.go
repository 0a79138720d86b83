package lineage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/vendored"
)

// Difference is what one environment has and another one does not have.
type Difference struct {
	Has   Side `json:"has"`
	Lacks Side `json:"lacks"`
	// Releases are those that only the first one has.
	Releases []string          `json:"releases,omitempty"`
	Charts   []ChartDifference `json:"charts,omitempty"`
	Images   []ImageDifference `json:"images,omitempty"`
	Sources  []SourceSpan      `json:"sources,omitempty"`
	Files    []FileDifference  `json:"files,omitempty"`
	// Own counts the files of each that the patterns of the other one do not match. They are not compared.
	Own OwnFiles `json:"own_files"`
	// Compare is the address of a page with the commits between the two in the deployments repository, "" without one.
	Compare string `json:"compare,omitempty"`
	// Broken are the links that are missing in what the first one has.
	Broken   []Broken `json:"broken,omitempty"`
	NotAsked []string `json:"not_asked,omitempty"`
}

// Side is an environment of a Difference.
type Side struct {
	Environment string    `json:"environment"` // deployment/name
	Version     uint64    `json:"version"`     // 0 when nothing is recorded
	Since       time.Time `json:"since,omitzero"`
	Trigger     Commit    `json:"trigger"`
	Build       string    `json:"build,omitempty"`
	Releases    []string  `json:"releases,omitempty"`
}

// ChartDifference is a chart that the second environment has at another commit, or not at all: then Lacks is zero. Has is
// zero for one that is gone.
type ChartDifference struct {
	Path    string    `json:"path"`
	Name    string    `json:"name"`
	Has     ChartSide `json:"has"`
	Lacks   ChartSide `json:"lacks"`
	Compare string    `json:"compare,omitempty"`
	// Gone says that only the second environment has it.
	Gone bool `json:"-"`
}

// ChartSide is a chart as one environment has it.
type ChartSide struct {
	Version string `json:"version,omitempty"`
	Commit  Commit `json:"commit"`
}

// ImageDifference is an image that the second environment has with another digest, or not at all.
type ImageDifference struct {
	Image string `json:"image"`
	Path  string `json:"path"`
	Has   string `json:"has,omitempty"`
	Lacks string `json:"lacks,omitempty"`
}

// FileDifference is a file that the second environment has with other content, or not at all. A removed one is
// only in the second environment.
type FileDifference struct {
	Kind cepler.Kind `json:"kind"`
	Path string      `json:"path"`
	// Commit changed it last, in the first environment.
	Commit Commit `json:"commit"`
	Dirty  bool   `json:"dirty,omitempty"`
}

// OwnFiles are numbers of files.
type OwnFiles struct {
	Has   int `json:"has"`
	Lacks int `json:"lacks"`
}

// IsEmpty reports whether the first environment has nothing that the second one does not have.
func (d *Difference) IsEmpty() bool {
	return len(d.Charts)+len(d.Images)+len(d.Sources)+len(d.Files)+len(d.Releases) == 0
}

// MaxCommits bounds the commits of one repository that are listed one by one.
const MaxCommits = 100

// Difference says what the environment a has and b does not have. Each is a name, or "deployment/name".
func (r *Reader) Difference(ctx context.Context, q Question, a, b string) (*Difference, error) {
	if err := r.open(); err != nil {
		return nil, err
	}
	var sides [2]stateOf
	for i, name := range []string{a, b} {
		q.Environments = []string{name}
		sources, _, err := r.Sources(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(sources) > 1 {
			return nil, fmt.Errorf("%d deployments have an environment %s: write DEPLOYMENT/%s", len(sources), name, name)
		}
		if sides[i], err = r.stateOf(ctx, sources[0]); err != nil {
			return nil, err
		}
	}
	out, err := r.differ(ctx, sides[0], sides[1])
	if err != nil {
		return nil, err
	}
	out.NotAsked = r.NotAsked()
	return out, ctx.Err()
}

// Ahead says what an environment of a Trace has that another one of the same config does not have.
func (r *Reader) Ahead(ctx context.Context, l Look, a, b Environment) (*Difference, error) {
	var sides [2]stateOf
	for i, row := range []Environment{a, b} {
		sides[i] = stateOf{row: row, rules: l.View.Config.Environments[row.Name]}
		if row.Report != nil && row.Report.Plan != nil && row.Report.Plan.Own != nil {
			sides[i].current = row.Report.Plan.Own.Current
		}
	}
	return r.differ(ctx, sides[0], sides[1])
}

// stateOf is an environment with what its state consists of.
type stateOf struct {
	row     Environment
	rules   cepler.Environment
	current cepler.Snapshot
}

func (r *Reader) stateOf(ctx context.Context, src deployments.Source) (stateOf, error) {
	_, config, err := r.Config(ctx, src)
	if err != nil {
		return stateOf{}, err
	}
	row, state, err := r.recorded(ctx, src, nil)
	if err != nil {
		return stateOf{}, err
	}
	out := stateOf{row: row, rules: config.Environments[src.Environment]}
	if state != nil {
		out.current = state.Current
		out.row.Runs, err = r.contents(ctx, state.Current)
	}
	return out, err
}

// differ compares two environments.
func (r *Reader) differ(ctx context.Context, a, b stateOf) (*Difference, error) {
	out := &Difference{Has: a.side(), Lacks: b.side(), Broken: a.row.AllBroken()}
	for _, release := range out.Has.Releases {
		if !slices.Contains(out.Lacks.Releases, release) {
			out.Releases = append(out.Releases, release)
		}
	}
	out.Charts = ChartDifferences(b.row.Runs, a.row.Runs)
	for _, p := range ImagePairs(b.row.Runs, a.row.Runs) {
		if d := p.difference(); d.Has != d.Lacks {
			out.Images = append(out.Images, d)
		}
	}
	out.Files, out.Own = fileDifferences(a, b)
	if a.row.Version > 0 && b.row.Version > 0 {
		out.Compare = vendored.Compare(r.Address(), b.row.Trigger.Hash, a.row.Trigger.Hash)
	}
	var err error
	out.Sources, err = r.Spans(ctx, b.row.Runs, a.row.Runs, MaxCommits)
	return out, err
}

// Address is where the deployments repository comes from.
func (r *Reader) Address() string {
	if r.folder != nil {
		return r.folder.Origin()
	}
	return r.options.Deployments
}

func (s stateOf) side() Side {
	return Side{
		Environment: s.row.Key(), Version: s.row.Version, Since: s.row.Since, Trigger: s.row.Trigger, Build: s.row.Build,
		Releases: s.row.Runs.Releases(),
	}
}

// wants reports whether the environment would have a file at that path, if it could.
func (s stateOf) wants(p string) bool { return s.rules.Latest.Match(p) || s.rules.Propagated.Match(p) }

func fileDifferences(a, b stateOf) (all []FileDifference, own OwnFiles) {
	has, lacks := a.current.ByPath(), b.current.ByPath()
	for _, p := range slices.Sorted(maps.Keys(has)) {
		is := has[p]
		was, both := lacks[p]
		d := FileDifference{Kind: cepler.Changed, Path: p, Commit: Commit{Hash: is.From, Subject: is.Message}, Dirty: is.Dirty || was.Dirty}
		switch {
		case both && is.Hash == was.Hash && !d.Dirty:
			continue
		case !both && !b.wants(p):
			own.Has++
			continue
		case !both:
			d.Kind = cepler.Added
		}
		all = append(all, d)
	}
	for _, p := range slices.Sorted(maps.Keys(lacks)) {
		if _, both := has[p]; both {
			continue
		}
		if !a.wants(p) {
			own.Lacks++
			continue
		}
		all = append(all, FileDifference{Kind: cepler.Removed, Path: p})
	}
	return all, own
}

// side is what of a chart is compared, and the repository that it is vendored from.
func (c Chart) side() (s ChartSide, repository string) {
	s.Version = c.Version
	if c.Vendored != nil {
		s.Commit, repository = c.Vendored.Commit, c.Vendored.Repository
	}
	return s, repository
}

// ChartDifferences are the charts of after that before has otherwise, and those that only before has.
func ChartDifferences(before, after Contents) []ChartDifference {
	had := map[string]Chart{}
	for _, c := range before.Charts {
		had[c.Path] = c
	}
	var all []ChartDifference
	for _, c := range after.Charts {
		d := ChartDifference{Path: c.Path, Name: c.Name}
		var repository string
		d.Has, repository = c.side()
		was, both := had[c.Path]
		delete(had, c.Path)
		if both {
			d.Lacks, _ = was.side()
			d.Compare = vendored.Compare(repository, d.Lacks.Commit.Hash, d.Has.Commit.Hash)
		}
		if !both || d.Has.Version != d.Lacks.Version || d.Has.Commit.Hash != d.Lacks.Commit.Hash {
			all = append(all, d)
		}
	}
	for _, c := range before.Charts {
		if _, gone := had[c.Path]; gone {
			d := ChartDifference{Path: c.Path, Name: c.Name, Gone: true}
			d.Lacks, _ = c.side()
			all = append(all, d)
		}
	}
	return all
}

// ImagePair is an image of two states at one place; one of them is nil for an image that only the other state has.
type ImagePair struct{ Before, After *Image }

// ImagePairs are the images of two states by their places, in the order of the places.
func ImagePairs(before, after Contents) []ImagePair {
	at := map[string]*ImagePair{}
	add := func(images []Image, set func(p *ImagePair, i *Image)) {
		for _, i := range images {
			place := i.File + " " + i.Path
			if at[place] == nil {
				at[place] = &ImagePair{}
			}
			set(at[place], &i)
		}
	}
	add(before.AllImages(), func(p *ImagePair, i *Image) { p.Before = i })
	add(after.AllImages(), func(p *ImagePair, i *Image) { p.After = i })
	pairs := make([]ImagePair, 0, len(at))
	for _, place := range slices.Sorted(maps.Keys(at)) {
		pairs = append(pairs, *at[place])
	}
	return pairs
}

// Image is the later one or, if there is none, the earlier one.
func (p ImagePair) Image() Image {
	if p.After != nil {
		return *p.After
	}
	return *p.Before
}

func (p ImagePair) difference() ImageDifference {
	d := ImageDifference{Image: p.Image().Repository, Path: p.Image().Path}
	if p.After != nil {
		d.Has = p.After.Digest
	}
	if p.Before != nil {
		d.Lacks = p.Before.Digest
	}
	return d
}

// Releases are the releases of what a state consists of: the tags of its sources or, where those are not known,
// the app versions that its charts state.
func (c *Contents) Releases() []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, i := range c.AllImages() {
		if i.Source != nil && len(i.Source.Releases) > 0 {
			add(i.Source.Releases[0])
		}
	}
	if len(names) == 0 {
		for _, chart := range c.Charts {
			add(chart.AppVersion)
		}
	}
	return names
}

// SourceSpan is what lies between two commits of a repository that images were built from.
type SourceSpan struct {
	Repository string `json:"repository"`
	// Before and After are commits, short or full.
	Before string `json:"before"`
	After  string `json:"after"`
	// Compare is the address of a page with the commits between, "" without one.
	Compare string `json:"compare,omitempty"`
	*Span
	// Why says why the commits between are not known, and NotAtHand that nobody said where the repository can be read.
	Why       string `json:"why,omitempty"`
	NotAtHand bool   `json:"-"`
}

// Spans are what lies between the sources of two states' images, once for each pair of commits. At most limit
// commits of each are listed.
func (r *Reader) Spans(ctx context.Context, before, after Contents, limit int) ([]SourceSpan, error) {
	var all []SourceSpan
	for _, p := range ImagePairs(before, after) {
		if p.Before == nil || p.After == nil || p.Before.Source == nil || p.After.Source == nil {
			continue
		}
		was, is := p.Before.Source, p.After.Source
		same := func(s SourceSpan) bool {
			return sameRepository(s.Repository, is.Repository) && s.Before == was.Commit.Hash && s.After == is.Commit.Hash
		}
		if !sameRepository(was.Repository, is.Repository) || was.Commit.Hash == is.Commit.Hash || slices.ContainsFunc(all, same) {
			continue
		}
		s, err := r.span(ctx, SourceSpan{Repository: is.Repository, Before: was.Commit.Hash, After: is.Commit.Hash}, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// span fills in the commits between.
func (r *Reader) span(ctx context.Context, s SourceSpan, limit int) (SourceSpan, error) {
	s.Compare = vendored.Compare(s.Repository, s.Before, s.After)
	between, err := r.between(ctx, s.Repository, s.Before, s.After, limit)
	if ctx.Err() != nil {
		return s, context.Cause(ctx)
	}
	if err != nil {
		s.Why, s.NotAtHand = err.Error(), errors.Is(err, errNotAtHand)
	}
	s.Span = between
	return s, nil
}

// facts are the difference in the order of the chain.
func (d *Difference) facts() []fact {
	var all []fact
	if len(d.Releases) > 0 {
		all = append(all, fact{Name: "releases", Lines: [][]string{{strings.Join(d.Releases, ", ")}}})
	}
	for _, c := range d.Charts {
		f := fact{Name: "chart", Lines: [][]string{{c.Name, c.Has.String(), fmt.Sprintf("(there: %s)", c.Lacks)}}}
		all = append(all, f.linked(c.Compare))
	}
	for _, i := range d.Images {
		all = append(all, fact{Name: "image", Lines: [][]string{{cmp.Or(i.Image, "an image without a name"), cmp.Or(ShortDigest(i.Has), "not there"), fmt.Sprintf("(there: %s)", cmp.Or(ShortDigest(i.Lacks), "not there")), i.Path}}})
	}
	for _, s := range d.Sources {
		all = append(all, s.fact())
	}
	if len(d.Files) > 0 {
		all = append(all, d.files().linked(d.Compare))
	}
	for _, b := range d.Broken {
		all = append(all, b.fact("not known"))
	}
	return all
}

func (f fact) linked(address string) fact {
	if address != "" {
		f.Lines = append(f.Lines, []string{address})
	}
	return f
}

// String is the version and commit.
func (c ChartSide) String() string {
	switch {
	case c.Commit.Hash != "" && c.Version != "":
		return c.Version + " at " + c.Commit.Short()
	case c.Commit.Hash != "":
		return c.Commit.Short()
	case c.Version != "":
		return c.Version
	}
	return "not there"
}

// ShortDigest is as much of a digest as people look at.
func ShortDigest(digest string) string {
	const shown = len("sha256:") + 12
	return digest[:min(len(digest), shown)]
}

// fact has the commits between, the newest first.
func (s SourceSpan) fact() fact {
	head := []string{RepositoryName(s.Repository), fmt.Sprintf("%.7s", s.After), fmt.Sprintf("(there: %.7s)", s.Before)}
	f := fact{Name: "source", Lines: [][]string{head}}.linked(s.Compare)
	if s.Span == nil {
		f.Lines = append(f.Lines, []string{"the commits between are not known: " + s.Why})
		return f
	}
	for _, c := range s.Commits {
		f.Lines = append(f.Lines, Commit{Hash: c.Hash, Subject: cepler.Summary(c.Message)}.pieces())
	}
	if more := s.Total - len(s.Commits); more > 0 {
		f.Lines = append(f.Lines, []string{fmt.Sprintf("and %d older commits", more)})
	}
	if s.Back > 0 {
		f.Lines = append(f.Lines, []string{fmt.Sprintf("and it lacks %s", thatAreThere(s.Back))})
	}
	return f
}

// maxFiles bounds the files that are listed one by one.
const maxFiles = 50

func (d *Difference) files() fact {
	f := fact{Name: "files"}
	for i, file := range d.Files {
		if i == maxFiles {
			f.Lines = append(f.Lines, []string{fmt.Sprintf("and %d more", len(d.Files)-i)})
			break
		}
		line := []string{fmt.Sprintf("%s %s", file.Kind, file.Path)}
		if file.Commit.Hash != "" {
			line = append(line, file.Commit.pieces()...)
		}
		if file.Dirty {
			line = append(line, "dirty: its content is not known")
		}
		f.Lines = append(f.Lines, line)
	}
	return f
}

func thatAreThere(commits int) string {
	if commits == 1 {
		return "1 commit that is there"
	}
	return fmt.Sprintf("%d commits that are there", commits)
}
