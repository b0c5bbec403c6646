package ingest

import (
	"math"
	"time"

	"mdcalake/store"
)

// How many records there are to a time: what the lake has of each day, and what
// the run itself has seen. Windows are made by it, and the plan is told by it.
// It is a guess, and nothing but speed depends on it.

const day = 24 * time.Hour

// density is records by event time, for the services of one question.
type density struct {
	days        map[int64]int64 // rows of the lake by day since 1970, only of days that were read
	first, last int64           // of those
	mean        float64         // rows a day over those
	perRecord   float64         // bytes, 0: unknown
	page        int64           // records of a page, where the API gives fewer than it is asked for; 0: unknown

	// What the run has read itself.
	records, bytes int64
	span           time.Duration
}

// newDensity counts the rows of the lake of these services.
func newDensity(s *store.Snapshot, services []int64) *density {
	d := &density{days: map[int64]int64{}}
	rows := map[int64]int64{}
	for _, f := range s.Files {
		if len(services) == 0 || contains(services, f.Partition.Service) {
			rows[int64(f.Partition.Day)] += f.Rows
		}
	}
	var records, bytes int64
	for _, r := range s.Runs {
		if r.Verb == "ingest" || r.Verb == "import" {
			records, bytes = records+r.Records, bytes+r.Bytes
		}
		if r.PageRecords > 0 {
			d.givesAPage(r.PageRecords, r.PageSize)
		}
	}
	if records > 0 {
		d.perRecord = float64(bytes) / float64(records)
	}
	// Days that were read only in part would tell of too few records.
	for _, service := range ledgerServices(services) {
		for _, stretch := range s.CoverageOf(service, time.Time{}, time.Time{}) {
			if stretch.State != StateComplete && stretch.State != StateImported {
				continue
			}
			first := stretch.Since.Add(day - time.Millisecond).Truncate(day)
			for at := first; !at.Add(day).After(stretch.Until); at = at.Add(day) {
				d.days[dayOf(at)] = rows[dayOf(at)]
			}
		}
	}
	var sum int64
	d.first, d.last = math.MaxInt64, math.MinInt64
	for at, n := range d.days {
		sum += n
		d.first, d.last = min(d.first, at), max(d.last, at)
	}
	if len(d.days) > 0 {
		d.mean = float64(sum) / float64(len(d.days))
	}
	return d
}

// givesAPage notes how many records the API gives of those it is asked for.
func (d *density) givesAPage(records, asked int64) {
	if d.page = records; records >= asked {
		d.page = 0
	}
}

// saw counts in what the run has read of event time.
func (d *density) saw(span time.Duration, records, bytes int64) {
	d.span, d.records, d.bytes = d.span+span, d.records+records, d.bytes+bytes
}

// perDay is how many records a day has around a time; false: nobody knows.
func (d *density) perDay(at time.Time) (float64, bool) {
	if n, ok := d.days[dayOf(at)]; ok {
		return float64(n), true
	}
	if d.span >= leastSpan {
		return float64(d.records) / d.span.Hours() * 24, true
	}
	return d.mean, len(d.days) > 0
}

// expect is how many records an interval has, as far as it has happened.
func (d *density) expect(since, until, now time.Time) (records float64, known bool) {
	until = earlier(until, now)
	known = true
	for at := since; at.Before(until); {
		end := until
		switch n := dayOf(at); { // of the centuries around the lake's days nothing is known in particular
		case n < d.first && len(d.days) > 0:
			end = earlier(time.Unix(d.first*int64(day/time.Second), 0).UTC(), until)
		case n <= d.last && len(d.days) > 0:
			end = earlier(floorDay(at).Add(day), until)
		}
		n, ok := d.perDay(at)
		known = known && ok
		records += n * float64(end.UnixMilli()-at.UnixMilli()) / float64(day.Milliseconds())
		at = end
	}
	return records, known
}

// bytesPerRecord is the size of a record as it comes.
func (d *density) bytesPerRecord() float64 {
	switch {
	case d.records > 0:
		return float64(d.bytes) / float64(d.records)
	case d.perRecord > 0:
		return d.perRecord
	}
	return 4096 // ACTIVITIES_API 6.8: 3,964 to 4,077 over a live day and week
}

// leastSpan is how much the run must have read before its own figure counts: an
// hour of the night says little about a day.
const leastSpan = day / 2

// Windows are as long as about so many pages, and then so long at most.
const (
	pagesPerWindow = 8
	leastPages     = 2
	longestWindow  = 30 * day
)

// spans are the lengths of windows shorter than a day; each divides it.
var spans = []time.Duration{12 * time.Hour, 6 * time.Hour, 3 * time.Hour, time.Hour, 30 * time.Minute, 10 * time.Minute, 5 * time.Minute, time.Minute}

// window is how long a window should be to have about so many records: whole
// days, or a part of one. It lies around a time or goes on from there, a day and
// the ones after it or before it: a quiet Sunday says nothing of the week.
func (d *density) window(at time.Time, way time.Duration, records float64) time.Duration {
	perDay, known := d.perDay(at)
	if !known {
		return day
	}
	if records >= perDay {
		length := day
		for ; length < longestWindow; length += day {
			if length >= d.trust(at.Add(length*way)) {
				break
			}
			n, _ := d.perDay(at.Add(length * way))
			if perDay += n; perDay > records {
				break
			}
		}
		return length
	}
	for _, span := range spans {
		if records/perDay*float64(day) >= float64(span) {
			return span
		}
	}
	return spans[len(spans)-1]
}

// trust is how long a window that reaches to a day may be. What the run has seen
// itself may have been a Sunday: it is a guess for no more than as long again,
// or the weeks behind it would be read in one window, alone at last.
func (d *density) trust(at time.Time) time.Duration {
	if _, ok := d.days[dayOf(at)]; !ok && d.span >= leastSpan {
		return 2 * d.span
	}
	return longestWindow
}

func dayOf(t time.Time) int64 { return floorDay(t).Unix() / int64(day/time.Second) }

func floorDay(t time.Time) time.Time { return t.UTC().Truncate(day) }
