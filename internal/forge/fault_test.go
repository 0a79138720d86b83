package forge

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/retry"
	"github.com/taxiway-ci/taxiway/internal/standin/github"
)

const pulls = "/repos/team/code/pulls"

func TestWrongToken(t *testing.T) {
	w := start(t)
	wrong := w.access
	wrong.AccessToken = "ghp_wrong"
	_, err := w.open(wrong).OpenPulls(t.Context())
	require.ErrorIs(t, err, ErrAuth)
	assert.Equal(t, "list the open pull requests of team/code: HTTP 401 Unauthorized: the credentials were refused: "+
		"check access_token: is it complete, and has it expired?; GitHub says: Bad credentials", err.Error())
	assert.Len(t, w.requests(), 1, "it is not tried again")
	assert.NotContains(t, err.Error()+w.logged(), "ghp_")
}

func TestNoPermission(t *testing.T) {
	w := start(t)
	w.server.Inject(github.Refused(http.StatusForbidden, "Resource not accessible by integration"))
	w.branch("bot", "one")
	_, _, err := w.Ensure(t.Context(), w.spec())
	require.ErrorIs(t, err, ErrForbidden)
	assert.Contains(t, err.Error(), "give the token or the app read and write access")
	assert.Contains(t, err.Error(), "Resource not accessible by integration")
	assert.Empty(t, w.waits)
}

func TestNoSuchRepository(t *testing.T) {
	w := start(t)
	other := w.access
	other.Repository = "team/other"
	_, err := w.open(other).OpenPulls(t.Context())
	require.ErrorIs(t, err, ErrNotFound)
	assert.Contains(t, err.Error(), "check repository and api_url")
}

func TestServerThatIsUnwellForAWhile(t *testing.T) {
	w := start(t)
	w.server.Inject(github.Fault{Status: http.StatusBadGateway, Body: "<html>unicorn</html>", Times: 2})
	_, err := w.OpenPulls(t.Context())
	require.NoError(t, err)
	assert.Len(t, w.waits, 2)

	w.server.Inject(github.Refused(http.StatusServiceUnavailable, "down for maintenance"))
	_, err = w.OpenPulls(t.Context())
	require.ErrorContains(t, err, "HTTP 503 Service Unavailable; GitHub says: down for maintenance")
	assert.Len(t, w.waits, 2+retry.Tries-1)
}

func TestServerThatSaysWhen(t *testing.T) {
	w := start(t)
	w.server.Inject(github.Fault{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"7"}}, Times: 1})
	_, err := w.OpenPulls(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []time.Duration{7 * time.Second}, w.waits)
}

func TestAnswerThatGetsLost(t *testing.T) {
	w := start(t)
	w.server.Inject(github.Fault{Method: http.MethodPost, Path: pulls, Lose: true, Times: 1})
	p := func() *Pull {
		w.branch("bot", "one")
		p, done, err := w.Ensure(t.Context(), w.spec())
		require.NoError(t, err)
		assert.Equal(t, Outcome{Changed: []string{"labels"}}, done, "it was there when asked again")
		return p
	}()
	assert.Equal(t, 1, p.Number)
	all, err := w.repo.Pulls()
	require.NoError(t, err)
	assert.Len(t, all, 1)
}

func TestPullThatSomebodyOpensMeanwhile(t *testing.T) {
	w := start(t)
	w.branch("bot", "one")
	w.server.Inject(github.Fault{Method: http.MethodPost, Path: pulls, Times: 1, Before: func() {
		_, err := w.repo.Open("bot", "main", "by hand", "ann")
		assert.NoError(t, err)
	}})
	p, done, err := w.Ensure(t.Context(), w.spec())
	require.NoError(t, err)
	assert.Equal(t, "ann", p.Author)
	assert.Equal(t, []string{"title", "body", "labels"}, done.Changed)
}

func TestPullThatExistsButIsNotListed(t *testing.T) {
	w := start(t)
	w.branch("bot", "one")
	_, err := w.repo.Open("bot", "main", "by hand", "ann")
	require.NoError(t, err)
	w.server.Inject(github.Fault{Method: http.MethodGet, Path: pulls, Status: http.StatusOK, Body: "[]"})
	_, _, err = w.Ensure(t.Context(), w.spec())
	require.ErrorIs(t, err, errExists)
	assert.Contains(t, err.Error(), "GitHub says that there is one, and lists none")
}

func TestPrimaryLimitThatEndsSoon(t *testing.T) {
	w := start(t)
	fault := github.PrimaryLimit(time.Now().Add(40 * time.Second))
	fault.Times = 1
	w.server.Inject(fault)
	_, err := w.OpenPulls(t.Context())
	require.NoError(t, err)
	require.Len(t, w.waits, 1)
	assert.InDelta(t, 40, w.waits[0].Seconds(), 3)
	assert.Contains(t, w.logged(), "GitHub's limit of requests an hour is reached: try again after ")
}

