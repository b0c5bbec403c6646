package ingest

import (
	"cmp"
	"slices"
	"time"

	"mdcalake/store"
)

// What has to be read: what is asked for, less what the ledger says was read.
// All of it is pure: a question, a snapshot of the lake and a time in, intervals
// out.
//
// Records arrive minutes to days late, so what was read once is not done with.
// An event time t is read again at 1 h, 24 h and 7 d after t, each once, unless
// it has been read later than that anyway: by such a second reading, or because
// a tail has followed everything saved since.

// Order is which windows come first.
type Order string

const (
	// NewestFirst is the default: what is asked about is mostly recent. What is
	// about to fall behind the 30-day door is the last to come.
	NewestFirst Order = "newest"
	// OldestFirst saves first what the door will hide first.
	OldestFirst Order = "oldest"
)

// DefaultSpan is how far back a first ingest reaches without --since.
const DefaultSpan = 7 * 24 * time.Hour

// doorSpan is how far back the main route sees (ACTIVITIES_API: older records
// are behind another route, and the main one answers nothing for them).
const doorSpan = 30 * 24 * time.Hour

// openSpan is how far ahead of the clock an ingest without --until looks: events
// come with the times of the machines that report them, and some are fast.
const openSpan = 24 * time.Hour

// Question is what is asked for: all activities of an interval of event time,
// of some services or with a filter.
type Question struct {
	Since, Until time.Time
	Services     []int64 // none: all at once
	Filter       []byte  // nil: none
	Again        bool    // also what has been read and is not due again
	Archived     bool    // what lies behind the door, too, on the archived route
	// Followed is the save time from which on a tail reads what comes late: what
	// was read up to it needs no second reading. Zero: there is no tail.
	Followed time.Time
}

// need is an interval of event time that has to be read.
type need struct {
	since, until time.Time
	services     []int64
	why          string
	archived     bool // on the archived route
}

// Why something has to be read.
const (
	whyHole  = "not read yet"
	whyLate  = "late records"
	whyAgain = "again"
)

// dueAfter are the ages at which an event time is read again. The step keeps
// frequent runs from reading a sliver each time.
var dueAfter = []struct{ age, step time.Duration }{
	{time.Hour, 15 * time.Minute},
	{24 * time.Hour, time.Hour},
	{7 * 24 * time.Hour, 24 * time.Hour},
}

// dueMargin is how much later than at its age an event time is read again. What
// is read now counts as read through the margin before now, and by the earlier of
// two clocks: what was just old enough would be due once more after it.
const dueMargin = savedMargin + clockTolerance

// needs says what of the question has to be read now, oldest first. Intervals
// of the same services do not overlap.
func needs(s *store.Snapshot, q Question, now time.Time) []need {
	q.Since, q.Until = wholeMillis(q.Since), wholeMillis(q.Until)
	if !q.Since.Before(q.Until) {
		return nil
	}
	s = unpurged(s)
	var all []need
	for _, service := range ledgerServices(q.Services) {
		one := needsOf(s.CoverageOfFilter(service, ledgerFilter(q.Filter), q.Since, q.Until), q, now)
		for i := range one {
			if service != nil {
				one[i].services = []int64{*service}
			}
		}
		all = append(all, one...)
	}
	if len(q.Services) > 1 {
		all = together(all)
	}
	if q.Archived {
		all = behindDoor(all, now.Add(-doorSpan))
	}
	return all
}

// unpurged is the ledger without what it says of purges. They tell what the lake
// has no more, not what was read: the rectangle of a person's purge lies over
// everybody's records from the first of that person to the last.
func unpurged(s *store.Snapshot) *store.Snapshot {
	read := *s
	read.Coverage = slices.DeleteFunc(slices.Clone(s.Coverage), func(r store.Rectangle) bool { return r.State == store.StatePurged })
	return &read
}

