package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/object"
)

// Push writes objects and moves refs with git's own locks, so that it is safe
// beside the git program. Hooks are not run.
func (l *Repository) Push(objects []object.Object, updates []object.Update) error {
	if err := l.notCheckedOut(updates); err != nil {
		return err
	}
	for _, o := range objects {
		if l.Has(o.Hash) {
			continue
		}
		if err := l.write(o); err != nil {
			return fmt.Errorf("write object %s: %w", o.Hash, err)
		}
	}
	sorted := slices.Clone(updates)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Ref < sorted[j].Ref })
	return l.update(sorted)
}

// notCheckedOut refuses what git refuses: to move a branch under a work tree.
func (l *Repository) notCheckedOut(updates []object.Update) error {
	if !l.work {
		return nil
	}
	head, err := l.Head()
	if err != nil {
		return err
	}
	for _, u := range updates {
		if head != "" && u.Ref == branches+head {
			return &object.Rejected{Ref: u.Ref, Reason: "the branch is checked out there; use a bare repository or another branch"}
		}
	}
	return nil
}

const (
	lockPatience = 5 * time.Second
	lockPause    = 10 * time.Millisecond
)

// update takes the lock of every ref, compares, and only then moves them.
func (l *Repository) update(updates []object.Update) error {
	var locks []string
	defer func() {
		for _, lock := range locks {
			_ = os.Remove(lock)
		}
	}()
	for _, u := range updates {
		lock, err := l.lock(u)
		if err != nil {
			return err
		}
		locks = append(locks, lock)
	}
	packed, err := l.packedRefs()
	if err != nil {
		return err
	}
	for _, u := range updates {
		now, err := l.ref(u.Ref, packed)
		if err != nil {
			return err
		}
		if now != u.Old && now != u.New {
			return &object.NonFastForwardError{Ref: u.Ref, Old: u.Old, Seen: now}
		}
	}
	for i, u := range updates {
		if err := l.move(u, locks[i], packed); err != nil {
			return fmt.Errorf("update %s: %w", u.Ref, err)
		}
		if !u.New.IsZero() {
			locks[i] = "" // it was renamed: what has its name now is another process's
		}
	}
	return nil
}

func (l *Repository) lock(u object.Update) (string, error) {
	file := l.file(u.Ref)
	//nolint:gosec // as git makes them
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", fmt.Errorf("update %s: %w", u.Ref, err)
	}
	return file + ".lock", writeLock(file+".lock", u.New.String()+"\n")
}

// writeLock makes a lock file, waiting for another process to remove its own.
func writeLock(name, content string) error {
	for waited := time.Duration(0); ; waited += lockPause {
		//nolint:gosec // as git makes them
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.WriteString(content)
			return errors.Join(err, f.Close())
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if waited > lockPatience {
			return fmt.Errorf("%s is there, does another git process use the repository? Remove the file if none does", name)
		}
		<-time.After(lockPause)
	}
}

func (l *Repository) move(u object.Update, lock string, packed map[string]packedRef) error {
	if !u.New.IsZero() {
		return os.Rename(lock, l.file(u.Ref))
	}
	if _, ok := packed[u.Ref]; ok {
		if err := l.unpack(u.Ref); err != nil {
			return err
		}
	}
	if err := os.Remove(l.file(u.Ref)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// unpack takes a ref, with its peeled line, out of packed-refs.
func (l *Repository) unpack(ref string) (err error) {
	name := filepath.Join(l.common, "packed-refs")
	if err := writeLock(name+".lock", ""); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(name + ".lock")
		}
	}()
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var kept strings.Builder
	skip := false
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "^") {
			skip = strings.HasSuffix(strings.TrimSuffix(line, "\n"), " "+ref)
		}
		if !skip {
			kept.WriteString(line)
		}
	}
	if err := os.WriteFile(name+".lock", []byte(kept.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".lock", name)
}
