package ingest_test

import (
	"fmt"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// What happened more than 30 days ago.

var (
	longAgo = midnight.AddDate(0, 0, -60)
	door    = now.AddDate(0, 0, -30)
)

// old is a service of sixty days, whose main route shows the last thirty.
func old(o *simulator.Options) {
	o.Start, o.Count, o.Door = longAgo, 600, 30*24*time.Hour
}

// doorless knows what is behind the door, too.
func doorless(t *testing.T, change func(*simulator.Options)) *simulator.Simulator {
	t.Helper()
	clock := ingest.NewManualClock(now)
	o := simulator.Options{Seed: 11, End: now, Services: []int64{20893, 11161, 15600}, Clock: clock.Now}
	change(&o)
	o.Door = 0
	sim, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

func TestWhatIsBehindTheDoorIsNotCalledComplete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, old)
	s := w.mustRun(func(o *ingest.Options) { o.Since, o.PageSize = longAgo, 200 })
	if s.Run.Outcome != "complete" {
		t.Errorf("%+v", s)
	}
	truth(t, w.dir, w.sim.Expected())
	same(t, "coverage", []string{"beyond the door 09-21T00:00..10-21T12:00", "complete 10-21T12:00..11-20T12:00"}, coverage(t, w.dir))
	// It is not asked for a second time.
	w.serve(old)
	w.mustRun(func(o *ingest.Options) { o.Since = longAgo })
	for _, a := range w.asked() {
		if a.since.Before(door) {
			t.Errorf("asked for %v", a)
		}
	}
}

func TestTheArchivedRouteReachesBehindTheDoor(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*simulator.Options){
		"few records":                               func(o *simulator.Options) {},
		"revisions and bad records":                 func(o *simulator.Options) { o.Revisions, o.BadRecords = 0.05, 0.05 },
		"more in a millisecond than a page":         func(o *simulator.Options) { o.End, o.Count, o.Pile.Size = door, 1200, 600 },
		"a page in a millisecond, and not one more": func(o *simulator.Options) { o.End, o.Pile.Size = door, 250 },
		"dense": func(o *simulator.Options) { o.Count = 4000 },
		"trouble": func(o *simulator.Options) {
			o.Faults = []simulator.Fault{{Kind: simulator.FaultStatus500, Rate: 0.2}, {Kind: simulator.FaultTwice, Rate: 0.2}, {Kind: simulator.FaultDisorder, Rate: 0.2}}
		},
	} {
		for _, parallel := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, %d windows", name, parallel), func(t *testing.T) {
				t.Parallel()
				service := func(o *simulator.Options) { old(o); change(o) }
				w := newWorld(t, service)
				ask := func(o *ingest.Options) { o.Since, o.Archived, o.PageSize, o.Parallel = longAgo, true, 500, parallel }
				if s := w.mustRun(ask); s.Run.Outcome != "complete" || len(s.Failed) != 0 {
					t.Errorf("%+v", s)
				}
				truth(t, w.dir, doorless(t, service).Expected())
				same(t, "coverage", []string{"complete 09-21T00:00..11-20T12:00"}, coverage(t, w.dir))
				before := stretches(t, w.dir)
				w.serve(service)
				w.mustRun(ask)
				w.asksNothingOf(before)
			})
		}
	}
}

// A tenant without that route has the main one, whichever comes first; the
// ledger says what could not be read.
func TestWithoutAnArchivedRouteTheMainOneIsKept(t *testing.T) {
	t.Parallel()
	for _, order := range []ingest.Order{ingest.NewestFirst, ingest.OldestFirst} {
		t.Run(string(order), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *simulator.Options) { old(o); o.Archive.Closed = true })
			s := w.mustRun(func(o *ingest.Options) {
				o.Since, o.Archived, o.PageSize, o.Order = longAgo, true, 200, order
			})
			if s.Run.Outcome != "partial" || len(s.Failed) == 0 || len(w.warnings) != 1 {
				t.Errorf("%+v, %q", s, w.warnings)
			}
			truth(t, w.dir, w.sim.Expected())
			same(t, "coverage", []string{"failed 09-21T00:00..10-21T12:00", "complete 10-21T12:00..11-20T12:00"}, coverage(t, w.dir))
		})
	}
	t.Run("and nothing else is asked for", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *simulator.Options) { old(o); o.Archive.Closed = true })
		if _, err := w.run(t.Context(), func(o *ingest.Options) { o.Since, o.Until, o.Archived = longAgo, door, true }); err == nil {
			t.Error("nothing could be read, and nothing is said")
		}
	})
}
