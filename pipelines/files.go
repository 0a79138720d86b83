package pipelines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/strict"
)

// wantFolder has the committed files of an example of Checks.
const wantFolder = "want"

// workflowsFolder is where a repository has its workflows, RulesetFile the ruleset that GitHub imports.
const (
	workflowsFolder = ".github/workflows"
	RulesetFile     = ".github/ruleset.json"
)

// Files runs ytt for Checks and returns the files by their paths in the repository, each workflow with its head.
func (r Rendering) Files() (map[string][]byte, error) {
	inputs, err := r.inputs()
	if err != nil {
		return nil, err
	}
	rendered, err := r.evaluate(inputs)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(rendered, &document); err != nil || len(document.Content) != 1 {
		return nil, fmt.Errorf("render %s with %s: read what ytt made: %w", r.Template, r.Values, errors.Join(err, errors.New("it is not one document")))
	}
	files := map[string][]byte{}
	pairs := document.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		name, content := pairs[i].Value, pairs[i+1]
		if path.Ext(name) == ".json" {
			files[name], err = asJSON(content)
		} else {
			files[name], err = asWorkflow(content)
			files[name] = append([]byte(head(inputs)), files[name]...)
		}
		if err != nil {
			return nil, fmt.Errorf("render %s: write %s: %w", r.Template, name, err)
		}
	}
	return files, nil
}

// asWorkflow writes a workflow with the version of each action as a comment.
func asWorkflow(content *yaml.Node) ([]byte, error) {
	comment(content)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	if err := enc.Encode(content); err != nil {
		return nil, err
	}
	return bytes.Replace(out.Bytes(), []byte("\n\"on\":\n"), []byte("\non:\n"), 1), enc.Close()
}

// comment turns "owner/action@commit # version", which the templates have as text, into a value and its comment.
func comment(n *yaml.Node) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "uses" {
			value, version, ok := strings.Cut(c.Value, " # ")
			if ok {
				c.Value, c.LineComment, c.Style = value, "# "+version, 0
			}
		}
		comment(c)
	}
}

func asJSON(content *yaml.Node) ([]byte, error) {
	var value any
	if err := content.Decode(&value); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(value, "", "  ")
	return append(data, '\n'), err
}

// WriteFiles writes the files of Checks below a folder. A workflow that an earlier rendering left there, and that the
// values no longer ask for, is removed; its path is returned.
func WriteFiles(folder string, files map[string][]byte) (removed []string, err error) {
	for name, data := range files {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return nil, fmt.Errorf("write the checks: %w", err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return nil, fmt.Errorf("write the checks: %w", err)
		}
	}
	there, err := filepath.Glob(filepath.Join(folder, filepath.FromSlash(workflowsFolder), "*.yml"))
	if err != nil {
		return nil, fmt.Errorf("write the checks: %w", err)
	}
	for _, file := range there {
		if _, wanted := files[path.Join(workflowsFolder, filepath.Base(file))]; wanted {
			continue
		}
		gone, err := removeRendered(file)
		if err != nil {
			return removed, err
		}
		if gone {
			removed = append(removed, file)
		}
	}
	return removed, nil
}

// removeRendered removes a file if its head says that it was rendered.
func removeRendered(file string) (bool, error) {
	data, err := strict.ReadFile(file)
	if err == nil && digestOf(data) != "" {
		return true, os.Remove(file)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("look for workflows of earlier renderings: %w", err)
	}
	return false, nil
}
