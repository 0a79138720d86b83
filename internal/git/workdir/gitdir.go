package workdir

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git/object"
	"github.com/taxiway-ci/taxiway/internal/git/pack"
)

// GitDir says what a folder's .git is to hold.
type GitDir struct {
	// Head is the commit that was checked out.
	Head object.Hash
	// Branch is the short name of the branch HEAD is on; empty for none.
	Branch string
	// URL is the remote's address. A password in it is left out.
	URL string
	// Files are those that were checked out; git takes all others of Head as
	// deliberately absent.
	Files []File
	// Whole adds the contents of the files, for programs that build what a commit
	// has and not what is on disk, as nix does. The clone is not a partial one then,
	// which such programs' libraries refuse. All files of Head must be in Files.
	Whole bool
}

// WriteGitDir makes the .git of a folder that Checkout filled: small, without
// credentials, and byte for byte the same for the same arguments. It holds one
// commit and its trees, marked as shallow and as a partial clone. Therefore git
// log, status, rev-parse, fsck and ls-tree work without the remote, and git
// fetches what else it is asked for, with credentials of its own.
func WriteGitDir(ctx context.Context, s Source, dir string, g GitDir) error {
	if err := tryGitDir(ctx, s, dir, g); err != nil {
		return fmt.Errorf("write %s/.git: %w", dir, err)
	}
	return nil
}

func tryGitDir(ctx context.Context, s Source, dir string, g GitDir) error {
	if err := object.CheckBranch(g.Branch); err != nil {
		return err
	}
	c := &gitDirContent{source: s, whole: g.Whole, delivered: make(map[string]bool, len(g.Files)), folders: map[string]bool{".": true}, seen: map[object.Hash]bool{}}
	for _, f := range g.Files {
		c.deliver(f.Path)
	}
	raw, err := s.Object(ctx, plumbing.CommitObject, g.Head)
	if err != nil {
		return err
	}
	commit, err := object.ParseCommit(g.Head, raw)
	if err != nil {
		return err
	}
	c.add(plumbing.CommitObject, g.Head)
	c.top = commit.Tree
	if err := c.collect(ctx); err != nil {
		return err
	}
	return c.write(ctx, dir, g)
}

// gitDirContent says what goes into a .git. Contents are read when they are
// written, one at a time.
type gitDirContent struct {
	source    Source
	whole     bool
	top       object.Hash
	delivered map[string]bool
	folders   map[string]bool // of delivered files; "." is the top
	seen      map[object.Hash]bool
	objects   []listed
	files     int // in the index
}

// listed is an object of the pack.
type listed struct {
	hash object.Hash
	kind plumbing.ObjectType
}

func (c *gitDirContent) deliver(p string) {
	c.delivered[p] = true
	for dir := path.Dir(p); !c.folders[dir]; dir = path.Dir(dir) {
		c.folders[dir] = true
	}
}

func (c *gitDirContent) add(kind plumbing.ObjectType, h object.Hash) {
	if !c.seen[h] {
		c.seen[h] = true
		c.objects = append(c.objects, listed{h, kind})
	}
}

// collect lists the objects: the trees, the blobs without which "git status" would
// ask the remote, and all blobs if they are wanted.
func (c *gitDirContent) collect(ctx context.Context) error {
	var wanted []object.Hash
	err := c.walk(ctx, func(f File) error {
		c.files++
		if c.statusReads(f) {
			wanted = append(wanted, f.Hash)
		}
		return nil
	})
	if err != nil || len(wanted) == 0 {
		return err
	}
	if err := c.source.Need(ctx, wanted...); err != nil {
		return err
	}
	for _, h := range wanted {
		c.add(plumbing.BlobObject, h)
	}
	return nil
}

