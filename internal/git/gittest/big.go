package gittest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/taxiway-ci/taxiway/internal/cepler"
)

// Big is the shape of a large deployments repository, for benchmarks. The same
// values give the same commits.
//
// It has three environments of one deployment in a row (staging, qa,
// production), whose modules are propagated from one to the next, and much else
// that no environment looks at. The first commit adds every file and records the
// three environments.
type Big struct {
	// Commits and Files are how many there are.
	Commits, Files int
	// ModuleFiles of the files are matched by the propagated patterns; each
	// environment also has ten files of its own.
	ModuleFiles int
	// RelevantEvery so many commits a module file changes and the environments
	// are recorded; 0: never again after the first commit.
	RelevantEvery int
	// Quiet is how many commits at the end hold no relevant change.
	Quiet int
	// Merges is the share of the irrelevant changes that come as a merged branch.
	Merges float64
	// StateShare is the share of irrelevant commits that record some other
	// deployment, of which there are Others.
	StateShare float64
	Others     int
	// Lag is for how many of the latest relevant changes only staging is
	// recorded; its queue then holds all of them but the current one.
	Lag int
	// Pending leaves the latest relevant change unrecorded.
	Pending bool
	// Seed varies the contents.
	Seed uint64
}

// BigRepository is what WriteBig made.
type BigRepository struct {
	Head         string
	Commits      int
	LastRelevant string   // the commit of the latest relevant change
	Deployment   string   // its name in the configuration, which is cepler.yml
	Environments []string // in the order of propagation
}

// DefaultBig is a repository of middle size: 2000 commits and files.
func DefaultBig() Big {
	return Big{Commits: 2000, Files: 2000, ModuleFiles: 60, RelevantEvery: 100, Quiet: 20, StateShare: 0.4, Others: 8, Seed: 1}
}

const (
	bigDeployment = "bank"
	bigDeveloper  = "Dev <dev@example.com>"
	bigRobot      = "Cepler <bot@cepler.io>"
)

func bigEnvironments() []string { return []string{"staging", "qa", "production"} }

func bigModules() []string {
	return []string{"modules/bank/**", "modules/bank-db/**", "modules/infra/vendor/tf/postgresql/**"}
}

func bigFolder(environment string) string {
	if environment == "production" {
		return "azure/production"
	}
	return "gcp/" + environment
}

// WriteBig fills an empty repository with main.
func (r *Repository) WriteBig(shape Big) (*BigRepository, error) {
	im, err := newImporter(r.ctx, r.Dir)
	if err != nil {
		return nil, err
	}
	b := &bigWriter{
		shape: shape, im: im, random: rand.New(rand.NewPCG(shape.Seed, 0)),
		blobs: map[string]string{}, last: map[string]change{}, states: map[string]*cepler.State{}, recorded: map[string]int{}, hashes: map[int]string{},
	}
	if b.rules, err = cepler.ParseConfig("cepler.yml", []byte(b.config())); err != nil {
		return nil, err
	}
	b.layout()
	b.write()
	head := b.hash(b.tip)
	relevant := b.hash(b.relevant)
	if err := im.close(); err != nil {
		return nil, fmt.Errorf("fill %s: %w", r.Dir, err)
	}
	_ = r.UpdateRef("refs/heads/work", "") // it is there only when there are merges
	return &BigRepository{
		Head: head, Commits: b.count, LastRelevant: relevant,
		Deployment: bigDeployment, Environments: bigEnvironments(),
	}, nil
}

// importer is a running "git fast-import" that also answers. After a failure
// everything is ignored and close says what it was.
type importer struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	w       *bufio.Writer
	answers *bufio.Reader
	pipe    *os.File
	stderr  strings.Builder
	err     error
}

func newImporter(ctx context.Context, dir string) (*importer, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	im := &importer{pipe: read, answers: bufio.NewReader(read)}
	im.cmd = exec.CommandContext(ctx, "git", "fast-import", "--quiet", "--done", "--cat-blob-fd=3", "--max-pack-size=2g")
	im.cmd.Dir, im.cmd.Env, im.cmd.Stderr = dir, environment(dir), &im.stderr
	im.cmd.ExtraFiles = []*os.File{write}
	if im.in, err = im.cmd.StdinPipe(); err == nil {
		err = im.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, read.Close(), write.Close())
	}
	im.w = bufio.NewWriterSize(im.in, 1<<16)
	return im, write.Close()
}

