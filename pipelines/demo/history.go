package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/git/gittest"
)

// Branches of the repository.
const (
	branch      = "main"
	gatesBranch = "cepler-gates"
)

// commits is how many commits the history has, the first one and those of
// cepler included.
const commits = 300

// People of the bank.
func people() []string {
	return []string{
		"Ana Lima <ana@acme-bank.example>", "Ben Okafor <ben@acme-bank.example>", "Kim Sato <kim@acme-bank.example>",
		"Rosa Pinto <rosa@acme-bank.example>", "deploy bot <deploy-bot@acme-bank.example>",
	}
}

// chapter is a stretch of ordinary history that ends with a change which some
// environments deploy.
type chapter struct {
	file, message string
	replace, with string
	others        map[string]string // files that change with it
	environments  []environment     // that record it, one after the other
}

// environment names one environment of one cepler config.
type environment struct{ config, name string }

func chapters(charts chartCommits) []chapter {
	bank := func(names ...string) []environment { return each("cepler/lana-bank.yml", names) }
	return []chapter{
		{
			"modules/lana-bank/lana-bank-values.yml.tmpl", "feat(lana-bank): first release", "${domain}\n", "${domain}\n  replicas: 2\n", nil,
			slices.Concat(
				bank("gcp-galoy-staging", "gcp-volcano-qa", "gcp-volcano-production", "azure-volcano-staging"),
				each("cepler/monitoring.yml", []string{"gcp-galoy-staging", "gcp-volcano-production"}),
				each("cepler/bank-reports.yml", []string{"gcp-galoy-staging", "gcp-volcano-qa"})),
		},
		{
			"modules/infra/vendor/tf/postgresql/gcp/users.tf", "feat(postgresql): a user that only reads", "", "", nil,
			bank("gcp-galoy-staging", "gcp-volcano-qa", "gcp-volcano-production"),
		},
		{
			"modules/monitoring/dashboards/queues.json", "fix(monitoring): queues by name", "", "", nil,
			each("cepler/monitoring.yml", []string{"gcp-galoy-staging", "gcp-volcano-production"}),
		},
		{
			"modules/bank-reports/queries/02-loans.sql", "fix(bank-reports): count a restructured loan once", "", "", nil,
			each("cepler/bank-reports.yml", []string{"gcp-galoy-staging", "gcp-volcano-qa"}),
		},
		{
			"modules/lana-bank/vendor/lana-bank/chart/values.yaml", "chore(deps): bump lana-bank chart to " + charts.last[:7], oldReplicas, newReplicas,
			map[string]string{"vendir.yml": vendirText(charts.last), "vendir.lock.yml": lockText(charts.last, "feat(lana-bank): three replicas")},
			bank("gcp-galoy-staging", "gcp-volcano-qa", "gcp-volcano-production", "azure-volcano-staging"),
		},
	}
}

func each(config string, names []string) []environment {
	all := make([]environment, len(names))
	for i, n := range names {
		all[i] = environment{config, n}
	}
	return all
}

// writer makes the history.
type writer struct {
	repository *gittest.Repository
	clock      time.Time
	tree       map[string]string
	ordinary   []string
	revision   int
}

// Repositories are the empty ones that the history is written into.
type Repositories struct{ App, Charts, Deployments *gittest.Repository }

// Write makes the bank's code, its charts, and some 300 commits of its
// deployments, the last of which record that every environment runs what main
// has. Configs are the cepler configs by path. The same configs give the same
// commits. It returns commits by the names that the scenario has for them.
func Write(ctx context.Context, r Repositories, configs map[string]string) (map[string]string, error) {
	released, fix, err := writeApp(r.App)
	if err != nil {
		return nil, err
	}
	charts, err := writeCharts(r.Charts, released)
	if err != nil {
		return nil, err
	}
	w := &writer{
		repository: r.Deployments, clock: time.Date(2025, 1, 7, 8, 0, 0, 0, time.UTC),
		tree: files(configs, released, charts), ordinary: ordinary(),
	}
	if err := w.first(); err != nil {
		return nil, err
	}
	all := chapters(charts)
	records := 0
	for _, c := range all {
		records += len(c.environments)
	}
	plain := commits - 1 - records - len(all)
	known := map[string]string{"released": released, "fix": fix, "chart": charts.last}
	for i, c := range all {
		share := plain / len(all)
		if i == 0 {
			share += plain % len(all)
		}
		hash, err := w.chapter(ctx, c, share)
		if err != nil {
			return nil, fmt.Errorf("write the demo's history, chapter %q: %w", c.message, err)
		}
		known[Before] = hash
	}
	return known, w.gates()
}

