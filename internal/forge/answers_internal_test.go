package forge

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// canned answers what reads with one text, and what writes with another one, without a network.
type canned struct {
	read, written             string
	readStatus, writtenStatus int
}

// RoundTrip makes no request.
func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	status, text := c.writtenStatus, c.written
	if r.Method == http.MethodGet {
		status, text = c.readStatus, c.read
	}
	if strings.Contains(r.URL.Path, "/tags/") && strings.HasPrefix(text, "[") {
		status = http.StatusNotFound // a list is not a release
	}
	header := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

// Whatever a server answers in place of GitHub, there is an error in words, or a pull request or release with a number.
func FuzzAnswers(f *testing.F) {
	pull := `{"number": 7, "state": "open", "title": "t", "node_id": "P", "head": {"ref": "bot", "sha": "1f3c", "repo": {"full_name": "team/code"}}, "base": {"ref": "main"}, "labels": [{"name": "a"}, null]}`
	release := `{"id": 3, "tag_name": "v1", "assets": [null, {"id": 1, "name": "a", "size": 9}, {"id": 2, "name": "a.part"}]}`
	clean := `{"data": null, "errors": [null, {"message": "Pull request is in clean status"}]}`
	const ok, created, no, refused = 0, 1, 204, 222 // 200, 201, 404 and 422
	for _, text := range []string{
		pull, "[" + pull + "]", "[null]", "null", "{}", "[]", release, "[" + release + "]", `{"number": -1}`, `{"number": 1e99}`, "<html>",
		`{"statuses": [null, {"context": "build", "state": "odd"}]}`, `{"data": {"node": null}, "errors": [null]}`, clean, `{"sha": null}`,
		`{"message": "Validation Failed", "errors": [null, {"resource": "PullRequest", "code": "custom", "message": "A pull request already exists"}]}`,
	} {
		f.Add(text, text, uint16(ok), uint16(created))
		f.Add(text, text, uint16(refused), uint16(refused))
		f.Add("[]", text, uint16(ok), uint16(created))
		f.Add("[]", text, uint16(ok), uint16(refused))
		f.Add(text, pull, uint16(ok), uint16(created))
		f.Add(text, release, uint16(no), uint16(created))
		f.Add(text, clean, uint16(ok), uint16(ok))
	}
	file := filepath.Join(f.TempDir(), "a")
	require.NoError(f, os.WriteFile(file, []byte("asset"), 0o600))
	f.Fuzz(func(t *testing.T, read, written string, readStatus, writtenStatus uint16) {
		forge, err := Access{Repository: "team/code", AccessToken: "t0ken"}.Open(Options{})
		require.NoError(t, err)
		way, ok := forge.http.Transport.(*transport)
		require.True(t, ok)
		way.below = canned{read, written, 200 + int(readStatus)%400, 200 + int(writtenStatus)%400}
		forge.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
		ctx := t.Context()
		words := func(err error) {
			assert.NotContains(t, err.Error(), "fault in this program")
		}
		if p, err := forge.PullByNumber(ctx, 7); err != nil {
			words(err)
		} else {
			assert.NotZero(t, p.Number)
		}
		if all, err := forge.OpenPulls(ctx); err != nil {
			words(err)
		} else {
			assert.NotContains(t, all, (*Pull)(nil))
		}
		if r, err := forge.release(ctx, "v1"); err != nil {
			words(err)
		} else {
			assert.NotNil(t, r)
		}
		for _, ask := range []func() error{
			func() error { _, err := forge.Merged(ctx, "main", "bot", time.Time{}); return err },
			func() error { _, err := forge.Files(ctx, 7); return err },
			func() error { _, err := forge.StatusOf(ctx, "1f3c", "build"); return err },
			func() error { _, err := forge.Standing(ctx); return err },
			func() error {
				_, _, err := forge.Ensure(ctx, PullSpec{Head: "bot", Base: "main", Title: "t", Labels: []string{"a"}, Reviewers: []string{"ana"}})
				return err
			},
			func() error {
				_, _, err := forge.EnsureRelease(ctx, ReleaseSpec{Tag: "v1", Title: "t", Uploads: []Upload{{Name: "a", Path: file}}})
				return err
			},
			func() error { return forge.AutoMerge(ctx, &Pull{Number: 7, node: "P"}, "squash") },
			func() error { return forge.AutoMerge(ctx, &Pull{Number: 7, node: "P"}, "") },
			func() error { return forge.comment(ctx, 7, "hello") },
			func() error { return forge.Close(ctx, 7, "over") },
			func() error { return forge.SetStatus(ctx, "1f3c", Status{Context: "build", State: "success"}) },
		} {
			if err := ask(); err != nil {
				words(err)
			}
		}
	})
}
