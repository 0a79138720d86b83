// Package tools is a folder of small programs that stand in for those that deploy, build or notify. A rehearsal puts it at the
// front of the PATH of task scripts.
package tools

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Folder is a folder of small programs that stand in for those that deploy:
// they write down how they were called, say so in one line, succeed, and fail when told to. Being
// shell scripts they need no more than the task scripts do.
type Folder struct {
	dir    string
	faults int
}

// Fault makes a tool fail.
type Fault struct {
	// Tool is the program; Command its first argument, any when empty.
	Tool, Command string
	// When are environment variables that must have these values.
	When map[string]string
	// File, when set, is a path in the task's folder; the tool fails while the
	// file holds the text Has. So a commit can break and mend.
	File, Has string
	// Times is how often it fails; 0 means until it is mended.
	Times int
	// Says goes to the tool's standard error.
	Says string
}

// Call is one run of a tool.
type Call struct {
	// Line is the command line, words separated by blanks.
	Line string
	// Deployment and Environment are the variables of these names.
	Deployment, Environment string
}

// New makes the programs in a new folder dir.
func New(dir string, programs ...string) (*Folder, error) {
	t := &Folder{dir: dir}
	for _, d := range []string{t.Path(), filepath.Join(dir, "faults")} {
		if err := os.MkdirAll(d, 0o750); err != nil {
			return nil, fmt.Errorf("make the folder of the tools: %w", err)
		}
	}
	for _, name := range programs {
		if !plainName(name) {
			return nil, fmt.Errorf("tool %q: a name without blanks, quotes and slashes is wanted", name)
		}
		if err := t.write(name, "echo \""+name+" ${1-}: rehearsed\" >&2\n"); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Real makes a tool run a program of this machine, given by its path, in place of the stand-in. The tool still writes down
// how it was called, and still fails when told to.
func (t *Folder) Real(tool, program string) error {
	if !plainName(tool) {
		return fmt.Errorf("run %s as %q: that is not a name of a program", program, tool)
	}
	return t.write(tool, "exec "+shellQuote(program)+" \"$@\"\n")
}

// write writes the script of a tool; what it does is its end.
func (t *Folder) write(name, does string) error {
	if err := os.WriteFile(filepath.Join(t.Path(), name), []byte(t.script(name)+does), 0o755); err != nil {
		return fmt.Errorf("make the tool %s: %w", name, err)
	}
	return nil
}

func plainName(name string) bool {
	return name != "" && !strings.ContainsAny(name, " \t\n'\"/\\|")
}

// Path is the folder of the programs, for the front of a PATH.
func (t *Folder) Path() string { return filepath.Join(t.dir, "bin") }

func (t *Folder) ledger() string { return filepath.Join(t.dir, "calls") }

// script writes down the call and runs the faults for this tool.
func (t *Folder) script(name string) string {
	return `#!/bin/sh
# Is called in place of ` + name + ` in a rehearsal.
has() { # FILE TEXT: FILE, from here or from a folder above, holds TEXT
  folder=$PWD
  while [ ! -e "$folder/$1" ] && [ -n "$folder" ]; do folder=${folder%/*}; done
  grep -qF -e "$2" "$folder/$1"
}
printf '%s|%s|%s\n' "${DEPLOYMENT-}" "${ENVIRONMENT-}" "` + name + ` $*" >>` + shellQuote(t.ledger()) + `
for fault in ` + shellQuote(filepath.Join(t.dir, "faults", name)) + `.*.sh; do
  if [ -e "$fault" ]; then . "$fault"; fi
done
`
}

// Act makes a tool do something besides: body is shell, run in the task's folder
// with the tool's arguments once no fault has struck.
func (t *Folder) Act(tool, body string) error {
	if !plainName(tool) {
		return fmt.Errorf("give %q something to do: there is no such tool", tool)
	}
	at := filepath.Join(t.Path(), tool)
	file, err := os.OpenFile(at, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("give %s something to do: there is no such tool: %w", tool, err)
	}
	_, err = file.WriteString("set -eu\n" + body + "\n")
	return errors.Join(err, file.Close())
}

// Break makes a tool fail until it is mended.
func (t *Folder) Break(f Fault) error {
	if _, err := os.Stat(filepath.Join(t.Path(), f.Tool)); err != nil {
		return fmt.Errorf("break %s: there is no such tool: %w", f.Tool, err)
	}
	t.faults++
	file := t.fault(f.Tool, t.faults)
	text, err := f.script(file)
	if err != nil {
		return fmt.Errorf("break %s: %w", f.Tool, err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return fmt.Errorf("break %s: %w", f.Tool, err)
	}
	return nil
}

// script fails the tool when everything is as the fault says; file is where it
// lies, and where it counts how often it struck.
func (f Fault) script(file string) (string, error) {
	var b strings.Builder
	b.WriteString("if true")
	for _, name := range slices.Sorted(maps.Keys(f.When)) {
		if !variableName(name) {
			return "", fmt.Errorf("%q is not a valid name of an environment variable", name)
		}
		fmt.Fprintf(&b, " && [ \"${%s-}\" = %s ]", name, shellQuote(f.When[name]))
	}
	if f.Command != "" {
		fmt.Fprintf(&b, " && [ \"${1-}\" = %s ]", shellQuote(f.Command))
	}
	if f.File != "" {
		fmt.Fprintf(&b, " && has %s %s", shellQuote(f.File), shellQuote(f.Has))
	}
	fmt.Fprintf(&b, "; then\n  printf '%%s\\n' %s >&2\n", shellQuote(f.Says))
	if f.Times > 0 {
		count := shellQuote(file) + "-struck"
		fmt.Fprintf(&b, "  echo x >>%s\n  if [ \"$(grep -c x %s)\" -ge %d ]; then rm -f %s; fi\n", count, count, f.Times, shellQuote(file))
	}
	b.WriteString("  exit 1\nfi\n")
	return b.String(), nil
}

func variableName(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") == ""
}

// Mend ends all faults of a tool.
func (t *Folder) Mend(tool string) error {
	mended := 0
	for n := range t.faults + 1 {
		err := os.Remove(t.fault(tool, n))
		if err == nil {
			mended++
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("mend %s: %w", tool, err)
		}
	}
	if mended == 0 {
		return fmt.Errorf("mend %s: it is not broken", tool)
	}
	return nil
}

func (t *Folder) fault(tool string, n int) string {
	return filepath.Join(t.dir, "faults", tool+"."+strconv.Itoa(n)+".sh")
}

// Calls are all runs of all tools so far, oldest first.
func (t *Folder) Calls() ([]Call, error) {
	text, err := os.ReadFile(t.ledger())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what the tools were asked to do: %w", err)
	}
	var calls []Call
	for line := range strings.Lines(string(text)) {
		const fields = 3
		if f := strings.SplitN(strings.TrimSuffix(line, "\n"), "|", fields); len(f) == fields {
			calls = append(calls, Call{Deployment: f[0], Environment: f[1], Line: f[2]})
		}
	}
	return calls, nil
}

// shellQuote makes one word of a text.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
