package deployments

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/strict"
)

// Deployed is a recorded deployment, and what it replaced. All of it follows from the record.
type Deployed struct {
	Deployment, Environment string
	// Number is that of the record, and Commit the one that made it.
	Number uint64
	Commit *git.Commit
	// Releases are the app versions of the charts that were deployed.
	Releases []string
	// Was is the number of the record that it replaced, 0 for the first one, with its releases.
	Was         uint64
	WasReleases []string
	// RollbackOf is the record that it takes back, 0 for an ordinary one.
	RollbackOf uint64
	// Build is the page of the build that recorded it, "" when that is not known.
	Build string
	// Gate is the gate at the time; "" without one. OpenedBy is who moved it to there since the record
	// before, see [Source.MovedBy]; "" when nobody did.
	Gate, OpenedBy string
}

// Deployed tells what the record with the number of a version deployed.
func (r *Repository) Deployed(ctx context.Context, version Version, environment string) (*Deployed, error) {
	out, err := r.restoring(ctx, version, environment)
	if err != nil {
		return nil, err
	}
	p := out.Config.StatePath(environment)
	rec, err := r.recordNumbered(ctx, p, version.number())
	if err != nil {
		return nil, err
	}
	said := TrailersOf(rec.commit)
	d := &Deployed{
		Deployment: out.Config.Deployment, Environment: environment, Number: rec.state.Version, Commit: rec.commit,
		RollbackOf: said.RollbackOf, Build: said.Build, Gate: said.Gate,
	}
	if d.Releases, err = r.releases(ctx, rec.state.Current); err != nil {
		return nil, err
	}
	parent, was, err := r.before(ctx, rec.commit, p)
	if err != nil {
		return nil, err
	}
	gateBefore := ""
	if was != nil {
		d.Was = was.Version
		if d.WasReleases, err = r.releases(ctx, was.Current); err != nil {
			return nil, err
		}
		last, err := r.recordOf(ctx, parent, p)
		if err != nil {
			return nil, err
		}
		gateBefore = trailer(last.commit.Message, gateTrailer)
	}
	if d.Gate != gateBefore && (gateBefore != "" || d.Gate != headGate) { // HEAD may have been the gate before, too
		d.OpenedBy, err = r.openedBy(ctx, d)
	}
	return d, err
}

// recordNumbered is the newest record of a state file that has the number.
func (r *Repository) recordNumbered(ctx context.Context, p string, number uint64) (record, error) {
	head, err := r.head(ctx)
	if err != nil {
		return record{}, err
	}
	for c, err := range r.historyOf(ctx, head.Hash, p, 0) {
		if err != nil {
			return record{}, err
		}
		state, err := r.StateAt(ctx, c, p)
		if ignoreBroken(err) != nil {
			return record{}, err
		}
		if state != nil && state.Version == number {
			return record{c, state}, nil
		}
	}
	return record{}, fmt.Errorf("%w: %s was never recorded with version %d", ErrVersion, p, number)
}

// maxReleases bounds the charts whose app versions are named.
const maxReleases = 3

// Chart is what a Chart.yaml says about the chart; what it does not say is empty.
type Chart struct {
	Name       string `yaml:"name"`
	Version    string `yaml:"version"`
	AppVersion string `yaml:"appVersion"`
}

// ParseChart reads a Chart.yaml. Other keys are left to Helm.
func ParseChart(data []byte) (c Chart, err error) {
	err = strict.YAML(data, &c)
	return c, err
}

// releases are the app versions of a state's charts, without those of charts inside of other charts.
func (r *Repository) releases(ctx context.Context, s cepler.Snapshot) ([]string, error) {
	const chartFile = "Chart.yaml"
	charts := map[string]string{} // the hash by the folder
	for p, f := range s.ByPath() {
		if path.Base(p) == chartFile && f.Hash != "" {
			charts[path.Dir(p)] = f.Hash
		}
	}
	var all []string
	for dir, hash := range charts {
		if inside(charts, dir) {
			continue
		}
		h, ok := parseHash(hash)
		if !ok {
			continue
		}
		data, err := r.store.Blob(ctx, h)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			continue // a file that was changed on disk
		}
		if about, err := ParseChart(data); err == nil && about.AppVersion != "" {
			all = append(all, about.AppVersion)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), maxReleases)], nil
}

// inside reports whether a chart's folder is in that of another one.
func inside(charts map[string]string, dir string) bool {
	for dir != "." {
		dir = path.Dir(dir)
		if _, ok := charts[dir]; ok {
			return true
		}
	}
	return false
}

// openedBy is who moved the gate to where it was for a record.
func (r *Repository) openedBy(ctx context.Context, d *Deployed) (string, error) {
	if r.src.GatesFile == "" || d.Gate == "" {
		return "", nil
	}
	refs, err := r.refs(ctx, r.src.GatesRef())
	if err != nil {
		return "", err
	}
	tip, err := r.tip(ctx, refs, r.src.GatesRef())
	if err != nil {
		return "", err
	}
	changes, err := r.GateChanges(ctx, tip.Hash, d.Environment, func(c GateChange) bool { return c.wasAt(d) })
	if err != nil || len(changes) == 0 {
		return "", err
	}
	opened := changes[len(changes)-1]
	if !opened.wasAt(d) {
		return "", nil
	}
	return r.src.MovedBy(opened.Commit), nil
}

// wasAt reports whether a change of the gate may be the one that a record was made with.
func (c GateChange) wasAt(d *Deployed) bool {
	return c.Gate == d.Gate && !c.Commit.Committer.When.After(d.Commit.Committer.When)
}

// Mover is the person who moved a gate by a commit; "" when git does not know: the author of a squash is
// who opened the pull request, and not who merged it.
func (s Source) Mover(c *git.Commit) string {
	if len(c.Parents) == 1 && PullOf(c) != "" {
		return ""
	}
	return s.Person(c)
}

// MovedBy names who moved a gate by a commit: the person, or else the pull request, or else the bot.
func (s Source) MovedBy(c *git.Commit) string {
	if by := s.Mover(c); by != "" {
		return by
	}
	if pull := PullOf(c); pull != "" {
		return "pull request #" + pull
	}
	return c.Author.Name
}

// proposalTrailer is in the commits of pull requests that bots of this suite keep.
const proposalTrailer = "Proposal"

// Person is who made a commit of this suite's bot that of a person: the author or, of a commit that was
// rebased, the committer; "" when it is the bot's alone.
func (s Source) Person(c *git.Commit) string {
	bot := s.Committer(time.Time{})
	switch {
	case trailer(c.Message, proposalTrailer) == "" && (c.Author.Name != bot.Name || c.Author.Email != bot.Email):
		return c.Author.Name
	case c.Committer.Name != c.Author.Name && c.Committer.Name != "GitHub":
		return c.Committer.Name
	}
	return ""
}

// pullNumber is what a forge adds to the first line of a merge or a squash.
var pullNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^Merge pull request #(\d+) |\(#(\d+)\)\s*$`) })

// PullOf is the number of the pull request that a commit merged, as its message says; "" for none.
func PullOf(c *git.Commit) string {
	subject, _, _ := strings.Cut(c.Message, "\n")
	if found := pullNumber().FindStringSubmatch(subject); found != nil {
		return found[1] + found[2]
	}
	return ""
}
