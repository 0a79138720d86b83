package world

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/rehearsal/scenario"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

// people do on the world's forge what a scenario says, and look at it.
type people struct{ world *World }

// repository finds a repository of the forge by the last part of its name.
func (p people) repository(name string) (*github.Repository, error) {
	for full := range p.world.repositories {
		if path.Base(full) == name || full == name {
			return p.world.forge.Repository(full), nil
		}
	}
	return nil, fmt.Errorf("there is no repository %q on the forge; there are: %s", name, strings.Join(slices.Sorted(maps.Keys(p.world.repositories)), ", "))
}

// login is what a person is called on the forge.
func login(who string) string {
	name, _, _ := strings.Cut(who, " ")
	return strings.ToLower(name)
}

// OpenPull opens a pull request as a person.
func (p people) OpenPull(_ context.Context, pull scenario.Pull) (int, error) {
	r, err := p.repository(pull.Repository)
	if err != nil {
		return 0, err
	}
	number, err := r.Open(pull.Branch, "main", pull.Title, login(pull.By))
	if err != nil {
		return 0, err
	}
	return number, r.Label(number, pull.Labels...)
}

// MergePull makes a draft ready and merges.
func (p people) MergePull(_ context.Context, m scenario.Merge, number int) (string, error) {
	r, err := p.repository(m.Repository)
	if err != nil {
		return "", err
	}
	if p.world.ruled(r) {
		if err := approve(r, number, login(m.By)); err != nil {
			return "", err
		}
	}
	return merge(r, number, m.Method, login(m.By))
}

// approve is the review of somebody who is not the author.
func approve(r *github.Repository, number int, by string) error {
	pull, err := r.Pull(number)
	if err != nil || pull.Author == by {
		return err
	}
	return r.Approve(number, by)
}

func merge(r *github.Repository, number int, method, by string) (string, error) {
	pull, err := r.Pull(number)
	if err != nil {
		return "", err
	}
	if pull.Draft {
		if err := r.Ready(number); err != nil {
			return "", err
		}
	}
	if method == "" {
		method = "merge"
	}
	return r.Merge(number, method, by)
}

// Pulls are all pull requests, oldest first.
func (p people) Pulls(_ context.Context, repository string) ([]scenario.PullState, error) {
	r, err := p.repository(repository)
	if err != nil {
		return nil, err
	}
	pulls, err := r.Pulls()
	if err != nil {
		return nil, err
	}
	all := make([]scenario.PullState, len(pulls))
	for i, pull := range pulls {
		state := "closed"
		switch {
		case pull.Open:
			state = "open"
		case pull.Merged:
			state = "merged"
		}
		all[i] = scenario.PullState{
			Number: pull.Number, Branch: pull.Head, Base: pull.Base, Title: pull.Title, Body: pull.Body, Labels: pull.Labels,
			State: state, Draft: pull.Draft, Head: pull.HeadCommit, Merged: pull.MergeCommit,
		}
	}
	return all, nil
}

// Releases are all releases, oldest first.
func (p people) Releases(_ context.Context, repository string) ([]scenario.ReleaseState, error) {
	r, err := p.repository(repository)
	if err != nil {
		return nil, err
	}
	var all []scenario.ReleaseState
	for _, release := range slices.Backward(r.Releases()) {
		all = append(all, scenario.ReleaseState{
			Tag: release.Tag, Title: release.Title, Notes: release.Body, Assets: slices.Sorted(maps.Keys(release.Assets)),
			Draft: release.Draft, Prerelease: release.Prerelease,
		})
	}
	return all, nil
}

// Statuses are the newest statuses of a commit by context.
func (p people) Statuses(_ context.Context, repository, commit string) (map[string]string, error) {
	r, err := p.repository(repository)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for c, status := range r.Statuses(commit) {
		all[c] = status.State
	}
	return all, nil
}

// Checks are what jobs of workflows have come to for a commit, by name.
func (p people) Checks(_ context.Context, repository, commit string) (map[string]string, error) {
	r, err := p.repository(repository)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for name, check := range r.Checks(commit) {
		all[name] = check.State
	}
	return all, nil
}
