package ingest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// What the simulator can be told to do otherwise, and is no fault: a service may
// be like that all the time.

func TestEveryKindOfServiceBringsTheWholeTruth(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*simulator.Options){
		"text that is broken":         func(o *simulator.Options) { o.BrokenText = 0.2 },
		"records of their own forms":  func(o *simulator.Options) { o.NativeFeeds, o.Services = true, nil },
		"records of 20 MB":            func(o *simulator.Options) { o.Count, o.Huge, o.HugeBytes = 60, 0.05, 20<<20 },
		"records that are shown late": func(o *simulator.Options) { o.End, o.VisibleLag = now.Add(-2*time.Hour), time.Hour },
		"a connector that brings its past": func(o *simulator.Options) {
			o.Connector = simulator.Connector{Service: 11161, At: now.Add(-2 * time.Hour), Days: 2}
		},
		"a cursor with a range":          func(o *simulator.Options) { o.Cursor.Shape = simulator.ShapeRange },
		"a cursor with a list of ranges": func(o *simulator.Options) { o.Cursor.Shape = simulator.ShapeRangeList },
		"a cursor with days made times":  func(o *simulator.Options) { o.Cursor.Shape = simulator.ShapeResolved },
		"a range, and ties beyond a page": func(o *simulator.Options) {
			o.Cursor.Shape, o.Cursor.StandStill, o.Pile.Size = simulator.ShapeRangeList, true, 120
		},
		"pages smaller than they should be":     func(o *simulator.Options) { o.Paging.ScanCap = 20 },
		"a page size that is just not too much": func(o *simulator.Options) { o.Paging.ScanCap, o.Paging.Refuse = 50, true },
		"no totals":                             func(o *simulator.Options) { o.Paging.NoTotal = true },
		"totals that are wrong":                 func(o *simulator.Options) { o.Paging.WrongTotal = true },
		"filters that are passed over":          func(o *simulator.Options) { o.Paging.IgnoreUnknown = true },
		// Every question has a bound of the date, so it never is an expensive one.
		"no question without a bound": func(o *simulator.Options) { o.Throttle.ExpensivePerMinute = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, change)
			s := w.mustRun(func(o *ingest.Options) { o.Parallel = 3 })
			if s.Run.Outcome != "complete" || len(s.Failed) != 0 || w.sim.Stats().Throttled > 0 {
				t.Errorf("%+v", s)
			}
			truth(t, w.dir, w.sim.Expected())
			same(t, "coverage", whole, coverage(t, w.dir))
		})
	}
}

// Rounds of a tail are by save time; they name dates all the same.
func TestATailAsksNothingExpensive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBubble(t, busy(simulator.Options{Throttle: simulator.Throttle{ExpensivePerMinute: -1}}))
		b.follow(t.Context(), 30, nil)
		b.isWhole()
		if n := b.sim.Stats().Throttled; n > 0 {
			t.Errorf("%d questions were too expensive", n)
		}
	})
}

// A page size that the service refuses ends the run at once, and it says why; a
// smaller one goes on from there.
func TestAPageSizeThatIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) { o.Paging.ScanCap, o.Paging.Refuse = 100, true })
	_, err := w.run(t.Context(), func(o *ingest.Options) { o.PageSize = 101 })
	var refused *ingest.StatusError
	if !errors.As(err, &refused) || refused.Status != 400 || !strings.Contains(hint(err), "--page-size") || len(w.sim.Stats().Log) != 1 {
		t.Errorf("%v, hint %q, %d requests", err, hint(err), len(w.sim.Stats().Log))
	}
	w.mustRun(func(o *ingest.Options) { o.PageSize = 100 })
	truth(t, w.dir, w.sim.Expected())
}

// Where more than 500 is refused, 500 is asked for: so many are documented.
func TestAPageSizeBeyondWhatIsDocumentedIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) { o.Count, o.Paging.ScanCap, o.Paging.Refuse = 2500, 500, true })
	if s := w.mustRun(func(o *ingest.Options) { o.PageSize = 5000 }); s.Run.Outcome != "complete" {
		t.Errorf("%+v", s)
	}
	truth(t, w.dir, w.sim.Expected())
	limits := w.limitsAsked()
	if limits[0] == 500 || slices.ContainsFunc(limits[1:], func(n int) bool { return n != 500 }) {
		t.Errorf("asked for %v", limits)
	}
}

