package promoterc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/signing"
	"github.com/taxiway-ci/taxiway/internal/proposal"
	"github.com/taxiway-ci/taxiway/internal/release"
	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/version/toml"
)

// PutParams are the params of a put step.
type PutParams struct {
	// VersionFile holds the candidate's version, as in version/version.
	VersionFile string `json:"version_file" concourse:"required"`
	// Repository is a clone with the candidate's commit checked out.
	Repository string `json:"repository" concourse:"required"`
	// ExtraFiles go into the pull request too, where allowed_files permits them.
	ExtraFiles proposal.ExtraFiles `json:"extra_files"`
	// Images are references without a tag, for the description.
	Images []string `json:"images"`
	// Overwrite drops what people committed to the bot's branch.
	Overwrite bool `json:"overwrite"`
}

var (
	// ErrReleased says that the version is released already.
	ErrReleased = errors.New("the version is released already")
	// ErrNotOnBranch says that the candidate is not on the branch.
	ErrNotOnBranch = errors.New("the candidate is not on the branch")
)

// Out leaves one open pull request for the candidate. It succeeds only when the
// remote has the branch and the forge has the pull request.
func (Resource) Out(ctx context.Context, step concourse.Step, src Source, params PutParams) (_ Result, err error) {
	p, err := prepare(ctx, step, src, params)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if done, err := p.released(ctx); err != nil || done != nil {
		return p.answer(done, forge.Outcome{}), err
	}
	if err := p.onBranch(ctx); err != nil {
		return Result{}, err
	}
	done, err := p.bot().Keep(ctx, p.edit)
	switch {
	case errors.Is(err, errPromoted):
		return p.answer(p.done, forge.Outcome{}), nil
	case errors.Is(err, proposal.ErrEdited):
		return Result{}, fmt.Errorf("write release %s to %s: %w, or put with overwrite: true once", p.next, src.botBranch(), err)
	case err != nil:
		return Result{}, fmt.Errorf("write release %s to %s: %w", p.next, src.botBranch(), err)
	}
	p.pull = done.Pull
	judge{forge: p.forge, src: p.src, logf: p.step.Logf}.guard(ctx, p.pull)
	return p.answer(&Version{
		PR: strconv.Itoa(p.pull.Number), Version: p.next.String(), Commit: done.Commit.Hash.String(), Candidate: p.code.Head().String(),
	}, done.Done), nil
}

// promotion is a candidate on its way.
type promotion struct {
	step   concourse.Step
	src    Source
	params PutParams

	forge  *forge.Forge
	remote *git.Remote
	store  *git.Store
	code   *release.Code

	head      *git.Commit // the candidate's commit
	next      version.Version
	candidate string // its version, or empty
	previous  string // tag of the release before, or empty
	notes     []byte
	files     map[string]git.Edit
	pull      *forge.Pull
	done      *Version // of a pull request that was merged while the put ran
}

