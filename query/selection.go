package query

import (
	"slices"
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

// files are those of a table that may hold a row of the selection. What the log
// does not know of a file keeps it.
func (s Selection) files(t *lakeTable, snapshot *store.Snapshot) []store.File {
	var kept []store.File
	for _, f := range t.files(snapshot) {
		if t.keys && len(s.Services) > 0 && !slices.Contains(s.Services, f.Partition.Service) {
			continue
		}
		first, last := f.Stats.Timestamp.Min, f.Stats.Timestamp.Max
		if t.keys {
			// A directory holds the timestamps of its day and no others; the file's
			// own bounds are closer where they are known and make sense.
			const day = 24 * 60 * 60 * 1000
			from := int64(f.Partition.Day) * day
			if lo, hi := max(first, from), min(last, from+day-1); lo <= hi {
				first, last = lo, hi
			} else {
				first, last = from, from+day-1
			}
		}
		// The log counts in whole milliseconds.
		early := !s.Since.IsZero() && last < s.Since.UnixMilli()
		late := !s.Until.IsZero() && first >= s.Until.Add(time.Millisecond-time.Nanosecond).UnixMilli()
		if first <= last && (early || late) {
			continue
		}
		kept = append(kept, f)
	}
	return kept
}

// quoteMoment writes a time as SQL, to the microsecond.
func quoteMoment(t time.Time) string {
	return "TIMESTAMPTZ '" + t.UTC().Format("2006-01-02 15:04:05.999999") + "+00'"
}
