package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mdcalake/store"
)

// What becomes of a window on a service that fails: whatever it does, the work
// ends, and at every step each record has been read, or is yet to be, or is in
// a window that is said to have failed.

// fakeService is a service in memory that cuts its pages as the API does, and
// fails as it is told to.
type fakeService struct {
	records []fakeRecord
	page    int                           // records of a page
	stands  bool                          // no cursor leads on inside of a millisecond that fills a page
	fails   func(reading, page int) error // before a page, from 0, of a reading, from 1
	shuffle func(reading, page int) bool  // a page is not in order
	commits func(reading, pages int) bool // a commit is made after so many pages
}

// fakeRecord is when something happened and was saved, in ms since the window's
// beginning, and whether it has been delivered.
type fakeRecord struct {
	event, saved int64
	delivered    bool
}

var fakeBegin = at("2026-11-20T00:00:00Z")

// fakeAsked is long after everything was saved.
var fakeAsked = fakeBegin.Add(2 * time.Hour)

func fakeTime(ms int64) time.Time { return fakeBegin.Add(time.Duration(ms) * time.Millisecond) }

func (r *fakeRecord) heldBy(w Window) bool {
	saved := fakeTime(r.saved).UnixMilli()
	return w.holds(fakeTime(r.event).UnixMilli(), &saved, nil)
}

// read lets a reading see its window, as far as the service gives it.
func (f *fakeService) read(number int, g *reading, claim func()) error {
	along := func(r *fakeRecord) int64 {
		if g.window.sortField() == SortCreated {
			return r.saved
		}
		return r.event
	}
	var left []*fakeRecord
	for i := range f.records {
		if f.records[i].heldBy(g.window) {
			left = append(left, &f.records[i])
		}
	}
	slices.SortStableFunc(left, func(a, b *fakeRecord) int { return cmp.Compare(along(a), along(b)) })
	for page := 0; ; page++ {
		if err := f.fails(number, page); err != nil {
			return err
		}
		n, full := min(f.page, len(left)), false
		if n < len(left) { // the last millisecond comes whole on the next page
			last := along(left[n-1])
			first := slices.IndexFunc(left, func(r *fakeRecord) bool { return along(r) == last })
			if full = first == 0; !full {
				n = first
			} else if !f.stands {
				for n < len(left) && along(left[n]) == last {
					n++
				}
			}
		}
		var times []time.Time
		for _, r := range left[:n] {
			r.delivered = true
			times = append(times, fakeTime(along(r)))
		}
		if f.shuffle != nil && f.shuffle(number, page) {
			slices.Reverse(times)
		}
		p, t := pageOf(fakeAsked, times...)
		g.note(p, t, 0)
		if f.commits != nil && f.commits(number, page+1) {
			claim()
		}
		if full && f.stands {
			return &StalledError{Why: "more records in one millisecond than a page", Pages: g.pages}
		}
		if left = left[n:]; len(left) == 0 {
			return nil
		}
	}
}

// fakeRun is the work on a window to its end.
type fakeRun struct {
	readings int
	ledger   []store.Rectangle
	failed   []Window
}

func (f *fakeService) work(t rapid.TB, whole Window) (r fakeRun) {
	t.Helper()
	queue := []task{{window: whole, why: whyHole}}
	for len(queue) > 0 {
		if r.readings++; r.readings > 30*(len(f.records)+10) {
			t.Fatalf("no end after %d readings: %d windows to come, the next one %s", r.readings, len(queue), queue[0].window)
		}
		g := &reading{task: queue[0]}
		queue = queue[1:]
		if err := g.window.check(); err != nil {
			t.Fatalf("window %s: %v", g.window, err)
		}
		err := f.read(r.readings, g, func() { r.ledger = append(r.ledger, g.claims("", false)...) })
		if err != nil {
			g.brokeOff()
		}
		r.ledger = append(r.ledger, g.claims("", err == nil)...)
		if err != nil {
			again, failed := g.afterFailure(err)
			queue, r.failed = append(queue, again...), append(r.failed, failed...)
			for _, w := range failed {
				if g.asked.IsZero() {
					g.asked = fakeAsked
				}
				c := g.claim(w, "")
				c.failure = "given up"
				r.ledger = append(r.ledger, c.rectangles()...)
			}
		}
		for i := range f.records {
			n := &f.records[i]
			if n.delivered || slices.ContainsFunc(queue, func(t task) bool { return n.heldBy(t.window) }) || slices.ContainsFunc(r.failed, n.heldBy) {
				continue
			}
			t.Fatalf("after reading %s the record of %d saved at %d is lost: %v", g.window, n.event, n.saved, err)
		}
	}
	f.checkLedger(t, whole, r)
	return r
}

