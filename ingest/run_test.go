package ingest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
	"mdcalake/store"
	"mdcalake/store/storetest"
)

func TestARunBringsTheWholeTruth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) {
		o.Count, o.Services = 2000, nil
		o.Revisions, o.BadRecords, o.Huge, o.HugeBytes = 0.03, 0.03, 0.002, 300_000
		o.RatePerMinute, o.Faults = 10, []simulator.Fault{{Kind: simulator.FaultTwice, Every: 4}, {Kind: simulator.FaultStatus502, Page: 3}, {Kind: simulator.FaultEmptyPage, Page: 6}}
	})
	s := w.mustRun(func(o *ingest.Options) {
		o.PageSize = 200
		o.ToolVersion, o.Operator, o.CaseID, o.ClientID = "1.2", "ada", "case 7", "client"
	})
	got := truth(t, w.dir, w.sim.Expected())
	if s.Windows < days || s.Finished != s.Windows || len(s.Failed) != 0 || s.OutsideWindow != 0 || s.FutureOfServer || s.NothingToDo {
		t.Errorf("%+v", s)
	}
	run := lastRun(t, w.dir)
	same(t, "the summary's run and the ledger's", run, s.Run)
	if run.Outcome != "complete" || run.Verb != "ingest" || run.Host != "localhost" || run.CredentialKind != "token" ||
		run.ToolVersion != "1.2" || run.Operator != "ada" || run.CaseID != "case 7" || run.ClientID != "client" ||
		!run.Started.Equal(now) || !run.Ended.Equal(w.clock.Now()) || run.ClockOffsetMS == nil || *run.ClockOffsetMS != 0 {
		t.Errorf("%+v", run)
	}
	if run.Added != int64(len(got.activities)) || run.Revisions != int64(len(got.revisions)) || run.Quarantined != int64(len(got.quarantine)) ||
		run.Records != run.Added+run.Revisions+run.Quarantined+run.Duplicates {
		t.Errorf("counts %+v", run)
	}
	if st := w.sim.Stats(); run.Requests != int64(st.Requests) || run.Records != int64(st.Records) {
		t.Errorf("%d requests and %d records, the service counts %d and %d", run.Requests, run.Records, st.Requests, st.Records)
	}
	if s.Head != fmt.Sprintf("%d:%s", got.snapshot.Version, got.snapshot.Head) || s.Version != got.snapshot.Version {
		t.Errorf("head %s", s.Head)
	}
	w.pagesAreProved(got)
	w.theLedgerCounts(run)

	// Asked for all of it again, it adds nothing.
	again := w.mustRun(func(o *ingest.Options) { o.PageSize, o.Again = 1000, true })
	truth(t, w.dir, w.sim.Expected())
	if again.Run.Added != 0 || again.Run.Quarantined != 0 || again.Run.Revisions != 0 || again.Run.Records != again.Run.Duplicates || again.Run.Records < run.Added {
		t.Errorf("%+v", again)
	}
	if len(got.quarantine) == 0 || len(snapshot(t, w.dir).Seen) != len(got.quarantine) {
		t.Errorf("%d bad records were seen again, of %d", len(snapshot(t, w.dir).Seen), len(got.quarantine))
	}
}

// theLedgerCounts every request and record of a run once, in what it claims.
func (w *world) theLedgerCounts(run store.Run) {
	w.t.Helper()
	var records, requests int64
	for _, e := range entries(w.t, w.dir) {
		for _, r := range e.Coverage {
			if r.RunID == run.RunID {
				records, requests = records+r.Records, requests+r.Requests
			}
		}
	}
	if records > run.Records || requests > run.Requests || run.Outcome == "complete" && (records != run.Records || requests != run.Requests) {
		w.t.Errorf("%d records and %d requests in the rectangles, %d and %d in the run", records, requests, run.Records, run.Requests)
	}
}

