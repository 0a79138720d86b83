package promoterc

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/forge"
	"github.com/taxiway-ci/taxiway/internal/visible"
)

// fileCheck is the context of the commit status that says whether merging the pull request releases something.
const fileCheck = "promote-rc-file-check"

// guard sets the status at the head of a pull request, unless it is there. A status that can't be set is a
// warning: what is released does not depend on it.
func (j judge) guard(ctx context.Context, p *forge.Pull) {
	if err := j.setStatus(ctx, p); err != nil {
		j.logf("warning: the commit status %s of pull request %d is not set: %v", fileCheck, p.Number, err)
	}
}

func (j judge) setStatus(ctx context.Context, p *forge.Pull) error {
	good := forge.Status{State: forge.Success, Context: fileCheck, Description: "changes only " + strings.Join(j.src.allowedFiles(), ", ")}
	now, err := j.forge.StatusOf(ctx, p.HeadCommit, fileCheck)
	if err != nil && !errors.Is(err, forge.ErrNotFound) || now.State == good.State && strings.HasPrefix(good.Description, strings.TrimSuffix(now.Description, visible.CutMark)) {
		return err
	}
	others, err := j.others(ctx, p)
	want := good
	switch {
	case errors.Is(err, forge.ErrTooManyFiles):
		want.State, want.Description = forge.Failure, "changes more files than GitHub lists"
	case err != nil:
		return err
	case len(others) > 0:
		want.State, want.Description = forge.Failure, "merging releases nothing: it changes "+listed(others)
	}
	if now.State == want.State && want.State != good.State {
		return nil
	}
	return j.forge.SetStatus(ctx, p.HeadCommit, want)
}

// guardOpen sets the status of the open pull request, if there is one.
func (j judge) guardOpen(ctx context.Context) {
	p, err := j.forge.Pull(ctx, j.src.botBranch(), j.src.Branch)
	switch {
	case err == nil:
		j.guard(ctx, p)
	case !errors.Is(err, forge.ErrNotFound):
		j.logf("warning: the commit status %s is not set: %v", fileCheck, err)
	}
}

// others are the files of a pull request that it may not change.
func (j judge) others(ctx context.Context, p *forge.Pull) ([]string, error) {
	files, err := j.forge.Files(ctx, p.Number)
	return slices.DeleteFunc(files, j.src.allows), err
}
