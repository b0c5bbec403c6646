package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/store"
)

func at(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC) }

func TestCoverageFoldsRectanglesIntoStretches(t *testing.T) {
	mail := int64(20893)
	rect := func(from, to time.Time, state string, through time.Time) store.Rectangle {
		return store.Rectangle{Since: from, Until: to, State: state, ThroughCreated: through}
	}
	of := func(r store.Rectangle, service *int64) store.Rectangle { r.Service = service; return r }
	behind := func(c time.Time, r store.Rectangle) store.Rectangle { r.SinceCreated = c; return r }
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
		"a tail goes on from a window": {
			[]store.Rectangle{rect(at(1, 0), at(2, 0), "complete", at(2, 1)), behind(at(1, 23), rect(at(1, 0), at(3, 0), "complete", at(4, 0)))}, nil,
			[]store.Stretch{{Since: at(1, 0), Until: at(3, 0), State: "complete", Through: at(4, 0)}},
		},
		"a tail without what was saved before it": {
			[]store.Rectangle{behind(at(2, 0), rect(at(1, 0), at(3, 0), "complete", at(4, 0)))}, nil,
			[]store.Stretch{
				{Since: at(1, 0), Until: at(2, 0).Add(time.Millisecond), State: "partial", Reason: "read only what was saved after 2026-11-02T00:00:00Z"},
				{Since: at(2, 0).Add(time.Millisecond), Until: at(3, 0), State: "complete", Through: at(4, 0)},
			},
		},
		"a tail that stood still for a while": {
			[]store.Rectangle{rect(at(1, 0), at(2, 0), "complete", at(2, 0)), behind(at(1, 23), rect(at(1, 0), at(3, 0), "complete", at(3, 0))), behind(at(4, 0), rect(at(1, 0), at(6, 0), "complete", at(6, 0)))}, nil,
			[]store.Stretch{
				{Since: at(1, 0), Until: at(3, 0), State: "complete", Through: at(3, 0)},
				{Since: at(3, 0), Until: at(4, 0).Add(time.Millisecond), State: "partial", Reason: "read only what was saved after 2026-11-04T00:00:00Z"},
				{Since: at(4, 0).Add(time.Millisecond), Until: at(6, 0), State: "complete", Through: at(6, 0)},
			},
		},
		"read again behind a gap": {
			[]store.Rectangle{
				behind(at(4, 0), rect(at(1, 0), at(2, 0), "complete", at(6, 0))), rect(at(1, 0), at(2, 0), "complete", at(3, 0)), behind(at(3, 0), rect(at(1, 0), at(2, 0), "complete", at(5, 0))),
			}, nil,
			[]store.Stretch{{Since: at(1, 0), Until: at(2, 0), State: "complete", Through: at(6, 0)}},
		},
		"the tail of all services goes on from a window of one": {
			[]store.Rectangle{of(rect(at(1, 0), at(2, 0), "complete", at(3, 0)), &mail), behind(at(3, 0), rect(at(1, 0), at(2, 0), "complete", at(4, 0))), of(behind(at(4, 0), rect(at(1, 0), at(2, 0), "complete", at(5, 0))), &mail)}, &mail,
			[]store.Stretch{{Since: at(1, 0), Until: at(2, 0), State: "complete", Through: at(5, 0)}},
		},
		"saved data says more than the end of a tail": {
			[]store.Rectangle{behind(at(3, 0), rect(at(1, 0), at(2, 0), "complete", at(4, 0))), rect(at(1, 0), at(2, 0), "imported", time.Time{})}, nil,
			[]store.Stretch{{Since: at(1, 0), Until: at(2, 0), State: "imported"}},
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

func TestCoverageOfAFilterCountsWhatWasReadWithIt(t *testing.T) {
	s := &store.Snapshot{Coverage: []store.Rectangle{
		{Since: at(1, 0), Until: at(2, 0), State: "complete", ThroughCreated: at(2, 0)},
		{Since: at(2, 0), Until: at(3, 0), State: "filtered", ThroughCreated: at(3, 0), Filter: "ip eq sha256:1"},
		{Since: at(1, 0), Until: at(3, 0), State: "filtered", SinceCreated: at(2, 0), ThroughCreated: at(4, 0), Filter: "ip eq sha256:1"},
		{Since: at(1, 0), Until: at(3, 0), State: "filtered", SinceCreated: at(4, 0), ThroughCreated: at(5, 0), Filter: "ip eq sha256:2"},
	}}
	for filter, want := range map[string][]store.Stretch{
		"": {
			{Since: at(1, 0), Until: at(2, 0), State: "complete", Through: at(2, 0)},
			{Since: at(2, 0), Until: at(3, 0), State: "filtered"},
		},
		"ip eq sha256:1": {{Since: at(1, 0), Until: at(3, 0), State: "complete", Through: at(4, 0)}},
		"ip eq sha256:2": {
			{Since: at(1, 0), Until: at(2, 0), State: "complete", Through: at(2, 0)},
			{Since: at(2, 0), Until: at(3, 0), State: "partial", Reason: "read only what was saved after 2026-11-04T00:00:00Z"},
		},
		"ip eq sha256:3": {
			{Since: at(1, 0), Until: at(2, 0), State: "complete", Through: at(2, 0)},
			{Since: at(2, 0), Until: at(3, 0), State: "filtered"},
		},
	} {
		if diff := cmp.Diff(want, s.CoverageOfFilter(nil, filter, time.Time{}, time.Time{})); diff != "" {
			t.Errorf("filter %q: -want +got\n%s", filter, diff)
		}
	}
}

func TestHolesNameWhatIsNotComplete(t *testing.T) {
	mail, chat := int64(20893), int64(28375)
	complete := func(service *int64, from, to time.Time) store.Rectangle {
		return store.Rectangle{Since: from, Until: to, State: "complete", Service: service}
	}
	s := &store.Snapshot{Coverage: []store.Rectangle{complete(nil, at(1, 0), at(2, 0)), complete(&mail, at(2, 0), at(3, 0))}}
	want := []store.Hole{{Stretch: store.Stretch{Since: at(2, 0), Until: at(3, 0), State: "never asked"}}}
	if diff := cmp.Diff(want, s.Holes(s.CoverageByService(time.Time{}, time.Time{}))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// Also where only one was asked for in the time that is looked at.
	if diff := cmp.Diff(want, s.Holes(s.CoverageByService(at(2, 0), at(3, 0)))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	s = &store.Snapshot{Coverage: []store.Rectangle{complete(&mail, at(1, 0), at(3, 0)), complete(&chat, at(1, 0), at(2, 0))}}
	coverage := s.CoverageByService(time.Time{}, time.Time{})
	want = []store.Hole{{Service: &chat, Stretch: store.Stretch{Since: at(2, 0), Until: at(3, 0), State: "never asked"}}}
	if diff := cmp.Diff(want, s.Holes(coverage)); diff != "" || !s.OnlyNamed() {
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
