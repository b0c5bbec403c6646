package ingest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// Two clocks may differ: what is claimed goes by the earlier one, whichever of
// them is right.

func TestTheEarlierClockCountsForClaims(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		skew  time.Duration
		until time.Time
		want  []string
		asked time.Time // by the earlier clock
		warns bool
	}{
		"the server is days behind":     {-60 * time.Hour, now, []string{"complete 11-17T00:00..11-18T00:00"}, now.Add(-60 * time.Hour), true},
		"an hour behind":                {-time.Hour, now.Add(24 * time.Hour), []string{"complete 11-17T00:00..11-20T11:00"}, now.Add(-time.Hour), true},
		"an hour ahead":                 {time.Hour, now.Add(24 * time.Hour), []string{"complete 11-17T00:00..11-20T12:00"}, now, true},
		"two days ahead":                {48 * time.Hour, now.Add(72 * time.Hour), []string{"complete 11-17T00:00..11-20T12:00"}, now, true},
		"a little ahead":                {2 * time.Minute, now.Add(time.Hour), []string{"complete 11-17T00:00..11-20T12:00"}, now, false},
		"right, and an end in the past": {0, now.Add(-48 * time.Hour), []string{"complete 11-17T00:00..11-18T12:00"}, now, false},
	} {
		for whose, change := range map[string]func(o *simulator.Options, clock *ingest.ManualClock){
			"its header is wrong": func(o *simulator.Options, _ *ingest.ManualClock) { o.DateSkew = c.skew },
			"ours is wrong": func(o *simulator.Options, clock *ingest.ManualClock) {
				o.Clock = func() time.Time { return clock.Now().Add(c.skew) }
			},
		} {
			t.Run(name+", "+whose, func(t *testing.T) {
				w := newWorld(t, nil)
				serve := func() {
					w.serve(func(o *simulator.Options) {
						o.Start, o.End, o.Count = midnight.AddDate(0, 0, -6), now.AddDate(0, 0, 4), 300
						change(o, w.clock)
					})
				}
				serve()
				s := w.mustRun(func(o *ingest.Options) { o.Since, o.Until = midnight.AddDate(0, 0, -3), c.until })
				same(t, "coverage", c.want, coverage(t, w.dir))
				for _, s := range stretches(t, w.dir) {
					if !s.Through.Equal(c.asked.Add(-2 * time.Minute)) {
						t.Errorf("complete through %v, it was asked at %v", s.Through, c.asked)
					}
				}
				if run := lastRun(t, w.dir); s.Finished != s.Windows || run.ClockOffsetMS == nil || *run.ClockOffsetMS != c.skew.Milliseconds() {
					t.Errorf("%+v, offset %v", s, run.ClockOffsetMS)
				}
				if c.warns != (len(w.warnings) == 1) || c.warns && !strings.Contains(w.warnings[0], "clock") {
					t.Errorf("warnings %q", w.warnings)
				}
				// What is saved later does not belie it.
				w.clock.Advance(12 * 24 * time.Hour)
				claimsHold(t, w.dir, w.sim)
			})
		}
	}
}

func TestARunAheadOfTheServersClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	s := w.mustRun(func(o *ingest.Options) { o.Since, o.Until = midnight.AddDate(0, 0, 1), midnight.AddDate(0, 0, 9) })
	if !s.FutureOfServer || s.Run.Outcome != "complete" || s.Windows != 1 || len(snapshot(t, w.dir).Coverage) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAServiceWithoutADateHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.hook = func(_ int, rw http.ResponseWriter) { rw.Header()["Date"] = nil }
	s := w.mustRun(nil)
	if len(w.warnings) != 1 || !strings.Contains(w.warnings[0], "Date header") || s.Run.ClockOffsetMS != nil {
		t.Errorf("warnings %q, offset %v", w.warnings, s.Run.ClockOffsetMS)
	}
	truth(t, w.dir, w.sim.Expected())
	same(t, "coverage", whole, coverage(t, w.dir))
	for _, e := range entries(t, w.dir) {
		for _, p := range e.Pages {
			if !p.Fetched.IsZero() {
				t.Errorf("fetched %v by a clock that is not the server's", p.Fetched)
			}
		}
	}
}

// An answer without a Date header is of the clock that the others told of.
func TestAnAnswerWithoutADateHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.serve(func(o *simulator.Options) {
		o.End, o.Count = now.AddDate(0, 0, 1), 1000
		o.Clock = func() time.Time { return w.clock.Now().Add(-3 * time.Hour) }
	})
	w.hook = func(n int, rw http.ResponseWriter) {
		if n > 1 {
			rw.Header()["Date"] = nil
		}
	}
	w.mustRun(nil)
	w.clock.Advance(24 * time.Hour)
	claimsHold(t, w.dir, w.sim)
}