// checkLedger looks whether the ledger tells the truth, and nearly the whole of
// it where nothing failed.
func (f *fakeService) checkLedger(t rapid.TB, whole Window, r fakeRun) {
	t.Helper()
	s := &store.Snapshot{Coverage: r.ledger}
	stretches := s.CoverageOf(nil, fakeBegin, fakeBegin.Add(time.Hour))
	for i := range f.records {
		n := &f.records[i]
		for _, at := range stretches {
			if !fakeTime(n.event).Before(at.Since) && fakeTime(n.event).Before(at.Until) && at.State == StateComplete && !at.Through.Before(fakeTime(n.saved)) && !n.delivered {
				t.Fatalf("the record of %d saved at %d is said to be read: %v", n.event, n.saved, at)
			}
		}
	}
	failed := func(r store.Rectangle) bool { return r.State == StateFailed }
	if len(r.failed) > 0 && !slices.ContainsFunc(r.ledger, failed) {
		t.Fatalf("%v failed, and the ledger says nothing of it", r.failed)
	}
	for _, at := range stretches {
		whole := at.State == StateComplete && at.Through.Equal(fakeAsked.Add(-savedMargin))
		// A millisecond that was read along save time in several pieces is read again
		// by a later run.
		piece := at.State == store.StatePartial && at.Until.Sub(at.Since) == time.Millisecond
		if len(r.failed) == 0 && !whole && !piece {
			t.Fatalf("all was read, and the ledger says %v", stretches)
		}
	}
}

func (f *fakeService) missing() (n int) {
	for _, r := range f.records {
		if !r.delivered {
			n++
		}
	}
	return n
}

var (
	// fakeHour has all records by event time, fakeRound by save time, as the tail.
	fakeHour  = Window{Since: fakeBegin, Until: fakeBegin.Add(time.Hour)}
	fakeRound = Window{Since: fakeBegin.Add(-30 * day), CreatedSince: fakeBegin, SortField: SortCreated}
)

// evenly are records a second apart, each saved a minute later.
func evenly(n int) (records []fakeRecord) {
	for i := range int64(n) {
		records = append(records, fakeRecord{event: i * 1000, saved: i*1000 + 60_000})
	}
	return records
}

// pile are records of one millisecond; saved lets each have a save time.
func pile(n int, event int64, saved func(i int64) int64) []fakeRecord {
	return fakeRecords(n, func(i int64) fakeRecord { return fakeRecord{event: event, saved: saved(i)} })
}

func fakeRecords(n int, of func(i int64) fakeRecord) (records []fakeRecord) {
	for i := range int64(n) {
		records = append(records, of(i))
	}
	return records
}

