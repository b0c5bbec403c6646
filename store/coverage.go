package store

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// Coverage: which events were asked for, and how that ended. The ledger's
// rectangles lie over one another; here they are folded into stretches of
// event time that do not.

// The states of an interval of event time, of which only StateComplete means
// that what is not there did not happen.
const (
	StateComplete   = "complete"
	StateImported   = "imported" // from saved data: nobody asked the API
	StatePartial    = "partial"  // read, and not to its end
	StateFiltered   = "filtered" // asked with a filter other than for a service
	StateFailed     = "failed"
	StateBeyondDoor = "beyond the door" // asked on a route that does not reach so far back
	StatePurged     = "purged"          // erased on purpose, whatever was there
	NeverAsked      = "never asked"     // no rectangle covers it
)

// ranked are the states in the order in which they decide where rectangles
// overlap. What was read better counts; but what was erased is gone, however
// often and well it was read.
var ranked = []string{StatePurged, StateComplete, StateImported, StatePartial, StateFiltered, StateFailed, StateBeyondDoor}

// rank is greater for a state that decides; unknown ones come last.
func rank(state string) int {
	if i := slices.Index(ranked, state); i >= 0 {
		return len(ranked) - i
	}
	return 0
}

// Stretch is an interval of event time with one state.
type Stretch struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	State string    `json:"state"`
	// Through is, where complete, the save time up to which it is: a record that
	// was saved later may be missing.
	Through time.Time `json:"through_created,omitzero"`
	Reason  string    `json:"reason,omitempty"`
}

// CoverageOf folds the ledger for one service, or, with nil, for all services
// at once. The stretches cover [since, until) without a gap, in order; zero
// times mean the ledger's own ends.
func (s *Snapshot) CoverageOf(service *int64, since, until time.Time) []Stretch {
	if since.IsZero() || until.IsZero() {
		first, last := s.CoverageSpan()
		if since.IsZero() {
			since = first
		}
		if until.IsZero() {
			until = last
		}
	}
	var rects []rankedRectangle
	bounds := []time.Time{since, until}
	for i, r := range s.Coverage {
		if (r.Service == nil || service != nil && *r.Service == *service) && r.Since.Before(until) && r.Until.After(since) {
			rects = append(rects, rankedRectangle{Rectangle: r, rank: rank(r.State), number: i})
			bounds = append(bounds, r.Since, r.Until)
		}
	}
	slices.SortFunc(rects, func(a, b rankedRectangle) int { return a.Since.Compare(b.Since) })
	slices.SortFunc(bounds, time.Time.Compare)
	var out []Stretch
	var active deciding
	for i, at := range bounds {
		if at.Before(since) || !at.Before(until) || !at.Before(bounds[i+1]) {
			continue
		}
		for len(rects) > 0 && !rects[0].Since.After(at) {
			heap.Push(&active, rects[0])
			rects = rects[1:]
		}
		for len(active) > 0 && !active[0].Until.After(at) {
			heap.Pop(&active)
		}
		stretch := Stretch{Since: at, Until: bounds[i+1], State: NeverAsked}
		if len(active) > 0 {
			stretch.State, stretch.Reason = active[0].State, active[0].Reason
			if stretch.State == StateComplete {
				stretch.Through = active[0].ThroughCreated
			}
		}
		out = appendStretch(out, stretch)
	}
	return out
}

// rankedRectangle is a rectangle with what decides between overlapping ones:
// the rank of its state, the save time it reaches, and its place in the ledger.
type rankedRectangle struct {
	Rectangle
	rank, number int
}

// deciding is a heap of rectangles that have begun, the one that decides first.
// One that has ended is taken out only when it comes to the top.
type deciding []rankedRectangle

func (d deciding) Len() int { return len(d) }
func (d deciding) Less(i, j int) bool {
	a, b := &d[i], &d[j]
	return cmp.Or(cmp.Compare(a.rank, b.rank), a.ThroughCreated.Compare(b.ThroughCreated), cmp.Compare(a.number, b.number)) > 0
}
func (d deciding) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *deciding) Push(x any)   { *d = append(*d, x.(rankedRectangle)) }
func (d *deciding) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

// appendStretch joins neighbours that say the same.
func appendStretch(out []Stretch, s Stretch) []Stretch {
	if n := len(out); n > 0 && out[n-1].State == s.State && out[n-1].Through.Equal(s.Through) && out[n-1].Reason == s.Reason {
		out[n-1].Until = s.Until
		return out
	}
	return append(out, s)
}

// ServiceCoverage is the coverage of one service, or of all at once.
type ServiceCoverage struct {
	Service   *int64    `json:"service"` // nil: what was asked for of all services at once
	Stretches []Stretch `json:"stretches"`
}

// CoverageByService is CoverageOf for all services at once, and then for each
// that was asked for by name.
func (s *Snapshot) CoverageByService(since, until time.Time) []ServiceCoverage {
	all := []ServiceCoverage{{Stretches: s.CoverageOf(nil, since, until)}}
	for _, service := range s.CoverageServices() {
		all = append(all, ServiceCoverage{Service: &service, Stretches: s.CoverageOf(&service, since, until)})
	}
	return all
}

// Hole is an interval that is not complete, of a service or, with nil, of all
// that have no coverage of their own.
type Hole struct {
	Service *int64 `json:"service"`
	Stretch
}

// OnlyNamed says that nothing was ever asked for of all services at once.
func OnlyNamed(coverage []ServiceCoverage) bool {
	all := coverage[0].Stretches
	return len(coverage) > 1 && !slices.ContainsFunc(all, func(s Stretch) bool { return s.State != NeverAsked })
}

// Holes are what is not complete in a CoverageByService. Where only some
// services were ever asked for by name, all others are not listed: there is
// nothing but a hole.
func Holes(coverage []ServiceCoverage) []Hole {
	if OnlyNamed(coverage) {
		coverage = coverage[1:]
	}
	var holes []Hole
	for _, c := range coverage {
		for _, s := range c.Stretches {
			if s.State != StateComplete {
				holes = append(holes, Hole{Service: c.Service, Stretch: s})
			}
		}
	}
	return holes
}

// CoverageSpan is from the first to the last event time that was asked for;
// zero when nothing was.
func (s *Snapshot) CoverageSpan() (since, until time.Time) { return coverageSpan(s.Coverage) }

func coverageSpan(rects []Rectangle) (since, until time.Time) {
	for i, r := range rects {
		if i == 0 || r.Since.Before(since) {
			since = r.Since
		}
		if i == 0 || r.Until.After(until) {
			until = r.Until
		}
	}
	return since, until
}

// CoverageServices are the services that were asked for by name, sorted.
func (s *Snapshot) CoverageServices() []int64 {
	var services []int64
	for _, r := range s.Coverage {
		if r.Service != nil && !slices.Contains(services, *r.Service) {
			services = append(services, *r.Service)
		}
	}
	slices.Sort(services)
	return services
}
