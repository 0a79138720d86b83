package actions

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// ghScript stands in for the program gh: it writes down what a step wants of the forge, which is done when the step has ended.
const ghScript = "#!/bin/sh\nprintf '%s\\n' \"$*\" >>\"$RUNNER_TEMP/" + ghRequests + "\"\n"

const ghRequests = "gh"

// merge is the one request that is known.
var merge = regexp.MustCompile(`^pr merge --auto --(merge|squash|rebase) --match-head-commit ([0-9a-f]{40}) \S+$`)

// asked does what a step wanted of the forge.
func (r *run) asked(file string) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		found := merge.FindStringSubmatch(strings.TrimSpace(line))
		if found == nil {
			return fmt.Errorf("gh %s: nothing stands in for this command", strings.TrimSpace(line))
		}
		if err := r.runner.repository.MergeWhenReady(r.event.number, found[1], found[2], "github-actions"); err != nil {
			return fmt.Errorf("gh pr merge: %w", err)
		}
		r.merges = true
	}
	return os.Remove(file)
}