func prepare(ctx context.Context, step concourse.Step, src Source, params PutParams) (*promotion, error) {
	p := &promotion{step: step, src: src, params: params}
	if err := p.readParams(); err != nil {
		return nil, err
	}
	err := p.open(ctx)
	if err == nil {
		err = p.readCode(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *promotion) readParams() error {
	v, err := version.Read(p.step.Artifacts(), p.params.VersionFile)
	if err != nil {
		return fmt.Errorf("params.version_file: %w", err)
	}
	p.next = v.Final()
	if !v.IsFinal() {
		p.candidate = v.String()
	}
	p.files, err = p.extraFiles()
	return err
}

func (p *promotion) open(ctx context.Context) error {
	dir, err := p.step.Artifacts().Path(p.params.Repository)
	if err != nil {
		return fmt.Errorf("params.repository: %w", err)
	}
	if p.forge, err = p.src.GitHub.Open(forge.Options{Logf: p.step.Logf}); err != nil {
		return err
	}
	if p.remote, err = signing.Open(p.src.Access, git.Options{Logf: p.step.Logf}); err != nil {
		return err
	}
	if p.store, err = p.remote.Store(""); err != nil {
		return err
	}
	p.code, err = release.Open(ctx, p.step.Dir, dir, release.Options{
		TagPrefix: p.src.TagPrefix, Paths: p.src.Paths, Remote: p.remote, Logf: p.step.Logf,
	})
	if err != nil {
		return fmt.Errorf("params.repository %s: %w", p.params.Repository, err)
	}
	return nil
}

func (p *promotion) close() error {
	var errs []error
	if p.code != nil {
		errs = append(errs, p.code.Close())
	}
	if p.store != nil {
		errs = append(errs, p.store.Close())
	}
	if p.remote != nil {
		errs = append(errs, p.remote.Close())
	}
	if p.forge != nil {
		p.forge.Disconnect()
	}
	return errors.Join(errs...)
}

// readCode reads the rules and writes the notes.
func (p *promotion) readCode(ctx context.Context) error {
	rules, err := p.code.Rules(ctx, p.src.CogTOML, toml.Decode)
	if err != nil {
		return fmt.Errorf("source.cog_toml: %w", err)
	}
	if rules.Cliff, err = p.code.Cliff(ctx, p.src.CliffTOML, toml.Decode); err != nil {
		return fmt.Errorf("source.cliff_toml: %w", err)
	}
	p.head, err = p.store.Commit(ctx, p.code.Head())
	if errors.Is(err, git.ErrNotFound) || errors.Is(err, git.ErrNoBranch) || errors.Is(err, git.ErrEmpty) {
		return fmt.Errorf("params.repository %s is at commit %s, which %s does not have: is it a clone of source.uri? (%w)",
			p.params.Repository, p.code.Head(), p.remote.URL(), err)
	}
	if err != nil {
		return err
	}
	tags, err := p.code.Tags(ctx)
	if err != nil {
		return err
	}
	for _, t := range tags { // highest first
		if p.candidate == "" && !t.Version.IsFinal() && t.Commit == p.head.Hash && t.Version.Final().Compare(p.next) == 0 {
			p.candidate = t.Version.String()
		}
		if p.previous == "" && t.Version.IsFinal() && t.Version.Compare(p.next) < 0 {
			p.previous = t.Name
		}
	}
	prefix, err := p.code.TagPrefix(ctx)
	if err != nil {
		return err
	}
	// The day is the candidate's, so that the same put writes the same entry.
	p.notes, err = p.code.Notes(ctx, release.Entry{
		Version: p.next, Date: p.head.Committer.When, Rules: rules, Links: version.GitHub(p.forge.WebURL(), prefix),
	})
	return err
}

// released reports a version that is promoted already: by this candidate, which
// is as asked, or by another one, which is an error.
func (p *promotion) released(ctx context.Context) (*Version, error) {
	how, err := p.evidence(ctx)
	if err != nil || how == "" {
		return nil, err
	}
	merged, err := p.forge.Merged(ctx, p.src.Branch, p.src.botBranch(), time.Time{})
	if err != nil {
		return nil, err
	}
	for _, pull := range slices.Backward(merged) {
		m, ok := parseMarker(pull.Body)
		if !ok || m.version.String() != p.next.String() {
			continue
		}
		if m.commit != p.code.Head().String() {
			return nil, fmt.Errorf("promote %s at %.7s: %w: pull request %d was merged for the candidate %.7s; the next candidate must be of a higher version",
				p.next, p.code.Head(), ErrReleased, pull.Number, m.commit)
		}
		p.step.Logf("%s is promoted already, by pull request %d", p.next, pull.Number)
		p.pull = pull
		return &Version{PR: strconv.Itoa(pull.Number), Version: p.next.String(), Commit: pull.MergeCommit, Candidate: m.commit}, nil
	}
	return nil, fmt.Errorf("promote %s at %.7s: %w: %s; the next candidate must be of a higher version", p.next, p.code.Head(), ErrReleased, how)
}

// evidence says how it can be seen that the version is released.
func (p *promotion) evidence(ctx context.Context) (string, error) {
	tags, err := p.code.Tags(ctx)
	if err != nil {
		return "", err
	}
	for _, t := range tags {
		if t.Version.IsFinal() && t.Version.Compare(p.next) == 0 {
			return fmt.Sprintf("there is a tag %s at %.7s", t.Name, t.Commit), nil
		}
	}
	tip, err := p.mainTip(ctx)
	if err != nil {
		return "", err
	}
	changelog, err := readFile(ctx, p.store, tip.Tree, p.src.changelog())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s on %s: %w", p.src.changelog(), p.src.Branch, err)
	}
	if _, ok := version.ChangelogEntry(changelog, p.next); ok {
		return fmt.Sprintf("%s on %s has its entry", p.src.changelog(), p.src.Branch), nil
	}
	return "", nil
}

// mainTip is the newest commit that releases are merged into.
func (p *promotion) mainTip(ctx context.Context) (*git.Commit, error) {
	tip := p.code.Ref(p.src.mainRef())
	if tip.IsZero() {
		return nil, fmt.Errorf("branch %s of %s: %w", p.src.Branch, p.remote.URL(), git.ErrNoBranch)
	}
	if err := p.store.Advance(ctx, p.src.mainRef(), tip); err != nil {
		return nil, err
	}
	return p.store.Commit(ctx, tip)
}

// onBranch refuses a candidate that would bring other commits along.
func (p *promotion) onBranch(ctx context.Context) error {
	tip, err := p.mainTip(ctx)
	if err != nil {
		return err
	}
	ok, err := p.store.IsAncestor(ctx, p.code.Head(), tip.Hash)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("promote %s: %w: %s does not have commit %s, and merging would bring it and others along", p.next, ErrNotOnBranch, p.src.Branch, p.code.Head())
	}
	return nil
}

// answer tells what was done.
func (p *promotion) answer(v *Version, outcome forge.Outcome) Result {
	if v == nil {
		return Result{}
	}
	out := Result{Version: *v}
	out.Metadata.Add("version", "%s", v.Version)
	if p.candidate != "" {
		out.Metadata.Add("candidate", "%s", p.candidate)
	}
	out.Metadata.Add("pull request", "%s", p.pull.URL)
	out.Metadata.Add("commit", "%s/commit/%s", p.forge.WebURL(), v.Candidate)
	switch {
	case outcome.Created:
		p.step.Logf("opened pull request %s: merging it releases %s", p.pull.URL, v.Version)
		out.Metadata.Add("done", "opened")
	case p.pull.Open:
		p.step.Logf("pull request %s is up to date: merging it releases %s", p.pull.URL, v.Version)
		out.Metadata.Add("done", "brought up to date")
	default:
		out.Metadata.Add("done", "nothing: it is merged")
	}
	return out
}
