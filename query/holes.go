package query

import (
	"cmp"
	"math"
	"slices"
	"time"

	"mdcalake/store"
)

// Which of the events that a statement asks about nobody has asked the API
// for: where it finds nothing, that proves nothing.

// asked is what one scan of activities can let through.
type asked struct {
	times    spans // microseconds since 1970
	services spans
}

// Holes are the stretches of event time that the statement asks about and that
// the lake's ledger of coverage does not call complete, by service and time. A
// range that the statement leaves open ends where the lake does; one that it
// names does not, but nothing is expected of the time after now. Statements
// that do not read activities have none. Since is zero in one that has no
// beginning, and Until as well where nothing was ever asked for.
func (r *Rows) Holes(now time.Time) []store.Hole {
	return holes(r.engine.snapshot, r.choice.asked, now)
}

func holes(s *store.Snapshot, of []asked, now time.Time) []store.Hole {
	if !s.AsOf.IsZero() {
		now = earlier(now, s.AsOf)
	}
	var found []store.Hole
	first, last := lakeSpan(s)
	for _, a := range of {
		found = append(found, a.holes(s, first, last, now)...)
	}
	return joinHoles(found)
}

// Span is from the first to the last event time that was asked for or that a
// record has, [since, until); zero when there is neither.
func (e *Engine) Span() (since, until time.Time) { return lakeSpan(e.snapshot) }

// lakeSpan is from the first to the last event time that was asked for or that
// a record has; zero when there is neither.
func lakeSpan(s *store.Snapshot) (since, until time.Time) {
	since, until = s.CoverageSpan()
	for i := range s.Files {
		facts := newFileFacts(&s.Files[i], true, nil)
		t := s.Files[i].Stats.Timestamp
		if !facts.trusted {
			t.Min = int64(s.Files[i].Partition.Day) * dayMillis
			t.Max = t.Min + dayMillis - 1
		}
		if b := time.UnixMilli(t.Min).UTC(); since.IsZero() || b.Before(since) {
			since = b
		}
		if e := time.UnixMilli(t.Max + 1).UTC(); until.IsZero() || e.After(until) {
			until = e
		}
	}
	return since, until
}

func (a asked) holes(s *store.Snapshot, first, last, now time.Time) []store.Hole {
	if first.IsZero() && len(a.times) > 0 {
		return []store.Hole{{Stretch: store.Stretch{State: store.NeverAsked}}} // nothing was done yet
	}
	intervals := a.intervals(first, last, now)
	var found []store.Hole
	if n := len(intervals); n > 0 && intervals[0].since.IsZero() {
		// All that is asked for lies before all that there is.
		found = append(found, store.Hole{Stretch: store.Stretch{Until: intervals[0].until, State: store.NeverAsked}})
		intervals = intervals[1:]
	}
	if len(intervals) == 0 {
		return found
	}
	for _, h := range a.ofServices(s, intervals[0].since, intervals[len(intervals)-1].until) {
		for _, i := range intervals {
			clipped := h
			clipped.Since, clipped.Until = later(h.Since, i.since), earlier(h.Until, i.until)
			if clipped.Since.Before(clipped.Until) {
				found = append(found, clipped)
			}
		}
	}
	return found
}

type interval struct{ since, until time.Time }

// intervals are its times as the ledger counts them: half-open, in whole
// milliseconds.
func (a asked) intervals(first, last, now time.Time) []interval {
	var list []interval
	for _, t := range a.times {
		lo, _ := floorDiv(t.lo, 1000)
		hi, rest := floorDiv(t.hi, 1000)
		if rest > 0 {
			hi++
		}
		i := interval{time.UnixMilli(lo).UTC(), time.UnixMilli(hi).UTC()}
		openBelow, openAbove := t.lo <= math.MinInt64+1, t.hi >= math.MaxInt64-1000
		// What is asked for without an end is asked for as far as the lake goes;
		// where the lake ends before it begins, as far as there is time.
		if openBelow {
			i.since = first
		}
		if openAbove {
			i.until = last
			if !openBelow && !i.since.Before(last) {
				i.until = now
			}
		}
		if openBelow && !openAbove && !first.Before(i.until) {
			i.since = time.Time{}
		}
		if !openBelow && !openAbove && i.since.Equal(i.until) {
			i.until = i.until.Add(time.Millisecond)
		}
		i.until = earlier(i.until, now)
		if i.since.Before(i.until) {
			list = append(list, i)
		}
	}
	return list
}

// maxServices is how many services next to one another are told apart.
const maxServices = 100

// ofServices are the holes of the services that it asks about. Of services that
// nobody ever named, in a lake where all was asked for by name, nothing is
// expected unless they are asked about by name.
func (a asked) ofServices(s *store.Snapshot, since, until time.Time) []store.Hole {
	coverage := s.CoverageByService(since, until)
	var found []store.Hole
	add := func(service *int64, stretches []store.Stretch) {
		for _, t := range stretches {
			if t.State != store.StateComplete {
				found = append(found, store.Hole{Service: service, Stretch: t})
			}
		}
	}
	var named []int64
	for _, c := range coverage[1:] {
		named = append(named, *c.Service)
		if a.services.touch(*c.Service, *c.Service) {
			add(c.Service, c.Stretches)
		}
	}
	for _, v := range a.services {
		if n := uint64(v.hi) - uint64(v.lo); n < maxServices {
			for i := range int64(n + 1) {
				if service := v.lo + i; !slices.Contains(named, service) {
					add(&service, coverage[0].Stretches)
				}
			}
		} else if !s.OnlyNamed() {
			add(nil, coverage[0].Stretches)
		}
	}
	return found
}

// joinHoles sorts holes by service and time, and makes one of those that
// overlap or meet and are the same otherwise. What is a hole of all services
// is not told again of one.
func joinHoles(holes []store.Hole) []store.Hole {
	slices.SortStableFunc(holes, func(a, b store.Hole) int {
		return cmp.Or(compareService(a.Service, b.Service), a.Since.Compare(b.Since), b.Until.Compare(a.Until))
	})
	var joined []store.Hole
	for _, h := range holes {
		if h.Service != nil && slices.ContainsFunc(joined, func(o store.Hole) bool {
			return o.Service == nil && o.State == h.State && o.Reason == h.Reason && !h.Since.Before(o.Since) && !h.Until.After(o.Until)
		}) {
			continue
		}
		n := len(joined) - 1
		if n >= 0 && compareService(joined[n].Service, h.Service) == 0 && joined[n].State == h.State && joined[n].Reason == h.Reason && !h.Since.After(joined[n].Until) {
			joined[n].Until = later(joined[n].Until, h.Until)
			continue
		}
		joined = append(joined, h)
	}
	return joined
}

// compareService puts all services first.
func compareService(a, b *int64) int {
	switch {
	case a == nil || b == nil:
		return cmp.Compare(boolInt(a != nil), boolInt(b != nil))
	}
	return cmp.Compare(*a, *b)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
