package gittest

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Repository is a repository on disk, used through the git program.
type Repository struct {
	Dir    string
	ctx    context.Context
	server *Server
	name   string
}

// Init makes an empty bare repository in dir, with the branch main as its HEAD, which allows pushes, filters and wants by hash.
// It writes what "git init --bare" writes, without the samples of hooks, because tests make thousands of repositories.
func Init(dir string) (*Repository, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return nil, ErrNoGit
	}
	for _, folder := range []string{"objects", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o750); err != nil {
			return nil, err
		}
	}
	const config = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n\tfsync = none\n" +
		"[http]\n\treceivepack = true\n[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n" +
		"[receive]\n\tadvertisePushOptions = true\n\tautogc = false\n[gc]\n\tauto = 0\n"
	return &Repository{Dir: dir, ctx: context.Background()}, errors.Join(
		os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600),
		os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o600),
	)
}

// Open uses the repository or clone that is in dir.
func Open(dir string) *Repository { return &Repository{Dir: dir, ctx: context.Background()} }

// Name is the name given to Create, or empty.
func (r *Repository) Name() string { return r.name }

// URL is the HTTP address of a served repository.
func (r *Repository) URL() string { return r.server.URL(r.name) }

// SSHURL is the SSH address of a served repository, or empty.
func (r *Repository) SSHURL() string { return r.server.sshURL(r.name) }

// environment keeps the configuration of the machine away from git.
func environment(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_TERMINAL_PROMPT=0", "GIT_TEMPLATE_DIR=", "LC_ALL=C", "TZ=UTC",
		"GIT_AUTHOR_NAME=Tester", "GIT_AUTHOR_EMAIL=tester@example.com",
		"GIT_COMMITTER_NAME=Tester", "GIT_COMMITTER_EMAIL=tester@example.com",
	}
}