// pagesAreProved ties the log's pages to the bodies that were sent, and every
// row to its page and place.
func (w *world) pagesAreProved(got contents) {
	w.t.Helper()
	var pages []store.PageFact
	for _, e := range entries(w.t, w.dir) {
		pages = append(pages, e.Pages...)
	}
	if len(pages) != len(w.bodies) {
		w.t.Fatalf("%d pages in the log, %d were sent", len(pages), len(w.bodies))
	}
	records := map[int32][]string{}
	for i, p := range pages {
		var page ingest.Page
		if err := ingest.ParsePage(w.bodies[i], &page); err != nil {
			w.t.Fatal(err)
		}
		sum := sha256.Sum256(w.bodies[i])
		if p.Page != int64(i+1) || p.SHA256 != hex.EncodeToString(sum[:]) || p.Bytes != int64(len(w.bodies[i])) || p.Records != int64(len(page.Records)) || p.Fetched.IsZero() {
			w.t.Errorf("page %d: %+v", i+1, p)
		}
		records[int32(i+1)] = texts(page.Records)
	}
	for _, r := range slices.Concat(got.activities, got.revisions) {
		if !slices.Contains(records[r.page], r.bytes) {
			w.t.Fatalf("a row is not on its page %d", r.page)
		}
	}
	for _, r := range got.quarantine {
		if page := records[r.page]; int(r.position) >= len(page) || page[r.position] != r.bytes {
			w.t.Fatalf("a bad record is not on page %d at %d", r.page, r.position)
		}
	}
}

func TestPagesAreKeptAsTheyCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	s := w.mustRun(func(o *ingest.Options) { o.KeepPages, o.Until = true, since().AddDate(0, 0, 1) })
	want := map[string]string{}
	for i, body := range w.bodies {
		want[fmt.Sprintf("_pages/%s/%08d.zst", s.Run.RunID, i+1)] = string(body)
	}
	same(t, "kept pages", want, storetest.KeptPages(t, w.dir))
	if len(want) < 2 {
		t.Errorf("%d pages", len(want))
	}
	// Without the flag the log has the hashes and says that nothing was kept.
	w.mustRun(nil)
	same(t, "kept pages", want, storetest.KeptPages(t, w.dir))
}

func TestWhenARunCommits(t *testing.T) {
	t.Parallel()
	oneDay := func(o *ingest.Options) { o.Until = since().AddDate(0, 0, 1) }
	t.Run("at its end, and not at the end of a window", func(t *testing.T) {
		w := newWorld(t, nil)
		s := w.mustRun(func(o *ingest.Options) { o.Until = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) })
		e := entries(t, w.dir)
		if len(e) != 1 || s.Windows != days || e[0].Run.Outcome != "complete" || e[0].Run.Ended.IsZero() {
			t.Errorf("%d commits, %d windows", len(e), s.Windows)
		}
		truth(t, w.dir, w.sim.Expected())
		same(t, "coverage", whole, coverage(t, w.dir))
	})
	t.Run("when the batch is large", func(t *testing.T) {
		w := newWorld(t, nil)
		w.mustRun(func(o *ingest.Options) { oneDay(o); o.SetCommitBytes(1) })
		e := entries(t, w.dir)
		if len(e) != len(w.bodies)+1 || len(e) < 3 {
			t.Errorf("%d commits of %d pages", len(e), len(w.bodies))
		}
		for i, entry := range e {
			if want := map[bool]string{true: "complete", false: "running"}[i == len(e)-1]; entry.Run.Outcome != want || entry.Run.Ended.IsZero() != (want == "running") || len(entry.Cursors) != 0 {
				t.Errorf("commit %d: %+v", i, entry.Run)
			}
		}
		w.commitsClaimWhatTheyHold(e)
		truth(t, w.dir, w.sim.ExpectedBetween(since(), since().AddDate(0, 0, 1)))
	})
	for name, c := range map[string]struct {
		step time.Duration
		want func(pages int) int
	}{
		"when it is a minute old":        {61 * time.Second, func(pages int) int { return pages + 1 }},
		"every second page of 31 s each": {31 * time.Second, func(pages int) int { return pages/2 + 1 }},
		"not before":                     {time.Second, func(int) int { return 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.mustRun(func(o *ingest.Options) {
				oneDay(o)
				show := o.Progress
				o.Progress = func(p ingest.Progress) {
					if show(p); !p.Committed && !p.WindowFinished {
						w.clock.Advance(c.step)
					}
				}
			})
			// The clock moves when a page has been lifted, just before it is looked at.
			if got, want := len(entries(t, w.dir)), c.want(len(w.bodies)); got != want {
				t.Errorf("%d commits of %d pages, want %d", got, len(w.bodies), want)
			}
			w.commitsClaimWhatTheyHold(entries(t, w.dir))
		})
	}
}

