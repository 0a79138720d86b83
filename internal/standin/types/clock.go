package types

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/taxiway-ci/taxiway/internal/rehearsal"
)

// Clock stands in for the resource type time with an interval. Its time only
// passes when it is told to: see Pass.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock starts at a time.
func NewClock(at time.Time) *Clock { return &Clock{now: at} }

// Pass lets time pass.
func (k *Clock) Pass(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = k.now.Add(d)
}

// Now is what the clock shows.
func (k *Clock) Now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

type clockSource struct {
	Interval       string `json:"interval"`
	InitialVersion bool   `json:"initial_version"`
}

// Run does one verb.
func (k *Clock) Run(ctx context.Context, call rehearsal.Call) ([]byte, error) {
	return verbs[clockSource, none, none]{k.check, k.in, k.out}.run(ctx, "time", call)
}

func (k *Clock) check(_ context.Context, _ container, source clockSource, from rehearsal.Version) ([]rehearsal.Version, error) {
	interval, err := time.ParseDuration(source.Interval)
	if err != nil {
		return nil, fmt.Errorf("%w: a time without an interval: %w", errRequest, err)
	}
	now := k.Now()
	if from == nil {
		return []rehearsal.Version{clockVersion(now)}, nil
	}
	last, err := time.Parse(time.RFC3339Nano, from["time"])
	if err != nil {
		return nil, err
	}
	if now.Sub(last) < interval {
		return []rehearsal.Version{from}, nil
	}
	return []rehearsal.Version{from, clockVersion(now)}, nil
}

func clockVersion(at time.Time) rehearsal.Version {
	return rehearsal.Version{"time": at.UTC().Format(time.RFC3339Nano)}
}

func (k *Clock) in(_ context.Context, c container, _ clockSource, version rehearsal.Version, _ none) (result, error) {
	return result{Version: version}, c.write("input", version["time"])
}

func (k *Clock) out(context.Context, container, clockSource, none) (result, error) {
	return result{Version: clockVersion(k.Now())}, nil
}
