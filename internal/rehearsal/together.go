package rehearsal

import (
	"context"
	"fmt"
)

// Together are pipelines that live in one world: what one of them does outside,
// the others see.
type Together []*Rehearsal

// Settle lets the pipelines run, each until it rests, again and again until
// none of them has anything left to do. Between is called whenever all have
// rested once, and may do what others do in that world, such as a robot that
// merges; it tells whether it did something. It may be nil. The builds that ran
// are returned, those of the first pipeline first.
func (all Together) Settle(ctx context.Context, between func(context.Context) (bool, error)) ([]*Build, error) {
	before := make([]int, len(all))
	for i, r := range all {
		before[i] = len(r.builds)
	}
	err := all.settle(ctx, between)
	var ran []*Build
	for i, r := range all {
		ran = append(ran, r.builds[before[i]:]...)
	}
	return ran, err
}

func (all Together) settle(ctx context.Context, between func(context.Context) (bool, error)) error {
	for range maxRounds {
		moved := false
		for _, r := range all {
			builds, err := r.Settle(ctx)
			if err != nil {
				return fmt.Errorf("pipeline %s: %w", r.Name(), err)
			}
			moved = moved || len(builds) > 0 && len(all) > 1
		}
		if between != nil {
			did, err := between(ctx)
			if err != nil {
				return err
			}
			moved = moved || did
		}
		if !moved {
			return nil
		}
	}
	return fmt.Errorf("%w: %d rounds", ErrRestless, maxRounds)
}

// WithJob is the one pipeline that has the job, and the job's name there. The
// job may be written with its pipeline, as "release/build-rc".
func (all Together) WithJob(wanted string) (r *Rehearsal, name string, err error) {
	return one(all, "job", wanted, func(r *Rehearsal) map[string]*job { return r.jobs })
}

// WithResource is the one pipeline that has the resource, and the resource's
// name there. It may be written with its pipeline.
func (all Together) WithResource(wanted string) (r *Rehearsal, name string, err error) {
	return one(all, "resource", wanted, func(r *Rehearsal) map[string]*resource { return r.resources })
}

// one finds the pipeline that has what is named.
func one[T any](all Together, kind, wanted string, of func(*Rehearsal) map[string]T) (found *Rehearsal, name string, err error) {
	known := map[string]bool{}
	several := 0
	for _, r := range all {
		for n := range of(r) {
			known[n] = true
			if n == wanted || r.Name()+"/"+n == wanted {
				found, name = r, n
				several++
			}
		}
	}
	switch several {
	case 1:
		return found, name, nil
	case 0:
		return nil, "", fmt.Errorf("there is no %s %q; there are: %s", kind, wanted, names(known))
	default:
		return nil, "", fmt.Errorf("%d pipelines have a %s %q: write it as pipeline/%s", several, kind, wanted, wanted)
	}
}
