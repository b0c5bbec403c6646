package query

import (
	"math"
	"strconv"
	"strings"
	"time"

	"mdcalake/store"
)

// Selection is a part of the activities: a window of event time and some
// services. The zero value is all of them.
type Selection struct {
	// Since and Until bound timestamp, [Since, Until); zero: open.
	Since, Until time.Time
	// Services are numbers of apps; none: all.
	Services []int64
}

// condition is the selection in SQL; empty when it selects everything.
func (s Selection) condition() string {
	var all []string
	if !s.Since.IsZero() {
		all = append(all, `"timestamp" >= `+quoteMoment(s.Since))
	}
	if !s.Until.IsZero() {
		all = append(all, `"timestamp" < `+quoteMoment(s.Until))
	}
	if len(s.Services) > 0 {
		var numbers []string
		for _, n := range s.Services {
			numbers = append(numbers, strconv.FormatInt(n, 10))
		}
		all = append(all, "service IN ("+strings.Join(numbers, ", ")+")")
	}
	return strings.Join(all, " AND ")
}

// files are those of a table that may hold a row of the selection, as pruning
// finds them.
func (s Selection) files(t *lakeTable, snapshot *store.Snapshot) []store.File {
	times := span{math.MinInt64, math.MaxInt64}
	if !s.Since.IsZero() {
		times.lo = s.Since.UnixMicro()
	}
	if !s.Until.IsZero() {
		times.hi = s.Until.UnixMicro() - 1
	}
	filters := []*filter{{kind: within, column: "timestamp", spans: spans{times}}}
	if len(s.Services) > 0 {
		var services []span
		for _, n := range s.Services {
			services = append(services, span{n, n})
		}
		filters = append(filters, &filter{kind: within, column: "service", spans: union(services)})
	}
	kept, _, _ := prune(t, t.files(snapshot), []*filter{both(filters...)}, nil) // only an index can fail
	return kept
}

// quoteMoment writes a time as SQL, to the microsecond.
func quoteMoment(t time.Time) string {
	return "TIMESTAMPTZ '" + t.UTC().Format("2006-01-02 15:04:05.999999") + "+00'"
}
