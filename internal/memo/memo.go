// Package memo is the memory of a check: in a folder that survives between the checks of one container
// it keeps the last answer and the git objects that were fetched for it. While no ref moved, a check
// costs one ref advertisement; when one moved, it fetches what is new.
package memo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// Question is everything that decides an answer, except for the refs and the time.
type Question struct {
	// Kind is the resource type. It is a part of the folder's name.
	Kind string
	// Branch is the branch of the remote whose objects are kept.
	Branch string
	// Refs are the full names of the refs that the answer depends on.
	Refs []string
	// Parts are the keys of the source and the given version, as JSON values without credentials.
	Parts []any
	// Logf gets one line when the memory can't be used.
	Logf func(format string, args ...any)
}

// Answer is what a check answers.
type Answer[V any] struct {
	Versions []V `json:"versions"`
	// Notes are the lines that the check logs, each time again.
	Notes []string `json:"notes"`
	// Refs are further refs that the answer depends on, with the values they had; zero for a ref that
	// does not exist.
	Refs map[string]git.Hash `json:"refs"`
	// Until is when the answer is outdated although no ref moved; zero for never.
	Until time.Time `json:"until"`
}

// Work finds an answer from the values of refs, of which those that do not exist are missing.
type Work[V any] func(ctx context.Context, store *git.Store, refs map[string]git.Hash) (Answer[V], error)

// Check answers a question: from memory as long as the answer holds at the time now, and else by
// work. A memory that is corrupt, in use by another process or not writable never fails a check:
// then the objects are fetched anew.
func Check[V any](ctx context.Context, remote *git.Remote, q Question, now time.Time, work Work[V]) (Answer[V], error) {
	m, err := open[V](remote.URL(), q)
	if err != nil {
		q.Logf("checking without a cache: %v", err)
		m = &memory[V]{}
	}
	defer m.close()
	names := q.Refs
	for _, name := range slices.Sorted(maps.Keys(m.last.Refs)) {
		if !slices.Contains(names, name) {
			names = append(slices.Clip(names), name)
		}
	}
	refs, err := remote.Refs(ctx, names...)
	if err != nil {
		return Answer[V]{}, err
	}
	if m.holds(refs, now) {
		return m.last.Answer, nil
	}
	answer, err := m.answer(ctx, remote, refs, q.Logf, work)
	if err != nil || m.dir == "" {
		return answer, err
	}
	if answer.Refs == nil {
		answer.Refs = map[string]git.Hash{}
	}
	for _, name := range q.Refs {
		answer.Refs[name] = refs[name]
	}
	if err := m.keep(answer); err != nil {
		q.Logf("the answer is not cached: %v", err)
	}
	return answer, nil
}

// memory is the folder of one repository and branch. The zero value keeps nothing.
type memory[V any] struct {
	dir      string
	question string // digest
	lock     *flock.Flock
	last     kept[V]
}

// kept is what the file of an answer holds.
type kept[V any] struct {
	Question  string `json:"question"`
	Answer[V] `json:"answer"`
}

// errBusy says that another check uses the memory at this moment.
var errBusy = errors.New("another check uses it")

// open makes the folder and locks it. Whatever stands in its place is replaced.
func open[V any](uri string, q Question) (*memory[V], error) {
	question, err := digest(q.Refs, q.Parts)
	if err != nil {
		return nil, err
	}
	repository, err := digest(uri, q.Branch)
	if err != nil {
		return nil, err
	}
	m := &memory[V]{dir: filepath.Join(os.TempDir(), "taxiway-"+q.Kind+"-"+repository[:16]), question: question}
	err = m.acquire()
	if err != nil && !errors.Is(err, errBusy) {
		err = os.RemoveAll(m.dir)
		if err == nil {
			err = m.acquire()
		}
	}
	if err != nil {
		return nil, err
	}
	if data, err := os.ReadFile(m.file()); err == nil {
		if last, ok := decode[V](data); ok && last.Question == question {
			m.last = last
		}
	}
	return m, nil
}