func TestPrimaryLimitThatLasts(t *testing.T) {
	w := start(t)
	reset := time.Now().Add(40 * time.Minute).Truncate(time.Second)
	w.server.Inject(github.PrimaryLimit(reset))
	_, err := w.OpenPulls(t.Context())
	var limit *rateLimit
	require.ErrorAs(t, err, &limit)
	assert.True(t, limit.Until.Equal(reset), limit.Until)
	assert.False(t, limit.Secondary)
	assert.Contains(t, err.Error(), "try again after "+reset.UTC().Format("15:04:05 UTC on 2006-01-02"))
	assert.NotErrorIs(t, err, ErrForbidden)
	assert.Len(t, w.requests(), 1)
}

func TestSecondaryLimit(t *testing.T) {
	w := start(t)
	fault := github.SecondaryLimit(9 * time.Second)
	fault.Times = 1
	w.server.Inject(fault)
	_, err := w.OpenPulls(t.Context())
	require.NoError(t, err)
	require.Len(t, w.waits, 1)
	assert.InDelta(t, 9, w.waits[0].Seconds(), 2)

	// one that does not say when is left alone for a minute, and once only
	w.waits = nil
	w.server.Inject(github.SecondaryLimit(0))
	_, err = w.OpenPulls(t.Context())
	var limit *rateLimit
	require.ErrorAs(t, err, &limit)
	assert.True(t, limit.Secondary)
	assert.Equal(t, []time.Duration{time.Minute}, w.waits)
	w.server.Heal()

	w.server.Inject(github.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"3"}}, Times: 1})
	_, err = w.OpenPulls(t.Context())
	require.NoError(t, err)
}

func TestLimitOfGraphQL(t *testing.T) {
	w := start(t)
	w.repo.Set(func(s *github.Settings) { s.AllowAutoMerge, s.RequiredApprovals = true, 1 })
	p := w.pull()
	w.server.Inject(github.Fault{
		Path: "graphql", Status: http.StatusOK, Times: 1,
		Body: `{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}`,
	})
	require.NoError(t, w.AutoMerge(t.Context(), p, "merge"))
	assert.Equal(t, []time.Duration{time.Minute}, w.waits)
}

func TestSilentServerEndsWithTheCaller(t *testing.T) {
	w := start(t)
	w.server.Inject(github.Fault{Hang: true})
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := assert.AnError
	time.AfterFunc(50*time.Millisecond, func() { cancel(stop) })
	_, err := w.OpenPulls(ctx)
	require.ErrorIs(t, err, stop)
}

func TestAnswerThatIsNoJSON(t *testing.T) {
	w := start(t)
	w.server.Inject(github.Fault{Status: http.StatusOK, Body: "<html>sign in</html>"})
	_, err := w.OpenPulls(t.Context())
	require.ErrorContains(t, err, "list the open pull requests of team/code: ")
}

func TestTokenStaysAtHome(t *testing.T) {
	var seen []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		_, _ = w.Write([]byte("[]"))
	}))
	defer elsewhere.Close()
	w := start(t)
	w.server.Inject(github.Fault{Status: http.StatusMovedPermanently, Header: http.Header{"Location": {elsewhere.URL}}})
	_, err := w.OpenPulls(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{""}, seen)
}

func TestRenamedRepositoryIsFollowed(t *testing.T) {
	w := start(t)
	w.pull()
	w.server.Inject(github.Fault{
		Path: "/repos/team/old", Status: http.StatusMovedPermanently,
		Header: http.Header{"Location": {w.server.APIURL() + "/repos/team/code/pulls?state=open"}},
	})
	old := w.access
	old.Repository = "team/old"
	open, err := w.open(old).OpenPulls(t.Context())
	require.NoError(t, err)
	assert.Len(t, open, 1)
	for _, r := range w.server.Requests() {
		_, token := r.Credentials()
		assert.Equal(t, "ghp_right", token, r.Path)
	}
}

func TestOwnAuthority(t *testing.T) {
	w := newWorld(t, github.Options{TLS: true})
	_, err := w.OpenPulls(t.Context())
	require.NoError(t, err)

	without := w.access
	without.CACert = ""
	_, err = w.open(without).OpenPulls(t.Context())
	require.ErrorContains(t, err, "give the certificate of your authority as ca_cert, or set skip_ssl_verification")

	without.SkipSSLVerification = true
	_, err = w.open(without).OpenPulls(t.Context())
	require.NoError(t, err)
	assert.Contains(t, w.logged(), "is not verified")
}

func (w *world) withApp(t *testing.T, repositories ...string) *Forge {
	t.Helper()
	key, err := w.server.AddApp("17", repositories...)
	require.NoError(t, err)
	return w.open(Access{Repository: "team/code", APIURL: w.server.APIURL(), AppID: "17", AppPrivateKey: key})
}

