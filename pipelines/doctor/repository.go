package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/secret"
)

// repository is one of those that pipelines name.
type repository struct {
	name string // such as github.com/acme/shop
	uri  string
	dir  string // of the clone; "" for one that is read at its address
	// unread says why it cannot be read; it has been reported.
	unread bool
	store  *git.Store
	closes func() error
	// branches are known ones, by short name; a zero hash is a branch that is not there.
	branches map[string]git.Hash
	refs     map[string]git.Hash // all of a clone
	remote   *git.Remote         // nil for a clone
	files    map[git.Hash][]string
}

// repository opens the repository of an access, once. It returns nil if it cannot be read, which is a finding.
func (d *doctor) repository(ctx context.Context, access git.Access, asked string) (*repository, error) {
	if access.URI == "" {
		return nil, nil //nolint:nilnil // a reference that is not known here
	}
	name := lineage.RepositoryName(access.URI)
	r, ok := d.repositories[name]
	if !ok {
		r = &repository{name: name, uri: access.URI, branches: map[string]git.Hash{}, files: map[git.Hash][]string{}}
		d.repositories[name] = r
		if err := d.open(ctx, r, access, asked); err != nil {
			return nil, err
		}
	}
	if r.unread {
		return nil, ctx.Err()
	}
	return r, nil
}

// open finds the clone, or the way to the address.
func (d *doctor) open(ctx context.Context, r *repository, access git.Access, asked string) error {
	dir, ok := d.Clones[path.Base(r.name)]
	if !ok {
		dir, ok = d.Clones[""]
	}
	if !ok {
		return d.openRemote(ctx, r, access, asked)
	}
	clone, err := git.OpenClone(dir)
	if err != nil {
		r.unread = true
		d.find(Finding{Rule: "repository-unread", Level: Error, Place: dir, Asked: asked, Text: fmt.Sprintf("is not a clone that can be read: %v", err), Command: command("git clone %s %s", access.URI, dir)})
		return nil
	}
	r.dir, r.store, r.closes = dir, clone.Store, clone.Close
	if r.refs, err = clone.Refs(); err != nil {
		return err
	}
	if r.branches, err = clone.Branches(); err != nil {
		return err
	}
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	d.origin(r, clone.Origin(), asked)
	if len(r.branches) == 0 {
		r.unread = true
		d.find(Finding{
			Rule: "repository-empty", Level: Error, Place: dir, Asked: asked, Text: "has no commit yet",
			Command: command("git -C %s commit --allow-empty --message 'chore: first commit'", dir),
		})
		return nil
	}
	if clone.IsShallow() {
		d.find(Finding{Rule: "clone-shallow", Level: Warning, Place: dir, Asked: asked, Text: "is a shallow clone: what happened before is not known here", Command: command("git -C %s fetch --unshallow", dir)})
	}
	return nil
}

// origin finds a clone of another repository than the pipeline names.
func (d *doctor) origin(r *repository, address, asked string) {
	if address == "" || isLocal(address) || lineage.RepositoryName(address) == r.name {
		return
	}
	d.find(Finding{
		Rule: "other-repository", Level: Warning, Place: r.dir, Asked: asked, Text: fmt.Sprintf("is a clone of %s, and the pipeline names %s", address, r.uri),
		Command: command("git -C %s remote set-url origin %s", r.dir, r.uri),
	})
}

// catchUp takes the fetched state of the branches that are behind it in the clone.
func (r *repository) catchUp(ctx context.Context) error {
	for name, local := range r.branches {
		there := r.refs["refs/remotes/origin/"+name]
		if there.IsZero() || there == local {
			continue
		}
		behind, err := r.store.IsAncestor(ctx, local, there)
		if err != nil && !errors.Is(err, git.ErrNotFound) {
			return err
		}
		if behind {
			r.branches[name] = there
		}
	}
	return nil
}

