package pipeline

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/taxiway-ci/taxiway/internal/nearest"
)

// names: identifiers and names that are given twice.
func (l *linter) names() {
	seen := map[string]map[string]int{}
	once := func(what, name string, line int) {
		if name == "" {
			return
		}
		if seen[what] == nil {
			seen[what] = map[string]int{}
		}
		if first, twice := seen[what][name]; twice {
			l.errorf(line, "duplicate-name", "rename one of them", "two %ss are called %s, the other one in line %d", what, quote(name), first)
			return
		}
		seen[what][name] = line
		l.identifier(what, name, line)
	}
	for _, t := range l.p.ResourceTypes {
		once("resource type", t.Name, t.Line)
	}
	for _, r := range l.p.Resources {
		once("resource", r.Name, r.Line)
	}
	for _, j := range l.p.Jobs {
		once("job", j.Name, j.Line)
	}
	for _, g := range l.p.Groups {
		once("group", g.Name, g.Line)
	}
	for _, v := range l.p.VarSources {
		once("var source", v.Name, v.Line)
	}
	for _, j := range l.p.Jobs {
		l.stepNames(j)
	}
}

// stepNames: each get makes an artifact of its own, and each variable is set once.
func (l *linter) stepNames(j Job) {
	l.localVars(j, j.Steps(), []map[string]int{{}})
	gets := map[string]int{}
	for _, s := range j.AllSteps() {
		name := s.Name()
		if name == "" {
			continue
		}
		if s.Across == nil || s.Kind != KindTask && s.Kind != KindSetPipeline {
			l.identifier(string(s.Kind)+" step", name, s.Line)
		}
		if s.Kind != KindGet {
			continue
		}
		if first, twice := gets[name]; twice {
			l.errorf(s.Line, "duplicate-name", "give one of them another name and say resource: "+s.Get.Resource, "job %s gets %s twice, first in line %d", quote(j.Name), quote(name), first)
			continue
		}
		gets[name] = s.Line
	}
}

// localVars: a scope has a variable once. An across opens a scope for its step, not for the hooks around it, and what it
// sets there hides what is set outside; fly only warns of that, and refuses it with --strict (atc/step_validator.go).
func (l *linter) localVars(j Job, s Step, scopes []map[string]int) {
	inner := scopes
	if s.Across != nil {
		inner = append(slices.Clone(scopes), map[string]int{})
		for _, v := range s.Across.Vars {
			l.localVar(j, v.Var, v.Line, inner)
		}
	}
	if s.Kind == KindLoadVar {
		l.localVar(j, s.Name(), s.Line, inner)
	}
	body := s
	body.Hooks = Hooks{}
	for _, step := range body.inner() {
		l.localVars(j, step, inner)
	}
	for _, hook := range s.all() {
		l.localVars(j, *hook, scopes)
	}
}

func (l *linter) localVar(j Job, name string, line int, scopes []map[string]int) {
	if name == "" {
		return
	}
	for i, scope := range slices.Backward(scopes) {
		first, twice := scope[name]
		if !twice {
			continue
		}
		if i == len(scopes)-1 {
			l.errorf(line, "duplicate-name", "give one of them another name", "job %s sets the variable %s twice, first in line %d", quote(j.Name), quote(name), first)
		} else {
			l.errorf(line, "duplicate-name", "give one of them another name", "job %s sets the variable %s within an across, which hides the one of line %d", quote(j.Name), quote(name), first)
		}
		break
	}
	scopes[len(scopes)-1][name] = line
}

var (
	onlyDigits = regexp.MustCompile(`^\d+$`)
	validName  = regexp.MustCompile(`^[\p{Ll}\p{Lt}\p{Lm}\p{Lo}\d][\p{Ll}\p{Lt}\p{Lm}\p{Lo}\d\-_.]*$`)
)

// identifier holds a name against Concourse's rules (atc/configwarning.go); fly only warns, and refuses with --strict.
func (l *linter) identifier(what, name string, line int) {
	switch {
	case onlyDigits.MatchString(name):
		l.errorf(line, "identifier", "add a letter", "the name of %s %s is only digits", what, quote(name))
	case !validName.MatchString(name):
		l.errorf(line, "identifier", "use lower-case letters, digits, - _ and ., and begin with a letter or a digit", "%s is not a valid name for a %s", quote(name), what)
	}
}

