package simulator

import (
	"math"
	"strconv"
)

// query is a list request brought down to what the index is asked.
type query struct {
	*listRequest
	filter *filter
	shape  CursorShape
	now    int64
	door   int64 // the oldest visible event time
}

// key is the time a query is sorted by.
func (q *query) key(s spot) int64 {
	if q.saved {
		return s.e.created
	}
	return s.e.ts
}

// walk calls f for the matching records in order until it returns false.
func (s *Simulator) walk(q *query, f func(spot) bool) {
	visit := func(at spot) bool { return !s.matches(q, at) || f(at) }
	if q.saved {
		s.index.bySaved(q.filter.saved.lo, min(q.filter.saved.hi, q.now), !q.ascending, visit)
		return
	}
	s.index.byDate(max(q.filter.date.lo, q.door), q.filter.date.hi, !q.ascending, visit)
}

func (s *Simulator) matches(q *query, at spot) bool {
	e := at.e
	if s.gen.shown(e) > q.now || e.ts < q.door || !q.filter.date.admits(e.ts) || !q.filter.saved.admits(e.created) {
		return false
	}
	if e.act == actStatic {
		if len(q.filter.services)+len(q.filter.rest) == 0 {
			return true
		}
		f := s.gen.static[e.n].facts()
		return hold(q.filter.services, f) && hold(q.filter.rest, f)
	}
	for i := range q.filter.services {
		if !q.filter.services[i].holds(appTexts[actions[e.act].appAt]) {
			return false
		}
	}
	return len(q.filter.rest) == 0 || s.draftMatches(q.filter.rest, at)
}

// appTexts are the app ids as facts, made once: filtering by service is common.
var appTexts = func() [][]string {
	list := make([][]string, len(apps))
	for i, a := range apps {
		list[i] = []string{strconv.FormatInt(a.id, 10)}
	}
	return list
}()

func hold(conditions []condition, f facts) bool {
	for i := range conditions {
		if !conditions[i].holds(f[conditions[i].field]) {
			return false
		}
	}
	return true
}

// draftMatches asks a sketch first and writes the record only for what that
// does not know.
func (s *Simulator) draftMatches(conditions []condition, at spot) bool {
	var d draft
	s.gen.sketch(&d, at)
	unknown := false
	for i := range conditions {
		values, ok := d.fact(conditions[i].field)
		if !ok {
			unknown = true
			continue
		}
		if !conditions[i].holds(values) {
			return false
		}
	}
	return !unknown || hold(conditions, readFacts(s.gen.body(nil, at)))
}

// page is a page before it is written.
type page struct {
	spots   []spot
	hasNext bool
	cursor  []byte // nextQueryFilters; nil if absent
	total   int
}

// walker calls a function for the records of a query until it returns false.
type walker func(f func(spot) bool)

// cut makes the page of a plain list: by position.
func cut(q *query, walk walker) page {
	var p page
	if q.limit == 0 {
		return p
	}
	seen := 0
	walk(func(at spot) bool {
		seen++
		if seen <= q.skip {
			return true
		}
		if len(p.spots) == q.limit {
			p.hasNext = true
			return false
		}
		p.spots = append(p.spots, at)
		return true
	})
	return p
}

// scanPage makes the page of a scan: by key, see the package's words.
func (s *Simulator) scanPage(q *query) page {
	var p page
	whole := false // the page is one millisecond, and must become whole
	var next spot  // the first record beyond the page
	s.walk(q, func(at spot) bool {
		if len(p.spots) < q.limit {
			p.spots = append(p.spots, at)
			return true
		}
		if len(p.spots) == q.limit && !s.opt.Cursor.StandStill {
			whole = q.key(p.spots[0]) == q.key(p.spots[q.limit-1])
		}
		if whole && q.key(at) == q.key(p.spots[0]) {
			p.spots = append(p.spots, at)
			return true
		}
		next = at
		return false
	})
	if next.e == nil {
		return p
	}
	p.hasNext = true
	n := len(p.spots)
	bound := q.key(p.spots[n-1])
	oneKey := q.key(p.spots[0]) == bound
	switch {
	case whole:
		bound += q.step()
	case oneKey: // StandStill, or a fixed tail that would drop for ever
	case s.opt.Cursor.DropTail > 0:
		keep := max(1, n-s.opt.Cursor.DropTail)
		if q.key(p.spots[keep-1]) == q.key(p.spots[0]) {
			// So few are left that the cursor would not move: drop no more than is safe.
			for keep < n && q.key(p.spots[keep]) == q.key(p.spots[0]) {
				keep++
			}
		}
		bound = q.key(p.spots[keep])
		p.spots = p.spots[:keep]
	default:
		for n > 0 && q.key(p.spots[n-1]) == bound {
			n--
		}
		p.spots = p.spots[:n]
	}
	p.cursor = q.moved(bound)
	return p
}

// step is the way the scan goes, in ms.
func (q *query) step() int64 {
	if q.ascending {
		return 1
	}
	return -1
}

// costlyLimit is how many records are drafted to count matches; beyond it the
// total is an estimate, as the API's own is.
const costlyLimit = 20_000

// count is the number of records that match, from here on.
func (s *Simulator) count(q *query) int {
	f := q.filter
	plain := len(f.services)+len(f.rest)+len(f.date.lists)+len(f.saved.lists) == 0 &&
		f.saved.lo == math.MinInt64 && f.saved.hi == math.MaxInt64
	lo := max(f.date.lo, q.door)
	if plain {
		return s.index.countDates(lo, f.date.hi, q.now)
	}
	all, examined, found := 0, 0, 0
	cheap := *q
	cheap.filter = &filter{date: f.date, saved: f.saved, services: f.services}
	s.walk(&cheap, func(at spot) bool {
		all++
		if len(f.rest) == 0 {
			found++
		} else if examined < costlyLimit {
			examined++
			if s.matches(q, at) {
				found++
			}
		}
		return true
	})
	if examined == 0 || examined == all {
		return found
	}
	return int(float64(found) / float64(examined) * float64(all))
}
