package ceplergate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/markdown"
)

// In writes what a move of the gate was. All of it follows from the version.
func (Resource) In(ctx context.Context, step concourse.Step, src Source, v Version, _ GetParams) (Result, error) {
	out := Result{Version: v}
	if !plumbing.IsHash(v.Commit) {
		return out, fmt.Errorf("version.commit: %q is not a full commit hash", v.Commit)
	}
	w, err := open(src, step)
	if err != nil {
		return out, err
	}
	defer w.close()
	m, err := w.move(ctx, v)
	if err != nil {
		return out, fmt.Errorf("get the move of the gate of %s in commit %.7s: %w", src.Environment, v.Commit, err)
	}
	out.Metadata.Add("environment", "%s", src.Environment)
	out.Metadata.Add("gate", "%s", m.Gate)
	out.Metadata.Add("previous", "%s", m.Previous)
	if m.By != "" {
		out.Metadata.Add("by", "%s", m.By)
	}
	out.Metadata.Add("at", "%s", m.At)
	if link := w.commitLink(v.Commit); link != "" {
		out.Metadata.Add("url", "%s", link)
	}
	return out, m.write(step)
}

// move is what changes.json has.
type move struct {
	Environment string `json:"environment"`
	// Gate and Previous are as they are written in the gates file; "" where there is none.
	Gate     string `json:"gate"`
	Previous string `json:"previous"`
	Commit   string `json:"commit"`
	By       string `json:"by"`
	At       string `json:"at"`
	// Known says that both gates name a commit in full, so that the files between are known.
	Known   bool     `json:"known"`
	Changes []change `json:"changes"`
}

// change is a file that the environment can see otherwise since the gate was moved.
type change struct {
	Kind string `json:"kind"`
	Path string `json:"path"`
}

func (w *world) move(ctx context.Context, v Version) (*move, error) {
	refs, err := w.remote.Refs(ctx, w.src.GatesRef())
	if err != nil {
		return nil, err
	}
	if tip, ok := refs[w.src.GatesRef()]; ok { // so that the history comes in few requests
		if err := w.store.Advance(ctx, w.src.GatesRef(), tip); err != nil {
			return nil, err
		}
	}
	c, err := w.store.Commit(ctx, plumbing.NewHash(v.Commit))
	if err != nil {
		return nil, err
	}
	changes, err := w.repo.GateChanges(ctx, c.Hash, w.src.Environment, func(deployments.GateChange) bool { return true })
	if err != nil {
		return nil, err
	}
	m := &move{Environment: w.src.Environment, Commit: v.Commit, At: c.Committer.When.UTC().Format(time.RFC3339), Changes: []change{}}
	if len(changes) > 0 {
		if changes[0].Commit.Hash != c.Hash {
			return nil, errors.New("that commit did not move it")
		}
		m.Gate, m.Previous = changes[0].Gate, changes[0].Previous
	}
	if m.Gate != v.Gate {
		return nil, fmt.Errorf("the gate is %q there, and not %q", m.Gate, v.Gate)
	}
	if m.By, err = w.mover(ctx, c); err != nil {
		return nil, err
	}
	return m, w.between(ctx, m)
}

// between fills in the files that differ at the two gates.
func (w *world) between(ctx context.Context, m *move) error {
	was, hadCommit := deployments.FullCommit(m.Previous)
	is, hasCommit := deployments.FullCommit(m.Gate)
	if !hadCommit || !hasCommit {
		return nil
	}
	if err := w.store.NeedCommits(ctx, was, is); err != nil && !errors.Is(err, git.ErrNotFound) {
		return err
	}
	var sides [2]*cepler.Snapshot
	for i, h := range []git.Hash{was, is} {
		seen, err := w.repo.SeenAt(ctx, h, w.src.Environment)
		if errors.Is(err, git.ErrNotFound) || errors.Is(err, cepler.ErrUnknownEnvironment) {
			w.step.Logf("what %s sees at its gate %.7s is not known: %v", w.src.Environment, h, err)
			return nil
		}
		if err != nil {
			return err
		}
		sides[i] = seen
	}
	m.Known = true
	for _, c := range cepler.Diff(sides[0], *sides[1]) {
		m.Changes = append(m.Changes, change{fmt.Sprint(c.Kind), c.Path})
	}
	sort.Slice(m.Changes, func(i, j int) bool { return m.Changes[i].Path < m.Changes[j].Path })
	return nil
}

// mover is the person who moved the gate; "" when neither git nor the forge knows. Of a squash only the
// forge knows it.
func (w *world) mover(ctx context.Context, c *git.Commit) (string, error) {
	if by := w.src.Mover(c); by != "" {
		return by, nil
	}
	return w.merger(ctx, c)
}

// merger is who merged the pull request that a commit names, as the forge has it; "" when that is not known.
func (w *world) merger(ctx context.Context, c *git.Commit) (string, error) {
	number, err := strconv.Atoi(deployments.PullOf(c))
	if err != nil || w.src.GitHub == nil {
		return "", nil
	}
	f, err := w.src.GitHub.Open(forge.Options{Logf: w.step.Logf})
	if err != nil {
		return "", fmt.Errorf("source.github: %w", err)
	}
	defer f.Disconnect()
	p, err := f.PullByNumber(ctx, number)
	switch {
	case errors.Is(err, forge.ErrNotFound):
		return "", nil
	case err != nil:
		return "", err
	case p.MergeCommit != c.Hash.String(): // it only names that pull request
		return w.src.Person(c), nil
	}
	return p.MergedBy, nil
}

// write makes the files of a get.
func (m *move) write(step concourse.Step) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return step.Write(map[string]string{
		"gate": m.Gate, "commit": m.Commit, "by": m.By, "at": m.At, "previous": m.Previous, "changes.md": m.markdown(), "changes.json": string(data) + "\n",
	})
}

// markdown is changes.md.
func (m *move) markdown() string {
	var b strings.Builder
	by := ""
	if m.By != "" {
		by = " by " + markdown.Verbatim(m.By)
	}
	fmt.Fprintf(&b, "The gate of **%s** was moved from %s to %s%s on %s.\n", markdown.Verbatim(m.Environment), orNone(m.Previous), orNone(m.Gate), by, markdown.Verbatim(m.At))
	switch {
	case !m.Known:
		b.WriteString("\nThe files between are not known, as not both gates are full commits.\n")
	case len(m.Changes) == 0:
		b.WriteString("\nNo file of the environment differs.\n")
	default:
		b.WriteString("\n")
		for _, c := range m.Changes {
			fmt.Fprintf(&b, "- %s %s\n", markdown.Verbatim(c.Kind), markdown.Code(c.Path))
		}
	}
	return b.String()
}

func orNone(gate string) string {
	if gate == "" {
		return "none"
	}
	return markdown.Code(gate)
}