// groups: every pattern finds a job, every resource exists, and once there are groups every job is in one.
func (l *linter) groups() {
	grouped := map[string]bool{}
	for _, g := range l.p.Groups {
		for _, pattern := range g.Jobs {
			l.groupPattern(g, pattern, grouped)
		}
		for _, r := range g.Resources {
			if _, ok := l.p.Resource(r.Value); !ok {
				l.errorf(r.Line, "unknown-resource", didYouMean(r.Value, l.resourceNames()), "group %s shows resource %s, which does not exist", quote(g.Name), quote(r.Value))
			}
		}
	}
	if len(l.p.Groups) == 0 {
		return
	}
	for _, j := range l.p.Jobs {
		if !grouped[j.Name] {
			l.errorf(j.Line, "group", "list it in one", "job %s is in no group, so the web view would not show it", quote(j.Name))
		}
	}
}

func (l *linter) groupPattern(g Group, pattern Text, grouped map[string]bool) {
	if !doublestar.ValidatePattern(pattern.Value) {
		l.errorf(pattern.Line, "group", "", "group %s has a pattern that cannot be read: %s", quote(g.Name), quote(pattern.Value))
		return
	}
	found := false
	for _, j := range l.p.Jobs {
		if doublestar.MatchUnvalidated(pattern.Value, j.Name) {
			grouped[j.Name], found = true, true
		}
	}
	if !found {
		l.errorf(pattern.Line, "unknown-job", didYouMean(pattern.Value, l.jobNames()), "group %s lists job %s, which does not exist", quote(g.Name), quote(pattern.Value))
	}
}

// varSources: the credential managers that a pipeline may bring along (atc/configvalidate).
func (l *linter) varSources() {
	known := []string{"vault", "dummy", "ssm", "secretsmanager", "idtoken"}
	for _, v := range l.p.VarSources {
		if v.Type != "" && !slices.Contains(known, v.Type) {
			l.errorf(v.Line, "var-source", didYouMean(v.Type, known), "var source %s has the type %s, which a pipeline cannot have", quote(v.Name), quote(v.Type))
			continue
		}
		switch {
		case slices.Contains([]string{"vault", "dummy", "idtoken"}, v.Type) && !v.Config.IsMapping():
			l.errorf(v.Line, "wrong-type", "", "config of var source %s must be a mapping", quote(v.Name))
		case v.Type == "dummy" && !v.Config.Field("vars").IsMapping():
			l.errorf(v.Line, "wrong-type", "", "config of var source %s must have a mapping of vars", quote(v.Name))
		}
	}
}

// resourceTypes: types exist, and the listed ones are used.
func (l *linter) resourceTypes() {
	used := map[string]bool{}
	check := func(what, name string, line int) {
		used[name] = true
		if _, ok := l.p.ResourceType(name); ok || name == "" || slices.Contains(coreTypes(), name) || HasRef(name) {
			return
		}
		known := coreTypes()
		for _, t := range l.p.ResourceTypes {
			known = append(known, t.Name)
		}
		mend := "list it under resource_types"
		if n := nearest.Of(name, known); n != "" {
			mend = "did you mean " + quote(n) + "? Otherwise " + mend
		}
		l.errorf(line, "unknown-type", mend, "%s has the type %s, which neither the file nor Concourse has", what, quote(name))
	}
	for _, r := range l.p.Resources {
		check("resource "+quote(r.Name), r.Type, r.Line)
	}
	for _, t := range l.p.ResourceTypes {
		check("resource type "+quote(t.Name), t.Type, t.Line)
	}
	for _, s := range l.p.AllSteps() {
		if s.Kind == KindTask && s.Task.Config != nil && s.Task.Config.ImageResource != nil {
			i := s.Task.Config.ImageResource
			check("the image of task "+quote(s.Task.Name), i.Type, i.Line)
		}
	}
	for _, t := range l.p.ResourceTypes {
		if !used[t.Name] {
			l.warnf(t.Line, "unused", "remove it", "resource type %s is not used", quote(t.Name))
		}
	}
}

// coreTypes come with a Concourse worker (https://concourse-ci.org/docs/resource-types/), those of older versions included.
func coreTypes() []string {
	return []string{
		"bosh-deployment", "bosh-io-release", "bosh-io-stemcell", "cf", "docker-image", "git", "github-release", "hg", "mock", "pool",
		"registry-image", "s3", "semver", "time", "tracker",
	}
}

