package store

import (
	"slices"
	"time"
)

// Coverage: which events were asked for, and how that ended. The ledger's
// rectangles lie over one another; here they are folded into stretches of
// event time that do not.

// NeverAsked is the state of what no rectangle covers.
const NeverAsked = "never asked"

// StateComplete is the only state in which the absence of a record means that
// there was none.
const StateComplete = "complete"

// StatePurged: rows of that time were erased on purpose. It stays, whatever is
// asked for again: the erased ones are not taken any more.
const StatePurged = "purged"

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

// rank orders the states: of rectangles that overlap, the best one counts.
func rank(state string) int {
	order := []string{StatePurged, StateComplete, "imported", "partial", "filtered", "failed", "beyond the door"}
	if i := slices.Index(order, state); i >= 0 {
		return len(order) - i
	}
	return 1
}

// CoverageOf folds the ledger for one service, or, with nil, for all services
// at once. The stretches cover [since, until) without a gap, in order; zero
// times mean the ledger's own ends.
func (s *Snapshot) CoverageOf(service *int64, since, until time.Time) []Stretch {
	var rects []Rectangle
	for _, r := range s.Coverage {
		if r.Service == nil || service != nil && *r.Service == *service {
			rects = append(rects, r)
		}
	}
	if since.IsZero() || until.IsZero() {
		first, last := s.CoverageSpan()
		if since.IsZero() {
			since = first
		}
		if until.IsZero() {
			until = last
		}
	}
	slices.SortFunc(rects, func(a, b Rectangle) int { return a.Since.Compare(b.Since) })
	var out []Stretch
	var active []Rectangle
	for at := since; at.Before(until); {
		for len(rects) > 0 && !rects[0].Since.After(at) {
			active = append(active, rects[0])
			rects = rects[1:]
		}
		active = slices.DeleteFunc(active, func(r Rectangle) bool { return !r.Until.After(at) })
		end := until
		if len(rects) > 0 && rects[0].Since.Before(end) {
			end = rects[0].Since
		}
		best := Stretch{Since: at, State: NeverAsked}
		for _, r := range active {
			if r.Until.Before(end) {
				end = r.Until
			}
			best.take(r)
		}
		best.Until = end
		out = appendStretch(out, best)
		at = end
	}
	return out
}

// take lets a rectangle decide, if it is the better one.
func (s *Stretch) take(r Rectangle) {
	if s.State != NeverAsked {
		if old, new := rank(s.State), rank(r.State); new < old || new == old && !r.ThroughCreated.After(s.Through) {
			return
		}
	}
	s.State, s.Through, s.Reason = r.State, time.Time{}, r.Reason
	if r.State == StateComplete {
		s.Through = r.ThroughCreated
	}
}

// appendStretch joins neighbours that say the same.
func appendStretch(out []Stretch, s Stretch) []Stretch {
	if n := len(out); n > 0 && out[n-1].State == s.State && out[n-1].Through.Equal(s.Through) && out[n-1].Reason == s.Reason {
		out[n-1].Until = s.Until
		return out
	}
	return append(out, s)
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