// openRemote opens a repository at its address, with the credentials that are known.
func (d *doctor) openRemote(ctx context.Context, r *repository, access git.Access, asked string) error {
	unread := func(err error) error {
		r.unread = true
		dir := path.Base(r.name)
		d.find(Finding{
			Rule: "repository-unread", Level: Error, Place: r.uri, Asked: asked, Text: fmt.Sprintf("cannot be read: %v", err),
			Command: command("git clone %s %s", r.uri, dir), Advice: fmt.Sprintf("then add --repository %s=%s, or give the credentials with --load-vars-from", dir, dir),
		})
		return ctx.Err()
	}
	secret.Register(ctx, access.Secrets()...)
	remote, err := git.Open(access, git.Options{Logf: d.Logf})
	if err != nil {
		return unread(err)
	}
	if r.refs, err = remote.RefsUnder(ctx, "refs/heads/", "refs/tags/"); err != nil {
		return errors.Join(unread(err), remote.Close())
	}
	if r.store, err = remote.Store(""); err != nil {
		return errors.Join(err, remote.Close())
	}
	r.remote, r.closes = remote, func() error { return errors.Join(r.store.Close(), remote.Close()) }
	for name, h := range r.refs {
		if short, ok := strings.CutPrefix(name, "refs/heads/"); ok {
			r.branches[short] = h
		}
	}
	return nil
}

func isLocal(address string) bool {
	return strings.HasPrefix(address, "/") || strings.HasPrefix(address, ".") || strings.HasPrefix(address, "file:")
}

func (d *doctor) close() {
	for _, r := range d.repositories {
		if r.closes != nil {
			_ = r.closes() // it was read only
		}
	}
}

// looked says what was read where.
func (d *doctor) looked() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(d.repositories)) {
		if r := d.repositories[name]; !r.unread {
			all = append(all, fmt.Sprintf("%s in %s", r.name, r.place()))
		}
	}
	return all
}

// place is where it is read, for people.
func (r *repository) place() string {
	if r.dir != "" {
		return r.dir
	}
	return r.uri
}

// at is the place of a branch, and of a path there.
func (r *repository) at(branch, file string) string {
	if file == "" {
		return r.place() + ", branch " + branch
	}
	return r.place() + ", branch " + branch + ", " + file
}

// tip is the newest commit of a branch; nil if there is no such branch.
func (r *repository) tip(ctx context.Context, branch string) (*git.Commit, error) {
	h, ok := r.branches[branch]
	if !ok {
		return nil, nil //nolint:nilnil // documented
	}
	if r.remote != nil {
		if err := r.store.Advance(ctx, "refs/heads/"+branch, h); err != nil {
			return nil, err
		}
	}
	return r.store.Commit(ctx, h)
}

// kind is what is at a path.
type kind int

const (
	nothing kind = iota
	file
	folder
)

// entry is the file or folder at a path of a branch; ok is false if the branch has nothing there.
func (r *repository) entry(ctx context.Context, branch, name string) (entry git.Entry, ok bool, err error) {
	c, err := r.tip(ctx, branch)
	if err != nil || c == nil {
		return entry, false, err
	}
	if name = path.Clean(name); name == "." {
		return git.Entry{Mode: filemode.Dir}, true, nil
	}
	entry, err = r.store.Lookup(ctx, c.Tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		return entry, false, nil
	}
	return entry, err == nil, err
}

// look says what is at a path of a branch.
func (r *repository) look(ctx context.Context, branch, name string) (kind, error) {
	entry, ok, err := r.entry(ctx, branch, name)
	switch {
	case !ok:
		return nothing, err
	case entry.Mode == filemode.Dir:
		return folder, nil
	}
	return file, nil
}

// read is the content of a file of a branch; not ok if there is none.
func (r *repository) read(ctx context.Context, branch, name string) (data []byte, ok bool, err error) {
	entry, ok, err := r.entry(ctx, branch, name)
	if !ok || entry.Mode == filemode.Dir {
		return nil, false, err
	}
	data, err = r.store.Blob(ctx, entry.Hash)
	return data, err == nil, err
}

// paths are all files of a branch.
func (r *repository) paths(ctx context.Context, branch string) ([]string, error) {
	c, err := r.tip(ctx, branch)
	if err != nil || c == nil {
		return nil, err
	}
	if all, ok := r.files[c.Tree]; ok {
		return all, nil
	}
	all := []string{}
	err = r.store.Walk(ctx, c.Tree, func(string) bool { return true }, func(p string, _ git.Entry) error {
		all = append(all, p)
		return nil
	})
	r.files[c.Tree] = all
	return all, err
}