// first commits the whole tree.
func (w *writer) first() error {
	batch := w.repository.Import()
	c := batch.Commit(branch, "chore: move the deployments here").At(w.tick()).By(people()[0])
	for _, p := range slices.Sorted(maps.Keys(w.tree)) {
		if path.Ext(p) == ".sh" {
			c.Exec(p, w.tree[p])
			continue
		}
		c.Write(p, w.tree[p])
	}
	return batch.Done()
}

// tick is the next commit's time: working days go by.
func (w *writer) tick() time.Time {
	const step = 19*time.Hour + 23*time.Minute
	w.clock = w.clock.Add(step)
	return w.clock
}

// chapter writes n ordinary commits and the one that matters, and records it.
func (w *writer) chapter(ctx context.Context, c chapter, n int) (string, error) {
	batch := w.repository.Import()
	for range n {
		w.revision++
		p := w.ordinary[int(sum(fmt.Sprint("commit ", w.revision))%uint64(len(w.ordinary)))] //nolint:gosec // a length is not a negative number
		batch.Commit(branch, message(p, w.revision)).At(w.tick()).By(people()[w.revision%len(people())]).Write(p, text(p, w.revision))
	}
	after, err := w.change(c)
	if err != nil {
		return "", err
	}
	last := batch.Commit(branch, c.message).At(w.tick()).By(people()[0]).Write(c.file, after).Files(c.others)
	if err := batch.Done(); err != nil {
		return "", err
	}
	for _, e := range c.environments {
		if err := w.record(ctx, e); err != nil {
			return "", fmt.Errorf("record %s of %s: %w", e.name, e.config, err)
		}
	}
	return last.Hash(), nil
}

func (w *writer) change(c chapter) (string, error) {
	if c.replace == "" {
		w.revision++
		return text(c.file, w.revision), nil
	}
	before := w.tree[c.file]
	if strings.Count(before, c.replace) != 1 {
		return "", fmt.Errorf("%s has the text to replace %d times", c.file, strings.Count(before, c.replace))
	}
	w.tree[c.file] = strings.Replace(before, c.replace, c.with, 1)
	return w.tree[c.file], nil
}

// message is what somebody wrote about an ordinary change.
func message(p string, n int) string {
	parts := strings.Split(p, "/")
	scope := parts[1]
	if parts[0] == "gcp" {
		scope = parts[2]
	}
	format := []string{
		"chore(deps): bump %s image to revision %d", "fix(%s): limits that hold (%d)", "chore(%s): tidy up (%d)", "feat(%s): one more setting (%d)",
	}
	return fmt.Sprintf(format[n%len(format)], scope, n)
}

// record deploys nothing and writes down that the environment was deployed, the
// way the resources do it.
func (w *writer) record(ctx context.Context, e environment) (err error) {
	src := deployments.Source{
		Access: git.Access{URI: w.repository.Dir, Branch: branch, GitUser: people()[len(people())-1]},
		Config: e.config, Environment: e.name,
	}
	conn, err := deployments.Connect(src, git.Open, func(string, ...any) {})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	refs, err := conn.Remote.Refs(ctx, src.RefNames()...)
	if err != nil {
		return err
	}
	view, err := conn.View(ctx, refs)
	if err != nil {
		return err
	}
	now := w.tick()
	plan, err := conn.Plan(ctx, view, e.name, now)
	if err != nil {
		return err
	}
	if !plan.Offered() {
		return fmt.Errorf("nothing is offered: %s", strings.Join(plan.Waits, "; "))
	}
	dir, err := os.MkdirTemp("", "demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	restored, err := conn.Get(ctx, plan.Version(), dir, true)
	if err != nil {
		return err
	}
	_, err = conn.Record(ctx, deployments.Recording{Restored: restored, Dir: dir, Now: now})
	return err
}

// gates makes the branch of the gates: production may have what it has.
func (w *writer) gates() error {
	tip, err := w.repository.RevParse("refs/heads/" + branch)
	if err != nil {
		return err
	}
	const about = "# How far an environment may go: HEAD, or a commit of main. A change of this file is what lets production deploy.\n"
	batch := w.repository.Import()
	file := func(before, production, after string) string {
		return about + "gcp-galoy-staging: HEAD\n" + before + "gcp-volcano-production: " + production + "\n" + after
	}
	const qa, azure = "gcp-volcano-qa: HEAD\n", "azure-volcano-staging: HEAD\n"
	batch.Commit(gatesBranch, "gate: production is open until the first release").At(w.tick()).By(people()[3]).
		Write("lana-bank.yml", file(qa, "HEAD", azure)).Write("monitoring.yml", file("", "HEAD", "")).Write("bank-reports.yml", about+"gcp-galoy-staging: HEAD\n"+qa)
	batch.Commit(gatesBranch, "gate: production waits for us from now on").At(w.tick()).By(people()[3]).
		Write("lana-bank.yml", file(qa, tip, azure)).Write("monitoring.yml", file("", tip, ""))
	return batch.Done()
}
