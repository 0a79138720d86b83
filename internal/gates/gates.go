// Package gates edits a gates file as a person would: one value or one line, and not a byte beside it.
// The rules of a gate (soak, windows, freeze, the number of approvals) are never changed.
//
// Each edit reads its result again. It succeeds only if the gate of the environment is as it was but
// for what was to be changed, and every other gate is the same.
package gates

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/cepler"
	"github.com/taxiway-ci/taxiway/internal/yamledit"
)

// ErrNoGate says that an environment has no gate in the file, and so gets nothing: a rule would open it.
var ErrNoGate = errors.New("it has no gate, and gets nothing; open its gate first")

// ErrNoApprovals says that a gate takes no approvals, so that one would change nothing.
var ErrNoApprovals = errors.New("the gate needs no approvals")

// SetCommit lets an environment see the branch up to a commit, or to HEAD. An environment without a gate
// gets one.
func SetCommit(file string, data []byte, environment, commit string) ([]byte, error) {
	e, err := parse(file, data, environment)
	if err != nil {
		return nil, err
	}
	want := e.gate
	want.Commit = commit
	switch {
	case !e.found:
		err = e.yaml.Insert("", yamledit.Quote(environment)+": "+yamledit.Quote(commit))
	case e.gate.Commit == commit:
		return data, nil
	default:
		err = e.setKey("commit", commit)
	}
	return e.done(want, err)
}

// Approve adds a person's approval of a commit. One that is given already changes nothing.
func Approve(file string, data []byte, environment, by, commit string) ([]byte, error) {
	e, err := parse(file, data, environment)
	if err != nil {
		return nil, err
	}
	if e.gate.Need == 0 {
		return nil, fmt.Errorf("%s: %s: %w; add approvals: {need: 1} to its gate", file, environment, ErrNoApprovals)
	}
	given := cepler.Approval{By: by, Commit: commit}
	if slices.Contains(e.gate.Approvals, given) {
		return data, nil
	}
	want := e.gate
	want.Approvals = slices.Concat([]cepler.Approval{given}, e.gate.Approvals)
	return e.done(want, e.approve(fmt.Sprintf("{by: %s, commit: %s}", yamledit.Quote(by), yamledit.Quote(commit))))
}

// Resume lets an environment go on after the rollback that its record with this number is.
func Resume(file string, data []byte, environment string, record uint64) ([]byte, error) {
	e, err := parse(file, data, environment)
	if err != nil {
		return nil, err
	}
	if e.gate.Resume == record {
		return data, nil
	}
	want := e.gate
	want.Resume = record
	return e.done(want, e.setRule("resume", strconv.FormatUint(record, 10)))
}

// Freeze promotes nothing to an environment until somebody ends it. The reason may be empty. One more entry is added to planned freezes.
func Freeze(file string, data []byte, environment, reason string) ([]byte, error) {
	e, err := parse(file, data, environment)
	if err != nil {
		return nil, err
	}
	frozen := cepler.Freeze{Reason: strings.Join(strings.Fields(reason), " ")}
	if e.isPlanned() {
		frozen.Reason = cmp.Or(frozen.Reason, "by hand") // an entry of the list cannot be empty
	}
	if slices.Contains(e.gate.Freezes, frozen) {
		return data, nil
	}
	want, piece := e.gate, "true"
	if e.isPlanned() {
		want.Freezes = slices.Concat([]cepler.Freeze{frozen}, e.gate.Freezes)
		return e.done(want, e.yaml.Insert(e.path("freeze"), "{reason: "+yamledit.Quote(frozen.Reason)+"}"))
	}
	if frozen.Reason != "" {
		piece = yamledit.Quote(frozen.Reason)
	}
	want.Freezes = []cepler.Freeze{frozen}
	return e.done(want, e.setRule("freeze", piece))
}

// ErrPlanned says that a gate has planned freezes, which only a person can end.
var ErrPlanned = errors.New("the gate has a list of freezes")

// Unfreeze ends what Freeze began.
func Unfreeze(file string, data []byte, environment string) ([]byte, error) {
	e, err := parse(file, data, environment)
	if err != nil {
		return nil, err
	}
	if e.isPlanned() {
		return nil, fmt.Errorf("%s: %s: %w; remove the entries that are over by hand", file, environment, ErrPlanned)
	}
	if len(e.gate.Freezes) == 0 {
		return data, nil
	}
	want := e.gate
	want.Freezes = nil
	return e.done(want, e.setRule("freeze", "false"))
}

