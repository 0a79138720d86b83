package chartbump

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/provenance"
	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

// wish is what a put asks for, as far as it does not depend on the repository.
type wish struct {
	targets []target
	version *version.Version // nil when the put has none
	// extra are files of the chart, by their paths in it, and whole the folders
	// of which nothing else may stay.
	extra map[string]git.Edit
	whole []string
	size  int64 // bytes of what is copied
}

// maxCopied is how many bytes a put may copy into a chart. They are in memory, and
// a chart is not a place for as many.
const maxCopied = 256 << 20

// changes are the edits on top of a commit.
type changes struct {
	edits map[string]git.Edit
	// images are those whose digest is another one, in the order of the source.
	images []imageChange
	// kept says that values come from the bot's branch, and not from the put.
	kept bool
}

// imageChange is an image with the digest before and after.
type imageChange struct {
	target
	oldDigest string
	// oldCommit is what the comment said; empty when it said nothing.
	oldCommit string
	// kept says that the digest comes from the bot's branch, and not from the put.
	kept bool
}

// chartFiles are a chart's files at one commit.
type chartFiles struct {
	src           Source
	values, chart []byte
	// before and after are the values where the bot's branch begins and at its end; nil when it holds
	// nothing.
	before, after []byte
}

// edit works out the changes of the values and of Chart.yaml. It knows nothing
// of repositories.
func (w wish) edit(files chartFiles, logf func(string, ...any)) (changes, error) {
	out := changes{edits: map[string]git.Edit{}}
	values, err := w.editValues(files, &out, logf)
	if err != nil {
		return out, fmt.Errorf("%s: %w", files.src.valuesPath(), err)
	}
	if string(values) != string(files.values) {
		out.edits[files.src.valuesPath()] = git.Edit{Content: values}
	}
	for name, e := range w.extra {
		out.edits[path.Join(files.src.Chart, name)] = e
	}
	return out, nil
}

func (w wish) editValues(files chartFiles, out *changes, logf func(string, ...any)) ([]byte, error) {
	f, err := yamledit.Parse(files.values, yamledit.Options{Shared: files.src.SharedValues})
	if err != nil {
		return nil, err
	}
	held := files.held()
	for _, img := range files.src.Images {
		i := slices.IndexFunc(w.targets, func(t target) bool { return t.image.Name == img.Name })
		if i < 0 {
			if err := held.keep(f, img, out, logf); err != nil {
				return nil, fmt.Errorf("image %s: %w", img.Name, err)
			}
			continue
		}
		c, err := w.targets[i].edit(f, w.version, logf)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", img.Name, err)
		}
		if c.oldDigest != c.digest {
			out.images = append(out.images, c)
		}
	}
	if w.version != nil {
		for _, p := range files.src.AppVersionPaths {
			if err := f.Set(p, w.version.String()); err != nil {
				return nil, fmt.Errorf("app_version_paths: %w", err)
			}
		}
	}
	return f.Bytes()
}

// edit sets the digest and its comment.
func (t target) edit(f *yamledit.File, number *version.Version, logf func(string, ...any)) (imageChange, error) {
	c := imageChange{target: t}
	was, err := f.Scalar(t.image.Path)
	if err != nil {
		return c, err
	}
	s, err := parseShape(was.Text, t.lastKey())
	if err != nil {
		return c, fmt.Errorf("%s: line %d: %w", t.image.Path, was.Line, err)
	}
	old, human, err := provenance.Parse(was.Comment)
	if errors.Is(err, provenance.ErrBroken) {
		logf("warning: %s, line %d: the comment is replaced: %v", t.image.Path, was.Line, err)
	}
	c.oldDigest, c.oldCommit = s.digest, old.CommitRef
	comment, tag := was.Comment, "" // the same image, whatever commit it was built from again
	if s.digest != t.digest || err != nil {
		tag, comment = t.tag, t.metadata(old).With(human)
	}
	// The tag of an unchanged digest is set too: a candidate that becomes a release keeps its digest.
	next, err := t.fill(s, tag, number)
	if err != nil {
		return c, fmt.Errorf("%s: line %d: %w", t.image.Path, was.Line, err)
	}
	if err := f.Set(t.image.Path, next); err != nil {
		return c, err
	}
	return c, f.SetComment(t.image.Path, comment)
}

