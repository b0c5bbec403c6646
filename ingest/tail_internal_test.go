package ingest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"mdcalake/store"
)

// tailNow is the time of the tail's tests.
var tailNow = at("2026-11-20T12:00:00Z")

// roundRect is what a round of the tail leaves in the ledger.
func roundRect(since, through string) store.Rectangle {
	return store.Rectangle{
		Since: at("2026-10-22"), Until: at(through).Add(time.Millisecond), State: StateComplete, SinceCreated: at(since), ThroughCreated: at(through),
	}
}

func TestWhereATailGoesOn(t *testing.T) {
	filter := []byte(`{"ip":{"eq":["192.0.2.1"]}}`)
	filtered := func(r store.Rectangle) store.Rectangle {
		r.State, r.Filter = StateFiltered, ledgerFilter(filter)
		return r
	}
	one := roundRect("2026-11-20T06:00:00Z", "2026-11-20T07:00:00Z")
	millisecond := one
	millisecond.Since, millisecond.Until = at("2026-11-19"), at("2026-11-19T00:00:00.001Z")
	window := rect("2026-11-10", "2026-11-20", "complete", "2026-11-20T11:00:00Z")
	failed := roundRect("2026-11-20T07:00:00Z", "2026-11-20T08:00:00Z")
	failed.State = StateFailed
	for name, c := range map[string]struct {
		ledger []store.Rectangle
		q      Question
		want   string
	}{
		"no tail yet":                                   {[]store.Rectangle{window}, Question{}, ""},
		"from its last round":                           {[]store.Rectangle{window, one}, Question{}, "2026-11-20T07:00:00Z"},
		"from the last of several":                      {[]store.Rectangle{roundRect("2026-11-20T07:00:00Z", "2026-11-20T08:00:00Z"), one}, Question{}, "2026-11-20T08:00:00Z"},
		"which overlap":                                 {[]store.Rectangle{one, roundRect("2026-11-20T06:50:00Z", "2026-11-20T09:00:00Z")}, Question{}, "2026-11-20T09:00:00Z"},
		"one within another":                            {[]store.Rectangle{roundRect("2026-11-20T01:00:00Z", "2026-11-20T09:00:00Z"), one}, Question{}, "2026-11-20T09:00:00Z"},
		"from the gap that a broken round left":         {[]store.Rectangle{one, roundRect("2026-11-20T07:00:00.001Z", "2026-11-20T11:00:00Z")}, Question{}, "2026-11-20T07:00:00Z"},
		"a month ago is too long":                       {[]store.Rectangle{roundRect("2026-10-20", "2026-10-21")}, Question{}, ""},
		"and no gap that matters":                       {[]store.Rectangle{roundRect("2026-10-20", "2026-10-21"), one}, Question{}, "2026-11-20T07:00:00Z"},
		"a millisecond read along save time is no tail": {[]store.Rectangle{millisecond}, Question{}, ""},
		"nor is what failed":                            {[]store.Rectangle{one, failed}, Question{}, "2026-11-20T07:00:00Z"},
		"another filter":                                {[]store.Rectangle{filtered(one)}, Question{}, ""},
		"no filter":                                     {[]store.Rectangle{one}, Question{Filter: filter}, ""},
		"the same filter":                               {[]store.Rectangle{filtered(one)}, Question{Filter: filter}, "2026-11-20T07:00:00Z"},
		"of all services":                               {[]store.Rectangle{one}, Question{Services: []int64{5}}, "2026-11-20T07:00:00Z"},
		"of a service":                                  {[]store.Rectangle{of(5, one)}, Question{Services: []int64{5}}, "2026-11-20T07:00:00Z"},
		"of one service, not of all":                    {[]store.Rectangle{of(5, one)}, Question{}, ""},
		"of several services, what all have":            {[]store.Rectangle{of(5, one), of(7, roundRect("2026-11-20T05:00:00Z", "2026-11-20T06:30:00Z"))}, Question{Services: []int64{5, 7}}, "2026-11-20T06:30:00Z"},
		"of a service without any":                      {[]store.Rectangle{of(5, one)}, Question{Services: []int64{5, 7}}, ""},
		"a service's own and all":                       {[]store.Rectangle{one, of(5, roundRect("2026-11-20T07:00:00Z", "2026-11-20T08:00:00Z"))}, Question{Services: []int64{5}}, "2026-11-20T08:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			var want time.Time
			if c.want != "" {
				want = at(c.want)
			}
			if got := tailThrough(&store.Snapshot{Coverage: c.ledger}, c.q, tailNow); !got.Equal(want) {
				t.Errorf("got %s, want %q", got, c.want)
			}
		})
	}
}

