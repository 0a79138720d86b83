package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// stepFunc runs a step. False means that it failed; an error that it could not
// be run, or was aborted (context.Canceled).
type stepFunc func(ctx context.Context) (bool, error)

// where says what a step sees and why it runs.
type where struct {
	scope   *scope
	hook    bool
	attempt int
}

// step is a step with its hooks around it. They nest as in Concourse:
// ensure(on_error(on_abort(on_failure(on_success(across(attempts(step))))))).
func (r *run) step(s pipeline.Step, at where) stepFunc {
	f := r.across(s, at)
	for _, h := range []struct {
		hook   *pipeline.Step
		around func(f, hook stepFunc) stepFunc
	}{{s.OnSuccess, onSuccess}, {s.OnFailure, onFailure}, {s.OnAbort, onAbort}, {s.OnError, onError}, {s.Ensure, ensure}} {
		if h.hook != nil {
			f = h.around(f, r.step(*h.hook, where{scope: at.scope, hook: true}))
		}
	}
	return f
}

func onSuccess(f, hook stepFunc) stepFunc {
	return func(ctx context.Context) (bool, error) {
		if ok, err := f(ctx); err != nil || !ok {
			return ok, err
		}
		return hook(ctx)
	}
}

func onFailure(f, hook stepFunc) stepFunc {
	return func(ctx context.Context) (bool, error) {
		ok, err := f(ctx)
		if err != nil || ok {
			return ok, err
		}
		_, err = hook(ctx)
		return false, err
	}
}

func onAbort(f, hook stepFunc) stepFunc {
	return func(ctx context.Context) (bool, error) {
		ok, err := f(ctx)
		if errors.Is(err, context.Canceled) {
			_, _ = hook(context.WithoutCancel(ctx)) // an aborted step stays aborted
		}
		return ok, err
	}
}

func onError(f, hook stepFunc) stepFunc {
	return func(ctx context.Context) (bool, error) {
		ok, err := f(ctx)
		if err == nil || errors.Is(err, context.Canceled) {
			return ok, err
		}
		_, hookErr := hook(context.WithoutCancel(ctx))
		return ok, errors.Join(err, hookErr)
	}
}

func ensure(f, hook stepFunc) stepFunc {
	return func(ctx context.Context) (bool, error) {
		ok, err := f(ctx)
		if ctx.Err() != nil {
			ctx = context.WithoutCancel(ctx)
		}
		hookOK, hookErr := hook(ctx)
		return ok && hookOK, errors.Join(err, hookErr)
	}
}

// attempts tries a step until it succeeds; an errored try is a try.
func (r *run) attempts(s pipeline.Step, at where) stepFunc {
	return func(ctx context.Context) (bool, error) {
		for n := 1; ; n++ {
			at.attempt = n
			ok, err := r.timed(s, at)(ctx)
			if ok || errors.Is(err, context.Canceled) || n >= s.Attempts {
				return ok, err
			}
		}
	}
}

// timed bounds a try; one that takes too long has failed.
func (r *run) timed(s pipeline.Step, at where) stepFunc {
	inner := r.core(s, at)
	if s.Timeout == "" {
		return inner
	}
	return func(ctx context.Context) (bool, error) {
		text, err := pipeline.InterpolateText(s.Timeout, r.lookup(at.scope))
		if err != nil {
			return false, err
		}
		limit, err := time.ParseDuration(text)
		if err != nil {
			return false, fmt.Errorf("line %d: timeout %q is not a valid duration; write it like 90s or 1h30m", s.Line, text)
		}
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		ok, err := inner(limited)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return false, nil
		}
		return ok, err
	}
}

// core does what the step's kind says.
func (r *run) core(s pipeline.Step, at where) stepFunc {
	switch s.Kind {
	case pipeline.KindDo:
		return r.sequence(s.Do, at)
	case pipeline.KindTry:
		return try(r.step(*s.Try, at))
	case pipeline.KindInParallel:
		return r.parallel(s, at)
	case pipeline.KindGet:
		return r.recorded(s, at, r.get)
	case pipeline.KindPut:
		return r.recorded(s, at, r.put)
	case pipeline.KindTask:
		return r.recorded(s, at, r.task)
	case pipeline.KindLoadVar:
		return r.recorded(s, at, r.loadVar)
	case pipeline.KindSetPipeline:
		return r.recorded(s, at, r.setPipeline)
	default:
		return unknown(s)
	}
}

// unknown refuses what is not understood: leaving a step out would let a
// pipeline pass that does something else on a server.
func unknown(s pipeline.Step) stepFunc {
	return func(context.Context) (bool, error) {
		return false, fmt.Errorf("%w: line %d: %q", ErrUnknownStep, s.Line, s.Kind)
	}
}

// ErrUnknownStep means that a plan holds a step which a rehearsal cannot run.
var ErrUnknownStep = errors.New("a rehearsal cannot run this kind of step")

func (r *run) sequence(steps []pipeline.Step, at where) stepFunc {
	return func(ctx context.Context) (bool, error) {
		for _, s := range steps {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			if ok, err := r.step(s, at)(ctx); err != nil || !ok {
				return false, err
			}
		}
		return true, nil
	}
}

