package semvergit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/release"
	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/version/toml"
)

// code is the code repository of a put, with the rules that hold for it.
type code struct {
	*release.Code
	rules  version.Rules
	remote *git.Remote
	ref    string // of the branch that keeps the version
}

func openCode(ctx context.Context, root, dir string, b *branch) (*code, error) {
	inner, err := release.Open(ctx, root, dir, release.Options{
		TagPrefix: b.src.TagPrefix, Paths: b.src.Paths, Remote: b.remote, Logf: b.logf,
	})
	if err != nil {
		return nil, err
	}
	c := &code{Code: inner, remote: b.remote, ref: b.src.ref()}
	if err := c.readRules(ctx, b.src); err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return c, nil
}

// readRules lays source.commit_types over the cog.toml, or over what holds by
// itself.
func (c *code) readRules(ctx context.Context, src Source) error {
	rules, err := c.Rules(ctx, src.CogTOML, toml.Decode)
	if err != nil {
		return fmt.Errorf("source.cog_toml: %w", err)
	}
	if rules.Cliff, err = c.Cliff(ctx, src.CliffTOML, toml.Decode); err != nil {
		return fmt.Errorf("source.cliff_toml: %w", err)
	}
	rules.KeepZero = src.KeepZero
	c.rules, err = rules.With(src.CommitTypes)
	return err
}

// follow reads the remote's tags again when its branch is elsewhere by now, so
// that both are of the same moment.
func (c *code) follow(ctx context.Context, tip *git.Commit, try int) error {
	var at git.Hash
	if tip != nil {
		at = tip.Hash
	}
	if try == 1 && c.Ref(c.ref) == at {
		return nil
	}
	return c.Refresh(ctx)
}

func (c *code) decide(ctx context.Context, known []version.Version, pre, override string) (version.Decision, error) {
	return c.Decide(ctx, release.Request{Rules: c.rules, Pre: pre, Override: override, Known: known})
}

func (c *code) notes(ctx context.Context, v version.Version, now time.Time) ([]byte, error) {
	e := release.Entry{Version: v, Date: now, Rules: c.rules}
	related, err := c.Related(ctx)
	if err != nil {
		return nil, err
	}
	if related {
		prefix, err := c.TagPrefix(ctx)
		if err != nil {
			return nil, err
		}
		e.Links = version.GitHub(c.remote.WebURL(), prefix)
	}
	return c.Notes(ctx, e)
}

// lately is how many of the branch's last versions are looked at.
const lately = 100

// known are the versions that the branch had lately, as far as they are at hand:
// a candidate that no tag marks is not given out twice.
func (p *put) known(ctx context.Context) ([]version.Version, error) {
	h := p.code.Ref(p.src.ref())
	files := map[git.Hash]bool{}
	if !h.IsZero() && p.store.Has(h) {
		seen := 0
		for set, err := range p.history(ctx, git.Range{From: []git.Hash{h}, FirstParent: true, AtHand: true}) {
			if err != nil {
				return nil, err
			}
			files[set.file.Hash] = true
			seen++
			if seen == lately {
				break
			}
		}
	}
	if err := p.store.Need(ctx, slices.Collect(maps.Keys(files))...); err != nil {
		return nil, err
	}
	var all []version.Version
	for blob := range files {
		content, err := p.store.Blob(ctx, blob)
		if err != nil {
			return nil, err
		}
		if v, err := version.Parse(string(content)); err == nil {
			all = append(all, v)
		}
	}
	return all, nil
}

// settled is the candidate that the commit has already, of the version that
// would be next, and its tag: putting the same commit again does no harm.
func (p *put) settled(ctx context.Context, next version.Version) (*Version, release.Tag, error) {
	tags, err := p.code.Tags(ctx)
	if err != nil || p.code.Ref(p.src.ref()).IsZero() {
		return nil, release.Tag{}, err
	}
	for _, t := range tags {
		same := t.Version.Final().Compare(next.Final()) == 0 && !t.Version.IsFinal() && t.Version.Pre[0] == p.params.Pre
		if !same || t.Commit != p.code.Head() {
			continue
		}
		v := Version{Number: t.Version.String()}
		at, err := p.find(ctx, p.code.Ref(p.src.ref()), v.Number)
		if err != nil || !at.IsZero() {
			v.Commit = at.String()
			return &v, t, err
		}
	}
	return nil, release.Tag{}, nil
}

