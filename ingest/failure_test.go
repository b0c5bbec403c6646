package ingest_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// Failures that a run does not get over: what was read is kept, what was not is
// told, and the next run reads that.

// An instant that the service cannot give: the window is divided around it, and
// what still fails stands as failed while the rest goes on.
func TestAWindowThatFailsSpoilsItselfOnly(t *testing.T) {
	t.Parallel()
	bad := since().Add(31 * time.Hour)
	for name, c := range map[string]struct {
		status   int
		parallel int
	}{
		"500":                            {500, 1},
		"500 with windows side by side":  {500, 4},
		"a proxy that does not know how": {504, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.refusing(func(q question) int {
				return map[bool]int{true: c.status}[!q.since.After(bad) && q.until.After(bad)]
			})
			s := w.mustRun(func(o *ingest.Options) { o.Parallel = c.parallel })
			if s.Run.Outcome != "partial" || len(s.Failed) != 1 || lastRun(t, w.dir).Outcome != "partial" {
				t.Fatalf("%+v", s)
			}
			f := s.Failed[0].Window
			if f.Since.After(bad) || !f.Until.After(bad) || f.Until.Sub(f.Since) > 6*time.Hour {
				t.Errorf("%s failed, the instant was %s", f, bad)
			}
			if len(w.warnings) != 1 || !strings.Contains(w.warnings[0], f.String()) {
				t.Errorf("warnings %q", w.warnings)
			}
			before := stretches(t, w.dir)
			same(t, "coverage", []string{
				"complete 11-18T00:00.." + f.Since.Format("01-02T15:04"), "failed " + f.Since.Format("01-02T15:04") + ".." + f.Until.Format("01-02T15:04"),
				"complete " + f.Until.Format("01-02T15:04") + "..11-20T12:00",
			}, coverage(t, w.dir))
			for _, r := range before {
				if (r.Reason != "") != (r.State == "failed") {
					t.Errorf("reason %q", r.Reason)
				}
			}
			claimsHold(t, w.dir, w.sim)
			// Those of the questions that failed for good were asked, too.
			w.theLedgerCounts(s.Run)
			// Mended, only that one is read again.
			w.madeWhole(nil, nil)
		})
	}
}

func TestThreeFailingWindowsEndARun(t *testing.T) {
	t.Parallel()
	for _, parallel := range []int{1, 4} {
		w := newWorld(t, nil)
		w.refusing(func(q question) int { return map[bool]int{true: 500}[q.number > 7] })
		s, err := w.run(t.Context(), func(o *ingest.Options) { o.Parallel = parallel })
		var status *ingest.StatusError
		if !errors.As(err, &status) || status.Status != 500 || !strings.Contains(err.Error(), "3 windows in a row") {
			t.Fatal(err)
		}
		if s.Run.Outcome != "failed" || lastRun(t, w.dir).Outcome != "failed" || s.Head == "" {
			t.Errorf("%+v", s)
		}
		if got := read(t, w.dir); int64(len(got.activities)) != s.Run.Added || s.Run.Added == 0 {
			t.Errorf("%d rows, %+v", len(got.activities), s.Run)
		}
		claimsHold(t, w.dir, w.sim)
		w.theLedgerCounts(s.Run)
		w.madeWhole(nil, nil)
	}
}

func TestARefusalInTheMiddleKeepsWhatWasRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		is     func(error) bool
	}{
		"401": {401, func(err error) bool { return errors.Is(err, ingest.ErrSignInRefused) }},
		"403": {403, func(err error) bool { return errors.Is(err, ingest.ErrSignInRefused) }},
		"404": {404, isStatus(404)},
		// Not of a cursor: of every question.
		"400": {400, isStatus(400)},
	} {
		for _, parallel := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, %d windows", name, parallel), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, nil)
				w.refusing(func(q question) int { return map[bool]int{true: c.status}[q.number > 6] })
				s, err := w.run(t.Context(), func(o *ingest.Options) { o.Parallel = parallel })
				if !c.is(err) || s.Run.Outcome != "failed" || s.Head == "" || hint(err) == "" {
					t.Fatalf("%v, %+v", err, s)
				}
				if got := read(t, w.dir); len(got.activities) < 100 || int64(len(got.activities)) != s.Run.Added {
					t.Errorf("%d rows of %d records", len(got.activities), s.Run.Records)
				}
				claimsHold(t, w.dir, w.sim)
				w.madeWhole(nil, nil)
			})
		}
	}
}

func isStatus(code int) func(error) bool {
	return func(err error) bool {
		var e *ingest.StatusError
		return errors.As(err, &e) && e.Status == code
	}
}

func TestARunWhoseFirstRequestFailsLeavesNoTrace(t *testing.T) {
	t.Parallel()
	fault := func(kind simulator.FaultKind) func(*world) {
		return func(w *world) {
			w.serve(func(o *simulator.Options) { o.Faults = []simulator.Fault{{Kind: kind, Request: 1, Times: -1}} })
		}
	}
	refused := func(err error) bool { return errors.Is(err, ingest.ErrSignInRefused) }
	for name, c := range map[string]struct {
		service func(*world)
		is      func(error) bool
	}{
		"401":            {fault(simulator.FaultStatus401), refused},
		"another token":  {func(w *world) { w.serve(func(o *simulator.Options) { o.Token = "other" }) }, refused},
		"403":            {func(w *world) { w.serve(func(o *simulator.Options) { o.Forbidden = true }) }, refused},
		"500":            {fault(simulator.FaultStatus500), isStatus(500)},
		"a redirect":     {fault(simulator.FaultRedirect), isStatus(302)},
		"HTML":           {fault(simulator.FaultHTML200), func(err error) bool { var e *ingest.MalformedError; return errors.As(err, &e) }},
		"an empty page?": {fault(simulator.FaultNullData), func(err error) bool { var e *ingest.MalformedError; return errors.As(err, &e) }},
		"throttled":      {fault(simulator.FaultStatus429), func(err error) bool { var e *ingest.ThrottledError; return errors.As(err, &e) }},
		"unreachable": {func(w *world) {
			w.bench = client(w.t, "http://127.0.0.1:1", func(o *ingest.ClientOptions) { o.Clock = w.clock })
		}, func(err error) bool { var e *ingest.UnreachableError; return errors.As(err, &e) }},
	} {
		for _, parallel := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, %d windows", name, parallel), func(t *testing.T) {
				w := newWorld(t, nil)
				c.service(w)
				s, err := w.run(t.Context(), func(o *ingest.Options) { o.Parallel = parallel })
				if !c.is(err) || hint(err) == "" {
					t.Errorf("%v (%s)", err, hint(err))
				}
				if s.Run.Outcome != "failed" || s.Head != "" || len(s.Failed) != 0 || s.Run.Ended.IsZero() || s.Windows != 1 {
					t.Errorf("%+v", s)
				}
				if _, err := os.Stat(w.dir); err == nil {
					t.Error("a lake was made")
				}
			})
		}
	}
}
