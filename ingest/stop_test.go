package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
	"mdcalake/store"
)

// interrupted is a world whose first run was told to stop in the second window,
// when the second page of it had come.
func interrupted(t *testing.T, change func(*simulator.Options)) (w *world, s *ingest.Summary) {
	t.Helper()
	w = newWorld(t, change)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := w.run(ctx, func(o *ingest.Options) {
		show, pages := o.Progress, 0
		o.Progress = func(p ingest.Progress) {
			if show(p); p.WindowNumber == 2 && !p.WindowFinished {
				if pages++; pages == 2 {
					cancel()
				}
			}
		}
	})
	if !errors.Is(err, context.Canceled) || s.Run.Outcome != "interrupted" {
		t.Fatalf("%v, %+v", err, s.Run)
	}
	return w, s
}

func TestARunThatWasInterruptedGoesOnFromTheLedger(t *testing.T) {
	t.Parallel()
	w, s := interrupted(t, nil)
	before := stretches(t, w.dir)
	if e := entries(t, w.dir); len(e) != 1 || s.Finished != 1 {
		t.Fatalf("%d commits, %d windows", len(e), s.Finished)
	}
	same(t, "stretches", 1, len(before))
	if c := before[0]; c.State != "complete" || !c.Since.Equal(since()) || !c.Until.After(since().AddDate(0, 0, 1)) || !c.Until.Before(since().AddDate(0, 0, 2)) {
		t.Errorf("%+v", c)
	}
	if got := lastRun(t, w.dir); got.Outcome != "interrupted" || !got.Ended.Equal(now) || got.Records == 0 {
		t.Errorf("%+v", got)
	}
	if rows := read(t, w.dir).activities; int64(len(rows)) != s.Run.Added || s.Run.Added != s.Run.Records-s.Run.Duplicates {
		t.Errorf("%d rows, %+v", len(rows), s.Run)
	}

	w.serve(nil)
	next := w.mustRun(nil)
	truth(t, w.dir, w.sim.Expected())
	w.asksNothingOf(before)
	if asked := w.asked(); !asked[0].since.Equal(before[0].Until) {
		t.Errorf("asked first for %v, it was read up to %v", asked[0], before[0].Until)
	}
	if next.Run.Requests != int64(w.sim.Stats().Requests) || next.Finished != next.Windows {
		t.Errorf("%+v", next)
	}
	same(t, "coverage", whole, coverage(t, w.dir))
}

// What was read counts as read however much later the next run comes; what has
// come late meanwhile is due by its age.
func TestAnInterruptedRunIsGoneOnWithDaysLater(t *testing.T) {
	t.Parallel()
	w, _ := interrupted(t, nil)
	before := stretches(t, w.dir)
	w.clock.Advance(5 * 24 * time.Hour)
	w.serve(nil)
	w.mustRun(nil)
	if asked := w.asked(); !asked[0].since.Equal(before[0].Until) {
		t.Errorf("asked first for %v, it was read up to %v", asked[0], before[0].Until)
	}
	same(t, "coverage", []string{"complete 11-18T00:00..11-21T00:00"}, coverage(t, w.dir))
	w.clock.Advance(5 * 24 * time.Hour)
	w.mustRun(nil)
	truth(t, w.dir, w.sim.Expected())
}

func TestAStopBehindTheLastWindowStopsNothing(t *testing.T) {
	t.Parallel()
	for _, parallel := range []int{1, 4} {
		w := newWorld(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		finished := 0
		s, err := w.run(ctx, func(o *ingest.Options) {
			o.Parallel = parallel
			o.Progress = func(p ingest.Progress) {
				if p.WindowFinished {
					finished++
				}
				if p.WindowFinished && finished == p.Windows {
					cancel()
				}
			}
		})
		if err != nil || s.Run.Outcome != "complete" || ctx.Err() == nil {
			t.Fatalf("%v, %+v", err, s.Run)
		}
		truth(t, w.dir, w.sim.Expected())
		same(t, "coverage", whole, coverage(t, w.dir))
	}
}

func TestAStopBeforeAnythingCameLeavesNoTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := w.run(ctx, nil)
	if !errors.Is(err, context.Canceled) || s.Run.Outcome != "interrupted" || s.Head != "" {
		t.Errorf("%v, %+v", err, s.Run)
	}
	if _, err := os.Stat(w.dir); err == nil {
		t.Error("a lake was made")
	}
}

