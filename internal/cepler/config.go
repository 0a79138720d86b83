package cepler

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/taxiway-ci/taxiway/internal/strict"
)

// Config is cepler's config, usually cepler.yml.
type Config struct {
	// Path is where the config is, from the repository's root.
	Path string
	// Deployment is the name its state files are kept under, "default" if the
	// config names none.
	Deployment   string
	Environments map[string]Environment

	mistakes []string
	// warnings are by environment, "" for the config beside its environments.
	warnings map[string][]string
}

// Environment is what the config says about one environment.
type Environment struct {
	Name string
	// Passed is the environment that must have deployed a propagated file
	// first, "" without one.
	Passed string
	// Latest are the files that are taken from the commit itself.
	Latest Globs
	// Propagated are the files that are taken as Passed has them; none without
	// it.
	Propagated Globs
	// IgnoreQueue asks for what Passed has now, and not for each state that it
	// had in between.
	IgnoreQueue bool
}

// ErrUnknownEnvironment says that the config has no environment of that name.
var ErrUnknownEnvironment = errors.New("no such environment")

const (
	environmentsKey   = "environments"
	defaultDeployment = "default"
	// maxConfig is far above any config of people; the largest known has 40 KB.
	maxConfig = 1 << 20
	// maxEnvironments is what trace and the board explain in seconds.
	maxEnvironments = 2000
	// maxPatterns bounds what aliases can make of a small config.
	maxPatterns = 100_000
)

// cleanConfigPath is the plain form of the path of a config, or of another
// file of the repository: from its root, without `.` and `..`. Both cepler and
// Git know a file by that form only.
func cleanConfigPath(p string) (string, error) {
	if p == "" {
		return "", errors.New("the path is empty: give the file's path from the repository's root, like cepler.yml")
	}
	if path.IsAbs(p) {
		return "", fmt.Errorf("the path %s is absolute: give it from the repository's root, like cepler.yml", p)
	}
	if slices.Contains(strings.Split(p, "/"), "..") {
		return "", fmt.Errorf("the path %s has .. in it: give it from the repository's root, like sub/cepler.yml", p)
	}
	clean := path.Clean(p)
	if clean == "." || strings.HasSuffix(p, "/") {
		return "", fmt.Errorf("the path %s is a folder: give the file in it, like cepler.yml", p)
	}
	return clean, nil
}

// ParseConfig reads the config that is at the path file. Its errors name the file and
// the line.
//
// It is as lenient as cepler, so that every commit of a history can be read: unknown keys (merge keys
// among them) are ignored, any scalar is accepted where a text is expected, and of two environments with one
// name the later one counts; Mistakes and Warnings have what a person should know of that. It is stricter
// in what would go wrong later: patterns that cepler panics on, environments that wait for each other, and
// names that break a state file's keys or paths are refused.
func ParseConfig(file string, data []byte) (*Config, error) {
	clean, err := cleanConfigPath(file)
	if err != nil {
		return nil, err
	}
	p := configParser{
		document: document{path: clean},
		config:   &Config{Path: clean, Deployment: defaultDeployment, warnings: map[string][]string{}},
		lines:    map[string]int{},
		unpassed: map[string]int{},
	}
	root := p.root(data, maxConfig)
	if p.err == nil {
		p.top(root)
	}
	if p.err == nil {
		p.judge(root)
		p.chains()
	}
	return p.config, p.err
}

// Mistakes is an error with every misspelt key and every key that is there twice; nil without one. A
// config with mistakes means something else than was written, so nothing new may be decided by it.
func (c *Config) Mistakes() error {
	if len(c.mistakes) == 0 {
		return nil
	}
	return errors.New(strings.Join(c.mistakes, "; "))
}

// Warnings are what has no effect in one environment, or in the config beside its environments if the
// name is "". Each names the file and the line.
func (c *Config) Warnings(environment string) []string { return c.warnings[environment] }

// configShape is the config as cepler 0.7 reads it.
func configShape() *strict.Shape {
	environment := strict.Keys("name", "passed", "propagated", "latest", "ignore_queue")
	return strict.Keys("deployment").With(environmentsKey, &strict.Shape{Each: environment})
}