func TestAppReadsAndWrites(t *testing.T) {
	w := newWorld(t, github.Options{Now: time.Now})
	f := w.withApp(t, "team/code")
	w.branch("bot", "one")
	p, _, err := f.Ensure(t.Context(), w.spec())
	require.NoError(t, err)
	assert.Equal(t, "taxiway[bot]", p.Author)
	assert.Equal(t, 1, strings.Count(strings.Join(w.requests(), "\n"), "access_tokens"), "one token is enough")
}

func TestAppTokenThatHasEnded(t *testing.T) {
	w := newWorld(t, github.Options{Now: time.Now})
	f := w.withApp(t, "team/code")
	for range 3 {
		_, err := f.OpenPulls(t.Context())
		require.NoError(t, err)
		w.server.ExpireTokens()
	}
	_, err := f.OpenPulls(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 4, strings.Count(strings.Join(w.requests(), "\n"), "access_tokens"))
	assert.Empty(t, w.waits)
}

func TestAppTokenIsRefreshedBeforeItEnds(t *testing.T) {
	w := newWorld(t, github.Options{Now: time.Now})
	f := w.withApp(t, "team/code")
	w.server.SetTokenLife(time.Minute)
	for range 2 {
		_, err := f.OpenPulls(t.Context())
		require.NoError(t, err)
	}
	for _, r := range w.server.Requests() {
		assert.Less(t, r.Status, 300, r.Path)
	}
	assert.Equal(t, 2, strings.Count(strings.Join(w.requests(), "\n"), "access_tokens"))
}

func TestFreshTokenMayBeUnknownForAMoment(t *testing.T) {
	w := newWorld(t, github.Options{Now: time.Now})
	w.server.SetTokenDelay(3)
	f := w.withApp(t, "team/code")
	_, err := f.OpenPulls(t.Context())
	require.NoError(t, err)
	assert.Len(t, w.waits, 2)
	assert.Contains(t, w.logged(), "use of the new token of app 17 at ")
}

func TestWhatIsNotThereIsNotTheTokensFault(t *testing.T) {
	w := newWorld(t, github.Options{Now: time.Now})
	f := w.withApp(t, "team/code")
	_, err := f.PullByNumber(t.Context(), 9)
	require.ErrorIs(t, err, ErrNotFound)
	assert.Empty(t, w.waits)
}

func TestAppErrors(t *testing.T) {
	w := start(t)
	_, err := w.withApp(t, "team/elsewhere").OpenPulls(t.Context())
	require.ErrorIs(t, err, ErrNotInstalled)
	assert.Contains(t, err.Error(), "the app is not installed for team/code, or there is no such repository: install it at the repository's owner")

	f := w.withApp(t, "team/code")
	w.server.SuspendApp("17", true)
	_, err = f.OpenPulls(t.Context())
	require.ErrorIs(t, err, ErrForbidden)
	assert.Contains(t, err.Error(), "This installation has been suspended")

	other, err := w.server.AddApp("18", "team/code")
	require.NoError(t, err)
	w.server.Grant("18", map[string]string{"administration": "write"})
	without := Access{Repository: "team/code", APIURL: w.server.APIURL(), AppID: "18", AppPrivateKey: other}
	_, err = w.open(without).OpenPulls(t.Context())
	require.ErrorIs(t, err, ErrNotGranted)
	assert.Contains(t, err.Error(), "it needs contents: write, pull_requests: write, statuses: write; add that in the app's settings")
	_, err = without.ReadToken(t.Context())
	require.ErrorContains(t, err, "none of the permissions for this: it needs contents: read; add that in the app's settings")

	_, err = w.open(Access{Repository: "team/code", APIURL: w.server.APIURL(), AppID: "17", AppPrivateKey: other}).OpenPulls(t.Context())
	require.ErrorIs(t, err, ErrAuth)
	assert.Contains(t, err.Error(), "check app_id and app_private_key")
}

func TestWriteToARenamedRepositoryIsFollowed(t *testing.T) {
	w := start(t)
	w.branch("bot", "one")
	w.server.Inject(github.Fault{
		Method: http.MethodPost, Path: "/repos/team/old/pulls", Status: http.StatusTemporaryRedirect,
		Header: http.Header{"Location": {w.server.APIURL() + pulls}},
	})
	w.server.Inject(github.Fault{Method: http.MethodGet, Path: "/repos/team/old/pulls", Status: http.StatusOK, Body: "[]"})
	old := w.access
	old.Repository = "team/old"
	spec := w.spec()
	spec.Labels = nil
	p, done, err := w.open(old).Ensure(t.Context(), spec)
	require.NoError(t, err)
	assert.True(t, done.Created)
	assert.Equal(t, 1, p.Number)
}

func TestWriteThatWouldBecomeARead(t *testing.T) {
	w := start(t)
	w.branch("bot", "one")
	w.server.Inject(github.Fault{Method: http.MethodPost, Status: http.StatusFound, Header: http.Header{"Location": {w.server.BaseURL() + "/login"}}})
	_, _, err := w.Ensure(t.Context(), w.spec())
	require.ErrorContains(t, err, "open a pull request from bot into main of team/code: ")
	require.ErrorContains(t, err, "/login")
}
