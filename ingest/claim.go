package ingest

import (
	"time"

	"mdcalake/store"
)

// What a run may claim in the ledger. A window is claimed bit by bit, with each
// commit that stores its records: as the pages come in order, everything before
// the last page has been read, and the next one shows whether they did. So an interrupted window needs no memory of its
// own: the ledger says what is left of it.

// savedMargin is taken off the server's clock at a window's first request: what
// it saved in the last moments may not have been visible yet.
const savedMargin = 2 * time.Minute

// States of a rectangle of coverage.
const (
	StateComplete   = store.StateComplete
	StateFiltered   = store.StateFiltered
	StateFailed     = store.StateFailed
	StateImported   = store.StateImported
	StateBeyondDoor = store.StateBeyondDoor
)

// Routes of the API, as the ledger names them.
const (
	routeActivities = "activities"
	routeArchived   = "archived_activities"
)

// claim is what a run says of a window or a part of it.
type claim struct {
	window            Window // the part
	archived          bool
	asked             time.Time // the clock when it was first asked for, the earlier of the server's and ours
	door              time.Time // where the 30-day door was at the latest; zero: where it was then
	runID             string
	records, requests int64
	failure           string // not empty: the part could not be read
}

// rectangles are the ledger's entries for a claim; none where it says nothing.
// Of a window that the 30-day door divides, the younger part has the counts.
func (c claim) rectangles() []store.Rectangle {
	w := c.window
	through := c.asked.Add(-savedMargin).Truncate(time.Millisecond)
	r := store.Rectangle{
		Since: w.Since, Until: w.Until, State: StateComplete, ThroughCreated: through, Route: routeActivities, RunID: c.runID,
		Records: c.records, Requests: c.requests, Reason: c.failure, Filter: ledgerFilter(w.Filter),
	}
	if c.archived {
		r.Route = routeArchived
	}
	door := later(c.asked.Add(-doorSpan), c.door).Truncate(time.Millisecond)
	if !w.CreatedSince.IsZero() || !w.CreatedUntil.IsZero() {
		// Everything that was saved by then, of events that the door did not hide.
		// Nothing is saved before it happens: the events end with the saving.
		if !w.CreatedSince.IsZero() {
			r.SinceCreated = wholeMillis(w.CreatedSince).Add(-time.Millisecond) // a rectangle begins behind it
		}
		if until := wholeMillis(w.CreatedUntil).Add(-time.Millisecond); !w.CreatedUntil.IsZero() && until.Before(through) {
			r.ThroughCreated = until
		}
		if w.Until.IsZero() {
			r.Since = later(r.Since, ceilDay(door)) // the same for all rounds of a day
		}
		if until := r.ThroughCreated.Add(time.Millisecond); c.failure == "" && (r.Until.IsZero() || until.Before(r.Until)) {
			r.Until = until
		}
		if c.failure == "" && !r.SinceCreated.IsZero() && !r.SinceCreated.Before(r.ThroughCreated) {
			return nil
		}
	}
	if r.Until.IsZero() || c.asked.Before(r.Until) {
		r.Until = c.asked.Truncate(time.Millisecond) // nothing can have happened later
	}
	if c.archived && c.failure == "" {
		// What is this side of the door by either clock is not in the archive yet. (A
		// Date header leaves out what is less than a second.)
		r.Until = earlier(r.Until, c.asked.Add(time.Second-doorSpan).Truncate(time.Millisecond))
	}
	switch {
	case c.failure != "":
		r.State = StateFailed
	case len(w.Filter) > 0:
		r.State = StateFiltered
	}
	if !r.Since.Before(r.Until) {
		return nil
	}
	var out []store.Rectangle
	if !c.archived && c.failure == "" && r.Since.Before(door) {
		old := r
		old.State, old.Until = StateBeyondDoor, earlier(door, r.Until)
		r.Since = old.Until
		if r.Since.Before(r.Until) {
			old.Records, old.Requests = 0, 0
		}
		out = appendRectangles(out, old, w.Services)
	}
	if r.Since.Before(r.Until) {
		out = appendRectangles(out, r, w.Services)
	}
	return out
}

// appendRectangles adds a rectangle for each service, or one for all.
func appendRectangles(out []store.Rectangle, r store.Rectangle, services []int64) []store.Rectangle {
	r.Since, r.Until = r.Since.UTC(), r.Until.UTC()
	for _, service := range ledgerServices(services) {
		r.Service = service
		out = append(out, r)
	}
	return out
}

func ceilDay(t time.Time) time.Time { return floorDay(t.Add(day - time.Nanosecond)) }