type configParser struct {
	document

	config   *Config
	lines    map[string]int // where each environment begins
	unpassed map[string]int // where environments without passed have propagated files
	patterns int
}

// judge notes what is misspelt, and what has no effect.
func (p *configParser) judge(root *yaml.Node) {
	mistakes, doubts := configShape().Judge(root)
	for _, f := range mistakes {
		p.config.mistakes = append(p.config.mistakes, p.faultf(f.Line, "%s", f).Error())
	}
	for _, f := range doubts {
		name, _ := strings.CutPrefix(f.Path, environmentsKey+".")
		p.warn(name, p.faultf(f.Line, "%s", f))
	}
	for name, line := range p.unpassed {
		p.warn(name, p.faultf(line, "environments.%s: propagated has no effect without passed; set passed to the environment that must deploy these files first", name))
	}
}

func (p *configParser) warn(environment string, about error) {
	p.config.warnings[environment] = append(p.config.warnings[environment], about.Error())
}

func (p *configParser) top(root *yaml.Node) {
	fields := p.unique(root, "the config", "deployment", "environments")
	environments, ok := fields["environments"]
	if !ok {
		mistakes, _ := configShape().Judge(root)
		for _, f := range mistakes { // a misspelt key is why
			p.failf(f.Line, "%s", f)
		}
		p.failf(root.Line, "the config has no environments")
		return
	}
	if f, ok := fields["deployment"]; ok {
		p.deployment(f)
	}
	p.environments(environments)
}

// unique are the known fields of a mapping; none of them may be there twice.
func (p *configParser) unique(n *yaml.Node, what string, known ...string) map[string]field {
	out := map[string]field{}
	for _, f := range p.fields(n, what) {
		if !slices.Contains(known, f.name) {
			continue
		}
		if first, ok := out[f.name]; ok {
			p.failf(f.line, "%s has %s twice, first in line %d", what, f.name, first.line)
		}
		out[f.name] = f
	}
	return out
}

func (p *configParser) deployment(f field) {
	name := p.scalar(f.value, "deployment")
	for part := range strings.SplitSeq(name, "/") {
		if part == "." || part == ".." {
			p.failf(f.line, "deployment: the name %q must not have %s as a part: it is a folder for state files", name, part)
		}
	}
	if strings.HasPrefix(name, "/") || strings.Contains(name, "\x00") {
		p.failf(f.line, "deployment: the name %q can't be a folder for state files", name)
	}
	p.config.Deployment = name
}

func (p *configParser) environments(f field) {
	all := p.fields(f.value, "environments")
	if len(all) > maxEnvironments {
		p.failf(f.line, "environments: the config has %d environments, and at most %d are allowed; split it into several configs", len(all), maxEnvironments)
	}
	p.config.Environments = make(map[string]Environment, len(all))
	for _, f := range all {
		p.name(f)
		p.config.Environments[f.name] = p.environment(f)
		p.lines[f.name] = f.line
	}
}

// name refuses names that a state file's keys, or its path, can't hold.
func (p *configParser) name(f field) {
	switch {
	case f.name == "":
		p.failf(f.line, "an environment has an empty name")
	case f.name == latest:
		p.failf(f.line, "environment %q: the name is taken: state files mark an environment's own files with it; choose another", f.name)
	case strings.ContainsAny(f.name, "}/\x00"):
		p.failf(f.line, "environment %q: a name must not have } or / in it: it is part of the keys and the path of its state file", f.name)
	}
}

