package nixcache

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/taxiway-ci/taxiway/internal/httpclient"
)

// maxBulk is how many hashes Cachix takes in one look-up.
const maxBulk = 32768

// info is the answer of GET /cache/NAME.
type info struct {
	URI               string   `json:"uri"`
	PublicSigningKeys []string `json:"publicSigningKeys"`
}

// readInfo asks Cachix about the cache.
func (c *Cache) readInfo(ctx context.Context) error {
	var got info
	err := c.call(ctx, http.MethodGet, "", nil, &got)
	if errors.Is(err, ErrMissing) {
		return fmt.Errorf("%w: %s; a private cache requires its auth_token", ErrNoCache, c.name)
	}
	if err != nil {
		return err
	}
	base, err := parseAddress(got.URI)
	if err != nil {
		return fmt.Errorf("%w: the address of cache %s: %w", ErrWrong, c.name, err)
	}
	if c.access.token != "" && !c.access.trusts(base) {
		c.logf("warning: the files of cache %s are at %s, which is not below %s: they are requested without the token", c.name, base.Host, c.access.home.Host)
	}
	published, err := ParseKeys(got.PublicSigningKeys)
	if err != nil {
		return fmt.Errorf("%w: the keys of cache %s: %w", ErrWrong, c.name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known, c.base, c.folder = true, base, base.JoinPath("/")
	if !c.given {
		c.keys = published
	}
	return nil
}

// call asks the API about the cache.
func (c *Cache) call(ctx context.Context, method, path string, body, into any) error {
	q := question{method: method, url: c.api, most: 16 << 20}
	if path != "" {
		q.url = c.api.JoinPath(path)
	}
	if body != nil {
		var err error
		if q.body, err = json.Marshal(body); err != nil {
			return fmt.Errorf("write the question: %w", err)
		}
	}
	got, err := c.ask(ctx, q)
	if err != nil || into == nil {
		return err
	}
	if bytes.HasPrefix(bytes.TrimSpace(got.body), []byte("<")) {
		return fmt.Errorf("%w: %s: %w", ErrWrong, shown(q.url), httpclient.ErrPage)
	}
	if err := httpclient.FewValues(got.body); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrWrong, shown(q.url), err)
	}
	if err := json.Unmarshal(got.body, into); err != nil {
		return fmt.Errorf("%w: %s is not the JSON that Cachix answers: %w", ErrWrong, shown(q.url), err)
	}
	return nil
}

// bulk asks which of the paths are missing. [ErrUnsupported] where the server
// has no such look-up.
func (c *Cache) bulk(ctx context.Context, paths []Path) (map[string]bool, error) {
	missing := map[string]bool{}
	for some := range slices.Chunk(paths, maxBulk) {
		hashes := make([]string, len(some))
		for i, p := range some {
			hashes[i] = p.Hash()
		}
		var lacking []string
		err := c.call(ctx, http.MethodPost, "narinfo", hashes, &lacking)
		var status *statusError
		if errors.As(err, &status) && (status.status == http.StatusNotFound || status.status == http.StatusMethodNotAllowed) {
			return nil, fmt.Errorf("%w: look up many paths at once: %w", ErrUnsupported, err)
		}
		if err != nil {
			return nil, err
		}
		for _, hash := range lacking {
			missing[hash] = true
		}
	}
	return missing, nil
}

// Pin is a name that keeps a path from being collected.
type Pin struct {
	Name     string
	Path     Path
	Revision int       // counts the paths that the name has had
	Created  time.Time // of the revision; zero when not said
}

// Pins lists the cache's pins by name. Only Cachix has pins: [ErrUnsupported]
// otherwise.
func (c *Cache) Pins(ctx context.Context) ([]Pin, error) {
	if !c.IsCachix() {
		return nil, fmt.Errorf("%w: list pins", ErrUnsupported)
	}
	var got []struct {
		Name         string `json:"name"`
		LastRevision struct {
			Revision  int    `json:"revision"`
			StorePath string `json:"storePath"`
			CreatedOn string `json:"createdOn"`
		} `json:"lastRevision"`
	}
	err := c.call(ctx, http.MethodGet, "pin", nil, &got)
	if errors.Is(err, ErrMissing) {
		return nil, fmt.Errorf("%w: %s; a private cache requires its auth_token", ErrNoCache, c.name)
	}
	if err != nil {
		return nil, err
	}
	pins := make([]Pin, 0, len(got))
	for _, p := range got {
		path, err := ParsePath(p.LastRevision.StorePath)
		if err != nil {
			return nil, fmt.Errorf("%w: pin %s: %w", ErrWrong, quote(p.Name), err)
		}
		created, err := time.Parse(time.RFC3339, p.LastRevision.CreatedOn)
		if err != nil {
			created = time.Time{}
		}
		pins = append(pins, Pin{p.Name, path, p.LastRevision.Revision, created})
	}
	slices.SortFunc(pins, func(a, b Pin) int { return cmp.Compare(a.Name, b.Name) })
	return pins, nil
}

// PinSpec is a pin to make. Without days and revisions it is kept forever.
type PinSpec struct {
	Name          string
	Path          Path
	KeepDays      int
	KeepRevisions int
}

// Pin pins a path. Only Cachix has pins: [ErrUnsupported] otherwise.
func (c *Cache) Pin(ctx context.Context, w PinSpec) error {
	if !c.IsCachix() {
		return fmt.Errorf("%w: pin %s", ErrUnsupported, w.Path)
	}
	var keep map[string]any // nothing, as the cachix program sends without options
	switch {
	case w.KeepDays > 0:
		keep = map[string]any{"tag": "Days", "contents": w.KeepDays}
	case w.KeepRevisions > 0:
		keep = map[string]any{"tag": "Revisions", "contents": w.KeepRevisions}
	}
	err := c.call(ctx, http.MethodPost, "pin", map[string]any{
		"name": w.Name, "storePath": w.Path.String(), "artifacts": []string{}, "keep": keep,
	}, nil)
	if err != nil {
		return fmt.Errorf("pin %s as %s: %w", w.Path, strconv.Quote(w.Name), err)
	}
	return nil
}
