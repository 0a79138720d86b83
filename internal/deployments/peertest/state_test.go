package peertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// state is a state file, read with a reader that belongs to neither program.
type state struct {
	Version        uint64     `yaml:"version"`
	Current        snapshot   `yaml:"current"`
	PropagatedFrom string     `yaml:"propagated_from"`
	Queue          []snapshot `yaml:"propagation_queue"`
}

type snapshot struct {
	Head           string              `yaml:"head_commit"`
	PropagatedHead string              `yaml:"propagated_head"`
	AnyDirty       bool                `yaml:"any_dirty"`
	Files          map[string]recorded `yaml:"files"`
}

type recorded struct {
	Hash    string `yaml:"file_hash"`
	Dirty   bool   `yaml:"dirty"`
	From    string `yaml:"from_commit"`
	Message string `yaml:"message"`
}

// state is what is recorded for an environment on the branch.
func (s *scenario) state(name string) (state, bool) {
	f, ok := s.w.main.tree[s.config.statePath(name)]
	if !ok {
		return state{}, false
	}
	st, err := parseState(f.content)
	return st, err == nil
}

func parseState(text string) (state, error) {
	var st state
	err := yaml.Unmarshal([]byte(text), &st)
	return st, err
}

// asVersion is the version that the Rust program makes of a record.
func (st state) asVersion() version {
	v := version{Trigger: st.Current.Head, Version: fmt.Sprint(st.Version)}
	v.raw = fmt.Sprintf(`{"trigger":%q,"version":%q}`, v.Trigger, v.Version)
	return v
}

func (st state) dirty() bool { return st.Current.AnyDirty }

// contrast names the fields in which two state files differ, by kind.
func contrast(a, b state) map[string][]string {
	out := map[string][]string{}
	note := func(kind, where string, x, y any) {
		if x != y {
			out[kind] = append(out[kind], fmt.Sprintf("%s %v | %v", where, x, y))
		}
	}
	note("version", "version", a.Version, b.Version)
	note("from", "propagated_from", a.PropagatedFrom, b.PropagatedFrom)
	note("head", "head_commit", a.Current.Head, b.Current.Head)
	note("head", "propagated_head", a.Current.PropagatedHead, b.Current.PropagatedHead)
	note("dirty", "any_dirty", a.Current.AnyDirty, b.Current.AnyDirty)
	keys := maps.Clone(a.Current.Files)
	maps.Copy(keys, b.Current.Files)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		x, inA := a.Current.Files[key]
		y, inB := b.Current.Files[key]
		if inA != inB {
			note("files", key, inA, inB)
			continue
		}
		note("files", key+" file_hash", x.Hash, y.Hash)
		note("dirty", key+" dirty", x.Dirty, y.Dirty)
		note("origin", key+" from_commit", x.From, y.From)
		note("origin", key+" message", x.Message, y.Message)
	}
	note("queue", "queue", heads(a.Queue), heads(b.Queue))
	return out
}

func heads(queue []snapshot) string {
	all := make([]string, len(queue))
	for i, s := range queue {
		all[i] = s.Head[:min(7, len(s.Head))]
	}
	return strings.Join(all, " ")
}

// kindsOf are the kinds of a contrast, and text is all of it.
func kindsOf(c map[string][]string) []string { return slices.Sorted(maps.Keys(c)) }

func text(c map[string][]string) string {
	var out strings.Builder
	for _, kind := range kindsOf(c) {
		for _, line := range c[kind] {
			out.WriteString("\n    " + line)
		}
	}
	return out.String()
}
