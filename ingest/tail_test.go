package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// The tail follows save time: at the end of a round the lake has everything that
// the service has, and the ledger says so without a hole.

// busy is a tenant whose records keep coming, most of them minutes late and some
// of them days.
func busy(o simulator.Options) simulator.Options {
	o.Seed, o.Start, o.End = 21, now.AddDate(0, 0, -2), now.AddDate(0, 0, 1)
	if o.Count == 0 {
		o.Count = 300
	}
	return o
}

var busySince = now.AddDate(0, 0, -2)

// follow runs a tail of a new process, of so many minutes with a round every
// five of them.
func (b *bubble) follow(ctx context.Context, minutes int, change func(*ingest.Options)) *ingest.Summary {
	b.t.Helper()
	s, err := b.run(ctx, busySince, func(o *ingest.Options) {
		o.Tail = &ingest.Tail{Every: 5 * time.Minute, For: time.Duration(minutes) * time.Minute}
		if change != nil {
			change(o)
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// isWhole: the lake is the truth of this moment, and complete through the last
// round, which was just now.
func (b *bubble) isWhole() {
	b.t.Helper()
	truth(b.t, b.dir, b.sim.Expected())
	through := time.Now().Add(-2*time.Minute - time.Second) // a Date header has whole seconds
	for _, s := range snapshot(b.t, b.dir).CoverageOf(nil, busySince, through) {
		if s.State != "complete" || s.Through.Before(through) {
			b.t.Errorf("%s %v through %v, the last round was at %v", s.State, span{s.Since, s.Until}, s.Through, time.Now())
		}
	}
}

func TestATailFollowsWhatIsSaved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBubble(t, busy(simulator.Options{Revisions: 0.1, BadRecords: 0.02}))
		began := time.Now()
		s := b.follow(t.Context(), 60, nil)
		if s.Rounds != 13 || s.Run.Outcome != "complete" || time.Since(began) != time.Hour || len(b.warnings) != 0 {
			t.Errorf("after %v: %+v, warnings %q", time.Since(began), s, b.warnings)
		}
		b.isWhole()
		// Each round takes a question and its confirmation.
		if n := b.sim.Stats().Requests; n > 2*s.Windows {
			t.Errorf("%d requests for %d windows", n, s.Windows)
		}
		if added := s.Run.Added + s.Run.Revisions; added < 200 || s.Run.Records > 3*added {
			t.Errorf("%d records for %d that are new", s.Run.Records, added)
		}
	})
}

// lateClock wakes everyone a little late, as a machine does.
type lateClock struct{ ingest.Clock }

func (c lateClock) Sleep(ctx context.Context, d time.Duration) error {
	return c.Clock.Sleep(ctx, d+time.Millisecond)
}

// The round of the last moment comes too late where a clock is not exact; then it
// is no round, and nothing of it is left undone.
func TestATailWhoseLastRoundComesTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBubble(t, busy(simulator.Options{}))
		s := b.follow(t.Context(), 60, func(o *ingest.Options) { o.Clock = lateClock{ingest.SystemClock()} })
		if s.Rounds != 12 || s.Windows != s.Finished || s.Run.Outcome != "complete" {
			t.Errorf("%+v", s)
		}
		claimsHold(t, b.dir, b.sim)
	})
}

func TestATailInTrouble(t *testing.T) {
	for name, kinds := range map[string][]simulator.FaultKind{
		"of paging":  {simulator.FaultOverlap, simulator.FaultDisorder, simulator.FaultTwice, simulator.FaultEmptyPage, simulator.FaultEarlyEnd, simulator.FaultOutside, simulator.FaultStuckCursor},
		"of answers": {simulator.FaultStatus500, simulator.FaultStatus429, simulator.FaultHTML200, simulator.FaultCutJSON, simulator.FaultNullData, simulator.FaultNoCursor},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				o := busy(simulator.Options{Revisions: 0.1})
				for _, kind := range kinds {
					o.Faults = append(o.Faults, simulator.Fault{Kind: kind, Rate: 0.08})
				}
				b := newBubble(t, o)
				s := b.follow(t.Context(), 60, func(o *ingest.Options) { o.PageSize = 40 })
				if s.Rounds != 13 || s.Run.Outcome != "complete" {
					t.Errorf("%+v", s)
				}
				// The last round may have ended a little after it was begun.
				b.serve(busy(simulator.Options{Revisions: 0.1}))
				b.follow(t.Context(), 0, nil)
				b.isWhole()
			})
		})
	}
}

