package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/taxiway-ci/taxiway/internal/ociimage"
)

// stampFlags override what git says about the source.
type stampFlags struct{ version, revision, created string }

// read takes each part from its flag, else (the time only) from SOURCE_DATE_EPOCH
// (https://reproducible-builds.org/specs/source-date-epoch/), else from git.
func (f stampFlags) read(ctx context.Context, module string, getenv func(string) string) (ociimage.Stamp, error) {
	stamp, err := ociimage.ReadStamp(ctx, module)
	if err != nil {
		return ociimage.Stamp{}, err
	}
	if f.version != "" {
		stamp.Version = f.version
	}
	if f.revision != "" {
		stamp.Revision = f.revision
	}
	if epoch := getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil || seconds < 0 {
			return ociimage.Stamp{}, fmt.Errorf("SOURCE_DATE_EPOCH %q: want seconds since 1970", epoch)
		}
		stamp.Created = time.Unix(seconds, 0).UTC()
	}
	if f.created != "" {
		created, err := time.Parse(time.RFC3339, f.created)
		if err != nil {
			return ociimage.Stamp{}, fmt.Errorf("--created %q: want a time like 2026-01-31T12:00:00Z: %w", f.created, err)
		}
		stamp.Created = created.UTC().Truncate(time.Second)
	}
	return stamp, nil
}
