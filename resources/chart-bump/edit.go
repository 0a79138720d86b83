package chartbump

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/artifact"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/provenance"
	"github.com/taxiway-ci/taxiway/internal/strict"
	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

// wanted is what a put asks for, as far as it does not depend on the repository.
type wanted struct {
	targets []target
	version *version.Version // nil when the put has none
	// extra are files of the chart, by their paths in it, and whole the folders
	// of which nothing else may stay.
	extra map[string]git.Edit
	whole []string
}

// changes are the edits on top of a commit.
type changes struct {
	edits map[string]git.Edit
	// images are those whose digest is another one, in the order of the source.
	images []imageChange
	// kept says that values come from the bot's branch, and not from the put.
	kept bool
	// others says that further files come from the bot's branch.
	others bool
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
func (w wanted) edit(files chartFiles, logf func(string, ...any)) (changes, error) {
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

// parse reads a file that people write. A key that is there twice is an error: helm takes the last one, and a person who
// reads the file perhaps the first.
func parse(data []byte, o yamledit.Options) (*yamledit.File, error) {
	f, err := yamledit.Parse(data, o)
	if err != nil {
		return nil, err
	}
	return f, strict.Twice(data)
}

func (w wanted) editValues(files chartFiles, out *changes, logf func(string, ...any)) ([]byte, error) {
	f, err := parse(files.values, yamledit.Options{Shared: files.src.SharedValues})
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
		if err := img.inValues(f); err != nil {
			return nil, err
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
	if err := f.SetComment(t.image.Path, comment); err != nil || t.image.CommitPath == "" || s.digest == t.digest {
		return c, err
	}
	err = c.setCommit(f)
	return c, err
}

// setCommit sets the value that has the commit. What it had is the image's old commit if no comment says one.
func (c *imageChange) setCommit(f *yamledit.File) error {
	was, err := f.Scalar(c.image.CommitPath)
	if err != nil {
		return fmt.Errorf("commit_path: %w", err)
	}
	c.oldCommit = cmp.Or(c.oldCommit, commitOf(was))
	if err := f.Set(c.image.CommitPath, short(c.source.commit)); err != nil {
		return fmt.Errorf("commit_path: %w", err)
	}
	return nil
}

// commitOf is the commit that a value names; "" where it is another text.
func commitOf(v yamledit.Value) string {
	const short, sha1, sha256 = 7, 40, 64
	if n := len(v.Text); n < short || n > sha1 && n != sha256 || strings.Trim(v.Text, "0123456789abcdef") != "" {
		return ""
	}
	return v.Text
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
func (w wanted) editChart(files chartFiles, anything bool) ([]byte, error) {
	name := files.src.chartPath()
	f, err := parse(files.chart, yamledit.Options{})
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

// readCopies collects what copy and files name.
func (w *wanted) readCopies(from artifact.Folder, p putParams) error {
	w.extra = map[string]git.Edit{}
	copier := artifact.Copier{From: from}
	for i, c := range p.Copy {
		to, whole := path.Clean(c.To), false
		err := copier.Files(c.From, func(f artifact.File) error {
			whole = whole || f.Name != "."
			w.extra[path.Join(to, f.Name)] = git.AddFile(f.Mode, f.Content)
			return nil
		})
		if err != nil {
			return fmt.Errorf("params.copy[%d].from: %w", i, err)
		}
		if whole {
			w.whole = append(w.whole, to)
		}
	}
	for _, f := range p.Files {
		content := f.Content
		if content != "" && !strings.HasSuffix(content, "\n") {
			content += "\n"
		}
		w.extra[path.Clean(f.Path)] = git.Edit{Content: []byte(content)}
	}
	return nil
}
