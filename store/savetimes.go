package store

import (
	"slices"
	"time"
)

// saveTimes says which save times are read, while rectangles come and go: a
// tree over the pieces between all their bounds, in which each rectangle is
// noted at the few nodes that it fills (a segment tree). Every step takes
// O(log n), also where ten thousand rectangles lie over one another.
type saveTimes struct {
	bounds []time.Time // sorted, each once; piece i is (bounds[i], bounds[i+1]]
	nodes  []saveNode  // node i's halves are 2i and 2i+1; node 1 is all of it
}

type saveNode struct {
	whole int  // rectangles that fill it and not its parent
	full  bool // no piece of it is missing
}

func newSaveTimes(claims []*claim) saveTimes {
	var t saveTimes
	for _, c := range claims {
		t.bounds = append(t.bounds, c.SinceCreated, c.ThroughCreated)
	}
	slices.SortFunc(t.bounds, time.Time.Compare)
	t.bounds = slices.CompactFunc(t.bounds, time.Time.Equal)
	size := 1
	for size < t.pieces() {
		size *= 2
	}
	t.nodes = make([]saveNode, 2*size)
	return t
}

func (t *saveTimes) pieces() int { return max(len(t.bounds)-1, 0) }

// add notes that (since, through] is read; both are bounds.
func (t *saveTimes) add(since, through time.Time) { t.note(since, through, 1) }

// drop takes one back that was added.
func (t *saveTimes) drop(since, through time.Time) { t.note(since, through, -1) }

func (t *saveTimes) note(since, through time.Time, by int) {
	from, _ := slices.BinarySearchFunc(t.bounds, since, time.Time.Compare)
	to, _ := slices.BinarySearchFunc(t.bounds, through, time.Time.Compare)
	t.noteIn(1, 0, len(t.nodes)/2, from, to, by)
}

// noteIn notes the pieces [from, to) in a node that has [low, high).
func (t *saveTimes) noteIn(node, low, high, from, to, by int) {
	if to <= low || high <= from {
		return
	}
	n := &t.nodes[node]
	leaf := high-low == 1
	if from <= low && high <= to {
		n.whole += by
	} else {
		middle := (low + high) / 2
		t.noteIn(2*node, low, middle, from, to, by)
		t.noteIn(2*node+1, middle, high, from, to, by)
	}
	n.full = n.whole > 0 || !leaf && t.nodes[2*node].full && t.nodes[2*node+1].full
}

// reach answers how far save times are read without a gap from one that was
// reached.
func (t *saveTimes) reach(reached time.Time) time.Time {
	// The first piece that ends behind it.
	first, _ := slices.BinarySearchFunc(t.bounds, reached, func(b, at time.Time) int {
		if b.After(at) {
			return 1
		}
		return -1
	})
	if first == 0 || first == len(t.bounds) {
		return reached
	}
	if end := t.bounds[t.missing(1, 0, len(t.nodes)/2, first-1)]; end.After(reached) {
		return end
	}
	return reached
}

// missing is the first piece in [low, high), not before from, that is not read;
// high if all are.
func (t *saveTimes) missing(node, low, high, from int) int {
	switch {
	case high <= from || t.nodes[node].full:
		return high
	case high-low == 1:
		return low
	}
	middle := (low + high) / 2
	if i := t.missing(2*node, low, middle, from); i < middle {
		return i
	}
	return t.missing(2*node+1, middle, high, from)
}