// uses: steps name resources that exist, and every resource is named by a step.
func (l *linter) uses() {
	if len(l.p.Jobs) == 0 {
		l.errorf(1, "no-jobs", "add one", "the pipeline has no jobs")
	}
	used := map[string]bool{}
	for _, j := range l.p.Jobs {
		switch {
		case !j.hasPlan:
			l.errorf(j.Line, "empty-plan", "give it a plan", "job %s has no plan", quote(j.Name))
		case len(j.Plan) == 0:
			l.errorf(j.Line, "empty-plan", "give it steps or remove the job", "job %s has an empty plan and would do nothing", quote(j.Name))
		}
		for _, s := range j.AllSteps() {
			l.use(j, s, used)
		}
	}
	if slices.ContainsFunc(l.p.Jobs, Job.broken) {
		return
	}
	for _, r := range l.p.Resources {
		if !used[r.Name] {
			l.errorf(r.Line, "unused", "get or put it somewhere, or remove it", "resource %s is not used", quote(r.Name))
		}
	}
}

func (l *linter) use(j Job, s Step, used map[string]bool) {
	switch s.Kind {
	case KindGet:
		used[s.Get.Resource] = true
		l.resourceExists(s, s.Get.Resource)
		if l.typeOf(s.Get.Resource) == ceplerOut && len(s.Get.Passed) == 0 { // with passed, it has the versions of that job's puts
			l.errorf(s.Line, "direction", "get the cepler-in resource of the environment, or what a job recorded, with passed", "get %s: a cepler-out resource only records, and finds no versions", quote(s.Get.Name))
		}
		for _, passed := range s.Get.Passed {
			l.passed(s, passed)
		}
	case KindPut:
		used[s.Put.Resource] = true
		l.resourceExists(s, s.Put.Resource)
		if l.typeOf(s.Put.Resource) == ceplerIn {
			l.errorf(s.Line, "direction", "put the cepler-out resource of the environment", "put %s: a cepler-in resource only delivers, it records nothing", quote(s.Put.Name))
		}
	case KindDo:
		if len(s.Do) == 0 && s.Line != j.Line {
			l.errorf(s.Line, "empty-plan", "give it steps or remove it", "this do step has no steps")
		}
	case KindInParallel:
		if len(s.InParallel.Steps) == 0 {
			l.errorf(s.Line, "empty-plan", "give it steps or remove it", "this in_parallel step has no steps")
		}
	case KindTask:
		l.taskOptions(s)
	default:
	}
}

// taskOptions are what fly warns of, and refuses with --strict.
func (l *linter) taskOptions(s Step) {
	c := s.Task.Config
	if c != nil && s.Task.Image != "" && (c.ImageResource != nil || c.RootfsURI != "") {
		l.errorf(s.Line, "task", "keep one of them", "task %s has an image in the step, which makes the one in its config useless", quote(s.Task.Name))
	}
	if s.Task.Hermetic {
		l.errorf(s.Line, "task", "leave it out", "task %s is hermetic, which works on containerd workers only", quote(s.Task.Name))
	}
}

func (l *linter) resourceExists(s Step, name string) {
	if _, ok := l.p.Resource(name); !ok && name != "" {
		l.errorf(s.Line, "unknown-resource", didYouMean(name, l.resourceNames()), "%s %s: there is no resource %s", s.Kind, quote(s.Name()), quote(name))
	}
}

// passed: the job exists (Concourse takes patterns here too) and has anything to do with the resource.
func (l *linter) passed(s Step, job Text) {
	found := false
	for _, j := range l.p.Jobs {
		if ok, err := path.Match(job.Value, j.Name); err != nil || !ok {
			continue
		}
		found = true
		if !j.uses(s.Get.Resource) {
			l.errorf(job.Line, "passed", "let that job get or put it, or take the job out of passed",
				"get %s: job %s neither gets nor puts resource %s, so no version of it ever passed", quote(s.Get.Name), quote(j.Name), quote(s.Get.Resource))
		}
	}
	if !found {
		l.errorf(job.Line, "unknown-job", didYouMean(job.Value, l.jobNames()), "get %s: passed names job %s, which does not exist", quote(s.Get.Name), quote(job.Value))
	}
}

func (j Job) uses(resource string) bool {
	return slices.ContainsFunc(j.AllSteps(), func(s Step) bool {
		return s.Kind == KindGet && s.Get.Resource == resource || s.Kind == KindPut && s.Put.Resource == resource
	})
}

