package lineage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/fault"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// Options say where things are.
type Options struct {
	// Deployments is a clone of the deployments repository, or a bare one. It is
	// read as it is; nothing is fetched, and no work tree is looked at.
	Deployments string
	// Clones says where the repositories of charts and sources can be read: a
	// folder or an address by the address that vendir.yml and METADATA give. The
	// notations of one repository (ssh, https, with .git) are the same.
	Clones map[string]string
	// Access is for those that need credentials, by address too.
	Access map[string]git.Access
	// Store reads the deployments repository in place of a clone, with the refs of the repository that it
	// is a copy of. The reader does not close it.
	Store *git.Store
	Refs  deployments.Refs
	// Labels asks a registry about an image; nil: none is asked.
	Labels Labeller
	// Logf tells what takes time; it may be nil.
	Logf func(format string, args ...any)
}

// Reader reads one deployments repository. It is for one goroutine at a time,
// and sees commits that are made while it is there.
type Reader struct {
	options Options
	store   *git.Store // nil until it is needed
	folder  *git.Clone // nil if the options have a store
	clones  map[string]*clone
	labels  map[string]labelled // by image
	missing map[string]bool     // repositories that nobody says where to read
	unasked bool                // about labels
	parsed  map[git.Hash]*cepler.Config
	twice   map[string]bool // deployments that several configs have
}

// Deployment is what a config's deployment is called here: its name, and its path behind it where another config has the same name.
func (r *Reader) Deployment(config *cepler.Config) string {
	if r.twice[config.Deployment] {
		return config.Deployment + "@" + config.Path
	}
	return config.Deployment
}

// TellApart notes which deployments several configs of the sources have, for [Reader.Deployment].
func (r *Reader) TellApart(ctx context.Context, sources []deployments.Source) error {
	configs := make([]*cepler.Config, len(sources))
	for i, src := range sources {
		var err error
		if _, configs[i], err = r.Config(ctx, src); err != nil {
			return err
		}
	}
	r.tellApart(configs)
	return nil
}

// tellApart notes which deployments several configs have.
func (r *Reader) tellApart(configs []*cepler.Config) {
	first := map[string]string{}
	r.twice = map[string]bool{}
	for _, c := range configs {
		if other, ok := first[c.Deployment]; ok && other != c.Path {
			r.twice[c.Deployment] = true
		}
		first[c.Deployment] = c.Path
	}
}

// New begins to read; nothing is opened yet.
func New(o Options) *Reader {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	return &Reader{options: o, clones: map[string]*clone{}, labels: map[string]labelled{}, missing: map[string]bool{}, parsed: map[git.Hash]*cepler.Config{}}
}

// Close gives files back.
func (r *Reader) Close() error {
	var errs []error
	if r.folder != nil {
		errs = append(errs, r.folder.Close())
	}
	r.folder, r.store = nil, nil
	for _, c := range r.clones {
		errs = append(errs, c.close())
	}
	r.clones = map[string]*clone{}
	return errors.Join(errs...)
}

// open makes the deployments repository readable.
func (r *Reader) open() error {
	if r.store != nil {
		return nil
	}
	if r.options.Store != nil {
		r.store = r.options.Store
		return nil
	}
	folder, err := git.OpenClone(r.options.Deployments)
	if err != nil {
		return err
	}
	r.folder, r.store = folder, folder.Store
	return nil
}

// refs are those of the deployments repository.
func (r *Reader) refs() (map[string]git.Hash, error) {
	if err := r.open(); err != nil {
		return nil, err
	}
	if r.folder == nil {
		return r.options.Refs, nil
	}
	return r.folder.Refs()
}

// Read looks at each source's environment, in the order of the sources, and at
// what comes next for it at the time now. What cannot be read of an environment
// is one of its broken links. The looks are what they were decided by, one for each config.
func (r *Reader) Read(ctx context.Context, sources []deployments.Source, now time.Time) ([]Environment, []Look, error) {
	reports, looks, err := r.reports(ctx, sources, now)
	if err != nil {
		return nil, nil, err
	}
	if err := r.TellApart(ctx, sources); err != nil {
		return nil, nil, err
	}
	rows := make([]Environment, 0, len(sources))
	for i, src := range sources {
		row, err := r.one(ctx, src, reports[i])
		if err != nil {
			return nil, nil, fmt.Errorf("what %s of %s runs: %w", src.Environment, src.ConfigPath(), err)
		}
		_, config, err := r.Config(ctx, src)
		if err != nil {
			return nil, nil, err
		}
		row.Deployment = r.Deployment(config)
		rows = append(rows, row)
	}
	return rows, looks, nil
}

