package proposal

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/git"
)

// The modes of a source.
const (
	ModePull = "pull-request"
	ModePush = "push"
)

// Settings are the keys of a source that say how its changes reach the base branch.
type Settings struct {
	// Mode is pull-request or push.
	Mode string `json:"mode"`
	// GitHub is where the pull request is kept.
	GitHub *forge.Access `json:"github"`
	// BotBranch is the pull request's branch, and belongs to this resource.
	BotBranch string `json:"bot_branch"`
	// Labels are added to the pull request, and made where they are missing.
	Labels []string `json:"labels"`
	// Draft keeps the pull request a draft.
	Draft bool `json:"draft"`
	// AutoMerge lets GitHub merge it when its rules are met: true for the
	// repository's usual method, or merge, squash or rebase.
	AutoMerge AutoMerge `json:"auto_merge"`
}

// AutoMerge is how a pull request merges by itself: off, by the repository's usual method, or by a
// certain one.
type AutoMerge struct {
	On     bool
	Method string // merge, squash or rebase; empty is the usual one
}

// UnmarshalJSON takes true, false or a method.
func (a *AutoMerge) UnmarshalJSON(data []byte) error {
	var on bool
	if json.Unmarshal(data, &on) == nil {
		*a = AutoMerge{On: on}
		return nil
	}
	var word string
	if json.Unmarshal(data, &word) == nil {
		switch word {
		case "merge", "squash", "rebase":
			*a = AutoMerge{On: true, Method: word}
			return nil
		case "true", "false":
			*a = AutoMerge{On: word == "true"}
			return nil
		}
	}
	return fmt.Errorf("want true, false, merge, squash or rebase, got %s", data)
}

// Validate names the first key that can't be right. base is the branch that changes are for.
func (s Settings) Validate(base string) error {
	switch s.Mode {
	case ModePush:
		if s.AutoMerge.On || s.Draft || len(s.Labels) > 0 || s.BotBranch != "" {
			return errors.New("mode: push makes no pull request: set mode: pull-request, or remove bot_branch, labels, draft and auto_merge")
		}
		return nil
	case ModePull:
		return s.validatePull(base)
	}
	return fmt.Errorf("mode: %q is not one of %s, %s", s.Mode, ModePull, ModePush)
}

func (s Settings) validatePull(base string) error {
	switch {
	case s.GitHub == nil:
		return errors.New("github: is required for a pull request, or set mode: push")
	case s.BotBranch == "":
		return errors.New("bot_branch: is required for a pull request: name a branch that belongs to this resource alone")
	case s.Draft && s.AutoMerge.On:
		return errors.New("auto_merge: a draft can't merge by itself: remove draft or auto_merge")
	}
	if err := CheckBranch(s.BotBranch, base); err != nil {
		return err
	}
	if err := s.GitHub.Validate(); err != nil {
		return fmt.Errorf("github.%w", err)
	}
	return forge.CheckLabels(s.Labels)
}

// CheckBranch returns an error if a bot's branch can't be used for proposals to a base.
func CheckBranch(bot, base string) error {
	if bot == base {
		return fmt.Errorf("bot_branch: %s is the base branch: name another one, which belongs to this resource alone", bot)
	}
	if err := git.CheckBranch(bot); err != nil {
		return fmt.Errorf("bot_branch: %w", err)
	}
	return nil
}

// Secrets are all values that nobody may see.
func (s Settings) Secrets() []string {
	if s.GitHub == nil {
		return nil
	}
	return s.GitHub.Secrets()
}

// Bot is one that keeps the changes of a source with these settings. In push mode it has no forge. Close it.
func (s Settings) Bot(owner string, access git.Access, store *git.Store, remote *git.Remote, logf func(format string, args ...any)) (Bot, error) {
	b := Bot{
		Owner: owner, Remote: remote, Store: store, Base: access.Branch, Branch: s.BotBranch, By: access.Committer(time.Now()),
		Labels: s.Labels, Draft: s.Draft, Merge: s.AutoMerge, Logf: logf,
	}
	if s.Mode == ModePush {
		return b, nil
	}
	var err error
	if b.Forge, err = s.GitHub.Open(forge.Options{Logf: logf}); err != nil {
		return b, fmt.Errorf("source.github: %w", err)
	}
	return b, nil
}

// Close ends idle connections to the forge.
func (b Bot) Close() {
	if b.Forge != nil {
		b.Forge.Disconnect()
	}
}
