package ingest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// What has been read is not asked for again, and what is due again is.

func TestASecondRunAsksOnlyForWhatIsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.mustRun(nil)
	before := stretches(t, w.dir)
	w.serve(nil)
	s := w.mustRun(nil)
	w.asksNothingOf(before)
	// What may have become visible since: the last two minutes, and no more.
	if s.Windows != 1 || s.Run.Added != 0 || s.Run.Requests != 2 {
		t.Errorf("%+v", s)
	}
	truth(t, w.dir, w.sim.Expected())

	w.serve(nil)
	commits := len(entries(t, w.dir))
	s = w.mustRun(func(o *ingest.Options) { o.Until = now.Add(-2 * time.Minute) })
	if !s.NothingToDo || s.Windows != 0 || s.Head != "" || w.sim.Stats().Requests != 0 || len(entries(t, w.dir)) != commits {
		t.Errorf("with nothing left to do: %+v", s)
	}
	s = w.mustRun(func(o *ingest.Options) { o.Until, o.Again = now.Add(-2*time.Minute), true })
	if s.NothingToDo || s.Run.Added != 0 || s.Run.Duplicates != s.Run.Records || s.Run.Records < w.count(since(), now.Add(-2*time.Minute)) {
		t.Errorf("asked all the same: %+v", s)
	}
}

// Runs of six hours' distance: nothing is missing that is old enough, and
// nothing is read more often than is of use.
func TestLaterRunsFindWhatCameLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) {
		o.End, o.Count, o.Revisions = now.AddDate(0, 0, 2), 300, 0.1
	})
	late := 0
	for i := range 10 * 4 {
		s := w.mustRun(func(o *ingest.Options) { o.Until, o.PageSize = time.Time{}, 200 })
		if s.Run.Outcome != "complete" && !s.NothingToDo {
			t.Fatalf("%+v", s)
		}
		late += int(s.Run.Added)
		if i%5 == 0 {
			claimsHold(t, w.dir, w.sim)
		}
		w.clock.Advance(6 * time.Hour)
	}
	got := truth(t, w.dir, w.sim.Expected())
	if first := len(got.activities); late != first {
		t.Errorf("%d of %d records were added", late, first)
	}

	// The first reading, that of the minutes that were too fresh then, and those
	// at 1 h, 24 h and 7 d.
	most := 0
	for _, at := range got.snapshot.Coverage {
		n := 0
		for _, r := range got.snapshot.Coverage {
			if r.State == "complete" && !r.Since.After(at.Since) && r.Until.After(at.Since) {
				n++
			}
		}
		most = max(most, n)
	}
	if most < 4 || most > 5 {
		t.Errorf("an event time was read %d times", most)
	}
}

func TestWhatIsDueAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC) }
	fresh := at(19, 12).Add(-2 * time.Minute) // what was younger than a day in the first reading
	for _, c := range []struct {
		when time.Time
		want []span
	}{
		{at(20, 12), []span{{at(18, 0), at(19, 12)}}},
		{at(20, 12), nil},
		{at(20, 14), []span{{fresh, at(19, 12)}}}, // it is a day old
		{at(20, 20), nil},
		{at(25, 15), nil},
		{at(26, 15), []span{{at(18, 0), at(19, 0)}}}, // all of that day is a week old
		{at(26, 20), nil},
		{at(27, 15), []span{{at(19, 0), at(19, 12)}}},
		{at(27, 15), nil},
		{at(27, 15).AddDate(1, 0, 0), nil},
	} {
		w.clock.Advance(c.when.Sub(w.clock.Now()))
		w.serve(nil)
		s := w.mustRun(func(o *ingest.Options) { o.Until = at(19, 12) })
		if s.NothingToDo != (c.want == nil) {
			t.Errorf("%v: %+v", c.when, s)
		}
		got := w.asked()
		slices.SortFunc(got, func(a, b span) int { return a.since.Compare(b.since) })
		var joined []span
		for _, a := range got {
			if n := len(joined); n > 0 && !a.since.After(joined[n-1].until) {
				joined[n-1].until = time.UnixMilli(max(joined[n-1].until.UnixMilli(), a.until.UnixMilli())).UTC()
				continue
			}
			joined = append(joined, a)
		}
		same(t, "asked at "+c.when.String(), fmt.Sprint(c.want), fmt.Sprint(joined))
	}
	truth(t, w.dir, w.sim.ExpectedBetween(at(18, 0), at(19, 12)))
}