// sameCandidate refuses to make a candidate final at a commit that has not got
// what the candidate was made of.
func (p *put) sameCandidate(ctx context.Context, tip *git.Commit, d decision) error {
	if p.code == nil || p.params.Bump != "final" || d.before.number.IsFinal() {
		return nil
	}
	set, err := p.current(ctx, tip)
	if err != nil || set.Commit == "" {
		return err
	}
	c, err := p.store.Commit(ctx, plumbing.NewHash(set.Commit))
	if err != nil {
		return err
	}
	made := parseMessage(c.Message, set.Number).commit
	if !plumbing.IsHash(made) {
		return nil // a person or the older type set it
	}
	holds, err := p.code.Holds(ctx, plumbing.NewHash(made))
	if err != nil {
		return err
	}
	if !holds {
		return fmt.Errorf("bump: final would make %s of %s, which is commit %s, but %s is at %s, without it: get both from the same build, or set the version by params.file",
			d.next, set.Number, short(plumbing.NewHash(made)), p.params.Repository, short(p.code.Head()))
	}
	return nil
}

// tagging is what becomes of the version's tag.
type tagging struct {
	name   string
	update *git.Update // nil when there is nothing to set
	object *git.Object // the signed tag that update sets; nil for the commit itself
}

// addTo makes the push of a commit set the tag.
func (t tagging) addTo(built *git.Built) {
	if t.update != nil {
		built.Also = []git.Update{*t.update}
	}
	if t.object != nil {
		built.Objects = append(built.Objects, *t.object)
	}
}

// chooseTag names the tag and makes sure that it can be set.
func (p *put) chooseTag(ctx context.Context, d decision) (tagging, error) {
	if !p.params.Tag || d.keep || d.settled != nil {
		return d.tag, nil
	}
	there, err := p.code.OnRemote(ctx)
	if err != nil {
		return tagging{}, err
	}
	if !there {
		return tagging{}, fmt.Errorf("params.tag: commit %s of %s is not in %s, and a tag can be set in the same push only there; leave tag out, and tag the code's repository with a put of its own",
			short(p.code.Head()), p.params.Repository, p.remote.URL())
	}
	prefix, err := p.code.TagPrefix(ctx)
	if err != nil {
		return tagging{}, err
	}
	t := tagging{name: d.next.Tag(prefix)}
	ref := "refs/tags/" + t.name
	at, ok := p.code.Ref(ref+"^{}"), true
	if at.IsZero() {
		at = p.code.Ref(ref)
		ok = !at.IsZero()
	}
	switch {
	case !ok:
		t.update = &git.Update{Ref: ref, New: p.code.Head()}
		if t.object, err = p.store.BuildTag(t.name, p.code.Head(), p.src.access().Committer(p.now)); err != nil {
			return t, err
		}
		if t.object != nil {
			t.update.New = t.object.Hash
		}
	case at != p.code.Head():
		return t, fmt.Errorf("params.tag: %s marks commit %s already, and not %s: release another version, or delete the tag", t.name, short(at), short(p.code.Head()))
	}
	return t, nil
}

// editChangelog adds the entry to the changelog, which must be in the same
// repository and line of history as the code.
func (p *put) editChangelog(ctx context.Context, tip *git.Commit, edits map[string]git.Edit, notes []byte, v version.Version) error {
	inside := false
	if tip != nil {
		var err error
		if inside, err = p.store.IsAncestor(ctx, p.code.Head(), tip.Hash); err != nil {
			return err
		}
	}
	if !inside {
		return fmt.Errorf("branch %s does not hold commit %s of %s: a changelog can only be written where the version lives beside the code; leave changelog out", p.src.Branch, short(p.code.Head()), p.params.Repository)
	}
	var old []byte
	e, err := p.store.Lookup(ctx, tip.Tree, p.params.Changelog)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if old, err = p.store.Blob(ctx, e.Hash); err != nil {
			return err
		}
	}
	edits[p.params.Changelog] = git.Edit{Content: version.PrependChangelog(old, notes, v)}
	return nil
}
