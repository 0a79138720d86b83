package cepler

// Record is the environment's state after next was deployed. s, its state
// before, may be nil: then this is the first record. s is left as it is.
//
// others are the states of the other environments, by name. Those that are
// propagated from e keep in its queue what they have not taken yet; one without
// a place in the queue (no PropagatedHead) gets the current snapshot next, and
// keeps nothing. They are
// to be limited to the environments that the config still has: one that left
// it would take nothing any more, and the queue would grow forever.
func (s *State) Record(e Environment, next Snapshot, others map[string]*State) *State {
	out := &State{Version: 1, Current: next, PropagatedFrom: e.Passed}
	if s == nil {
		return out
	}
	out.Version = s.Version + 1
	queue := append([]Snapshot{s.Current}, s.Queue...)
	keep := 0
	for _, other := range others {
		if other == nil || other.PropagatedFrom != e.Name {
			continue
		}
		taken := other.Current.PropagatedHead
		if taken != "" && taken != next.Head {
			keep = max(keep, newer(queue, taken))
		}
	}
	if keep > 0 {
		out.Queue = queue[:keep:keep]
	}
	return out
}