// order: passed makes no circle, and every job can start.
func (l *linter) order() {
	if circle := l.circle(); circle != nil {
		j, _ := l.p.Job(circle[0])
		l.errorf(j.Line, "cycle", "break it", "jobs wait for each other: %s", strings.Join(append(circle, circle[0]), " waits for "))
		return
	}
	starts := map[string]string{} // job -> why it cannot start; "" when it can
	for _, j := range l.p.Jobs {
		if why := l.cannotStart(j, starts); why != "" {
			l.errorf(j.Line, "unreachable", "set trigger: true on a get, or allow starting it by hand", "job %s can never run: %s", quote(j.Name), why)
		}
	}
}

// before are the jobs whose builds a job waits for.
func (l *linter) before(j Job) []Job {
	var jobs []Job
	for _, s := range j.AllSteps() {
		if s.Kind != KindGet {
			continue
		}
		for _, passed := range s.Get.Passed {
			for _, other := range l.p.Jobs {
				if ok, err := path.Match(passed.Value, other.Name); err == nil && ok {
					jobs = append(jobs, other)
				}
			}
		}
	}
	return jobs
}

// circle returns jobs that wait for each other in turn, or nil.
func (l *linter) circle() []string {
	done := map[string]bool{}
	var visit func(j Job, trail []string) []string
	visit = func(j Job, trail []string) []string {
		if i := slices.Index(trail, j.Name); i >= 0 {
			return trail[i:]
		}
		if done[j.Name] {
			return nil
		}
		for _, other := range l.before(j) {
			if found := visit(other, append(slices.Clone(trail), j.Name)); found != nil {
				return found
			}
		}
		done[j.Name] = true
		return nil
	}
	for _, j := range l.p.Jobs {
		if found := visit(j, nil); found != nil {
			return found
		}
	}
	return nil
}

// cannotStart explains why a job never runs. Jobs that wait for such a job never run either.
func (l *linter) cannotStart(j Job, known map[string]string) string {
	if why, ok := known[j.Name]; ok {
		return why
	}
	known[j.Name] = ""
	why := ""
	if j.DisableManualTrigger && !j.triggered() {
		why = "it cannot be started by hand and no get triggers it"
	}
	for _, other := range l.before(j) {
		if why == "" && l.cannotStart(other, known) != "" {
			why = fmt.Sprintf("it waits for job %s, which can never run", quote(other.Name))
		}
	}
	known[j.Name] = why
	return why
}

func (j Job) triggered() bool {
	return slices.ContainsFunc(j.AllSteps(), func(s Step) bool { return s.Kind == KindGet && s.Get.Trigger })
}

// retention: numbers that contradict each other, and the key that newer ones replaced.
func (l *linter) retention() {
	for _, j := range l.p.Jobs {
		if !j.BuildLogsToRetain.IsZero() {
			l.errorf(j.BuildLogsToRetain.Line(), "deprecated", "write build_log_retention: {builds: N}", "job %s has build_logs_to_retain, which is deprecated", quote(j.Name))
		}
		known := []string{"builds", "days", "minimum_succeeded_builds"}
		for _, f := range j.BuildLogRetention.Fields() {
			n, isNumber := f.Value.Data().(int64)
			switch {
			case !slices.Contains(known, f.Name):
				l.errorf(f.Line, "unknown-key", didYouMean(f.Name, known), "build_log_retention has no key %s", quote(f.Name))
			case !isNumber || n < 0:
				l.errorf(f.Line, "wrong-type", "", "%s of build_log_retention must be a whole number, not below 0", quote(f.Name))
			}
		}
		builds, _ := j.BuildLogRetention.Field("builds").Data().(int64)
		kept, _ := j.BuildLogRetention.Field("minimum_succeeded_builds").Data().(int64)
		if builds > 0 && kept > builds {
			l.errorf(j.BuildLogRetention.Line(), "retention", "", "job %s keeps the logs of %d builds but wants %d successful ones among them", quote(j.Name), builds, kept)
		}
	}
}

func (l *linter) resourceNames() []string {
	return namesOf(l.p.Resources, func(r Resource) string { return r.Name })
}

func (l *linter) jobNames() []string {
	return namesOf(l.p.Jobs, func(j Job) string { return j.Name })
}

func namesOf[T any](all []T, name func(T) string) []string {
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = name(one)
	}
	return names
}
