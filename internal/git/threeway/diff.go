package threeway

import "math"

// span is a part of both texts of a comparison; the ends are exclusive.
type span struct{ a0, a1, b0, b1 int }

func (s span) empty() bool { return s.a0 == s.a1 || s.b0 == s.b1 }

// differ marks in both texts the lines that the other one lacks.
type differ struct {
	a, b *text
	// occurs and next are of the span at work: how often the line at a position of a occurs, and
	// where it occurs next.
	occurs, next []int
	work         int // lines that were looked at, see maxWork
}

// maxWork is the number of steps after which a comparison takes the rest for changed. Ordinary texts
// need a few steps a line; 1<<28 are some seconds.
const maxWork = 1 << 28

func (d *differ) same(i, j int) bool { return d.a.numbers[i] == d.b.numbers[j] }

func (d *differ) markAll(s span) {
	d.a.mark(s.a0, s.a1)
	d.b.mark(s.b0, s.b1)
}

// maxOccurs is how often a line may occur to be an anchor, as in git.
const maxOccurs = 64

// histogram splits a span at the common region whose rarest line is the rarest of all, of several
// such regions at the longest, and goes on with what is before and after it.
func (d *differ) histogram(s span) {
	for {
		if s.empty() || d.work > maxWork {
			d.markAll(s)
			return
		}
		d.work += s.a1 - s.a0 + s.b1 - s.b0
		region, common := d.rarest(s)
		switch {
		case region.a0 == region.a1 && common:
			d.myers(s)
			return
		case region.a0 == region.a1:
			d.markAll(s)
			return
		}
		d.histogram(span{s.a0, region.a0, s.b0, region.b0})
		s.a0, s.b0 = region.a1, region.b1
	}
}

// rarest returns the region to split a span at; it is empty if the span cannot be split. common reports
// whether the texts share lines at all.
func (d *differ) rarest(s span) (best span, common bool) {
	first := d.index(s)
	rare := maxOccurs + 1 // occurrences of the rarest line of the best region
	for j := s.b0; j < s.b1; {
		following := j + 1
		i, ok := first[d.b.numbers[j]]
		if !ok {
			j = following
			continue
		}
		common = true
		if d.occurs[i-s.a0] > rare {
			j = following
			continue
		}
		for i >= 0 {
			region, occurs := d.extend(s, i, j)
			following = max(following, region.b1)
			if region.a1-region.a0 > best.a1-best.a0 || occurs < rare {
				best, rare = region, occurs
			}
			for i >= 0 && i < region.a1 {
				i = d.next[i-s.a0]
			}
		}
		j = following
	}
	if rare > maxOccurs {
		return span{}, common
	}
	return best, common
}

// index counts the lines of a in a span and returns where each of them occurs first.
func (d *differ) index(s span) (first map[int32]int) {
	n := s.a1 - s.a0
	if cap(d.occurs) < n {
		d.occurs, d.next = make([]int, n), make([]int, n)
	}
	d.occurs, d.next = d.occurs[:n], d.next[:n]
	first = make(map[int32]int, n)
	count := make(map[int32]int, n)
	for i := s.a1 - 1; i >= s.a0; i-- {
		line := d.a.numbers[i]
		d.next[i-s.a0] = -1
		if next, ok := first[line]; ok {
			d.next[i-s.a0] = next
		}
		first[line] = i
		count[line]++
	}
	for i := s.a0; i < s.a1; i++ {
		d.occurs[i-s.a0] = count[d.a.numbers[i]]
	}
	return first
}

// extend grows a pair of equal lines to the longest common region around it, and returns how often
// its rarest line occurs.
func (d *differ) extend(s span, i, j int) (region span, rare int) {
	region, rare = span{i, i + 1, j, j + 1}, d.occurs[i-s.a0]
	for region.a0 > s.a0 && region.b0 > s.b0 && d.same(region.a0-1, region.b0-1) {
		region.a0, region.b0 = region.a0-1, region.b0-1
		rare = min(rare, d.occurs[region.a0-s.a0])
	}
	for region.a1 < s.a1 && region.b1 < s.b1 && d.same(region.a1, region.b1) {
		rare = min(rare, d.occurs[region.a1-s.a0])
		region.a1, region.b1 = region.a1+1, region.b1+1
	}
	d.work += region.a1 - region.a0
	return region, rare
}

// maxCost is the number of edits after which the search for the shortest difference of a span gives
// up and takes the best way found so far. It keeps the time linear for texts without much in common.
const maxCost = 1 << 10

// myers marks the differences of a span by the shortest edit script.
func (d *differ) myers(s span) {
	for {
		for !s.empty() && d.same(s.a0, s.b0) {
			s.a0, s.b0 = s.a0+1, s.b0+1
		}
		for !s.empty() && d.same(s.a1-1, s.b1-1) {
			s.a1, s.b1 = s.a1-1, s.b1-1
		}
		if s.empty() || d.work > maxWork {
			d.markAll(s)
			return
		}
		i, j := d.middle(s)
		if i == s.a0 && j == s.b0 || i == s.a1 && j == s.b1 {
			d.markAll(s)
			return
		}
		d.myers(span{s.a0, i, s.b0, j})
		s.a0, s.b0 = i, j
	}
}

// frontier is how far each diagonal has come, as a position in a. Diagonals are numbered i-j.
type frontier struct {
	at     []int
	offset int
}

