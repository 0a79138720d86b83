package nixcache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNoNix says that the nix program is not installed.
var ErrNoNix = errors.New("no nix program on the PATH (Debian: apt-get install nix-bin)")

// Nix is the real nix program with a store of its own. It works for any user,
// builds nothing, and touches neither /nix nor the user's configuration.
type Nix struct {
	dir  string
	path string
}

// OpenNix makes a store in a folder. [ErrNoNix] when there is no nix.
func OpenNix(dir string) (*Nix, error) {
	path, err := exec.LookPath("nix")
	if err != nil {
		return nil, ErrNoNix
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder for nix: %w", err)
	}
	for _, sub := range []string{"home", "conf", "store", "cache"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o750); err != nil {
			return nil, fmt.Errorf("the folder for nix: %w", err)
		}
	}
	settings := "experimental-features = nix-command\nbuild-users-group =\nsubstitute = false\nsandbox = false\n"
	if err := os.WriteFile(filepath.Join(dir, "conf", "nix.conf"), []byte(settings), 0o600); err != nil {
		return nil, fmt.Errorf("configure nix: %w", err)
	}
	return &Nix{dir: dir, path: path}, nil
}

// Dir is the folder that Push fills, a whole binary cache: serve it with
// [Options].
func (n *Nix) Dir() string { return filepath.Join(n.dir, "cache") }

// Run runs nix with the store, and returns what it prints.
func (n *Nix) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, n.path, append(args, "--store", filepath.Join(n.dir, "store"))...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(n.dir, "home"), "NIX_CONF_DIR=" + filepath.Join(n.dir, "conf"),
		"TMPDIR=" + n.dir,
	}
	cmd.Dir = n.dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("nix %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// Add puts a text into the store that refers to other paths of it.
func (n *Nix) Add(ctx context.Context, name, text string, references ...string) (storePath string, err error) {
	parts := []string{fmt.Sprintf("%q", text)}
	for _, r := range references {
		parts = append(parts, fmt.Sprintf("builtins.storePath %s", r))
	}
	expr := fmt.Sprintf(`builtins.toFile %q (builtins.concatStringsSep "\n" [ %s ])`, name, "("+strings.Join(parts, ") (")+")")
	return n.Run(ctx, "eval", "--impure", "--raw", "--expr", expr)
}

// Push signs paths and copies them, and what they refer to, into Dir, in
// whatever order nix chooses.
func (n *Nix) Push(ctx context.Context, secretKey string, storePaths ...string) error {
	file := filepath.Join(n.dir, "secret-key")
	if err := os.WriteFile(file, []byte(secretKey), 0o600); err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	_, err := n.Run(ctx, append([]string{"copy", "--to", "file://" + n.Dir() + "?secret-key=" + file}, storePaths...)...)
	return err
}