func TestAWindowOnAServiceThatFailsComesToAnEnd(t *testing.T) {
	broken, refused, stalled := &StatusError{Status: 500}, &StatusError{Status: http.StatusBadRequest}, &StalledError{Why: "x"}
	never := func(int, int) error { return nil }
	atOnce := func(err error) func(int, int) error { return func(int, int) error { return err } }
	after := func(pages int, err error) func(int, int) error {
		return func(_, page int) error {
			if page >= pages {
				return err
			}
			return nil
		}
	}
	later := func(i int64) int64 { return 100_000 + i }
	together := func(int64) int64 { return 100_000 }
	heap := append(evenly(100), pile(55, 50_000, later)...)
	twin := append(evenly(100), pile(55, 50_000, together)...)
	saves := append(evenly(100), fakeRecords(55, func(i int64) fakeRecord { return fakeRecord{event: 20_000 + i, saved: 100_000} })...)
	for name, c := range map[string]struct {
		window   Window
		service  fakeService
		readings int // at most
		missing  int
		failed   []string
	}{
		"it does not":                              {fakeHour, fakeService{records: evenly(100), fails: never}, 1, 0, nil},
		"always, at once":                          {fakeHour, fakeService{records: evenly(100), fails: atOnce(broken)}, 7, 100, []string{"2026-11-20T00:00:00Z..2026-11-20T00:15:00Z", "2026-11-20T00:15:00Z..2026-11-20T00:30:00Z", "2026-11-20T00:30:00Z..2026-11-20T00:45:00Z", "2026-11-20T00:45:00Z..2026-11-20T01:00:00Z"}},
		"always refuses":                           {fakeHour, fakeService{records: evenly(100), fails: atOnce(refused)}, 4, 100, []string{"2026-11-20T00:00:00Z..2026-11-20T00:30:00Z", "2026-11-20T00:30:00Z..2026-11-20T01:00:00Z"}},
		"always stalls":                            {fakeHour, fakeService{records: evenly(100), fails: atOnce(stalled)}, 7, 100, []string{"2026-11-20T00:00:00Z..2026-11-20T00:15:00Z", "2026-11-20T00:15:00Z..2026-11-20T00:30:00Z", "2026-11-20T00:30:00Z..2026-11-20T00:45:00Z", "2026-11-20T00:45:00Z..2026-11-20T01:00:00Z"}},
		"after each first page":                    {fakeHour, fakeService{records: evenly(100), fails: after(1, broken)}, 40, 0, nil},
		"refuses each second cursor":               {fakeHour, fakeService{records: evenly(100), fails: after(1, refused)}, 14, 0, nil},
		"stalls after each first page":             {fakeHour, fakeService{records: evenly(100), fails: after(1, stalled)}, 24, 0, nil},
		"after each tenth page":                    {fakeHour, fakeService{records: evenly(1000), fails: after(10, broken)}, 40, 0, nil},
		"one millisecond fills a page":             {fakeHour, fakeService{records: heap, fails: never}, 1, 0, nil},
		"and stalls":                               {fakeHour, fakeService{records: heap, fails: never, stands: true}, 3, 0, nil},
		"and its save time stalls too":             {fakeHour, fakeService{records: twin, fails: never, stands: true}, 4, 45, []string{"saved 2026-11-20T00:01:40Z..2026-11-20T00:01:40.001Z"}},
		"and each second cursor is refused":        {fakeHour, fakeService{records: heap, fails: after(1, refused), stands: true}, 40, 0, nil},
		"a round":                                  {fakeRound, fakeService{records: evenly(100), fails: never}, 1, 0, nil},
		"a round where one save time fills a page": {fakeRound, fakeService{records: saves, fails: never, stands: true}, 3, 0, nil},
		"and its event times as well":              {fakeRound, fakeService{records: twin, fails: never, stands: true}, 4, 45, []string{"saved 2026-11-20T00:01:40Z..2026-11-20T00:01:40.001Z"}},
		"a round that fails after each first page": {fakeRound, fakeService{records: evenly(100), fails: after(1, broken)}, 40, 0, nil},
		"once": {fakeHour, fakeService{records: evenly(100), fails: func(reading, page int) error {
			if reading == 1 && page == 3 {
				return broken
			}
			return nil
		}}, 3, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := c.service
			f.page, f.records = 10, slices.Clone(f.records)
			r := f.work(t, c.window)
			var failed []string
			for _, w := range r.failed {
				failed = append(failed, w.String())
			}
			slices.Sort(failed)
			same(t, "failed", c.failed, failed)
			if r.readings > c.readings || f.missing() != c.missing {
				t.Errorf("%d readings, at most %d wanted; %d records missing, want %d", r.readings, c.readings, f.missing(), c.missing)
			}
		})
	}
}

// Whatever a service does at whichever page.
func TestAWindowComesToAnEndWhateverTheServiceDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &fakeService{page: rapid.IntRange(1, 12).Draw(t, "page"), stands: rapid.Bool().Draw(t, "stands")}
		var event int64
		for range rapid.IntRange(0, 40).Draw(t, "records") {
			event += int64(rapid.SampledFrom([]int{0, 0, 1, 2, 1000, 60_000}).Draw(t, "pause"))
			f.records = append(f.records, fakeRecord{event: event, saved: event + int64(rapid.SampledFrom([]int{0, 1, 60_000, 60_001, 3_000_000}).Draw(t, "delay"))})
		}
		kinds := map[string]error{
			"500": &StatusError{Status: 500}, "400": &StatusError{Status: http.StatusBadRequest}, "stall": &StalledError{Why: "x"},
			"malformed": &MalformedError{What: "x"}, "other": errors.New("x"),
		}
		one := rapid.SampledFrom([]string{"500", "400", "stall", "malformed", "other"})
		ill := map[string]error{} // by reading and page: drawn once, the same at every look
		often := rapid.IntRange(0, 10).Draw(t, "fails, of ten")
		f.fails = func(reading, page int) error {
			at := fmt.Sprint(reading, page)
			if _, ok := ill[at]; !ok {
				ill[at] = nil
				if rapid.IntRange(1, 10).Draw(t, "fails") <= often {
					ill[at] = kinds[one.Draw(t, "with")]
				}
			}
			return ill[at]
		}
		f.shuffle = func(int, int) bool { return rapid.IntRange(0, 9).Draw(t, "out of order") == 0 }
		f.commits = func(int, int) bool { return rapid.Bool().Draw(t, "commit") }
		r := f.work(t, rapid.SampledFrom([]Window{fakeHour, fakeRound}).Draw(t, "window"))
		if often == 0 && !f.stands && (r.readings > 1 || f.missing() > 0) {
			t.Fatalf("%d readings, %d records missing", r.readings, f.missing())
		}
	})
}
