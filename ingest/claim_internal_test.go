package ingest

import (
	"testing"
	"time"

	"mdcalake/store"
)

func TestWhatAClaimSaysInTheLedger(t *testing.T) {
	const (
		asked = "2026-11-20T12:00:00Z"
		door  = "2026-10-21T12:00:00Z"
	)
	five, seven := int64(5), int64(7)
	days := func(since, until string) Window { return Window{Since: at(since), Until: at(until)} }
	past := days("2026-11-17", "2026-11-18")
	round := Window{Since: at("2026-10-21"), CreatedSince: at("2026-11-20T11:40:00Z"), SortField: SortCreated}
	// said is a rectangle of the main route with all counts.
	said := func(since, until, state string, change ...func(*store.Rectangle)) store.Rectangle {
		r := rect(since, until, state, "2026-11-20T11:58:00Z")
		r.Route, r.RunID, r.Records, r.Requests = "activities", "r", 10, 3
		for _, f := range change {
			f(&r)
		}
		return r
	}
	nothing := func(r *store.Rectangle) { r.Records, r.Requests = 0, 0 }
	service := func(n *int64) func(*store.Rectangle) { return func(r *store.Rectangle) { r.Service = n } }
	reason := func(r *store.Rectangle) { r.Reason = "status 500" }
	filter := func(r *store.Rectangle) { r.Filter = ledgerFilter([]byte(`{"ip":{}}`)) }
	archived := func(r *store.Rectangle) { r.Route = "archived_activities" }
	saved := func(since, through string) func(*store.Rectangle) {
		return func(r *store.Rectangle) { r.SinceCreated, r.ThroughCreated = at(since), at(through) }
	}
	for name, c := range map[string]struct {
		window Window
		change func(*claim)
		want   []store.Rectangle
	}{
		"a past day":                {past, nil, []store.Rectangle{said("2026-11-17", "2026-11-18", "complete")}},
		"today is cut at the clock": {days("2026-11-20", "2026-11-21"), nil, []store.Rectangle{said("2026-11-20", asked, "complete")}},
		"to the millisecond": {days("2026-11-20", "2026-11-21"), func(c *claim) { c.asked = c.asked.Add(1_700_000) },
			[]store.Rectangle{said("2026-11-20", "2026-11-20T12:00:00.001Z", "complete", func(r *store.Rectangle) { r.ThroughCreated = at("2026-11-20T11:58:00.001Z") })}},
		"an open end is the clock":  {Window{Since: at("2026-11-20")}, nil, []store.Rectangle{said("2026-11-20", asked, "complete")}},
		"wholly ahead of the clock": {days("2026-11-21", "2026-11-22"), nil, nil},
		"ahead of it by a moment":   {days(asked, "2026-11-22"), nil, nil},
		"a filter":                  {past, func(c *claim) { c.window.Filter = []byte(`{"ip":{}}`) }, []store.Rectangle{said("2026-11-17", "2026-11-18", "filtered", filter)}},
		"services, one by one": {past, func(c *claim) { c.window.Services = []int64{5, 7} }, []store.Rectangle{
			said("2026-11-17", "2026-11-18", "complete", service(&five)), said("2026-11-17", "2026-11-18", "complete", service(&seven))}},

		"failed":                            {past, func(c *claim) { c.failure = "status 500" }, []store.Rectangle{said("2026-11-17", "2026-11-18", "failed", reason)}},
		"failed with a filter":              {past, func(c *claim) { c.failure, c.window.Filter = "status 500", []byte(`{"ip":{}}`) }, []store.Rectangle{said("2026-11-17", "2026-11-18", "failed", reason, filter)}},
		"failed, as far as it has happened": {days("2026-11-20", "2026-11-21"), func(c *claim) { c.failure = "status 500" }, []store.Rectangle{said("2026-11-20", asked, "failed", reason)}},
		"failed, an open end":               {Window{Since: at("2026-11-20")}, func(c *claim) { c.failure = "status 500" }, []store.Rectangle{said("2026-11-20", asked, "failed", reason)}},
		"failed behind the door":            {days("2026-10-01", "2026-10-02"), func(c *claim) { c.failure = "status 500" }, []store.Rectangle{said("2026-10-01", "2026-10-02", "failed", reason)}},

		"divided by the door: the younger part has the counts": {days("2026-10-21", "2026-10-22"), nil, []store.Rectangle{
			said("2026-10-21", door, "beyond the door", nothing), said(door, "2026-10-22", "complete")}},
		"behind the door":                  {days("2026-10-01", "2026-10-02"), nil, []store.Rectangle{said("2026-10-01", "2026-10-02", "beyond the door")}},
		"behind the door, filtered":        {days("2026-10-01", "2026-10-02"), func(c *claim) { c.window.Filter = []byte(`{"ip":{}}`) }, []store.Rectangle{said("2026-10-01", "2026-10-02", "beyond the door", filter)}},
		"to the door":                      {days("2026-10-21", door), nil, []store.Rectangle{said("2026-10-21", door, "beyond the door")}},
		"from the door on":                 {days(door, "2026-10-22"), nil, []store.Rectangle{said(door, "2026-10-22", "complete")}},
		"this side of the door, archived":  {days("2026-11-01", "2026-11-02"), func(c *claim) { c.archived = true }, nil},
		"on both sides of it, archived":    {days("2026-10-01", "2026-11-02"), func(c *claim) { c.archived = true }, []store.Rectangle{said("2026-10-01", "2026-10-21T12:00:01Z", "complete", archived)}},
		"where the door was at the latest": {days("2026-10-21", "2026-10-23"), func(c *claim) { c.door = at("2026-10-22") }, []store.Rectangle{said("2026-10-21", "2026-10-22", "beyond the door", func(r *store.Rectangle) { r.Records, r.Requests = 0, 0 }), said("2026-10-22", "2026-10-23", "complete")}},
		"behind the door, archived":        {days("2026-10-01", "2026-10-02"), func(c *claim) { c.archived = true }, []store.Rectangle{said("2026-10-01", "2026-10-02", "complete", archived)}},
		"archived, failed":                 {days("2026-10-01", "2026-10-02"), func(c *claim) { c.archived, c.failure = true, "status 500" }, []store.Rectangle{said("2026-10-01", "2026-10-02", "failed", archived, reason)}},
		"the door and several services": {days("2026-10-21", "2026-10-22"), func(c *claim) { c.window.Services = []int64{5, 7} }, []store.Rectangle{
			said("2026-10-21", door, "beyond the door", nothing, service(&five)), said("2026-10-21", door, "beyond the door", nothing, service(&seven)),
			said(door, "2026-10-22", "complete", service(&five)), said(door, "2026-10-22", "complete", service(&seven))}},

		// By save time. A rectangle begins behind its first bound.
		"a round of the tail": {round, nil, []store.Rectangle{said("2026-10-22", "2026-11-20T11:58:00.001Z", "complete", saved("2026-11-20T11:39:59.999Z", "2026-11-20T11:58:00Z"))}},
		"a bound between two milliseconds": {round, func(c *claim) { c.window.CreatedSince = c.window.CreatedSince.Add(1) },
			[]store.Rectangle{said("2026-10-22", "2026-11-20T11:58:00.001Z", "complete", saved("2026-11-20T11:40:00Z", "2026-11-20T11:58:00Z"))}},
		"a part of a round": {round, func(c *claim) { c.window.CreatedUntil = at("2026-11-20T11:45:00Z") },
			[]store.Rectangle{said("2026-10-22", "2026-11-20T11:45:00Z", "complete", saved("2026-11-20T11:39:59.999Z", "2026-11-20T11:44:59.999Z"))}},
		"a part that may not be visible yet": {round, func(c *claim) { c.window.CreatedSince = at("2026-11-20T11:58:00.001Z") }, nil},
		"its last millisecond": {round, func(c *claim) { c.window.CreatedSince = at("2026-11-20T11:58:00Z") },
			[]store.Rectangle{said("2026-10-22", "2026-11-20T11:58:00.001Z", "complete", saved("2026-11-20T11:57:59.999Z", "2026-11-20T11:58:00Z"))}},
		"the tail of a filter": {round, func(c *claim) { c.window.Filter = []byte(`{"ip":{}}`) },
			[]store.Rectangle{said("2026-10-22", "2026-11-20T11:58:00.001Z", "filtered", filter, saved("2026-11-20T11:39:59.999Z", "2026-11-20T11:58:00Z"))}},
		"at midnight the door is where it stands": {round, func(c *claim) { c.asked = at("2026-11-21") },
			[]store.Rectangle{said("2026-10-22", "2026-11-20T23:58:00.001Z", "complete", saved("2026-11-20T11:39:59.999Z", "2026-11-20T23:58:00Z"))}},
		"one millisecond along save time": {Window{Since: at("2026-11-17"), Until: at("2026-11-17T00:00:00.001Z"), CreatedUntil: at("2026-11-18"), SortField: SortCreated}, nil,
			[]store.Rectangle{said("2026-11-17", "2026-11-17T00:00:00.001Z", "complete", func(r *store.Rectangle) { r.ThroughCreated = at("2026-11-17T23:59:59.999Z") })}},
		"and its rest": {Window{Since: at("2026-11-17"), Until: at("2026-11-17T00:00:00.001Z"), CreatedSince: at("2026-11-18"), SortField: SortCreated}, nil,
			[]store.Rectangle{said("2026-11-17", "2026-11-17T00:00:00.001Z", "complete", saved("2026-11-17T23:59:59.999Z", "2026-11-20T11:58:00Z"))}},
		"on the day of the door": {Window{Since: at("2026-10-21T18:00:00Z"), Until: at("2026-10-21T18:00:00.001Z"), CreatedSince: at("2026-11-18"), SortField: SortCreated}, nil,
			[]store.Rectangle{said("2026-10-21T18:00:00Z", "2026-10-21T18:00:00.001Z", "complete", saved("2026-11-17T23:59:59.999Z", "2026-11-20T11:58:00Z"))}},
		"a save time that fails": {Window{Since: at("2026-11-17"), Until: at("2026-11-17T00:00:00.001Z"), CreatedSince: at("2026-11-18"), CreatedUntil: at("2026-11-18T00:00:00.001Z"), SortField: SortCreated}, func(c *claim) { c.failure = "status 500" },
			[]store.Rectangle{said("2026-11-17", "2026-11-17T00:00:00.001Z", "failed", reason, saved("2026-11-17T23:59:59.999Z", "2026-11-18"))}},
		"a save time that fails, just now": {Window{Since: at("2026-11-20T11:59:00Z"), Until: at("2026-11-20T11:59:00.001Z"), CreatedSince: at("2026-11-20T11:59:30Z"), SortField: SortCreated}, func(c *claim) { c.failure = "status 500" },
			[]store.Rectangle{said("2026-11-20T11:59:00Z", "2026-11-20T11:59:00.001Z", "failed", reason, saved("2026-11-20T11:59:29.999Z", "2026-11-20T11:58:00Z"))}},
	} {
		t.Run(name, func(t *testing.T) {
			k := claim{window: c.window, asked: at(asked), runID: "r", records: 10, requests: 3}
			if c.change != nil {
				c.change(&k)
			}
			same(t, "rectangles", c.want, k.rectangles())
		})
	}
}

// What two rounds, or two parts of one, say together leaves no save time out.
func TestRoundsOfTheTailLeaveNoGap(t *testing.T) {
	a, b := at("2026-11-20T06:00:00Z"), at("2026-11-20T09:00:00Z")
	part := func(since, until time.Time) []store.Rectangle {
		w := Window{Since: at("2026-10-21"), CreatedSince: since, CreatedUntil: until, SortField: SortCreated}
		return claim{window: w, asked: at("2026-11-20T12:00:00Z")}.rectangles()
	}
	s := &store.Snapshot{Coverage: append(part(a, b), part(b, time.Time{})...)}
	same(t, "coverage", []store.Stretch{
		{Since: a, Until: at("2026-11-20T11:58:00Z"), State: StateComplete, Through: at("2026-11-20T11:58:00Z")},
	}, s.CoverageOf(nil, a, at("2026-11-20T11:58:00Z")))
}