// walk visits the files of the commit in the order of git's index.
func (c *gitDirContent) walk(ctx context.Context, visit func(File) error) error {
	seen := int64(0)
	var walk func(tree object.Hash, dir string) error
	walk = func(tree object.Hash, dir string) error {
		entries, err := c.source.Tree(ctx, tree)
		if err != nil {
			return err
		}
		c.add(plumbing.TreeObject, tree)
		if n := strings.Count(dir, "/"); n > object.MaxPathDepth {
			return pack.Over("the tree", int64(n), object.MaxPathDepth, "folders in each other, or more")
		}
		if seen += int64(len(entries)); seen > pack.MaxFiles {
			return pack.Over("the commit", seen, pack.MaxFiles, "files and folders, or more")
		}
		for _, e := range entries {
			p := path.Join(dir, e.Name)
			mode := object.WrittenMode(e.Mode)
			switch {
			case e.Mode == filemode.Dir:
				err = walk(e.Hash, p)
			case object.CheckPath(p, mode) == nil:
				// Names that git refuses are left out: one of them makes the whole
				// index unusable. They can't have been delivered either.
				err = visit(File{Path: p, Mode: mode, Hash: e.Hash})
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return walk(c.top, "")
}

// statusReads reports whether git reads the blob of a file to tell whether
// something changed: for a link to compare its target, and of git's own files
// those that are not on disk.
func (c *gitDirContent) statusReads(f File) bool {
	switch {
	case f.Mode == filemode.Submodule:
		return false
	case c.whole:
		return true
	case f.Mode == filemode.Symlink:
		return c.delivered[f.Path]
	case c.delivered[f.Path]:
		return false
	}
	dir, name := path.Split(f.Path)
	switch name {
	case ".gitattributes", ".gitignore":
		return c.folders[path.Clean(dir)]
	case ".gitmodules":
		return dir == ""
	}
	return false
}

func (c *gitDirContent) write(ctx context.Context, dir string, g GitDir) error {
	parent, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = parent.Close() }()
	if err := parent.Mkdir(".git", 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return errors.New("it already exists")
		}
		return err
	}
	root, err := parent.OpenRoot(".git")
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for _, d := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags"} {
		if err := root.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	name, err := c.writePack(ctx, root)
	if err != nil {
		return err
	}
	files := map[string]string{"HEAD": headText(g), "config": configText(g), "shallow": g.Head.String() + "\n"}
	if !g.Whole {
		files["objects/pack/"+name+".promisor"] = ""
	}
	if g.Branch != "" {
		files["packed-refs"] = packedRefs(g)
	}
	for name, content := range files {
		if err := root.WriteFile(name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return writing(root, "index", func(w io.Writer) error { return c.writeIndex(ctx, w) })
}

// writing fills a file through a buffer.
func writing(root *os.Root, name string, write func(io.Writer) error) error {
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	return errors.Join(err, f.Close())
}

// writePack writes the objects and their index, and returns the pack's name
// without its ending.
func (c *gitDirContent) writePack(ctx context.Context, root *os.Root) (name string, err error) {
	const unnamed = "objects/pack/new"
	var index []byte
	err = writing(root, unnamed, func(w io.Writer) error {
		storing, err := pack.NewStoring(w, len(c.objects))
		if err != nil {
			return err
		}
		for _, o := range c.objects {
			if err := c.store(ctx, storing, o); err != nil {
				return err
			}
		}
		index, name, err = storing.Finish()
		return err
	})
	if err != nil {
		return "", err
	}
	name = "pack-" + name
	if err := root.Rename(unnamed, "objects/pack/"+name+".pack"); err != nil {
		return "", err
	}
	return name, root.WriteFile("objects/pack/"+name+".idx", index, 0o644)
}

func (c *gitDirContent) store(ctx context.Context, storing *pack.Storing, o listed) (err error) {
	if o.kind != plumbing.BlobObject {
		content, err := c.source.Object(ctx, o.kind, o.hash)
		if err != nil {
			return err
		}
		return storing.Add(o.kind, o.hash, int64(len(content)), bytes.NewReader(content))
	}
	r, size, err := c.source.OpenBlob(ctx, o.hash)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return storing.Add(o.kind, o.hash, size, pack.WithContext(ctx, r))
}

func headText(g GitDir) string {
	if g.Branch == "" {
		return g.Head.String() + "\n"
	}
	return "ref: refs/heads/" + g.Branch + "\n"
}

func packedRefs(g GitDir) string {
	return fmt.Sprintf("# pack-refs with: peeled fully-peeled sorted \n%[1]s refs/heads/%[2]s\n%[1]s refs/remotes/origin/%[2]s\n", g.Head, g.Branch)
}

// configText is the configuration of a clone, mostly a partial one: its format
// version must be 1 for the extension to count.
func configText(g GitDir) string {
	version, extensions, filter := 1, "[extensions]\n\tpartialClone = origin\n", "\tpromisor = true\n\tpartialclonefilter = blob:none\n"
	if g.Whole {
		version, extensions, filter = 0, "", ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[core]\n\trepositoryformatversion = %d\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n", version)
	b.WriteString(extensions)
	fmt.Fprintf(&b, "[remote \"origin\"]\n\turl = %s\n", quoteConfig(withoutPassword(g.URL)))
	if g.Branch != "" {
		fmt.Fprintf(&b, "\tfetch = %s\n", quoteConfig("+refs/heads/"+g.Branch+":refs/remotes/origin/"+g.Branch))
	}
	b.WriteString(filter)
	if g.Branch != "" {
		fmt.Fprintf(&b, "[branch %s]\n\tremote = origin\n\tmerge = %s\n", quoteConfig(g.Branch), quoteConfig("refs/heads/"+g.Branch))
	}
	return b.String()
}

func quoteConfig(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}

// withoutPassword takes user and password out of a web address and the password
// out of any other.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	name := u.User.Username()
	u.User = nil
	if u.Scheme != "http" && u.Scheme != "https" && name != "" {
		u.User = url.User(name)
	}
	return u.String()
}
