package forge

import (
	"errors"
	"fmt"
	"time"
)

// One sentinel for each decision that a caller can take. Use errors.Is.
var (
	// ErrAuth says that the token or the app's key was not accepted.
	ErrAuth = errors.New("the credentials were refused")
	// ErrForbidden says that the credentials are good but do not allow this.
	ErrForbidden = errors.New("no permission")
	// ErrNotFound says that there is no such thing, or none that these credentials
	// may see.
	ErrNotFound = errors.New("not found")
	// ErrNotInstalled says that the GitHub App is not installed for the repository.
	ErrNotInstalled = errors.New("the app is not installed")
	// ErrNotGranted says that the installation of the GitHub App has none of the permissions that are needed.
	ErrNotGranted = errors.New("the app has none of the permissions")
	// errExists says that there is such a thing already.
	errExists = errors.New("it exists already")
	// errInvalid says that GitHub read a request and did not want it: the same
	// request will not be accepted later.
	errInvalid = errors.New("the request was not accepted")
	// ErrTooManyFiles says that GitHub does not list all files of a pull request.
	ErrTooManyFiles = errors.New("too many files")
	// ErrAutoMergeOff says that a pull request can't be set to merge by itself,
	// and why.
	ErrAutoMergeOff = errors.New("auto-merge is not possible")
)

// rateLimit says that GitHub answers no more requests for a while that is too
// long to wait for.
type rateLimit struct { //nolint:errname // it is what happened
	// Until is when GitHub answers again; zero when it does not say.
	Until time.Time
	// Secondary limits are about too many requests at once, primary ones about the
	// requests of an hour.
	Secondary bool
	// Said is GitHub's text.
	Said string
}

// Error says which limit it is and when to come back.
func (r *rateLimit) Error() string {
	kind := "GitHub's limit of requests an hour is reached"
	if r.Secondary {
		kind = "GitHub's limit against too many requests at once is reached"
	}
	if !r.Until.IsZero() {
		kind = fmt.Sprintf("%s: try again after %s", kind, r.Until.UTC().Format("15:04:05 UTC on 2006-01-02"))
	}
	if r.Said != "" {
		kind += "; it says: " + r.Said
	}
	return kind
}