func TestATailWhoseNetworkIsAwayForAWhile(t *testing.T) {
	for name, c := range map[string]struct{ from, until time.Duration }{
		"in the middle":      {17 * time.Minute, 33 * time.Minute},
		"soon after it came": {1 * time.Minute, 20 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBubble(t, busy(simulator.Options{Revisions: 0.1}))
				b.took = time.Second
				time.AfterFunc(c.from, func() { b.setDown(true) })
				time.AfterFunc(c.until, func() { b.setDown(false) })
				s := b.follow(t.Context(), 60, func(o *ingest.Options) { o.PageSize = 8 })
				if s.Rounds < 10 || s.Run.Outcome != "complete" || len(b.warnings) != 1 {
					t.Errorf("%+v, warnings %q", s, b.warnings)
				}
				b.took = 0
				b.follow(t.Context(), 0, nil)
				b.isWhole()
			})
		})
	}
}

// The network goes, and has not come back when the run's time is up.
func TestATailWhoseNetworkStaysAway(t *testing.T) {
	for name, c := range map[string]struct {
		goes    time.Duration
		minutes int
	}{
		"while there is more to read":        {6 * time.Second, 13},
		"while there is nothing but to wait": {3 * time.Minute, 13},
		"at the last moment":                 {10*time.Minute + time.Second, 11},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBubble(t, busy(simulator.Options{}))
				b.took = time.Second
				began := time.Now()
				time.AfterFunc(c.goes, func() { b.setDown(true) })
				s := b.follow(t.Context(), c.minutes, func(o *ingest.Options) { o.PageSize = 8 })
				if took := time.Since(began); took > time.Duration(c.minutes+5)*time.Minute || s.Head == "" || s.Run.Outcome == "complete" || len(b.warnings) != 1 {
					t.Errorf("it took %v: %+v, warnings %q", took, s, b.warnings)
				}
				claimsHold(t, b.dir, b.sim)
				b.setDown(false)
				b.took = 0
				b.follow(t.Context(), 0, nil)
				b.isWhole()
			})
		})
	}
}

func TestATailThatIsToldToStop(t *testing.T) {
	for _, after := range []time.Duration{time.Second, 3 * time.Second, 9 * time.Second, 5*time.Minute + time.Second, 20*time.Minute + 2*time.Second} {
		t.Run(fmt.Sprint("after ", after), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBubble(t, busy(simulator.Options{Revisions: 0.1}))
				b.took = time.Second
				small := func(o *ingest.Options) { o.PageSize = 20; o.SetCommitBytes(100_000) }
				for range 3 {
					ctx, cancel := context.WithTimeout(t.Context(), after)
					s := b.follow(ctx, 60, small)
					cancel()
					want := "interrupted"
					if s.Finished == s.Windows { // in between two rounds
						want = "complete"
					}
					if s.Run.Outcome != want {
						t.Errorf("%+v", s)
					}
					claimsHold(t, b.dir, b.sim)
					time.Sleep(7 * time.Minute)
				}
				b.took = 0
				b.follow(t.Context(), 0, nil)
				claimsHold(t, b.dir, b.sim)
				// What was saved between a window's reading and the beginning of a tail
				// is found when the window is due again.
				for range 9 {
					time.Sleep(23 * time.Hour)
					b.follow(t.Context(), 0, nil)
				}
				b.isWhole()
			})
		})
	}
}

// A tail that was away for days catches up in several windows, and is told to
// stop in the midst of them.
func TestATailThatWasAway(t *testing.T) {
	for _, after := range []time.Duration{0, 2 * time.Second, 5 * time.Second, 9 * time.Second, 14 * time.Second} {
		t.Run(fmt.Sprint("and is stopped after ", after), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBubble(t, busy(simulator.Options{Revisions: 0.1}))
				b.follow(t.Context(), 10, nil)
				b.isWhole()
				time.Sleep(70 * time.Hour)
				b.took = time.Second
				if after > 0 {
					ctx, cancel := context.WithTimeout(t.Context(), after)
					defer cancel()
					b.follow(ctx, 60, func(o *ingest.Options) { o.PageSize = 8; o.SetCommitBytes(50_000) })
					claimsHold(t, b.dir, b.sim)
				}
				b.took = 0
				asked := b.sim.Stats().Requests
				b.follow(t.Context(), 20, nil)
				b.isWhole()
				// It has caught up: a round reaches back no further than others do.
				log := b.sim.Stats().Log
				var f struct{ Created struct{ Gte int64 } }
				if err := json.Unmarshal([]byte(log[len(log)-2].Filters), &f); err != nil {
					t.Fatal(err)
				}
				if back := time.Since(time.UnixMilli(f.Created.Gte)); len(log) < asked+8 || back < 10*time.Minute || back > 20*time.Minute {
					t.Errorf("the last of %d questions reaches back %v", len(log)-asked, back)
				}
			})
		})
	}
}

