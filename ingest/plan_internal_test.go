package ingest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mdcalake/store"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: (-want +got)\n%s", what, d)
	}
}

func TestWindowsEndAtUTCMidnights(t *testing.T) {
	for name, c := range map[string]struct {
		since, until string
		want         []string
	}{
		"whole days":              {"2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z", []string{"2026-11-01T00:00:00Z..2026-11-02T00:00:00Z", "2026-11-02T00:00:00Z..2026-11-03T00:00:00Z"}},
		"partial first and last":  {"2026-11-01T18:30:00Z", "2026-11-03T00:00:01Z", []string{"2026-11-01T18:30:00Z..2026-11-02T00:00:00Z", "2026-11-02T00:00:00Z..2026-11-03T00:00:00Z", "2026-11-03T00:00:00Z..2026-11-03T00:00:01Z"}},
		"inside one day":          {"2026-11-01T01:00:00Z", "2026-11-01T02:00:00Z", []string{"2026-11-01T01:00:00Z..2026-11-01T02:00:00Z"}},
		"one millisecond":         {"2026-11-01T23:59:59.999Z", "2026-11-02T00:00:00Z", []string{"2026-11-01T23:59:59.999Z..2026-11-02T00:00:00Z"}},
		"another zone":            {"2026-11-01T23:00:00+02:00", "2026-11-02T03:00:00+02:00", []string{"2026-11-01T21:00:00Z..2026-11-02T00:00:00Z", "2026-11-02T00:00:00Z..2026-11-02T01:00:00Z"}},
		"before 1970":             {"1969-12-31T12:00:00Z", "1970-01-01T00:00:00.001Z", []string{"1969-12-31T12:00:00Z..1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z..1970-01-01T00:00:00.001Z"}},
		"between milliseconds":    {"2026-11-01T10:00:00.0001Z", "2026-11-01T11:00:00.0009Z", []string{"2026-11-01T10:00:00.001Z..2026-11-01T11:00:00.001Z"}},
		"rest of a day's last ms": {"2026-11-01T23:59:59.9995Z", "2026-11-02T10:00:00Z", []string{"2026-11-02T00:00:00Z..2026-11-02T10:00:00Z"}},
		"nothing in a ms":         {"2026-11-01T10:00:00.0001Z", "2026-11-01T10:00:00.0002Z", nil},
		"empty":                   {"2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z", nil},
		"the wrong way round":     {"2026-11-02T10:00:00Z", "2026-11-01T10:00:00Z", nil},
	} {
		t.Run(name, func(t *testing.T) {
			since, until := at(t, c.since), at(t, c.until)
			var got []string
			for w := range planWindows(since, until, nil, nil) {
				got = append(got, w.String())
				if err := w.check(); err != nil {
					t.Error(err)
				}
			}
			same(t, "windows", c.want, got)
			if n := countWindows(since, until); n != len(c.want) {
				t.Errorf("counted %d", n)
			}
		})
	}
	if n := countWindows(at(t, "1999-01-01T00:00:00Z"), at(t, "9999-12-31T00:00:00Z")); n != 2922304 {
		t.Errorf("8000 years have %d days", n)
	}
}

// Windows leave no gap, do not overlap, and each is within one UTC day.
func TestWindowsCoverWhatIsAskedFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		since := time.Unix(0, rapid.Int64Range(1e18, 1e18+int64(400*24*time.Hour)).Draw(t, "since"))
		until := since.Add(time.Duration(rapid.Int64Range(-10, int64(20*24*time.Hour)).Draw(t, "span")))
		ws := slices.Collect(planWindows(since, until, nil, nil))
		if len(ws) != countWindows(since, until) {
			t.Fatalf("%d windows, counted %d", len(ws), countWindows(since, until))
		}
		next := ceilMillis(since)
		for _, w := range ws {
			if w.Since.UnixMilli() != next || w.check() != nil || w.Until.Sub(w.Since) > windowSize ||
				w.Until.Add(-1).Truncate(windowSize) != w.Since.Truncate(windowSize) {
				t.Fatalf("window %v", w)
			}
			next = w.Until.UnixMilli()
		}
		if len(ws) > 0 && next != ceilMillis(until) || len(ws) == 0 && ceilMillis(since) < ceilMillis(until) {
			t.Fatalf("the end is left out")
		}
	})
}