// edit is one environment's gate in a file that is being changed.
type edit struct {
	file        string
	environment string
	before      *cepler.Gates
	gate        cepler.Gate // HEAD if not found
	found       bool
	yaml        *yamledit.File
}

func parse(file string, data []byte, environment string) (*edit, error) {
	before, err := cepler.ParseGates(file, data)
	if err != nil {
		return nil, err
	}
	e := &edit{file: file, environment: environment, before: before}
	if e.gate, e.found = before.For(environment); !e.found {
		e.gate = cepler.Gate{Commit: "HEAD"}
	}
	if e.yaml, err = yamledit.Parse(data, yamledit.Options{}); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return e, nil
}

// path is the path of the gate, or of a part of it.
func (e *edit) path(keys ...string) string {
	p := yamledit.Path{{Key: e.environment}}
	for _, key := range keys {
		p = append(p, yamledit.Step{Key: key})
	}
	return p.String()
}

// isScalar reports whether the gate is only a commit, without rules.
func (e *edit) isScalar() bool {
	_, err := e.yaml.Scalar(e.path())
	return err == nil
}

// setKey sets the commit, or adds it to a gate that has only rules.
func (e *edit) setKey(key, text string) error {
	if e.isScalar() {
		return e.yaml.Set(e.path(), text)
	}
	err := e.yaml.Set(e.path(key), text)
	if errors.Is(err, yamledit.ErrMissing) {
		return e.yaml.Insert(e.path(), key+": "+yamledit.Quote(text))
	}
	return err
}

// isPlanned reports whether the gate has a list, or a mapping, of freezes.
func (e *edit) isPlanned() bool {
	if e.isScalar() {
		return false
	}
	_, err := e.yaml.Scalar(e.path("freeze"))
	return err != nil && len(e.gate.Freezes) > 0
}

// setRule sets a rule of the gate to a piece of YAML, and makes a mapping of a gate that was only a commit.
func (e *edit) setRule(key, piece string) error {
	switch {
	case !e.found:
		return ErrNoGate
	case e.isScalar():
		return e.yaml.Replace(e.path(), fmt.Sprintf("{commit: %s, %s: %s}", yamledit.Quote(e.gate.Commit), key, piece))
	}
	if _, missing := e.yaml.Scalar(e.path(key)); errors.Is(missing, yamledit.ErrMissing) {
		return e.yaml.Insert(e.path(), key+": "+piece)
	}
	return e.yaml.Replace(e.path(key), piece)
}

// approve adds an approval where the file has a list for it, or makes the list.
func (e *edit) approve(piece string) error {
	given := e.path("approvals", "given")
	err := e.yaml.Insert(given, piece)
	switch {
	case errors.Is(err, yamledit.ErrMissing):
		if _, is := e.yaml.Scalar(given); is == nil {
			return e.yaml.Replace(given, "["+piece+"]")
		}
		return e.yaml.Insert(e.path("approvals"), "given: ["+piece+"]")
	case err != nil:
		return err
	}
	return nil
}

// done is the file with the edit, which must have made the gate what it was wanted to be.
func (e *edit) done(want cepler.Gate, err error) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("edit the gate of %s in %s: %w", e.environment, e.file, err)
	}
	out, err := e.yaml.Bytes()
	if err != nil {
		return nil, fmt.Errorf("edit the gate of %s in %s: %w", e.environment, e.file, err)
	}
	after, err := cepler.ParseGates(e.file, out)
	if err != nil {
		return nil, fmt.Errorf("edit the gate of %s: %w", e.environment, err)
	}
	for _, name := range slices.Concat(e.before.Environments(), after.Environments()) {
		was, had := e.before.For(name)
		is, has := after.For(name)
		if name == e.environment {
			was, had = want, true
		}
		if had != has || !reflect.DeepEqual(was, is) {
			return nil, fmt.Errorf("edit the gate of %s in %s: the gate of %s would be %v instead of %v", e.environment, e.file, name, is, was)
		}
	}
	return out, nil
}