// reports are what the resource itself says of the sources' environments: one look at each config, for all of its environments.
func (r *Reader) reports(ctx context.Context, sources []deployments.Source, now time.Time) ([]deployments.EnvironmentReport, []Look, error) {
	if err := r.open(); err != nil {
		return nil, nil, err
	}
	all := make([]deployments.EnvironmentReport, len(sources))
	groups := map[string][]int{}
	for i, src := range sources {
		key := fmt.Sprintf("%q %q %q %q %t", src.Branch, src.ConfigPath(), src.GatesBranch, src.GatesFile, src.IgnoreQueue)
		groups[key] = append(groups[key], i)
	}
	var looks []Look
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		group := groups[key]
		var names []string
		for _, i := range group {
			names = append(names, sources[i].Environment)
		}
		look, explained, err := r.look(ctx, sources[group[0]], now, names)
		if err != nil {
			return nil, nil, fmt.Errorf("what the environments of %s run: %w", sources[group[0]].ConfigPath(), err)
		}
		looks = append(looks, look)
		for n, i := range group {
			all[i] = explained.Environments[n]
		}
	}
	return all, looks, nil
}

func (r *Reader) look(ctx context.Context, src deployments.Source, now time.Time, names []string) (Look, *deployments.Explanation, error) {
	src.Environment = ""
	l := Look{Repository: deployments.Copy(src, r.store, r.refs, func(string, ...any) {}), Source: src}
	var err error
	if l.View, err = l.ViewNow(ctx); err != nil {
		return l, nil, err
	}
	explained, err := l.Explain(ctx, l.View, now, names...)
	return l, explained, err
}

// one is a whole row. A file of the repository that cannot be understood breaks
// the row and not the others.
func (r *Reader) one(ctx context.Context, src deployments.Source, report deployments.EnvironmentReport) (Environment, error) {
	row, state, err := r.recorded(ctx, src, report.Record)
	if errors.Is(err, cepler.ErrState) {
		row.Broken = append(row.Broken, Broken{LinkRecord, row.Key(), err.Error()})
		return row, nil
	}
	if err != nil {
		return row, err
	}
	if state != nil {
		if row.Runs, err = r.contents(ctx, state.Current); err != nil {
			return row, err
		}
	}
	err = r.next(ctx, &row, report)
	if why := (*unexplainedError)(nil); errors.As(err, &why) {
		row.Broken = append(row.Broken, Broken{LinkRecord, row.Key(), fmt.Sprintf("what comes next cannot be said: %v", err)})
		return row, nil
	}
	return row, err
}

// unexplainedError is what keeps the resource itself from an answer.
type unexplainedError struct{ why string }

func (e *unexplainedError) Error() string { return e.why }

// Key is the source's "deployment/environment".
func (r *Reader) Key(ctx context.Context, src deployments.Source) (string, error) {
	_, config, err := r.Config(ctx, src)
	if err != nil {
		return "", err
	}
	return Environment{Deployment: r.Deployment(config), Name: src.Environment}.Key(), nil
}

// Recorded is what the source's environment runs, without its contents.
func (r *Reader) Recorded(ctx context.Context, src deployments.Source) (Environment, error) {
	row, _, err := r.recorded(ctx, src, nil)
	return row, err
}

