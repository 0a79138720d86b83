package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	ociname "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// outside compares what the pipelines have done in repositories, on the forge
// and in the registry.
func (p player) outside(ctx context.Context, v *verdict, e Expect) error {
	return errors.Join(
		p.pulls(ctx, v, e.Pulls), p.tags(v, e.Tags), p.files(ctx, v, e.Files), p.copies(v, e.Copies),
		p.images(ctx, v, e.Images), p.releases(ctx, v, e.Releases), p.statuses(ctx, v, e.Statuses),
		p.cached(v, e.Cached), p.versions(ctx, v, e.Versions), p.said(ctx, v, e.Said),
	)
}

// fill replaces ${commit:NAME} by a named commit's hash, ${short:NAME} by its
// first seven digits, and ${digest:IMAGE:TAG} by what the registry has.
func (p player) fill(ctx context.Context, text string) (string, error) {
	var errs []error
	reference := regexp.MustCompile(`\$\{(commit|short|digest):([^}]+)\}`)
	filled := reference.ReplaceAllStringFunc(text, func(found string) string {
		parts := reference.FindStringSubmatch(found)
		kind, what := parts[1], parts[2]
		if kind == "digest" {
			at := strings.LastIndex(what, ":")
			if at < 0 {
				errs = append(errs, fmt.Errorf("%s names no tag", found))
				return found
			}
			image, err := p.image(ctx, what[:at], what[at+1:])
			if err != nil {
				errs = append(errs, err)
				return found
			}
			return image.digest
		}
		hash, ok := p.commits[what]
		if !ok {
			errs = append(errs, fmt.Errorf("no commit has the name %q", what))
			return found
		}
		if kind == "short" {
			const short = 7
			return hash[:short]
		}
		return hash
	})
	return filled, errors.Join(errs...)
}

func (p player) pulls(ctx context.Context, v *verdict, wanted []ExpectPull) error {
	for _, w := range wanted {
		if p.stage.Forge == nil {
			return ErrNoForge
		}
		all, err := p.stage.Forge.Pulls(ctx, w.Repository)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(s PullState) bool { return s.Branch != w.Branch })
		what := "the pull request of " + p.branch(w.Repository, w.Branch)
		if w.State == "none" {
			if len(all) > 0 {
				v.add("%s should not be there, and is #%d", what, all[len(all)-1].Number)
			}
			continue
		}
		if len(all) == 0 {
			v.add("%s is not there", what)
			continue
		}
		if w.Count > 0 && len(all) != w.Count {
			v.add("there are %d pull requests of %s, and should be %d", len(all), p.branch(w.Repository, w.Branch), w.Count)
		}
		if err := p.onePull(ctx, v, what, w, all[len(all)-1]); err != nil {
			return err
		}
	}
	return nil
}

func (p player) onePull(ctx context.Context, v *verdict, what string, w ExpectPull, got PullState) error {
	if w.Number > 0 && got.Number != w.Number {
		v.add("%s has number %d, and should have %d", what, got.Number, w.Number)
	}
	if w.State != "" && got.State != w.State {
		v.add("%s is %s, and should be %s", what, got.State, w.State)
	}
	if w.Draft != nil && got.Draft != *w.Draft {
		v.add("%s has draft: %v, and should have %v", what, got.Draft, *w.Draft)
	}
	if w.Title != "" && !strings.Contains(got.Title, w.Title) {
		v.add("%s has the title %q, and should have %q", what, got.Title, w.Title)
	}
	for _, label := range w.Labels {
		if !slices.Contains(got.Labels, label) {
			v.add("%s lacks the label %s: it has %q", what, label, got.Labels)
		}
	}
	for _, text := range w.Body {
		filled, err := p.fill(ctx, text)
		if err != nil {
			return err
		}
		if !strings.Contains(got.Body, filled) {
			v.add("%s should say %q, and says:\n%s", what, filled, got.Body)
		}
	}
	if w.As != "" {
		p.commits[w.As] = got.Merged
	}
	return p.reported(ctx, v, what, w, got)
}

