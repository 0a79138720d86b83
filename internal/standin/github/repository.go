package github

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// Settings are what the owner of a repository decides.
type Settings struct {
	AllowMerge, AllowSquash, AllowRebase bool
	AllowAutoMerge                       bool
	// RequiredChecks are statuses or checks that must be green, and RequiredJobs those that only
	// GitHub Actions may report; RequiredApprovals is the number of reviews, before a pull request
	// may be merged.
	RequiredChecks    []string
	RequiredJobs      []string
	RequiredApprovals int
	// Protected are the branches to which these rules apply; empty for all.
	Protected []string
	// ReadOnly says that those who ask may not push.
	ReadOnly bool
	// NoDrafts says that the owner's plan has no draft pull requests.
	NoDrafts bool
	// Strangers are names of people and teams that are no collaborators.
	Strangers []string
	// Hooks says that the server has pre-receive hooks, as a GitHub Enterprise server may: what is
	// clean elsewhere is has_hooks there.
	Hooks bool
	// DeleteBranches deletes the branch of a merged pull request.
	DeleteBranches bool
}

// Repository is one repository at the stand-in. Its methods are what people do.
type Repository struct {
	server *Server
	name   string

	settings Settings
	lastPull int
	pulls    []*pull
	labels   []string
	statuses []*status
	checks   []checkRun
	releases []*release
	answers  map[string]answer // of settled
}

func newRepository(s *Server, name string) *Repository {
	return &Repository{
		server: s, name: name, labels: []string{"bug", "enhancement"}, answers: map[string]answer{},
		settings: Settings{AllowMerge: true, AllowSquash: true, AllowRebase: true},
	}
}

// Name is owner/name.
func (r *Repository) Name() string { return r.name }

// Git is the repository's content.
func (r *Repository) Git() *gittest.Repository {
	g, ok := r.server.options.Git.Find(r.name)
	if !ok {
		return gittest.Open(filepath.Join(os.DevNull, r.name)) // each use is an error
	}
	return g
}

// Set changes the settings.
func (r *Repository) Set(change func(*Settings)) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	change(&r.settings)
}

func (r *Repository) owner() string {
	owner, _, _ := strings.Cut(r.name, "/")
	return owner
}

// branch is the tip of a branch, or empty.
func (r *Repository) branch(name string) string {
	tip, err := r.Git().RevParse("refs/heads/" + name)
	if err != nil {
		return ""
	}
	return tip
}

func (r *Repository) line(args ...string) (string, error) {
	out, err := r.Git().Git(args...)
	return strings.TrimSpace(out), err
}

// settled is the output of a git command about commits named by hash, which never changes: each is run once. The lock of the
// server is held.
func (r *Repository) settled(args ...string) (string, error) {
	key := strings.Join(args, "\x00")
	if a, ok := r.answers[key]; ok {
		return a.out, a.err
	}
	out, err := r.Git().Git(args...)
	exit, exited := errors.AsType[*exec.ExitError](err)
	if err == nil || exited && exit.ExitCode() == 1 { // no, or a conflict; anything else may be mended
		r.answers[key] = answer{out, err}
	}
	return out, err
}

// commitOf is the commit that a ref or a hash names. The lock of the server is held.
func (r *Repository) commitOf(ref string) (string, error) {
	if a, ok := r.answers[ref]; ok {
		return a.out, nil
	}
	commit, err := r.Git().RevParse(ref + "^{commit}")
	if err == nil && commit == ref { // a hash; what is not there may be pushed yet
		r.answers[ref] = answer{out: commit}
	}
	return commit, err
}

// answer is what a git command came to.
type answer struct {
	out string
	err error
}

// reaches reports whether old is young or one of its ancestors.
func (r *Repository) reaches(young, old string) bool {
	_, err := r.settled("merge-base", "--is-ancestor", old, young)
	return err == nil
}

// forkOf is where head left base.
func (r *Repository) forkOf(p *pull) (string, error) {
	out, err := r.settled("merge-base", p.baseCommit, p.headCommit)
	return strings.TrimSpace(out), err
}

