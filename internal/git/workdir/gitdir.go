package workdir

import (
	"context"
	"errors"
	"fmt"
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
//
//nolint:revive // that is its name: $GIT_DIR
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
	// has and not what is on disk, as nix does. The clone is no partial one then,
	// which such programs' libraries refuse. All files of Head have to be in Files.
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
	raw, err := c.object(ctx, plumbing.CommitObject, g.Head)
	if err != nil {
		return err
	}
	commit, err := object.ParseCommit(g.Head, raw)
	if err != nil {
		return err
	}
	if err := c.tree(ctx, commit.Tree, ""); err != nil {
		return err
	}
	if err := c.blobs(ctx); err != nil {
		return err
	}
	return c.write(dir, g)
}

// maxGitDirObjects keeps the pack, which is made in memory, within reason and
// its offsets in 31 bits. A commit of a million files has about 60 MB.
const maxGitDirObjects = 1 << 30

// gitDirContent collects the objects and the index of a .git.
type gitDirContent struct {
	source    Source
	whole     bool
	delivered map[string]bool
	folders   map[string]bool // of delivered files; "." is the top
	seen      map[object.Hash]bool
	objects   []object.Object
	size      int // of their contents
	index     []File
}

func (c *gitDirContent) deliver(p string) {
	c.delivered[p] = true
	for dir := path.Dir(p); !c.folders[dir]; dir = path.Dir(dir) {
		c.folders[dir] = true
	}
}

func (c *gitDirContent) object(ctx context.Context, kind plumbing.ObjectType, h object.Hash) ([]byte, error) {
	if c.seen[h] {
		return nil, nil
	}
	c.seen[h] = true
	content, err := c.source.Object(ctx, kind, h)
	if err != nil {
		return nil, err
	}
	if c.size += len(content); c.size > maxGitDirObjects {
		return nil, fmt.Errorf("what it is to hold of the commit has more than %d bytes", maxGitDirObjects)
	}
	c.objects = append(c.objects, object.Object{Hash: h, Kind: kind, Content: content})
	return content, nil
}

func (c *gitDirContent) tree(ctx context.Context, h object.Hash, dir string) error {
	entries, err := c.source.Tree(ctx, h)
	if err != nil {
		return err
	}
	if _, err := c.object(ctx, plumbing.TreeObject, h); err != nil {
		return err
	}
	if strings.Count(dir, "/") > object.MaxPathDepth {
		return fmt.Errorf("the tree is more than %d folders deep", object.MaxPathDepth)
	}
	for _, e := range entries {
		p := path.Join(dir, e.Name)
		if e.Mode == filemode.Dir {
			if err := c.tree(ctx, e.Hash, p); err != nil {
				return err
			}
			continue
		}
		c.indexEntry(p, e)
	}
	return nil
}

// indexEntry leaves names out that git refuses: such an entry would make the
// whole index unusable. They can't have been delivered either.
func (c *gitDirContent) indexEntry(p string, e object.Entry) {
	mode := object.WrittenMode(e.Mode)
	if object.CheckPath(p, mode) == nil {
		c.index = append(c.index, File{Path: p, Mode: mode, Hash: e.Hash})
	}
}

// blobs adds the contents without which "git status" would ask the remote, and
// all if they are wanted.
func (c *gitDirContent) blobs(ctx context.Context) error {
	var wanted []object.Hash
	for _, f := range c.index {
		if c.statusReads(f) {
			wanted = append(wanted, f.Hash)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	if err := c.source.Need(ctx, wanted...); err != nil {
		return err
	}
	for _, h := range wanted {
		if _, err := c.object(ctx, plumbing.BlobObject, h); err != nil {
			return err
		}
	}
	return nil
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

func (c *gitDirContent) write(dir string, g GitDir) error {
	parent, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = parent.Close() }()
	if err := parent.Mkdir(".git", 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return errors.New("it is there already")
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
	pack, index, name := pack.Stored(c.objects)
	files := map[string][]byte{
		"HEAD":                                []byte(headText(g)),
		"config":                              []byte(configText(g)),
		"shallow":                             []byte(g.Head.String() + "\n"),
		"index":                               indexText(c.index, c.delivered),
		"objects/pack/pack-" + name + ".pack": pack,
		"objects/pack/pack-" + name + ".idx":  index,
	}
	if !g.Whole {
		files["objects/pack/pack-"+name+".promisor"] = nil
	}
	if g.Branch != "" {
		files["packed-refs"] = []byte(packedRefs(g))
	}
	for name, content := range files {
		if err := root.WriteFile(name, content, 0o644); err != nil {
			return err
		}
	}
	return nil
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
// version has to be 1 for the extension to count.
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