// recorded is what the environment runs, and its state. Record is the commit that recorded it, nil if that is not known yet.
func (r *Reader) recorded(ctx context.Context, src deployments.Source, record *git.Commit) (Environment, *cepler.State, error) {
	head, config, err := r.Config(ctx, src)
	if err != nil {
		return Environment{}, nil, err
	}
	env, err := config.Environment(src.Environment)
	if err != nil {
		return Environment{}, nil, err
	}
	row := Environment{Deployment: config.Deployment, Name: env.Name, Passed: env.Passed}
	at := config.StatePath(env.Name)
	text, err := r.file(ctx, head, at)
	if errors.Is(err, fs.ErrNotExist) {
		return row, nil, nil
	}
	if err != nil {
		return row, nil, err
	}
	state, err := cepler.ParseState(at, text)
	if err != nil {
		return row, nil, err
	}
	if record == nil {
		newest, err := r.store.Newest(ctx, head.Hash, []string{at})
		if err != nil {
			return row, state, fmt.Errorf("find when %s was recorded: %w", row.Key(), err)
		}
		record = newest[at]
	}
	if record == nil {
		return row, state, fmt.Errorf("find when %s was recorded: no commit changes %s", row.Key(), at)
	}
	err = r.running(ctx, &row, at, record, state)
	return row, state, err
}

// Config is the head of the branch that a source names, and the config there.
func (r *Reader) Config(ctx context.Context, src deployments.Source) (*git.Commit, *cepler.Config, error) {
	head, err := r.head(ctx, src.Branch)
	if err != nil {
		return nil, nil, err
	}
	entry, err := r.store.Lookup(ctx, head.Tree, src.ConfigPath())
	if err != nil {
		return nil, nil, fmt.Errorf("read %s at %.7s: %w", src.ConfigPath(), head.Hash, err)
	}
	if config, ok := r.parsed[entry.Hash]; ok && config.Path == src.ConfigPath() {
		return head, config, nil
	}
	text, err := r.store.Blob(ctx, entry.Hash)
	if err != nil {
		return nil, nil, err
	}
	config, err := cepler.ParseConfig(src.ConfigPath(), text)
	if err == nil {
		r.parsed[entry.Hash] = config
	}
	return head, config, err
}

// head is the newest commit of a branch; one that was not checked out is the
// remote's.
func (r *Reader) head(ctx context.Context, branch string) (*git.Commit, error) {
	return r.tip(ctx, branch, deployments.LocalBranch)
}

func (r *Reader) tip(ctx context.Context, branch string, of func(refs map[string]git.Hash, name string) (git.Hash, bool)) (*git.Commit, error) {
	refs, err := r.refs()
	if err != nil {
		return nil, err
	}
	h, ok := of(refs, branch)
	if !ok {
		return nil, fault.Of(git.ErrNoBranch, "%s has no branch %s; names are matched exactly", r.store.URL(), branch)
	}
	return r.store.Commit(ctx, h)
}

// file is the content of a file of a commit, or fs.ErrNotExist.
func (r *Reader) file(ctx context.Context, c *git.Commit, p string) ([]byte, error) {
	entry, err := r.store.Lookup(ctx, c.Tree, p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Of(fs.ErrNotExist, "commit %.7s has no file %s%s", c.Hash, p, r.store.Beside(ctx, c.Tree, p))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s at %.7s: %w", p, c.Hash, err)
	}
	return r.store.Blob(ctx, entry.Hash)
}

// running fills in what is recorded in the state file at a path, by the commit that wrote it.
func (r *Reader) running(ctx context.Context, row *Environment, at string, record *git.Commit, state *cepler.State) error {
	row.Version, row.Trigger = state.Version, Commit{Hash: state.Current.Head}
	if c := r.known(ctx, state.Current.Head); c != nil {
		row.Trigger = CommitOf(c)
	} else {
		row.Broken = append(row.Broken, Broken{LinkRecord, at, fmt.Sprintf("it was deployed from commit %.7s, which the repository does not have: its history was rewritten", state.Current.Head)})
	}
	change, err := r.newestOf(ctx, state.Current, func(string) bool { return true })
	if err != nil {
		return err
	}
	if change != nil {
		row.Change = CommitOf(change)
	}
	end, err := r.isCut(ctx, record)
	if err != nil {
		return err
	}
	if end {
		row.Broken = append(row.Broken, Broken{LinkRecord, at, "the clone is shallow and ends before the record: when and by whom it was recorded is not known"})
		return nil
	}
	row.Record, row.Since = CommitOf(record), record.Committer.When.UTC()
	row.Build = deployments.TrailersOf(record).Build
	row.Recorder = recorder(record, row)
	if row.Recorder == Somebody {
		row.Broken = append(row.Broken, Broken{LinkRecord, at, fmt.Sprintf("commit %.7s (%s) changed it last and is not a record of a deployment: whether this was ever deployed is not known", record.Hash, row.Record.Subject)})
	}
	return nil
}

