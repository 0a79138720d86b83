package chartbump

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// memo is the answer of the last check in this container. Its name is a digest
// of everything that the answer depends on but the branch's commit, which is in
// it. It holds no credential, and what is damaged is as good as absent.
type memo struct{ path string }

type remembered struct {
	Head     string    `json:"head"`
	Versions []Version `json:"versions"`
}

func openMemo(src Source, given *Version) memo {
	question, err := json.Marshal([]any{1, src.URI, src.Branch, src.valuesPath(), src.Images, given})
	if err != nil {
		return memo{} // strings always marshal
	}
	sum := sha256.Sum256(question)
	return memo{filepath.Join(os.TempDir(), "taxiway-chart-bump-"+hex.EncodeToString(sum[:16])+".json")}
}

// recall gives the answer if the branch is still where it was.
func (m memo) recall(head git.Hash) ([]Version, bool) {
	data, err := os.ReadFile(m.path)
	if err != nil {
		return nil, false
	}
	var r remembered
	if json.Unmarshal(data, &r) != nil || r.Head != head.String() || r.Versions == nil || slices.ContainsFunc(r.Versions, isDamaged) {
		return nil, false
	}
	return r.Versions, true
}

func isDamaged(v Version) bool {
	return !plumbing.IsHash(v.Commit) || strings.Trim(v.PR, "0123456789") != ""
}

// keep writes the answer, whole or not at all.
func (m memo) keep(head git.Hash, versions []Version) error {
	data, err := json.Marshal(remembered{head.String(), versions})
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
	}
	return err
}
