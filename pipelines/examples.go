package pipelines

import (
	"embed"
	"fmt"
	"io/fs"
	"path/filepath"
)

//go:embed all:examples/lana-bank all:examples/lana-charts
var demoExample embed.FS

// DemoExample are the files of the examples that the demo plays: lana-bank/TEMPLATE/want.yml, lana-bank/checks/want and
// lana-charts/checks/want, and the cepler configs in the folder lana-bank/cepler.
func DemoExample() (fs.FS, error) {
	files, err := fs.Sub(demoExample, "examples")
	if err != nil {
		return nil, fmt.Errorf("read the example of the demo: %w", err)
	}
	return files, nil
}

// Example is one pipeline of one made-up user: the folder USER/TEMPLATE with values.yml and want.yml, the committed
// rendering, or the folder want for the files of Checks. What the user's pipelines share, like the cepler configs, is in the folder USER, as in a repository.
type Example struct{ Dir string }

// Template is the name of the pipeline template.
func (e Example) Template() string { return filepath.Base(e.Dir) }

// Rendering is the pipeline with the example's values.
func (e Example) Rendering() Rendering {
	return Rendering{Template: e.Template(), Values: filepath.Join(e.Dir, valuesFile), Repository: filepath.Dir(e.Dir)}
}

// Want is the path of the committed rendering.
func (e Example) Want() string { return filepath.Join(e.Dir, WantFile) }

// WantDir is the folder of the committed files of Checks.
func (e Example) WantDir() string { return filepath.Join(e.Dir, wantFolder) }

// Examples finds the pipelines among the examples; there being none is a mistake in the folder's name.
func Examples(folder string) ([]Example, error) {
	found, err := examples(folder, func(e Example) bool { return e.Template() != Checks })
	if err == nil && len(found) == 0 {
		return nil, fmt.Errorf("look for examples: %s has none; an example is a file USER/TEMPLATE/%s", folder, valuesFile)
	}
	return found, err
}

// CheckExamples finds the examples of Checks.
func CheckExamples(folder string) ([]Example, error) {
	return examples(folder, func(e Example) bool { return e.Template() == Checks })
}

func examples(folder string, wanted func(Example) bool) ([]Example, error) {
	found, err := filepath.Glob(filepath.Join(folder, "*", "*", valuesFile))
	if err != nil {
		return nil, fmt.Errorf("look for examples: %w", err)
	}
	var cases []Example
	for _, f := range found {
		if e := (Example{filepath.Dir(f)}); wanted(e) {
			cases = append(cases, e)
		}
	}
	return cases, nil
}
