package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// A question is what a service in these tests looks at before the simulator
// does.
type question struct {
	number int // of the request, from 1
	since  time.Time
	until  time.Time
	cursor bool // the filters are a cursor that was given out
	saved  bool // sorted by created
	limit  int
}

// refusing is the simulator behind a door: where refuse says a status, the
// question gets that and no more.
func (w *world) refusing(refuse func(q question) (status int)) {
	w.t.Helper()
	var mu sync.Mutex
	given := map[string]bool{}
	n := 0
	w.serveBy(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var asked struct {
			Filters   json.RawMessage
			SortField string
			Limit     int
		}
		if err := json.Unmarshal(body, &asked); err != nil {
			w.t.Error(err)
		}
		var f struct{ Date struct{ Gte, Lte int64 } }
		if err := json.Unmarshal(asked.Filters, &f); err != nil {
			w.t.Error(err)
		}
		mu.Lock()
		n++
		q := question{
			number: n, cursor: given[string(asked.Filters)], saved: asked.SortField == "created", limit: asked.Limit,
			since: time.UnixMilli(f.Date.Gte).UTC(), until: time.UnixMilli(f.Date.Lte + 1).UTC(),
		}
		mu.Unlock()
		if status := refuse(q); status != 0 {
			rw.Header().Set("Date", w.clock.Now().UTC().Format(http.TimeFormat))
			http.Error(rw, `{"detail":"no"}`, status)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		w.sim.ServeHTTP(rec, r)
		var page ingest.Page
		if ingest.ParsePage(rec.Body.Bytes(), &page) == nil {
			mu.Lock()
			given[string(page.NextQueryFilters)] = true
			mu.Unlock()
		}
		for k, v := range rec.Header() {
			rw.Header()[k] = v
		}
		rw.WriteHeader(rec.Code)
		rw.Write(rec.Body.Bytes())
	}))
}

// Troubles that the service gets over, or that a client can get around: nothing
// is missing afterwards, and no window has failed.
func TestTroubleThatLosesNothing(t *testing.T) {
	t.Parallel()
	at := func(rate float64, kinds ...simulator.FaultKind) func(*world) {
		return func(w *world) {
			w.serve(func(o *simulator.Options) {
				for _, kind := range kinds {
					o.Faults = append(o.Faults, simulator.Fault{Kind: kind, Rate: rate})
				}
			})
		}
	}
	options := func(change func(*simulator.Options)) func(*world) {
		return func(w *world) { w.serve(change) }
	}
	for name, service := range map[string]func(*world){
		"hasNext false too early":   at(0.4, simulator.FaultEarlyEnd),
		"empty pages":               at(0.3, simulator.FaultEmptyPage),
		"pages that overlap":        at(0.3, simulator.FaultOverlap),
		"pages out of order":        at(0.3, simulator.FaultDisorder),
		"doubled records":           at(0.3, simulator.FaultTwice),
		"records that nobody asked": at(0.3, simulator.FaultOutside),
		"all of these":              at(0.1, simulator.FaultEarlyEnd, simulator.FaultEmptyPage, simulator.FaultOverlap, simulator.FaultDisorder, simulator.FaultTwice, simulator.FaultOutside),
		"an end that is none, and then an empty one": options(func(o *simulator.Options) {
			o.Faults = []simulator.Fault{{Kind: simulator.FaultEarlyEnd, Page: 3, Times: 2}, {Kind: simulator.FaultEmptyPage, Page: 4}}
		}),
		"early end and out of order":   at(0.3, simulator.FaultEarlyEnd, simulator.FaultDisorder),
		"early end and overlap":        at(0.3, simulator.FaultEarlyEnd, simulator.FaultOverlap),
		"cursors that stand now again": at(0.3, simulator.FaultStuckCursor),
		"no word on how to go on":      at(0.2, simulator.FaultNoCursor, simulator.FaultEmptyObject, simulator.FaultNullData),
		"500 and cut answers":          at(0.2, simulator.FaultStatus500, simulator.FaultCutJSON, simulator.FaultHTML200, simulator.FaultStatus429),
		"more ties than a page":        options(func(o *simulator.Options) { o.Pile.Size = 120 }),
		"and a cursor that stands":     options(func(o *simulator.Options) { o.Pile.Size, o.Cursor.StandStill = 120, true }),
		"and no end to them": options(func(o *simulator.Options) {
			o.Pile.Size, o.Cursor.StandStill = 120, true
			o.Faults = []simulator.Fault{{Kind: simulator.FaultEarlyEnd, Rate: 0.2}}
		}),
		"a tail of a few records":  options(func(o *simulator.Options) { o.Cursor.DropTail = 3 }),
		"a cursor that is refused": options(func(o *simulator.Options) { o.Cursor.RefuseAt = 3 }),
		"a cursor with more in it": options(func(o *simulator.Options) { o.Cursor.RequireExtra, o.Cursor.RefuseAt = true, 2 }),
		"every cursor is refused":  func(w *world) { w.refusing(func(q question) int { return map[bool]int{true: 400}[q.cursor] }) },
		"a question that fails for long": func(w *world) {
			w.refusing(func(q question) int { return map[bool]int{true: 500}[q.number > 5 && q.number <= 11] })
		},
	} {
		for _, parallel := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, %d windows", name, parallel), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, nil)
				service(w)
				s := w.mustRun(func(o *ingest.Options) { o.Parallel = parallel; o.SetCommitBytes(500_000) })
				if s.Run.Outcome != "complete" || len(s.Failed) != 0 {
					t.Errorf("%+v", s)
				}
				truth(t, w.dir, w.sim.Expected())
				same(t, "coverage", whole, coverage(t, w.dir))
			})
		}
	}
}

