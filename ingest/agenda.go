package ingest

import (
	"math"
	"slices"
	"time"
)

// The agenda turns needs into windows, one by one: how long the next one is
// depends on what has been seen by then. Windows end at UTC midnights, or at
// round parts of a day, so that the cells of a finished window are not touched
// by the next one.

// task is a window to be read.
type task struct {
	window   Window
	archived bool
	tail     *Tail // whose round it is part of; nil: none
	why      string
	attempt  int // how often it, or what it is a part of, has failed
}

// agenda is what a run still has to read.
type agenda struct {
	filter []byte
	order  Order
	now    time.Time // by the best clock there is
	needs  []need
	first  []task // before all needs: parts of windows that failed, and the tail

	density  *density
	pageSize *PageSize
	parallel int // windows that are read side by side
}

func (a *agenda) empty() bool { return len(a.first) == 0 && len(a.needs) == 0 }

// weight is how much there is to read: event time that has passed by now.
func (a *agenda) weight() float64 {
	var sum float64
	for _, n := range a.needs {
		sum += passed(n.since, n.until, a.now)
	}
	return sum
}

// passed are the seconds of an interval that lie before now.
func passed(since, until, now time.Time) float64 {
	return max(0, float64(earlier(until, now).UnixMilli()-since.UnixMilli())/1000)
}

// count is about how many windows are to come.
func (a *agenda) count() int {
	sum := len(a.first)
	for _, n := range a.needs {
		at := n.since
		if a.order != OldestFirst {
			at = later(at, earlier(n.until, a.now))
		}
		length := a.length(n, at).Seconds()
		sum += int(math.Ceil(max(1, passed(n.since, n.until, a.now)) / length))
	}
	return sum
}

// urgent puts tasks before everything else.
func (a *agenda) urgent(ts ...task) { a.first = append(a.first, ts...) }

// next takes the next window off the agenda.
func (a *agenda) next() (task, bool) {
	if len(a.first) > 0 {
		t := a.first[0]
		a.first = a.first[1:]
		return t, true
	}
	if len(a.needs) == 0 {
		return task{}, false
	}
	i := 0
	for j := range a.needs {
		if a.order.compare(a.needs[j], a.needs[i]) < 0 {
			i = j
		}
	}
	n := &a.needs[i]
	t := task{window: Window{Since: n.since, Until: n.until, Services: n.services, Filter: a.filter}, archived: n.archived, why: n.why}
	if a.order == OldestFirst {
		t.window.Until = a.endAfter(*n)
		n.since = t.window.Until
	} else {
		t.window.Since = a.beginBefore(*n)
		n.until = t.window.Since
	}
	if !n.since.Before(n.until) {
		a.needs = slices.Delete(a.needs, i, i+1)
	}
	return t, true
}

// length is how long a window of a need is that begins or ends at a time: worth
// its requests, but no longer than the share of what is left that each of the
// windows side by side has, or the last one would be read alone.
func (a *agenda) length(n need, at time.Time) time.Duration {
	way := time.Duration(-1)
	if a.order == OldestFirst {
		way = 1
	}
	hidden := floorDay(a.now.Add(-doorSpan)).Sub(floorDay(at)) // whole days from there to the door
	switch {
	case n.archived:
		return min(a.density.window(at, way, pagesPerWindow*archivedPage), archivedSpan)
	case hidden > 0 && a.order == OldestFirst:
		return min(longestWindow, hidden)
	case hidden > 0:
		return longestWindow // nothing will come
	}
	page := a.page()
	return a.density.window(at, way, max(leastPages*page, min(pagesPerWindow*page, a.share())))
}

// page is how many records a page has: what is asked for, or what the API gives
// of it.
func (a *agenda) page() float64 {
	asked := a.pageSize.Get()
	if a.density.page > 0 {
		return float64(min(asked, int(a.density.page)))
	}
	return float64(asked)
}

// share is how many records each of the windows side by side would have of all
// that is left.
func (a *agenda) share() (records float64) {
	for _, n := range a.needs {
		expected, _ := a.expect(n.since, n.until, n.archived)
		records += expected / float64(max(1, a.parallel))
	}
	return records
}

// expect is how many records will come of an interval: the main route gives none
// from behind the door.
func (a *agenda) expect(since, until time.Time, archived bool) (records float64, known bool) {
	if !archived {
		since = later(since, a.now.Add(-doorSpan))
	}
	return a.density.expect(since, until, a.now)
}

// beginBefore is where the last window of a need begins. What lies ahead of the
// clock adds nothing to its length.
func (a *agenda) beginBefore(n need) time.Time {
	end := n.until
	if a.now.Before(end) {
		end = later(n.since.Add(time.Millisecond), a.now)
	}
	last := end.Add(-time.Millisecond)
	length := a.length(n, last)
	begin := last.Truncate(min(length, day))
	if length > day {
		begin = begin.Add(day - length)
	}
	return later(n.since, begin)
}

// endAfter is where the first window of a need ends. A window that reaches the
// clock reaches to the end of the need.
func (a *agenda) endAfter(n need) time.Time {
	length := a.length(n, n.since)
	end := n.since.Truncate(min(length, day)).Add(length)
	if !end.Before(a.now) {
		return n.until
	}
	return earlier(n.until, end)
}

// Plan is what an ingest would do.
type Plan struct {
	Windows  []PlannedWindow
	More     int // windows beyond those listed
	Requests int64
	Records  int64
	Bytes    int64
	// Known is false where the lake has no day to judge by: the figures are then
	// the least that it takes.
	Known bool
}

// PlannedWindow is one window of a plan.
type PlannedWindow struct {
	Window
	Why      string
	Archived bool
	Records  int64 // expected; 0 may also mean that nobody knows
	Requests int64
}

// maxListed is how many windows a plan lists.
const maxListed = 10_000

// plan walks through an agenda without reading anything.
func (a agenda) plan() Plan {
	a.needs = slices.Clone(a.needs)
	p := Plan{Known: true}
	for {
		t, ok := a.next()
		if !ok {
			return p
		}
		records, known := a.expect(t.window.Since, t.window.Until, t.archived)
		page := a.page()
		if t.archived {
			page = archivedPage
		}
		w := PlannedWindow{Window: t.window, Why: t.why, Archived: t.archived, Records: int64(math.Round(records)), Requests: int64(max(1, math.Ceil(records/page))) + confirmations}
		p.Known = p.Known && known
		p.Records, p.Requests, p.Bytes = p.Records+w.Records, p.Requests+w.Requests, p.Bytes+int64(records*a.density.bytesPerRecord())
		if len(p.Windows) == maxListed {
			p.More++
			continue
		}
		p.Windows = append(p.Windows, w)
	}
}
