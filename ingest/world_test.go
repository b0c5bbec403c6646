package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
	"mdcalake/store"
	"mdcalake/store/storetest"
)

// The time of these tests: the simulator, the client, the run and the lake
// share one clock that moves only when someone sleeps.
var (
	now      = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	midnight = now.Truncate(24 * time.Hour)
)

// days are three windows, the last of them half a day.
const days = 3

func since() time.Time { return midnight.AddDate(0, 0, -days+1) }

// world is a service, a client and a lake.
type world struct {
	*bench
	t      testing.TB
	clock  *ingest.ManualClock
	sim    *simulator.Simulator
	server *httptest.Server
	url    string
	dir    string
	disk   *storetest.Disk

	// each answer passes through it, if it is set; n from 1.
	hook func(n int, w http.ResponseWriter)

	mu       sync.Mutex
	bodies   [][]byte // of all answers 200
	warnings []string
	reports  []ingest.Progress
}

// newWorld serves 500 records of three days and services unless change says
// otherwise: the time of these tests is that of small files being synced.
func newWorld(t testing.TB, change func(*simulator.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: ingest.NewManualClock(now), dir: lakeDir(t)}
	w.disk = storetest.NewDisk(t, filepath.Dir(w.dir))
	w.serve(change)
	return w
}

// serve puts another service of the same records in the place of the last one.
func (w *world) serve(change func(*simulator.Options)) {
	w.t.Helper()
	o := simulator.Options{Seed: 11, Start: since(), End: now, Count: 500, Services: []int64{20893, 11161, 15600}, Token: canary, Clock: w.clock.Now}
	if change != nil {
		change(&o)
	}
	var err error
	if w.sim, err = simulator.New(o); err != nil {
		w.t.Fatal(err)
	}
	w.serveBy(w.sim)
}

// serveBy puts a handler before the client.
func (w *world) serveBy(service http.Handler) {
	w.t.Helper()
	if w.server != nil {
		w.server.Close() // a request that nobody waits for any more may be on its way
	}
	w.bodies, w.hook = nil, nil
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		n++
		number, hook := n, w.hook
		w.mu.Unlock()
		if number > maxRequests {
			w.t.Error("too many requests")
			rw.WriteHeader(http.StatusTeapot)
			return
		}
		rec := httptest.NewRecorder()
		service.ServeHTTP(rec, r)
		if rec.Code == 200 {
			w.mu.Lock()
			w.bodies = append(w.bodies, slices.Clone(rec.Body.Bytes()))
			w.mu.Unlock()
		}
		for k, v := range rec.Header() {
			rw.Header()[k] = v
		}
		if hook != nil {
			hook(number, rw)
		}
		rw.WriteHeader(rec.Code)
		rw.Write(rec.Body.Bytes())
	}))
	w.t.Cleanup(srv.Close)
	w.server, w.url = srv, srv.URL
	w.connect(nil)
}

// connect makes a new client for the service. It tries again at once, so that
// trouble does not move the clock.
func (w *world) connect(change func(*ingest.ClientOptions)) {
	w.t.Helper()
	w.bench = client(w.t, w.url, func(o *ingest.ClientOptions) {
		o.Clock, o.Retry.Base = w.clock, time.Nanosecond
		if change != nil {
			change(o)
		}
	})
}

// run ingests the three days into the lake, 50 records a page: one window after
// the other, so that it is known which page is which.
func (w *world) run(ctx context.Context, change func(*ingest.Options)) (*ingest.Summary, error) {
	w.t.Helper()
	lake := w.writer()
	defer lake.Close()
	w.warnings, w.reports = nil, nil
	o := ingest.Options{
		Client: w.Client, Writer: lake, Since: since(), Until: midnight.AddDate(0, 0, 1), PageSize: 50, Clock: w.clock,
		Parallel: 1, Order: ingest.OldestFirst,
		Progress: func(p ingest.Progress) { w.reports = append(w.reports, p) },
		Warn:     func(text string) { w.warnings = append(w.warnings, text) },
	}
	if change != nil {
		change(&o)
	}
	s, err := ingest.Run(ctx, o)
	noCanary(w.t, err)
	if s == nil {
		w.t.Fatal("no summary")
	}
	return s, err
}

func (w *world) mustRun(change func(*ingest.Options)) *ingest.Summary {
	w.t.Helper()
	s, err := w.run(w.t.Context(), change)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) writer() *store.Writer {
	w.t.Helper()
	lake, err := store.OpenWriter(w.dir, store.WriterOptions{Clock: w.clock.Now, FS: w.disk})
	if err != nil {
		w.t.Fatal(err)
	}
	return lake
}

// span is an interval of event time, [since, until).
type span struct{ since, until time.Time }

func (s span) String() string {
	return s.since.UTC().Format("01-02T15:04:05.000") + ".." + s.until.UTC().Format("01-02T15:04:05.000")
}