// A stop, in the midst of pages that come twice, out of order or with an end
// that is none: what is claimed is there.
func TestClaimsHoldInTrouble(t *testing.T) {
	t.Parallel()
	trouble := func(o *simulator.Options) {
		for _, kind := range []simulator.FaultKind{simulator.FaultEarlyEnd, simulator.FaultOverlap, simulator.FaultDisorder, simulator.FaultOutside, simulator.FaultEmptyPage} {
			o.Faults = append(o.Faults, simulator.Fault{Kind: kind, Rate: 0.15})
		}
	}
	for n := 2; n <= 14; n += 3 {
		for _, seed := range []uint64{1, 2} {
			t.Run(fmt.Sprint("page ", n, " seed ", seed), func(t *testing.T) {
				t.Parallel()
				service := func(o *simulator.Options) { trouble(o); o.Seed = seed }
				w := newWorld(t, service)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				small := func(o *ingest.Options) { o.Parallel = 3; o.SetCommitBytes(300_000) }
				pages := 0
				w.run(ctx, func(o *ingest.Options) {
					small(o)
					o.Progress = func(p ingest.Progress) {
						if pages++; pages == n {
							cancel()
						}
					}
				})
				claimsHold(t, w.dir, w.sim)
				w.serve(service)
				w.mustRun(small)
				truth(t, w.dir, w.sim.Expected())
				same(t, "coverage", whole, coverage(t, w.dir))
			})
		}
	}
}

// A service that gives the last third of a window first, then the first one, then
// the middle. What has come by a stop is not all that lies before its last record.
func TestPagesInNoOrder(t *testing.T) {
	t.Parallel()
	thirds := [...]int64{2, 0, 1}
	for n := range 5 {
		t.Run(fmt.Sprint("stopped after page ", n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.serveBy(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				var asked struct {
					Filters struct {
						Date struct{ Gte, Lte int64 }
						Part int
					}
				}
				if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
					t.Error(err)
				}
				f := asked.Filters
				length := (f.Date.Lte + 1 - f.Date.Gte) / 3
				from := f.Date.Gte + thirds[f.Part]*length
				to := from + length - 1
				if thirds[f.Part] == 2 {
					to = f.Date.Lte
				}
				r.Body = io.NopCloser(strings.NewReader(fmt.Sprintf(`{"filters":{"date":{"gte":%d,"lte":%d}},"isScan":true,"limit":5000,"sortField":"date","sortDirection":"asc"}`, from, to)))
				rec := httptest.NewRecorder()
				w.sim.ServeHTTP(rec, r)
				body := rec.Body.String()
				if f.Part+1 < len(thirds) {
					more := fmt.Sprintf(`"hasNext":true,"nextQueryFilters":{"date":{"gte":%d,"lte":%d},"part":%d}`, f.Date.Gte, f.Date.Lte, f.Part+1)
					body = strings.Replace(body, `"hasNext":false`, more, 1)
				}
				rw.Header().Set("Date", rec.Header().Get("Date"))
				io.WriteString(rw, body)
			}))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pages := 0
			_, err := w.run(ctx, func(o *ingest.Options) {
				o.Progress = func(ingest.Progress) {
					if pages++; pages == n {
						cancel()
					}
				}
			})
			if (n > 0) != errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if n != 1 { // of one page alone nobody can see that it is not the first
				claimsHold(t, w.dir, w.sim)
			}
			if n == 0 {
				truth(t, w.dir, w.sim.Expected())
				same(t, "coverage", whole, coverage(t, w.dir))
			}
		})
	}
}

