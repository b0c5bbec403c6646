package store

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// coverageFold folds rectangles that lie over one another into stretches of
// event time that do not.
//
// # What is complete
//
// Nothing is saved before it happens: a record with event time t has
// created >= t. So an event time t is complete through C when every save time
// in [t, C] was read at t, and what was read of the save times before t does
// not matter.
//
//   - A rectangle without SinceCreated holds all save times up to its
//     ThroughCreated, so t is complete through that. So it is with a rectangle
//     (c, d] where c < t: it leaves out only save times before t. Where c = t it
//     leaves out the records that were saved in the millisecond in which they
//     happened, and is no beginning.
//   - From a C that is reached, a rectangle with c <= C leads on to its d: all of
//     (c, C] was read already, and (C, d] is in it. One with c > C leaves out
//     what was saved in between, whatever comes behind it.
//
// So C is what is reached from the latest beginning by rectangles that leave no
// gap. It does not depend on the order in which they were read, on their runs,
// nor on whether a service was asked for by name or with all others. Where C is
// before t, t was asked for before it could have happened.
//
// Where complete rectangles cover t and none is a beginning, t is partial: it
// was read only from some save time on.
//
// # What decides
//
// Of states other than complete the rank decides, then the save time that was
// reached, then the later entry. A purge is over everything that was read
// before it and since: so nothing here depends on where it stands in the ledger.
//
// # How
//
// A sweep over event time. It stops where a rectangle begins or ends, and where
// event time passes a rectangle's SinceCreated, for there the rectangle becomes
// a beginning; in between, the answer is one. With n rectangles it takes
// O(n log n), however they lie over one another.
type coverageFold struct {
	since, until time.Time
	claims       []claim
	bounds       []time.Time

	others     claimHeap // of states other than complete: the one that decides first
	beginnings claimHeap // complete from the beginning: the one that reaches furthest first
	later      claimHeap // complete from behind some save time: the earliest first
	saved      saveTimes // what is read, of the rectangles that begin behind some save time
}

// claim is a rectangle, as this fold sees it.
type claim struct {
	*Rectangle
	complete     bool
	rank, number int // number: its place in the ledger
}

// bySaveTime says that the rectangle was read by save time, not from the
// beginning.
func (r *Rectangle) bySaveTime() bool { return !r.SinceCreated.IsZero() }

// isBeginning says whether nothing that happened at t was saved before the
// rectangle begins.
func (r *Rectangle) isBeginning(t time.Time) bool { return !r.bySaveTime() || r.SinceCreated.Before(t) }

// add takes in a rectangle of the ledger. One that reads nothing says nothing.
func (f *coverageFold) add(r *Rectangle, number int, complete bool) {
	empty := !r.Since.Before(r.Until) || complete && r.bySaveTime() && !r.SinceCreated.Before(r.ThroughCreated)
	if empty || !r.Since.Before(f.until) || !r.Until.After(f.since) {
		return
	}
	f.claims = append(f.claims, claim{Rectangle: r, complete: complete, rank: rank(r.State), number: number})
	f.bound(r.Since)
	f.bound(r.Until)
	if complete && r.bySaveTime() {
		// The first event time behind it, which is a whole millisecond.
		f.bound(r.SinceCreated.Truncate(time.Millisecond).Add(time.Millisecond))
	}
}

func (f *coverageFold) bound(t time.Time) {
	if t.After(f.since) && t.Before(f.until) {
		f.bounds = append(f.bounds, t)
	}
}

