package github

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	hourly       = 5000 // requests an hour that GitHub allows a user
	docs         = "https://docs.github.com/rest"
	defaultPages = 30
	maxPages     = 100
)

// failure is an answer other than success.
type failure struct {
	status  int
	message string
	errors  []detail
}

type detail struct {
	Resource string `json:"resource"`
	Code     string `json:"code"`
	Field    string `json:"field,omitempty"`
	Message  string `json:"message,omitempty"`
}

// Error is the message alone.
func (f *failure) Error() string { return f.message }

func notFound() error { return &failure{status: http.StatusNotFound, message: "Not Found"} }

func invalid(d ...detail) error {
	return &failure{status: http.StatusUnprocessableEntity, message: "Validation Failed", errors: d}
}

func (f *failure) body() []byte {
	body, err := json.Marshal(struct {
		Message string   `json:"message"`
		Errors  []detail `json:"errors,omitempty"`
		Docs    string   `json:"documentation_url"`
		Status  string   `json:"status"`
	}{f.message, f.errors, docs, strconv.Itoa(f.status)})
	if err != nil {
		return []byte(err.Error()) // strings alone: it can't be
	}
	return body
}

// route answers one kind of request under the server's lock.
type route func(s *Server, c *call) (status int, body any, err error)

// call is one request with its repository, when its path names one.
type call struct {
	*http.Request
	repository *Repository
	login      string
	body       []byte
	header     http.Header // of the answer
}

func (c *call) decode(into any) error {
	if err := json.Unmarshal(c.body, into); err != nil {
		return &failure{status: http.StatusBadRequest, message: "Problems parsing JSON"}
	}
	return nil
}

// number is a number in the path; a wrong one is not found.
func (c *call) number(name string) int64 {
	n, err := strconv.ParseInt(c.PathValue(name), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func tokenOf(r *http.Request) string {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "bearer") && !strings.EqualFold(kind, "token") {
		return ""
	}
	return token
}

func (s *Server) limits(h http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used++
	left := max(0, hourly-s.used)
	h.Set("X-Ratelimit-Limit", strconv.Itoa(hourly))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(max(1, left)))
	h.Set("X-Ratelimit-Used", strconv.Itoa(s.used))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(s.now().Add(time.Hour).Unix(), 10))
	h.Set("X-Ratelimit-Resource", "core")
}

func write(w http.ResponseWriter, status int, body []byte) {
	if body != nil {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have gone
}

// handle makes a handler of a route.
func (s *Server) handle(do route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.limits(w.Header())
		status, body, err := s.carryOut(w, r, do)
		var f *failure
		switch {
		case errors.As(err, &f):
			write(w, f.status, f.body())
			return
		case err != nil:
			write(w, http.StatusInternalServerError, (&failure{status: 500, message: err.Error()}).body())
			return
		case body == nil:
			write(w, status, nil)
			return
		}
		if raw, ok := body.([]byte); ok {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.WriteHeader(status)
			_, _ = io.Copy(w, bytes.NewReader(raw)) // the client may have gone
			return
		}
		text, err := json.Marshal(body)
		if err != nil {
			write(w, http.StatusInternalServerError, (&failure{status: 500, message: err.Error()}).body())
			return
		}
		write(w, status, text)
	}
}

func (s *Server) carryOut(w http.ResponseWriter, r *http.Request, do route) (status int, body any, err error) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{Request: r, body: sent, header: w.Header()}
	if c.login, err = s.authenticate(r); err != nil {
		return 0, nil, err
	}
	if owner, name := r.PathValue("owner"), r.PathValue("repo"); owner != "" {
		if c.repository, err = s.see(r, owner+"/"+name); err != nil {
			return 0, nil, err
		}
	}
	return do(s, c)
}

// see returns a repository after a look at what was pushed. One that does not exist or that the caller may not see is not found.
func (s *Server) see(r *http.Request, name string) (*Repository, error) {
	if _, ok := s.options.Git.Find(name); !ok || !s.maySee(r, name) {
		return nil, notFound()
	}
	repository := s.repository(name)
	if err := repository.refresh(); err != nil {
		return nil, err
	}
	return repository, nil
}

// shown is a list as the API shows it.
func shown[T, B any](all []T, body func(T) B) []B {
	out := make([]B, len(all))
	for i, one := range all {
		out[i] = body(one)
	}
	return out
}

// page cuts a list to the page that is asked for, and links to the others.
func page[T any](s *Server, c *call, all []T) []T {
	q := c.URL.Query()
	size, err := strconv.Atoi(q.Get("per_page"))
	if err != nil || size < 1 {
		size = defaultPages
	}
	size = min(size, maxPages)
	number, err := strconv.Atoi(q.Get("page"))
	if err != nil || number < 1 {
		number = 1
	}
	last := max(1, (len(all)+size-1)/size)
	link := func(n int, rel string) string {
		q.Set("page", strconv.Itoa(n))
		return fmt.Sprintf("<%s%s?%s>; rel=%q", s.BaseURL(), c.URL.Path, q.Encode(), rel)
	}
	var links []string
	if number > 1 {
		links = append(links, link(number-1, "prev"), link(1, "first"))
	}
	if number < last {
		links = append(links, link(number+1, "next"), link(last, "last"))
	}
	if len(links) > 0 {
		c.header.Set("Link", strings.Join(links, ", "))
	}
	from := min(len(all), (number-1)*size)
	return append([]T{}, all[from:min(len(all), from+size)]...)
}

func (s *Server) webURL(parts ...string) string {
	at, err := url.JoinPath(s.BaseURL(), parts...)
	if err != nil {
		return s.BaseURL()
	}
	return at
}