// commitsClaimWhatTheyHold: a window that is read in order is claimed as far as
// the last record before the commit's last page, and no two commits claim the
// same.
func (w *world) commitsClaimWhatTheyHold(es []entry) {
	w.t.Helper()
	var until time.Time
	for i, e := range es {
		for _, r := range e.Coverage {
			if r.State != "complete" || !until.IsZero() && !r.Since.Equal(until) {
				w.t.Errorf("commit %d claims %v as %s, the one before ends at %v", i, span{r.Since, r.Until}, r.State, until)
			}
			until = r.Until
		}
		if len(e.Pages) == 0 || i == len(es)-1 {
			continue
		}
		number := e.Pages[len(e.Pages)-1].Page - 1
		if number == 0 {
			if !until.IsZero() {
				w.t.Errorf("commit %d has the first page, and claims up to %v", i, until)
			}
			continue
		}
		var page ingest.Page
		if err := ingest.ParsePage(w.bodies[number-1], &page); err != nil {
			w.t.Fatal(err)
		}
		var row store.Row
		if err := ingest.Lift(page.Records[len(page.Records)-1], &row); err != nil {
			w.t.Fatal(err)
		}
		if last := time.UnixMilli(row.Numbers[store.Timestamp]).UTC(); !until.Equal(last) {
			w.t.Errorf("commit %d claims up to %v, its last record happened at %v", i, until, last)
		}
	}
}

func TestALakeIsOneTenants(t *testing.T) {
	t.Parallel()
	t.Run("by host", func(t *testing.T) {
		w := newWorld(t, nil)
		lake := w.writer()
		a, err := lake.Begin(store.Run{RunID: store.NewRunID(now), Host: "contoso.portal.cloudappsecurity.com"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Commit(t.Context(), store.Commit{Run: a.Run()}); err != nil {
			t.Fatal(err)
		}
		lake.Close()
		s, err := w.run(t.Context(), nil)
		if !errors.Is(err, store.ErrTenant) || w.sim.Stats().Requests != 0 || len(entries(t, w.dir)) != 1 || s.Head != "" {
			t.Errorf("%v after %d requests", err, w.sim.Stats().Requests)
		}
	})
	t.Run("by tenantId", func(t *testing.T) {
		w := newWorld(t, nil)
		w.mustRun(nil)
		sim := w.sim
		w.serve(func(o *simulator.Options) { o.TenantID = 777 })
		s, err := w.run(t.Context(), func(o *ingest.Options) { o.Again = true })
		if !errors.Is(err, store.ErrTenant) || len(entries(t, w.dir)) != 1 || s.Run.Outcome != "failed" || s.Head != "" {
			t.Errorf("%v, %+v", err, s)
		}
		truth(t, w.dir, sim.Expected())
	})
	t.Run("the first record of another ends a new lake's run", func(t *testing.T) {
		w := newWorld(t, func(o *simulator.Options) {
			ms := since().UnixMilli()
			o.Records = [][]byte{
				fmt.Appendf(nil, `{"_id":"a","timestamp":%d,"tenantId":1}`, ms), fmt.Appendf(nil, `{"_id":"b","timestamp":%d,"tenantId":2}`, ms+1),
			}
		})
		if _, err := w.run(t.Context(), nil); !errors.Is(err, store.ErrTenant) {
			t.Error(err)
		}
		if n := len(entries(t, w.dir)); n != 0 {
			t.Errorf("%d commits", n)
		}
	})
}

func TestATenantWithoutRecordsHasCoverage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) { o.Count = -1 })
	s := w.mustRun(func(o *ingest.Options) { o.Until = since().AddDate(0, 0, 1) })
	got := read(t, w.dir)
	// An empty answer is looked at once more.
	if len(entries(t, w.dir)) != 1 || len(got.activities) != 0 || s.Run.Records != 0 || s.Run.Requests != 2 {
		t.Errorf("%+v", s)
	}
	same(t, "coverage", []string{"complete 11-18T00:00..11-19T00:00"}, coverage(t, w.dir))
}

func TestBadRecordsAreQuarantinedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) { o.BadRecords = 0.4 })
	s := w.mustRun(nil)
	got := truth(t, w.dir, w.sim.Expected())
	w.pagesAreProved(got)
	if len(got.quarantine) < 20 || s.Run.Quarantined != int64(len(got.quarantine)) || s.Run.Outcome != "complete" {
		t.Errorf("%d rows, %+v", len(got.quarantine), s.Run)
	}
	again := w.mustRun(func(o *ingest.Options) { o.Again = true })
	if q := read(t, w.dir).quarantine; len(q) != len(got.quarantine) || again.Run.Quarantined != 0 || again.Run.Duplicates != again.Run.Records || again.Run.Records == 0 {
		t.Errorf("%d rows, %+v", len(q), again.Run)
	}
}

func TestDriftIsCountedByColumn(t *testing.T) {
	t.Parallel()
	ms := since().UnixMilli()
	w := newWorld(t, func(o *simulator.Options) {
		o.Records = [][]byte{
			fmt.Appendf(nil, `{"_id":"a","timestamp":%d,"description":{"x":1},"location":{"latitude":"north"}}`, ms),
			fmt.Appendf(nil, `{"_id":"b","timestamp":%d,"description":[]}`, ms+1),
			fmt.Appendf(nil, `{"_id":"c","timestamp":"%d","description":"fine"}`, ms+2),
		}
	})
	s := w.mustRun(nil)
	same(t, "drift", map[string]int64{"description": 2, "latitude": 1}, s.Run.Drift)
	same(t, "drift in the ledger", s.Run.Drift, lastRun(t, w.dir).Drift)
}

func TestWhatCannotBeAskedIsRefusedBeforeAnything(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*ingest.Options){
		"no time":            func(o *ingest.Options) { o.Until = o.Since },
		"less than a ms":     func(o *ingest.Options) { o.Since, o.Until = now.Add(1), now.Add(2) },
		"no beginning":       func(o *ingest.Options) { o.Since = time.Time{} },
		"a filter on dates":  func(o *ingest.Options) { o.Filter = []byte(`{"date":{"gte":1}}`) },
		"services and again": func(o *ingest.Options) { o.Filter, o.Services = []byte(`{"service":{"eq":[1]}}`), []int64{2} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			s, err := w.run(t.Context(), change)
			var option *ingest.OptionError
			if !errors.As(err, &option) || option.Hint() == "" || w.sim.Stats().Requests != 0 {
				t.Errorf("%v after %d requests", err, w.sim.Stats().Requests)
			}
			if _, err := os.Stat(w.dir); err == nil || s.Head != "" {
				t.Error("a lake was made")
			}
		})
	}
}

func TestBoundsBetweenMilliseconds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	from, to := midnight.Add(-500*time.Microsecond), midnight.Add(2*time.Hour+1)
	s := w.mustRun(func(o *ingest.Options) { o.Since, o.Until = from, to })
	if s.Windows != 1 || s.Finished != 1 {
		t.Errorf("%+v", s)
	}
	truth(t, w.dir, w.sim.ExpectedBetween(midnight, midnight.Add(2*time.Hour+time.Millisecond)))
}

func TestProgressGoesForward(t *testing.T) {
	t.Parallel()
	for _, parallel := range []int{1, 4} {
		t.Run(fmt.Sprint(parallel, " windows"), func(t *testing.T) {
			w := newWorld(t, nil)
			w.mustRun(func(o *ingest.Options) { o.Parallel = parallel; o.SetCommitBytes(300_000) })
			done, finished, commits := -1.0, 0, 0
			for _, p := range w.reports {
				if p.Done < done || p.Windows < p.WindowNumber || p.WindowNumber < 1 || p.Run.Records == 0 || p.Requests == 0 || len(p.Reading) > parallel || p.Round != 0 {
					t.Errorf("%+v", p)
				}
				done = p.Done
				if p.WindowFinished {
					finished++
				}
				if p.Committed {
					commits++
				}
			}
			if done != 1 || finished != w.reports[len(w.reports)-1].WindowNumber || commits != len(entries(t, w.dir))-1 {
				t.Errorf("done %v, %d windows, %d commits", done, finished, commits)
			}
		})
	}
}