// asked are the intervals of event time of all requests to the service, in
// their order.
func (w *world) asked() (all []span) {
	for _, r := range w.sim.Stats().Log {
		var f struct {
			Date struct {
				Gte, Lte int64
				Range    []struct{ Start, End int64 } // of the archived route
			}
		}
		if r.Filters == "" {
			continue // it failed before it was looked at
		}
		if err := json.Unmarshal([]byte(r.Filters), &f); err != nil {
			w.t.Fatal(err)
		}
		if len(f.Date.Range) == 1 {
			f.Date.Gte, f.Date.Lte = f.Date.Range[0].Start, f.Date.Range[0].End
		}
		all = append(all, span{time.UnixMilli(f.Date.Gte).UTC(), time.UnixMilli(f.Date.Lte + 1).UTC()})
	}
	return all
}

// asksNothingOf fails the test where a request touches what is complete.
func (w *world) asksNothingOf(complete []store.Stretch) {
	w.t.Helper()
	for _, asked := range w.asked() {
		for _, c := range complete {
			until := c.Until
			if c.Through.Before(until) {
				until = c.Through // nothing is saved before it happens
			}
			if c.State == "complete" && asked.since.Before(until) && c.Since.Before(asked.until) {
				w.t.Errorf("asked for %v, and %v is complete", asked, span{c.Since, until})
			}
		}
	}
}

func (w *world) count(since, until time.Time) (n int64) {
	for range w.sim.ExpectedBetween(since, until) {
		n++
	}
	return n
}

// stretches are the folded coverage of all services at once.
func stretches(t testing.TB, dir string) []store.Stretch {
	t.Helper()
	return snapshot(t, dir).CoverageOf(nil, time.Time{}, time.Time{})
}

// coverage tells the stretches of the folded ledger by their states alone.
func coverage(t testing.TB, dir string) []string {
	t.Helper()
	return states(stretches(t, dir))
}

func states(all []store.Stretch) (out []string) {
	var joined []store.Stretch
	for _, s := range all {
		if n := len(joined); n > 0 && joined[n-1].State == s.State && joined[n-1].Until.Equal(s.Since) {
			joined[n-1].Until = s.Until
			continue
		}
		joined = append(joined, s)
	}
	at := func(t time.Time) string { return t.UTC().Round(time.Second).Format("01-02T15:04") } // a Date header has no more
	for _, s := range joined {
		out = append(out, fmt.Sprintf("%s %s..%s", s.State, at(s.Since), at(s.Until)))
	}
	return out
}

// whole is what coverage says when all of the three days has been read.
var whole = []string{"complete 11-18T00:00..11-20T12:00"}

// claimsHold fails the test where the ledger calls an event time complete and a
// record of it, saved by the time that it is complete through, is not in the lake.
func claimsHold(t testing.TB, dir string, sim *simulator.Simulator) {
	t.Helper()
	if len(entries(t, dir)) == 0 {
		return // nothing has been claimed
	}
	got := read(t, dir)
	have := map[string]bool{}
	for _, r := range slices.Concat(got.activities, got.revisions, got.quarantine) {
		have[r.bytes] = true
	}
	for _, s := range got.snapshot.CoverageOf(nil, time.Time{}, time.Time{}) {
		if s.State != "complete" {
			continue
		}
		missing := 0
		for p := range sim.ExpectedBetween(s.Since, s.Until) {
			if p.Created != nil && *p.Created <= s.Through.UnixMilli() && !have[string(p.Bytes())] {
				missing++
			}
		}
		if missing > 0 {
			t.Errorf("%v is complete through %s, and %d of its records are not there", span{s.Since, s.Until}, s.Through.UTC().Format(time.RFC3339), missing)
		}
	}
}

// truth compares the lake with what the service has, byte for byte.
func truth(t testing.TB, dir string, expected iter.Seq[simulator.Payload]) contents {
	t.Helper()
	got := read(t, dir)
	want := map[string][]string{}
	for p := range expected {
		switch b := string(p.Bytes()); {
		case p.ID == nil || p.Timestamp == nil:
			if !slices.Contains(want["quarantine"], b) {
				want["quarantine"] = append(want["quarantine"], b)
			}
		case p.Current:
			want["activities"] = append(want["activities"], b)
		default:
			want["revisions"] = append(want["revisions"], b)
		}
	}
	for name, rows := range map[string][]row{"activities": got.activities, "revisions": got.revisions, "quarantine": got.quarantine} {
		var have []string
		for _, r := range rows {
			have = append(have, r.bytes)
		}
		slices.Sort(have)
		slices.Sort(want[name])
		if !slices.Equal(have, want[name]) {
			t.Errorf("%s: %d rows, and not the %d that are true", name, len(have), len(want[name]))
		}
	}
	return got
}
