package simulator

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// CursorShape is the form of the bound in nextQueryFilters. In every shape the
// other filters stay as the caller wrote them, and the field that is sorted by,
// "date" or "created", is the one that is changed.
type CursorShape string

// The shapes that clients have been written for.
const (
	// ShapeCaller keeps what the caller sent and moves lte (descending) or gte
	// (ascending) beside it: {"gte":S,"lte":M}, {"range":..,"lte":M}, {"gte_ndays":N,"lte":M}.
	ShapeCaller CursorShape = ""
	// ShapeRange writes the caller's bounds as one object, {"range":{"start":S,"end":E},"lte":M}.
	ShapeRange CursorShape = "range"
	// ShapeRangeList is ShapeRange with the object in a list.
	ShapeRangeList CursorShape = "range-list"
	// ShapeResolved is ShapeCaller with gte_ndays and lte_ndays turned into gte and lte.
	ShapeResolved CursorShape = "resolved"
)

var cursorShapes = []CursorShape{ShapeCaller, ShapeRange, ShapeRangeList, ShapeResolved}

func (c Cursor) check() error {
	if !slices.Contains(cursorShapes, c.Shape) {
		return fmt.Errorf("cursor shape %q is none of %q", c.Shape, cursorShapes)
	}
	return nil
}

// field is the name of the filter for the time that a query is sorted by.
func (q *query) field() string { return either(q.saved, "created", "date") }

// bound is the operator that lies ahead of a scan.
func (q *query) bound() string { return either(q.ascending, "gte", "lte") }

// moved is the caller's filters with the bound ahead of the scan on ms.
func (q *query) moved(ms int64) []byte {
	filters := q.filters
	if q.shape != ShapeCaller {
		filters = q.reshaped()
	}
	return moveBound(filters, q.field(), q.bound(), ms)
}

// towards is moved, half-way from the bound a scan stands on to ms; nil if it
// stands there already.
func (q *query) towards(ms int64) []byte {
	s := q.span()
	from := min(s.hi, q.now)
	if q.ascending {
		from = max(s.lo, q.door, 0)
	}
	if from == ms {
		return nil
	}
	return q.moved(ms + (from-ms)/2)
}

// span is the caller's bounds of the time that a query is sorted by.
func (q *query) span() *span {
	if q.saved {
		return &q.filter.saved
	}
	return &q.filter.date
}

// reshaped is the caller's filters with the bounds of the sort field in the
// shape asked for. What a range cannot say, as several equal times, stays.
func (q *query) reshaped() []byte {
	list, _ := parseMembers(q.filters) // it was parsed before, or is empty
	var ops []member
	for _, m := range list {
		if m.key == q.field() {
			ops, _ = parseMembers(m.value)
		}
	}
	if q.shape == ShapeResolved {
		ops = resolved(ops, q.now)
	} else {
		ops = q.ranged(ops)
	}
	if len(ops) == 0 {
		return q.filters
	}
	return appendMembers(nil, put(list, q.field(), appendMembers(nil, ops)))
}

// resolved turns numbers of days into ms.
func resolved(ops []member, now int64) []member {
	var list []member
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	for _, m := range ops {
		times, err := parseTimes(m.value)
		switch {
		case err != nil || len(times) == 0:
			list = append(list, m) // a range
		case m.key == "gte_ndays":
			lo = max(lo, daysBefore(now, slices.Max(times)))
		case m.key == "lte_ndays":
			hi = min(hi, daysBefore(now, slices.Min(times)))
		case m.key == "gte":
			lo = max(lo, slices.Min(times))
		case m.key == "lte":
			hi = min(hi, slices.Max(times))
		default:
			list = append(list, m)
		}
	}
	if lo != math.MinInt64 {
		list = append(list, member{"gte", strconv.AppendInt(nil, lo, 10)})
	}
	if hi != math.MaxInt64 {
		list = append(list, member{"lte", strconv.AppendInt(nil, hi, 10)})
	}
	return list
}

// ranged writes the bounds as a range; one that is there already, as in a
// cursor that comes back, stays and only changes its form.
func (q *query) ranged(ops []member) []member {
	s := q.span()
	if len(s.lists) > 0 {
		return ops
	}
	for i, m := range ops {
		if m.key == "range" {
			ops[i].value = inForm(m.value, q.shape)
			return ops
		}
	}
	lo, hi := s.lo, s.hi
	if lo == math.MinInt64 {
		lo = max(q.door, 0)
	}
	if hi == math.MaxInt64 {
		hi = q.now
	}
	return []member{{"range", inForm(fmt.Appendf(nil, `{"start":%d,"end":%d}`, lo, hi), q.shape)}}
}

// inForm puts the object of a range into a list, or takes it out of one.
func inForm(value []byte, shape CursorShape) []byte {
	isList := value[0] == '['
	switch {
	case shape == ShapeRangeList && !isList:
		return slices.Concat([]byte("["), value, []byte("]"))
	case shape == ShapeRange && isList:
		return value[1 : len(value)-1] // of one interval; more than one stay as they are
	}
	return value
}
