package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

func (x *exchange) write(status int, contentType string, body []byte) {
	x.note.Status = status
	x.sent = len(body)
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.record()
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body) // a client that went away is no concern of ours
}

func (x *exchange) detail(status int, text string) {
	x.write(status, "application/json", fmt.Appendf(nil, `{"detail":%s}`, appendText(nil, text)))
}

func (x *exchange) refuse(value string) {
	o := out{}
	o.elem()
	o.arr("filters")
	o.elem()
	o.str("error", value+" is not valid")
	o.str("errorMessageCode", "CONSOLE_FORMS_NOT_VALID_VALUE")
	o.obj("errorMessageParams")
	o.str("value", value)
	o.end()
	o.end()
	o.stop()
	o.bool("error", true)
	o.end()
	o.trim()
	x.write(http.StatusBadRequest, "application/json", o.b)
}

// html is the portal's page, which can come where JSON was expected.
func (x *exchange) html(status int, text string) {
	more := ""
	if status >= 500 {
		more = "<p>If the problem persists, contact support.</p>"
	}
	x.write(status, "text/html; charset=utf-8", fmt.Appendf(nil, "<!DOCTYPE html>\n<html><head><title>%d</title>\n<script>var __ADALLOM_CONSTS = {\"status\": %d};</script></head>\n<body><h1>%d</h1><p>%s</p>%s</body></html>\n", status, status, status, text, more))
}

// answer writes a page, with the faults that were asked for.
func (x *exchange) answer(q *query, p page) {
	has := func(k FaultKind) bool { return slices.Contains(x.faults, k) }
	if has(FaultEmptyObject) {
		x.met(FaultEmptyObject)
		x.write(http.StatusOK, "application/json", []byte("{}"))
		return
	}
	x.spoilEnd(q, &p)
	x.spoilRows(q, &p)
	if x.s.opt.Paging.WrongTotal || has(FaultWrongTotal) {
		r := rng{derive(x.s.gen.seed, 300, uint64(x.note.Number))}
		p.total = max(0, p.total*(80+r.n(41))/100+1+r.n(9))
	}
	noTotal := x.s.opt.Paging.NoTotal || has(FaultNoTotal) || q.asyncTotal
	switch {
	case has(FaultNoTotal):
		x.met(FaultNoTotal)
	case has(FaultWrongTotal) && !noTotal:
		x.met(FaultWrongTotal)
	}

	body := x.s.write(q, p, has(FaultNullData), noTotal)
	x.note.Records, x.note.HasNext, x.note.Cursor = len(p.spots), p.hasNext, string(p.cursor)
	x.send(body)
	x.s.buffers.Put(&body)
}

// spoilEnd changes what a page says about its end. A fault that changes nothing,
// as an early end on the last page, is not met.
func (x *exchange) spoilEnd(q *query, p *page) {
	on := func(k FaultKind, possible bool) bool {
		if !possible || !slices.Contains(x.faults, k) {
			return false
		}
		x.met(k)
		return true
	}
	switch {
	case on(FaultNullData, true), on(FaultEmptyPage, true):
		p.spots, p.hasNext, p.cursor = nil, true, q.unmoved()
	case q.scan && len(p.spots) > 0:
		if to := q.towards(q.key(p.spots[0])); on(FaultEmptyMoved, to != nil) {
			p.spots, p.hasNext, p.cursor = nil, true, to
		}
	}
	if on(FaultStuckCursor, q.scan && p.hasNext) {
		p.cursor = q.unmoved()
	}
	if on(FaultOverlap, q.scan && p.hasNext && len(p.spots) > 1) {
		p.cursor = q.moved(q.key(p.spots[len(p.spots)/2]))
	}
	if on(FaultNoCursor, q.scan || !p.hasNext) {
		p.hasNext, p.cursor = true, nil
	}
	if on(FaultEarlyEnd, p.hasNext) {
		p.hasNext, p.cursor = false, nil
	}
}

// spoilRows changes the rows of a page.
func (x *exchange) spoilRows(q *query, p *page) {
	n := len(p.spots)
	if n == 0 {
		return
	}
	for _, k := range x.faults {
		switch k {
		case FaultTwice:
			p.spots = slices.Insert(p.spots, n/2, p.spots[n/2])
		case FaultDisorder:
			if n < 2 {
				continue
			}
			slices.Reverse(p.spots)
		case FaultOutside:
			s, ok := x.s.outsider(q)
			if !ok {
				continue
			}
			p.spots = slices.Insert(p.spots, n/2, s)
		default:
			continue
		}
		x.met(k)
	}
}

// write makes the body of a page.
func (s *Simulator) write(q *query, p page, dataNull, noTotal bool) []byte {
	var buf []byte
	if b, ok := s.buffers.Get().(*[]byte); ok {
		buf = (*b)[:0]
	}
	const usual = 4800 // bytes of a record; growing in steps copies tens of MB
	o := out{append(slices.Grow(buf, len(p.spots)*usual), '{')}
	if dataNull {
		o.null("data")
	} else {
		o.arr("data")
		for _, at := range p.spots {
			o.b = s.gen.body(o.b, at)
			o.b = append(o.b, ',')
		}
		o.stop()
	}
	o.bool("hasNext", p.hasNext)
	if q.scan && p.cursor != nil {
		o.key("nextQueryFilters")
		o.b = append(append(o.b, s.giveCursor(p.cursor)...), ',')
	}
	if q.asyncTotal {
		o.bool("performAsyncTotal", true)
	}
	if !noTotal {
		o.int("total", int64(p.total))
	}
	o.end()
	o.trim()
	return o.b
}

// unmoved is the caller's own filters, as a cursor.
func (q *query) unmoved() []byte {
	if len(q.filters) == 0 {
		return []byte("{}")
	}
	return q.filters
}

// outsider finds a visible record that the query does not ask for.
func (s *Simulator) outsider(q *query) (found spot, ok bool) {
	s.index.byDate(q.door, q.now, false, func(at spot) bool {
		if s.gen.shown(at.e) <= q.now && !s.matches(q, at) {
			found, ok = at, true
		}
		return !ok
	})
	return found, ok
}
