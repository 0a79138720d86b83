package chartbump

import (
	"context"
	"errors"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git"
)

// sourceRepository is a clone of the code in the build.
type sourceRepository struct {
	store *git.Clone
	head  git.Hash
	web   string // address for people; empty when its remote has none
}

// openCode reads a clone that the git resource has made in a build's folder.
func openCode(root, dir string) (*sourceRepository, error) {
	store, err := git.OpenCloneWithin(root, dir)
	if err != nil {
		return nil, err
	}
	head, err := store.Ref("HEAD")
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &sourceRepository{store: store, head: head, web: git.PublicAddress(store.Origin())}, nil
}

// Close gives the clone's files back.
func (c *sourceRepository) Close() error { return c.store.Close() }

// codeCommit is a commit of the code.
type codeCommit struct{ hash, subject string }

const maxCommits = 250 // of a list in a pull request, as GitHub's own

// since lists the commits up to the head, newest first, and reports whether the
// one whose hash begins with old was reached.
func (c *sourceRepository) since(ctx context.Context, old string) ([]codeCommit, bool, error) {
	var out []codeCommit
	for commit, err := range c.store.Log(ctx, git.Range{From: []git.Hash{c.head}}) {
		if err != nil {
			return nil, false, err
		}
		if strings.HasPrefix(commit.Hash.String(), old) {
			return out, true, nil
		}
		subject, _, _ := strings.Cut(commit.Message, "\n")
		out = append(out, codeCommit{commit.Hash.String(), subject})
		if len(out) == maxCommits {
			break
		}
	}
	return out, false, nil
}
