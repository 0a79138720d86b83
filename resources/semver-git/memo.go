package semvergit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/version"
)

// memo is the answer of the last check in this container. Its name is a digest
// of everything that the answer depends on but the branch's commit, which is in
// it. It holds no credential, and what is damaged is as good as absent.
type memo struct {
	path string
}

type remembered struct {
	Tip      string    `json:"tip"`
	Versions []Version `json:"versions"`
}

func openMemo(src Source, given *Version) memo {
	question, err := json.Marshal([]any{1, src.URI, src.Branch, src.file(), src.InitialVersion, given})
	if err != nil {
		return memo{} // strings always marshal
	}
	sum := sha256.Sum256(question)
	return memo{filepath.Join(os.TempDir(), "taxiway-semver-git-"+hex.EncodeToString(sum[:16])+".json")}
}

// recall gives the answer if the branch is still where it was.
func (m memo) recall(tip git.Hash) ([]Version, bool) {
	data, err := os.ReadFile(m.path)
	if err != nil {
		return nil, false
	}
	var r remembered
	if json.Unmarshal(data, &r) != nil || r.Tip != tip.String() || len(r.Versions) == 0 || slices.ContainsFunc(r.Versions, isDamaged) {
		return nil, false
	}
	return r.Versions, true
}

func isDamaged(v Version) bool {
	_, err := version.Parse(v.Number)
	return err != nil || v.Commit != "" && !plumbing.IsHash(v.Commit)
}

// keep writes the answer, whole or not at all.
func (m memo) keep(tip git.Hash, versions []Version) error {
	data, err := json.Marshal(remembered{tip.String(), versions})
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(m.path), ".taxiway-")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(temp.Name(), m.path)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return fmt.Errorf("write %s: %w", m.path, err)
	}
	return nil
}
