package gittest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// record commits the state of an environment at the tip of main, as cepler does
// it.
func (b *bigWriter) record(environment string) {
	envs := bigEnvironments()
	at := slices.Index(envs, environment)
	next := &bigSnapshot{files: map[string]bigFile{}}
	paths := b.own[environment]
	if at == 0 {
		paths = slices.Concat(paths, b.modules)
	}
	for _, p := range paths {
		next.files["{latest}/"+p] = bigFile{b.blobs[p], b.last[p]}
		next.head = max(next.head, b.last[p].mark)
	}
	s := b.states[environment]
	if s == nil {
		s = &bigState{}
		b.states[environment] = s
	}
	upstream := ""
	if at > 0 {
		upstream = envs[at-1]
		b.propagate(upstream, s, next)
	}
	if s.current != nil {
		s.queue = slices.Insert(s.queue, 0, s.current)
	}
	s.version++
	s.current = next
	if at+1 < len(envs) {
		s.prune(b.states[envs[at+1]])
	} else {
		s.queue = nil
	}
	b.onMain(bigRobot, fmt.Sprintf("ci(cepler): Updated '%s' state in '%s'", bigDeployment, environment),
		file{fmt.Sprintf(".cepler/%s/%s.state", bigDeployment, environment), b.stateText(s, upstream)})
	s.commit = b.tip
}

// propagate takes the modules over from what is next in the upstream's queue.
func (b *bigWriter) propagate(upstream string, own *bigState, next *bigSnapshot) {
	up := b.states[upstream]
	from := up.current
	if own.current != nil {
		for _, q := range up.queue {
			if q.head == own.current.propagatedHead {
				break
			}
			from = q
		}
	}
	next.propagatedHead = from.head
	next.head = max(next.head, up.commit)
	for key, f := range from.files {
		_, p, _ := strings.Cut(key, "}/")
		if strings.HasPrefix(p, "modules/") {
			next.files["{"+upstream+"}/"+p] = f
		}
	}
}

// prune keeps what the downstream environment has not reached yet.
func (s *bigState) prune(downstream *bigState) {
	keep := 0
	if downstream != nil && downstream.current.propagatedHead != s.current.head {
		for n, q := range s.queue {
			if q.head == downstream.current.propagatedHead {
				break
			}
			keep = n + 1
		}
	}
	s.queue = s.queue[:keep]
}

// stateText is the file cepler writes.
func (b *bigWriter) stateText(s *bigState, upstream string) string {
	var y strings.Builder
	fmt.Fprintf(&y, "---\nversion: %d\ncurrent:\n", s.version)
	b.snapshotText(&y, s.current, "  ", "  ")
	if upstream != "" {
		fmt.Fprintf(&y, "propagated_from: %s\n", upstream)
	}
	if len(s.queue) > 0 {
		y.WriteString("propagation_queue:\n")
		for _, q := range s.queue {
			b.snapshotText(&y, q, "  - ", "    ")
		}
	}
	y.WriteString("\n")
	return y.String()
}

func (b *bigWriter) snapshotText(y *strings.Builder, s *bigSnapshot, first, indent string) {
	fmt.Fprintf(y, "%shead_commit: %s\n", first, b.hash(s.head))
	if s.propagatedHead != 0 {
		fmt.Fprintf(y, "%spropagated_head: %s\n", indent, b.hash(s.propagatedHead))
	}
	fmt.Fprintf(y, "%sfiles:\n", indent)
	for _, key := range slices.Sorted(maps.Keys(s.files)) {
		f := s.files[key]
		fmt.Fprintf(y, "%[1]s  %[2]q:\n%[1]s    file_hash: %[3]s\n%[1]s    from_commit: %[4]s\n%[1]s    message: %[5]q\n",
			indent, key, f.hash, b.hash(f.from.mark), f.from.subject)
	}
}
