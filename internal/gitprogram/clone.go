// Package gitprogram runs a person's own git in a person's own clone: with their name, signature, hooks and credentials. What is
// checked out, the index and the local branches stay as they are.
package gitprogram

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// errNoGit says that git is not installed.
var errNoGit = errors.New("git is not on PATH")

// ErrNotAccepted says that a remote does not take a push.
var ErrNotAccepted = errors.New("the push was not accepted")

// maxSaid is how much of what git says is kept, in bytes.
const maxSaid = 16 << 10

// Clone is a person's clone.
type Clone struct {
	dir      string
	terminal bool
}

// Open finds the clone that a folder belongs to. terminal says whether git can ask the person for a password.
func Open(ctx context.Context, dir string, terminal bool) (*Clone, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return nil, errNoGit
	}
	c := &Clone{dir, terminal}
	if _, err := c.git(ctx, command{args: []string{"rev-parse", "--git-dir"}}); err != nil {
		return c, fmt.Errorf("%s is not a clone that git can read; name one with --deployments: %w", dir, err)
	}
	return c, nil
}

// Person returns the name and the address that git gives to the person's commits.
func (c *Clone) Person(ctx context.Context) (name, email string, err error) {
	said, err := c.git(ctx, command{args: []string{"var", "GIT_AUTHOR_IDENT"}})
	if err != nil {
		return "", "", fmt.Errorf("%w; say who you are: git config --global user.name \"Ana Lima\"; git config --global user.email ana@example.com", err)
	}
	name, rest, _ := strings.Cut(said, " <")
	email, _, _ = strings.Cut(rest, ">")
	return name, email, nil
}

// Remote returns the address of a remote; "" if there is none of that name.
func (c *Clone) Remote(ctx context.Context, name string) string {
	address, err := c.git(ctx, command{args: []string{"remote", "get-url", name}})
	if err != nil {
		return ""
	}
	return address
}

// HasBranch reports whether a remote has a branch.
func (c *Clone) HasBranch(ctx context.Context, remote, branch string) (bool, error) {
	said, err := c.git(ctx, command{args: []string{"ls-remote", "--heads", remote, "refs/heads/" + branch}})
	return said != "", err
}

// Fetch brings branches of a remote into its remote-tracking branches.
func (c *Clone) Fetch(ctx context.Context, remote string, branches ...string) error {
	args := []string{"fetch", "--quiet", "--no-write-fetch-head", "--no-recurse-submodules", remote}
	for _, b := range branches {
		args = append(args, "+refs/heads/"+b+":refs/remotes/"+remote+"/"+b)
	}
	_, err := c.git(ctx, command{args: args})
	return err
}

// Tip returns the commit of a remote-tracking branch.
func (c *Clone) Tip(ctx context.Context, remote, branch string) (string, error) {
	return c.git(ctx, command{args: []string{"rev-parse", "--verify", "--quiet", "refs/remotes/" + remote + "/" + branch + "^{commit}"}})
}

// Branch returns the short name of the branch that is checked out.
func (c *Clone) Branch(ctx context.Context) (string, error) {
	return c.git(ctx, command{args: []string{"symbolic-ref", "--short", "HEAD"}})
}

// Find returns the commit of a branch in the clone, or else of the remote's branch that was fetched; "" if there is neither.
func (c *Clone) Find(ctx context.Context, remote, branch string) string {
	for _, ref := range []string{"refs/heads/" + branch, "refs/remotes/" + remote + "/" + branch} {
		if hash, err := c.git(ctx, command{args: []string{"rev-parse", "--verify", "--quiet", ref + "^{commit}"}}); err == nil {
			return hash
		}
	}
	return ""
}

// Has reports whether a commit has a file.
func (c *Clone) Has(ctx context.Context, commit, path string) (bool, error) {
	said, err := c.git(ctx, command{args: []string{"ls-tree", commit, "--", path}})
	return said != "", err
}

// SetBranch makes a commit the tip of a branch that is not checked out, provided that the branch is still at old, "" for a new one.
func (c *Clone) SetBranch(ctx context.Context, branch, commit, old string) error {
	_, err := c.git(ctx, command{args: []string{"update-ref", "-m", "taxiway", "refs/heads/" + branch, commit, old}})
	return err
}

// CommitFiles commits files of the work tree as they are, and nothing else of what the person has changed or staged. It returns the
// hash of the commit.
func (c *Clone) CommitFiles(ctx context.Context, message string, files []string) (string, error) {
	if _, err := c.git(ctx, command{args: append([]string{"add", "--intent-to-add", "--"}, files...)}); err != nil {
		return "", err
	}
	if _, err := c.git(ctx, command{args: append([]string{"commit", "--quiet", "--only", "--message", message, "--"}, files...)}); err != nil {
		return "", err
	}
	return c.git(ctx, command{args: []string{"rev-parse", "HEAD"}})
}

