package timeline

import (
	"fmt"
	"strings"
	"time"
)

// The histogram has a line a day, with a place for each hour of it, or, of a long
// window, a line a month with a place for each day. All events are in it, those that
// are not told too.

// hoursUntil is the longest window, in days, that is drawn by hours.
const hoursUntil = 31

var bars = []rune(" ▁▂▃▄▅▆▇█")

// Signs of what is no bar.
const (
	nothing      = '·' // nothing happened
	notCollected = '?' // nothing is there, and some of that time was not collected
)

// histogram is its lines.
func (s *Story) histogram() []string {
	byHour := s.Until.Sub(s.Since) <= hoursUntil*24*time.Hour
	unit, places := 24*time.Hour, 31
	if byHour {
		unit, places = time.Hour, 24
	}
	counts := map[int64]int64{}
	most := int64(0)
	for hour, n := range s.counts {
		k := hour * int64(time.Hour) / int64(unit)
		counts[k] += n
		most = max(most, counts[k])
	}
	title := "by day (UTC), at most " + grouped(most) + " a day"
	head := "           1    5    10   15   20   25   30"
	if byHour {
		title = "by hour (UTC), at most " + grouped(most) + " an hour"
		head = "           0     6     12    18"
	}
	lines := []string{title, head}
	for from := s.lineOf(s.Since, byHour); from.Before(s.Until); from = next(from, byHour) {
		var b strings.Builder
		total := int64(0)
		for at := from; at.Before(next(from, byHour)); at = at.Add(unit) {
			n := counts[at.UnixNano()/int64(unit)]
			total += n
			b.WriteRune(s.mark(at, at.Add(unit), n, most))
		}
		name := from.Format(time.DateOnly)
		if !byHour {
			name = from.Format("2006-01   ")
		}
		lines = append(lines, fmt.Sprintf("%s %-*s %6s", name, places, b.String(), grouped(total)))
	}
	return lines
}

func (s *Story) lineOf(t time.Time, byHour bool) time.Time {
	y, m, d := t.UTC().Date()
	if !byHour {
		d = 1
	}
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func next(line time.Time, byHour bool) time.Time {
	if byHour {
		return line.AddDate(0, 0, 1)
	}
	return line.AddDate(0, 1, 0)
}

// mark is the sign of a place.
func (s *Story) mark(since, until time.Time, n, most int64) rune {
	switch {
	case n > 0:
		return bars[1+(n*int64(len(bars)-1)-1)/most]
	case !until.After(s.Since) || !since.Before(s.Until):
		return ' '
	}
	for _, h := range s.Holes {
		if h.Since.Before(until) && h.Until.After(since) {
			return notCollected
		}
	}
	return nothing
}