func TestWhatATailLeavesToTheWindows(t *testing.T) {
	q := Question{Since: at("2026-11-10"), Until: at("2026-11-21")}
	ledger := &store.Snapshot{Coverage: []store.Rectangle{roundRect("2026-11-20T06:00:00Z", "2026-11-20T07:00:00Z")}}

	var fresh Tail
	same(t, "a tail that begins now leaves everything", q, fresh.plan(&store.Snapshot{}, q, tailNow))
	same(t, "and begins an overlap ago", "2026-11-20T11:48:00Z", fresh.begin().Format(time.RFC3339))

	var on Tail
	want := q
	want.Until, want.Followed = at("2026-11-20T06:50:00Z"), at("2026-11-20T06:50:00Z")
	same(t, "a tail that goes on reads what happens later", want, on.plan(ledger, q, tailNow))
	q.Until = at("2026-11-12")
	want.Until = q.Until
	same(t, "if it was asked for", want, on.plan(ledger, q, tailNow))

	same(t, "what it knows itself outweighs the ledger", at("2026-11-20T11:00:00Z"), func() time.Time {
		on.through = at("2026-11-20T11:00:00Z")
		on.plan(ledger, q, tailNow)
		return on.through
	}())
	on.plan(ledger, q, tailNow.Add(40*day))
	same(t, "a tail that was away for a month begins anew", tailNow.Add(40*day-savedMargin), on.through)
}

// windowsOf are the windows of a round in words.
func windowsOf(ts []task) (all []string) {
	for _, x := range ts {
		all = append(all, x.window.String())
	}
	return all
}

func TestTheWindowsOfARound(t *testing.T) {
	for name, c := range map[string]struct {
		through string
		want    []string
	}{
		"one, and it is open": {"2026-11-20T11:55:00Z", []string{"saved 2026-11-20T11:45:00Z.."}},
		"after half a night":  {"2026-11-20T00:30:00Z", []string{"saved 2026-11-20T00:20:00Z.."}},
		"a tail that was away longer catches up": {"2026-11-19T13:00:00Z", []string{
			"saved 2026-11-19T12:50:00Z..2026-11-19T18:00:00Z", "saved 2026-11-19T18:00:00Z..2026-11-20T00:00:00Z", "saved 2026-11-20T00:00:00Z.."}},
	} {
		t.Run(name, func(t *testing.T) {
			tail := Tail{through: at(c.through)}
			tasks := tail.round(Question{Services: []int64{5}, Filter: []byte(`{"a":1}`)}, tailNow)
			same(t, "windows", func() (all []string) {
				for _, w := range c.want {
					all = append(all, w+" of services 5")
				}
				return all
			}(), windowsOf(tasks))
			for _, x := range tasks {
				w := x.window
				if x.tail != &tail || x.why != whyTail || w.sortField() != SortCreated || string(w.Filter) != `{"a":1}` || !w.Since.Equal(at("2026-10-21")) || !w.Until.IsZero() || w.check() != nil {
					t.Errorf("%+v", x)
				}
			}
		})
	}
	tail := Tail{through: tailNow.Add(-doorSpan)}
	tasks := tail.round(Question{}, tailNow)
	if len(tasks) < 118 || len(tasks) > 121 {
		t.Errorf("%d windows of a month", len(tasks))
	}
	for i, x := range tasks[1:] {
		if !tasks[i].window.CreatedUntil.Equal(x.window.CreatedSince) || tasks[i].window.CreatedUntil.Sub(tasks[i].window.CreatedSince) > catchUpSpan {
			t.Errorf("%s after %s", x.window, tasks[i].window)
		}
	}
}

// ends lets a window of a round end, having been asked for at a time.
func (t *Tail) ends(x task, asked time.Time, err error) {
	t.ended(&reading{task: x, asked: asked}, err)
}

