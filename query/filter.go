package query

import (
	"cmp"
	"math"
	"slices"

	"mdcalake/store"
)

// filter is what a scan's rows must fulfil, as far as it was understood. What
// was not is anything, which every row may fulfil: so a filter lets through at
// least what the statement does.
type filter struct {
	kind   filterKind
	of     []*filter // all, any
	column string    // within, holds
	spans  spans     // within: in the column's own unit
	values []string  // holds: a value, or one with the same lower()
	// cells are those that may hold one of the values, nil as long as nobody
	// knows.
	cells map[store.Partition]bool
}

type filterKind int

const (
	anything filterKind = iota
	all
	anyOf
	within
	holds
)

// open lets everything through.
var open = &filter{kind: anything}

// both is all of the filters.
func both(of ...*filter) *filter {
	of = slices.DeleteFunc(slices.Clone(of), func(f *filter) bool { return f.kind == anything })
	switch len(of) {
	case 0:
		return open
	case 1:
		return of[0]
	}
	// The cheap and the telling ones first: they give the reason as well.
	slices.SortStableFunc(of, func(a, b *filter) int { return cmp.Compare(a.rank(), b.rank()) })
	return &filter{kind: all, of: of}
}

// either is one of the filters.
func either(of ...*filter) *filter {
	if len(of) == 0 || slices.ContainsFunc(of, func(f *filter) bool { return f.kind == anything }) {
		return open
	}
	if len(of) == 1 {
		return of[0]
	}
	return &filter{kind: anyOf, of: of}
}

// rank is by what a filter decides.
func (f *filter) rank() Reason {
	switch f.kind {
	case within:
		return columnReason(f.column)
	case holds:
		return ByValue
	}
	least := ByValue
	for _, c := range f.of {
		least = min(least, c.rank())
	}
	return least
}

// span is a closed interval; empty where lo > hi.
type span struct{ lo, hi int64 }

// spans are disjoint intervals in ascending order.
type spans []span

var everything = spans{{math.MinInt64, math.MaxInt64}}

// maxSpans bounds what is told apart; beyond it neighbours become one.
const maxSpans = 1 << 16

// union makes spans of intervals in any order.
func union(of []span) spans {
	of = slices.DeleteFunc(slices.Clone(of), func(s span) bool { return s.lo > s.hi })
	slices.SortFunc(of, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	var joined spans
	for _, s := range of {
		n := len(joined)
		if n > 0 && (s.lo <= joined[n-1].hi || s.lo-1 == joined[n-1].hi || n == maxSpans) {
			joined[n-1].hi = max(joined[n-1].hi, s.hi)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

func intersection(a, b spans) spans {
	var both spans
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if lo, hi := max(a[i].lo, b[j].lo), min(a[i].hi, b[j].hi); lo <= hi {
			both = append(both, span{lo, hi})
		}
		if a[i].hi < b[j].hi {
			i++
		} else {
			j++
		}
	}
	return both
}

// touch says whether one of the values from lo to hi is in the spans.
func (s spans) touch(lo, hi int64) bool {
	i, _ := slices.BinarySearchFunc(s, lo, func(s span, lo int64) int { return cmp.Compare(s.hi, lo) })
	return lo <= hi && i < len(s) && s[i].lo <= hi
}

// spansOf are the values of a dimension that a row which passes the filter may
// have. leaf answers for a single condition on a column, everything where it
// has nothing to do with the dimension.
func (f *filter) spansOf(leaf func(column string, s spans) spans) spans {
	switch f.kind {
	case within:
		return leaf(f.column, f.spans)
	case all:
		s := everything
		for _, c := range f.of {
			s = intersection(s, c.spansOf(leaf))
		}
		return s
	case anyOf:
		var s []span
		for _, c := range f.of {
			s = append(s, c.spansOf(leaf)...)
		}
		return union(s)
	}
	return everything
}

// times is when what the filter lets through can have happened: microseconds
// since 1970.
func (f *filter) times() spans {
	return f.spansOf(func(column string, s spans) spans {
		switch column {
		case "timestamp":
			return s
		case "date":
			return daysToMicros(s)
		}
		return everything
	})
}

// services are those whose records it can let through.
func (f *filter) services() spans {
	return f.spansOf(func(column string, s spans) spans {
		if column == "service" {
			return s
		}
		return everything
	})
}

const dayMicros = 24 * 60 * 60 * 1_000_000

// daysToMicros are the moments of days.
func daysToMicros(days spans) spans {
	var micros []span
	for _, d := range days {
		last := int64(math.MaxInt64)
		if d.hi < math.MaxInt64 {
			last = saturated(d.hi+1, dayMicros)
			if last < math.MaxInt64 {
				last--
			}
		}
		micros = append(micros, span{saturated(d.lo, dayMicros), last})
	}
	return union(micros)
}

// microsToDays are the days that begin in the spans: those that compare so as
// a date does when it is cast to a timestamp.
func microsToDays(micros spans) spans {
	var days []span
	for _, m := range micros {
		lo, rest := floorDiv(m.lo, dayMicros)
		if rest != 0 {
			lo++
		}
		hi, _ := floorDiv(m.hi, dayMicros)
		days = append(days, span{lo, hi})
	}
	return union(days)
}

// saturated multiplies, and stops at the ends.
func saturated(a, b int64) int64 {
	switch {
	case a > math.MaxInt64/b:
		return math.MaxInt64
	case a < math.MinInt64/b:
		return math.MinInt64
	}
	return a * b
}
