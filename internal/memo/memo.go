// Package memo keeps the answer of a check for the next one in the same
// container, so that a branch that moved is read once and not at every check.
package memo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Memo is one answer in a file of the temporary folder. The file's name is a
// digest of everything that the answer depends on but the branch's commit, which
// is in it. It holds no credential as long as the question has none. What is
// damaged in it is as good as absent.
type Memo[V any] struct {
	path    string
	damaged func(V) bool
}

// kept is the file.
type kept[V any] struct {
	Head     string `json:"head"`
	Versions []V    `json:"versions"`
}

// Open names the memo of a resource type's question; damaged says of a version
// that it can't be one.
func Open[V any](kind string, damaged func(V) bool, question ...any) (Memo[V], error) {
	text, err := json.Marshal(question)
	if err != nil {
		return Memo[V]{}, fmt.Errorf("name the memo of a check: %w", err)
	}
	sum := sha256.Sum256(text)
	return Memo[V]{filepath.Join(os.TempDir(), "taxiway-"+kind+"-"+hex.EncodeToString(sum[:16])+".json"), damaged}, nil
}

// Recall gives the answer if it was given while the branch was at head.
func (m Memo[V]) Recall(head string) ([]V, bool) {
	data, err := os.ReadFile(m.path)
	if err != nil {
		return nil, false
	}
	var k kept[V]
	if json.Unmarshal(data, &k) != nil || k.Head != head || k.Versions == nil || slices.ContainsFunc(k.Versions, m.damaged) {
		return nil, false
	}
	return k.Versions, true
}

// Keep writes the answer, whole or not at all.
func (m Memo[V]) Keep(head string, versions []V) error {
	data, err := json.Marshal(kept[V]{head, versions})
	if err != nil {
		return fmt.Errorf("keep the answer of a check: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(m.path), ".taxiway-")
	if err != nil {
		return fmt.Errorf("keep the answer of a check: %w", err)
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
		return fmt.Errorf("keep the answer of a check in %s: %w", m.path, err)
	}
	return nil
}
