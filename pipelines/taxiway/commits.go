package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/taxiway-ci/taxiway/internal/git"
	"github.com/taxiway-ci/taxiway/internal/release"
	"github.com/taxiway-ci/taxiway/internal/strict"
	"github.com/taxiway-ci/taxiway/internal/version"
	"github.com/taxiway-ci/taxiway/internal/version/toml"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// cogFile is the name of cocogitto's configuration.
const cogFile = "cog.toml"

// commitFlags say which messages are read, and by which rules.
type commitFlags struct {
	dir, cog, file, title, format string
	types                         map[string]string
	keepZero                      bool
}

func commitsCommand() *cobra.Command {
	var flags commitFlags
	cmd := &cobra.Command{
		Use:   "commits [RANGE | --file MESSAGE | --title TEXT]",
		Short: "Check commit messages, and say which version each asks for",
		Long: "Check that commit messages are conventional commits, and say which version each asks for. The messages are\n" +
			"read as semver-git and promote-rc read them, so the check and the version can't disagree.\n\n" +
			"A range is A..B: the commits of B that A lacks. A and B are branches, tags, remote branches like origin/main,\n" +
			"full hashes or HEAD; an empty one is HEAD. Merges and the reverts that git writes are well formed.\n" +
			"Exit status 1 when a message is not well formed.\n\n" +
			"As a hook, in .git/hooks/commit-msg:\n" +
			"  #!/bin/sh\n" +
			"  exec taxiway commits --file \"$1\"",
		Example: "  taxiway commits origin/main..HEAD\n" +
			"  taxiway commits --title \"feat(loans): interest by day\"",
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error { return failed("commits", flags.run(cmd, args)) },
	}
	f := cmd.Flags()
	f.StringVarP(&flags.dir, "directory", "C", ".", "folder of the clone")
	f.StringVar(&flags.cog, "cog", "", "cocogitto's configuration with the commit types, scopes and ignored merges (default: cog.toml in the clone's folder, if there is one)")
	f.StringVar(&flags.file, "file", "", "file with one message, as git gives it to the hook commit-msg; - is standard input")
	f.StringVar(&flags.title, "title", "", "one message, like the title of a pull request that is squashed")
	f.StringVar(&flags.format, "format", "text", "how the messages are printed: text or github (annotations of a workflow)")
	f.StringToStringVar(&flags.types, "type", nil, "what a commit type asks for: NAME=major, minor, patch or none; may be repeated")
	f.BoolVar(&flags.keepZero, "keep-zero", false, "a breaking change of a version 0.x asks only for what its type does, as semver-git's keep_zero")
	return cmd
}

func (f *commitFlags) run(cmd *cobra.Command, args []string) error {
	if f.format != "text" && f.format != "github" {
		return usagef("commits: --format %s is not one of github, text", f.format)
	}
	rules, err := f.rules(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	commits, base, err := f.commits(cmd, args)
	if err != nil {
		return err
	}
	wrong := 0
	for _, c := range commits {
		reading := rules.Read(c, base)
		if reading.Problem != "" {
			wrong++
		}
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), f.line(c, reading)); err != nil {
			return fmt.Errorf("print the messages: %w", err)
		}
	}
	switch {
	case wrong == 1:
		return errors.New("1 message is not well formed")
	case wrong > 0:
		return fmt.Errorf("%d messages are not well formed", wrong)
	}
	return nil
}

// line is what people read of one message.
func (f *commitFlags) line(c version.Commit, r version.Reading) string {
	name := ""
	if c.Hash != "" {
		name = c.Hash[:7] + " "
	}
	subject := visible.Line(c.Subject())
	if r.Problem == "" {
		text := fmt.Sprintf("%s%s: %s", name, r.Level, subject)
		if f.format == "github" && r.Level > version.LevelNone {
			return "::notice title=" + r.Level.String() + "::" + annotated(text)
		}
		return text
	}
	problem := visible.Line(r.Problem)
	if !strings.HasPrefix(problem, version.ErrNotConventional.Error()) {
		problem = subject + ": " + problem
	}
	if f.format == "github" {
		return "::error title=commit message::" + annotated(name+problem)
	}
	return name + problem
}

// rules are those of the configuration, or semver-git's own.
func (f *commitFlags) rules(warnings io.Writer) (version.Rules, error) {
	name, required := f.cog, true
	if name == "" {
		name, required = filepath.Join(f.dir, cogFile), false
	}
	rules := version.Default()
	data, err := strict.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !required:
	case err != nil:
		return rules, fmt.Errorf("read the configuration: %w", err)
	default:
		if rules, err = version.ParseCog(data, toml.Decode); err != nil {
			return rules, fmt.Errorf("read %s: %w", name, err)
		}
		for _, text := range rules.Warnings {
			logTo(warnings)("warning: %s: %s", name, text)
		}
	}
	rules.KeepZero = f.keepZero
	if len(f.types) == 0 {
		return rules, nil
	}
	if rules, err = rules.With(f.types); err != nil {
		return rules, usagef("commits: --type %w", err)
	}
	return rules, nil
}

