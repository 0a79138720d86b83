package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/deployments"
	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/gitprogram"
	"github.com/taxiway-ci/taxiway/internal/lineage"
	"github.com/taxiway-ci/taxiway/internal/promotion"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// gateFlags are what a user says.
type gateFlags struct {
	clone    string
	question lineage.Question
	config   string
	remote   string
	clones   []string
	reason   string
	json     bool
	yes      bool
}

func gateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "gate",
		Short: "Show or move the gate of an environment, from a clone of the deployments repository",
		Long: "Show what the gate of an environment would let through, and open, close, approve or freeze it. The commit on the\n" +
			"gates branch is yours: your git makes, signs and pushes it. What you have checked out does not change.",
		Example: "  taxiway gate show production --deployments ../deployments\n  taxiway gate open production --deployments ../deployments",
		Args:    atMost(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(gateShowCommand())
	for _, v := range []struct {
		verb        promotion.Verb
		short, more string
	}{
		{promotion.Open, "Open the gate up to what the environment before has recorded", ""},
		{promotion.Close, "Close the gate at what the environment runs", "Nothing is taken back: to roll back, pin an older version in Concourse."},
		{promotion.Approve, "Approve what the open gate would let through", "The gate must need approvals: approvals: {need: 1}."},
		{promotion.Freeze, "Promote nothing to the environment until it is unfrozen", ""},
		{promotion.Unfreeze, "End a freeze", ""},
		{promotion.Resume, "Let the environment have again what a rollback took back", ""},
	} {
		command.AddCommand(gateDeedCommand(v.verb, v.short, v.more))
	}
	return command
}

