package query

import (
	"math"
	"strconv"

	"mdcalake/store"
)

// Holds a filter against what the log knows of a file.

// Reason is why a file was left out.
type Reason int

// The reasons, the plainest first. A file that several hold for is counted
// under the first.
const (
	NotRead   Reason = iota // no scan of the statement reads its table
	ByDate                  // its day
	ByService               // its service
	ByTime                  // the least and the greatest timestamp, created or ingested in it
	ByValue                 // the value index: its cell has not the value
	reasons
	kept Reason = -1
)

// String is the reason in a word or two, behind "left out by".
func (r Reason) String() string {
	return [...]string{"no scan", "date", "service", "time", "value"}[r]
}

func columnReason(column string) Reason {
	switch column {
	case "date":
		return ByDate
	case "service", "app_id":
		return ByService
	}
	return ByTime
}

// fileFacts are what is known of a file's rows without opening it.
type fileFacts struct {
	file    *store.File
	placed  bool // its day and service are in its path
	trusted bool // its statistics are believed
	indexed bool // the value index knows its values
}

func newFileFacts(f *store.File, keys bool, values valueSource) fileFacts {
	if keys && !inCell(f.Path, f.Partition) {
		return fileFacts{file: f} // nothing: checkPath will say so
	}
	facts := fileFacts{file: f, placed: keys, indexed: keys && values != nil && values.Knows(*f)}
	// Whoever wrote the statistics has put the timestamps where they belong, or
	// they are about something else.
	t := f.Stats.Timestamp
	if keys {
		day := int64(f.Partition.Day) * dayMillis
		facts.trusted = day <= t.Min && t.Min <= t.Max && t.Max < day+dayMillis
	} else {
		facts.trusted = t.Min <= t.Max && t.Min > 0
	}
	return facts
}

// inCell says whether a file lies where its day and service say: DuckDB takes
// both from the path.
func inCell(path string, p store.Partition) bool {
	var space [64]byte
	dir := append(space[:0], "activities/date="...)
	dir = appendCivil(dir, int64(p.Day))
	dir = append(dir, "/service="...)
	dir = strconv.AppendInt(dir, p.Service, 10)
	dir = append(dir, '/')
	return len(path) > len(dir) && path[:len(dir)] == string(dir)
}

const dayMillis = dayMicros / 1000

// excludedBy says why no row of the file can pass the filter; kept: one may.
func (f *fileFacts) excludedBy(by *filter) Reason {
	switch by.kind {
	case within:
		if lo, hi, known := f.bounds(by.column); known && !by.spans.touch(lo, hi) {
			return columnReason(by.column)
		}
	case holds:
		if by.cells != nil && f.indexed && !by.cells[f.file.Partition] {
			return ByValue
		}
	case all:
		for _, c := range by.of {
			if r := f.excludedBy(c); r != kept {
				return r
			}
		}
	case anyOf:
		first := kept
		for _, c := range by.of {
			r := f.excludedBy(c)
			if r == kept {
				return kept
			}
			first = max(first, r) // what it needed at the most
		}
		return first
	}
	return kept
}

// bounds are the least and the greatest value of a column in the file, lo > hi
// where all are NULL, in the unit that plans have.
func (f *fileFacts) bounds(column string) (lo, hi int64, known bool) {
	switch column {
	case "date":
		if !f.placed {
			lo, _ = floorDiv(f.file.Stats.Timestamp.Min, dayMillis)
			hi, _ = floorDiv(f.file.Stats.Timestamp.Max, dayMillis)
			return lo, hi, f.trusted
		}
		day := int64(f.file.Partition.Day)
		return day, day, true
	case "service":
		return f.file.Partition.Service, f.file.Partition.Service, f.placed
	case "timestamp":
		lo, hi = micros(f.file.Stats.Timestamp)
	case "created":
		lo, hi = micros(f.file.Stats.Created)
	case "ingested":
		lo, hi = micros(f.file.Stats.Ingested)
	case "app_id":
		lo, hi = f.file.Stats.AppID.Min, f.file.Stats.AppID.Max
	default:
		return 0, 0, false
	}
	return lo, hi, f.trusted
}

// micros are the bounds of times that the log has in whole milliseconds, cut
// off and not rounded.
func micros(r store.Range) (lo, hi int64) {
	if r.Empty() {
		return math.MaxInt64, math.MinInt64
	}
	lo, hi = saturated(r.Min, 1000), saturated(r.Max, 1000)
	if hi <= math.MaxInt64-999 {
		hi += 999
	}
	return lo, hi
}
