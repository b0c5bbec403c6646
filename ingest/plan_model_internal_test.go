package ingest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mdcalake/store"
)

// The planner against a model that knows no intervals: event time is a grid of
// points, and of each point it is written down when it was read.

// gridModel plays runs, each of which reads all that it needs.
type gridModel struct {
	since  time.Time // of the first point
	step   time.Duration
	reads  [][]time.Time // of each point: the save times through which it was read
	ledger []store.Rectangle
	runs   int
	late   int // needs that were nothing but late records
}

func (m *gridModel) point(i int) time.Time { return m.since.Add(time.Duration(i) * m.step) }

// run reads what is needed at now, asking so much later than it planned, and
// notes which points it read.
func (m *gridModel) run(q Question, now time.Time, asks time.Duration) {
	asked := now.Add(asks)
	for _, n := range needs(&store.Snapshot{Coverage: m.ledger}, q, now) {
		if n.why == whyLate {
			m.late++
		}
		c := claim{window: Window{Since: n.since, Until: n.until}, asked: asked}
		m.ledger = append(m.ledger, c.rectangles()...)
		first := max(0, int((n.since.Sub(m.since)+m.step-1)/m.step))
		for i := first; i < len(m.reads) && m.point(i).Before(earlier(n.until, asked)); i++ {
			m.reads[i] = append(m.reads[i], asked.Add(-savedMargin))
		}
	}
	// What the ledger says is all that counts; folded now and then, it stays small.
	if m.runs++; m.runs%12 > 0 {
		return
	}
	folded := (&store.Snapshot{Coverage: m.ledger}).CoverageOf(nil, time.Time{}, time.Time{})
	m.ledger = m.ledger[:0]
	for _, s := range folded {
		if s.State != store.NeverAsked {
			m.ledger = append(m.ledger, store.Rectangle{Since: s.Since, Until: s.Until, State: s.State, ThroughCreated: s.Through})
		}
	}
}

// check looks at the readings of each point. The first run was at begin, the last
// one at end, and there were never more than every between two.
func (m *gridModel) check(t rapid.TB, every time.Duration, begin, end time.Time) {
	t.Helper()
	for i, reads := range m.reads {
		p, faults := m.point(i), []string{}
		for k, through := range reads {
			justified := k == 0 || !reads[k-1].After(p) // it was not whole yet
			for _, d := range dueAfter {
				justified = justified || !reads[k-1].After(p.Add(d.age)) && through.After(p.Add(d.age))
			}
			if !justified {
				faults = append(faults, fmt.Sprintf("reading %d was for nothing", k))
			}
		}
		for _, d := range dueAfter {
			latest := later(begin, p.Add(d.age+dueMargin+d.step)).Add(every)
			read := slices.IndexFunc(reads, func(through time.Time) bool { return through.After(p.Add(d.age)) })
			switch {
			case !latest.Before(end):
			case read < 0:
				faults = append(faults, fmt.Sprintf("never read at %s", d.age))
			case reads[read].After(latest):
				faults = append(faults, fmt.Sprintf("read at %s, %s too late", d.age, reads[read].Sub(latest)))
			}
		}
		if len(faults) > 0 {
			t.Errorf("%s: %v; read through %v", p, faults, reads)
			return
		}
	}
}

// A month of following by cron. Every event time is read again once after each
// age, and never for nothing.
func TestAMonthOfRunsReadsEachTimeAgainOnceAtEachAge(t *testing.T) {
	begin := at("2026-11-01T00:00:00Z")
	month := time.Duration(30)
	if raceEnabled { // there is but one goroutine, and the detector makes it ten times as slow
		month = 10
	}
	for name, c := range map[string]struct {
		days        time.Duration
		every, asks time.Duration
		offset      time.Duration // of the runs within the hour
		late        time.Duration // needs of late records, at most, a day
	}{
		"5 minutes":                {days: month, every: 5 * time.Minute, late: 96 + 24 + 1},
		"5 minutes, a slow server": {days: 2, every: 5 * time.Minute, asks: -4 * time.Minute, late: 96 + 24 + 1},
		"hourly":                   {days: 30, every: time.Hour, late: 24 + 24 + 1},
		"hourly, some time past":   {days: 30, every: time.Hour, offset: 7*time.Minute + 300*time.Millisecond, asks: 20 * time.Second, late: 24 + 24 + 1},
		"daily":                    {days: 30, every: day, offset: 90 * time.Minute, late: 2},
	} {
		t.Run(name, func(t *testing.T) {
			m := &gridModel{since: begin.Add(-3*day + time.Millisecond), step: 7*time.Minute + 13*time.Second + 7*time.Millisecond}
			m.reads = make([][]time.Time, int((c.days+2)*day/m.step))
			end := begin
			for now := begin.Add(c.offset); now.Before(begin.Add(c.days * day)); now = now.Add(c.every) {
				m.run(Question{Since: later(m.since, now.Add(-9*day)), Until: now.Add(openSpan)}, now, c.asks)
				end = now
			}
			m.check(t, c.every, begin.Add(c.offset), end)
			if most := int(c.days * c.late); m.late > most {
				t.Errorf("%d needs of nothing but late records, at most %d wanted", m.late, most)
			}
		})
	}
}

