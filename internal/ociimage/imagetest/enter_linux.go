package imagetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// isolate gives the process mounts of its own and, when the test is not root's, a user namespace in which it is root.
func (r *Room) isolate(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if r.user {
		command.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return nil
}

// Enter returns at once in an ordinary process. In a copy that Room.Command started it becomes the program in the image and does
// not return.
func Enter() {
	root := os.Getenv(rootVariable)
	if root == "" {
		return
	}
	err := enter(root, os.Getenv(workVariable), os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "enter image %s: %v\n", root, err)
		os.Exit(125) //nolint:forbidigo // this process is only the way into the image
	}
	os.Exit(0) //nolint:forbidigo // a probe without program has succeeded
}

func enter(root, work string, argv []string) error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("own mounts: %w", err)
	}
	if work == "" {
		work = "/"
	} else if err := bind(work, filepath.Join(root, work)); err != nil {
		return err
	}
	if err := syscall.Chroot(root); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := os.Chdir(work); err != nil {
		return fmt.Errorf("working folder: %w", err)
	}
	if len(argv) == 0 {
		return nil
	}
	env := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, rootVariable+"=") || strings.HasPrefix(variable, workVariable+"=")
	})
	if err := syscall.Exec(argv[0], argv, env); err != nil { //nolint:gosec // the test chose the program
		return fmt.Errorf("start %s: %w", argv[0], err)
	}
	return nil
}

func bind(folder, place string) error {
	if err := os.MkdirAll(place, 0o755); err != nil { //nolint:gosec // a folder of a test
		return fmt.Errorf("place for the working folder: %w", err)
	}
	if err := syscall.Mount(folder, place, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("show working folder: %w", err)
	}
	return nil
}
