package ingest_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// However many windows are read side by side, and whatever goes wrong meanwhile,
// the lake is the truth, and the ledger says so.
func TestWindowsSideBySideBringTheWholeTruth(t *testing.T) {
	t.Parallel()
	var faults []simulator.Fault
	for _, kind := range []simulator.FaultKind{
		simulator.FaultStatus429, simulator.FaultStatus500, simulator.FaultStatus503, simulator.FaultHTML200, simulator.FaultCutJSON, simulator.FaultNoCursor, simulator.FaultNullData,
		simulator.FaultEmptyPage, simulator.FaultTwice, simulator.FaultStuckCursor, simulator.FaultEarlyEnd, simulator.FaultOverlap, simulator.FaultDisorder, simulator.FaultOutside, simulator.FaultWrongTotal,
	} {
		faults = append(faults, simulator.Fault{Kind: kind, Rate: 0.03})
	}
	for _, parallel := range []int{1, 4, 16} {
		for name, c := range map[string]struct {
			faults []simulator.Fault
			order  ingest.Order
			commit int64
		}{
			"without a fault, newest first": {nil, ingest.NewestFirst, 1 << 30},
			"with faults, newest first":     {faults, ingest.NewestFirst, 1_000_000},
			"with faults, oldest first":     {faults, ingest.OldestFirst, 300_000},
		} {
			t.Run(fmt.Sprintf("%d windows, %s", parallel, name), func(t *testing.T) {
				t.Parallel()
				service := func(o *simulator.Options) {
					o.Start, o.Count, o.Revisions, o.BadRecords = since().AddDate(0, 0, -17), 1200, 0.05, 0.03
					o.Faults = c.faults
				}
				w := newWorld(t, service)
				s := w.mustRun(func(o *ingest.Options) {
					o.Since, o.Parallel, o.Order = since().AddDate(0, 0, -17), parallel, c.order
					o.SetCommitBytes(c.commit)
				})
				truth(t, w.dir, w.sim.Expected())
				same(t, "coverage", []string{"complete 11-01T00:00..11-20T12:00"}, coverage(t, w.dir))
				if s.Run.Outcome != "complete" || len(s.Failed) != 0 || s.Finished == 0 {
					t.Errorf("%+v", s)
				}
				if commits := len(entries(t, w.dir)); (commits == 1) != (c.commit == 1<<30) {
					t.Errorf("%d commits", commits)
				}
				if c.faults != nil {
					return
				}
				pages := (int(s.Run.Records-s.Run.Duplicates) + 49) / 50
				if n := w.sim.Stats().Requests; n > pages*105/100+2*s.Windows {
					t.Errorf("%d requests for %d pages and %d windows", n, pages, s.Windows)
				}
			})
		}
	}
}

// firsts are the beginnings of the windows, in the order of their first question.
func (w *world) firsts() (days []string) {
	for _, a := range w.asked() {
		if day := a.since.Format(time.DateOnly); a.since.Equal(a.since.Truncate(24*time.Hour)) && !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	return days
}

func TestTheNewestWindowsComeFirst(t *testing.T) {
	t.Parallel()
	for order, first := range map[ingest.Order]string{"": "2026-11-20", ingest.NewestFirst: "2026-11-20", ingest.OldestFirst: "2026-11-18"} {
		w := newWorld(t, nil)
		w.mustRun(func(o *ingest.Options) { o.Order = order })
		days := w.firsts()
		inOrder := slices.Clone(days)
		slices.Sort(inOrder)
		if order != ingest.OldestFirst {
			slices.Reverse(inOrder)
		}
		if len(days) < 2 || days[0] != first || !slices.Equal(days, inOrder) {
			t.Errorf("order %q: %v", order, days)
		}
		truth(t, w.dir, w.sim.Expected())
	}
}

// Where the door is shut, one knock is enough; then as many windows are under
// way as were asked for.
func TestTheFirstPageComesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) { o.Start, o.Count = since().AddDate(0, 0, -17), 1200 })
	var mu sync.Mutex
	under, most, answered := 0, 0, 0
	gate := make(chan struct{})
	w.serveBy(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		under++
		most = max(most, under)
		if answered == 0 && under > 1 {
			t.Error("two questions before the first answer")
		}
		wait := answered > 0 && most < 3
		if !wait && answered > 0 {
			select {
			case <-gate:
			default:
				close(gate)
			}
		}
		mu.Unlock()
		if wait {
			<-gate // until three are here
		}
		w.sim.ServeHTTP(rw, r)
		mu.Lock()
		under--
		answered++
		mu.Unlock()
	}))
	w.mustRun(func(o *ingest.Options) { o.Since, o.Parallel = since().AddDate(0, 0, -17), 3 })
	if most < 3 {
		t.Errorf("%d questions at a time", most)
	}
	truth(t, w.dir, w.sim.Expected())
}
