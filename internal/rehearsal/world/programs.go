package world

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/taxiway-ci/taxiway/internal/pipeline"
)

// findPrograms returns an error that names every program that the play needs on this machine and that is not there: those
// of Real, and those that tasks run and no stand-in replaces.
func (p Play) findPrograms(parsed []*pipeline.Pipeline) error {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(p.Real)) {
		if _, err := realProgram(p.Real[name]); err != nil {
			missing = append(missing, fmt.Sprintf("%s, which is to run as %s", p.Real[name], name))
		}
	}
	replaced := slices.Concat(StandInTools(), p.Tools, slices.Collect(maps.Keys(p.Real)), slices.Collect(maps.Keys(taskDoubles())))
	seen := map[string]bool{}
	for _, one := range parsed {
		for _, job := range one.Jobs {
			for _, task := range job.Tasks() {
				program := task.Config.Run.Path
				if strings.ContainsAny(program, "/(") || seen[program] || slices.Contains(replaced, program) {
					continue // a path in an artifact or image, or only known later
				}
				seen[program] = true
				if _, err := exec.LookPath(program); err != nil {
					missing = append(missing, fmt.Sprintf("%s, which task %s of job %s in %s runs (--tool %s puts a stand-in in its place)", program, task.Name, job.Name, one.File, program))
				}
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("rehearse: programs are missing on this machine:\n  %s", strings.Join(missing, "\n  "))
}

// realProgram is the path of a program of this machine.
func realProgram(name string) (string, error) {
	found, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("program %s: %w", name, err)
	}
	return filepath.Abs(found)
}
