// Package imagetest runs the programs of an image in tests as Concourse would: in the image's own root, where there is nothing
// but the image. It needs Linux and the right to make namespaces; where there is neither, tests are skipped with the reason.
//
// A test package that uses it calls Enter first thing in its TestMain, because the process that walks into the image is a
// copy of the test binary.
package imagetest

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"github.com/taxiway-ci/taxiway/internal/ociimage"
)

// The variables that carry the order to a copy of the test binary.
const (
	rootVariable = "TAXIWAY_IMAGE_ROOT"
	workVariable = "TAXIWAY_IMAGE_WORK"
)

// Room is an unpacked image that programs can be started in.
type Room struct {
	// Root is the folder that the image was unpacked to.
	Root string

	user bool
}

// Unpack puts the image, as it is for this machine's processor, into a folder that goes away with the test.
func Unpack(tb testing.TB, image *ociimage.Image) string {
	tb.Helper()
	single, err := image.Platform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH})
	require.NoError(tb, err)
	root := tb.TempDir()
	require.NoError(tb, ociimage.Unpack(tb.Context(), single, root))
	return root
}

// New makes a room of an unpacked image, or skips the test when this machine lets nobody change the root.
func New(tb testing.TB, root string) *Room {
	tb.Helper()
	reason := "only Linux can"
	for _, user := range []bool{true, false} {
		room := &Room{Root: root, user: user}
		command, err := room.Command(tb.Context(), "")
		if err == nil {
			var output []byte
			if output, err = command.CombinedOutput(); err == nil {
				return room
			}
			reason = err.Error() + " " + string(output)
		}
	}
	tb.Skipf("this machine does not let a test walk into another root: %s", reason)
	return nil
}

// Command prepares a program of the image. The folder work (absolute; "" for none) is visible inside under the same path and
// is the working folder. The environment is empty but for what the caller adds to it.
func (r *Room) Command(ctx context.Context, work string, argv ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, self, argv...)
	command.Env = []string{rootVariable + "=" + r.Root, workVariable + "=" + work}
	return command, r.isolate(command)
}