// The same with runs whenever they like, and what is asked for changing.
func TestRunsAtAnyTimeReadNothingForNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := at("2026-11-01T00:00:00Z")
		m := &gridModel{since: begin.Add(-10 * day), step: 53 * time.Minute}
		m.reads = make([][]time.Time, int(40*day/m.step))
		now := begin
		var longest time.Duration
		for range rapid.IntRange(1, 40).Draw(t, "runs") {
			pause := time.Duration(rapid.SampledFrom([]int{1, 30, 300, 3600, 20_000, 100_000, 500_000}).Draw(t, "pause")+rapid.IntRange(0, 999).Draw(t, "more")) * time.Second
			longest = max(longest, pause)
			if now = now.Add(pause); now.After(begin.Add(29 * day)) {
				break
			}
			m.run(Question{Since: m.since, Until: now.Add(openSpan)}, now, time.Duration(rapid.IntRange(-1000, 90_000).Draw(t, "asks"))*time.Millisecond)
		}
		m.check(t, longest, begin, now)
	})
}

// pointState is what the model says of one point of time: whether it has to be
// read, of which services, and whether on the archived route.
func pointNeed(ledger []store.Rectangle, q Question, service *int64, p, now time.Time) bool {
	if p.Before(q.Since) || !p.Before(q.Until) {
		return false
	}
	known, complete := false, false
	var through time.Time
	for _, r := range ledger {
		if r.Service != nil && (service == nil || *r.Service != *service) || r.State == store.StatePurged || p.Before(r.Since) || !p.Before(r.Until) {
			continue
		}
		known = true
		if r.State == StateComplete {
			complete, through = true, later(through, r.ThroughCreated)
		}
	}
	visible := q.Archived || !p.Before(now.Add(-doorSpan))
	switch {
	case q.Again, !known:
		return true
	case !complete || !through.After(p): // the time itself is not whole
		return visible
	case p.Before(now.Add(-doorSpan)), !q.Followed.IsZero() && !through.Before(q.Followed):
		return false
	}
	for _, d := range dueAfter {
		if !through.After(p.Add(d.age)) && p.Before(now.Add(-d.age-dueMargin).Truncate(d.step)) {
			return true
		}
	}
	return false
}

// Needs are what the model says of each point, no more and no less.
func TestNeedsAreThoseOfEachPointOfTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := planNow.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "now")) * time.Second)
		const grid = 13 * time.Hour
		first := now.Add(-36 * day).Truncate(time.Minute)
		moment := func(label string) time.Time {
			return first.Add(time.Duration(rapid.IntRange(0, 70).Draw(t, label)) * grid)
		}
		services := []int64{5, 7}
		ledger := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) store.Rectangle {
			since := first.Add(time.Duration(rapid.IntRange(0, 66).Draw(t, "since")) * grid)
			r := store.Rectangle{Since: since, Until: since.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "length")) * grid)}
			r.State = rapid.SampledFrom([]string{StateComplete, StateComplete, StateComplete, StateFailed, StateImported, StateBeyondDoor, StateFiltered, store.StatePartial, store.StatePurged}).Draw(t, "state")
			r.ThroughCreated = since.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "through")) * time.Hour)
			if n := rapid.IntRange(-2, 1).Draw(t, "service"); n >= 0 {
				r.Service = &services[n]
			}
			return r
		}), 0, 8).Draw(t, "ledger")
		q := Question{Since: moment("since"), Until: moment("until"), Archived: rapid.Bool().Draw(t, "archived"), Again: rapid.IntRange(0, 5).Draw(t, "again") == 0}
		if rapid.Bool().Draw(t, "followed") {
			q.Followed = moment("followed by a tail")
		}
		q.Services = rapid.SampledFrom([][]int64{nil, {5}, {5, 7}}).Draw(t, "services")
		got := needs(&store.Snapshot{Coverage: ledger}, q, now)
		for i, n := range got {
			if !n.since.Before(n.until) || i > 0 && n.since.Before(got[i-1].until) {
				t.Fatalf("needs overlap or are empty: %v", inWords(got))
			}
			if n.archived != (q.Archived && n.since.Before(now.Add(-doorSpan))) || n.archived && n.until.After(now.Add(-doorSpan)) {
				t.Fatalf("on the wrong route: %v", inWords(got))
			}
		}
		// Between the bounds of the grid, and hard by them.
		for p := first; p.Before(first.Add(71 * grid)); p = p.Add(grid / 2) {
			for _, at := range []time.Time{p.Add(-time.Millisecond), p, p.Add(time.Millisecond)} {
				for _, service := range ledgerServices(q.Services) {
					needed := slices.ContainsFunc(got, func(n need) bool {
						return !at.Before(n.since) && at.Before(n.until) && (service == nil || slices.Contains(n.services, *service))
					})
					if want := pointNeed(ledger, q, service, at, now); needed != want {
						t.Fatalf("%s of %v: needed %v, want %v; needs %v", at.Format(time.RFC3339Nano), service, needed, want, inWords(got))
					}
				}
			}
		}
	})
}
