package git

// weighed is a cache with a bound on the weight of what it holds. It has two
// generations: when the young one is full it becomes the old one, and what is
// used again moves back.
type weighed[K comparable, V any] struct {
	limit      int
	weight     int
	young, old map[K]weighedValue[V]
}

type weighedValue[V any] struct {
	value  V
	weight int
}

func newWeighed[K comparable, V any](limit int) *weighed[K, V] {
	return &weighed[K, V]{limit: limit / 2, young: map[K]weighedValue[V]{}}
}

func (w *weighed[K, V]) get(key K) (V, bool) {
	if v, ok := w.young[key]; ok {
		return v.value, true
	}
	v, ok := w.old[key]
	if ok {
		w.put(key, v.value, v.weight)
	}
	return v.value, ok
}

// put keeps nothing that is too heavy.
func (w *weighed[K, V]) put(key K, value V, weight int) {
	if weight > w.limit/2 {
		return
	}
	if w.weight+weight > w.limit {
		w.old, w.young, w.weight = w.young, map[K]weighedValue[V]{}, 0
	}
	if _, ok := w.young[key]; !ok {
		w.weight += weight
	}
	w.young[key] = weighedValue[V]{value, weight}
}
