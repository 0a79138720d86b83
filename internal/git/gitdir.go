package git

import (
	"bytes"
	"context"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io/fs"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/hash"
)

// GitDir says what a folder's .git is to hold.
//
//nolint:revive // that is its name: $GIT_DIR
type GitDir struct {
	// Head is the commit that was checked out.
	Head Hash
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
func (s *Store) WriteGitDir(ctx context.Context, dir string, g GitDir) error {
	if err := s.writeGitDir(ctx, dir, g); err != nil {
		return fmt.Errorf("write %s/.git: %w", dir, err)
	}
	return nil
}

func (s *Store) writeGitDir(ctx context.Context, dir string, g GitDir) error {
	if err := checkBranch(g.Branch); err != nil {
		return err
	}
	commit, err := s.Commit(ctx, g.Head)
	if err != nil {
		return err
	}
	c := &gitDirContent{store: s, whole: g.Whole, delivered: make(map[string]bool, len(g.Files)), folders: map[string]bool{".": true}, seen: map[Hash]bool{}}
	for _, f := range g.Files {
		c.deliver(f.Path)
	}
	if err := c.object(ctx, plumbing.CommitObject, g.Head); err != nil {
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

// checkBranch keeps what is no name of a ref out of files made of lines.
func checkBranch(branch string) error {
	bad := strings.HasPrefix(branch, "/") || strings.HasSuffix(branch, "/") || strings.Contains(branch, "..") || strings.Contains(branch, "//")
	for _, r := range branch {
		bad = bad || r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r)
	}
	if bad {
		return fmt.Errorf("%q is no name of a branch", branch)
	}
	return nil
}

// maxGitDirObjects keeps the pack, which is made in memory, within reason and
// its offsets in 31 bits. A commit of a million files has about 60 MB.
const maxGitDirObjects = 1 << 30

// gitDirContent collects the objects and the index of a .git.
type gitDirContent struct {
	store     *Store
	whole     bool
	delivered map[string]bool
	folders   map[string]bool // of delivered files; "." is the top
	seen      map[Hash]bool
	objects   []rawObject
	size      int // of their contents
	index     []File
}

type rawObject struct {
	hash    Hash
	kind    plumbing.ObjectType
	content []byte
}

func (c *gitDirContent) deliver(p string) {
	c.delivered[p] = true
	for dir := path.Dir(p); !c.folders[dir]; dir = path.Dir(dir) {
		c.folders[dir] = true
	}
}

func (c *gitDirContent) object(ctx context.Context, kind plumbing.ObjectType, h Hash) error {
	if c.seen[h] {
		return nil
	}
	c.seen[h] = true
	content, err := c.store.raw(ctx, kind, h)
	if err != nil {
		return err
	}
	if c.size += len(content); c.size > maxGitDirObjects {
		return fmt.Errorf("what it is to hold of the commit has more than %d bytes", maxGitDirObjects)
	}
	c.objects = append(c.objects, rawObject{h, kind, content})
	return nil
}

func (c *gitDirContent) tree(ctx context.Context, h Hash, dir string) error {
	entries, err := c.store.Tree(ctx, h)
	if err != nil {
		return err
	}
	if err := c.object(ctx, plumbing.TreeObject, h); err != nil {
		return err
	}
	if strings.Count(dir, "/") > maxPathDepth {
		return fmt.Errorf("the tree is more than %d folders deep", maxPathDepth)
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
func (c *gitDirContent) indexEntry(p string, e Entry) {
	mode := writtenMode(e.Mode)
	if checkPath(p, mode) == nil {
		c.index = append(c.index, File{Path: p, Mode: mode, Hash: e.Hash})
	}
}

// blobs adds the contents without which "git status" would ask the remote, and
// all if they are wanted.
func (c *gitDirContent) blobs(ctx context.Context) error {
	var wanted []Hash
	for _, f := range c.index {
		if c.statusReads(f) {
			wanted = append(wanted, f.Hash)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	if err := c.store.Need(ctx, wanted...); err != nil {
		return err
	}
	for _, h := range wanted {
		if err := c.object(ctx, plumbing.BlobObject, h); err != nil {
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
	pack, index, name := packObjects(c.objects)
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

// packObjects makes a pack, its index and its name, see gitformat-pack(5). The
// objects are not compressed, they are small and mostly hashes; so the bytes do
// not depend on the version of a library.
func packObjects(objects []rawObject) (pack, index []byte, name string) {
	slices.SortFunc(objects, func(a, b rawObject) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	var b bytes.Buffer
	b.WriteString("PACK")
	writeUint32(&b, 2, len(objects))
	places := make([]packed, 0, len(objects))
	for _, o := range objects {
		start := b.Len()
		writeObjectHeader(&b, o.kind, len(o.content))
		b.Write(stored(o.content))
		places = append(places, packed{o.hash, start, crc32.ChecksumIEEE(b.Bytes()[start:])})
	}
	sum := checksum(b.Bytes())
	b.Write(sum)
	return b.Bytes(), packIndex(places, sum), fmt.Sprintf("%x", sum)
}

type packed struct {
	hash   Hash
	offset int
	crc    uint32
}

func packIndex(places []packed, packSum []byte) []byte {
	var b bytes.Buffer
	b.WriteString("\xfftOc")
	writeUint32(&b, 2)
	n := 0
	for first := range 256 {
		for n < len(places) && int(places[n].hash[0]) <= first {
			n++
		}
		writeUint32(&b, n)
	}
	for _, p := range places {
		b.Write(p.hash[:])
	}
	for _, p := range places {
		b.Write(binary.BigEndian.AppendUint32(nil, p.crc))
	}
	for _, p := range places {
		writeUint32(&b, p.offset)
	}
	b.Write(packSum)
	b.Write(checksum(b.Bytes()))
	return b.Bytes()
}

// writeObjectHeader is the type and size of an object in a pack: 4 bits of the
// size in the first byte, then 7 in each.
func writeObjectHeader(b *bytes.Buffer, kind plumbing.ObjectType, size int) {
	c := byte(kind)<<4 | byte(size&0x0f) //nolint:gosec // the kinds are 1 to 4
	for size >>= 4; size > 0; size >>= 7 {
		b.WriteByte(c | 0x80)
		c = byte(size & 0x7f)
	}
	b.WriteByte(c)
}

// stored is a zlib stream without compression, see RFC 1950 and RFC 1951,
// section 3.2.4.
func stored(content []byte) []byte {
	const longest = 0xffff
	out := make([]byte, 0, len(content)+5*(len(content)/longest+1)+6)
	out = append(out, 0x78, 0x01)
	for rest := content; ; {
		block := rest[:min(len(rest), longest)]
		rest = rest[len(block):]
		last := byte(0)
		if len(rest) == 0 {
			last = 1
		}
		length := uint16(len(block)) //nolint:gosec // at most longest
		out = append(out, last)
		out = binary.LittleEndian.AppendUint16(out, length)
		out = binary.LittleEndian.AppendUint16(out, ^length)
		out = append(out, block...)
		if last == 1 {
			return binary.BigEndian.AppendUint32(out, adler32.Checksum(content))
		}
	}
}

func checksum(content []byte) []byte {
	h := hash.New(crypto.SHA1)
	_, _ = h.Write(content)
	return h.Sum(nil)
}

// writeUint32 takes counts and offsets, which maxGitDirObjects bounds.
func writeUint32(b *bytes.Buffer, values ...int) {
	for _, v := range values {
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(v))) //nolint:gosec // bounded
	}
}

// indexText is git's index in version 3, see gitformat-index(5). Times and sizes
// are zero, so that git compares contents once; what was not delivered has the
// skip-worktree bit, for which version 3 is needed.
func indexText(files []File, delivered map[string]bool) []byte {
	const extended, skipWorktree = 0x4000, 0x4000
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	var b bytes.Buffer
	b.WriteString("DIRC")
	writeUint32(&b, 3, len(files))
	for _, f := range files {
		start := b.Len()
		b.Write(make([]byte, 24)) // ctime, mtime, device, inode
		writeUint32(&b, int(f.Mode))
		b.Write(make([]byte, 12)) // owner, group, size
		b.Write(f.Hash[:])
		flags := uint16(min(len(f.Path), 0xfff)) //nolint:gosec // 12 bits, the length or that it is longer
		if delivered[f.Path] {
			b.Write(binary.BigEndian.AppendUint16(nil, flags))
		} else {
			b.Write(binary.BigEndian.AppendUint16(nil, flags|extended))
			b.Write(binary.BigEndian.AppendUint16(nil, skipWorktree))
		}
		b.WriteString(f.Path)
		b.Write(make([]byte, 8-(b.Len()-start)%8)) // 1 to 8 zero bytes
	}
	b.Write(checksum(b.Bytes()))
	return b.Bytes()
}
