package pipeline

// Rule is one kind of fault that Lint looks for.
type Rule struct {
	Name  string // as findings, allow comments and the flag --allow have it
	Finds string // what it finds, as the rest of a sentence that begins with "Finds"
}

// Rules are all rules, by name. A finding's severity is not the rule's: one rule may find both what fails and what
// is a matter of taste.
func Rules() []Rule {
	return []Rule{
		{"across", "an across step without variables, or with a limit that is not valid"},
		{"allow-comment", "a comment that allows a rule that does not exist, finds nothing in its line, or gives no reason"},
		{"attempts", "attempts below 1"},
		{"cycle", "jobs that wait for each other"},
		{"deprecated", "a key or a resource type that Concourse will drop"},
		{"direction", "a get of a type that only records, or a put of a type that only delivers"},
		{"display", "a background image with an address that is not http or https"},
		{"documents", "a second YAML document, which Concourse ignores"},
		{"duplicate-key", "a key that a mapping has twice"},
		{"duplicate-name", "two things of one name"},
		{"duration", "a duration that Concourse cannot read"},
		{"empty-plan", "a job or a step without steps"},
		{"group", "a job that is in no group while others are, or a group with a pattern that is not valid"},
		{"identifier", "a name that is not a valid identifier"},
		{"load-var", "a load_var step with an unknown format"},
		{"local-var", "a ((.:variable)) that no step before it sets"},
		{"loop", "a job that its own put starts again, for ever"},
		{"mapping", "an input or output mapping of a name that the task does not have"},
		{"missing-artifact", "a step that reads an artifact that no step before it makes"},
		{"missing-key", "a required key that is missing"},
		{"mixed-builds", "artifacts that are put together although they may come from different builds"},
		{"no-image", "a task without an image"},
		{"no-jobs", "a pipeline without jobs"},
		{"not-allowed", "a file that a promotion writes and its pull request may not touch"},
		{"old-version", "a resource type or task of others that is too old for a key that it is given"},
		{"passed", "a passed job that does not use the resource"},
		{"plain-secret", "a secret in plain text"},
		{"records", "a deployment that is recorded without having happened, or in the wrong place"},
		{"retention", "build log retention that keeps more successful builds than builds"},
		{"schema", "source or params that the resource type refuses"},
		{"step-kinds", "a step that is two kinds of step"},
		{"task", "a task that cannot run, or has a key without effect"},
		{"template-source", "a source of ytt or spruce in the place of a pipeline"},
		{"unknown-image", "an image of a chart that the put does not know"},
		{"unknown-job", "a job that does not exist"},
		{"unknown-key", "a key that Concourse does not know"},
		{"unknown-resource", "a resource that does not exist"},
		{"unknown-step", "a step that is of no known kind"},
		{"unknown-type", "a resource type that does not exist"},
		{"unpinned-image", "an image whose tag moves"},
		{"unreachable", "a job that can never run"},
		{"untested", "a put of something that no job has tested"},
		{"unused", "a resource or resource type that nothing uses"},
		{"var-source", "a var source of an unknown type"},
		{"variables", "a ((reference)) that cannot be read"},
		{"wrong-type", "a value of the wrong type"},
		{"yaml", "a file that is not one YAML document"},
	}
}

func ruleNames() []string {
	return namesOf(Rules(), func(r Rule) string { return r.Name })
}
