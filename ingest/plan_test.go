package ingest_test

import (
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/store"
)

func TestTheLastCompletePoint(t *testing.T) {
	five, seven := int64(5), int64(7)
	noon := start
	late := noon.AddDate(0, 0, 10)
	complete := func(until time.Time, service *int64) store.Rectangle {
		return store.Rectangle{Since: until.AddDate(0, 0, -1), Until: until, State: ingest.StateComplete, ThroughCreated: late, Service: service}
	}
	state := func(r store.Rectangle, s string) store.Rectangle { r.State = s; return r }
	through := func(r store.Rectangle, at time.Time) store.Rectangle { r.ThroughCreated = at; return r }
	next := noon.AddDate(0, 0, 1)
	for name, c := range map[string]struct {
		coverage []store.Rectangle
		services []int64
		want     time.Time
	}{
		"nothing":                 {},
		"one":                     {coverage: []store.Rectangle{complete(noon, nil)}, want: noon},
		"the latest":              {coverage: []store.Rectangle{complete(next, nil), complete(noon, nil)}, want: next},
		"other states do not do":  {coverage: []store.Rectangle{complete(noon, nil), state(complete(next, nil), ingest.StateFailed), state(complete(next, nil), ingest.StateFiltered), state(complete(next, nil), ingest.StateImported), state(complete(next, nil), ingest.StateBeyondDoor)}, want: noon},
		"one service is not all":  {coverage: []store.Rectangle{complete(noon, nil), complete(next, &five)}, want: noon},
		"all have every service":  {coverage: []store.Rectangle{complete(noon, nil)}, services: []int64{5}, want: noon},
		"a service's own":         {coverage: []store.Rectangle{complete(noon, nil), complete(next, &five)}, services: []int64{5}, want: next},
		"what all services have":  {coverage: []store.Rectangle{complete(noon, &seven), complete(next, &five)}, services: []int64{5, 7}, want: noon},
		"a service without any":   {coverage: []store.Rectangle{complete(next, &five)}, services: []int64{5, 7}},
		"the first without any":   {coverage: []store.Rectangle{complete(next, &five)}, services: []int64{7, 5}},
		"not seen to be complete": {coverage: []store.Rectangle{through(complete(next, nil), next.Add(-2*time.Minute))}, want: next.Add(-2 * time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ingest.LastComplete(c.coverage, c.services); !got.Equal(c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestAnIngestThatIsToldNoBeginningBeginsWhereRecordsMayBeMissing(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC) }
	rect := func(from, to int, state string) store.Rectangle {
		return store.Rectangle{Since: at(from), Until: at(to), State: state, ThroughCreated: at(20)}
	}
	mail := int64(20893)
	for name, c := range map[string]struct {
		ledger   []store.Rectangle
		services []int64
		want     time.Time
	}{
		"a new lake: a week":                           {nil, nil, at(13)},
		"late records: a day again":                    {[]store.Rectangle{rect(1, 18, "complete")}, nil, at(17)},
		"a failed window, though later ones are whole": {[]store.Rectangle{rect(1, 10, "complete"), rect(10, 11, "failed"), rect(11, 18, "complete")}, nil, at(10)},
		"failed once, and whole since":                 {[]store.Rectangle{rect(10, 11, "failed"), rect(1, 18, "complete")}, nil, at(17)},
		"a failure beyond the door is past help":       {[]store.Rectangle{{Since: at(-20), Until: at(-19), State: "failed"}, rect(1, 18, "complete")}, nil, at(17)},
		"another service":                              {[]store.Rectangle{{Since: at(1), Until: at(18), State: "complete", ThroughCreated: at(20), Service: &mail}}, []int64{15600}, at(13)},
		"all services say something of one":            {[]store.Rectangle{rect(1, 18, "complete")}, []int64{mail}, at(17)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ingest.DefaultSince(&store.Snapshot{Coverage: c.ledger}, c.services, at(20)); !got.Equal(c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
