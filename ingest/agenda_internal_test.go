package ingest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// agendaOf is an agenda at planNow, of pages of 100 records and no windows side
// by side. days are the records of whole days, from one on.
func agendaOf(order Order, from string, days []int64, ns ...need) *agenda {
	return &agenda{order: order, now: planNow, needs: ns, density: densityOf(from, days...), pageSize: NewPageSize(100), parallel: 1}
}

func hole(since, until string) need { return need{since: at(since), until: at(until), why: whyHole} }

// times repeats a number of records.
func times(n int, records int64) (days []int64) {
	for range n {
		days = append(days, records)
	}
	return days
}

func drained(a *agenda) (windows []string) {
	for t, ok := a.next(); ok && len(windows) < 100; t, ok = a.next() {
		windows = append(windows, t.window.String())
	}
	return windows
}

func TestWindowsAreAsLongAsTheyAreWorth(t *testing.T) {
	archived := func(n need) need { n.archived = true; return n }
	for name, c := range map[string]struct {
		agenda        *agenda
		newest, later []string // first come the newest; and the oldest, if that is not the same backwards
	}{
		"nothing": {agendaOf("", "", nil), nil, nil},
		"nobody knows: days": {agendaOf("", "", nil, hole("2026-11-16T18:00:00Z", "2026-11-18T06:00:00Z")), []string{
			"2026-11-18T00:00:00Z..2026-11-18T06:00:00Z", "2026-11-17T00:00:00Z..2026-11-18T00:00:00Z", "2026-11-16T18:00:00Z..2026-11-17T00:00:00Z"}, nil},
		"as many records as 8 pages have, two days": {agendaOf("", "2026-11-10", times(10, 400), hole("2026-11-11", "2026-11-16")), []string{
			"2026-11-14T00:00:00Z..2026-11-16T00:00:00Z", "2026-11-12T00:00:00Z..2026-11-14T00:00:00Z", "2026-11-11T00:00:00Z..2026-11-12T00:00:00Z"},
			[]string{"2026-11-11T00:00:00Z..2026-11-13T00:00:00Z", "2026-11-13T00:00:00Z..2026-11-15T00:00:00Z", "2026-11-15T00:00:00Z..2026-11-16T00:00:00Z"}},
		"a part of a day": {agendaOf("", "2026-11-10", times(10, 1600), hole("2026-11-10T06:00:00Z", "2026-11-12T00:00:01Z")), []string{
			"2026-11-12T00:00:00Z..2026-11-12T00:00:01Z", "2026-11-11T12:00:00Z..2026-11-12T00:00:00Z", "2026-11-11T00:00:00Z..2026-11-11T12:00:00Z", "2026-11-10T12:00:00Z..2026-11-11T00:00:00Z", "2026-11-10T06:00:00Z..2026-11-10T12:00:00Z"},
			[]string{"2026-11-10T06:00:00Z..2026-11-10T12:00:00Z", "2026-11-10T12:00:00Z..2026-11-11T00:00:00Z", "2026-11-11T00:00:00Z..2026-11-11T12:00:00Z", "2026-11-11T12:00:00Z..2026-11-12T00:00:00Z", "2026-11-12T00:00:00Z..2026-11-12T00:00:01Z"}},
		"a minute, at least": {agendaOf("", "2026-11-10", times(10, 1<<40), hole("2026-11-11T00:00:30Z", "2026-11-11T00:02:00Z")), []string{
			"2026-11-11T00:01:00Z..2026-11-11T00:02:00Z", "2026-11-11T00:00:30Z..2026-11-11T00:01:00Z"}, nil},
		"thirty days, at most": {agendaOf("", "2026-10-21", times(25, 0), hole("2026-10-21T12:00:00Z", "2026-11-20T12:00:00Z")), []string{
			"2026-10-22T00:00:00Z..2026-11-20T12:00:00Z", "2026-10-21T12:00:00Z..2026-10-22T00:00:00Z"}, []string{"2026-10-21T12:00:00Z..2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z..2026-11-20T12:00:00Z"}},
		"a quiet Sunday says nothing of the week": {agendaOf("", "2026-11-09", append(times(6, 800), 0), hole("2026-11-13", "2026-11-16")), []string{
			"2026-11-14T00:00:00Z..2026-11-16T00:00:00Z", "2026-11-13T00:00:00Z..2026-11-14T00:00:00Z"},
			[]string{"2026-11-13T00:00:00Z..2026-11-14T00:00:00Z", "2026-11-14T00:00:00Z..2026-11-16T00:00:00Z"}},
		"what is ahead of the clock comes along": {agendaOf("", "2026-11-10", times(10, 1600), hole("2026-11-20T00:00:00Z", "9999-12-31")), []string{
			"2026-11-20T00:00:00Z..9999-12-31T00:00:00Z"}, nil},
		"though what is not is long": {agendaOf("", "2026-11-10", times(10, 9600), hole("2026-11-20T09:30:00Z", "2026-11-21T12:00:00Z")), []string{
			"2026-11-20T11:00:00Z..2026-11-21T12:00:00Z", "2026-11-20T10:00:00Z..2026-11-20T11:00:00Z", "2026-11-20T09:30:00Z..2026-11-20T10:00:00Z"}, nil},
		"all ahead of the clock": {agendaOf("", "", nil, hole("2026-11-21", "9999-12-31")), []string{"2026-11-21T00:00:00Z..9999-12-31T00:00:00Z"}, nil},
		"nothing comes from behind the door": {agendaOf("", "2026-11-10", times(10, 1<<40), hole("2026-08-01", "2026-10-10")), []string{
			"2026-09-10T00:00:00Z..2026-10-10T00:00:00Z", "2026-08-11T00:00:00Z..2026-09-10T00:00:00Z", "2026-08-01T00:00:00Z..2026-08-11T00:00:00Z"},
			[]string{"2026-08-01T00:00:00Z..2026-08-31T00:00:00Z", "2026-08-31T00:00:00Z..2026-09-30T00:00:00Z", "2026-09-30T00:00:00Z..2026-10-10T00:00:00Z"}},
		"the door is no place for a long window": {agendaOf("", "2026-11-10", times(10, 200), hole("2026-10-01", "2026-10-22")), []string{
			"2026-10-21T00:00:00Z..2026-10-22T00:00:00Z", "2026-10-01T00:00:00Z..2026-10-21T00:00:00Z"}, nil},
		"archived, a week at most": {agendaOf("", "2026-11-10", times(10, 1), archived(hole("2026-08-01T12:00:00Z", "2026-08-14T12:00:00Z"))), []string{
			"2026-08-08T00:00:00Z..2026-08-14T12:00:00Z", "2026-08-01T12:00:00Z..2026-08-08T00:00:00Z"}, nil},
		"archived, pages of 250": {agendaOf("", "2026-11-10", times(10, 1000), archived(hole("2026-08-01", "2026-08-05"))), []string{
			"2026-08-03T00:00:00Z..2026-08-05T00:00:00Z", "2026-08-01T00:00:00Z..2026-08-03T00:00:00Z"}, nil},
		"the newest of several needs": {agendaOf("", "", nil, hole("2026-11-11", "2026-11-12"), hole("2026-11-15", "2026-11-16"), hole("2026-11-13", "2026-11-14")), []string{
			"2026-11-15T00:00:00Z..2026-11-16T00:00:00Z", "2026-11-13T00:00:00Z..2026-11-14T00:00:00Z", "2026-11-11T00:00:00Z..2026-11-12T00:00:00Z"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			oldest := *c.agenda
			oldest.order, oldest.needs = OldestFirst, slices.Clone(c.agenda.needs)
			same(t, "newest first", c.newest, drained(c.agenda))
			want := c.later
			if want == nil {
				want = slices.Clone(c.newest)
				slices.Reverse(want)
			}
			same(t, "oldest first", want, drained(&oldest))
			if !c.agenda.empty() || !oldest.empty() {
				t.Error("something is left")
			}
		})
	}
}

