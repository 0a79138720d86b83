package types

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// GitHub is a forge on this machine that stands in for GitHub's API.
type GitHub struct {
	// API is its address; Token is accepted there.
	API, Token string
	// Clone is the address of the git repository owner/name.
	Clone func(repository string) string
}

// apiTime ends a request that hangs. A busy machine takes a minute for what a quiet one does at once.
const apiTime = 30 * time.Minute

// call makes one request and decodes the answer, nothing into nothing. A 404 is
// an errGone.
func (g GitHub) call(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, apiTime)
	defer cancel()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(g.API, "/")+path, content)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("Authorization", "Bearer "+g.Token)
	client := &http.Client{}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return &refusedError{what: method + " " + path, status: response.StatusCode, text: string(text)}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// refusedError is an answer of the forge that is not a success.
type refusedError struct {
	what, text string
	status     int
}

// Error says what was asked and what came back.
func (e *refusedError) Error() string {
	return fmt.Sprintf("%s: %d %s: %s", e.what, e.status, http.StatusText(e.status), strings.TrimSpace(e.text))
}

// perPage is GitHub's largest page.
const perPage = 100

// pages reads all pages of a list.
func pages[T any](ctx context.Context, g GitHub, path string) ([]T, error) {
	join := "?"
	if strings.Contains(path, "?") {
		join = "&"
	}
	var all []T
	for page := 1; ; page++ {
		var some []T
		if err := g.call(ctx, http.MethodGet, fmt.Sprintf("%s%sper_page=%d&page=%d", path, join, perPage, page), nil, &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < perPage {
			return all, nil
		}
	}
}
