package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/taxiway-ci/taxiway/internal/concourse"
	"github.com/taxiway-ci/taxiway/internal/nearest"
	"github.com/taxiway-ci/taxiway/internal/secret"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// Exit statuses of the program.
const (
	statusFound = 1   // a finding, or something that failed
	statusUsage = 2   // a command line that is not valid
	statusPipe  = 141 // whoever reads the output has gone; a shell reports a program that dies of SIGPIPE so
)

// run is the whole program. It returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr *os.File) int {
	if program, ok := resourceProgram(args[0]); ok {
		program()
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// A write to a closed pipe fails as an error then, and the command ends in order.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	var mask secret.Mask
	ctx, cancel := context.WithCancel(secret.With(ctx, &mask))
	defer cancel()
	out := &screen{File: stdout, closed: cancel}
	started := false
	root := newRoot()
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(args[1:])
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case out.broken.Load():
		return statusPipe
	case err == nil:
		return 0
	}
	_, _ = fmt.Fprintln(stderr, "taxiway:", visible.Text(mask.Text(err.Error()))) // there is no other place to say it
	if usage := (*usageError)(nil); !started || errors.As(err, &usage) {
		return statusUsage
	}
	return statusFound
}

// frugal makes the commands that only read, with neither ytt nor stand-ins in this process, collect garbage more often from a size of
// memory on, as the resource types do.
func frugal(cmd *cobra.Command) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		defer debug.SetMemoryLimit(concourse.LimitMemory())
		return run(cmd, args)
	}
	return cmd
}

// usageError is about the command line and not about what it names.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...).Error()}
}

// failed is an error of a command behind its name, which some have already.
func failed(command string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), command+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", command, err)
}

// newRoot is the command line; every command has a file of its own.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "taxiway",
		Short: "Take a change from merge to production with Concourse",
		Long: "Take a change from merge to production with Concourse.\n" +
			"The way from values to a running pipeline: render, lint, rehearse, set.\n\n" +
			"Exit status: 0 without findings, 1 with a finding or a failure, 2 for a command line that is not valid.",
		Example:       "  taxiway rehearse --help",
		Version:       versionText(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("taxiway {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		renderCommand(), tokenCommand(),
		setCommand(),
		frugal(lintCommand()),
		rehearseCommand(),
		demoCommand(),
		frugal(traceCommand()),
		boardCommand(),
		gateCommand(),
		frugal(diffCommand()),
		doctorCommand(),
		initCommand(),
		localCommand(),
		frugal(commitsCommand()),
		schemasCommand(),
	)
	return root
}

// flagError says more of a flag that is not valid: which one was meant, or that the mistake is the command before it.
func flagError(cmd *cobra.Command, err error) error {
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	where := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "taxiway"), " ")
	if where != "" {
		where += ": "
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	if name, ok := strings.CutPrefix(err.Error(), "unknown flag: "); ok {
		if meant := cmp.Or(nearest.Of(name, names), nearest.Part(name, names)); meant != "" {
			return usagef("%sunknown flag %s, did you mean %s?", where, name, meant)
		}
		return usagef("%sunknown flag %s; --help lists those that there are", where, name)
	}
	return usagef("%s%w", where, err)
}

// unknownCommand names the commands that there are below one, and which of them was meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if meant := nearest.Of(name, names); meant != "" {
		return usagef("unknown command %q of %s, did you mean %s?", name, cmd.CommandPath(), meant)
	}
	return usagef("unknown command %q of %s; there are %s", name, cmd.CommandPath(), strings.Join(names, ", "))
}

// some refuses no arguments at all, and says what to write.
func some(advice string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s: %s", cmd.Name(), advice)
		}
		return nil
	}
}

// exactly refuses another number of arguments, and says what to write.
func exactly(n int, advice string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("%s: %s", strings.TrimPrefix(cmd.CommandPath(), "taxiway "), advice)
		}
		return nil
	}
}

// atMost refuses more arguments than a command takes.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) <= n:
			return nil
		case cmd.HasSubCommands():
			return unknownCommand(cmd, args[0])
		}
		return usagef("%s: %q is one argument too many; --help says what it takes", strings.TrimPrefix(cmd.CommandPath(), "taxiway "), args[n])
	}
}

// versionText is the version of the module that the program was built from, with its commit and platform.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := strings.TrimPrefix(info.Main.Version, "v")
	if version == "" || version == "(devel)" {
		version = "0.0.0-dev"
	}
	details := []string{}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			details = append(details, fmt.Sprintf("commit %.7s", s.Value))
		}
	}
	details = append(details, info.GoVersion, runtime.GOOS+"/"+runtime.GOARCH)
	return version + " (" + strings.Join(details, ", ") + ")"
}

// screen is the standard output. It notes when the pipe behind it is closed.
type screen struct {
	*os.File

	broken atomic.Bool
	closed func()
}

// Write writes, and ends the command when the pipe is closed.
func (s *screen) Write(text []byte) (int, error) {
	n, err := s.File.Write(text)
	if errors.Is(err, syscall.EPIPE) {
		s.broken.Store(true)
		s.closed()
	}
	return n, err
}

// WriteString is Write; the one of the file would go around it.
func (s *screen) WriteString(text string) (int, error) { return s.Write([]byte(text)) }

// fileOf is the file behind a stream; nil if there is none.
func fileOf(stream any) *os.File {
	switch s := stream.(type) {
	case *screen:
		return s.File
	case *os.File:
		return s
	}
	return nil
}

// isTerminal reports whether the stream is a terminal.
func isTerminal(stream any) bool {
	file := fileOf(stream)
	return file != nil && term.IsTerminal(int(file.Fd()))
}

// colours reports whether w is a terminal that shows colours, see
// https://no-color.org.
func colours(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// Columns of the output.
const (
	defaultColumns = 80 // where no terminal says how wide it is
	minColumns     = 40 // less cannot show a table
	maxColumns     = 160
)

// columns is how wide the output is: COLUMNS if it is set, the width of the terminal, or 80.
func columns(w io.Writer) int {
	width := defaultColumns
	if isTerminal(w) {
		if n, _, err := term.GetSize(int(fileOf(w).Fd())); err == nil && n > 0 {
			width = n
		}
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		width = n
	}
	return min(max(width, minColumns), maxColumns)
}

// inForeground runs a program that may ask, so that it writes to the terminal itself.
func inForeground(cmd *cobra.Command, program string, args ...string) error {
	run := exec.CommandContext(cmd.Context(), program, args...)
	run.Stdin, run.Stdout, run.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	if file := fileOf(run.Stdout); file != nil {
		run.Stdout = file
	}
	return run.Run()
}
