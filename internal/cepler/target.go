package cepler

// Target is the snapshot of the passed environment, whose state is upstream,
// that the environment is to get next: the oldest in upstream's queue that it
// has not taken yet and that brings a difference, or else the current one. own
// is the environment's own state, nil before its first record.
//
// latest are the files that the environment takes from the commit itself, by
// path: propagated files at those paths have no effect, so they are no
// difference. (cepler counts them, and then waits forever for a snapshot that
// changes nothing.) ignoreQueue asks for the current one, as the config's
// ignore_queue does.
func (e Environment) Target(own, upstream *State, latest map[string]string, ignoreQueue bool) *Snapshot {
	if own == nil || own.Current.PropagatedHead == "" || ignoreQueue || e.IgnoreQueue {
		return &upstream.Current
	}
	taken := own.Current.PropagatedHead
	if taken == upstream.Current.Head {
		return &upstream.Current
	}
	has := own.Current.ByPath()
	for i := newer(upstream.Queue, taken) - 1; i >= 0; i-- {
		if e.differs(upstream.Queue[i].Files, has, latest) {
			return &upstream.Queue[i]
		}
	}
	return &upstream.Current
}

// newer is how many snapshots at the front of queue are newer than the one
// with the given head: all if there is none.
func newer(queue []Snapshot, head string) int {
	for i := range queue {
		if queue[i].Head == head {
			return i
		}
	}
	return len(queue)
}

// differs reports whether a queued snapshot would change the environment. As
// with cepler, files that are gone from the snapshot do not count.
func (e Environment) differs(queued, has map[string]File, latest map[string]string) bool {
	for key, f := range queued {
		_, path := SplitKey(key)
		if has[path].Hash == f.Hash {
			continue
		}
		if _, shadowed := latest[path]; !shadowed && e.Propagated.Match(path) {
			return true
		}
	}
	return false
}

// Compose is the environment's files: latest, by path, as its commit has them,
// and those that come with target, the snapshot of the environment to pass;
// nil when there is none. A path in latest hides the propagated file. Latest
// files have no From and no Message yet, and the snapshot has no Head.
func Compose(e Environment, latest map[string]string, target *Snapshot) Snapshot {
	s := Snapshot{Files: make(map[string]File, len(latest))}
	if target != nil {
		s.PropagatedHead = target.Head
		for key, f := range target.Files {
			_, path := SplitKey(key)
			if _, shadowed := latest[path]; shadowed || f.Hash == "" || !e.Propagated.Match(path) {
				continue
			}
			s.Files[PropagatedKey(e.Passed, path)] = File{Hash: f.Hash, From: f.From, Message: f.Message}
		}
	}
	for path, hash := range latest {
		s.Files[LatestKey(path)] = File{Hash: hash}
	}
	return s
}
