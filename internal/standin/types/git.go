package types

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// Git stands in for the resource type git, through the git program. It knows a
// branch with paths, ignore_paths, commit_filter.exclude and tag_filter; a get with depth and tags; a
// put of a clone, rebased or tagged where that is asked for. Commits marked
// [ci skip] are no versions, unless that is switched off.
type Git struct {
	// Named are the addresses that the pipelines have for those of a source.
	// Clones have them as their origin, and git goes to the source's all the
	// same.
	Named map[string]string
}

type gitSource struct {
	URI           string    `json:"uri"`
	Branch        string    `json:"branch"`
	Paths         []string  `json:"paths"`
	IgnorePaths   []string  `json:"ignore_paths"`
	CommitFilter  gitFilter `json:"commit_filter"`
	TagFilter     string    `json:"tag_filter"`
	FetchTags     bool      `json:"fetch_tags"`
	DisableCISkip bool      `json:"disable_ci_skip"`
	GitConfig     []gitPair `json:"git_config"`

	// what a server on loopback has no use for
	PrivateKey           string `json:"private_key"`
	PrivateKeyPassphrase string `json:"private_key_passphrase"`
	PrivateKeyUser       string `json:"private_key_user"`
	Username             string `json:"username"`
	Password             string `json:"password"`
	SkipSSLVerification  bool   `json:"skip_ssl_verification"`
}

// gitFilter has patterns of grep, of which none may match a line of a commit's message.
type gitFilter struct {
	Exclude []string `json:"exclude"`
}

type gitPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type gitGet struct {
	Depth          int    `json:"depth"`
	FetchTags      *bool  `json:"fetch_tags"`
	CleanTags      bool   `json:"clean_tags"`
	ShortRefFormat string `json:"short_ref_format"`
	Submodules     string `json:"submodules"`
	DisableGitLFS  bool   `json:"disable_git_lfs"`
}

type gitPut struct {
	Repository string `json:"repository"`
	Rebase     bool   `json:"rebase"`
	Force      bool   `json:"force"`
	Tag        string `json:"tag"`
	TagPrefix  string `json:"tag_prefix"`
	OnlyTag    bool   `json:"only_tag"`
	Annotate   string `json:"annotate"`
}

// Run does one verb.
func (g Git) Run(ctx context.Context, call rehearsal.Call) ([]byte, error) {
	return verbs[gitSource, gitGet, gitPut]{gitCheck, g.in, gitOut}.run(ctx, "git", call)
}

// git runs the program in dir, away from this machine's configuration.
func (c container) git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.temp, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", "TZ=UTC",
		"GIT_TEMPLATE_DIR=", "GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=maintenance.auto", "GIT_CONFIG_VALUE_0=false", "GIT_CONFIG_KEY_1=core.fsync", "GIT_CONFIG_VALUE_1=none", // the folders live for minutes
		"GIT_AUTHOR_NAME=Concourse", "GIT_AUTHOR_EMAIL=concourse@example.com", "GIT_COMMITTER_NAME=Concourse", "GIT_COMMITTER_EMAIL=concourse@example.com",
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// gitSteps runs the program in the folder to fill, once for each step.
func (c container) gitSteps(ctx context.Context, steps [][]string) error {
	for _, s := range steps {
		if _, err := c.git(ctx, c.dir, s...); err != nil {
			return err
		}
	}
	return nil
}

// gitLog returns what git log has for the placeholders of its format about one commit.
func (c container) gitLog(ctx context.Context, dir, commit string, format ...string) ([]string, error) {
	out, err := c.git(ctx, dir, "log", "-1", "--decorate-refs=refs/tags/*", "--format="+strings.Join(format, "%x00"), commit)
	if err != nil {
		return nil, err
	}
	f := strings.SplitN(out, "\x00", len(format))
	if len(f) != len(format) {
		return nil, errors.New("git log says something else than it should")
	}
	return f, nil
}

// gitChecked is what the check container keeps of its last check.
type gitChecked struct {
	Source   gitSource           `json:"source"`
	Refs     map[string]string   `json:"refs"` // of the remote, those that a check of the source depends on
	From     rehearsal.Version   `json:"from"`
	Versions []rehearsal.Version `json:"versions"`
}

// checkedFile is where it is kept.
const checkedFile = "checked.json"