// fill is the value for the place of the image.
func (t target) fill(s shape, tag string, number *version.Version) (string, error) {
	if s.isEmpty() {
		return t.first()
	}
	return s.with(t.digest, tag, number).String(), nil
}

func (t target) lastKey() string {
	p, err := yamledit.ParsePath(t.image.Path)
	if err != nil || len(p) == 0 {
		return ""
	}
	return p[len(p)-1].Key
}

// editChart works out Chart.yaml: its appVersion, and its own version if
// anything else changes.
func (w wish) editChart(files chartFiles, anything bool) ([]byte, error) {
	name := files.src.chartPath()
	f, err := yamledit.Parse(files.chart, yamledit.Options{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if files.src.ChartAppVersion && w.version != nil {
		if err := f.Set("appVersion", w.version.String()); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if part := files.src.ChartVersion; part != "" && part != "none" && (anything || f.Changed()) {
		was, err := f.Scalar("version")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		next, err := increment(was.Text, part)
		if err != nil {
			return nil, fmt.Errorf("%s: version, line %d: %w", name, was.Line, err)
		}
		if err := f.Set("version", next); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	data, err := f.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

func increment(number, word string) (string, error) {
	v, err := version.Parse(number)
	if err != nil {
		return "", err
	}
	part, err := version.ParseBump(word)
	if err != nil {
		return "", err
	}
	return version.Bump{Part: part}.Apply(v).String(), nil
}

// readCopies collects what copy and files ask for.
func (w *wish) readCopies(step pathFinder, p PutParams) error {
	w.extra = map[string]git.Edit{}
	for i, c := range p.Copy {
		from, err := step.Path(c.From)
		if err == nil {
			err = w.readCopy(from, c.To)
		}
		if err != nil {
			return fmt.Errorf("params.copy[%d].from: %w", i, err)
		}
	}
	for _, f := range p.Files {
		content := f.Content
		if content != "" && !strings.HasSuffix(content, "\n") {
			content += "\n"
		}
		w.extra[f.Path] = git.Edit{Content: []byte(content)}
	}
	return nil
}

// pathFinder is what a step knows of the build's folder.
type pathFinder interface {
	Path(name string) (string, error)
}

func (w *wish) readCopy(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return w.readFile(from, to, info)
	}
	w.whole = append(w.whole, to)
	files := 0
	err = filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case isGits(d.Name()) && d.IsDir():
			return fs.SkipDir
		case isGits(d.Name()) || d.IsDir(): // a submodule has a file of that name
			return nil
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		return w.readFile(name, path.Join(to, filepath.ToSlash(rel)), info)
	})
	if err == nil && files == 0 {
		err = fmt.Errorf("the folder %s is empty, and would empty %s", filepath.Base(from), to)
	}
	return err
}

func (w *wish) readFile(name, to string, info fs.FileInfo) error {
	e := git.Edit{Mode: filemode.Regular}
	var err error
	switch {
	case info.Mode().IsRegular():
		if info.Mode()&0o100 != 0 {
			e.Mode = filemode.Executable
		}
		if w.size += info.Size(); w.size > maxCopied {
			return fmt.Errorf("with %s there are more than %d bytes to copy: is it the right folder?", to, maxCopied)
		}
		e.Content, err = os.ReadFile(name)
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: copy what it leads to instead", to)
	default:
		return fmt.Errorf("%s is not a file", to)
	}
	w.extra[to] = e
	return err
}

// remove adds the deletion of what is below the whole folders and not asked for.
func (w wish) remove(ctx context.Context, store *git.Store, tree git.Hash, src Source, edits map[string]git.Edit) error {
	for _, dir := range w.whole {
		top := path.Join(src.Chart, dir)
		e, err := store.Lookup(ctx, tree, top)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if e.Mode != filemode.Dir {
			if _, ok := edits[top]; !ok {
				edits[top] = git.Edit{Delete: true}
			}
			continue
		}
		all := func(string) bool { return true }
		err = store.Walk(ctx, e.Hash, all, func(name string, _ git.Entry) error {
			if p := path.Join(top, name); !has(edits, p) {
				edits[p] = git.Edit{Delete: true}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func has[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}
