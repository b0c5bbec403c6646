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
