package nixcache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxProblems is how many bad lines of a list are told at once.
const maxProblems = 5

// ParseList reads a list of store paths in one of the forms that people and Nix
// write: a path a line (white space around it, empty lines and lines that start
// with # don't count), the JSON of nix build --json, and the JSON of nix
// path-info --json in its old and new forms. The paths come in the list's
// order, each once. An empty list is not an error.
func ParseList(data []byte) ([]Path, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) > 0 && (trimmed[0] == '[' || trimmed[0] == '{') {
		return parseJSONList(trimmed)
	}
	return parseLines(string(data))
}

// ParseLines reads paths that stand alone, as params have them.
func ParseLines(lines []string) ([]Path, error) { return parseLines(strings.Join(lines, "\n")) }

func parseLines(text string) ([]Path, error) {
	var c collector
	var problems []error
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := c.add(line); err != nil {
			if problems = append(problems, fmt.Errorf("line %d: %w", number, err)); len(problems) == maxProblems {
				break
			}
		}
	}
	return c.paths, errors.Join(problems...)
}

// collector takes each path once.
type collector struct {
	paths []Path
	seen  map[Path]struct{}
}

func (c *collector) add(text string) error {
	if before, _, found := strings.Cut(text, "^"); found {
		return fmt.Errorf("%s names outputs, whose paths it does not tell: list the outputs themselves (nix build --dry-run --json %s prints them)", quote(text), quote(before+"^*"))
	}
	p, err := ParsePath(text)
	if err != nil {
		return err
	}
	if p.IsDerivation() {
		return fmt.Errorf("%s is a derivation, which caches do not need to hold: list its outputs (nix build --dry-run --json prints them)", quote(text))
	}
	if _, twice := c.seen[p]; twice {
		return nil
	}
	if c.seen == nil {
		c.seen = map[Path]struct{}{}
	}
	c.seen[p] = struct{}{}
	c.paths = append(c.paths, p)
	return nil
}

func parseJSONList(data []byte) ([]Path, error) {
	if !json.Valid(data) {
		var v any
		return nil, fmt.Errorf("it starts like JSON, but is not valid JSON: %w", json.Unmarshal(data, &v))
	}
	var c collector
	var err error
	if data[0] == '[' {
		err = c.array(data)
	} else {
		err = c.object(data)
	}
	return c.paths, err
}

// array is nix build --json, and nix path-info --json before Nix 2.19.
func (c *collector) array(data []byte) error {
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return fmt.Errorf("read the JSON: %w", err)
	}
	for i, item := range items {
		if err := c.item(item); err != nil {
			return fmt.Errorf("entry %d of the JSON: %w", i+1, err)
		}
	}
	return nil
}

func (c *collector) item(raw json.RawMessage) error {
	var path string
	if json.Unmarshal(raw, &path) == nil && raw[0] == '"' {
		return c.add(path)
	}
	var built struct {
		Path    *string            `json:"path"`
		DrvPath string             `json:"drvPath"`
		Outputs map[string]*string `json:"outputs"`
	}
	if err := json.Unmarshal(raw, &built); err != nil {
		return fmt.Errorf("is neither of nix build --json nor of nix path-info --json: %w", err)
	}
	switch {
	case built.Path != nil:
		return c.add(*built.Path)
	case len(built.Outputs) == 0:
		return fmt.Errorf("has neither a path nor outputs: %s", quote(string(raw)))
	}
	for _, name := range slices.Sorted(maps.Keys(built.Outputs)) {
		output := built.Outputs[name]
		if output == nil {
			return fmt.Errorf("the path of output %s of %s is not known before it is built", name, built.DrvPath)
		}
		if err := c.add(*output); err != nil {
			return fmt.Errorf("output %s: %w", name, err)
		}
	}
	return nil
}

// object is nix path-info --json since Nix 2.19: paths as keys, null for one
// that the local store does not have; and its second format, which puts
// HASH-NAME below "info".
func (c *collector) object(data []byte) error {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return fmt.Errorf("read the JSON: %w", err)
	}
	prefix := ""
	if info, ok := top["info"]; ok {
		var dir string
		if err := json.Unmarshal(top["storeDir"], &dir); err != nil || dir != StoreDir {
			return fmt.Errorf("the JSON is about another store than %s: storeDir is %s", StoreDir, quote(string(top["storeDir"])))
		}
		top = nil
		if err := json.Unmarshal(info, &top); err != nil {
			return fmt.Errorf("\"info\" in the JSON: %w", err)
		}
		prefix = StoreDir + "/"
	}
	for _, path := range slices.Sorted(maps.Keys(top)) {
		if err := c.add(prefix + path); err != nil {
			return fmt.Errorf("a key of the JSON: %w", err)
		}
	}
	return nil
}