// isCut reports whether a shallow clone ends at the commit.
func (r *Reader) isCut(ctx context.Context, c *git.Commit) (bool, error) {
	if len(c.Parents) == 0 {
		return false, nil
	}
	parents, err := r.store.Parents(ctx, c.Hash)
	if err != nil {
		return false, fmt.Errorf("read what was before %.7s: %w", c.Hash, err)
	}
	return len(parents) == 0, nil
}

// recorder tells by the commit's message who wrote it. The Rust program and this
// suite have the same title; only this suite says which build it was.
func recorder(c *git.Commit, row *Environment) Recorder {
	title := cepler.Summary(c.Message)
	if title != fmt.Sprintf("ci(cepler): Updated '%s' state in '%s'", row.Deployment, row.Name) && title != fmt.Sprintf("ci(cepler): Updated '%s' state", row.Name) {
		return Somebody
	}
	if said := deployments.TrailersOf(c); said.Build != "" || said.Pipeline != "" {
		return Taxiway
	}
	return NoBuild
}

// newestOf is the last change among the files that want is true for; nil when
// there is none that the repository has.
func (r *Reader) newestOf(ctx context.Context, s cepler.Snapshot, want func(path string) bool) (*git.Commit, error) {
	wanted := map[git.Hash]*git.Commit{}
	var latest *git.Commit
	for key, f := range s.Files {
		_, p := cepler.SplitKey(key)
		h, ok := deployments.FullCommit(f.From)
		if !ok || wanted[h] != nil || !want(p) {
			continue
		}
		c := r.known(ctx, f.From)
		if c == nil {
			continue
		}
		wanted[h] = c
		if latest == nil || c.Committer.When.After(latest.Committer.When) {
			latest = c
		}
	}
	if len(wanted) < 2 { //nolint:mnd // nothing to choose from
		return latest, ctx.Err()
	}
	for _, from := range []string{s.Head, s.PropagatedHead} {
		start := r.known(ctx, from)
		if start == nil {
			continue
		}
		newest, err := r.firstOf(ctx, start, wanted)
		if newest != nil || err != nil {
			return newest, err
		}
	}
	return latest, ctx.Err() // history was rewritten: the dates must do
}

// firstOf is the first of the wanted commits that `git log` lists; nil for none.
func (r *Reader) firstOf(ctx context.Context, start *git.Commit, wanted map[git.Hash]*git.Commit) (*git.Commit, error) {
	for c, err := range r.store.Log(ctx, git.Range{From: []git.Hash{start.Hash}}) {
		if err != nil {
			return nil, fmt.Errorf("look for the newest change before %.7s: %w", start.Hash, err)
		}
		if found := wanted[c.Hash]; found != nil {
			return found, nil
		}
	}
	return nil, nil //nolint:nilnil // documented
}

// known is the commit with that full hash; nil when the repository has none.
func (r *Reader) known(ctx context.Context, hash string) *git.Commit {
	h, ok := deployments.FullCommit(hash)
	if !ok {
		return nil
	}
	c, err := r.store.Commit(ctx, h)
	if err != nil {
		return nil
	}
	return c
}

// CommitOf is a commit of git as a person knows it.
func CommitOf(c *git.Commit) Commit {
	return Commit{Hash: c.Hash.String(), Subject: cepler.Summary(c.Message), When: c.Committer.When.UTC()}
}

// Next fills in what is pending at the time now, with the eyes of the resource
// itself, and what that consists of.
func (r *Reader) Next(ctx context.Context, row *Environment, src deployments.Source, now time.Time) error {
	reports, _, err := r.reports(ctx, []deployments.Source{src}, now)
	if err != nil {
		return err
	}
	return r.next(ctx, row, reports[0])
}

func (r *Reader) next(ctx context.Context, row *Environment, report deployments.EnvironmentReport) error {
	row.Report = &report
	if report.Error != "" {
		return &unexplainedError{report.Error}
	}
	row.Pending, row.Waits, row.Until = report.Pending, report.Waits, report.Until
	if report.Pending == nil {
		return nil
	}
	brings, err := r.contents(ctx, report.Plan.Snapshot())
	if err != nil {
		return err
	}
	row.Brings = &brings
	return nil
}
