package ingest

import (
	"testing"
	"time"

	"mdcalake/store"
)

// A rectangle begins behind its SinceCreated and reaches to its ThroughCreated:
// what two windows of save time claim one after the other leaves no gap.
func TestWindowsOfSaveTimeJoinInTheLedger(t *testing.T) {
	asked := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	at := asked.Add(-12 * time.Hour)
	part := func(since, until time.Time) store.Rectangle {
		w := Window{Since: asked.AddDate(0, 0, -10), SortField: SortCreated, CreatedSince: since, CreatedUntil: until}
		rs := claim{window: w, asked: asked, runID: "r"}.rectangles()
		if len(rs) != 1 || rs[0].State != StateComplete {
			t.Fatalf("%+v", rs)
		}
		return rs[0]
	}
	first, second, open := part(at, at.Add(time.Hour)), part(at.Add(time.Hour), at.Add(2*time.Hour)), part(at.Add(2*time.Hour), time.Time{})
	if !first.SinceCreated.Before(at) || first.ThroughCreated.Before(second.SinceCreated) || second.ThroughCreated.Before(open.SinceCreated) {
		t.Errorf("saved %v..%v, %v..%v, %v..", first.SinceCreated, first.ThroughCreated, second.SinceCreated, second.ThroughCreated, open.SinceCreated)
	}
	// What happens in the last millisecond that was read is saved in it, or later.
	if !second.Since.Before(first.Until) || first.ThroughCreated.Add(time.Millisecond).After(first.Until) || !first.Until.Equal(at.Add(time.Hour)) {
		t.Errorf("events up to %v, read through %v", first.Until, first.ThroughCreated)
	}
	if want := asked.Add(-savedMargin); !open.ThroughCreated.Equal(want) || !first.ThroughCreated.Before(at.Add(time.Hour)) {
		t.Errorf("complete through %v and %v", first.ThroughCreated, open.ThroughCreated)
	}
}

func TestAMillisecondOfSaveTimeThatFailedIsInTheLedger(t *testing.T) {
	asked := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	at := asked.Add(-12 * time.Hour)
	w := Window{Since: at, Until: at.Add(time.Millisecond), SortField: SortCreated, CreatedSince: at.Add(time.Minute), CreatedUntil: at.Add(time.Minute + time.Millisecond)}
	rs := claim{window: w, asked: asked, runID: "r", failure: "full"}.rectangles()
	if len(rs) != 1 || rs[0].State != StateFailed || !rs[0].Since.Equal(at) || !rs[0].Until.Equal(w.Until) || rs[0].Reason != "full" {
		t.Errorf("%+v", rs)
	}
	if rs := (claim{window: w, asked: asked, runID: "r"}).rectangles(); len(rs) != 1 {
		t.Errorf("read, it says %+v", rs)
	}
}
