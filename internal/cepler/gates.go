package cepler

import "time"

// Gates are the gates of a gates file, by environment.
type Gates struct{ gates map[string]Gate }

// Gate is how far an environment may see, and the rules for promoting to it.
type Gate struct {
	// Commit is where the environment's view of the branch ends: HEAD, or a
	// commit in any form that Git knows.
	Commit string
	// Soak is how long the passed environment must have run a state.
	Soak time.Duration
}

// Facts are what the rules of a gate are decided by.
type Facts struct {
	Now time.Time
	// UpstreamRecorded is when the passed environment recorded what is to be
	// deployed; zero when nothing comes from it.
	UpstreamRecorded time.Time
	// Upstream is the passed environment's name, for the reasons.
	Upstream string
	// Approved reports whether an approval of that commit covers what is to be
	// deployed.
	Approved func(commit string) bool
}

// Verdict says whether a gate lets something through.
type Verdict struct {
	Open bool
	// Until is when it may open next; zero if it is open, or if only a person
	// can open it.
	Until time.Time
	// Reasons say why it is closed, each for people; empty when it is open.
	Reasons []string
}

// For is the gate of an environment, and whether the file has one.
func (g *Gates) For(environment string) (Gate, bool) {
	gate, ok := g.gates[environment]
	return gate, ok
}

// ParseGates reads the gates file that is at path.
func ParseGates(path string, data []byte) (*Gates, error) {
	d := document{path}
	root, err := d.root(data, maxConfig)
	if err != nil {
		return nil, err
	}
	fields, err := d.fields(root, "the gates")
	if err != nil {
		return nil, err
	}
	out := &Gates{gates: map[string]Gate{}}
	for _, f := range fields {
		commit, err := d.scalar(f.value, f.name)
		if err != nil {
			return nil, err
		}
		out.gates[f.name] = Gate{Commit: commit}
	}
	return out, nil
}

// HasRules reports whether anything but the commit decides.
func (g Gate) HasRules() bool { return g.Soak > 0 }

// Decide says whether the gate is open now. All rules have to allow it.
func (g Gate) Decide(_ Facts) Verdict { return Verdict{Open: true} }