// commits are the messages to read, oldest first, and the newest version that the clone has a tag for.
func (f *commitFlags) commits(cmd *cobra.Command, args []string) ([]version.Commit, *version.Version, error) {
	given := 0
	for _, is := range []bool{len(args) > 0, f.file != "", cmd.Flags().Changed("title")} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, nil, usagef("commits: name a range like origin/main..HEAD, or give --file or --title")
	}
	if len(args) > 0 {
		return f.history(cmd.Context(), args[0])
	}
	message := f.title
	if f.file != "" {
		var err error
		if message, err = f.message(cmd); err != nil {
			return nil, nil, err
		}
	}
	base, err := f.newest()
	return []version.Commit{{Message: message}}, base, err
}

// scissors is what follows the comment mark in the line below which git keeps the diff of "git commit --verbose".
const scissors = " ------------------------ >8 ------------------------"

// message reads a message as git stores it: without comments.
func (f *commitFlags) message(cmd *cobra.Command) (string, error) {
	read := func() ([]byte, error) { return strict.ReadFile(f.file) }
	if f.file == "-" {
		read = func() ([]byte, error) { return strict.ReadAll(cmd.InOrStdin()) }
	}
	data, err := read()
	if err != nil {
		return "", fmt.Errorf("read the message: %w", err)
	}
	mark := f.commentMark(cmd.Context(), string(data))
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, mark+scissors) {
			break
		}
		if !strings.HasPrefix(line, mark) {
			b.WriteString(line)
		}
	}
	return b.String(), nil
}

// commentMark is what a comment of a message begins with, by git's configuration: a hook is started by git, so it is there.
func (f *commitFlags) commentMark(ctx context.Context, text string) string {
	const usual = "#"
	out, err := exec.CommandContext(ctx, "git", "-C", f.dir, "config", "--get-regexp", `^core\.comment(char|string)$`).Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	_, mark, _ := strings.Cut(lines[len(lines)-1], " ") // the last one counts
	switch {
	case err != nil || mark == "":
		return usual
	case mark != "auto":
		return mark
	}
	// git has chosen one that the message does not use, and its own comments are at the end
	text = strings.TrimSpace(text)
	last := text[strings.LastIndex(text, "\n")+1:]
	if last != "" && strings.ContainsAny(last[:1], "#;@!$%^&|:") {
		return last[:1]
	}
	return usual
}

// newest is the newest version that the clone has a tag for; nil outside of a clone, where a message is read as after
// 1.0.0.
func (f *commitFlags) newest() (*version.Version, error) {
	clone, refs, err := f.open()
	if errors.Is(err, git.ErrNoRepository) {
		return nil, nil //nolint:nilnil // documented
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = clone.Close() }() // it was only read
	return newestTag(refs), nil
}

// open opens the clone, and reads its refs.
func (f *commitFlags) open() (*git.Clone, map[string]git.Hash, error) {
	clone, err := git.OpenClone(f.dir)
	if err != nil {
		return nil, nil, err
	}
	refs, err := clone.Refs()
	if err != nil {
		return nil, nil, errors.Join(err, clone.Close())
	}
	return clone, refs, nil
}

func (f *commitFlags) history(ctx context.Context, spec string) ([]version.Commit, *version.Version, error) {
	old, young, ok := strings.Cut(spec, "..")
	if !ok || strings.HasPrefix(young, ".") {
		return nil, nil, usagef("commits: %q is not a range; write A..B, for example origin/main..HEAD", spec)
	}
	clone, refs, err := f.open()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = clone.Close() }() // it was only read
	from, err := resolve(refs, young)
	if err != nil {
		return nil, nil, err
	}
	not, err := resolve(refs, old)
	if err != nil {
		return nil, nil, err
	}
	var commits []version.Commit
	for c, err := range clone.Log(ctx, git.Range{From: []git.Hash{from}, Not: []git.Hash{not}, Whole: true}) {
		if errors.Is(err, git.ErrShallow) || errors.Is(err, git.ErrNotFound) {
			return nil, nil, fmt.Errorf("%s: the clone does not have all of the history; fetch it, with fetch-depth: 0 in a workflow: %w", spec, err)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", spec, err)
		}
		commits = append([]version.Commit{release.CommitOf(c)}, commits...)
	}
	return commits, newestTag(refs), nil
}

// resolve finds the commit of a name as people write it.
func resolve(refs map[string]git.Hash, name string) (git.Hash, error) {
	if name == "" {
		name = "HEAD"
	}
	for _, format := range []string{"%s", "refs/%s", "refs/heads/%s", "refs/tags/%s", "refs/remotes/%s"} {
		full := fmt.Sprintf(format, name)
		if h, ok := refs[full+"^{}"]; ok {
			return h, nil
		}
		if h, ok := refs[full]; ok {
			return h, nil
		}
	}
	var h git.Hash
	if raw, err := hex.DecodeString(name); err == nil && len(raw) == len(h) {
		copy(h[:], raw)
		return h, nil
	}
	return h, fmt.Errorf("%q is not a branch, a tag or a full hash in this clone", name)
}

// newestTag is the highest final version among the tags; nil if there is none.
func newestTag(refs map[string]git.Hash) *version.Version {
	return release.Highest(release.Tags(refs, ""), version.Version.IsFinal)
}