func TestAWindowsKeyNamesTheQuestion(t *testing.T) {
	w := Window{Since: at(t, "2026-11-01T00:00:00Z"), Until: at(t, "2026-11-02T00:00:00Z")}
	with := func(change func(*Window)) string {
		v := w
		change(&v)
		return windowKey(v)
	}
	same(t, "key", "date/1793491200000/1793577600000", windowKey(w))
	same(t, "the order of services is no matter", with(func(w *Window) { w.Services = []int64{2, 1} }), with(func(w *Window) { w.Services = []int64{1, 2, 1} }))
	same(t, "services", "date/1793491200000/1793577600000/1/2", with(func(w *Window) { w.Services = []int64{2, 1} }))
	secret := with(func(w *Window) { w.Filter = []byte(`{"user.username":{"eq":["ada@example.com"]}}`) })
	if strings.Contains(secret, "ada") {
		t.Error("the key shows the filter")
	}
	keys := map[string]bool{windowKey(w): true, secret: true}
	for _, k := range []string{
		with(func(w *Window) { w.Filter = []byte(`{"user.username":{"eq":["bob@example.com"]}}`) }),
		with(func(w *Window) { w.Services = []int64{1} }),
		with(func(w *Window) { w.Services = []int64{12} }),
		with(func(w *Window) { w.Services = []int64{1, 2} }),
		with(func(w *Window) { w.Until = w.Until.Add(-time.Millisecond) }),
		with(func(w *Window) { w.Since = w.Since.Add(time.Millisecond) }),
	} {
		if keys[k] {
			t.Errorf("two questions have the key %s", k)
		}
		keys[k] = true
	}
	other := time.FixedZone("", 7200)
	same(t, "zones are no matter", windowKey(w), with(func(w *Window) { w.Since, w.Until = w.Since.In(other), w.Until.In(other) }))
}