func run(ctx context.Context, dir string, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Stdin, cmd.Env = dir, stdin, environment(dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return "", ErrNoGit
	}
	if err != nil {
		return stdout.String(), fmt.Errorf("git %s in %s: %w: %s", strings.Join(args, " "), dir, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// Git runs the git program in the repository and returns its standard output.
func (r *Repository) Git(args ...string) (string, error) { return run(r.ctx, r.Dir, nil, args...) }

// GitInput is Git with text on standard input.
func (r *Repository) GitInput(stdin string, args ...string) (string, error) {
	return run(r.ctx, r.Dir, strings.NewReader(stdin), args...)
}

func (r *Repository) line(args ...string) (string, error) {
	out, err := r.Git(args...)
	return strings.TrimSpace(out), err
}

// RevParse is the hash of a revision. It does not need a process of git for a branch or tag that has a file of its own.
func (r *Repository) RevParse(revision string) (string, error) {
	if strings.HasPrefix(revision, "refs/") && !strings.ContainsAny(revision, "^~:@{") && filepath.IsLocal(revision) {
		text, err := os.ReadFile(filepath.Join(r.Dir, filepath.FromSlash(revision)))
		if hash := strings.TrimSuffix(string(text), "\n"); err == nil && plumbing.IsHash(hash) {
			return hash, nil
		}
	}
	return r.line("rev-parse", "--verify", "--quiet", "--end-of-options", revision)
}

// RefState is a digest of HEAD and refs of a bare repository: all of them, or those with these full names.
func (r *Repository) RefState(refs ...string) (string, error) {
	root, err := os.OpenRoot(r.Dir)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	state := sha256.New()
	for _, name := range append([]string{"HEAD", "packed-refs"}, refs...) {
		text, err := root.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		_, _ = fmt.Fprintf(state, "%s %d %s\n", name, len(text), text)
	}
	if len(refs) > 0 {
		return hex.EncodeToString(state.Sum(nil)), nil
	}
	err = fs.WalkDir(root.FS(), "refs", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		hash, err := root.ReadFile(name)
		_, _ = fmt.Fprintf(state, "%s %s\n", name, hash)
		return err
	})
	return hex.EncodeToString(state.Sum(nil)), err
}

// Show is the content of a file at a revision.
func (r *Repository) Show(revision, path string) (string, error) {
	return r.Git("cat-file", "blob", revision+":"+path)
}

// Log lists commits, newest first, as "git log" with the format and arguments:
// Log("%s", "main", "--", "dir").
func (r *Repository) Log(format string, args ...string) ([]string, error) {
	out, err := r.Git(append([]string{"log", "--format=" + format}, args...)...)
	if err != nil || out == "" {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n"), nil
}

// Files lists path and mode of every file of a revision: "100644 a/b".
func (r *Repository) Files(revision string) ([]string, error) {
	out, err := r.Git("ls-tree", "-r", "-z", revision)
	var files []string
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if meta, path, ok := strings.Cut(line, "\t"); ok {
			mode, _, _ := strings.Cut(meta, " ")
			files = append(files, mode+" "+path)
		}
	}
	return files, err
}

// Fsck checks the whole repository.
func (r *Repository) Fsck() error {
	out, err := r.Git("fsck", "--full", "--strict", "--no-dangling")
	if err == nil && strings.TrimSpace(out) != "" {
		err = errors.New(out)
	}
	return err
}

func (r *Repository) config(key, value string) error {
	_, err := r.Git("config", key, value)
	return err
}

// RefuseFilter makes the server know no partial clones.
func (r *Repository) RefuseFilter() error { return r.config("uploadpack.allowFilter", "false") }

// Hook installs a shell script, for instance as "pre-receive"; an empty one
// removes it.
func (r *Repository) Hook(name, script string) error {
	path := filepath.Join(r.Dir, "hooks", name)
	if script == "" {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755)
}

// CutPushes makes git die after it has moved a ref and before it says so: the
// client sees a broken connection, over HTTP and SSH.
func (r *Repository) CutPushes(on bool) error {
	if !on {
		return r.Hook("reference-transaction", "")
	}
	return r.Hook("reference-transaction", `if [ "$1" = committed ]; then kill -9 $PPID; fi`)
}

// UpdateRef points a ref at a revision, or deletes it when revision is empty.
func (r *Repository) UpdateRef(ref, revision string) error {
	args := []string{"update-ref", ref, revision}
	if revision == "" {
		args = []string{"update-ref", "-d", ref}
	}
	_, err := r.Git(args...)
	return err
}

// Object writes a raw object of the kind blob, tree, commit or tag without any
// check, for hostile and odd repositories, and returns its hash. It does not need
// a process of git, so thousands are fine.
func (r *Repository) Object(kind string, content []byte) (string, error) {
	t, err := plumbing.ParseObjectType(kind)
	if err != nil {
		return "", fmt.Errorf("write a %q: %w", kind, err)
	}
	hash := plumbing.ComputeHash(t, content).String()
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, err = fmt.Fprintf(z, "%s %d\x00%s", kind, len(content), content)
	if err := errors.Join(err, z.Close()); err != nil {
		return "", err
	}
	path := filepath.Join(r.objects(), hash[:2], hash[2:])
	if _, err := os.Stat(path); err == nil {
		return hash, nil // git's own copy can't be written to
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", err
	}
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("write a %s: %w", kind, err)
	}
	return hash, nil
}

// objects is the folder of objects, of a bare repository or a clone.
func (r *Repository) objects() string {
	if dir := filepath.Join(r.Dir, ".git", "objects"); isFolder(dir) {
		return dir
	}
	return filepath.Join(r.Dir, "objects")
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// TreeEntry is one entry of a raw tree.
type TreeEntry struct{ Mode, Name, Hash string }

// Tree writes a tree of the entries exactly as they are given.
func (r *Repository) Tree(entries ...TreeEntry) (string, error) {
	var raw bytes.Buffer
	for _, e := range entries {
		var hash [20]byte
		if _, err := hex.Decode(hash[:], []byte(e.Hash)); err != nil {
			return "", fmt.Errorf("hash %q of %q: %w", e.Hash, e.Name, err)
		}
		fmt.Fprintf(&raw, "%s %s\x00%s", e.Mode, e.Name, hash[:])
	}
	return r.Object("tree", raw.Bytes())
}

// CommitTree writes a commit of a tree; it does not move any branch.
func (r *Repository) CommitTree(tree, message string, parents ...string) (string, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "tree %s\n", tree)
	for _, p := range parents {
		fmt.Fprintf(&text, "parent %s\n", p)
	}
	text.WriteString("author Tester <tester@example.com> 1577836800 +0000\ncommitter Tester <tester@example.com> 1577836800 +0000\n\n")
	text.WriteString(message + "\n")
	return r.Object("commit", []byte(text.String()))
}