// gitCheck fetches and walks when the remote's refs are not those of the last check.
func gitCheck(ctx context.Context, c container, source gitSource, from rehearsal.Version) ([]rehearsal.Version, error) {
	var last gitChecked
	if text, err := os.ReadFile(filepath.Join(c.temp, checkedFile)); err == nil {
		if err := json.Unmarshal(text, &last); err != nil {
			return nil, err
		}
	}
	now := gitChecked{Source: source, Refs: gitRefs(ctx, source), From: from}
	fetched := len(now.Refs) > 0 && maps.Equal(now.Refs, last.Refs) && reflect.DeepEqual(source, last.Source)
	if fetched && maps.Equal(from, last.From) {
		return last.Versions, nil
	}
	if !fetched {
		if err := c.fetch(ctx, source); err != nil {
			return nil, err
		}
	}
	var err error
	if now.Versions, err = c.gitVersions(ctx, source, from); err != nil {
		return nil, err
	}
	if !fetched && !maps.Equal(now.Refs, gitRefs(ctx, source)) {
		return now.Versions, nil // the next check fetches again
	}
	text, err := json.Marshal(now)
	if err != nil {
		return nil, err
	}
	return now.Versions, os.WriteFile(filepath.Join(c.temp, checkedFile), text, 0o600)
}

// gitRefs are the refs of the remote that a check depends on; none where they can't be read, and the fetch says why.
func gitRefs(ctx context.Context, source gitSource) map[string]string {
	remote, err := git.Open(git.Access{URI: source.URI, Branch: cmp.Or(source.Branch, "main")}, git.Options{}) // Open wants a branch, RefsUnder uses none
	if err != nil {
		return nil
	}
	defer func() { _ = remote.Close() }()
	prefixes := []string{"HEAD"}
	if source.Branch != "" {
		prefixes[0] = "refs/heads/" + source.Branch
	}
	if source.TagFilter != "" {
		prefixes = append(prefixes, "refs/tags/")
	}
	found, err := remote.RefsUnder(ctx, prefixes...)
	if err != nil {
		return nil
	}
	refs := map[string]string{}
	for name, hash := range found {
		refs[name] = hash.String()
	}
	return refs
}

// mirror keeps refs of a remote in the check container.
func (c container) mirror(ctx context.Context, uri string, refs ...string) error {
	dir := c.mirrored()
	if _, err := os.Stat(dir); err != nil {
		if _, err := c.git(ctx, c.temp, "init", "--quiet", "--bare", dir); err != nil {
			return err
		}
	}
	_, err := c.git(ctx, dir, append([]string{"fetch", "--quiet", "--prune", "--no-write-fetch-head", uri}, refs...)...)
	return err
}

// mirrored is the repository that mirror fills.
func (c container) mirrored() string { return filepath.Join(c.temp, "mirror.git") }

// fetch brings what a check of the source walks into the check container.
func (c container) fetch(ctx context.Context, source gitSource) error {
	refs := []string{"+HEAD:refs/heads/tracked"}
	if source.Branch != "" {
		refs[0] = "+refs/heads/" + source.Branch + ":refs/heads/tracked"
	}
	if source.TagFilter != "" {
		refs = append(refs, "+refs/tags/*:refs/tags/*")
	}
	return c.mirror(ctx, source.URI, refs...)
}

// gitVersions are the versions of the mirror since the given one.
func (c container) gitVersions(ctx context.Context, source gitSource, from rehearsal.Version) ([]rehearsal.Version, error) {
	dir := c.mirrored()
	if source.TagFilter != "" {
		return c.tagVersions(ctx, dir, source, from)
	}
	list := []string{"rev-list", "--first-parent", "--invert-grep"}
	for _, pattern := range source.CommitFilter.Exclude {
		list = append(list, "--grep="+pattern)
	}
	if !source.DisableCISkip {
		list = append(list, `--grep=\[ci\sskip\]`, `--grep=\[skip\sci\]`)
	}
	known := from["ref"] != ""
	if known {
		_, err := c.git(ctx, dir, "merge-base", "--is-ancestor", from["ref"], "refs/heads/tracked")
		known = err == nil
	}
	if known {
		list = append(list, "--reverse", from["ref"]+"..refs/heads/tracked")
	} else {
		list = append(list, "--max-count=1", "refs/heads/tracked")
	}
	out, err := c.git(ctx, dir, append(list, pathspecs(source)...)...)
	if err != nil {
		return nil, err
	}
	var versions []rehearsal.Version
	if known {
		versions = append(versions, rehearsal.Version{"ref": from["ref"]})
	}
	for hash := range strings.FieldsSeq(out) {
		versions = append(versions, rehearsal.Version{"ref": hash})
	}
	return versions, nil
}