func (m *memory[V]) acquire() error {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	m.lock = flock.New(filepath.Join(m.dir, "lock"))
	locked, err := m.lock.TryLock()
	if err == nil && !locked {
		err = errBusy
	}
	if err != nil {
		return errors.Join(err, m.lock.Close())
	}
	return nil
}

func (m *memory[V]) close() {
	if m.lock != nil {
		_ = m.lock.Close() // the end of the process unlocks it, too
	}
}

func (m *memory[V]) file() string { return filepath.Join(m.dir, "answer") }

func (m *memory[V]) objects() string {
	if m.dir == "" {
		return ""
	}
	return filepath.Join(m.dir, "objects")
}

// holds reports whether the kept answer is still right.
func (m *memory[V]) holds(refs map[string]git.Hash, now time.Time) bool {
	if m.last.Question == "" || !m.last.Until.IsZero() && !now.Before(m.last.Until) {
		return false
	}
	for name, was := range m.last.Refs {
		if refs[name] != was {
			return false
		}
	}
	return true
}

// answer works with the kept objects. If they are corrupt, or the folder can't be written, it works
// again with objects in memory.
func (m *memory[V]) answer(ctx context.Context, remote *git.Remote, refs map[string]git.Hash, logf func(string, ...any), work Work[V]) (Answer[V], error) {
	answer, err := workIn(ctx, remote, m.objects(), refs, work)
	if _, missing := os.Stat(m.objects()); missing != nil || !doubtful(err) || ctx.Err() != nil {
		return answer, err
	}
	logf("the cached git objects are removed: %v", err)
	if err := os.RemoveAll(m.objects()); err != nil {
		logf("the cached git objects are not removed: %v", err)
	}
	return workIn(ctx, remote, "", refs, work)
}

// doubtful reports whether an error may be the fault of the folder.
func doubtful(err error) bool {
	var path *fs.PathError
	var link *os.LinkError
	return errors.Is(err, git.ErrDamaged) || errors.Is(err, git.ErrNotFound) || errors.As(err, &path) || errors.As(err, &link)
}

func workIn[V any](ctx context.Context, remote *git.Remote, dir string, refs map[string]git.Hash, work Work[V]) (Answer[V], error) {
	store, err := remote.Store(dir)
	if err != nil {
		return Answer[V]{}, err
	}
	answer, err := work(ctx, store, refs)
	if closed := store.Close(); err == nil {
		err = closed
	}
	return answer, err
}

// keep writes an answer, in one step.
func (m *memory[V]) keep(answer Answer[V]) error {
	data, err := encode(kept[V]{m.question, answer})
	if err != nil {
		return err
	}
	temp := m.file() + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return err
	}
	if err := os.Rename(temp, m.file()); err == nil {
		return nil
	}
	if err := os.RemoveAll(m.file()); err != nil { // a folder in its place
		return err
	}
	return os.Rename(temp, m.file())
}

// encode is the content of an answer's file: the SHA-256 of the rest in hexadecimal digits, a newline,
// and JSON.
func encode[V any](k kept[V]) ([]byte, error) {
	data, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return append([]byte(sum(data)+"\n"), data...), nil
}

// decode reads what encode made, byte by byte, and nothing else.
func decode[V any](data []byte) (k kept[V], ok bool) {
	const head = 2*sha256.Size + 1
	if len(data) < head || sum(data[head:])+"\n" != string(data[:head]) || json.Unmarshal(data[head:], &k) != nil {
		return kept[V]{}, false
	}
	return k, true
}

// format is a part of every digest: a program with another one ignores the folder.
const format = 2

func digest(parts ...any) (string, error) {
	data, err := json.Marshal(append([]any{format}, parts...))
	if err != nil {
		return "", fmt.Errorf("name the cache: %w", err)
	}
	return sum(data), nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
