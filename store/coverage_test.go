package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mdcalake/store"
)

func at(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC) }

func TestCoverageFoldsRectanglesIntoStretches(t *testing.T) {
	mail := int64(20893)
	rect := func(from, to time.Time, state string, through time.Time) store.Rectangle {
		return store.Rectangle{Since: from, Until: to, State: state, ThroughCreated: through}
	}
	of := func(r store.Rectangle, service *int64) store.Rectangle { r.Service = service; return r }
	for name, tc := range map[string]struct {
		ledger  []store.Rectangle
		service *int64
		want    []store.Stretch
	}{
		"nothing": {nil, nil, nil},
		"one window": {
			[]store.Rectangle{rect(at(1, 0), at(2, 0), "complete", at(5, 0))}, nil,
			[]store.Stretch{{Since: at(1, 0), Until: at(2, 0), State: "complete", Through: at(5, 0)}},
		},
		"a hole between two": {
			[]store.Rectangle{rect(at(1, 0), at(2, 0), "complete", at(5, 0)), rect(at(3, 0), at(4, 0), "complete", at(5, 0))}, nil,
			[]store.Stretch{
				{Since: at(1, 0), Until: at(2, 0), State: "complete", Through: at(5, 0)},
				{Since: at(2, 0), Until: at(3, 0), State: store.NeverAsked},
				{Since: at(3, 0), Until: at(4, 0), State: "complete", Through: at(5, 0)},
			},
		},
		"read again later, in part": {
			[]store.Rectangle{rect(at(1, 0), at(2, 0), "complete", at(3, 0)), rect(at(1, 12), at(3, 0), "complete", at(9, 0))}, nil,
			[]store.Stretch{
				{Since: at(1, 0), Until: at(1, 12), State: "complete", Through: at(3, 0)},
				{Since: at(1, 12), Until: at(3, 0), State: "complete", Through: at(9, 0)},
			},
		},
		"a failure does not undo what was complete, a later success undoes a failure": {
			[]store.Rectangle{rect(at(1, 0), at(2, 0), "complete", at(3, 0)), rect(at(1, 0), at(3, 0), "failed", at(8, 0)), rect(at(2, 0), at(3, 0), "complete", at(9, 0))}, nil,
			[]store.Stretch{
				{Since: at(1, 0), Until: at(2, 0), State: "complete", Through: at(3, 0)},
				{Since: at(2, 0), Until: at(3, 0), State: "complete", Through: at(9, 0)},
			},
		},
		"what was purged is gone, though it was complete before and is read again": {
			[]store.Rectangle{rect(at(1, 0), at(4, 0), "complete", at(5, 0)), rect(at(2, 0), at(3, 0), "purged", time.Time{}), rect(at(1, 0), at(4, 0), "complete", at(9, 0))}, nil,
			[]store.Stretch{
				{Since: at(1, 0), Until: at(2, 0), State: "complete", Through: at(9, 0)},
				{Since: at(2, 0), Until: at(3, 0), State: "purged"},
				{Since: at(3, 0), Until: at(4, 0), State: "complete", Through: at(9, 0)},
			},
		},
		"a purge of all is one of each service": {
			[]store.Rectangle{of(rect(at(1, 0), at(2, 0), "complete", at(3, 0)), &mail), rect(at(1, 0), at(2, 0), "purged", time.Time{})}, &mail,
			[]store.Stretch{{Since: at(1, 0), Until: at(2, 0), State: "purged"}},
		},
		"of two failures the later one's reason counts": {
			[]store.Rectangle{
				{Since: at(1, 0), Until: at(2, 0), State: "failed", Reason: "first"}, {Since: at(1, 0), Until: at(2, 0), State: "failed", Reason: "second"},
			}, nil,
			[]store.Stretch{{Since: at(1, 0), Until: at(2, 0), State: "failed", Reason: "second"}},
		},
		"filtered is not complete": {
			[]store.Rectangle{rect(at(1, 0), at(2, 0), "filtered", at(3, 0))}, nil,
			[]store.Stretch{{Since: at(1, 0), Until: at(2, 0), State: "filtered"}},
		},
		"one service says nothing of all": {
			[]store.Rectangle{of(rect(at(1, 0), at(2, 0), "complete", at(3, 0)), &mail)}, nil,
			[]store.Stretch{{Since: at(1, 0), Until: at(2, 0), State: store.NeverAsked}},
		},
		"all say something of one": {
			[]store.Rectangle{rect(at(1, 0), at(2, 0), "complete", at(3, 0)), of(rect(at(2, 0), at(3, 0), "complete", at(3, 0)), &mail)}, &mail,
			[]store.Stretch{{Since: at(1, 0), Until: at(3, 0), State: "complete", Through: at(3, 0)}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &store.Snapshot{Coverage: tc.ledger}
			if diff := cmp.Diff(tc.want, s.CoverageOf(tc.service, time.Time{}, time.Time{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// plainly is the coverage of the hour that begins at t, looked at by itself.
func plainly(ledger []store.Rectangle, service int64, t time.Time) store.Stretch {
	order := []string{"never asked", "beyond the door", "failed", "filtered", "partial", "imported", "complete", "purged"}
	best, reached := store.Stretch{State: "never asked"}, time.Time{}
	for _, r := range ledger {
		if r.Since.After(t) || !r.Until.After(t) || r.Service != nil && *r.Service != service {
			continue
		}
		old, new := slices.Index(order, best.State), slices.Index(order, r.State)
		if new < old || new == old && r.ThroughCreated.Before(reached) {
			continue
		}
		best, reached = store.Stretch{State: r.State, Reason: r.Reason}, r.ThroughCreated
		if r.State == "complete" {
			best.Through = r.ThroughCreated
		}
	}
	return best
}

func TestCoverageIsThatOfEachHour(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		services := []int64{1, 2}
		ledger := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) store.Rectangle {
			from := rapid.IntRange(0, 20).Draw(t, "from")
			r := store.Rectangle{
				Since: at(1, from), Until: at(1, from+rapid.IntRange(0, 10).Draw(t, "hours")), ThroughCreated: at(2, rapid.IntRange(0, 3).Draw(t, "through")),
				State: rapid.SampledFrom([]string{"complete", "imported", "partial", "filtered", "failed", "beyond the door", "purged"}).Draw(t, "state"),
			}
			r.Reason = rapid.SampledFrom([]string{"", "x"}).Draw(t, "reason")
			if n := rapid.IntRange(-1, 1).Draw(t, "service"); n >= 0 {
				r.Service = &services[n]
			}
			return r
		}), 0, 12).Draw(t, "ledger")
		s := &store.Snapshot{Coverage: ledger}
		stretches := s.CoverageOf(&services[0], at(1, 0), at(2, 6))
		for hour := range 30 {
			if len(stretches) > 0 && !stretches[0].Until.After(at(1, hour)) {
				stretches = stretches[1:]
			}
			if len(stretches) == 0 || stretches[0].Since.After(at(1, hour)) {
				t.Fatalf("hour %d is missing", hour)
			}
			have, want := stretches[0], plainly(ledger, 1, at(1, hour))
			if have.State != want.State || have.Reason != want.Reason || !have.Through.Equal(want.Through) {
				t.Fatalf("hour %d: %+v, want %+v", hour, have, want)
			}
		}
	})
}

func TestHolesNameWhatIsNotComplete(t *testing.T) {
	mail, chat := int64(20893), int64(28375)
	complete := func(service *int64, from, to time.Time) store.Rectangle {
		return store.Rectangle{Since: from, Until: to, State: "complete", Service: service}
	}
	s := &store.Snapshot{Coverage: []store.Rectangle{complete(nil, at(1, 0), at(2, 0)), complete(&mail, at(2, 0), at(3, 0))}}
	want := []store.Hole{{Stretch: store.Stretch{Since: at(2, 0), Until: at(3, 0), State: "never asked"}}}
	if diff := cmp.Diff(want, store.Holes(s.CoverageByService(time.Time{}, time.Time{}))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	s = &store.Snapshot{Coverage: []store.Rectangle{complete(&mail, at(1, 0), at(3, 0)), complete(&chat, at(1, 0), at(2, 0))}}
	coverage := s.CoverageByService(time.Time{}, time.Time{})
	want = []store.Hole{{Service: &chat, Stretch: store.Stretch{Since: at(2, 0), Until: at(3, 0), State: "never asked"}}}
	if diff := cmp.Diff(want, store.Holes(coverage)); diff != "" || !store.OnlyNamed(coverage) {
		t.Errorf("-want +got\n%s", diff)
	}
}

// A year of a day's windows of 20 services, each read about once and a half,
// and a hundred nested windows over all of it.
func BenchmarkCoverageOfAYear(b *testing.B) {
	services := make([]int64, 20)
	var ledger []store.Rectangle
	for n := range 10_000 {
		services[n%20] = int64(n % 20)
		from := at(1, 0).AddDate(0, 0, n/20%365)
		ledger = append(ledger, store.Rectangle{
			Since: from, Until: from.AddDate(0, 0, 1), State: "complete", Service: &services[n%20], ThroughCreated: from.Add(time.Duration(n) * time.Second),
		})
	}
	for n := range 100 {
		ledger = append(ledger, store.Rectangle{Since: at(1, 0).AddDate(0, 0, n), Until: at(1, 0).AddDate(0, 0, 365-n), State: "filtered"})
	}
	s := &store.Snapshot{Coverage: ledger}
	for b.Loop() {
		if coverage := s.CoverageByService(time.Time{}, time.Time{}); len(coverage) != 21 {
			b.Fatal(len(coverage))
		}
	}
}

// Ten thousand rectangles of one service that all overlap: the worst that a
// ledger can be.
func BenchmarkCoverageOfNestedWindows(b *testing.B) {
	var ledger []store.Rectangle
	for n := range 10_000 {
		ledger = append(ledger, store.Rectangle{Since: at(1, 0).Add(time.Duration(n) * time.Minute), Until: at(28, 0).Add(-time.Duration(n) * time.Minute), State: "complete", ThroughCreated: at(28, 0)})
	}
	s := &store.Snapshot{Coverage: ledger}
	for b.Loop() {
		s.CoverageOf(nil, time.Time{}, time.Time{})
	}
}
