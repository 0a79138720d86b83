package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/githubapp"
	"github.com/taxiway-ci/taxiway/internal/httpclient"
)

// What this package reads of GitHub's objects. A library has all of them, with a type for each: that was 0.23 MB of every image.
type (
	pullJSON struct {
		Number  int    `json:"number"`
		NodeID  string `json:"node_id"`
		Title   string `json:"title"`
		Body    string `json:"body"`
		State   string `json:"state"`
		HTMLURL string `json:"html_url"`
		Draft   bool   `json:"draft"`
		Merged  bool   `json:"merged"`

		User     userJSON `json:"user"`
		MergedBy userJSON `json:"merged_by"`
		Head     sideJSON `json:"head"`
		Base     sideJSON `json:"base"`

		MergeCommitSHA string      `json:"merge_commit_sha"`
		Labels         []labelJSON `json:"labels"`
		AutoMerge      *struct{}   `json:"auto_merge"`

		RequestedReviewers []struct{} `json:"requested_reviewers"`
		RequestedTeams     []struct{} `json:"requested_teams"`

		CreatedAt time.Time `json:"created_at"`
		UpdatedAt time.Time `json:"updated_at"`
		MergedAt  time.Time `json:"merged_at"`
	}
	userJSON struct {
		Login string `json:"login"`
	}
	sideJSON struct {
		Ref  string `json:"ref"`
		SHA  string `json:"sha"`
		Repo struct {
			FullName string `json:"full_name"`
		} `json:"repo"`
	}
	labelJSON struct {
		Name string `json:"name"`
	}
	fileJSON struct {
		Filename         string `json:"filename"`
		PreviousFilename string `json:"previous_filename"`
		Status           string `json:"status"`
	}
	statusJSON struct {
		State       State  `json:"state"`
		Context     string `json:"context"`
		Description string `json:"description"`
		TargetURL   string `json:"target_url,omitempty"`
	}
	repositoryJSON struct {
		AllowMergeCommit *bool `json:"allow_merge_commit"` // nil: the credentials may not see it
		AllowSquashMerge bool  `json:"allow_squash_merge"`
		AllowAutoMerge   bool  `json:"allow_auto_merge"`
		Permissions      struct {
			Push bool `json:"push"`
		} `json:"permissions"`
	}
	releaseJSON struct {
		ID          int64       `json:"id"`
		TagName     string      `json:"tag_name"`
		Name        string      `json:"name"`
		Body        string      `json:"body"`
		HTMLURL     string      `json:"html_url"`
		Draft       bool        `json:"draft"`
		Prerelease  bool        `json:"prerelease"`
		Assets      []assetJSON `json:"assets"`
		CreatedAt   time.Time   `json:"created_at"`
		PublishedAt time.Time   `json:"published_at"`
	}
	assetJSON struct {
		ID                 int64  `json:"id"`
		Name               string `json:"name"`
		Size               int64  `json:"size"`
		Digest             string `json:"digest"`
		State              string `json:"state"`
		BrowserDownloadURL string `json:"browser_download_url"`
	}
)

// refusal is an answer of the API other than success.
type refusal struct {
	Message          string   `json:"message"`
	DocumentationURL string   `json:"documentation_url"`
	Errors           []detail `json:"errors"`

	status     int
	retryAfter time.Duration // the server's Retry-After
	limitReset time.Time     // when GitHub's limit of requests ends that this is about; or zero
}

// Error has the status and GitHub's words.
func (r *refusal) Error() string { return fmt.Sprintf("HTTP %d: %s", r.status, words(r)) }

// detail is one thing that GitHub does not like of a request.
type detail struct {
	Resource string `json:"resource"`
	Field    string `json:"field"`
	Code     string `json:"code"`
	Message  string `json:"message"`
}

// UnmarshalJSON reads it as an object, or as the words alone.
func (d *detail) UnmarshalJSON(data []byte) error {
	type object detail
	if json.Unmarshal(data, (*object)(d)) == nil {
		return nil
	}
	return json.Unmarshal(data, &d.Message)
}

// rest makes a request to the repository's part of the API as send does, again and again while it fails for a passing reason.
func (f *Forge) rest(ctx context.Context, what, method, path string, query url.Values, body, into any) error {
	return f.call(ctx, what, func(ctx context.Context) error {
		_, err := f.send(ctx, method, path, query, body, into)
		if object, ok := into.(interface{ isEmpty() bool }); ok && err == nil && object.isEmpty() {
			return errEmpty
		}
		return err
	})
}

// What GitHub always has of an object.
func (p *pullJSON) isEmpty() bool    { return p.Number == 0 }
func (r *releaseJSON) isEmpty() bool { return r.ID == 0 }

// send makes one request to the repository's part of the API. body is sent as JSON, and the answer is read into into; both may be nil.
func (f *Forge) send(ctx context.Context, method, path string, query url.Values, body, into any) (http.Header, error) {
	at := f.api.JoinPath("repos", f.owner, f.name, path)
	at.RawQuery = query.Encode()
	r, err := githubapp.NewRequest(ctx, method, at, body)
	if err != nil {
		return nil, err
	}
	return f.do(r, into)
}

func (f *Forge) do(r *http.Request, into any) (http.Header, error) {
	r.Header.Set("User-Agent", agent)
	response, err := f.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // it was read, or is not wanted
	switch {
	case response.StatusCode/100 == 3:
		return nil, fmt.Errorf("HTTP %d: the server redirects to %s: check repository and api_url", response.StatusCode, response.Header.Get("Location"))
	case response.StatusCode/100 != 2:
		return nil, refused(response)
	case into == nil:
		return response.Header, nil
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil && !errors.Is(err, io.EOF) { // an empty answer sets nothing
		return nil, err
	}
	return response.Header, nil
}

// refused reads what GitHub says; something else may have answered in its place.
func refused(response *http.Response) error {
	out := &refusal{}
	if data, err := io.ReadAll(response.Body); err != nil || json.Unmarshal(data, out) != nil {
		out = &refusal{}
	}
	out.status, out.retryAfter, out.limitReset = response.StatusCode, httpclient.RetryAfter(response), githubapp.LimitReset(response)
	return out
}

// nextPage is the number of the page after this one of a list, or 0. See
// https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
func nextPage(header http.Header) int {
	for link := range strings.SplitSeq(header.Get("Link"), ",") {
		address, about, _ := strings.Cut(strings.TrimSpace(link), ";")
		if !strings.Contains(about, `rel="next"`) {
			continue
		}
		if u, err := url.Parse(strings.Trim(address, "<> ")); err == nil {
			page, _ := strconv.Atoi(u.Query().Get("page")) // 0 if it is no number
			return page
		}
	}
	return 0
}
