package github

import (
	"net/http"
	"strconv"
	"time"

	"github.com/taxiway-ci/taxiway/internal/standin/server"
)

// Fault is one way for a server to misbehave.
type Fault = server.Fault

// Refused is GitHub's answer of a status with a message, in the usual body.
func Refused(status int, message string) Fault {
	return Fault{Status: status, Body: string((&failure{status: status, message: message}).body())}
}

// PrimaryLimit is GitHub's answer to too many requests an hour, until the limit
// is reset.
func PrimaryLimit(reset time.Time) Fault {
	f := Refused(http.StatusForbidden, "API rate limit exceeded for user ID 1.")
	f.Header = http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {strconv.FormatInt(reset.Unix(), 10)}}
	return f
}

// SecondaryLimit is GitHub's answer to too many requests at once. wait is for the
// header Retry-After, in whole seconds; 0 leaves it out.
func SecondaryLimit(wait time.Duration) Fault {
	f := Fault{
		Status: http.StatusForbidden, Header: http.Header{},
		Body: `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",` +
			`"documentation_url":"https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`,
	}
	if wait > 0 {
		f.Header.Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
	}
	return f
}