func TestWindowsAreShorterWhereMoreAreReadSideBySide(t *testing.T) {
	for parallel, want := range map[int]string{
		1: "2026-11-12T00:00:00Z..2026-11-20T00:00:00Z", // 800 records
		2: "2026-11-14T00:00:00Z..2026-11-20T00:00:00Z", // half of 1200
		4: "2026-11-17T00:00:00Z..2026-11-20T00:00:00Z",
		9: "2026-11-18T00:00:00Z..2026-11-20T00:00:00Z", // 2 pages, at least
	} {
		a := agendaOf(NewestFirst, "2026-11-08", times(12, 100), hole("2026-11-08", "2026-11-20"))
		a.parallel = parallel
		if got, _ := a.next(); got.window.String() != want {
			t.Errorf("%d side by side: %s, want %s", parallel, got.window, want)
		}
	}
}

func TestWhatIsUrgentComesFirstAndInOrder(t *testing.T) {
	a := agendaOf(NewestFirst, "", nil, hole("2026-11-11", "2026-11-12"))
	one, two := task{why: "one", attempt: 1}, task{why: "two"}
	a.urgent(one)
	a.urgent(two)
	if n := a.count(); n != 3 {
		t.Errorf("%d windows to come", n)
	}
	var got []string
	for t, ok := a.next(); ok; t, ok = a.next() {
		got = append(got, fmt.Sprint(t.why, t.attempt))
	}
	same(t, "tasks", []string{"one1", "two0", "not read yet0"}, got)
}

func TestATaskIsWhatTheNeedSays(t *testing.T) {
	a := agendaOf(NewestFirst, "", nil, need{since: at("2026-08-01"), until: at("2026-08-02"), services: []int64{5}, why: whyLate, archived: true})
	a.filter = []byte(`{"a":1}`)
	got, _ := a.next()
	w := got.window
	if got.why != whyLate || !got.archived || got.tail != nil || string(w.Filter) != `{"a":1}` || !slices.Equal(w.Services, []int64{5}) || w.sortField() != SortDate {
		t.Errorf("%+v", got)
	}
}