func newFrontier(limit int) frontier {
	return frontier{make([]int, 2*limit+3), limit + 1} //nolint:mnd // diagonals on both sides, and one beyond each end
}

func (f frontier) get(k int) int    { return f.at[k+f.offset] }
func (f frontier) set(k, value int) { f.at[k+f.offset] = value }

// middle returns a point on a shortest way through a span, at which it is split.
func (d *differ) middle(s span) (i, j int) {
	n, m := s.a1-s.a0, s.b1-s.b0
	limit := min((n+m+1)/2, maxCost)
	forward, backward := newFrontier(limit), newFrontier(limit)
	forward.set(1, 0)
	backward.set(1, 0)
	delta := n - m
	for cost := range limit + 1 {
		d.work += cost
		for k := -cost; k <= cost; k += 2 {
			x := furthest(forward, k, cost)
			for x < n && x-k < m && x-k >= 0 && d.same(s.a0+x, s.b0+x-k) {
				x++
			}
			forward.set(k, x)
			back := delta - k
			if delta%2 != 0 && back > -cost && back < cost && meet(n, m, x, k, backward.get(back), back) {
				return s.a0 + x, s.b0 + x - k
			}
		}
		for k := -cost; k <= cost; k += 2 {
			x := furthest(backward, k, cost)
			for x < n && x-k < m && x-k >= 0 && d.same(s.a1-1-x, s.b1-1-(x-k)) {
				x++
			}
			backward.set(k, x)
			front := delta - k
			if delta%2 == 0 && front >= -cost && front <= cost && meet(n, m, x, k, forward.get(front), front) {
				return s.a1 - x, s.b1 - (x - k)
			}
		}
	}
	return d.furthestPoint(s, forward, limit)
}

// meet reports whether the ways from both corners of a span of n and m lines overlap: one has come to
// position x of diagonal k, the other to position x2 of diagonal k2, each counted from its corner.
func meet(n, m, x, k, x2, k2 int) bool {
	inside := func(x, k int) bool { return x >= 0 && x <= n && x-k >= 0 && x-k <= m }
	return inside(x, k) && inside(x2, k2) && x+x2 >= n
}

// furthest is where a diagonal begins with one more edit: to the right of the one below or below the
// one above.
func furthest(f frontier, k, cost int) int {
	if k == -cost || k != cost && f.get(k-1) < f.get(k+1) {
		return f.get(k + 1)
	}
	return f.get(k-1) + 1
}

// furthestPoint is the point that the search came to with the most lines behind it.
func (d *differ) furthestPoint(s span, f frontier, cost int) (i, j int) {
	n, m := s.a1-s.a0, s.b1-s.b0
	most := math.MinInt
	for k := -cost; k <= cost; k += 2 {
		x := min(f.get(k), n)
		if y := x - k; y >= 0 && y <= m && x+y > most && x+y < n+m {
			most, i, j = x+y, s.a0+x, s.b0+y
		}
	}
	return i, j
}

// slide moves groups of changed lines in t to where git has them: as far down as they go, or, of the
// places where the other text has a group too, to the lowest one.
func slide(t, other *text) {
	g, o := group{t: t}, group{t: other}
	g.grow()
	o.grow()
	for {
		if g.end > g.start {
			slideGroup(&g, &o)
		}
		if !g.following() {
			return
		}
		o.following()
	}
}

func slideGroup(g, o *group) {
	var top, aligned int
	for {
		size := g.end - g.start
		aligned = -1
		for g.up() {
			o.previous()
		}
		top = g.end
		if o.end > o.start {
			aligned = g.end
		}
		for g.down() {
			o.following()
			if o.end > o.start {
				aligned = g.end
			}
		}
		if size == g.end-g.start {
			break
		}
	}
	if g.end == top || aligned < 0 {
		return
	}
	for o.end == o.start {
		g.up()
		o.previous()
	}
}

// group is a run of changed lines between two unchanged ones; it may be empty.
type group struct {
	t          *text
	start, end int
}

func (g *group) grow() {
	for g.end < len(g.t.changed) && g.t.changed[g.end] {
		g.end++
	}
}

// following goes to the next group, behind one unchanged line, and reports whether there is one.
func (g *group) following() bool {
	if g.end == len(g.t.changed) {
		return false
	}
	g.start = g.end + 1
	g.end = g.start
	g.grow()
	return true
}

func (g *group) previous() {
	g.end = g.start - 1
	g.start = g.end
	for g.start > 0 && g.t.changed[g.start-1] {
		g.start--
	}
}

// up moves a group by one line, if the line before it equals its last one. Groups that meet are one
// from then on.
func (g *group) up() bool {
	if g.start == 0 || g.t.numbers[g.start-1] != g.t.numbers[g.end-1] {
		return false
	}
	g.start--
	g.end--
	g.t.changed[g.start], g.t.changed[g.end] = true, false
	for g.start > 0 && g.t.changed[g.start-1] {
		g.start--
	}
	return true
}

func (g *group) down() bool {
	if g.end == len(g.t.changed) || g.t.numbers[g.start] != g.t.numbers[g.end] {
		return false
	}
	g.t.changed[g.start], g.t.changed[g.end] = false, true
	g.start++
	g.end++
	g.grow()
	return true
}
