package deployments

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// Cache is a folder that survives between the checks of one container. It
// holds objects of the repository and the last answer, never a credential.
// What is damaged in it is as good as absent.
type Cache struct {
	dir  string
	lock *flock.Flock
	last answer
}

// answer is what a check answered, and everything it depends on.
type answer struct {
	// Question is the digest of what was asked.
	Question string `json:"question"`
	// Refs are the refs that were looked at, with their values; the zero hash
	// is a ref that was not there.
	Refs map[string]string `json:"refs"`
	// Until is when the answer must be worked out again, if ever.
	Until    time.Time `json:"until,omitzero"`
	Versions []Version `json:"versions"`
	Notes    []string  `json:"notes"`
}

// ErrBusy says that another check uses the cache at this moment.
var ErrBusy = errors.New("the cache is in use")

// OpenCache opens, or makes, the cache of src's branch under dir and locks it.
func OpenCache(dir string, src Source) (*Cache, error) {
	sum := sha256.Sum256([]byte(src.URI + "\x00" + src.Branch))
	c := &Cache{dir: filepath.Join(dir, "taxiway-deployments-"+hex.EncodeToString(sum[:8]))}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the cache folder: %w", err)
	}
	c.lock = flock.New(filepath.Join(c.dir, "lock"))
	locked, err := c.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the cache: %w", err)
	}
	if !locked {
		return nil, errors.Join(ErrBusy, c.lock.Close())
	}
	data, err := os.ReadFile(filepath.Join(c.dir, "answer.json"))
	if err != nil || json.Unmarshal(data, &c.last) != nil {
		c.last = answer{}
	}
	return c, nil
}

// Close unlocks the cache.
func (c *Cache) Close() error { return c.lock.Close() }

// StoreDir is where the repository's objects are kept.
func (c *Cache) StoreDir() string { return filepath.Join(c.dir, "objects") }

// Forget removes everything that is kept.
func (c *Cache) Forget() error {
	c.last = answer{}
	return errors.Join(os.RemoveAll(c.StoreDir()), os.RemoveAll(filepath.Join(c.dir, "answer.json")))
}

// RefNames are the refs that an answer to this question depends on, as far as
// it is known before asking.
func (c *Cache) RefNames(src Source, given *Version) []string {
	names := src.RefNames()
	if c.last.Question != question(src, given) {
		return names
	}
	for _, name := range slices.Sorted(maps.Keys(c.last.Refs)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Answer is the kept answer, if it still holds: the same question, no ref
// moved, and no time has come that it waits for.
func (c *Cache) Answer(src Source, given *Version, refs Refs, now time.Time) ([]Version, []string, bool) {
	if c.last.Question == "" || c.last.Question != question(src, given) || (!c.last.Until.IsZero() && !now.Before(c.last.Until)) {
		return nil, nil, false
	}
	for name, was := range c.last.Refs {
		if refs[name].String() != was {
			return nil, nil, false
		}
	}
	return c.last.Versions, c.last.Notes, true
}

// Keep remembers an answer.
func (c *Cache) Keep(src Source, given *Version, refs Refs, until time.Time, versions []Version, notes []string) error {
	c.last = answer{Question: question(src, given), Refs: map[string]string{}, Until: until, Versions: versions, Notes: notes}
	for name, h := range refs {
		c.last.Refs[name] = h.String()
	}
	data, err := json.Marshal(c.last)
	if err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	temp := filepath.Join(c.dir, "answer.json.new")
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	return os.Rename(temp, filepath.Join(c.dir, "answer.json"))
}

// question is the digest of everything but the refs and the time that decides
// an answer. Credentials are no part of it.
func question(src Source, given *Version) string {
	src.Access = git.Access{URI: src.URI, Branch: src.Branch}
	data, err := json.Marshal(struct {
		Format int      `json:"format"`
		Source Source   `json:"source"`
		Given  *Version `json:"given"`
	}{1, src, given})
	if err != nil {
		return "" // a struct of strings always marshals; "" is never kept
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