// pathspecs limit a walk to the paths of the source. As in the real type these
// are git's own patterns.
func pathspecs(source gitSource) []string {
	if len(source.Paths)+len(source.IgnorePaths) == 0 {
		return nil
	}
	specs := append([]string{"--"}, source.Paths...)
	if len(source.Paths) == 0 {
		specs = append(specs, ".")
	}
	for _, p := range source.IgnorePaths {
		specs = append(specs, ":(exclude)"+p)
	}
	return specs
}

// tagVersions are the tags on the branch that the filter likes, oldest first.
func (c container) tagVersions(ctx context.Context, dir string, source gitSource, from rehearsal.Version) ([]rehearsal.Version, error) {
	out, err := c.git(ctx, dir, "tag", "--list", source.TagFilter, "--merged", "refs/heads/tracked", "--sort=creatordate", "--sort=version:refname", "--format=%(refname:short) %(objectname) %(*objectname)")
	if err != nil {
		return nil, err
	}
	var all []rehearsal.Version
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		all = append(all, rehearsal.Version{"ref": fields[0], "commit": fields[len(fields)-1]})
	}
	return after(all, from, func(a, b rehearsal.Version) bool { return a["ref"] == b["ref"] }), nil
}

func (g Git) in(ctx context.Context, c container, source gitSource, version rehearsal.Version, params gitGet) (result, error) {
	if params.Submodules != "" && params.Submodules != "none" && params.Submodules != "all" {
		return result{}, fmt.Errorf("%w: submodules: %q", errRequest, params.Submodules)
	}
	ref := version["ref"]
	if err := g.clone(ctx, c, source, params, ref); err != nil {
		return result{}, err
	}
	if params.CleanTags {
		if err := c.cleanTags(ctx); err != nil {
			return result{}, err
		}
	}
	steps := [][]string{{"checkout", "--quiet", "--detach", ref}}
	for _, pair := range source.GitConfig {
		steps = append(steps, []string{"config", pair.Name, pair.Value})
	}
	if err := c.gitSteps(ctx, steps); err != nil {
		return result{}, err
	}
	metadata, err := c.describe(ctx, source, params, ref)
	return result{version, metadata}, err
}

// clone makes a clone in which the commit ref is.
func (g Git) clone(ctx context.Context, c container, source gitSource, params gitGet, ref string) error {
	clone := []string{"clone", "--quiet", "--single-branch", "--no-checkout"}
	named, ok := g.Named[source.URI]
	if ok { // git goes to the source's address all the same
		clone = append(clone, "-c", "url."+source.URI+".insteadOf="+named)
	}
	if source.Branch != "" {
		clone = append(clone, "--branch", source.Branch)
	}
	if params.Depth > 0 {
		clone = append(clone, "--depth", strconv.Itoa(params.Depth))
	}
	tags := source.FetchTags || source.TagFilter != ""
	if params.FetchTags != nil {
		tags = *params.FetchTags
		if !tags {
			clone = append(clone, "--no-tags")
		}
	}
	_, err := c.git(ctx, c.dir, append(clone, cmp.Or(named, source.URI), ".")...)
	for depth := params.Depth; err == nil && params.Depth > 0; depth *= 2 {
		if _, missing := c.git(ctx, c.dir, "cat-file", "-e", ref+"^{commit}"); missing == nil || depth > 1<<20 {
			break
		}
		_, err = c.git(ctx, c.dir, "fetch", "--quiet", "--deepen", strconv.Itoa(depth))
	}
	if err == nil && tags {
		_, err = c.git(ctx, c.dir, "fetch", "--quiet", "--tags", "origin")
	}
	return err
}