func TestWhereAWindowStands(t *testing.T) {
	now := at(t, "2026-11-20T12:00:00Z")
	w := Window{Since: at(t, "2026-11-01T00:00:00Z"), Until: at(t, "2026-11-02T00:00:00Z")}
	cursor := store.Cursor{Key: windowKey(w), RunID: "r", Filters: []byte(`{"x":1}`), FirstAsked: now.Add(-30 * time.Minute), At: now.Add(-10 * time.Minute), Pages: 3, Records: 20, Requests: 4}
	resumed := standing{cursor: store.Cursor{}, from: Position{Filters: cursor.Filters, FirstAsked: cursor.FirstAsked, Pages: 3, Records: 20, Requests: 4}}
	done := func(c *store.Cursor) { c.Done, c.Filters = true, nil }
	for name, c := range map[string]struct {
		change  func(*store.Cursor)
		outcome string
		window  func(*Window)
		want    string
	}{
		"interrupted":                      {outcome: OutcomeInterrupted, want: "resumed"},
		"killed":                           {outcome: OutcomeRunning, want: "resumed"},
		"failed":                           {outcome: OutcomeFailed, want: "resumed"},
		"partial":                          {outcome: OutcomePartial, want: "resumed"},
		"complete":                         {outcome: OutcomeComplete, want: "new"},
		"a run that the ledger forgot":     {outcome: "", want: "resumed"},
		"just within the hour":             {outcome: OutcomeFailed, change: func(c *store.Cursor) { c.At = now.Add(-freshFor) }, want: "resumed"},
		"an hour and a bit":                {outcome: OutcomeFailed, change: func(c *store.Cursor) { c.At = now.Add(-freshFor - 1) }, want: "new"},
		"the clock went back":              {outcome: OutcomeFailed, change: func(c *store.Cursor) { c.At = now.Add(time.Second) }, want: "new"},
		"another window":                   {outcome: OutcomeFailed, window: func(w *Window) { w.Until = w.Until.Add(-time.Millisecond) }, want: "new"},
		"another question":                 {outcome: OutcomeFailed, window: func(w *Window) { w.Services = []int64{7} }, want: "new"},
		"no cursor in it":                  {outcome: OutcomeFailed, change: func(c *store.Cursor) { c.Filters = nil }, want: "new"},
		"read to its end":                  {outcome: OutcomeInterrupted, change: done, want: "done"},
		"read to its end, complete run":    {outcome: OutcomeComplete, change: done, want: "new"},
		"read to its end, too long ago":    {outcome: OutcomeInterrupted, change: func(c *store.Cursor) { done(c); c.At = now.Add(-61 * time.Minute) }, want: "new"},
		"read before it was over":          {outcome: OutcomeInterrupted, change: func(c *store.Cursor) { done(c); c.FirstAsked = w.Until.Add(-time.Millisecond) }, want: "new"},
		"read at the moment it was over":   {outcome: OutcomeInterrupted, change: func(c *store.Cursor) { done(c); c.FirstAsked = w.Until }, want: "done"},
		"read to its end, the clock's not": {outcome: OutcomeInterrupted, change: func(c *store.Cursor) { done(c); c.At = now.Add(time.Hour) }, want: "new"},
	} {
		t.Run(name, func(t *testing.T) {
			cur, win := cursor, w
			if c.change != nil {
				c.change(&cur)
			}
			if c.window != nil {
				c.window(&win)
			}
			s := &store.Snapshot{Cursors: map[string]store.Cursor{cur.Key: cur}, Runs: []store.Run{{RunID: "other", Outcome: OutcomeComplete}}}
			if c.outcome != "" {
				s.Runs = append(s.Runs, store.Run{RunID: "r", Outcome: c.outcome})
			}
			got := stand(s, win, now)
			switch c.want {
			case "done":
				if !got.done || got.cursor.Key != cur.Key {
					t.Errorf("%+v", got)
				}
			case "resumed":
				same(t, "position", resumed.from, got.from)
				if got.done {
					t.Error("done")
				}
			default:
				if got.done || len(got.from.Filters) > 0 || got.from.Pages > 0 {
					t.Errorf("%+v", got)
				}
			}
		})
	}
}