func TestATailMovesOnAfterAWholeRound(t *testing.T) {
	var failed = errors.New("x")
	for name, c := range map[string]struct {
		order []int // in which the three windows end
		errs  [3]error
		moves bool
	}{
		"all read":              {[]int{0, 1, 2}, [3]error{}, true},
		"the open one first":    {[]int{2, 1, 0}, [3]error{}, true},
		"the open one failed":   {[]int{0, 1, 2}, [3]error{2: failed}, false},
		"the first one failed":  {[]int{0, 1, 2}, [3]error{0: failed}, false},
		"one failed at the end": {[]int{2, 1, 0}, [3]error{0: failed}, false},
	} {
		t.Run(name, func(t *testing.T) {
			tail := Tail{through: at("2026-11-19T13:00:00Z")}
			before := tail.through
			tasks := tail.round(Question{}, tailNow)
			for n, i := range c.order {
				if !tail.through.Equal(before) {
					t.Fatalf("moved on after %d windows", n)
				}
				tail.ends(tasks[i], tailNow.Add(time.Duration(i)*time.Minute), c.errs[i])
			}
			want := before
			if c.moves {
				want = tailNow.Add(2*time.Minute - savedMargin) // as of when the open one was asked for
			}
			if !tail.through.Equal(want) || tail.reading != 0 {
				t.Errorf("through %s, want %s; %d windows under way", tail.through, want, tail.reading)
			}
			// The next round makes good what this one has not read.
			tasks = tail.round(Question{}, tailNow.Add(5*time.Minute))
			same(t, "the next round", want.Add(-leastOverlap), tasks[0].window.CreatedSince)
			for _, x := range tasks {
				tail.ends(x, tailNow.Add(5*time.Minute), nil)
			}
			same(t, "after it", tailNow.Add(5*time.Minute-savedMargin), tail.through)
		})
	}
}

func TestATailNeverMovesBack(t *testing.T) {
	tail := Tail{through: tailNow}
	x := tail.round(Question{}, tailNow)[0]
	tail.ends(x, tailNow.Add(-time.Hour), nil) // a server whose clock was put back
	same(t, "through", tailNow, tail.through)
}

// savedRows are records by hash, saved at a time.
func savedRows(saved time.Time, hashes ...int64) (t tally) {
	for _, h := range hashes {
		t.saved = append(t.saved, savedRow{created: saved.UnixMilli(), hash: h})
		t.inside++
	}
	return t
}

// wholeRound plays a round that finds some records at a time.
func (t *Tail) wholeRound(now time.Time, rows ...tally) (fresh bool) {
	tasks := t.round(Question{}, now)
	for _, r := range rows {
		fresh = t.note(r, now) || fresh
	}
	for _, x := range tasks {
		t.ends(x, now, nil)
	}
	return fresh
}

func TestARoundIsFreshWhereItBringsWhatTheLastOneDidNot(t *testing.T) {
	tail := Tail{through: tailNow.Add(-5 * time.Minute)}
	a := savedRows(tailNow.Add(-time.Minute), 1, 2)
	for i, c := range []struct {
		rows  tally
		fresh bool
	}{
		{a, true}, {a, false}, {tally{}, false}, {savedRows(tailNow.Add(-time.Minute), 1, 3), true}, {tally{timeless: 1}, true}, {tally{outside: 3}, false},
	} {
		if got := tail.wholeRound(tailNow.Add(time.Duration(i)*time.Second), c.rows); got != c.fresh {
			t.Errorf("round %d: fresh %v", i, got)
		}
	}
	var none *Tail
	if none.note(tally{}, tailNow) || !none.note(tally{inside: 1}, tailNow) || !none.note(tally{outside: 1}, tailNow) {
		t.Error("of a page that no tail asked for everything is fresh")
	}
	none.ended(nil, nil)
}

func TestWhatNoRoundWillSeeAgainIsForgotten(t *testing.T) {
	tail := Tail{through: tailNow.Add(-5 * time.Minute)}
	for i := range 50 {
		now := tailNow.Add(time.Duration(i) * 5 * time.Minute)
		tail.wholeRound(now, savedRows(now.Add(-3*time.Minute), int64(2*i), int64(2*i+1)))
	}
	if len(tail.seen) > 6 {
		t.Errorf("%d payloads are remembered", len(tail.seen))
	}
	// Catching up with weeks, as little of them is remembered as matters.
	tail = Tail{through: tailNow.Add(-20 * day)}
	tasks := tail.round(Question{}, tailNow)
	for i := range 20 * 24 {
		tail.note(savedRows(tailNow.Add(time.Duration(-i)*time.Hour), int64(i)), tailNow)
	}
	if len(tail.seen) > 8 {
		t.Errorf("%d payloads are remembered while %d windows catch up", len(tail.seen), len(tasks))
	}
}