func (c container) cleanTags(ctx context.Context) error {
	out, err := c.git(ctx, c.dir, "tag", "--list")
	if err != nil || out == "" {
		return err
	}
	_, err = c.git(ctx, c.dir, append([]string{"tag", "--delete"}, strings.Fields(out)...)...)
	return err
}

// describe writes the files in .git that the type adds, and tells the same as
// metadata.
func (c container) describe(ctx context.Context, source gitSource, params gitGet, ref string) ([]rehearsal.MetadataField, error) {
	f, err := c.gitLog(ctx, c.dir, "HEAD", "%H", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%D", "%B")
	if err != nil {
		return nil, err
	}
	names := strings.FieldsFunc(f[7], func(r rune) bool { return r == ',' || r == ' ' })
	names = slices.DeleteFunc(names, func(name string) bool { return name == "tag:" })
	slices.Sort(names)
	tags := strings.Join(names, ",")
	const short = 7
	format := params.ShortRefFormat
	if format == "" {
		format = "%s"
	}
	metadata := fields(
		"commit", f[0], "author", f[1], "author_date", f[3], "committer", f[4], "committer_date", f[6],
		"branch", source.Branch, "tags", tags, "message", f[8],
	)
	text, err := json.Marshal(metadata)
	if err != nil {
		return nil, err
	}
	return metadata, c.writeAll(
		".git/ref", ref+"\n",
		".git/short_ref", strings.ReplaceAll(format, "%s", ref[:min(short, len(ref))])+"\n",
		".git/committer", f[2]+"\n",
		".git/commit_message", f[8]+"\n",
		".git/commit_timestamp", f[6]+"\n",
		".git/branch", source.Branch+"\n",
		".git/tags", tags+"\n",
		".git/metadata.json", string(text),
	)
}

// pushTries bounds how often a rebased push starts again.
const pushTries = 10

func gitOut(ctx context.Context, c container, source gitSource, params gitPut) (result, error) {
	if source.Branch == "" && !params.OnlyTag {
		return result{}, errors.New("source.branch is needed for a put")
	}
	dir, err := c.path(params.Repository)
	if err != nil {
		return result{}, fmt.Errorf("repository: %w", err)
	}
	ref := ""
	if params.Tag != "" {
		if ref, err = c.tag(ctx, dir, params); err != nil {
			return result{}, err
		}
	}
	if !params.OnlyTag {
		if err := c.push(ctx, dir, source, params); err != nil {
			return result{}, err
		}
	} else if _, err := c.git(ctx, dir, "push", "--quiet", "--tags", source.URI); err != nil {
		return result{}, err
	}
	head, err := c.git(ctx, dir, "rev-parse", "HEAD")
	if err != nil {
		return result{}, err
	}
	version := rehearsal.Version{"ref": head}
	if source.TagFilter != "" && ref != "" {
		version = rehearsal.Version{"ref": ref, "commit": head}
	}
	return result{version, fields("commit", head, "branch", source.Branch)}, nil
}

// tag tags what is checked out with the name in the file.
func (c container) tag(ctx context.Context, dir string, params gitPut) (string, error) {
	name, err := c.text(params.Tag)
	if err != nil {
		return "", err
	}
	name = params.TagPrefix + name
	args := []string{"tag", "--force", name}
	if params.Annotate != "" {
		message, err := c.text(params.Annotate)
		if err != nil {
			return "", err
		}
		args = []string{"tag", "--force", "--annotate", "--message", message, name}
	}
	_, err = c.git(ctx, dir, args...)
	return name, err
}

// push pushes what is checked out, and all tags with it.
func (c container) push(ctx context.Context, dir string, source gitSource, params gitPut) error {
	args := []string{"push", "--quiet", "--tags", source.URI, "HEAD:refs/heads/" + source.Branch}
	if params.Force {
		args = append(args, "--force")
	}
	for try := 1; ; try++ {
		_, err := c.git(ctx, dir, args...)
		if err == nil || !params.Rebase || try == pushTries {
			return err
		}
		c.logf("the branch has moved: rebase and push again")
		if _, err := c.git(ctx, dir, "fetch", "--quiet", source.URI, "refs/heads/"+source.Branch); err != nil {
			return err
		}
		if _, err := c.git(ctx, dir, "rebase", "--quiet", "FETCH_HEAD"); err != nil {
			return err
		}
	}
}
