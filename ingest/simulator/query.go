package simulator

import (
	"net/http"
	"slices"
	"strconv"
)

// query reads the request, and holds it to the caps.
func (x *exchange) query() (*query, error) {
	req, err := readRequest(x.r, x.body)
	if err != nil {
		return nil, err
	}
	x.note.Filters = string(req.filters)
	if err := x.s.checkCursor(req); err != nil {
		return nil, err
	}
	if err := x.s.capLimit(req, x.r.Method); err != nil {
		return nil, err
	}
	now := x.now.UnixMilli()
	f, err := parseFilter(req.filters, now, x.s.opt.Paging, x.s.extra())
	if err != nil {
		return nil, err
	}
	q := &query{listRequest: req, filter: f, shape: x.s.opt.Cursor.Shape, now: now, door: x.s.oldest(now)}
	if q.scan && x.s.opt.Paging.ignores(q.field()) && x.s.given(req.filters) {
		if err := q.keepPlace(); err != nil {
			return nil, err
		}
	}
	x.asked(q)
	return q, nil
}

// asked writes the query into the log.
func (x *exchange) asked(q *query) {
	x.note.Scan, x.note.Limit, x.note.Skip = q.scan, q.limit, q.skip
	x.note.SortField = q.field()
	x.note.SortDirection = either(q.ascending, "asc", "desc")
}

// extra is the name of the member that is no filter; "" where there is none.
func (s *Simulator) extra() string {
	if s.opt.Cursor.Extra {
		return extraMember
	}
	return ""
}

// oldest is the oldest event time that the main route shows.
func (s *Simulator) oldest(now int64) int64 {
	if s.opt.Door > 0 {
		return now - s.opt.Door.Milliseconds()
	}
	return firstTime
}

const firstTime = -1 << 62

// plainReach is how far skip and limit together may reach into a plain list.
const plainReach = 5000

func (s *Simulator) capLimit(req *listRequest, method string) error {
	standard, most := 100, s.opt.Paging.PlainCap
	if req.scan {
		standard, most = 500, s.opt.Paging.ScanCap
		if method == http.MethodGet {
			most = s.opt.Paging.ScanGetCap
		}
		req.skip = 0
	}
	if err := s.cap(req, standard, most); err != nil || req.scan {
		return err
	}
	return s.withinReach(req, plainReach)
}

// cap decides the size of a page.
func (s *Simulator) cap(req *listRequest, standard, most int) error {
	switch {
	case !req.hasLimit:
		req.limit = min(standard, most)
	case req.limit >= 1 && req.limit <= most:
	case s.opt.Paging.Refuse:
		return &invalid{strconv.Itoa(req.limit)}
	case req.limit == 0:
		req.limit = min(standard, most)
	default:
		req.limit = most
	}
	return nil
}

// withinReach holds skip and limit to how far they may reach together; -1 is
// without end.
func (s *Simulator) withinReach(req *listRequest, reach int) error {
	if reach < 0 || req.skip+req.limit <= reach {
		return nil
	}
	if !s.opt.Paging.EmptyBeyond {
		return &invalid{strconv.Itoa(req.skip)}
	}
	req.limit = max(0, reach-req.skip)
	return nil
}

// checkCursor applies the switches that refuse a cursor.
func (s *Simulator) checkCursor(req *listRequest) error {
	c := s.opt.Cursor
	if !c.RequireExtra && c.RefuseAt == 0 || !req.scan {
		return nil
	}
	_, had := withoutExtra(req.filters)
	if !had && !s.given(req.filters) {
		return nil
	}
	if c.RequireExtra && !had {
		return &invalid{"filters"}
	}
	if s.log.nextCursor() == c.RefuseAt {
		return &invalid{extraMember}
	}
	return nil
}

// given says whether filters have been sent as a cursor.
func (s *Simulator) given(filters []byte) bool {
	rest, _ := withoutExtra(filters)
	s.cursorMu.Lock()
	defer s.cursorMu.Unlock()
	return s.cursors[digest(s.gen.seed, rest)]
}

// giveCursor remembers a cursor that is about to be sent.
func (s *Simulator) giveCursor(cursor []byte) []byte {
	c := s.opt.Cursor
	rest, _ := withoutExtra(cursor)
	ignored := slices.ContainsFunc([]string{"date", "created"}, s.opt.Paging.ignores)
	if c.RequireExtra || c.RefuseAt > 0 || ignored {
		s.cursorMu.Lock()
		if len(s.cursors) > 1<<20 {
			clear(s.cursors)
		}
		s.cursors[digest(s.gen.seed, rest)] = true
		s.cursorMu.Unlock()
	}
	if c.Extra {
		return withExtra(s.gen.seed, rest)
	}
	return cursor
}