// The ways in which an answer is sent, and what is said with 429, over a network.
func TestEveryWayOfAnsweringIsUnderstood(t *testing.T) {
	t.Parallel()
	base := simulator.Options{Seed: 7, Start: start.AddDate(0, 0, -2), End: start.Add(-time.Hour), Count: 300}
	ways := map[string]func(o *simulator.Options){
		"compressed":           func(o *simulator.Options) { o.Wire.Gzip = true },
		"in chunks":            func(o *simulator.Options) { o.Wire.Chunked = true },
		"in compressed chunks": func(o *simulator.Options) { o.Wire.Gzip, o.Wire.Chunked = true, true },
		"compressed, and it breaks": func(o *simulator.Options) {
			o.Wire.Gzip = true
			for i, kind := range []simulator.FaultKind{simulator.FaultCutJSON, simulator.FaultShortBody, simulator.FaultCutChunked, simulator.FaultCutClosed, simulator.FaultResetBody, simulator.FaultMark} {
				o.Faults = append(o.Faults, simulator.Fault{Kind: kind, Request: 2 + 2*i})
			}
		},
	}
	for _, body := range []simulator.ThrottleBody{simulator.ThrottleDetail, simulator.ThrottleNested, simulator.ThrottleHTML, simulator.ThrottleEmpty, simulator.ThrottleMixed} {
		for _, retry := range []simulator.RetryAfter{simulator.RetryAfterSeconds, simulator.RetryAfterDate, simulator.RetryAfterZero, simulator.RetryAfterAbsurd, simulator.RetryAfterMissing, simulator.RetryAfterMixed} {
			ways[fmt.Sprintf("429 with body %q and Retry-After %q", body, retry)] = func(o *simulator.Options) {
				o.RatePerMinute, o.Throttle = 3, simulator.Throttle{Body: body, RetryAfter: retry}
			}
		}
	}
	for name, change := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := base
			change(&o)
			if missing, _, pages, err := harvest(t, o, 50); err != nil || missing > 0 || pages < 3 {
				t.Errorf("%d missing on %d pages: %v", missing, pages, err)
			}
		})
	}
}

// A filter that the service takes and does not apply: what comes beside what was
// asked for is kept and noticed, and nothing is claimed that is not there.
func TestAFilterThatIsSilentlyIgnored(t *testing.T) {
	t.Parallel()
	t.Run("the service", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *simulator.Options) { o.Paging.Ignore = []string{"service"} })
		s := w.mustRun(func(o *ingest.Options) { o.Services = []int64{20893} })
		if s.OutsideWindow == 0 || len(w.warnings) != 1 || !strings.Contains(w.warnings[0], "did not honour the filter") {
			t.Errorf("%+v, warnings %q", s, w.warnings)
		}
		truth(t, w.dir, w.sim.Expected())
		same(t, "coverage of all", "never asked 11-18T00:00..11-20T12:00", coverage(t, w.dir)[0])
		one := int64(20893)
		same(t, "coverage of the one", whole, states(snapshot(t, w.dir).CoverageOf(&one, time.Time{}, time.Time{})))
	})
	t.Run("the date", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *simulator.Options) { o.Paging.Ignore = []string{"date"} })
		_, err := w.run(t.Context(), func(o *ingest.Options) { o.Since, o.Until = since().AddDate(0, 0, 1), since().AddDate(0, 0, 2) })
		var ignored *ingest.IgnoredFilterError
		if !errors.As(err, &ignored) || hint(err) == "" {
			t.Errorf("%v, warnings %q", err, w.warnings)
		}
		claimsHold(t, w.dir, w.sim)
	})
	t.Run("created, in a tail", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			b := newBubble(t, busy(simulator.Options{Paging: simulator.Paging{Ignore: []string{"created"}}}))
			s := b.follow(t.Context(), 30, nil)
			if s.OutsideWindow == 0 || len(b.warnings) != 1 || !strings.Contains(b.warnings[0], "did not honour the filter") {
				t.Errorf("%+v, warnings %q", s, b.warnings)
			}
			claimsHold(t, b.dir, b.sim)
			b.isWhole()
		})
	})
}

// Archived routes of other kinds than the usual one.
func TestArchivedRoutesOfAllKinds(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*simulator.Archive){
		"ties in a steady order":     func(a *simulator.Archive) { a.Steady = true },
		"a word for scans":           func(a *simulator.Archive) { a.Scan = simulator.ArchiveScanRefused },
		"pages of forty":             func(a *simulator.Archive) { a.Cap = 40 },
		"no end to how far it skips": func(a *simulator.Archive) { a.Reach = -1 },
		"a short reach":              func(a *simulator.Archive) { a.Reach = 500 },
		"a shorter memory":           func(a *simulator.Archive) { a.Span = 45 * 24 * time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := func(o *simulator.Options) { old(o); o.Count, o.Pile.Size = 700, 90; change(&o.Archive) }
			w := newWorld(t, service)
			s := w.mustRun(func(o *ingest.Options) { o.Since, o.Archived, o.PageSize, o.Parallel = longAgo, true, 500, 3 })
			if s.Run.Outcome != "complete" || len(s.Failed) != 0 {
				t.Errorf("%+v", s)
			}
			want := doorless(t, service)
			if name == "a shorter memory" {
				truth(t, w.dir, want.ExpectedBetween(now.AddDate(0, 0, -45), time.Time{}))
				return
			}
			truth(t, w.dir, want.Expected())
			same(t, "coverage", []string{"complete 09-21T00:00..11-20T12:00"}, coverage(t, w.dir))
		})
	}
}
