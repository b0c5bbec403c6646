package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

func TestTheLedgerJoinsWhatOneRunReadPieceByPiece(t *testing.T) {
	one, other := int64(1), int64(2)
	rect := func(since, until time.Time, c, d time.Time) store.Rectangle {
		return store.Rectangle{Since: since, Until: until, State: "complete", SinceCreated: c, ThroughCreated: d, Route: "activities", RunID: "tail", Records: 1, Requests: 1}
	}
	with := func(r store.Rectangle, change func(*store.Rectangle)) store.Rectangle { change(&r); return r }
	joined := func(r store.Rectangle, n int64) store.Rectangle { r.Records, r.Requests = n, n; return r }
	var never time.Time
	first, second := rect(at(1, 0), at(1, 6), at(1, 5), at(1, 6)), rect(at(1, 0), at(1, 8), at(1, 5), at(1, 8))
	both := joined(rect(at(1, 0), at(1, 8), at(1, 5), at(1, 8)), 2)
	apart := func(rects ...store.Rectangle) [2][]store.Rectangle { return [2][]store.Rectangle{rects, rects} }
	for name, c := range map[string][2][]store.Rectangle{ // the ledger, and what is kept of it
		"rounds with an overlap": {
			{first, rect(at(1, 0), at(1, 7), at(1, 5), at(1, 7)), second, rect(at(1, 0), at(1, 9), at(1, 7), at(1, 9))},
			{joined(rect(at(1, 0), at(1, 9), at(1, 5), at(1, 9)), 4)},
		},
		"rounds that go on from each other, each claimed up to its last millisecond": {
			{rect(at(1, 0), at(1, 6).Add(time.Millisecond), at(1, 5), at(1, 6)), rect(at(1, 0), at(1, 8), at(1, 6), at(1, 8))}, {both},
		},
		"rounds of a day that is over":                           {{rect(at(1, 0), at(2, 0), at(3, 5), at(3, 6)), rect(at(1, 0), at(2, 0), at(3, 6), at(3, 7))}, {joined(rect(at(1, 0), at(2, 0), at(3, 5), at(3, 7)), 2)}},
		"a first round that leaves its last millisecond open":    apart(first, rect(at(1, 0), at(1, 8), at(1, 6), at(1, 8))),
		"a round that was missed":                                apart(rect(at(1, 0), at(1, 9), at(1, 5), at(1, 6)), rect(at(1, 0), at(1, 9), at(1, 7), at(1, 9))),
		"rounds of another day":                                  apart(first, rect(at(1, 1), at(1, 8), at(1, 5), at(1, 8))),
		"a round that ends before the last one":                  apart(second, first, rect(at(1, 0), at(1, 7), at(1, 6), at(1, 9))),
		"a round that begins before the last one":                apart(first, rect(at(1, 0), at(1, 8), at(1, 4), at(1, 8))),
		"a round that goes on from a window":                     apart(rect(at(1, 0), at(1, 6), never, at(1, 6)), second),
		"a window that is read again":                            apart(rect(at(1, 0), at(1, 6), never, at(1, 6)), rect(at(1, 0), at(1, 6), never, at(1, 7))),
		"rounds of several runs":                                 apart(first, with(second, func(r *store.Rectangle) { r.RunID = "next" })),
		"rounds of one service and another":                      apart(with(first, func(r *store.Rectangle) { r.Service = &one }), with(second, func(r *store.Rectangle) { r.Service = &other })),
		"rounds of one service and of all":                       apart(with(first, func(r *store.Rectangle) { r.Service = &one }), second),
		"rounds on other routes":                                 apart(first, with(second, func(r *store.Rectangle) { r.Route = "archived" })),
		"a round that failed":                                    apart(first, with(second, func(r *store.Rectangle) { r.State = "failed" })),
		"rounds that failed for other reasons":                   apart(with(first, func(r *store.Rectangle) { r.State, r.Reason = "failed", "a" }), with(second, func(r *store.Rectangle) { r.State, r.Reason = "failed", "b" })),
		"rounds with other filters":                              apart(with(first, func(r *store.Rectangle) { r.State, r.Filter = "filtered", "a" }), with(second, func(r *store.Rectangle) { r.State, r.Filter = "filtered", "b" })),
		"a purge in between, of whatever run":                    apart(first, with(first, func(r *store.Rectangle) { r.State = "purged" }), second),
		"another run in between":                                 apart(first, with(first, func(r *store.Rectangle) { r.RunID = "other" }), second),
		"purges":                                                 apart(with(rect(at(1, 0), at(1, 6), never, never), func(r *store.Rectangle) { r.State = "purged" }), with(rect(at(1, 6), at(1, 7), never, never), func(r *store.Rectangle) { r.State = "purged" })),
		"pieces of a window, oldest first":                       {{rect(at(1, 0), at(1, 6), never, at(3, 0)), rect(at(1, 6), at(1, 7), never, at(3, 0))}, {joined(rect(at(1, 0), at(1, 7), never, at(3, 0)), 2)}},
		"pieces of a window, newest first":                       {{rect(at(1, 6), at(1, 7), never, at(3, 0)), rect(at(1, 0), at(1, 6), never, at(3, 0))}, {joined(rect(at(1, 0), at(1, 7), never, at(3, 0)), 2)}},
		"pieces that leave a hole":                               apart(rect(at(1, 0), at(1, 6), never, at(3, 0)), rect(at(1, 7), at(1, 8), never, at(3, 0))),
		"pieces that were begun at other times":                  apart(rect(at(1, 0), at(1, 6), never, at(3, 0)), rect(at(1, 6), at(1, 7), never, at(4, 0))),
		"windows of a day each":                                  apart(rect(at(1, 0), at(2, 0), never, at(3, 0)), rect(at(2, 0), at(3, 0), never, at(3, 0)), rect(at(0, 0), at(1, 0), never, at(3, 0))),
		"a reason that the later piece would not decide against": apart(failed(at(1, 0), at(1, 2), "a"), failed(at(1, 0), at(1, 4), "b"), failed(at(1, 2), at(1, 4), "a")),
		"parallel windows of two services": {
			{
				with(rect(at(1, 6), at(1, 7), never, at(3, 0)), func(r *store.Rectangle) { r.Service = &one }), with(rect(at(1, 6), at(1, 7), never, at(3, 0)), func(r *store.Rectangle) { r.Service = &other }),
				with(rect(at(5, 6), at(5, 7), never, at(6, 0)), func(r *store.Rectangle) { r.Service = &one }), with(rect(at(1, 5), at(1, 6), never, at(3, 0)), func(r *store.Rectangle) { r.Service = new(int64); *r.Service = 1 }),
			},
			{
				joined(with(rect(at(1, 5), at(1, 7), never, at(3, 0)), func(r *store.Rectangle) { r.Service = &one }), 2), with(rect(at(1, 6), at(1, 7), never, at(3, 0)), func(r *store.Rectangle) { r.Service = &other }),
				with(rect(at(5, 6), at(5, 7), never, at(6, 0)), func(r *store.Rectangle) { r.Service = &one }),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c[1], store.JoinedCoverage(c[0])); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func failed(since, until time.Time, reason string) store.Rectangle {
	return store.Rectangle{Since: since, Until: until, State: "failed", Reason: reason, ThroughCreated: at(3, 0), RunID: "tail"}
}

func TestJoinedRectanglesSayWhatTheySaidApart(t *testing.T) {
	joins := 0
	rapid.Check(t, func(t *rapid.T) {
		apart := &store.Snapshot{Coverage: drawLedger(t)}
		joined := &store.Snapshot{Coverage: store.JoinedCoverage(apart.Coverage)}
		joins += len(apart.Coverage) - len(joined.Coverage)
		for _, service := range []*int64{nil, &gridServices[0], &gridServices[1]} {
			for _, filter := range []string{"", "a", "b"} {
				want := apart.CoverageOfFilter(service, filter, time.Time{}, time.Time{})
				have := joined.CoverageOfFilter(service, filter, time.Time{}, time.Time{})
				if diff := cmp.Diff(want, have); diff != "" {
					t.Fatalf("service %v, filter %q: -apart +joined\n%s\njoined: %+v", service, filter, diff, joined.Coverage)
				}
			}
		}
		total := func(ledger []store.Rectangle) (records, requests int64) {
			for _, r := range ledger {
				records, requests = records+r.Records, requests+r.Requests
			}
			return records, requests
		}
		records, requests := total(apart.Coverage)
		if r, q := total(joined.Coverage); r != records || q != requests {
			t.Fatalf("%d records in %d requests, joined %d in %d", records, requests, r, q)
		}
	})
	if joins == 0 {
		t.Error("nothing was joined")
	}
	t.Logf("%d rectangles were joined", joins)
}

// A tail reads a day on top of a window: every round is an entry of the log,
// and one rectangle holds them all.
func TestTheRoundsOfATailAreOneRectangle(t *testing.T) {
	dir := storetest.Dir(t)
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	a, err := w.Begin(store.Run{RunID: "tail"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	commit := func(r store.Rectangle) (format int) {
		r.State, r.RunID, r.Records, r.Requests = "complete", "tail", 5, 1
		receipt, err := a.Commit(context.Background(), store.Commit{Run: store.Run{Outcome: "running"}, Coverage: []store.Rectangle{r}})
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := bytes.Cut(mustRead(t, entryFile(dir, receipt.Version)), []byte("\n"))
		var entry struct {
			CommitInfo struct {
				Mdcalake struct {
					Format int `json:"format"`
				} `json:"mdcalake"`
			} `json:"commitInfo"`
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatal(err)
		}
		return entry.CommitInfo.Mdcalake.Format
	}
	snapshot := func() *store.Snapshot {
		t.Helper()
		s, err := w.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if format := commit(store.Rectangle{Since: at(1, 0), Until: at(1, 2), ThroughCreated: at(1, 1)}); format != 1 {
		t.Errorf("an entry with a window has format %d, which older versions refuse", format)
	}
	var before *store.Snapshot
	var was []store.Rectangle
	for hour := 2; hour < 24; hour++ {
		if hour == 10 {
			before = snapshot()
			was = slices.Clone(before.Coverage)
		}
		if format := commit(store.Rectangle{Since: at(1, 0), Until: at(1, hour), SinceCreated: at(1, hour-2), ThroughCreated: at(1, hour)}); format != 3 {
			t.Errorf("an entry with a round has format %d, and an older version would take it for a window", format)
		}
	}
	if diff := cmp.Diff(was, before.Coverage); diff != "" {
		t.Errorf("a snapshot has changed:\n%s", diff)
	}
	after := snapshot()
	a.Close()
	w.Close() // it leaves a cached fold
	want := []store.Rectangle{
		{Since: at(1, 0), Until: at(1, 2), ThroughCreated: at(1, 1), State: "complete", RunID: "tail", Records: 5, Requests: 1},
		{Since: at(1, 0), Until: at(1, 23), SinceCreated: at(1, 0), ThroughCreated: at(1, 23), State: "complete", RunID: "tail", Records: 110, Requests: 22},
	}
	read := snapshotOf(t, dir)
	if err := os.Remove(foldPath(dir)); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*store.Snapshot{"the writer": after, "by the cached fold": read, "by the log": snapshotOf(t, dir)} {
		if diff := cmp.Diff(want, s.Coverage); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		stretches := []store.Stretch{{Since: at(1, 0), Until: at(1, 23), State: "complete", Through: at(1, 23)}}
		if diff := cmp.Diff(stretches, s.CoverageOf(nil, time.Time{}, time.Time{})); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// tailsYear is the ledger of a year: a round of all services every five
// minutes, each from the midnight of a week before on, and every hour that hour
// and three that are read again, of the services one after the other.
func tailsYear(runs func(round int) string, services []*int64) []store.Rectangle {
	var ledger []store.Rectangle
	begin := at(1, 0)
	for n := range 105_000 {
		now := begin.Add(time.Duration(n+1) * 5 * time.Minute)
		ledger = append(ledger, store.Rectangle{
			Since: now.Truncate(24*time.Hour).AddDate(0, 0, -7), Until: now, SinceCreated: now.Add(-15 * time.Minute), ThroughCreated: now, State: "complete", Route: "activities", RunID: runs(n), Records: 100, Requests: 1,
		})
		for i := range 4 {
			if n%12 == 0 {
				hour := now.Truncate(time.Hour).Add(-time.Duration(i*i*i) * 7 * time.Hour)
				ledger = append(ledger, store.Rectangle{
					Since: hour, Until: hour.Add(time.Hour), ThroughCreated: now.Add(time.Duration(i) * time.Second), State: "complete", Route: "activities", RunID: runs(n), Records: 100, Requests: 1,
					Service: services[len(ledger)%len(services)],
				})
			}
		}
	}
	return ledger
}

func BenchmarkCoverageOfATailsYear(b *testing.B) {
	all, named := []*int64{nil}, []*int64{nil}
	for n := range int64(20) {
		named = append(named, &n)
	}
	oneRun, aRunEach := func(int) string { return "tail" }, func(round int) string { return strconv.Itoa(round) }
	year := tailsYear(oneRun, all)
	b.Run("joining", func(b *testing.B) {
		for b.Loop() {
			store.JoinedCoverage(year)
		}
	})
	for _, c := range []struct {
		name   string
		ledger []store.Rectangle
	}{
		{"one run", store.JoinedCoverage(year)},
		{"one run and twenty services", store.JoinedCoverage(tailsYear(oneRun, named))},
		{"a run for each round", store.JoinedCoverage(tailsYear(aRunEach, all))},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := &store.Snapshot{Coverage: c.ledger}
			for b.Loop() {
				s.CoverageByService(time.Time{}, time.Time{})
			}
			b.ReportMetric(float64(len(c.ledger)), "rectangles")
		})
	}
}