// needsOf are the needs of one row of the ledger.
func needsOf(stretches []store.Stretch, q Question, now time.Time) []need {
	door := now.Add(-doorSpan)
	var out []need
	add := func(since, until time.Time, why string) {
		since, until = wholeMillis(since), wholeMillis(until)
		if since.Before(until) {
			out = append(out, need{since: since, until: until, why: why})
		}
	}
	for _, s := range stretches {
		// What the main route has been asked for it gives no more behind the door.
		open := s.Since
		if !q.Archived && s.State != store.NeverAsked {
			open = later(open, door)
		}
		switch {
		case q.Again:
			add(s.Since, s.Until, whyAgain)
		case s.State == StateComplete:
			// Nothing is saved before it happens: what happens later than the save
			// time that it is complete through was not there to be read.
			read := earlier(s.Until, s.Through)
			for _, d := range dueAfter {
				if !q.Followed.IsZero() && !s.Through.Before(q.Followed) {
					break // the tail goes on from there
				}
				due := now.Add(-d.age - dueMargin).Truncate(d.step)
				add(later(later(s.Since, door), s.Through.Add(-d.age)), earlier(read, due), whyLate)
			}
			add(later(open, read), s.Until, whyHole)
		default:
			add(open, s.Until, whyHole)
		}
	}
	return merged(out)
}

// merged makes one of needs that overlap or touch. A hole in it outweighs the
// rest.
func merged(ns []need) []need {
	slices.SortStableFunc(ns, func(a, b need) int { return a.since.Compare(b.since) })
	var out []need
	for _, n := range ns {
		if last := len(out) - 1; last >= 0 && !n.since.After(out[last].until) {
			out[last].until = later(out[last].until, n.until)
			if n.why == whyHole {
				out[last].why = whyHole
			}
			continue
		}
		out = append(out, n)
	}
	return out
}

// together makes one need of those of several services where they have the same
// interval, so that one question asks for all of them.
func together(ns []need) []need {
	var bounds []time.Time
	for _, n := range ns {
		bounds = append(bounds, n.since, n.until)
	}
	slices.SortFunc(bounds, time.Time.Compare)
	bounds = slices.CompactFunc(bounds, time.Time.Equal)
	var out []need
	for i := 0; i+1 < len(bounds); i++ {
		at := need{since: bounds[i], until: bounds[i+1], why: whyLate}
		for _, n := range ns {
			if !n.since.After(at.since) && !n.until.Before(at.until) {
				at.services = append(at.services, n.services...)
				if n.why != whyLate {
					at.why = n.why
				}
			}
		}
		slices.Sort(at.services)
		last := len(out) - 1
		switch {
		case len(at.services) == 0:
		case last >= 0 && out[last].until.Equal(at.since) && slices.Equal(out[last].services, at.services):
			out[last].until = at.until
			if at.why != whyLate {
				out[last].why = at.why
			}
		default:
			out = append(out, at)
		}
	}
	return out
}

// behindDoor divides needs at the door: what is older is read on the archived
// route.
func behindDoor(ns []need, door time.Time) []need {
	door = wholeMillis(door)
	var out []need
	for _, n := range ns {
		if n.since.Before(door) {
			old := n
			old.until, old.archived = earlier(n.until, door), true
			out = append(out, old)
			n.since = old.until
		}
		if n.since.Before(n.until) {
			out = append(out, n)
		}
	}
	return out
}

// DefaultSince is where an ingest that is told no beginning begins: where the
// lake's knowledge of these services and this filter begins, as far as the door
// is open; a week back for a lake that knows nothing of them. What it knows
// needs no second reading, so nothing is asked for twice.
func DefaultSince(s *store.Snapshot, services []int64, filter []byte, now time.Time) time.Time {
	s = unpurged(s)
	door := now.Add(-doorSpan)
	since := now.Add(-DefaultSpan)
	for i, service := range ledgerServices(distinct(services)) {
		known := now.Add(-DefaultSpan)
		for _, stretch := range s.CoverageOfFilter(service, ledgerFilter(effective(filter)), door, now) {
			if stretch.State == StateComplete || stretch.State == store.StatePartial || stretch.State == StateFailed {
				known = stretch.Since
				break
			}
		}
		if i == 0 || known.Before(since) {
			since = known
		}
	}
	return since
}

// distinct are the services in order, each once.
func distinct(services []int64) []int64 {
	services = slices.Clone(services)
	slices.Sort(services)
	return slices.Compact(services)
}

// ledgerServices are the services as the ledger names them: one by one, or nil
// alone for all at once.
func ledgerServices(services []int64) []*int64 {
	if len(services) == 0 {
		return []*int64{nil}
	}
	named := make([]*int64, len(services))
	for i := range services {
		named[i] = &services[i]
	}
	return named
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// byTime orders needs for taking the first.
func (o Order) compare(a, b need) int {
	if o == OldestFirst {
		return cmp.Or(a.since.Compare(b.since), a.until.Compare(b.until))
	}
	return cmp.Or(b.until.Compare(a.until), b.since.Compare(a.since))
}
