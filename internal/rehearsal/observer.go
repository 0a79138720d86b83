package rehearsal

// Observer is told what happens, as it happens, by one goroutine at a time.
type Observer interface {
	// Found: a check brought versions that were not there before.
	Found(resource string, versions []Version)
	// CheckFailed: the resource cannot be looked at.
	CheckFailed(resource string, err error)
	// Started: a build begins. Its steps are not there yet.
	Started(b *Build)
	// Step: a step of the build ended.
	Step(b *Build, s StepRecord)
	// Ended: a build is over.
	Ended(b *Build)
}

// observers tells several what happens; it may be empty.
type observers []Observer

// Found tells all.
func (all observers) Found(resource string, versions []Version) {
	for _, o := range all {
		o.Found(resource, versions)
	}
}

// CheckFailed tells all.
func (all observers) CheckFailed(resource string, err error) {
	for _, o := range all {
		o.CheckFailed(resource, err)
	}
}

// Started tells all.
func (all observers) Started(b *Build) {
	for _, o := range all {
		o.Started(b)
	}
}

// Step tells all.
func (all observers) Step(b *Build, s StepRecord) {
	for _, o := range all {
		o.Step(b, s)
	}
}

// Ended tells all.
func (all observers) Ended(b *Build) {
	for _, o := range all {
		o.Ended(b)
	}
}
