// Package release brings a code repository (internal/git) and the rules of
// releases (internal/version) together: which versions its tags mark, what came
// since the last one, what the next one is called, and what its notes say.
//
//	code, err := release.Open(ctx, "got/repo", release.Options{Remote: remote})
//	decision, err := code.Decide(ctx, release.Request{Rules: version.Default(), Pre: "rc"})
//	notes, err := code.Notes(ctx, release.Entry{Version: decision.Next, Rules: rules, Date: now})
//
// A clone that is too shallow for an answer is never guessed from: what is
// missing is read from the remote, or the answer is [ErrShallow].
package release

import "errors"

var (
	// ErrShallow says that the clone lacks the history or the tags that the answer
	// depends on, and that the remote does not have them either.
	ErrShallow = errors.New("the clone is too shallow to tell")
	// errNoCommit says that the remote does not have the clone's commit.
	errNoCommit = errors.New("the remote has no such commit")
)
