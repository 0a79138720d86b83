package gittest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Import collects commits and tags and writes them with one "git fast-import".
type Import struct {
	repository *Repository
	clock      time.Time
	commits    []*Commit
	tags       []tag
	tips       map[string]*Commit
}

type tag struct {
	name, message string
	commit        *Commit
}

// Commit is one commit of an Import. Its methods return it, so that calls can
// be chained.
type Commit struct {
	mark            int
	branch, message string
	author          string
	committer       string
	when            time.Time
	parents         []string
	root            bool
	changes         strings.Builder
	hash            string
}

// Import starts a series of commits. The first one is dated 2020-01-01 and each
// further one a minute later, so the same calls give the same hashes.
func (r *Repository) Import() *Import {
	return &Import{
		repository: r, tips: map[string]*Commit{},
		clock: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

// Commit adds a commit to a branch, on top of the branch's latest commit in this
// Import or else in the repository; use From and Merge for other parents.
func (i *Import) Commit(branch, message string) *Commit {
	c := &Commit{
		mark: len(i.commits) + 1, branch: branch, message: message,
		author: "Tester <tester@example.com>", when: i.clock,
	}
	i.clock = i.clock.Add(time.Minute)
	if tip := i.tips[branch]; tip != nil {
		c.parents = []string{tip.ref()}
	} else if _, err := i.repository.RevParse("refs/heads/" + branch); err == nil {
		c.parents = []string{"refs/heads/" + branch + "^0"}
	}
	i.commits = append(i.commits, c)
	i.tips[branch] = c
	return c
}

// Tag names a commit: annotated when message is not empty.
func (i *Import) Tag(name, message string, c *Commit) { i.tags = append(i.tags, tag{name, message, c}) }

func (c *Commit) ref() string { return fmt.Sprintf(":%d", c.mark) }

// From replaces the parents by one commit.
func (c *Commit) From(parent *Commit) *Commit {
	c.parents = []string{parent.ref()}
	return c
}

// Orphan makes the commit a root.
func (c *Commit) Orphan() *Commit {
	c.parents, c.root = nil, true
	return c
}

// Merge adds a parent. The tree stays the one of the first parent plus the
// changes of this commit.
func (c *Commit) Merge(parent *Commit) *Commit {
	c.parents = append(c.parents, parent.ref())
	return c
}

// At sets the time, with its zone, of author and committer.
func (c *Commit) At(when time.Time) *Commit {
	c.when = when
	return c
}

// By sets author and committer: "Ana <ana@example.com>".
func (c *Commit) By(who string) *Commit {
	c.author, c.committer = who, who
	return c
}

// Write creates or replaces a file.
func (c *Commit) Write(path, content string) *Commit { return c.Entry("100644", path, content) }

// Exec creates or replaces an executable file.
func (c *Commit) Exec(path, content string) *Commit { return c.Entry("100755", path, content) }

// Link creates or replaces a symbolic link.
func (c *Commit) Link(path, target string) *Commit { return c.Entry("120000", path, target) }

// Entry creates or replaces a file of any mode fast-import accepts.
func (c *Commit) Entry(mode, path, content string) *Commit {
	fmt.Fprintf(&c.changes, "M %s inline %s\ndata %d\n%s\n", mode, quote(path), len(content), content)
	return c
}

// Submodule creates or replaces a submodule at a commit of another repository.
func (c *Commit) Submodule(path, hash string) *Commit {
	fmt.Fprintf(&c.changes, "M 160000 %s %s\n", hash, quote(path))
	return c
}

// Delete removes a file or folder.
func (c *Commit) Delete(path string) *Commit {
	fmt.Fprintf(&c.changes, "D %s\n", quote(path))
	return c
}

// Clear removes everything; what is written after it stays.
func (c *Commit) Clear() *Commit {
	c.changes.WriteString("deleteall\n")
	return c
}

// Files creates or replaces several files.
func (c *Commit) Files(files map[string]string) *Commit {
	for path, content := range files {
		c.Write(path, content)
	}
	return c
}

// Folder replaces everything by the files of a folder on disk, with their
// executable bits and symbolic links; ".git" at its top is left out.
func (c *Commit) Folder(dir string) error {
	c.Clear()
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		return c.add(filepath.ToSlash(name), path, d)
	})
}

