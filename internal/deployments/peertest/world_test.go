package peertest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// file is one file of a tree.
type file struct {
	mode    string
	content string
}

const (
	regular    = "100644"
	executable = "100755"
	link       = "120000"
)

// tree is what a commit holds, by path.
type tree map[string]file

// commit is a commit of the world's model of its repository.
type commit struct {
	hash    string
	parents []*commit
	tree    tree
}

// world is a bare repository, and a model of what is in it. Dates and content
// come from the seed alone, so the hashes do too.
type world struct {
	t     *testing.T
	dir   string
	main  *commit
	gates *commit // nil without a gates branch
	clock int64
	count int
}

const (
	mainRef  = "refs/heads/main"
	gatesRef = "refs/heads/gates"
	sideRef  = "refs/peertest/side" // neither program looks at it
)

func newWorld(t *testing.T, dir string) *world {
	t.Helper()
	w := &world{t: t, dir: dir, clock: 1_700_000_000}
	w.git("", "init", "-q", "--bare", "-b", "main", dir)
	return w
}

// git runs the git program and returns what it printed.
func (w *world) git(stdin string, args ...string) string {
	w.t.Helper()
	out, err := w.tryGit(stdin, args...)
	require.NoError(w.t, err)
	return out
}

func (w *world) tryGit(stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(w.t.Context(), "git", append([]string{"-c", "core.fsync=none"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_DIR="+w.dir, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), err
}

// commit adds a commit to ref.
func (w *world) commit(ref, message string, now tree, parents ...*commit) *commit {
	w.t.Helper()
	w.clock += 60
	w.count++
	c := &commit{parents: parents, tree: now}
	var in strings.Builder
	fmt.Fprintf(&in, "commit %s\nmark :1\n", ref)
	for _, who := range []string{"author", "committer"} {
		fmt.Fprintf(&in, "%s Ana <ana@example.com> %d +0000\n", who, w.clock)
	}
	fmt.Fprintf(&in, "data %d\n%s\n", len(message), message)
	was := tree{}
	for i, p := range parents {
		if i == 0 {
			fmt.Fprintf(&in, "from %s\n", p.hash)
			was = p.tree
			continue
		}
		fmt.Fprintf(&in, "merge %s\n", p.hash)
	}
	writeChanges(&in, was, now)
	in.WriteString("\nget-mark :1\ndone\n")
	c.hash = strings.TrimSpace(w.git(in.String(), "fast-import", "--quiet", "--force", "--done", "--date-format=raw"))
	require.Len(w.t, c.hash, 40)
	return c
}

func writeChanges(in *strings.Builder, was, now tree) {
	for _, p := range slices.Sorted(maps.Keys(was)) {
		if _, ok := now[p]; !ok {
			fmt.Fprintf(in, "D %s\n", p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(now)) {
		if f := now[p]; was[p] != f {
			fmt.Fprintf(in, "M %s inline %s\ndata %d\n%s\n", f.mode, p, len(f.content), f.content)
		}
	}
}

// push is a commit on the branch itself.
func (w *world) push(message string, now tree) {
	w.t.Helper()
	w.main = w.commit(mainRef, message, now, w.parents()...)
}

func (w *world) parents() []*commit {
	if w.main == nil {
		return nil
	}
	return []*commit{w.main}
}

// firstParents are the branch's commits, newest first.
func (w *world) firstParents() []*commit {
	var all []*commit
	for c := w.main; c != nil; {
		all = append(all, c)
		if len(c.parents) == 0 {
			break
		}
		c = c.parents[0]
	}
	return all
}

// merged reports whether the branch has a merge in it.
func (w *world) merged() bool {
	seen := map[*commit]bool{}
	queue := []*commit{w.main}
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		if seen[c] {
			continue
		}
		seen[c] = true
		if len(c.parents) > 1 {
			return true
		}
		queue = append(queue, c.parents...)
	}
	return false
}

// find is the commit of the model with this hash, or nil.
func (w *world) find(hash string) *commit {
	seen := map[*commit]bool{}
	queue := []*commit{w.main}
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		if c.hash == hash {
			return c
		}
		if seen[c] {
			continue
		}
		seen[c] = true
		queue = append(queue, c.parents...)
	}
	return nil
}

// pushed is what a put left on the branch.
type pushed struct {
	parents string
	author  string
	subject string
	paths   []string
	mode    string
	content string
}

// takeBack reads the commit that a put made, and puts the branch back where it
// was. It returns nil when the put pushed nothing.
func (w *world) takeBack(statePath string) *pushed {
	w.t.Helper()
	tip := strings.TrimSpace(w.git("", "rev-parse", mainRef))
	if tip == w.main.hash {
		return nil
	}
	lines := strings.SplitN(w.git("", "log", "-1", "--format=%P%n%an <%ae>%n%s", tip), "\n", 4)
	p := &pushed{parents: lines[0], author: lines[1], subject: lines[2]}
	p.paths = strings.Fields(w.git("", "diff-tree", "-r", "--name-only", w.main.hash, tip))
	if entry := strings.Fields(w.git("", "ls-tree", tip, statePath)); len(entry) > 0 {
		p.mode = entry[0]
		p.content = w.git("", "cat-file", "blob", entry[2])
	}
	w.git("", "update-ref", mainRef, w.main.hash)
	return p
}

// linear is a copy of the repository in which the branch is one line: its
// first parents, with the same trees. It returns the copy's folder and the
// name that each commit has there.
func (w *world) linear(dir string) (map[string]string, error) {
	w.git("", "clone", "-q", "--mirror", w.dir, dir)
	line := w.firstParents()
	slices.Reverse(line)
	var in strings.Builder
	for i, c := range line {
		fmt.Fprintf(&in, "commit %s\nmark :%d\ncommitter Ana <ana@example.com> %d +0000\ndata 1\nx\n", mainRef, i+1, 1_700_000_000+i)
		if i > 0 {
			fmt.Fprintf(&in, "from :%d\n", i)
		} else {
			in.WriteString("from 0000000000000000000000000000000000000000\n")
		}
		root := strings.TrimSpace(w.git("", "rev-parse", c.hash+"^{tree}"))
		fmt.Fprintf(&in, "M 040000 %s \n\n", root)
	}
	for i := range line {
		fmt.Fprintf(&in, "get-mark :%d\n", i+1)
	}
	in.WriteString("done\n")
	cmd := exec.CommandContext(w.t.Context(), "git", "--git-dir", dir, "fast-import", "--quiet", "--force", "--done")
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("git fast-import: %w: %s", err, out)
	}
	names := map[string]string{}
	for i, h := range strings.Fields(string(out)) {
		names[line[i].hash] = h
	}
	return names, nil
}

// onDisk is what a folder holds besides .git.
func onDisk(t *testing.T, dir string) tree {
	t.Helper()
	return readTree(t, dir, true)
}

func readTree(t *testing.T, dir string, skipGit bool) tree {
	t.Helper()
	all := tree{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == ".git" && skipGit {
				return filepath.SkipDir
			}
			return nil
		}
		f, err := readFile(p, d)
		all[filepath.ToSlash(name)] = f
		return err
	})
	require.NoError(t, err)
	return all
}

func readFile(p string, d os.DirEntry) (file, error) {
	if d.Type()&os.ModeSymlink != 0 {
		target, err := os.Readlink(p)
		return file{link, target}, err
	}
	info, err := d.Info()
	if err != nil {
		return file{}, err
	}
	content, err := os.ReadFile(p)
	if info.Mode()&0o100 != 0 {
		return file{executable, string(content)}, err
	}
	return file{regular, string(content)}, err
}