// try makes a success of everything but an abort.
func try(f stepFunc) stepFunc {
	return func(ctx context.Context) (bool, error) {
		if _, err := f(ctx); errors.Is(err, context.Canceled) {
			return false, err
		}
		return true, nil
	}
}

func (r *run) parallel(s pipeline.Step, at where) stepFunc {
	all := make([]stepFunc, 0, len(s.InParallel.Steps))
	for _, inner := range s.InParallel.Steps {
		all = append(all, r.step(inner, at))
	}
	return together(all, s.InParallel.Limit, s.InParallel.FailFast)
}

// together runs steps at the same time, at most limit of them (0: all). With
// failFast the first that does not succeed ends the others.
func together(all []stepFunc, limit int, failFast bool) stepFunc {
	if limit <= 0 || limit > len(all) {
		limit = len(all)
	}
	return func(ctx context.Context) (bool, error) {
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		good, errs := make([]bool, len(all)), make([]error, len(all))
		slots, wg := make(chan struct{}, max(limit, 1)), sync.WaitGroup{}
		for i, f := range all {
			slots <- struct{}{}
			if inner.Err() != nil {
				errs[i] = inner.Err()
				<-slots
				continue
			}
			wg.Go(func() {
				defer func() { <-slots }()
				good[i], errs[i] = f(inner)
				if failFast && (errs[i] != nil || !good[i]) {
					cancel()
				}
			})
		}
		wg.Wait()
		return sum(ctx, good, errs)
	}
}

// sum is the end of steps that ran together. Those which were cancelled because
// another one failed do not count.
func sum(ctx context.Context, good []bool, errs []error) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	ok, failed := true, errors.Join()
	for i, err := range errs {
		ok = ok && good[i]
		if err != nil && !errors.Is(err, context.Canceled) {
			failed = errors.Join(failed, err)
		}
	}
	return ok && failed == nil, failed
}

// across runs the step once for every combination of values.
func (r *run) across(s pipeline.Step, at where) stepFunc {
	if s.Across == nil {
		return r.attempts(s, at)
	}
	return func(ctx context.Context) (bool, error) {
		lists := make([][]any, len(s.Across.Vars))
		for i, v := range s.Across.Vars {
			values, err := v.Values.Interpolate(r.lookup(at.scope))
			if err != nil {
				return false, err
			}
			list, ok := values.Data().([]any)
			if !ok {
				return false, fmt.Errorf("line %d: the values of across variable %s are not a list", v.Line, v.Var)
			}
			lists[i] = list
		}
		var all []stepFunc
		limit := 1
		for i, v := range s.Across.Vars {
			if v.MaxInFlightAll {
				limit *= len(lists[i])
			}
			limit *= max(v.MaxInFlight, 1)
		}
		for _, combination := range combinations(lists) {
			inner := newScope(at.scope)
			for i, v := range s.Across.Vars {
				inner.set(v.Var, combination[i])
			}
			all = append(all, r.attempts(s, where{scope: inner, hook: at.hook}))
		}
		if limit == 1 {
			return oneByOne(all, s.Across.FailFast)(ctx)
		}
		return together(all, limit, s.Across.FailFast)(ctx)
	}
}

// oneByOne runs all steps in order; with failFast it stops at the first that
// does not succeed.
func oneByOne(all []stepFunc, failFast bool) stepFunc {
	return func(ctx context.Context) (bool, error) {
		ok, failed := true, errors.Join()
		for _, f := range all {
			good, err := f(ctx)
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			ok, failed = ok && good, errors.Join(failed, err)
			if failFast && (err != nil || !good) {
				break
			}
		}
		return ok && failed == nil, failed
	}
}

func combinations(lists [][]any) [][]any {
	all := [][]any{nil}
	for _, list := range lists {
		var longer [][]any
		for _, head := range all {
			for _, value := range list {
				longer = append(longer, append(append([]any{}, head...), value))
			}
		}
		all = longer
	}
	return all
}

// recorded runs a step that does something outside and keeps what came of it.
func (r *run) recorded(s pipeline.Step, at where, do func(context.Context, pipeline.Step, where, *StepRecord) (bool, error)) stepFunc {
	return func(ctx context.Context) (bool, error) {
		rec := StepRecord{Kind: s.Kind, Name: s.Name(), Attempt: max(at.attempt, 1), Hook: at.hook}
		began := time.Now()
		ok, err := do(ctx, s, at, &rec)
		rec.Took = time.Since(began)
		rec.Status = status(ok, err)
		if err != nil && !errors.Is(err, context.Canceled) {
			rec.Err = err
			err = fmt.Errorf("%s %s: %w", s.Kind, s.Name(), err)
		}
		r.add(rec)
		return ok, err
	}
}

func status(ok bool, err error) Status {
	switch {
	case errors.Is(err, context.Canceled):
		return Aborted
	case errors.Is(err, context.DeadlineExceeded):
		return Failed
	case err != nil:
		return Errored
	case ok:
		return Succeeded
	default:
		return Failed
	}
}

// filled is a text of the step with its references filled in.
func (r *run) filled(text string, at where) (string, error) {
	if !strings.Contains(text, "((") {
		return text, nil
	}
	return pipeline.InterpolateText(text, r.lookup(at.scope))
}
