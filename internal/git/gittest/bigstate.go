package gittest

import (
	"fmt"

	"github.com/taxiway-ci/taxiway/internal/cepler"
)

// record commits the state of an environment at the tip of main, as cepler does
// it.
func (b *bigWriter) record(environment string) {
	e, err := b.rules.Environment(environment)
	b.im.fail(err)
	latest := map[string]string{}
	for _, p := range b.own[environment] {
		latest[p] = b.blobs[p]
	}
	if e.Passed == "" {
		for _, p := range b.modules {
			latest[p] = b.blobs[p]
		}
	}
	own := b.states[environment]
	var target *cepler.Snapshot
	if upstream := b.states[e.Passed]; upstream != nil {
		target = e.Target(own, upstream, latest, false)
	}
	head := b.recorded[e.Passed]
	next := cepler.Compose(e, latest, target)
	for p, hash := range latest {
		from := b.last[p]
		next.Files[cepler.LatestKey(p)] = cepler.File{Hash: hash, From: b.hash(from.mark), Message: from.subject}
		head = max(head, from.mark)
	}
	next.Head = b.hash(head)
	state := own.Record(e, next, b.states)
	b.states[environment] = state
	b.onMain(bigRobot, fmt.Sprintf("ci(cepler): Updated '%s' state in '%s'", bigDeployment, environment),
		file{fmt.Sprintf(".cepler/%s/%s.state", bigDeployment, environment), string(state.Marshal())})
	b.recorded[environment] = b.tip
}