// Commit is a commit that changes files of its parent.
type Commit struct {
	// Parent is the commit that it is made on; "" makes the first commit of a branch.
	Parent  string
	Files   map[string][]byte
	Message string
}

// Commit makes a commit of the person, which is on no branch yet, and returns its hash. It is signed if git is configured to sign.
func (c *Clone) Commit(ctx context.Context, commit Commit) (hash string, err error) {
	dir, err := os.MkdirTemp("", "taxiway-index-")
	if err != nil {
		return "", fmt.Errorf("make a folder for git's index: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	index := "GIT_INDEX_FILE=" + filepath.Join(dir, "index")
	start := []string{"read-tree", "--empty"}
	if commit.Parent != "" {
		start = []string{"read-tree", commit.Parent}
	}
	if _, err := c.git(ctx, command{args: start, env: index}); err != nil {
		return "", err
	}
	for path, content := range commit.Files {
		blob, err := c.git(ctx, command{args: []string{"hash-object", "-w", "--stdin"}, stdin: bytes.NewReader(content)})
		if err != nil {
			return "", err
		}
		if _, err := c.git(ctx, command{args: []string{"update-index", "--add", "--cacheinfo", "100644," + blob + "," + path}, env: index}); err != nil {
			return "", err
		}
	}
	tree, err := c.git(ctx, command{args: []string{"write-tree", "--missing-ok"}, env: index})
	if err != nil {
		return "", err
	}
	return c.commitTree(ctx, tree, commit)
}

func (c *Clone) commitTree(ctx context.Context, tree string, commit Commit) (string, error) {
	args := []string{"commit-tree", tree, "-F", "-"}
	if commit.Parent != "" {
		args = append(args, "-p", commit.Parent)
	}
	// unlike git commit, git commit-tree does not look at this by itself
	if sign, err := c.git(ctx, command{args: []string{"config", "--type=bool", "--get", "commit.gpgSign"}}); err == nil && sign == "true" {
		args = append(args, "-S")
	}
	return c.git(ctx, command{args: args, stdin: strings.NewReader(commit.Message)})
}

// Push makes a commit the tip of a branch of a remote. It never replaces a commit that the new one does not come after.
func (c *Clone) Push(ctx context.Context, remote, commit, branch string) error {
	_, err := c.git(ctx, command{args: []string{"push", "--quiet", remote, commit + ":refs/heads/" + branch}})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", ErrNotAccepted, err)
	}
	return err
}

// command is one run of git.
type command struct {
	args  []string
	env   string // one more variable
	stdin io.Reader
}

// git runs it in the clone, and returns what it writes without the last line end.
func (c *Clone) git(ctx context.Context, run command) (string, error) {
	cmd := exec.CommandContext(ctx, "git", run.args...)
	cmd.Dir, cmd.Stdin = c.dir, run.stdin
	cmd.Env = append(environment(), run.env)
	if !c.terminal {
		cmd.Env = append(cmd.Env, "GIT_TERMINAL_PROMPT=0")
	}
	var stdout, stderr beginning
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", &failure{run.args[0], c.dir, strings.TrimSpace(stderr.String()), err}
	}
	return strings.TrimRight(stdout.String(), "\n"), nil
}

// beginning keeps the first maxSaid bytes of what is written to it.
type beginning struct{ bytes.Buffer }

// Write takes all, and drops what is too much.
func (b *beginning) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(0, maxSaid-b.Len()))])
	return len(p), nil
}

// environment is the one of this process, without what would make git look at another repository, as in a hook.
func environment() []string {
	others := []string{"GIT_DIR=", "GIT_WORK_TREE=", "GIT_INDEX_FILE=", "GIT_COMMON_DIR=", "GIT_PREFIX="}
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return slices.ContainsFunc(others, func(name string) bool { return strings.HasPrefix(entry, name) })
	})
}

// failure is a git that failed.
type failure struct {
	verb, dir, said string
	err             error
}

// failure says what git said.
func (e *failure) Error() string {
	if e.said == "" {
		return fmt.Sprintf("git %s in %s: %v", e.verb, e.dir, e.err)
	}
	return fmt.Sprintf("git %s in %s: %s", e.verb, e.dir, e.said)
}

// Unwrap is what ended it.
func (e *failure) Unwrap() error { return e.err }
