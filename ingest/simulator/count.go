package simulator

import "net/http"

// count answers how many records match: {total, moreThanTotal, searchedSince}.
// It obeys the filters of its route, and knows no pages. searchedSince is taken
// to be the oldest event time that was looked at, in ms.
func (x *exchange) count(archived bool) {
	q, ok := x.ask(archived)
	if !ok {
		return
	}
	caps := x.s.opt.Paging
	total := x.s.count(q) + caps.CountExtra
	more := caps.CountCap > 0 && total > caps.CountCap
	if more {
		total = caps.CountCap
	}
	since := max(q.filter.date.lo, q.door)
	if since <= firstTime {
		since = x.s.opt.Start.UnixMilli()
	}
	x.kind = answerCount
	o := out{}
	o.elem()
	o.int("total", int64(total))
	o.bool("moreThanTotal", more)
	o.int("searchedSince", since)
	o.end()
	o.trim()
	x.write(http.StatusOK, "application/json", o.b)
}