func (im *importer) printf(format string, args ...any) {
	_, err := fmt.Fprintf(im.w, format, args...)
	im.fail(err)
}

func (im *importer) fail(err error) {
	if im.err == nil {
		im.err = err
	}
}

// mark asks for the hash of a commit.
func (im *importer) mark(mark int) string {
	im.printf("get-mark :%d\n", mark)
	im.fail(im.w.Flush())
	if im.err != nil {
		return ""
	}
	line, err := im.answers.ReadString('\n')
	im.fail(err)
	return strings.TrimSpace(line)
}

func (im *importer) close() error {
	im.printf("done\n")
	im.fail(im.w.Flush())
	im.fail(im.in.Close())
	if err := im.cmd.Wait(); err != nil {
		im.err = fmt.Errorf("git fast-import: %w: %s", err, im.stderr.String())
	}
	return errors.Join(im.err, im.pipe.Close())
}

// change is the commit, by its mark, that last touched a file.
type change struct {
	mark    int
	subject string
}

type bigWriter struct {
	shape  Big
	im     *importer
	random *rand.Rand

	modules, others []string
	own             map[string][]string

	count    int   // of commits, the latest one's mark too
	tip      int   // of main
	line     []int // of main since the latest relevant change
	relevant int
	blobs    map[string]string
	last     map[string]change
	rules    *cepler.Config
	states   map[string]*cepler.State
	recorded map[string]int // the commit that recorded the state
	hashes   map[int]string
}

// layout chooses the paths.
func (b *bigWriter) layout() {
	for n := range b.shape.ModuleFiles {
		switch n % 6 {
		case 0, 2:
			b.modules = append(b.modules, fmt.Sprintf("modules/bank/charts/sub%d/values%d.yml", n%4, n))
		case 1, 3:
			b.modules = append(b.modules, fmt.Sprintf("modules/bank/main%d.tf", n))
		case 4:
			b.modules = append(b.modules, fmt.Sprintf("modules/bank-db/pg%d.tf", n))
		default:
			b.modules = append(b.modules, fmt.Sprintf("modules/infra/vendor/tf/postgresql/gcp/p%d.tf", n))
		}
	}
	b.own = map[string][]string{}
	for _, e := range bigEnvironments() {
		for n := range 10 {
			b.own[e] = append(b.own[e], fmt.Sprintf("%s/%s/f%d.tf", bigFolder(e), []string{"shared", "bank"}[n%2], n/2))
		}
	}
	for n := range b.shape.Files - len(b.modules) - 30 - 2 {
		switch k := n % 10; {
		case k < 5:
			b.others = append(b.others, fmt.Sprintf("modules/app%d/chart/templates/t%d.yaml", n%37, n))
		case k < 7:
			b.others = append(b.others, fmt.Sprintf("modules/infra/vendor/tf/other%d/v%d.tf", n%23, n))
		case k < 9:
			b.others = append(b.others, fmt.Sprintf("gcp/env%d/app%d/f%d.tf", n%19, n%11, n))
		default:
			b.others = append(b.others, fmt.Sprintf("ci/tasks/task%d.sh", n))
		}
	}
}

func (b *bigWriter) config() string {
	var y strings.Builder
	list := func(key string, globs ...string) {
		fmt.Fprintf(&y, "    %s:\n", key)
		for _, g := range globs {
			fmt.Fprintf(&y, "    - %s\n", g)
		}
	}
	fmt.Fprintf(&y, "deployment: %s\nenvironments:\n", bigDeployment)
	for n, e := range bigEnvironments() {
		fmt.Fprintf(&y, "  %s:\n", e)
		own := []string{bigFolder(e) + "/shared/*", bigFolder(e) + "/bank/*"}
		if n == 0 {
			list("latest", append(bigModules(), own...)...)
			continue
		}
		fmt.Fprintf(&y, "    passed: %s\n", bigEnvironments()[n-1])
		list("propagated", bigModules()...)
		list("latest", own...)
	}
	return y.String()
}

func (b *bigWriter) content(p string, n int) string {
	sum := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %d %d", p, n, b.shape.Seed)))
	var text strings.Builder
	text.WriteString("# " + p + "\n")
	for i := 0; i < 40; i += 4 {
		fmt.Fprintf(&text, "key_%s: %s\n", sum[i:i+4], sum[i:i+24])
	}
	return text.String()
}

func (b *bigWriter) hash(mark int) string {
	if b.hashes[mark] == "" {
		b.hashes[mark] = b.im.mark(mark)
	}
	return b.hashes[mark]
}

