package vendored

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/taxiway-ci/taxiway/internal/strict"
)

// dependency is one of a Helm chart's, or one in its lock.
type dependency struct {
	Name       string `yaml:"name"`
	Version    string `yaml:"version"`
	Repository string `yaml:"repository"`
}

// exactVersion is one that a registry has only once.
var exactVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$`) })

// undeployable is why the copy of a Helm chart could not be deployed as it was tested, one line for each dependency;
// nil where the copy itself is not a chart, or has all it needs.
//
// helm builds a dependency that is not in charts/ from Chart.lock, else from the newest version that Chart.yaml
// allows, else from a folder beside the chart, which the copy does not have.
func (o *Origin) undeployable(ctx context.Context, files map[string]File) ([]string, error) {
	wanted, err := o.dependencies(ctx, files, "Chart.yaml", "requirements.yaml")
	if err != nil {
		return nil, err
	}
	locked, err := o.dependencies(ctx, files, "Chart.lock", "requirements.lock")
	if err != nil {
		return nil, err
	}
	var reasons []string
	for _, d := range wanted {
		if why := d.missing(files, locked); why != "" {
			reasons = append(reasons, fmt.Sprintf("dependency %s: %s", d.Name, why))
		}
	}
	return reasons, nil
}

// dependencies are those of the first of the files that is there and has any.
func (o *Origin) dependencies(ctx context.Context, files map[string]File, names ...string) ([]dependency, error) {
	for _, name := range names {
		f, ok := files[name]
		if !ok {
			continue
		}
		text, err := o.store.Blob(ctx, f.Hash)
		if err != nil {
			return nil, fmt.Errorf("read %s of commit %.7s: %w", name, o.Commit(), err)
		}
		all, err := parseDependencies(text)
		if err != nil {
			return nil, fmt.Errorf("read %s of commit %.7s: %w: %w", name, o.Commit(), ErrDependency, err)
		}
		if len(all) > 0 {
			return all, nil
		}
	}
	return nil, nil
}

// parseDependencies reads a Chart.yaml, Chart.lock, requirements.yaml or requirements.lock.
func parseDependencies(text []byte) ([]dependency, error) {
	var chart struct {
		Dependencies []dependency `yaml:"dependencies"`
	}
	err := strict.YAML(text, &chart)
	return chart.Dependencies, err
}

// missing is why helm could not build the dependency from the copy as it built it for a test; "" if it can.
func (d dependency) missing(files map[string]File, locked []dependency) string {
	if d.inCharts(files) {
		return ""
	}
	kind, rest, _ := strings.Cut(d.Repository, ":")
	switch kind {
	case "file":
		folder := path.Clean(strings.TrimPrefix(rest, "//"))
		if _, ok := files[path.Join(folder, "Chart.yaml")]; ok {
			return ""
		}
		return fmt.Sprintf("%s is not part of the copy; commit the dependency under charts/ (helm dependency update), or let the copy hold both folders", d.Repository)
	case "http", "https", "oci":
		return d.unlocked(locked)
	case "":
		return "it is not in charts/, and has no repository; commit it under charts/, or name its repository"
	}
	return fmt.Sprintf("%s names a repository that only one machine knows; write its address (https:// or oci://)", d.Repository)
}

// unlocked is why the version that a test had can be another one in a deployment.
func (d dependency) unlocked(locked []dependency) string {
	for _, l := range locked {
		if l.Name == d.Name && l.Version != "" {
			return ""
		}
	}
	if len(locked) > 0 {
		return "Chart.lock does not have it; run helm dependency update and commit Chart.lock"
	}
	if exactVersion().MatchString(d.Version) {
		return ""
	}
	return fmt.Sprintf("version %q may be another one at each deployment; run helm dependency update and commit Chart.lock", d.Version)
}

// inCharts reports whether the chart brings the dependency, packed or as a folder.
func (d dependency) inCharts(files map[string]File) bool {
	if _, ok := files["charts/"+d.Name+"/Chart.yaml"]; ok {
		return true
	}
	for name := range files {
		version, packed := strings.CutPrefix(name, "charts/"+d.Name+"-")
		version, archive := strings.CutSuffix(version, ".tgz")
		if packed && archive && exactVersion().MatchString(version) {
			return true
		}
	}
	return false
}