// Wherever a run is told to stop, the ledger claims what is there, and the next
// run makes it whole without asking for what is complete.
func TestAStopAtAnyPage(t *testing.T) {
	t.Parallel()
	revised := func(o *simulator.Options) { o.Revisions = 0.05 }
	for _, c := range []struct {
		parallel int
		order    ingest.Order
		pages    []int
	}{
		{1, ingest.OldestFirst, []int{1, 4, 6, 9, 13}},
		{4, ingest.OldestFirst, []int{1, 3, 5, 8, 11, 14}},
		{4, ingest.NewestFirst, []int{2, 4, 6, 9, 12}},
	} {
		for _, n := range c.pages {
			t.Run(fmt.Sprintf("page %d of %d windows, %s first", n, c.parallel, c.order), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, revised)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				small := func(o *ingest.Options) {
					o.Parallel, o.Order = c.parallel, c.order
					o.SetCommitBytes(300_000)
				}
				pages := 0
				s, err := w.run(ctx, func(o *ingest.Options) {
					small(o)
					o.Progress = func(p ingest.Progress) {
						if !p.WindowFinished && !p.Committed {
							pages++
						}
						if pages == n {
							cancel()
						}
					}
				})
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				if (err == nil) != (s.Run.Outcome == "complete") || err != nil && s.Run.Outcome != "interrupted" {
					t.Errorf("%v, %s", err, s.Run.Outcome)
				}
				if got := read(t, w.dir); int64(len(got.activities)+len(got.revisions)) != s.Run.Records-s.Run.Duplicates {
					t.Errorf("what was read is not all there: %+v", s.Run)
				}
				claimsHold(t, w.dir, w.sim)
				w.madeWhole(revised, small)
			})
		}
	}
}

// madeWhole reads what is missing from the same service, and nothing else.
func (w *world) madeWhole(service func(*simulator.Options), change func(*ingest.Options)) {
	w.t.Helper()
	var before []store.Stretch
	if len(entries(w.t, w.dir)) > 0 {
		before = stretches(w.t, w.dir)
	}
	w.serve(service)
	if s := w.mustRun(change); s.Run.Outcome != "complete" {
		w.t.Errorf("%+v", s)
	}
	truth(w.t, w.dir, w.sim.Expected())
	w.asksNothingOf(before)
	same(w.t, "coverage", whole, coverage(w.t, w.dir))
}

// Wherever the disk dies, what was committed stays, the ledger claims no more
// than that, and the next run makes it whole; no summary calls such a run
// complete.
func TestADiskThatDies(t *testing.T) {
	t.Parallel()
	few := func(o *simulator.Options) { o.Count, o.Services = 60, []int64{20893} }
	for _, parallel := range []int{1, 4} {
		small := func(o *ingest.Options) {
			o.PageSize, o.Parallel = 10, parallel
			o.SetCommitBytes(60_000)
		}
		t.Run(fmt.Sprint(parallel, " windows at a time"), func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n += 17 {
				if n > 2000 {
					t.Fatal("the run never ends")
				}
				w := newWorld(t, few)
				w.disk.StopAt(n)
				s, err := w.run(t.Context(), small)
				died := w.disk.Broke()
				if died == (err == nil) || died != (s.Run.Outcome == "failed") {
					t.Errorf("step %d: %v, %s", n, err, s.Run.Outcome)
				}
				w.disk.Mend()
				if e := entries(t, w.dir); s.Head != "" && !strings.HasPrefix(s.Head, fmt.Sprint(len(e)-1, ":")) {
					t.Errorf("step %d: head %s after %d commits", n, s.Head, len(e))
				}
				claimsHold(t, w.dir, w.sim)
				w.madeWhole(few, small)
				if !died {
					return
				}
			}
		})
	}
}
