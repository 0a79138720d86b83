package world

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// keep is a folder of folders that are made once for a key and used by later runs with the same one.
type keep struct{ dir string }

// unused is how long a folder stays that nobody uses; another run may be in the middle of using it.
const unused = 24 * time.Hour

// folder returns the one of a key. It is filled where it is not there yet, and those that nobody uses any more are removed then.
func (k keep) folder(key string, fill func(dir string) error) (dir string, made bool, err error) {
	dir = filepath.Join(k.dir, key)
	if now := time.Now(); os.Chtimes(dir, now, now) == nil {
		return dir, false, nil
	}
	if err := os.MkdirAll(k.dir, 0o750); err != nil {
		return "", false, err
	}
	filling, err := os.MkdirTemp(k.dir, "new-")
	if err != nil {
		return "", false, err
	}
	err = fill(filling)
	if err == nil {
		err = os.Rename(filling, dir)
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(filling))
		if _, other := os.Stat(dir); other != nil { // no other run was faster
			return "", false, err
		}
	}
	return dir, true, k.clean()
}

// clean removes what nobody uses.
func (k keep) clean() error {
	all, err := os.ReadDir(k.dir)
	if err != nil {
		return err
	}
	for _, one := range all {
		info, err := one.Info()
		if err == nil && time.Since(info.ModTime()) > unused {
			err = os.RemoveAll(filepath.Join(k.dir, one.Name()))
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