// A follower's runs follow one another with what the tail knows, whether the last
// one had the time to end its round or not.
func TestATailThatGoesOnInTheNextRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBubble(t, busy(simulator.Options{Revisions: 0.1}))
		b.follow(t.Context(), 10, nil)
		time.Sleep(70 * time.Hour)
		tail := &ingest.Tail{Every: 5 * time.Minute, For: 2 * time.Minute}
		run := func(o *ingest.Options) { o.Tail, o.Parallel = tail, 2 }
		b.took = 30 * time.Second
		if s := b.follow(t.Context(), 0, run); s.Run.Outcome != "interrupted" {
			t.Errorf("all was read in the first run: %+v", s)
		}
		claimsHold(t, b.dir, b.sim)
		b.took, tail.For = time.Second, time.Hour
		for range 3 {
			if s := b.follow(t.Context(), 0, run); s.Run.Outcome != "complete" || s.Rounds != 13 {
				t.Errorf("%+v", s)
			}
		}
		b.took, tail.For = 0, 0
		b.follow(t.Context(), 0, run)
		b.isWhole()
	})
}

// What a run has caught up with is behind the tail, also where all of it is more
// than any run has the time for.
func TestATailThatCatchesUpInSeveralRuns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBubble(t, busy(simulator.Options{Revisions: 0.1}))
		b.follow(t.Context(), 10, nil)
		time.Sleep(70 * time.Hour)
		tail := &ingest.Tail{Every: 5 * time.Minute, For: 2 * time.Minute}
		run := func(o *ingest.Options) { o.Tail, o.Parallel = tail, 1 }
		b.took = 20 * time.Second
		for n := 1; b.follow(t.Context(), 0, run).Run.Outcome != "complete"; n++ {
			if claimsHold(t, b.dir, b.sim); n == 20 {
				t.Fatal("it never catches up")
			}
		}
		b.took = 0
		b.follow(t.Context(), 0, run)
		b.isWhole()
	})
}

// A save time that the service cannot give, whatever is asked, keeps the tail from
// nothing that comes behind it; windows of event time bring what they can.
func TestATailThatCannotReadASaveTime(t *testing.T) {
	for name, before := range map[string]int{"from the first question on": 10, "met on the way": 0} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBubble(t, busy(simulator.Options{}))
				ill := time.Now().Add(15 * time.Minute)
				b.spoils = func(created, _ span) bool {
					return time.Now().After(ill) && !created.since.After(ill) && created.until.After(ill)
				}
				if before > 0 {
					b.follow(t.Context(), before, nil)
					time.Sleep(20 * time.Minute)
				}
				for range 3 {
					b.follow(t.Context(), 60, nil)
					claimsHold(t, b.dir, b.sim)
				}
				truth(t, b.dir, b.sim.Expected())
			})
		})
	}
}

// Where nothing is answered at all, a tail need not wait for its rounds to know.
func TestATailThatIsNotAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBubble(t, busy(simulator.Options{}))
		b.follow(t.Context(), 10, nil)
		before := len(entries(t, b.dir))
		b.serve(busy(simulator.Options{Faults: []simulator.Fault{{Kind: simulator.FaultStatus500, Rate: 1, Times: -1}}}))
		began := time.Now()
		s, err := b.run(t.Context(), busySince, func(o *ingest.Options) { o.Tail = &ingest.Tail{Every: 5 * time.Minute} })
		if took := time.Since(began); !isStatus(500)(err) || s.Run.Outcome != "failed" || took > 5*time.Minute || len(entries(t, b.dir)) != before {
			t.Errorf("after %v: %v, %+v", took, err, s)
		}
	})
}

// What was read long ago is not whole because a tail follows from now on.
func TestATailThatBeginsAfterPlainRuns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBubble(t, busy(simulator.Options{Revisions: 0.1}))
		if _, err := b.run(t.Context(), busySince, nil); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(23 * time.Hour)
			b.follow(t.Context(), 60, func(o *ingest.Options) { o.Tail.Every = 30 * time.Minute })
			claimsHold(t, b.dir, b.sim)
		}
		b.isWhole()
	})
}

func TestRoundsWithoutRecordsShareACommit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := busy(simulator.Options{Count: 200})
		o.Start, o.End = now.AddDate(0, 0, -20), now.AddDate(0, 0, -9) // all has been saved
		b := newBubble(t, o)
		s := b.follow(t.Context(), 180, func(o *ingest.Options) { o.Since = now.AddDate(0, 0, -20) })
		if n := len(entries(t, b.dir)); s.Rounds != 37 || n > 3 {
			t.Errorf("%d commits in %d rounds", n, s.Rounds)
		}
		b.isWhole()
	})
}