func (f *coverageFold) stretches() []Stretch {
	if !f.since.Before(f.until) {
		return nil
	}
	f.bounds = append(f.bounds, f.since, f.until)
	slices.SortFunc(f.bounds, time.Time.Compare)
	f.bounds = slices.CompactFunc(f.bounds, time.Time.Equal)
	f.others.before = func(a, b *claim) bool {
		return cmp.Or(cmp.Compare(a.rank, b.rank), a.ThroughCreated.Compare(b.ThroughCreated), cmp.Compare(a.number, b.number)) > 0
	}
	f.beginnings.before = func(a, b *claim) bool { return a.ThroughCreated.After(b.ThroughCreated) }
	f.later.before = func(a, b *claim) bool { return a.SinceCreated.Before(b.SinceCreated) }
	begin := make([]*claim, len(f.claims))
	var end []*claim // of those in saved
	for i := range f.claims {
		c := &f.claims[i]
		begin[i] = c
		if c.complete && c.bySaveTime() {
			end = append(end, c)
		}
	}
	slices.SortFunc(begin, func(a, b *claim) int { return a.Since.Compare(b.Since) })
	slices.SortFunc(end, func(a, b *claim) int { return a.Until.Compare(b.Until) })
	f.saved = newSaveTimes(end)

	var out []Stretch
	for i, at := range f.bounds[:len(f.bounds)-1] {
		for len(begin) > 0 && !begin[0].Since.After(at) {
			f.begin(begin[0], at)
			begin = begin[1:]
		}
		for len(end) > 0 && !end[0].Until.After(at) {
			f.saved.drop(end[0].SinceCreated, end[0].ThroughCreated)
			end = end[1:]
		}
		s := f.decide(at)
		s.Since, s.Until = at, f.bounds[i+1]
		out = appendStretch(out, s)
	}
	return out
}

// begin takes in a rectangle that covers event time from here on.
func (f *coverageFold) begin(c *claim, at time.Time) {
	switch {
	case !c.complete:
		heap.Push(&f.others, c)
	case c.isBeginning(at):
		heap.Push(&f.beginnings, c)
	default:
		heap.Push(&f.later, c)
	}
	if c.complete && c.bySaveTime() {
		f.saved.add(c.SinceCreated, c.ThroughCreated)
	}
}

// decide answers the state of the event times from here to the next bound.
func (f *coverageFold) decide(at time.Time) Stretch {
	later := f.later.top(at)
	for later != nil && later.isBeginning(at) {
		heap.Push(&f.beginnings, heap.Pop(&f.later))
		later = f.later.top(at)
	}
	other := f.others.top(at)
	if other != nil && other.State == StatePurged {
		return Stretch{State: StatePurged, Reason: other.Reason}
	}
	if c := f.beginnings.top(at); c != nil {
		return Stretch{State: StateComplete, Through: f.saved.reach(c.ThroughCreated)}
	}
	if later != nil && (other == nil || other.rank < rank(StatePartial)) {
		return Stretch{State: StatePartial, Reason: "read only what was saved after " + later.SinceCreated.UTC().Format(time.RFC3339Nano)}
	}
	if other != nil {
		return Stretch{State: other.State, Reason: other.Reason}
	}
	return Stretch{State: NeverAsked}
}

// appendStretch joins neighbours that say the same.
func appendStretch(out []Stretch, s Stretch) []Stretch {
	if n := len(out); n > 0 && out[n-1].State == s.State && out[n-1].Through.Equal(s.Through) && out[n-1].Reason == s.Reason {
		out[n-1].Until = s.Until
		return out
	}
	return append(out, s)
}

// claimHeap holds rectangles that have begun. One that has ended is taken out
// only when it comes to the top.
type claimHeap struct {
	claims []*claim
	before func(a, b *claim) bool
}

// top is the first of those that cover at; nil: there is none.
func (h *claimHeap) top(at time.Time) *claim {
	for len(h.claims) > 0 {
		if c := h.claims[0]; c.Until.After(at) {
			return c
		}
		heap.Pop(h)
	}
	return nil
}

func (h *claimHeap) Len() int           { return len(h.claims) }
func (h *claimHeap) Less(i, j int) bool { return h.before(h.claims[i], h.claims[j]) }
func (h *claimHeap) Swap(i, j int)      { h.claims[i], h.claims[j] = h.claims[j], h.claims[i] }
func (h *claimHeap) Push(x any)         { h.claims = append(h.claims, x.(*claim)) }
func (h *claimHeap) Pop() any {
	last := h.claims[len(h.claims)-1]
	h.claims = h.claims[:len(h.claims)-1]
	return last
}
