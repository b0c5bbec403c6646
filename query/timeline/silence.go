package timeline

import (
	"context"
	"fmt"
	"time"

	"mdcalake/query"
	"mdcalake/store"
)

// Usual is what a silence of the entity usually is.
//
// People are silent every night and longer over a weekend, so the measure is the
// longest silence of a week: half as long again as its median over at least
// leastWeeks weeks of the window and the past. With fewer weeks it is a day.
type Usual struct {
	Weeks int           // weeks that have a silence
	Week  time.Duration // the median of their longest
	Limit time.Duration // a silence above it is unusual
}

const leastWeeks = 3

func newUsual(weeks int, week, gap time.Duration) Usual {
	u := Usual{Weeks: weeks, Week: week, Limit: 24 * time.Hour}
	if weeks >= leastWeeks {
		u.Limit = week + week/2
	}
	u.Limit = max(u.Limit, gap)
	return u
}

func (u Usual) String() string {
	if u.Weeks < leastWeeks {
		return fmt.Sprintf("longer than %s; there are not %d weeks to know what is usual", length(u.Limit), leastWeeks)
	}
	return fmt.Sprintf("longer than %s, half as long again as the longest of a usual week (%s, of %d weeks)", length(u.Limit), length(u.Week), u.Weeks)
}

// Silence is an unusual one.
type Silence struct {
	Since, Until time.Time
	// NotCollected is how much of it lies in holes, and does not count.
	NotCollected time.Duration
	// Open says that it begins with the window, or ends with it.
	Open bool
}

func (s *Story) judgeSilences(ctx context.Context, past string) error {
	// What is a hole of one service alone may have left something to hear.
	var deaf []store.Hole
	for _, h := range s.Holes {
		if h.Service == nil {
			deaf = append(deaf, h)
		}
	}
	err := query.Each(ctx, s.engine, usualStatement(s.numbered, past, s.Until, s.Gap, deaf), func(row struct {
		Weeks int
		Usual float64
	}) error {
		s.Usual = newUsual(row.Weeks, time.Duration(row.Usual)*time.Microsecond, s.Gap)
		return nil
	})
	if err != nil || s.Entity.Kind == Session {
		return err // who used the session may have gone on without it
	}
	judge := func(since, until time.Time, open bool) {
		silence := Silence{Since: since, Until: until, Open: open}
		for _, h := range deaf {
			if overlap := earlier(until, h.Until).Sub(later(since, h.Since)); overlap > 0 {
				silence.NotCollected += overlap
			}
		}
		if until.Sub(since)-silence.NotCollected > s.Usual.Limit {
			s.Silences = append(s.Silences, silence)
		}
	}
	before := s.Since
	err = query.Each(ctx, s.engine, "SELECT epoch_us(before) AS before, epoch_us(timestamp) AS \"at\" FROM "+s.numbered+fmt.Sprintf(" WHERE before IS NULL OR epoch_us(timestamp) - epoch_us(before) > %d ORDER BY n", s.Usual.Limit.Microseconds()), func(row struct {
		Before *int64
		At     int64
	}) error {
		open := row.Before == nil
		if !open {
			before = time.UnixMicro(*row.Before).UTC()
		}
		judge(before, time.UnixMicro(row.At).UTC(), open)
		return nil
	})
	judge(s.Last, earlier(s.Until, s.Now), true)
	return err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// length is a duration for people, in its two largest units.
func length(d time.Duration) string {
	s := int64(d.Round(time.Second).Seconds())
	switch days, hours, minutes, seconds := s/86400, s%86400/3600, s%3600/60, s%60; {
	case days > 0 && hours > 0:
		return fmt.Sprintf("%dd %dh", days, hours)
	case days > 0:
		return fmt.Sprintf("%dd", days)
	case hours > 0 && minutes > 0:
		return fmt.Sprintf("%dh %dm", hours, minutes)
	case hours > 0:
		return fmt.Sprintf("%dh", hours)
	case minutes > 0 && seconds > 0:
		return fmt.Sprintf("%dm %ds", minutes, seconds)
	case minutes > 0:
		return fmt.Sprintf("%dm", minutes)
	default:
		return fmt.Sprintf("%ds", seconds)
	}
}