// More records in one millisecond than a page holds, all saved in another one:
// no order tells them apart. That millisecond is not whole, and says so.
func TestAMillisecondThatCannotBeRead(t *testing.T) {
	t.Parallel()
	pile := func(o *simulator.Options) { o.Pile = simulator.Pile{Size: 120, SameCreated: true} }
	w := newWorld(t, func(o *simulator.Options) { pile(o); o.Cursor.StandStill = true })
	s := w.mustRun(nil)
	var stalled *ingest.StalledError
	if s.Run.Outcome != "partial" || len(s.Failed) != 1 || !errors.As(s.Failed[0].Err, &stalled) || lastRun(t, w.dir).Outcome != "partial" {
		t.Fatalf("%+v", s)
	}
	at := since().Add(now.Sub(since()) / 2)
	if f := s.Failed[0].Window; !f.Since.Equal(at) || !f.Until.Equal(at.Add(time.Millisecond)) || !f.CreatedSince.Equal(at.Add(3*time.Minute)) || !f.CreatedUntil.Equal(f.CreatedSince.Add(time.Millisecond)) {
		t.Errorf("failed %+v", f)
	}
	if len(w.warnings) != 1 || !strings.Contains(w.warnings[0], "not whole") || !strings.Contains(w.warnings[0], "unpageable") {
		t.Errorf("warnings %q", w.warnings)
	}
	claimsHold(t, w.dir, w.sim)
	all := stretches(t, w.dir)
	if len(all) != 3 || all[0].State != "complete" || all[1].State == "complete" || all[2].State != "complete" ||
		!all[1].Since.Equal(at) || !all[1].Until.Equal(at.Add(time.Millisecond)) || !all[0].Since.Equal(since()) || !all[2].Until.Equal(now) {
		t.Errorf("%+v", all)
	}
	// A service that gives the whole millisecond is asked for that alone.
	w.serve(pile)
	w.mustRun(nil)
	w.asksNothingOf(all)
	truth(t, w.dir, w.sim.Expected())
	same(t, "coverage", whole, coverage(t, w.dir))
}

// A service that does not sort by save time is no reason to read nothing else.
func TestAMillisecondThatMayNotBeAskedForBySaveTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) { o.Pile.Size, o.Cursor.StandStill = 120, true })
	w.refusing(func(q question) int { return map[bool]int{true: 400}[q.saved] })
	s := w.mustRun(nil)
	if s.Run.Outcome != "partial" || len(s.Failed) != 1 {
		t.Fatalf("%+v", s)
	}
	claimsHold(t, w.dir, w.sim)
	if all := states(stretches(t, w.dir)); len(all) != 3 || !strings.HasPrefix(all[1], "failed ") {
		t.Errorf("%v", all)
	}
}

func TestRecordsOutsideOfTheWindowAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) {
		o.Faults = []simulator.Fault{{Kind: simulator.FaultOutside, Page: 2}, {Kind: simulator.FaultOutside, Page: 4}}
	})
	from, to := since().AddDate(0, 0, 1), since().AddDate(0, 0, 2)
	s := w.mustRun(func(o *ingest.Options) { o.Since, o.Until = from, to })
	if s.OutsideWindow != 2 || len(w.warnings) != 1 || !strings.Contains(w.warnings[0], "1 record outside of window 2026-11-19") {
		t.Errorf("%d outside, warnings %q", s.OutsideWindow, w.warnings)
	}
	if n := int64(len(read(t, w.dir).activities)); n != s.Run.Added || n <= w.count(from, to) {
		t.Errorf("%d rows, %+v", n, s.Run)
	}
	for _, p := range w.reports {
		if p.Done < 0 || p.Done > 1 {
			t.Errorf("done %v", p.Done)
		}
	}
}

// A service that honours no date: what it gives is kept, and nothing is claimed.
func TestAServiceThatHonoursNoDate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		order ingest.Order
		since time.Time
	}{
		"the newest first":                       {ingest.NewestFirst, since()},
		"the oldest first":                       {ingest.OldestFirst, since().AddDate(0, 0, 1)},
		"from the first record that there is on": {ingest.OldestFirst, since()},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.serveBy(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				var asked map[string]any
				d := json.NewDecoder(r.Body)
				d.UseNumber()
				if err := d.Decode(&asked); err != nil {
					t.Error(err)
				}
				delete(asked["filters"].(map[string]any), "date")
				body, err := json.Marshal(asked)
				if err != nil {
					t.Error(err)
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				w.sim.ServeHTTP(rw, r)
			}))
			s, err := w.run(t.Context(), func(o *ingest.Options) { o.Order, o.Since, o.Parallel = c.order, c.since, 4 })
			var ignored *ingest.IgnoredFilterError
			if !errors.As(err, &ignored) || hint(err) == "" || s.Run.Outcome != "failed" || s.Head == "" {
				t.Fatalf("%v, %+v", err, s)
			}
			if got := read(t, w.dir); int64(len(got.activities)) != s.Run.Added || s.Run.Added < 40 || s.OutsideWindow < 40 {
				t.Errorf("%d rows, %+v", len(got.activities), s)
			}
			claimsHold(t, w.dir, w.sim)
			for _, at := range coverage(t, w.dir) {
				if c.since.After(since()) && strings.HasPrefix(at, "complete") {
					t.Errorf("it claims %s", at)
				}
			}
		})
	}
}