func (p *configParser) environment(f field) Environment {
	env := Environment{Name: f.name}
	what := "environments." + f.name
	fields := p.unique(f.value, what, "name", "passed", "propagated", "latest", "ignore_queue")
	if f, ok := fields["name"]; ok {
		_ = p.scalar(f.value, what+".name") // cepler reads it as a text, and then overwrites it
	}
	if f, ok := fields["passed"]; ok && !isNull(f.value) {
		env.Passed = p.scalar(f.value, what+".passed")
		if env.Passed == "" {
			p.failf(f.line, "%s.passed is an empty text: name an environment, or omit the key", what)
		}
	}
	if f, ok := fields["ignore_queue"]; ok {
		env.IgnoreQueue = p.boolean(f.value, what+".ignore_queue")
	}
	if f, ok := fields["latest"]; ok {
		env.Latest = p.globs(f.value, what+".latest", true)
	}
	if f, ok := fields["propagated"]; ok {
		env.Propagated = p.globs(f.value, what+".propagated", env.Passed != "")
		if env.Passed == "" && len(resolve(f.value).Content) > 0 {
			p.unpassed[env.Name] = f.line
		}
	}
	return env
}

// globs reads a list of patterns; those that are not used are not compiled.
func (p *configParser) globs(n *yaml.Node, what string, used bool) Globs {
	line := n.Line
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		p.failf(line, "%s: want a list of patterns, got %s", what, describe(n))
	}
	if p.patterns += len(n.Content); p.patterns > maxPatterns {
		p.failf(line, "%s: the config has more than %d patterns", what, maxPatterns)
	}
	if p.err != nil {
		return nil
	}
	globs := make(Globs, 0, len(n.Content))
	for _, item := range n.Content {
		pattern := p.scalar(item, what)
		if !used {
			continue
		}
		g, err := ParseGlob(pattern)
		if err != nil {
			p.failf(item.Line, "%s: %w", what, err)
		}
		globs = append(globs, g)
	}
	return globs
}

// chains checks that each passed names an environment, and that none waits for
// itself.
func (p *configParser) chains() {
	names := slices.SortedFunc(maps.Keys(p.config.Environments), func(a, b string) int { return cmp.Or(p.lines[a]-p.lines[b], strings.Compare(a, b)) })
	for _, name := range names {
		passed := p.config.Environments[name].Passed
		if passed == "" {
			continue
		}
		if _, ok := p.config.Environments[passed]; !ok {
			p.failf(p.lines[name], "environments.%s.passed: environment %q is not defined; %s", name, passed, didYouMean(passed, names))
			return
		}
	}
	fine := map[string]bool{}
	for _, name := range names {
		if cycle := p.config.cycle(name, fine); cycle != nil {
			p.failf(p.lines[name], "environments.%s.passed: the environments wait for each other: %s", name, strings.Join(cycle, " → "))
			return
		}
	}
}

// cycle is the way from an environment back to itself, nil if there is none.
// fine are the environments that are known to be in none, and gains those that
// were looked at.
func (c *Config) cycle(name string, fine map[string]bool) []string {
	var way []string
	for at := name; at != "" && !fine[at]; at = c.Environments[at].Passed {
		if first := slices.Index(way, at); first >= 0 {
			return append(way[first:], at)
		}
		way = append(way, at)
	}
	for _, at := range way {
		fine[at] = true
	}
	return nil
}

// StatesFolder is the folder beside a config that has a folder of state files for each deployment.
const StatesFolder = ".cepler"

// StateDir is the folder of the deployment's state files, from the
// repository's root.
func (c *Config) StateDir() string {
	return path.Join(path.Dir(c.Path), StatesFolder, c.Deployment)
}

// StatePath is the state file of an environment, from the repository's root.
func (c *Config) StatePath(environment string) string {
	return c.StateDir() + "/" + environment + ".state"
}

// Environment is the environment of that name. The error of one that the
// config does not have is ErrUnknownEnvironment.
func (c *Config) Environment(name string) (Environment, error) {
	env, ok := c.Environments[name]
	if !ok {
		return env, fmt.Errorf("%w %q in %s; %s", ErrUnknownEnvironment, name, c.Path, didYouMean(name, slices.Collect(maps.Keys(c.Environments))))
	}
	return env, nil
}

// InOrder are the names of the environments, each after the one it must pass.
func (c *Config) InOrder() []string {
	var order []string
	var add func(name string)
	add = func(name string) {
		if name == "" || slices.Contains(order, name) {
			return
		}
		add(c.Environments[name].Passed)
		order = append(order, name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Environments)) {
		add(name)
	}
	return order
}