func (c *Commit) add(name, path string, d fs.DirEntry) error {
	if d.Type() == fs.ModeSymlink {
		target, err := os.Readlink(path)
		c.Link(name, target)
		return err
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if info.Mode()&0o100 != 0 {
		c.Exec(name, string(content))
	} else {
		c.Write(name, string(content))
	}
	return nil
}

// Hash is the commit's hash once Done has returned.
func (c *Commit) Hash() string { return c.hash }

// Done writes everything.
func (i *Import) Done() error {
	marks, err := os.CreateTemp("", "gittest-marks-")
	if err != nil {
		return err
	}
	defer os.Remove(marks.Name()) //nolint:errcheck // a left-over temporary file
	if err := marks.Close(); err != nil {
		return err
	}
	var stream strings.Builder
	for _, c := range i.commits {
		c.emit(&stream)
	}
	for _, t := range i.tags {
		t.emit(&stream, i.clock)
	}
	stream.WriteString("done\n")
	if _, err := i.repository.GitInput(stream.String(), "fast-import", "--quiet", "--done", "--force", "--date-format=raw", "--export-marks="+marks.Name()); err != nil {
		return err
	}
	return i.readMarks(marks.Name())
}

func (i *Import) readMarks(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		var mark int
		var hash string
		if _, err := fmt.Sscanf(line, ":%d %s", &mark, &hash); err != nil {
			return fmt.Errorf("fast-import's mark %q: %w", line, err)
		}
		i.commits[mark-1].hash = hash
	}
	for _, c := range i.commits {
		if c.hash == "" {
			return errors.New("fast-import gave no hash for " + c.message)
		}
	}
	return nil
}

func (c *Commit) emit(w *strings.Builder) {
	committer := c.committer
	if committer == "" {
		committer = c.author
	}
	if c.root {
		fmt.Fprintf(w, "reset refs/heads/%s\n", c.branch)
	}
	stamp := fmt.Sprintf("%d %s", c.when.Unix(), c.when.Format("-0700"))
	fmt.Fprintf(w, "commit refs/heads/%s\nmark :%d\nauthor %s %s\ncommitter %s %s\ndata %d\n%s\n",
		c.branch, c.mark, c.author, stamp, committer, stamp, len(c.message), c.message)
	for n, p := range c.parents {
		fmt.Fprintf(w, "%s %s\n", map[bool]string{true: "from", false: "merge"}[n == 0], p)
	}
	w.WriteString(c.changes.String())
	w.WriteString("\n")
}

func (t tag) emit(w *strings.Builder, when time.Time) {
	if t.message == "" {
		fmt.Fprintf(w, "reset refs/tags/%s\nfrom %s\n\n", t.name, t.commit.ref())
		return
	}
	fmt.Fprintf(w, "tag %s\nfrom %s\ntagger Tester <tester@example.com> %d +0000\ndata %d\n%s\n",
		t.name, t.commit.ref(), when.Unix(), len(t.message), t.message)
}

func quote(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(path) + `"`
}

// Commit writes one commit of files on top of a branch, for the frequent small
// case, and returns its hash.
func (r *Repository) Commit(branch, message string, files map[string]string) (string, error) {
	i := r.Continue(branch)
	c := i.Commit(branch, message).Files(files)
	err := i.Done()
	return c.hash, err
}

// Continue is an Import whose clock goes on where the branch ends.
func (r *Repository) Continue(branch string) *Import {
	i := r.Import()
	if stamp, err := r.line("log", "-1", "--format=%ct", "refs/heads/"+branch); err == nil {
		var seconds int64
		if _, err := fmt.Sscan(stamp, &seconds); err == nil {
			i.clock = time.Unix(seconds, 0).UTC().Add(time.Minute)
		}
	}
	return i
}

// Delete is Commit for files that go away.
func (r *Repository) Delete(branch, message string, paths ...string) (string, error) {
	i := r.Continue(branch)
	c := i.Commit(branch, message)
	for _, p := range paths {
		c.Delete(p)
	}
	err := i.Done()
	return c.hash, err
}
