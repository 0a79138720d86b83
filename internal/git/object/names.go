package object

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// What a path may be at most. Linux opens no longer names and paths, and git
// gives up at a similar depth.
const (
	maxNameLength = 255
	MaxPathLength = 4095
	MaxPathDepth  = 512
)

// CheckPath refuses what must not be written: a path that leads out of the
// folder, into a .git, or that the file system can't hold. Control characters
// and bytes that are no UTF-8 are names like any other.
func CheckPath(path string, mode filemode.FileMode) error { //nolint:gocritic // a path, in the words of its callers
	if len(path) > MaxPathLength {
		return fmt.Errorf("the path %.60q... has %d bytes, more than the %d that files can have", path, len(path), MaxPathLength)
	}
	depth := 0
	for name := range strings.SplitSeq(path, "/") {
		if err := checkName(name); err != nil {
			return fmt.Errorf("refuse to write %.200q: %w", path, err)
		}
		depth++
	}
	if depth > MaxPathDepth {
		return fmt.Errorf("the path %.60q... is %d folders deep, more than the %d that are written", path, depth, MaxPathDepth)
	}
	// git reads this file itself and therefore does not follow it elsewhere.
	if path == ".gitmodules" && mode == filemode.Symlink {
		return errors.New(`refuse to write ".gitmodules": it is a symbolic link, which git refuses too`)
	}
	return nil
}

// checkName refuses what can't or must not be the name of a file or folder.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("it has an empty name in it")
	case name == "." || name == "..":
		return fmt.Errorf("%q is not a valid file name: it leads elsewhere", name)
	case strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("the name %.80q has a slash or a zero byte in it", name)
	case len(name) > maxNameLength:
		return fmt.Errorf("the name %.40q... has %d bytes, more than the %d that files can have", name, len(name), maxNameLength)
	case isDotGit(name):
		return fmt.Errorf("git keeps %q for itself, in any spelling", name)
	}
	return nil
}

// isDotGit reports whether some file system takes name for ".git": Windows
// ignores case, trailing dots and blanks and what follows a colon, knows a short
// name and reads a backslash as a slash; macOS ignores invisible characters.
func isDotGit(name string) bool {
	if plain(name) {
		return false
	}
	name = strings.ToLower(strings.Map(dropInvisible, name))
	for part := range strings.SplitSeq(name, `\`) {
		part, _, _ = strings.Cut(part, ":")
		part = strings.TrimRight(part, ". ")
		if part == ".git" || part == "git~1" {
			return true
		}
	}
	return false
}

// plain reports whether a name is ASCII without "git" in it, as nearly all are.
func plain(name string) bool {
	const lower = 'a' - 'A'
	for i := range len(name) {
		c := name[i]
		if c >= utf8.RuneSelf || c|lower == 'g' && len(name)-i >= 3 && name[i+1]|lower == 'i' && name[i+2]|lower == 't' {
			return false
		}
	}
	return true
}

// dropInvisible is the set of characters HFS+ leaves out when it compares names,
// see next_hfs_char in git's utf8.c.
func dropInvisible(r rune) rune {
	switch {
	case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
		return -1
	}
	return r
}

// WrittenMode is what git makes of the modes that old programs left in trees:
// only the owner's executable bit of a regular file counts.
func WrittenMode(m filemode.FileMode) filemode.FileMode {
	const typeMask, regular, ownerExecutes = 0o170000, 0o100000, 0o100
	switch {
	case m&typeMask != regular:
		return m
	case m&ownerExecutes != 0:
		return filemode.Executable
	}
	return filemode.Regular
}

// CheckBranch refuses what git does not accept as the short name of a branch, see
// git-check-ref-format(1): such a ref is ignored (x.lock, a@{b}), and one with a dash in
// front reads as an option. An empty name is accepted: it stands for no branch.
func CheckBranch(branch string) error {
	if branch == "" {
		return nil
	}
	if branch == "HEAD" || CheckRef("refs/heads/"+branch) != nil {
		return fmt.Errorf("%q is not a valid branch name", branch)
	}
	return nil
}

// CheckRef refuses what git does not accept as the full name of a ref.
func CheckRef(ref string) error {
	if !strings.HasPrefix(ref, "refs/") || plumbing.ReferenceName(ref).Validate() != nil {
		return fmt.Errorf("%q is not the full name of a ref", ref)
	}
	return nil
}

// CleanPath reports whether p is a path as trees have them.
func CleanPath(p string) bool {
	return p != "" && path.Clean(p) == p && !strings.HasPrefix(p, "/") && p != ".." && !strings.HasPrefix(p, "../")
}

// Below joins a folder's path and a name as they are written: names like ".." are for others to refuse.
func Below(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