// reported compares what was reported for the head of a pull request.
func (p player) reported(ctx context.Context, v *verdict, what string, w ExpectPull, got PullState) error {
	for _, of := range []struct {
		kind   string
		wanted map[string]string
		look   func(ctx context.Context, repository, commit string) (map[string]string, error)
	}{{"check", w.Checks, p.stage.Forge.Checks}, {"status", w.Statuses, p.stage.Forge.Statuses}} {
		if len(of.wanted) == 0 {
			continue
		}
		there, err := of.look(ctx, w.Repository, got.Head)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(of.wanted)) {
			if there[name] != of.wanted[name] {
				v.add("%s %s of %s is %q, and should be %q; there are: %v", of.kind, name, what, there[name], of.wanted[name], there)
			}
		}
	}
	return nil
}

func (p player) tags(v *verdict, wanted map[string]map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		repository, err := p.stage.repository(name)
		if err != nil {
			return err
		}
		for _, tag := range slices.Sorted(maps.Keys(wanted[name])) {
			got, err := repository.RevParse("refs/tags/" + tag + "^{commit}")
			if err != nil {
				v.add("%s has no tag %s", name, tag)
				continue
			}
			commit := wanted[name][tag]
			if commit == "" {
				continue
			}
			want, ok := p.commits[commit]
			if !ok {
				return fmt.Errorf("expect tags: no commit has the name %q", commit)
			}
			if got != want {
				v.add("tag %s of %s is at %.7s, and should be at %.7s (%s)", tag, name, got, want, commit)
			}
		}
	}
	return nil
}

func (p player) files(ctx context.Context, v *verdict, wanted map[string]map[string]map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		repository, err := p.stage.repository(name)
		if err != nil {
			return err
		}
		for _, branch := range slices.Sorted(maps.Keys(wanted[name])) {
			files := wanted[name][branch]
			for _, path := range slices.Sorted(maps.Keys(files)) {
				want, err := p.fill(ctx, files[path])
				if err != nil {
					return err
				}
				text, err := repository.Show(branch, path)
				if err != nil {
					v.add("%s %s has no %s", name, branch, path)
				} else if !strings.Contains(text, want) {
					v.add("%s of %s %s should have %q, and is:\n%s", path, name, branch, want, text)
				}
			}
		}
	}
	return nil
}

// copies compares trees: a folder of one repository with one of another.
func (p player) copies(v *verdict, wanted []Copy) error {
	for _, c := range wanted {
		from, err := p.tree(c.Of)
		if err != nil {
			return err
		}
		to, err := p.tree(c.Is)
		if err != nil {
			return err
		}
		if from == "" || from != to {
			v.add("%s of %s is not what %s of %s is", c.Is.Path, c.Is.Repository, c.Of.Path, c.Of.Repository)
		}
	}
	return nil
}

func (p player) tree(at Place) (string, error) {
	repository, err := p.stage.repository(at.Repository)
	if err != nil {
		return "", err
	}
	revision := "refs/heads/" + cmp.Or(at.Branch, "main")
	if at.Commit != "" {
		hash, ok := p.commits[at.Commit]
		if !ok {
			return "", fmt.Errorf("expect copies: no commit has the name %q", at.Commit)
		}
		revision = hash
	}
	return repository.RevParse(revision + ":" + at.Path)
}

// found is an image in the registry.
type found struct {
	digest string
	labels map[string]string
}

func (p player) image(ctx context.Context, repository, tag string) (found, error) {
	if p.stage.Registry == "" {
		return found{}, errors.New("there is no registry in this world")
	}
	ref, err := ociname.NewTag(p.stage.Registry+"/"+repository+":"+tag, ociname.Insecure)
	if err != nil {
		return found{}, err
	}
	image, err := remote.Image(ref, remote.WithContext(ctx))
	if err != nil {
		return found{}, fmt.Errorf("image %s:%s: %w", repository, tag, err)
	}
	return describe(image)
}

func describe(image v1.Image) (found, error) {
	digest, err := image.Digest()
	if err != nil {
		return found{}, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return found{}, err
	}
	return found{digest.String(), config.Config.Labels}, nil
}

