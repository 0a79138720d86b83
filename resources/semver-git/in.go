package semvergit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// In writes the version in several files, bumped if the params say so. They
// depend on the version and the params alone.
func (Resource) In(ctx context.Context, step concourse.Step, src Source, v Version, p getParams) (Result, error) {
	out := Result{Version: v}
	number, err := version.Parse(v.Number)
	if err != nil {
		return out, fmt.Errorf("version.number: %w", err)
	}
	var r recorded
	if v.Commit != "" {
		if r, err = lookUp(ctx, step, src, v); err != nil {
			return out, err
		}
	}
	bump, err := p.bump()
	if err != nil {
		return out, err
	}
	bumped := bump.Apply(number)
	if bumped.String() != number.String() {
		step.Logf("bumped here only, from %s to %s", number, bumped)
		out.Metadata.Add("bumped", "%s", bumped)
	}
	prefix := src.TagPrefix
	if before, ok := strings.CutSuffix(r.tag, number.String()); ok {
		prefix = before
	}
	out.Metadata = append(concourse.Metadata{{Name: "number", Value: v.Number}}, out.Metadata...)
	return out, write(step.Dir, bumped, bumped.Tag(prefix), r)
}

// lookUp makes sure that the version is there, and reads what its commit says.
func lookUp(ctx context.Context, step concourse.Step, src Source, v Version) (recorded, error) {
	gone := func(err error) error {
		return fmt.Errorf("version %s: %w; if branch %s was rewritten, a check lists the versions that it has now", v.Number, err, src.Branch)
	}
	if !plumbing.IsHash(v.Commit) {
		return recorded{}, fmt.Errorf("version.commit: %q is not a full commit hash; give the number alone, as in number:%s, if you do not know it", v.Commit, v.Number)
	}
	b, err := openBranch(src, step.Logf)
	if err != nil {
		return recorded{}, err
	}
	defer func() { _ = b.Close() }()
	c, err := b.store.Commit(ctx, plumbing.NewHash(v.Commit))
	if errors.Is(err, git.ErrNotFound) || errors.Is(err, git.ErrEmpty) || errors.Is(err, git.ErrNoBranch) {
		return recorded{}, gone(err)
	}
	if err != nil {
		return recorded{}, err
	}
	e, ok, err := b.entry(ctx, c)
	if err != nil {
		return recorded{}, err
	}
	if !ok || !holds(e, v.Number) {
		k, err := b.read(ctx, c)
		if err != nil {
			return recorded{}, err
		}
		if !k.exists || k.number.String() != v.Number {
			return recorded{}, gone(fmt.Errorf("commit %s has %s", short(c.Hash), k))
		}
	}
	return parseMessage(c.Message, v.Number), nil
}

// write fills the step's folder.
func write(dir string, v version.Version, tag string, r recorded) error {
	pre := strings.Join(v.Pre, ".")
	all, err := json.MarshalIndent(map[string]any{
		"number": v.String(), "major": v.Major, "minor": v.Minor, "patch": v.Patch,
		"prerelease": pre, "build": v.Build, "tag": tag, "code": r.commit,
	}, "", "  ")
	if err != nil {
		return err
	}
	files := map[string]string{
		"version": v.String(), "number": v.String(), "tag": tag, "prerelease": pre,
		"major": decimal(v.Major), "minor": decimal(v.Minor), "patch": decimal(v.Patch),
		"version.json": string(all) + "\n",
	}
	if r.notes != "" {
		files["release-notes.md"] = r.notes
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return fmt.Errorf("write the file %s: %w", name, err)
		}
	}
	return nil
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