// refresh brings the pull requests up to what was pushed since the last look, as
// GitHub does: a branch that goes on, that is deleted, that has been merged by
// hand.
func (r *Repository) refresh() error {
	for _, p := range r.pulls {
		if p.open() {
			if err := r.refreshPull(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Repository) refreshPull(p *pull) error {
	head, base := r.branch(p.head), r.branch(p.base)
	if head == p.headCommit && base == p.baseCommit {
		return nil
	}
	moved := head != p.headCommit
	switch {
	case head == "" || base == "":
		p.close(r.server.now())
		return nil
	case r.reaches(base, head) && moved:
		p.headCommit, p.baseCommit = head, base
		p.close(r.server.now())
		return nil
	case r.reaches(base, head):
		return r.merged(p, base, "somebody")
	}
	if moved {
		p.updated = r.server.now()
		p.events = append(p.events, "pushed "+head)
	}
	p.headCommit, p.baseCommit = head, base
	return r.autoMerge(p)
}

// merged notes that a pull request has become a commit of its base.
func (r *Repository) merged(p *pull, commit, by string) error {
	fork, err := r.forkOf(p)
	if err != nil {
		return err
	}
	now := r.server.now()
	p.fork, p.mergeCommit, p.mergedBy, p.mergedAt, p.auto = fork, commit, by, now, ""
	p.close(now)
	if r.settings.DeleteBranches {
		return r.Git().UpdateRef("refs/heads/"+p.head, "")
	}
	return nil
}

// state is what GitHub calls the mergeable state: draft, dirty, blocked, unstable, has_hooks or
// clean.
func (r *Repository) state(p *pull) string {
	switch {
	case p.draft:
		return "draft"
	case !r.mergesCleanly(p):
		return "dirty"
	case len(r.violations(p)) > 0:
		return "blocked"
	}
	for _, s := range r.latest(p.headCommit) {
		if s.state != "success" {
			return "unstable"
		}
	}
	for _, c := range r.checks {
		if c.commit == p.headCommit && c.conclusion != "success" && c.conclusion != "skipped" {
			return "unstable"
		}
	}
	if r.settings.Hooks {
		return "has_hooks"
	}
	return "clean"
}

func (r *Repository) mergesCleanly(p *pull) bool {
	_, err := r.settled("merge-tree", "--write-tree", p.baseCommit, p.headCommit)
	return err == nil
}

// autoMerge merges a pull request that waits for its rules, when they are met.
func (r *Repository) autoMerge(p *pull) error {
	if p.auto == "" || !p.open() {
		return nil
	}
	if s := r.state(p); s != "clean" && s != "unstable" && s != "has_hooks" {
		return nil
	}
	return r.merge(p, p.auto, p.autoBy)
}

func (r *Repository) merge(p *pull, method, by string) error {
	var commit string
	var err error
	switch method {
	case "merge":
		commit, err = r.mergeCommit(p, by, "-p", p.baseCommit, "-p", p.headCommit)
	case "squash":
		commit, err = r.mergeCommit(p, by, "-p", p.baseCommit)
	case "rebase":
		commit, err = r.rebase(p, by)
	default:
		err = fmt.Errorf("%q is no way to merge", method)
	}
	if err != nil {
		return err
	}
	if _, err := r.Git().Git("update-ref", "refs/heads/"+p.base, commit, p.baseCommit); err != nil {
		return err
	}
	return r.merged(p, commit, by)
}

func (r *Repository) mergeCommit(p *pull, by string, parents ...string) (string, error) {
	tree, err := r.settled("merge-tree", "--write-tree", p.baseCommit, p.headCommit)
	if err != nil {
		return "", err
	}
	message := fmt.Sprintf("%s (#%d)\n\n%s\n", p.title, p.number, p.body)
	if len(parents) > 2 {
		message = fmt.Sprintf("Merge pull request #%d from %s/%s\n\n%s\n", p.number, r.owner(), p.head, p.title)
	}
	author := signature(by)
	if len(parents) == 2 { // of a squash it is who opened the pull request, whoever made its commits and whoever merges it
		author = signature(p.author)
	}
	out, err := r.Git().GitInput(strings.TrimRight(message, "\n")+"\n", append([]string{"commit-tree", strings.TrimSpace(tree), "-F", "-"}, parents...)...)
	if err != nil {
		return "", err
	}
	return r.signed(strings.TrimSpace(out), author, "GitHub <noreply@github.com>")
}

// signature is a person as a commit has it.
func signature(by string) string {
	if strings.Contains(by, "<") {
		return by
	}
	return fmt.Sprintf("%s <%s@users.noreply.github.com>", by, by)
}

// signed is a commit with another author, unless that is empty, and another committer.
func (r *Repository) signed(commit, author, committer string, parents ...string) (string, error) {
	text, err := r.Git().Git("cat-file", "commit", commit)
	if err != nil {
		return "", err
	}
	head, message, _ := strings.Cut(text, "\n\n")
	var lines []string
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		at := value[strings.LastIndex(value, ">")+1:]
		switch {
		case key == "author" && author != "":
			line = "author " + author + at
		case key == "committer":
			line = "committer " + committer + at
		case key == "parent" && len(parents) > 0:
			line, parents = "parent "+parents[0], parents[1:]
		}
		lines = append(lines, line)
	}
	return r.Git().Object("commit", []byte(strings.Join(lines, "\n")+"\n\n"+message))
}

// rebase is done in a work tree, as git has no way without one. The committer of each commit is who merges.
func (r *Repository) rebase(p *pull, by string) (commit string, err error) {
	dir, err := os.MkdirTemp("", "github-")
	if err != nil {
		return "", err
	}
	tree := filepath.Join(dir, "tree")
	defer func() {
		_, _ = r.Git().Git("worktree", "remove", "--force", tree) // it is in dir
		_ = os.RemoveAll(dir)
	}()
	if _, err := r.Git().Git("worktree", "add", "--quiet", "--detach", tree, p.headCommit); err != nil {
		return "", err
	}
	if _, err := r.Git().Git("-C", tree, "rebase", "--quiet", p.baseCommit); err != nil {
		return "", err
	}
	list, err := r.line("-C", tree, "rev-list", "--reverse", p.baseCommit+"..HEAD")
	if err != nil {
		return "", err
	}
	commit = p.baseCommit
	for c := range strings.FieldsSeq(list) {
		if commit, err = r.signed(c, "", signature(by), commit); err != nil {
			return "", err
		}
	}
	return commit, nil
}

// files are the changed files of a pull request.
func (r *Repository) files(p *pull) ([]file, error) {
	from := p.fork
	if from == "" {
		var err error
		if from, err = r.forkOf(p); err != nil {
			return nil, err
		}
	}
	out, err := r.settled("diff", "--name-status", "-z", "-M", from, p.headCommit)
	if err != nil {
		return nil, err
	}
	var all []file
	words := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	for i := 0; i+1 < len(words); i += 2 {
		f := file{Status: "modified", Filename: words[i+1]}
		switch words[i][0] {
		case 'A':
			f.Status = "added"
		case 'D':
			f.Status = "removed"
		case 'R':
			f.Status, f.Previous, f.Filename = "renamed", words[i+1], words[i+2]
			i++
		}
		all = append(all, f)
	}
	return all, nil
}

type file struct {
	Filename string `json:"filename"`
	Status   string `json:"status"`
	Previous string `json:"previous_filename,omitempty"`
}

type status struct {
	id                                     int64
	commit, state, context, text, url, who string
	when                                   time.Time
}

// latest is the newest status of each context of a commit, newest first.
func (r *Repository) latest(commit string) []*status {
	var out []*status
	for _, s := range slices.Backward(r.statuses) {
		if s.commit == commit && !slices.ContainsFunc(out, func(o *status) bool { return o.context == s.context }) {
			out = append(out, s)
		}
	}
	return out
}

func getRepository(_ *Server, c *call) (httpStatus int, body any, err error) {
	r := c.repository
	_, name, _ := strings.Cut(r.name, "/")
	head, err := r.line("symbolic-ref", "--short", "HEAD")
	if err != nil {
		return 0, nil, err
	}
	token := tokenOf(c.Request)
	if scopes, classic := r.server.options.Scopes[token]; classic {
		c.header.Set("X-OAuth-Scopes", scopes)
	}
	may := !r.settings.ReadOnly
	return 200, map[string]any{
		"permissions": map[string]bool{"admin": false, "maintain": false, "push": may, "triage": may, "pull": true},
		"name":        name, "full_name": r.name, "private": true, "html_url": r.server.webURL(r.name), "default_branch": head,
		"owner":              map[string]any{"login": r.owner()},
		"allow_merge_commit": r.settings.AllowMerge, "allow_squash_merge": r.settings.AllowSquash, "allow_rebase_merge": r.settings.AllowRebase,
		"allow_auto_merge": r.settings.AllowAutoMerge, "delete_branch_on_merge": r.settings.DeleteBranches,
	}, nil
}