func (p player) images(ctx context.Context, v *verdict, wanted []ExpectImage) error {
	for _, w := range wanted {
		got, err := p.image(ctx, w.Repository, w.Tag)
		if err != nil {
			v.add("%v", err)
			continue
		}
		for _, tag := range w.SameAs {
			other, err := p.image(ctx, w.Repository, tag)
			if err != nil {
				v.add("%v", err)
			} else if other.digest != got.digest {
				v.add("%s:%s is %s, and %s is %s", w.Repository, w.Tag, got.digest, tag, other.digest)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(w.Labels)) {
			want, err := p.fill(ctx, w.Labels[key])
			if err != nil {
				return err
			}
			if got.labels[key] != want {
				v.add("%s:%s has the label %s=%q, and should have %q", w.Repository, w.Tag, key, got.labels[key], want)
			}
		}
	}
	return nil
}

func (p player) releases(ctx context.Context, v *verdict, wanted []ExpectRelease) error {
	for _, w := range wanted {
		if p.stage.Forge == nil {
			return ErrNoForge
		}
		all, err := p.stage.Forge.Releases(ctx, w.Repository)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(r ReleaseState) bool { return r.Tag == w.Tag })
		if i < 0 {
			v.add("%s has no release %s", w.Repository, w.Tag)
			continue
		}
		got := all[i]
		if got.Draft {
			v.add("release %s of %s is a draft", w.Tag, w.Repository)
		}
		if w.Title != "" && got.Title != w.Title {
			v.add("release %s of %s should be titled %q, and is titled %q", w.Tag, w.Repository, w.Title, got.Title)
		}
		if got.Prerelease != w.Prerelease {
			v.add("release %s of %s has prerelease: %v", w.Tag, w.Repository, got.Prerelease)
		}
		for _, text := range w.Notes {
			if !strings.Contains(got.Notes, text) {
				v.add("the notes of release %s of %s should say %q, and say:\n%s", w.Tag, w.Repository, text, got.Notes)
			}
		}
		for _, asset := range w.Assets {
			if !slices.Contains(got.Assets, asset) {
				v.add("release %s of %s lacks %s: it has %q", w.Tag, w.Repository, asset, got.Assets)
			}
		}
	}
	return nil
}

func (p player) statuses(ctx context.Context, v *verdict, wanted []ExpectStatus) error {
	for _, w := range wanted {
		if p.stage.Forge == nil {
			return ErrNoForge
		}
		commit, ok := p.commits[w.Commit]
		if !ok {
			return fmt.Errorf("expect statuses: no commit has the name %q", w.Commit)
		}
		got, err := p.stage.Forge.Statuses(ctx, w.Repository, commit)
		if err != nil {
			return err
		}
		for _, c := range slices.Sorted(maps.Keys(w.States)) {
			if got[c] != w.States[c] {
				v.add("status %s of %s (%.7s) is %q, and should be %q; there are: %v", c, w.Commit, commit, got[c], w.States[c], got)
			}
		}
	}
	return nil
}

func (p player) cached(v *verdict, wanted []string) error {
	if len(wanted) == 0 {
		return nil
	}
	if p.stage.Cached == nil {
		return errors.New("there is no binary cache in this world")
	}
	have := p.stage.Cached()
	for _, name := range wanted {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, name+"-") }) {
			v.add("the binary cache lacks %s: it has %q", name, have)
		}
	}
	return nil
}

func (p player) versions(ctx context.Context, v *verdict, wanted map[string]map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		r, resource, err := p.stage.Pipelines.WithResource(name)
		if err != nil {
			return err
		}
		all, err := r.Versions(resource)
		if err != nil {
			return err
		}
		got := rehearsal.Version{}
		if len(all) > 0 {
			got = all[len(all)-1]
		}
		for _, field := range slices.Sorted(maps.Keys(wanted[name])) {
			want, err := p.fill(ctx, wanted[name][field])
			if err != nil {
				return err
			}
			if got[field] != want {
				v.add("the newest version of %s is %s, and should have %s:%s", name, got, field, want)
			}
		}
	}
	return nil
}

// said looks for texts in what the last build of a job said.
func (p player) said(ctx context.Context, v *verdict, wanted map[string]string) error {
	for _, job := range slices.Sorted(maps.Keys(wanted)) {
		b, err := p.last(job)
		if err != nil {
			return err
		}
		if b == nil {
			v.add("%s has not run", job)
			continue
		}
		want, err := p.fill(ctx, wanted[job])
		if err != nil {
			return err
		}
		var all strings.Builder
		for _, s := range b.Steps {
			all.WriteString(s.Log)
		}
		if !strings.Contains(all.String(), want) {
			v.add("%s should have said %q, and said:\n%s", job, want, all.String())
		}
	}
	return nil
}
