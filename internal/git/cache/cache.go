// Package cache keeps values up to a total weight.
package cache

// Cache is a cache with a bound on the weight of what it holds. It has two
// generations: when the young one is full it becomes the old one, and what is
// used again moves back.
type Cache[K comparable, V any] struct {
	limit      int
	weight     int
	young, old map[K]entry[V]
}

type entry[V any] struct {
	value  V
	weight int
}

// New makes an empty cache that keeps values up to a total weight.
func New[K comparable, V any](limit int) *Cache[K, V] {
	return &Cache[K, V]{limit: limit / 2, young: map[K]entry[V]{}}
}

// Get returns a value, and whether it is there.
func (w *Cache[K, V]) Get(key K) (V, bool) {
	if v, ok := w.young[key]; ok {
		return v.value, true
	}
	v, ok := w.old[key]
	if ok {
		w.Put(key, v.value, v.weight)
	}
	return v.value, ok
}

// Put keeps nothing that is too heavy.
func (w *Cache[K, V]) Put(key K, value V, weight int) {
	if weight > w.limit/2 {
		return
	}
	if w.weight+weight > w.limit {
		w.old, w.young, w.weight = w.young, map[K]entry[V]{}, 0
	}
	if _, ok := w.young[key]; !ok {
		w.weight += weight
	}
	w.young[key] = entry[V]{value, weight}
}
