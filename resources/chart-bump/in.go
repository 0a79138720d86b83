package chartbump

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/provenance"
)

// ownFiles are what a get writes beside one folder for each image.
func ownFiles() []string {
	return []string{"chart", "digests.json", "ref", "short_ref", "compare_url", "provenance.json"}
}

// digestEntry is one image in digests.json.
type digestEntry struct {
	Digest     string `json:"digest"`
	Repository string `json:"repository"`
	CommitRef  string `json:"commit_ref"`
	// Previous is the digest before this version; empty for the first one.
	Previous string `json:"previous"`
}

// provenanceEntry is one image in provenance.json.
type provenanceEntry struct {
	Digest string `json:"digest"`
	provenance.Metadata
}

// chartEntry is the chart in provenance.json.
type chartEntry struct {
	Repository string `json:"repository"`
	Path       string `json:"path"`
	Commit     string `json:"commit"`
}

// In delivers the chart at a commit, and what its values say about the images.
func (Resource) In(ctx context.Context, step concourse.Step, src Source, v Version, _ getParams) (Result, error) {
	out := Result{Version: v}
	if !plumbing.IsHash(v.Commit) {
		return out, fmt.Errorf("version.commit: %q is not a full commit hash", v.Commit)
	}
	remote, store, err := open(src, step)
	if err != nil {
		return out, err
	}
	defer closeAll(store, remote)
	d := delivery{reader: reader{src, store, step.Logf}, remote: remote, dir: step.Dir}
	if err := d.deliver(ctx, plumbing.NewHash(v.Commit)); err != nil {
		return out, err
	}
	d.describe(&out)
	return out, nil
}

// delivery is one get.
type delivery struct {
	reader
	remote *git.Remote
	dir    string

	at      *git.Commit
	is, was record
	chart   []git.File // from its own folder
}

func (d *delivery) deliver(ctx context.Context, commit git.Hash) error {
	var err error
	if d.at, err = d.commit(ctx, commit); errors.Is(err, git.ErrNotFound) {
		return fmt.Errorf("version.commit: %w; if branch %s was rewritten, a check lists the versions that it has now", err, d.src.Branch)
	} else if err != nil {
		return err
	}
	if err := d.records(ctx); err != nil {
		return err
	}
	dir := filepath.Join(d.dir, "chart")
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // later steps read it, as other users
		return fmt.Errorf("make the folder of the chart: %w", err)
	}
	if err := d.store.Checkout(ctx, dir, d.chart); err != nil {
		return err
	}
	return d.files()
}

// records reads the values of this commit and of the one before it. All files of the chart are fetched with them.
func (d *delivery) records(ctx context.Context) error {
	is, err := d.values(ctx, d.at)
	if err != nil {
		return err
	}
	if is.IsZero() {
		return fmt.Errorf("commit %s of %s has no file %s", short(d.at.Hash.String()), d.remote.URL(), d.src.valuesPath())
	}
	need, was := []git.Hash{is}, git.Hash{}
	if d.chart, err = d.list(ctx); err != nil {
		return err
	}
	for _, f := range d.chart {
		if f.Mode != filemode.Submodule {
			need = append(need, f.Hash)
		}
	}
	if len(d.at.Parents) > 0 {
		before, err := d.commit(ctx, d.at.Parents[0])
		if err != nil {
			return fmt.Errorf("the commit before %s: %w", short(d.at.Hash.String()), err)
		}
		if was, err = d.values(ctx, before); err != nil {
			return err
		}
		if !was.IsZero() {
			need = append(need, was)
		}
	}
	if err := d.store.Need(ctx, need...); err != nil {
		return err
	}
	if d.is, err = d.record(ctx, is, d.logf); err != nil {
		return err
	}
	d.was, err = d.record(ctx, was, quiet)
	return err
}

// list is what the whole chart consists of.
func (d *delivery) list(ctx context.Context) (files []git.File, err error) {
	tree := d.at.Tree
	if d.src.chart() != "." {
		e, err := d.store.Lookup(ctx, tree, d.src.chart())
		if err != nil {
			return nil, err
		}
		tree = e.Hash
	}
	everywhere := func(string) bool { return true }
	err = d.store.Walk(ctx, tree, everywhere, func(name string, e git.Entry) error {
		files = append(files, git.File{Path: name, Mode: e.Mode, Hash: e.Hash})
		return nil
	})
	return files, err
}

// files writes all files but the chart.
func (d *delivery) files() error {
	digests, images := map[string]digestEntry{}, map[string]provenanceEntry{}
	files := map[string]string{
		"ref":         d.at.Hash.String() + "\n",
		"short_ref":   short(d.at.Hash.String()) + "\n",
		"compare_url": d.compareURL(),
	}
	if files["compare_url"] != "" {
		files["compare_url"] += "\n"
	}
	for name, is := range d.is {
		digests[name] = digestEntry{is.digest, is.Repository, is.CommitRef, d.was[name].digest}
		images[name] = provenanceEntry{is.digest, is.Metadata}
		files[filepath.Join(name, "digest")] = is.digest + "\n"
		files[filepath.Join(name, "commit_ref")] = is.CommitRef + "\n"
	}
	var err error
	if files["digests.json"], err = indented(digests); err != nil {
		return err
	}
	chart := chartEntry{Repository: d.address(), Path: d.src.Chart, Commit: d.at.Hash.String()}
	if files["provenance.json"], err = indented(map[string]any{"chart": chart, "images": images}); err != nil {
		return err
	}
	for name, content := range files {
		file := filepath.Join(d.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // later steps read it, as other users
			return fmt.Errorf("make the folder of %s: %w", name, err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

func indented(v any) (string, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return string(data) + "\n", err
}

// address is the repository's page, or else its address.
func (d *delivery) address() string {
	if web := d.remote.WebURL(); web != "" {
		return web
	}
	return d.remote.URL()
}

// compareURL is the page with the changes of the code that this version brought,
// by the first image that knows: empty when none does.
func (d *delivery) compareURL() string {
	for _, img := range d.src.Images {
		if page := comparison(d.is[img.Name].Repository, d.was[img.Name].CommitRef, d.is[img.Name].CommitRef); page != "" {
			return page
		}
	}
	return ""
}

// describe adds what people want to see of a version.
func (d *delivery) describe(out *Result) {
	out.Metadata.Add("commit", "%s", d.at.Hash)
	title, _, _ := strings.Cut(d.at.Message, "\n")
	out.Metadata.Add("message", "%s", title)
	if web := d.remote.WebURL(); web != "" {
		out.Metadata.Add("url", "%s/commit/%s", web, d.at.Hash)
	}
	for _, img := range d.src.Images {
		is, ok := d.is[img.Name]
		if !ok {
			continue
		}
		out.Metadata.Add(img.Name, "%s", is.digest)
		if strings.HasPrefix(is.Repository, "http") {
			out.Metadata.Add(img.Name+" source", "%s/commit/%s", is.Repository, is.CommitRef)
		}
	}
	if url := d.compareURL(); url != "" {
		out.Metadata.Add("compare", "%s", url)
	}
}
