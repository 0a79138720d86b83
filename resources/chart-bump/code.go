package chartbump

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// sourceRepository is a clone of the code in the build.
type sourceRepository struct {
	store *git.Store
	head  string // full hash
	web   string // address for people; empty when its remote has none
}

// openCode reads a clone as the git resource leaves it.
func openCode(ctx context.Context, dir string) (*sourceRepository, error) {
	store, err := git.OpenLocal(dir)
	if err != nil {
		return nil, err
	}
	head, err := store.Ref(ctx, "HEAD")
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	web, err := webURL(dir)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &sourceRepository{store: store, head: head.String(), web: web}, nil
}

// Close gives the clone's files back.
func (c *sourceRepository) Close() error { return c.store.Close() }

// webURL is the address of the clone's origin, from its configuration.
func webURL(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, ".git", "config"))
	if errors.Is(err, os.ErrNotExist) {
		if data, err = os.ReadFile(filepath.Join(dir, "config")); errors.Is(err, os.ErrNotExist) { // a bare one
			return "", nil
		}
	}
	if err != nil {
		return "", fmt.Errorf("read the clone's configuration: %w", err)
	}
	return git.PublicAddress(originOf(string(data))), nil
}

// originOf finds the address of the remote "origin" in a git configuration.
func originOf(config string) string {
	inOrigin := false
	for line := range strings.Lines(config) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			inOrigin = strings.ReplaceAll(line, " ", "") == `[remote"origin"]`
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if inOrigin && ok && strings.TrimSpace(key) == "url" {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// codeCommit is a commit of the code.
type codeCommit struct {
	hash, subject string
	merge         bool
}

const maxCommits = 250 // of a list in a pull request, as GitHub's own

// since lists the commits up to the head, newest first, and reports whether the
// one whose hash begins with old was reached.
func (c *sourceRepository) since(ctx context.Context, old string) ([]codeCommit, bool, error) {
	head, err := c.store.Ref(ctx, "HEAD")
	if err != nil {
		return nil, false, err
	}
	var out []codeCommit
	for commit, err := range c.store.Log(ctx, git.Range{From: []git.Hash{head}}) {
		if err != nil {
			return nil, false, err
		}
		if strings.HasPrefix(commit.Hash.String(), old) {
			return out, true, nil
		}
		subject, _, _ := strings.Cut(commit.Message, "\n")
		out = append(out, codeCommit{hash: commit.Hash.String(), subject: subject, merge: len(commit.Parents) > 1})
		if len(out) == maxCommits {
			break
		}
	}
	return out, false, nil
}
