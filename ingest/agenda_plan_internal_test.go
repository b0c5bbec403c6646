package ingest

import (
	"slices"
	"testing"
)

func TestAPlanTellsWhatARunWouldAsk(t *testing.T) {
	late, old := hole("2026-11-10", "2026-11-11"), hole("2026-08-01", "2026-08-02")
	late.why, old.archived = whyLate, true
	a := agendaOf(NewestFirst, "2026-11-10", []int64{450, 1000}, late, hole("2026-11-11", "2026-11-12"), hole("2026-10-01", "2026-10-11"), old)
	a.density.perRecord = 2
	p := a.plan()
	same(t, "windows", []PlannedWindow{
		{Window: Window{Since: at("2026-11-11T12:00:00Z"), Until: at("2026-11-12")}, Why: whyHole, Records: 500, Requests: 6},
		{Window: Window{Since: at("2026-11-11"), Until: at("2026-11-11T12:00:00Z")}, Why: whyHole, Records: 500, Requests: 6},
		{Window: Window{Since: at("2026-11-10"), Until: at("2026-11-11")}, Why: whyLate, Records: 450, Requests: 6},
		{Window: Window{Since: at("2026-10-01"), Until: at("2026-10-11")}, Why: whyHole, Requests: 2}, // behind the door
		{Window: Window{Since: at("2026-08-01"), Until: at("2026-08-02")}, Why: whyHole, Archived: true, Records: 725, Requests: 4},
	}, p.Windows)
	p.Windows = nil
	same(t, "sums", Plan{Requests: 24, Records: 2175, Bytes: 4350, Known: true}, p)
	if len(a.needs) != 4 {
		t.Error("the plan took something off the agenda")
	}
}

func TestAPlanThatNobodyCanJudgeIsTheLeast(t *testing.T) {
	p := agendaOf(NewestFirst, "", nil, hole("2026-11-10", "2026-11-12")).plan()
	same(t, "plan", []any{2, int64(4), int64(0), int64(0), false}, []any{len(p.Windows), p.Requests, p.Records, p.Bytes, p.Known})
	p = agendaOf(NewestFirst, "", nil).plan()
	same(t, "an empty plan", Plan{Known: true}, p)
}

// Windows are made one by one, and the plan lists only the first of them.
func TestManyWindowsAreCountedNotListed(t *testing.T) {
	for name, c := range map[string]struct {
		order Order
		need  need
		want  int
	}{
		"minutes of a month": {NewestFirst, hole("2026-10-21T12:00:00Z", "2026-11-20T12:00:00Z"), 30 * 24 * 60},
		"to the last year":   {NewestFirst, hole("2026-11-20", "9999-12-31"), 12 * 60},
		"the oldest first":   {OldestFirst, hole("2026-11-20", "9999-12-31"), 12 * 60},
		"two thousand years": {NewestFirst, hole("0026-10-20", "2026-10-20"), 730485/30 + 1},
		"and oldest first":   {OldestFirst, hole("0026-10-20", "2026-10-20"), 730485/30 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			a := agendaOf(c.order, "2026-10-01", times(50, 1<<30), c.need)
			first, _ := (&agenda{order: c.order, now: a.now, needs: slices.Clone(a.needs), density: a.density, pageSize: a.pageSize}).next()
			p := a.plan()
			if got := len(p.Windows) + p.More; got != c.want || len(p.Windows) != min(c.want, maxListed) {
				t.Errorf("%d windows, of which %d listed, want %d", got, len(p.Windows), c.want)
			}
			if n := a.count(); n < c.want-1 || n > c.want+1 {
				t.Errorf("%d windows are told to come, want about %d", n, c.want)
			}
			same(t, "the first window", first.window, p.Windows[0].Window)
		})
	}
}
