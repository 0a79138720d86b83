package object

import (
	"errors"
	"fmt"
	"strings"
)

// One sentinel for each decision that a caller can take. Use errors.Is.
var (
	// ErrNotFound says that the repository has no such object.
	ErrNotFound = errors.New("not in the repository")
	// ErrNoBranch says that the repository has no such branch or ref.
	ErrNoBranch = errors.New("no such branch")
	// ErrNonFastForward says that a ref has another value than the decision was based on:
	// read again and decide again.
	ErrNonFastForward = errors.New("the ref was moved by someone else")
	// ErrAuth says that the credentials were not accepted, or that there are none.
	ErrAuth = errors.New("the credentials were refused")
	// ErrForbidden says that the credentials are good but do not allow this.
	ErrForbidden = errors.New("no permission")
	// ErrNoRepository says that there is no such repository, or none that these
	// credentials may see.
	ErrNoRepository = errors.New("no such repository")
	// ErrHostKey says that an SSH server is not the one that it should be, or that
	// nothing says which one it should be.
	ErrHostKey = errors.New("the host key is not trusted")
	// ErrEmpty says that the repository has no commit yet.
	ErrEmpty = errors.New("the repository is empty")
	// ErrShallow says that history is cut off, because the repository itself is
	// shallow, so that a question about what was before has no answer.
	ErrShallow = errors.New("history is cut off")
	// ErrDamaged says that a folder with objects can't be used; deleting it helps.
	ErrDamaged = errors.New("the folder with git objects is damaged")
	// ErrLimit says that a repository has more of something than this program
	// takes: a larger object, more objects, a longer chain of deltas. Trying again
	// does not help.
	ErrLimit = errors.New("over a limit")
)

// Rejected says that the server read a push and did not want it: a protected
// branch, a hook, a rule. The same push will not be accepted later.
type Rejected struct { //nolint:errname // it is what happened
	Ref    string
	Reason string // in the server's short words
	Remote string // what the server had to say to people, of several lines; may be empty
}

// Error has the server's text in full, as it says what to do.
func (e *Rejected) Error() string {
	text := fmt.Sprintf("the server refused to update %s: %s", e.Ref, e.Reason)
	if said := strings.TrimSpace(e.Remote); said != "" {
		text += "; it says:\n" + said
	}
	return text
}

// NonFastForwardError is ErrNonFastForward with the value that was found.
type NonFastForwardError struct {
	Ref       string
	Old, Seen Hash
}

// Error names both values.
func (e *NonFastForwardError) Error() string {
	return fmt.Sprintf("%s: %s: it is %s, not %s", e.Ref, ErrNonFastForward.Error(), describe(e.Seen), describe(e.Old))
}

// Is makes it an ErrNonFastForward.
func (e *NonFastForwardError) Is(target error) bool { return target == ErrNonFastForward }

func describe(h Hash) string {
	if h.IsZero() {
		return "not there"
	}
	return h.String()
}