func TestRectanglesOfAWindow(t *testing.T) {
	now := at(t, "2026-11-20T12:00:00Z")
	day := func(back int) time.Time { return now.Truncate(24*time.Hour).AddDate(0, 0, -back) }
	one := func(back int) Window { return Window{Since: day(back), Until: day(back - 1)} }
	pos := Position{FirstAsked: now, Pages: 2, Records: 10, Requests: 3}
	five, seven := int64(5), int64(7)
	base := store.Rectangle{Since: day(3), Until: day(2), State: StateComplete, ThroughCreated: now.Add(-2 * time.Minute), Route: "activities", RunID: "r", Records: 10, Requests: 3}
	with := func(change func(*store.Rectangle)) store.Rectangle {
		r := base
		change(&r)
		return r
	}
	door := now.AddDate(0, 0, -30)
	for name, c := range map[string]struct {
		window  Window
		change  func(*Window, *Position)
		failure string
		want    []store.Rectangle
	}{
		"a past day": {window: one(3), want: []store.Rectangle{base}},
		"today is cut at the server's clock": {window: one(0), want: []store.Rectangle{with(func(r *store.Rectangle) {
			r.Since, r.Until = day(0), now
		})}},
		"cut to the millisecond": {window: one(0), change: func(_ *Window, p *Position) { p.FirstAsked = now.Add(1_700_000) }, want: []store.Rectangle{with(func(r *store.Rectangle) {
			r.Since, r.Until, r.ThroughCreated = day(0), now.Add(time.Millisecond), now.Add(time.Millisecond-2*time.Minute)
		})}},
		"wholly in the future": {window: one(-1), want: nil},
		"a filter": {window: one(3), change: func(w *Window, _ *Position) { w.Filter = []byte(`{"ip":{}}`) }, want: []store.Rectangle{with(func(r *store.Rectangle) {
			r.State, r.Filter = StateFiltered, ledgerFilter([]byte(`{"ip":{}}`))
		})}},
		"services one by one": {window: one(3), change: func(w *Window, _ *Position) { w.Services = []int64{5, 7} }, want: []store.Rectangle{
			with(func(r *store.Rectangle) { r.Service = &five }), with(func(r *store.Rectangle) { r.Service = &seven }),
		}},
		"failed": {window: one(3), failure: "status 500", want: []store.Rectangle{with(func(r *store.Rectangle) { r.State, r.Reason = StateFailed, "status 500" })}},
		"failed with a filter": {window: one(3), failure: "status 500", change: func(w *Window, _ *Position) { w.Filter = []byte(`{"a":1}`) }, want: []store.Rectangle{with(func(r *store.Rectangle) {
			r.State, r.Reason, r.Filter = StateFailed, "status 500", ledgerFilter([]byte(`{"a":1}`))
		})}},
		"failed today: nothing is known of it": {window: one(0), failure: "x", want: []store.Rectangle{with(func(r *store.Rectangle) {
			r.Since, r.Until, r.State, r.Reason = day(0), day(-1), StateFailed, "x"
		})}},
		"failed before the door": {window: one(40), failure: "x", want: []store.Rectangle{with(func(r *store.Rectangle) {
			r.Since, r.Until, r.State, r.Reason = day(40), day(39), StateFailed, "x"
		})}},
		"divided by the door: the younger part has the counts": {window: one(30), want: []store.Rectangle{
			with(func(r *store.Rectangle) {
				r.Since, r.Until, r.State, r.Records, r.Requests = day(30), door, StateBeyondDoor, 0, 0
			}),
			with(func(r *store.Rectangle) { r.Since, r.Until = door, day(29) }),
		}},
		"beyond the door": {window: one(40), want: []store.Rectangle{with(func(r *store.Rectangle) { r.Since, r.Until, r.State = day(40), day(39), StateBeyondDoor })}},
		"beyond the door, filtered": {window: one(40), change: func(w *Window, _ *Position) { w.Filter = []byte(`{"a":1}`) }, want: []store.Rectangle{with(func(r *store.Rectangle) {
			r.Since, r.Until, r.State, r.Filter = day(40), day(39), StateFiltered, ledgerFilter([]byte(`{"a":1}`))
		})}},
		"the door and services": {window: one(30), change: func(w *Window, _ *Position) { w.Services = []int64{5, 7} }, want: []store.Rectangle{
			with(func(r *store.Rectangle) {
				r.Since, r.Until, r.State, r.Records, r.Requests, r.Service = day(30), door, StateBeyondDoor, 0, 0, &five
			}),
			with(func(r *store.Rectangle) {
				r.Since, r.Until, r.State, r.Records, r.Requests, r.Service = day(30), door, StateBeyondDoor, 0, 0, &seven
			}),
			with(func(r *store.Rectangle) { r.Since, r.Until, r.Service = door, day(29), &five }),
			with(func(r *store.Rectangle) { r.Since, r.Until, r.Service = door, day(29), &seven }),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := c.window, pos
			if c.change != nil {
				c.change(&w, &p)
			}
			same(t, "rectangles", c.want, rectangles(w, p, "r", c.failure))
		})
	}
}

func TestAFilterThatFiltersNothingIsNone(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "  ": "", "{}": "", " { \n } ": "", ` {"a":1} `: `{"a":1}`,
	} {
		if got := string(effective([]byte(in))); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