func TestHowFarARoundReachesBack(t *testing.T) {
	lagging := func(n int, lag time.Duration) (l lags) {
		for range n {
			l.add(lag)
		}
		return l
	}
	for name, c := range map[string]struct {
		lags        lags
		least, most time.Duration
	}{
		"nothing is known":         {lags{}, leastOverlap, leastOverlap},
		"everything is quick":      {lagging(1000, 30*time.Second), leastOverlap, leastOverlap},
		"twice the lag":            {lagging(1000, time.Hour), 2 * time.Hour, 2*time.Hour + 23*time.Minute},
		"no longer than the bound": {lagging(1000, 20*time.Hour), mostOverlap, mostOverlap},
		"far beyond it":            {lagging(1000, 20*24*time.Hour), mostOverlap, mostOverlap},
	} {
		tail := Tail{lags: c.lags}
		if got := tail.overlap(); got < c.least || got > c.most {
			t.Errorf("%s: %v, want %v to %v", name, got, c.least, c.most)
		}
	}
}

func TestThePercentileOfLags(t *testing.T) {
	var l lags
	if got := l.percentile(0.999); got != 0 {
		t.Errorf("of none: %v", got)
	}
	for range 999 {
		l.add(2 * time.Minute)
	}
	l.add(5 * time.Hour)
	for share, want := range map[float64]time.Duration{0.5: 2 * time.Minute, 0.999: 2 * time.Minute, 0.9995: 5 * time.Hour, 1: 5 * time.Hour} {
		// The end of its class, a fifth above it at most.
		if got := l.percentile(share); got < want || float64(got) > 1.2*float64(want) {
			t.Errorf("%v of the lags: %v, want about %v", share, got, want)
		}
	}
	for _, d := range []time.Duration{-time.Hour, 0, time.Millisecond, time.Second, 1 << 62} {
		var l lags
		l.add(d)
		if l.all != 1 {
			t.Errorf("%v is not counted", d)
		}
	}
}

// The overlap follows what becomes visible late, and nothing else.
func TestOnlyWhatBecomesVisibleLateWidensTheOverlap(t *testing.T) {
	minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	hash := int64(0)
	some := func(saved time.Time) tally {
		hash += 10
		return savedRows(saved, hash, hash+1, hash+2, hash+3)
	}
	for name, c := range map[string]struct {
		every       int // minutes
		rows        func(round int, now time.Time) []tally
		least, most time.Duration
	}{
		"saved since the last round, whenever that was": {every: 120, rows: func(_ int, now time.Time) []tally {
			return []tally{some(now.Add(-minutes(1))), some(now.Add(-minutes(100)))}
		}, least: leastOverlap, most: leastOverlap},
		"the first round of a tail": {every: 5, rows: func(round int, now time.Time) []tally {
			if round > 0 {
				return nil
			}
			return []tally{some(now.Add(-minutes(5))), some(now.Add(-minutes(14))), some(now.Add(-minutes(15)))}
		}, least: leastOverlap, most: leastOverlap},
		"half of it comes late": {every: 5, rows: func(_ int, now time.Time) []tally {
			return []tally{some(now.Add(-minutes(1))), some(now.Add(-minutes(9)))}
		}, least: 2 * minutes(9), most: 22 * time.Minute},
		"the same late ones seen again": {every: 5, rows: func(round int, now time.Time) []tally {
			again := savedRows(tailNow.Add(minutes(-4)), 1, 2)
			if round < 3 {
				return []tally{again}
			}
			return []tally{some(now)}
		}, least: leastOverlap, most: leastOverlap},
		// What was forgotten comes again when the overlap has grown.
		"a burst of late ones": {every: 5, rows: func(round int, now time.Time) []tally {
			var rows []tally
			for i := range 60 { // each is there for five hours
				saved := tailNow.Add(minutes(5 * (round - i)))
				rows = append(rows, savedRows(saved, int64(-1000-round+i)))
			}
			if round == 5 {
				for range 30 {
					rows = append(rows, some(now.Add(-minutes(10))))
				}
			}
			return rows
		}, least: 2 * minutes(10), most: 25 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			hash = 0
			tail := Tail{through: tailNow.Add(-minutes(5))}
			for round := range 40 {
				now := tailNow.Add(minutes(c.every * round))
				var visible []tally
				for _, r := range c.rows(round, now) { // as far as the round reaches back
					if saved := time.UnixMilli(r.saved[0].created); !saved.Before(tail.begin()) {
						visible = append(visible, r)
					}
				}
				tail.wholeRound(now, visible...)
			}
			if got := tail.overlap(); got < c.least || got > c.most {
				t.Errorf("overlap %v, want %v to %v; %s", got, c.least, c.most, fmt.Sprint(tail.lags.all, " lags"))
			}
		})
	}
}