// uncommitted reports whether a clone's work tree has a path that its branch has not.
func (r *repository) uncommitted(name string) bool {
	if r.dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(r.dir, filepath.FromSlash(name)))
	return err == nil
}

// branchOf looks for a branch, and whether the remote has it as the clone has it.
func (d *doctor) branchOf(r *repository, branch, asked string) (ok bool) {
	local, ok := r.branches[branch]
	if !ok {
		d.find(Finding{
			Rule: "branch-missing", Level: Error, Place: r.place(), Asked: asked, Text: fmt.Sprintf("has no branch %s", branch),
			Command: r.do("branch %s", branch), Advice: r.push(branch),
		})
		return false
	}
	d.pushed(r, branch, local)
	return true
}

// pushed finds commits that a clone has and its remote has not: pipelines see the remote.
func (d *doctor) pushed(r *repository, branch string, local git.Hash) {
	if r.dir == "" || !r.hasRemote() {
		return
	}
	there, ok := r.refs["refs/remotes/origin/"+branch]
	if ok && there == local {
		return
	}
	text := "is not pushed: the pipelines see what the remote has"
	if ok {
		text = "differs from origin/" + branch + ": the pipelines see what the remote has"
	}
	d.find(Finding{Rule: "not-pushed", Level: Warning, Place: r.at(branch, ""), Text: text, Command: r.do("push origin %s", branch)})
}

// hasRemote reports whether the clone has branches of a remote "origin".
func (r *repository) hasRemote() bool {
	for name := range r.refs {
		if strings.HasPrefix(name, "refs/remotes/origin/") {
			return true
		}
	}
	return false
}

// do is a git command in the clone, or in one that is made first.
func (r *repository) do(format string, words ...string) string {
	return command("git -C %s ", r.clone()) + command(format, words...)
}

// push is the advice to push a branch.
func (r *repository) push(branch string) string {
	if r.dir != "" && !r.hasRemote() {
		return ""
	}
	return "then: " + r.do("push origin %s", branch)
}

// clone is the folder of a clone, as commands name it.
func (r *repository) clone() string {
	if r.dir != "" {
		return r.dir
	}
	return path.Base(r.name)
}

// commit is a command that commits paths of the work tree, which other commands have made.
func (r *repository) commit(message string, names ...string) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = Quote(n)
	}
	list := strings.Join(words, " ")
	return r.do("add ") + list + " && " + r.do("commit --quiet --message %s -- ", message) + list
}

// wanted is a path that something asks for.
type wanted struct {
	rule, asked string
	branch      string
	name        string
	kind        kind
	text        string // what is missing
	// make is a shell command that makes it in the clone; "" for what only a person can write, with advice.
	make, advice string
}

// path looks for a path, and reports whether it is there.
func (d *doctor) path(ctx context.Context, r *repository, w wanted) (bool, error) {
	got, err := r.look(ctx, w.branch, w.name)
	if err != nil || got == w.kind {
		return err == nil, err
	}
	f := Finding{Rule: w.rule, Level: Error, Place: r.at(w.branch, w.name), Asked: w.asked, Text: w.text, Advice: w.advice}
	switch {
	case got != nothing && w.kind == file:
		f.Text = "is a folder, and should be a file"
	case got != nothing:
		f.Text = "is a file, and should be a folder"
	case r.uncommitted(w.name):
		f.Rule, f.Text, f.Advice = "not-committed", "is in the work tree and not in the branch", ""
		f.Command = r.commit("chore: "+w.name+" for the pipelines", w.name)
	case w.make != "":
		f.Command = w.make + " && " + r.commit("chore: "+w.name+" for the pipelines", w.name)
	}
	d.find(f)
	return false, nil
}

// content reads a file that must be there; it is not ok, which is a finding, when it is not.
func (d *doctor) content(ctx context.Context, r *repository, w wanted) (data []byte, ok bool, err error) {
	w.kind = file
	if ok, err = d.path(ctx, r, w); ok {
		data, _, err = r.read(ctx, w.branch, w.name)
	}
	return data, ok, err
}

// file is a path in the clone, for commands.
func (r *repository) file(name string) string {
	return filepath.ToSlash(filepath.Join(r.clone(), filepath.FromSlash(name)))
}
