package simulator

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Archive shapes the route archived_activities, which reaches behind the Door.
// The zero value is a route that shows 180 days up to the clock and does what
// its clients were seen to cope with: no scan, pages by skip, one week at a
// time, ties in another order on every call.
type Archive struct {
	Span   time.Duration // records with older event time are gone here too; 0 means 180 days
	Cap    int           // largest page; 0 means 250
	Reach  int           // how far skip and limit together may reach; 0 means 5000, -1 without end
	Scan   ArchiveScan
	Steady bool // ties keep their order, as on the main route
	Closed bool // there is no such route: 404
}

// ArchiveScan says what the archived route does with isScan.
type ArchiveScan string

// It ignores it, and the answer is a plain page; or it refuses it with 400.
const (
	ArchiveScanIgnored ArchiveScan = ""
	ArchiveScanRefused ArchiveScan = "refuse"
)

// Values that the zero Archive stands for.
const (
	DefaultArchiveSpan = 180 * 24 * time.Hour
	archiveCap         = 250
	archiveWeek        = 7 * 24 * hourMS // the most that one query may ask for, ms
)

func (a Archive) withDefaults() Archive {
	if a.Span == 0 {
		a.Span = DefaultArchiveSpan
	}
	if a.Cap == 0 {
		a.Cap = archiveCap
	}
	if a.Reach == 0 {
		a.Reach = plainReach
	}
	return a
}

// archiveFilters are those that the archived search has.
var archiveFilters = []string{
	"date", "service", "activity.id", "activity.eventActionType", "activity.eventType", "actionType", "activity.actionType",
	"ip.address", "location.country", "user.username",
}

func (a Archive) check() error {
	switch {
	case a.Span < 0:
		return fmt.Errorf("the archive's span must not be negative, got %s", a.Span)
	case a.Cap < 0:
		return fmt.Errorf("the archive's largest page must not be negative, got %d", a.Cap)
	case a.Reach < -1:
		return fmt.Errorf("the archive's reach must not be negative, got %d; -1 is without end", a.Reach)
	case a.Scan != ArchiveScanIgnored && a.Scan != ArchiveScanRefused:
		return fmt.Errorf("the archive can do %q or %q with a scan, not %q", ArchiveScanIgnored, ArchiveScanRefused, a.Scan)
	}
	return nil
}

// archived answers a page of the archived route.
func (x *exchange) archived() {
	q, ok := x.ask(true)
	if !ok {
		return
	}
	p := cut(q, func(f func(spot) bool) { x.s.walkUnsteady(q, x.note.Number, f) })
	p.total = x.s.count(q)
	x.kind = answerArchived
	x.answer(q, p)
}

// archivedQuery reads a request for the archived route and holds it to its rules.
func (x *exchange) archivedQuery() (*query, error) {
	req, err := readRequest(x.r, x.body)
	if err != nil {
		return nil, err
	}
	x.note.Filters = string(req.filters)
	a := x.s.opt.Archive
	if req.scan && a.Scan == ArchiveScanRefused {
		return nil, &invalid{"isScan"}
	}
	req.scan = false
	if req.saved {
		return nil, &invalid{"created"}
	}
	if err := x.s.cap(req, 100, a.Cap); err != nil {
		return nil, err
	}
	if err := x.s.withinReach(req, a.Reach); err != nil {
		return nil, err
	}
	if err := x.s.archiveRules(req.filters); err != nil {
		return nil, err
	}
	now := x.now.UnixMilli()
	f, err := parseFilter(req.filters, now, x.s.opt.Paging, x.s.extra())
	if err != nil {
		return nil, err
	}
	q := &query{listRequest: req, filter: f, now: now, door: now - a.Span.Milliseconds()}
	x.asked(q)
	return q, nil
}

// archiveRules refuses filters that the archived search has not, and a date
// that is no list of ranges within one week.
func (s *Simulator) archiveRules(filters []byte) error {
	members, err := parseMembers(filters)
	if err != nil {
		return &invalid{"filters"}
	}
	var date []byte
	for _, m := range members {
		switch {
		case m.key == "date":
			date = m.value
		case m.key == s.extra() && m.key != "", slices.Contains(archiveFilters, m.key):
		case operators[m.key] == "" && s.opt.Paging.IgnoreUnknown:
		default:
			return &invalid{m.key}
		}
	}
	ops, err := parseMembers(date)
	if err != nil || len(ops) != 1 || ops[0].key != "range" || ops[0].value[0] != '[' {
		return &invalid{"date"}
	}
	ranges, err := parseRanges(ops[0].value)
	if err != nil {
		return &invalid{string(ops[0].value)}
	}
	lo, hi := ranges[0].lo, ranges[0].hi
	for _, r := range ranges {
		lo, hi = min(lo, r.lo), max(hi, r.hi)
	}
	// An absent end is open, and so is farther away than any sum can say.
	if lo < -farthest || hi > farthest || hi-lo > archiveWeek {
		return &invalid{string(ops[0].value)}
	}
	return nil
}

// walkUnsteady is walk with ties in an order that depends on the request.
func (s *Simulator) walkUnsteady(q *query, request int, f func(spot) bool) {
	if s.opt.Archive.Steady {
		s.walk(q, f)
		return
	}
	salt := derive(s.gen.seed, 302, uint64(request))
	var ties []spot
	order := func(at spot) uint64 { return derive(salt, s.gen.tie(at.b.hour, *at.e)) }
	flush := func() bool {
		slices.SortFunc(ties, func(a, b spot) int { return cmp.Compare(order(a), order(b)) })
		for _, at := range ties {
			if !f(at) {
				return false
			}
		}
		ties = ties[:0]
		return true
	}
	more := true
	s.walk(q, func(at spot) bool {
		if len(ties) > 0 && q.key(ties[0]) != q.key(at) {
			more = flush()
		}
		ties = append(ties, at)
		return more
	})
	if more {
		flush()
	}
}
