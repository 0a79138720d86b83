package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
	"github.com/taxiway-ci/taxiway/internal/strict"
)

// fault is what stays the same about a finding while lines move.
type fault struct{ file, rule, text string }

// baseline are findings that are known, with how often each is still to come.
type baseline map[fault]int

// readBaseline reads what lint --format json printed; without a name there is none.
func readBaseline(file string) (baseline, error) {
	known := baseline{}
	if file == "" {
		return known, nil
	}
	data, err := strict.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the baseline: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	for {
		var w written
		err := decoder.Decode(&w)
		if errors.Is(err, io.EOF) {
			return known, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the baseline %s, which must be the output of lint --format json: %w", file, err)
		}
		known[fault{w.File, w.Rule, w.Text}]++
	}
}

// without leaves the findings of the baseline out, each as often as it is there.
func (b baseline) without(findings pipeline.Findings) pipeline.Findings {
	return slices.DeleteFunc(findings, func(f pipeline.Finding) bool {
		key := fault{f.File, f.Rule, f.Text}
		if b[key] == 0 {
			return false
		}
		b[key]--
		return true
	})
}

// left counts the findings of the baseline that did not come.
func (b baseline) left() int {
	n := 0
	for _, count := range b {
		n += count
	}
	return n
}