func drawAgenda(t *rapid.T) *agenda {
	var days []int64
	for range rapid.IntRange(0, 40).Draw(t, "days known") {
		days = append(days, int64(rapid.SampledFrom([]int{0, 1, 300, 5_000, 90_000, 2_000_000}).Draw(t, "records")))
	}
	a := agendaOf(rapid.SampledFrom([]Order{"", NewestFirst, OldestFirst}).Draw(t, "order"), "2026-10-10", days)
	a.now = planNow.Add(time.Duration(rapid.IntRange(0, 86_400_000).Draw(t, "now")) * time.Millisecond)
	a.pageSize, a.parallel = NewPageSize(rapid.SampledFrom([]int{100, 500, 5000}).Draw(t, "page size")), rapid.IntRange(1, 16).Draw(t, "side by side")
	at := a.now.Add(-50 * day)
	for range rapid.IntRange(0, 6).Draw(t, "needs") {
		at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 86_400_000, 250_000_000}).Draw(t, "pause")) * time.Millisecond)
		n := need{since: wholeMillis(at), why: whyHole}
		at = at.Add(time.Duration(rapid.SampledFrom([]int{1, 1000, 3_600_000, 86_400_000, 1_000_000_000}).Draw(t, "length")+rapid.IntRange(0, 1000).Draw(t, "more")) * time.Millisecond)
		n.until = wholeMillis(at)
		n.archived = n.until.Before(a.now.Add(-doorSpan)) && rapid.Bool().Draw(t, "archived")
		if rapid.Bool().Draw(t, "of a service") {
			n.services = []int64{5}
		}
		a.needs = append(a.needs, n)
	}
	return a
}

// What comes off the agenda is what was put on it: every millisecond once. And
// windows end where needs do, or at round times.
func TestWindowsCoverTheNeedsAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAgenda(t)
		want, order := slices.Clone(a.needs), a.order
		bounds := map[int64]bool{}
		for _, n := range want {
			bounds[n.since.UnixMilli()], bounds[n.until.UnixMilli()] = true, true
		}
		var got []need
		for i := 0; !a.empty(); i++ {
			if i > 200_000 {
				t.Fatal("no end of windows")
			}
			if i == 3 && rapid.Bool().Draw(t, "the density changes on the way") {
				a.density.saw(day, rapid.Int64Range(0, 3_000_000).Draw(t, "seen"), 0)
				a.pageSize.Halve(a.pageSize.Get())
				a.now = a.now.Add(time.Hour)
			}
			length := a.length(a.needs[0], a.now)
			x, ok := a.next()
			w := x.window
			if !ok || w.check() != nil || w.Since.Before(at("2026-09-01")) {
				t.Fatalf("window %v after length %v", w, length)
			}
			for _, b := range []time.Time{w.Since, w.Until} {
				if !bounds[b.UnixMilli()] && !b.Equal(b.Truncate(time.Minute)) {
					t.Fatalf("window %v has odd bounds", w)
				}
			}
			if x.archived && w.Until.Sub(w.Since) > archivedSpan || earlier(w.Until, a.now).Sub(w.Since) > longestWindow {
				t.Fatalf("window %v is too long", w)
			}
			records, known := a.expect(w.Since, w.Until, x.archived)
			if most := float64(pagesPerWindow * max(archivedPage, a.pageSize.Get())); known && records > most*1.001 && w.Until.Sub(w.Since) > time.Minute {
				t.Fatalf("window %v has %.0f records, at most %.0f wanted", w, records, most)
			}
			if len(got) > 0 {
				last := got[len(got)-1]
				if order == OldestFirst && w.Since.Before(last.until) || order != OldestFirst && last.since.Before(w.Until) {
					t.Fatalf("%s after %s", w, inWords([]need{last}))
				}
			}
			got = append(got, need{since: w.Since, until: w.Until, services: w.Services, why: x.why, archived: x.archived})
		}
		if got = inOnePiece(got); !slices.EqualFunc(got, inOnePiece(want), sameNeed) {
			t.Fatalf("read %v\nwanted %v", inWords(got), inWords(want))
		}
	})
}

// inOnePiece makes one of needs that touch and are alike.
func inOnePiece(ns []need) (out []need) {
	ns = slices.Clone(ns)
	slices.SortFunc(ns, func(a, b need) int { return cmp.Or(a.since.Compare(b.since), a.until.Compare(b.until)) })
	for _, n := range ns {
		if i := len(out) - 1; i >= 0 && out[i].until.Equal(n.since) && out[i].archived == n.archived && slices.Equal(out[i].services, n.services) {
			out[i].until = n.until
			continue
		}
		out = append(out, n)
	}
	return out
}

func sameNeed(a, b need) bool {
	return a.since.Equal(b.since) && a.until.Equal(b.until) && a.archived == b.archived && a.why == b.why && slices.Equal(a.services, b.services)
}
