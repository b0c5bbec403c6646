package store

import (
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
	StatePartial    = "partial"  // read, and not to its end, or not from its beginning
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
	Reason  string    `json:"reason,omitempty"` // why it is not complete
}

// CoverageOf folds the ledger for one service, or, with nil, for all services
// at once: a service is covered by what was asked for by its name and by what
// was asked for of all, together. The stretches cover [since, until) without a
// gap, in order; zero times mean the ledger's own ends.
//
// An event time is complete through C where complete rectangles that cover it
// reach, in save time, from the beginning to C without a gap: coveragefold.go.
// Where none of them reaches back to the beginning, it is partial.
func (s *Snapshot) CoverageOf(service *int64, since, until time.Time) []Stretch {
	return s.CoverageOfFilter(service, "", since, until)
}

// CoverageOfFilter is CoverageOf as one question sees it: what was read with
// exactly this filter (the text of Rectangle.Filter) counts as complete, beside
// what was read without one. Of everything else, the stretches say nothing.
// Without a filter it is CoverageOf.
func (s *Snapshot) CoverageOfFilter(service *int64, filter string, since, until time.Time) []Stretch {
	if since.IsZero() || until.IsZero() {
		first, last := s.CoverageSpan()
		if since.IsZero() {
			since = first
		}
		if until.IsZero() {
			until = last
		}
	}
	f := coverageFold{since: since, until: until}
	for i := range s.Coverage {
		r := &s.Coverage[i]
		if r.Service == nil || service != nil && *r.Service == *service {
			f.add(r, i, r.State == StateComplete || filter != "" && r.State == StateFiltered && r.Filter == filter)
		}
	}
	return f.stretches()
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

// OnlyNamed says that services were asked for by name and all at once never,
// at whatever time.
func (s *Snapshot) OnlyNamed() bool {
	return len(s.Coverage) > 0 && !slices.ContainsFunc(s.Coverage, func(r Rectangle) bool { return r.Service == nil })
}

// Holes are what is not complete in a CoverageByService of the snapshot. Where
// only some services were ever asked for by name, all others are not listed:
// there is nothing but a hole.
func (s *Snapshot) Holes(coverage []ServiceCoverage) []Hole {
	if s.OnlyNamed() {
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
