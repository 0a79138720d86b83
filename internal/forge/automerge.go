package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// AutoMerge lets GitHub merge a pull request as soon as its rules are met. method
// is merge, squash or rebase; empty is the first of them that the repository
// allows. One whose rules are met already is merged at once, as GitHub takes no
// auto-merge for it. p says afterwards what was done: AutoMerge or Merged.
//
// ErrAutoMergeOff says why GitHub does not do it for this repository or pull
// request; that is for people to change.
func (f *Forge) AutoMerge(ctx context.Context, p *Pull, method string) error {
	if p.AutoMerge || p.Merged {
		return nil
	}
	if method == "" {
		var err error
		if method, err = f.usualMethod(ctx); err != nil {
			return err
		}
	}
	switch method {
	case "merge", "squash", "rebase":
	default:
		return fmt.Errorf("merge method: %q is not one of merge, squash, rebase", method)
	}
	err := f.mutate(ctx, fmt.Sprintf("let pull request %d merge by itself", p.Number), "enablePullRequestAutoMerge",
		map[string]any{"pullRequestId": p.node, "mergeMethod": strings.ToUpper(method), "expectedHeadOid": p.HeadCommit})
	var refused *graphError
	switch {
	case err == nil:
		p.AutoMerge = true
		return nil
	case !errors.As(err, &refused):
		return err
	case mergesNow(refused.Error()):
		return f.mergeNow(ctx, p, method)
	}
	if reason := whyOff(refused.Error(), method); reason != "" {
		return fmt.Errorf("pull request %d of %s: %w: %s; GitHub says: %w", p.Number, f.access.Repository, ErrAutoMergeOff, reason, refused)
	}
	return err
}

// mergesNow reports whether GitHub refuses auto-merge because nothing is left to wait for. The state
// has_hooks is clean as well, on a server with pre-receive hooks.
func mergesNow(said string) bool {
	return strings.Contains(said, "clean status") || strings.Contains(said, "has_hooks")
}

// whyOff knows GitHub's reasons by its words, as it gives no others.
func whyOff(said, method string) string {
	said = strings.ToLower(strings.ReplaceAll(said, "-", " "))
	switch {
	case strings.Contains(said, "auto merge is not allowed"):
		return "the repository does not allow it: its settings have a box \"Allow auto-merge\""
	case strings.Contains(said, "draft"):
		return "it is a draft"
	case strings.Contains(said, "merging is not allowed"), strings.Contains(said, "merge method"), strings.Contains(said, "merge commits are not allowed"):
		return "the repository does not allow the method " + method
	case strings.Contains(said, "unstable status"):
		return "checks that no rule requires are not green; require them, then it waits for them"
	case strings.Contains(said, "protected branch rules not configured"), strings.Contains(said, "correct state"):
		return "the base branch has no rules to wait for; protect it, or merge by a workflow"
	case strings.Contains(said, "has conflicts"), strings.Contains(said, "dirty status"):
		return "it has conflicts with its base branch"
	}
	return ""
}

func (f *Forge) usualMethod(ctx context.Context) (string, error) {
	var repository *repositoryJSON
	err := f.call(ctx, "read the settings", func(ctx context.Context) error {
		_, err := f.send(ctx, http.MethodGet, "", nil, nil, &repository)
		if err == nil && repository == nil {
			return errEmpty
		}
		return err
	})
	switch {
	case err != nil:
		return "", err
	case repository.AllowMergeCommit == nil || *repository.AllowMergeCommit:
		return "merge", nil // also where the credentials may not see the setting
	case repository.AllowSquashMerge:
		return "squash", nil
	}
	return "rebase", nil
}

func (f *Forge) mergeNow(ctx context.Context, p *Pull, method string) error {
	var done struct {
		SHA string `json:"sha"`
	}
	err := f.rest(ctx, fmt.Sprintf("merge pull request %d", p.Number), http.MethodPut, fmt.Sprintf("pulls/%d/merge", p.Number), nil,
		map[string]string{"sha": p.HeadCommit, "merge_method": method}, &done)
	if err == nil {
		p.Merged, p.Open, p.MergeCommit = true, false, done.SHA
	}
	return err
}