// file is a path with its new content.
type file struct{ path, content string }

func (b *bigWriter) commit(branch, who, message string, parents []int, files ...file) int {
	b.count++
	when := 1600000000 + b.count*60
	b.im.printf("commit refs/heads/%s\nmark :%d\nauthor %s %d +0000\ncommitter %s %d +0000\ndata %d\n%s\n",
		branch, b.count, who, when, who, when, len(message), message)
	for n, p := range parents {
		b.im.printf("%s :%d\n", []string{"from", "merge"}[min(n, 1)], p)
	}
	for _, f := range files {
		b.im.printf("M 100644 inline %s\ndata %d\n%s\n", f.path, len(f.content), f.content)
		b.blobs[f.path] = plumbing.ComputeHash(plumbing.BlobObject, []byte(f.content)).String()
		b.last[f.path] = change{b.count, message}
	}
	return b.count
}

func (b *bigWriter) onMain(who, message string, files ...file) {
	var parents []int
	if b.tip != 0 {
		parents = []int{b.tip}
	}
	b.tip = b.commit("main", who, message, parents, files...)
	b.line = append(b.line, b.tip)
}

func (b *bigWriter) write() {
	files := []file{{"cepler.yml", b.config()}, {"README.md", "deployments\n"}}
	for _, list := range [][]string{b.modules, b.others, b.own["staging"], b.own["qa"], b.own["production"]} {
		for _, p := range list {
			files = append(files, file{p, b.content(p, 0)})
		}
	}
	b.onMain(bigDeveloper, "chore: initial import", files...)
	b.relevant = b.tip
	for _, e := range bigEnvironments() {
		b.record(e)
	}
	due := b.relevantPlaces()
	for b.count < b.shape.Commits {
		if len(due) > 0 && b.count >= due[0] {
			due = due[1:]
			b.relevantChange(len(due))
			continue
		}
		b.noise()
	}
}

// relevantPlaces are the numbers of commits at which something relevant changes.
func (b *bigWriter) relevantPlaces() []int {
	if b.shape.RelevantEvery <= 0 {
		return nil
	}
	var due []int
	last := b.shape.Commits - b.shape.Quiet - 3
	for at := b.shape.RelevantEvery; at < last; at += b.shape.RelevantEvery {
		due = append(due, at)
	}
	return append(due, last)
}

// relevantChange changes a module; left is how many more such changes follow.
func (b *bigWriter) relevantChange(left int) {
	p := b.modules[b.random.IntN(len(b.modules))]
	b.line = nil
	b.onMain(bigDeveloper, fmt.Sprintf("feat: change %d (%s)", b.count, path.Base(p)), file{p, b.content(p, b.count)})
	b.relevant = b.tip
	if left == 0 && b.shape.Pending {
		return
	}
	b.record("staging")
	if left >= b.shape.Lag {
		b.record("qa")
		b.record("production")
	}
}

func (b *bigWriter) noise() {
	switch {
	case b.random.Float64() < b.shape.StateShare:
		deployment := fmt.Sprintf("dep%d", b.random.IntN(max(b.shape.Others, 1)))
		b.onMain(bigRobot, "ci(cepler): Updated 'env' state in '"+deployment+"'", file{
			fmt.Sprintf(".cepler/%s/env%d.state", deployment, b.random.IntN(4)),
			fmt.Sprintf("---\nversion: %d\ncurrent:\n  head_commit: %040x\n  files: {}\n\n", b.count, b.random.Uint64()),
		})
	case b.random.Float64() < b.shape.Merges && b.count+3 < b.shape.Commits && len(b.line) > 0:
		at := b.line[len(b.line)-1-b.random.IntN(min(4, len(b.line)))]
		for range 1 + b.random.IntN(2) {
			at = b.commit("work", bigDeveloper, fmt.Sprintf("feat: work on a branch %d", b.count), []int{at}, b.noiseFile())
		}
		b.tip = b.commit("main", bigDeveloper, fmt.Sprintf("Merge pull request #%d from dev/work", b.count), []int{b.tip, at})
		b.line = append(b.line, b.tip)
	default:
		b.onMain(bigDeveloper, fmt.Sprintf("chore: unrelated change %d", b.count), b.noiseFile())
	}
}

func (b *bigWriter) noiseFile() file {
	p := "README.md"
	if len(b.others) > 0 {
		p = b.others[b.random.IntN(len(b.others))]
	}
	return file{p, b.content(p, b.random.IntN(1<<30))}
}