func gateShowCommand() *cobra.Command {
	var f gateFlags
	cmd := &cobra.Command{
		Use:     "show ENVIRONMENT",
		Short:   "Show what the gate lets through, and what it would if it were open",
		Example: "  taxiway gate show production --deployments ../deployments --clone ../bank",
		Args:    oneEnvironment("show"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return failed("gate show "+args[0], f.show(cmd, args[0]))
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

func gateDeedCommand(verb promotion.Verb, short, more string) *cobra.Command {
	var f gateFlags
	cmd := &cobra.Command{
		Use:     string(verb) + " ENVIRONMENT",
		Short:   short,
		Long:    strings.TrimSpace(short + ".\n" + more),
		Example: "  taxiway gate " + string(verb) + " production --deployments ../deployments",
		Args:    oneEnvironment(string(verb)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return failed(fmt.Sprintf("gate %s %s", verb, args[0]), f.act(cmd, args[0], promotion.Deed{Verb: verb, Reason: f.reason}))
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	if verb == promotion.Freeze {
		cmd.Flags().StringVar(&f.reason, "reason", "", "why, for those who wait")
	}
	return cmd
}

func oneEnvironment(verb string) cobra.PositionalArgs {
	return exactly(1, "name one environment, for example: taxiway gate "+verb+" production --deployments ../deployments")
}

func (f *gateFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.clone, "deployments", ".", "your clone of the deployments repository")
	flags.StringVar(&f.question.Branch, "branch", "", "branch that is deployed from (default main, or else master)")
	flags.StringVar(&f.config, "config", "", "cepler config in the repository (default: the one that has the environment)")
	flags.StringVar(&f.question.GatesBranch, "gates-branch", lineage.GatesBranch, "branch of the gates files")
	flags.StringVar(&f.question.GatesFile, "gates-file", lineage.GatesFile, "gates file on that branch")
	flags.StringVar(&f.remote, "remote", "origin", "remote of the clone to fetch from and to push to")
	flags.StringArrayVar(&f.clones, "clone", nil, "clone or address of a repository of charts or sources, for commits and releases; may be repeated;\nADDRESS=CLONE for one that does not know its own address")
}

// open finds the person's clone and what the question needs.
func (f *gateFlags) open(cmd *cobra.Command, environment string) (*gate, error) {
	clone, err := gitprogram.Open(cmd.Context(), f.clone, isTerminal(cmd.InOrStdin()))
	if err != nil {
		return nil, err
	}
	g := &gate{gateFlags: *f, environment: environment, git: clone, log: cmd.ErrOrStderr()}
	if clone.Remote(cmd.Context(), f.remote) == "" {
		return nil, fmt.Errorf("%s has no remote %q to read the gates from and to push to; name one with --remote", f.clone, f.remote)
	}
	if f.config != "" {
		g.question.Configs = []string{f.config}
	}
	g.question.Environments = []string{environment}
	return g, nil
}

// gate is the gate of an environment, in a person's clone.
type gate struct {
	gateFlags
	environment string
	git         *gitprogram.Clone
	log         io.Writer
}

func (g *gate) logf(format string, args ...any) {
	logTo(g.log)(format, args...)
}

// fetch brings the branches up to date, without a change of what is checked out.
func (g *gate) fetch(ctx context.Context) error {
	branches := []string{g.question.Branch}
	if g.question.Branch == "" {
		branches = []string{"main", "master"}
	}
	var found []string
	for _, b := range branches {
		has, err := g.git.HasBranch(ctx, g.remote, b)
		if err != nil {
			return err
		}
		if has {
			found = append(found, b)
			break
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("remote %s has no branch %s; name the branch that is deployed from with --branch", g.remote, strings.Join(branches, " and no branch "))
	}
	has, err := g.git.HasBranch(ctx, g.remote, g.question.GatesBranch)
	if err != nil {
		return err
	}
	if !has {
		return fmt.Errorf("remote %s has no branch %s with gates; make it with taxiway init, or name another one with --gates-branch", g.remote, g.question.GatesBranch)
	}
	return g.git.Fetch(ctx, g.remote, append(found, g.question.GatesBranch)...)
}

// gateDesk is the repository as the remote has it, at one moment.
type gateDesk struct {
	src    deployments.Source
	clone  *git.Clone
	repo   *deployments.Repository
	view   *deployments.View
	reader *lineage.Reader
	// tip and file are the gates branch's newest commit and its gates file.
	tip  string
	file []byte
}

func (d *gateDesk) close() {
	_ = d.reader.Close() // they were read only
	_ = d.clone.Close()
}

// desk fetches, and opens what was fetched.
func (g *gate) desk(ctx context.Context) (*gateDesk, error) {
	if err := g.fetch(ctx); err != nil {
		return nil, err
	}
	clone, err := git.OpenClone(g.clone)
	if err != nil {
		return nil, err
	}
	all, err := clone.Refs()
	if err != nil {
		return nil, errors.Join(err, clone.Close())
	}
	d := &gateDesk{clone: clone}
	if err := g.set(ctx, d, pushed(all, g.remote)); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// set finds the environment, and reads its gate.
func (g *gate) set(ctx context.Context, d *gateDesk, refs deployments.Refs) error {
	o := lineage.Options{Deployments: g.clone, Store: d.clone.Store, Refs: refs, Clones: map[string]string{}, Logf: g.logf}
	d.reader = lineage.New(o)
	if err := addClones(o.Clones, g.clones); err != nil {
		return err
	}
	sources, notes, err := d.reader.Sources(ctx, g.question)
	if err != nil {
		return err
	}
	for _, note := range notes {
		g.logf("note: %s", note)
	}
	if len(sources) > 1 {
		return fmt.Errorf("several deployments have an environment %s: name the config with --config", g.environment)
	}
	d.src = sources[0]
	d.repo = deployments.Copy(d.src, d.clone.Store, func() (map[string]git.Hash, error) { return refs, nil }, g.logf)
	if d.view, err = d.repo.ViewNow(ctx); err != nil {
		return err
	}
	return d.readGates(ctx)
}

// readGates reads the gates file of the newest commit of the gates branch.
func (d *gateDesk) readGates(ctx context.Context) error {
	tip, err := d.repo.GatesTip(ctx, d.view.Refs)
	if err != nil {
		return err
	}
	d.tip = tip.Hash.String()
	entry, err := d.clone.Lookup(ctx, tip.Tree, d.src.GatesFile)
	if err != nil {
		return err
	}
	d.file, err = d.clone.Blob(ctx, entry.Hash)
	return err
}

// pushed are the refs as the remote has them: what is only in the clone is not there.
func pushed(all map[string]git.Hash, remote string) deployments.Refs {
	refs := deployments.Refs{}
	for name, h := range all {
		if short, ok := strings.CutPrefix(name, "refs/remotes/"+remote+"/"); ok {
			refs["refs/heads/"+short] = h
		}
		if strings.HasPrefix(name, "refs/tags/") {
			refs[name] = h
		}
	}
	return refs
}

// show tells people or programs what there is to see of the gate.
func (f *gateFlags) show(cmd *cobra.Command, environment string) error {
	g, err := f.open(cmd, environment)
	if err != nil {
		return err
	}
	shown, err := g.look(cmd.Context())
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(cmd.OutOrStdout(), shown)
	}
	return shown.text(cmd.OutOrStdout(), columns(cmd.OutOrStdout()))
}

// look works out what show tells.
func (g *gate) look(ctx context.Context) (*shownGate, error) {
	d, err := g.desk(ctx)
	if err != nil {
		return nil, err
	}
	defer d.close()
	edited, err := promotion.Apply(ctx, d.repo, d.src, d.view, d.file, promotion.Deed{Verb: promotion.Open})
	wait := ""
	if err != nil {
		// a gate that cannot be opened yet can be looked at
		wait, edited = err.Error(), promotion.Edited{}
	}
	shown, err := d.show(ctx, edited)
	if err == nil && shown.Promotion == nil {
		shown.Nothing = wait + edited.What
	}
	return shown, err
}

// maxAttempts bounds how often a deed is done again because others pushed at the same time.
const maxAttempts = 8

// act does a deed: it shows what that lets through, asks, commits and pushes.
func (f *gateFlags) act(cmd *cobra.Command, environment string, deed promotion.Deed) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	g, err := f.open(cmd, environment)
	if err != nil {
		return err
	}
	if !g.yes && !isTerminal(cmd.InOrStdin()) {
		return usagef("gate %s %s: there is no terminal to ask on; look at it with taxiway gate show %[2]s, then add --yes", deed.Verb, environment)
	}
	if deed.By, _, err = g.git.Person(ctx); err != nil {
		return err
	}
	agreed := ""
	for range maxAttempts {
		pushed, err := g.attempt(ctx, deed, &agreed, bufio.NewReader(cmd.InOrStdin()), out)
		if pushed || err != nil {
			return err
		}
	}
	return fmt.Errorf("others pushed to branch %s of %s all the time: gave up after %d attempts; try again", g.question.GatesBranch, g.remote, maxAttempts)
}

// attempt does the deed on the newest commit, and reports whether there is nothing more to do. agreed is what the person said yes
// to; they are asked again when it became something else.
func (g *gate) attempt(ctx context.Context, deed promotion.Deed, agreed *string, in *bufio.Reader, out io.Writer) (done bool, err error) {
	d, err := g.desk(ctx)
	if err != nil {
		return false, err
	}
	defer d.close()
	edited, err := promotion.Apply(ctx, d.repo, d.src, d.view, d.file, deed)
	if err != nil {
		return false, err
	}
	if bytes.Equal(edited.Data, d.file) {
		return true, say(out, "nothing to do: %s", nothing(edited, d))
	}
	if *agreed != edited.What {
		yes, err := g.ask(ctx, d, deed, edited, in, out)
		if !yes || err != nil {
			return true, err
		}
		*agreed = edited.What
	}
	hash, err := g.git.Commit(ctx, gitprogram.Commit{Parent: d.tip, Files: map[string][]byte{d.src.GatesFile: edited.Data}, Message: edited.What + "\n"})
	if err != nil {
		return false, err
	}
	if refused := g.git.Push(ctx, g.remote, hash, d.src.GatesBranch); refused != nil {
		return false, g.moved(ctx, d, refused)
	}
	return true, say(out, "done: %s, as commit %.7s of branch %s", edited.What, hash, d.src.GatesBranch)
}

// nothing is why there is nothing to do; a file that is the same after an edit says it itself.
func nothing(e promotion.Edited, d *gateDesk) string {
	if what, ok := strings.CutPrefix(e.What, "gate: "); ok {
		return fmt.Sprintf("%s is in %s of branch %s already", what, d.src.GatesFile, d.src.GatesBranch)
	}
	return e.What
}

// moved is nil if the branch moved since it was read, so that the deed can be done again, and otherwise why git did not push.
func (g *gate) moved(ctx context.Context, d *gateDesk, refused error) error {
	if !errors.Is(refused, gitprogram.ErrNotAccepted) {
		return refused
	}
	if err := g.git.Fetch(ctx, g.remote, d.src.GatesBranch); err != nil {
		return errors.Join(refused, err)
	}
	tip, err := g.git.Tip(ctx, g.remote, d.src.GatesBranch)
	if err != nil {
		return errors.Join(refused, err)
	}
	if tip == d.tip {
		return refused
	}
	g.logf("somebody else pushed to branch %s (%.7s); doing it again on top of that", d.src.GatesBranch, tip)
	return nil
}

// ask shows what the deed lets through, and reports whether the person agrees.
func (g *gate) ask(ctx context.Context, d *gateDesk, deed promotion.Deed, edited promotion.Edited, in *bufio.Reader, out io.Writer) (bool, error) {
	shown, err := d.show(ctx, edited)
	if err != nil {
		return false, err
	}
	if err := shown.text(out, columns(out)); err != nil {
		return false, err
	}
	if g.yes {
		return true, nil
	}
	if _, err := fmt.Fprintf(out, "\n%s %s? [y/N] ", question(deed.Verb, edited), visible.Line(g.environment)); err != nil {
		return false, err
	}
	answer, err := in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, say(out, "nothing was changed")
}

// question begins the question to the person.
func question(verb promotion.Verb, edited promotion.Edited) string {
	if o := edited.Opening; o != nil {
		return fmt.Sprintf("%s %.7s for", strings.ToUpper(string(verb[:1]))+string(verb[1:]), o.Commit.Hash)
	}
	return strings.ToUpper(string(verb[:1])) + string(verb[1:])
}

// show is what there is to see of the gate, and what the edit lets through.
func (d *gateDesk) show(ctx context.Context, edited promotion.Edited) (*shownGate, error) {
	out := &shownGate{
		Deployment: d.view.Config.Deployment, Environment: d.src.Environment, Branch: d.src.Branch, File: d.src.GatesFile, GatesBranch: d.src.GatesBranch,
	}
	if now, ok := d.view.Gates.For(d.src.Environment); ok {
		out.Gate = now.Commit
		out.Rules = rulesOf(now)
	}
	if move, err := d.repo.GateMove(ctx, d.view, d.src.Environment); err != nil {
		return nil, err
	} else if move != nil {
		out.Moved = &shownMove{By: d.src.MovedBy(move), At: move.Committer.When.UTC(), Commit: move.Hash.String(), Subject: cepler.Summary(move.Message)}
	}
	plan, err := d.repo.Plan(ctx, d.view, d.src.Environment, time.Now())
	if err != nil {
		return nil, err
	}
	out.Waits = plan.Waits
	if out.Runs, _, err = d.repo.RunningNow(ctx, d.view, d.src.Environment); err != nil || edited.Opening == nil {
		return out, err
	}
	c, err := promotion.Compare(ctx, d.repo, d.reader, d.src, d.view, edited.Opening, edited.Data)
	if err != nil {
		return nil, err
	}
	out.Promotion = promotionOf(c)
	return out, nil
}
