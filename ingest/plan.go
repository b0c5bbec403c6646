package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"time"

	"mdcalake/store"
)

// Planning is pure: what is asked for and what the ledger knows make windows.

// windowSize is a window's length in event time. Windows end at UTC midnights,
// so that the partitions of a finished window are not touched by the next one
// and the same question asked again makes the same windows.
const windowSize = 24 * time.Hour

// DefaultSpan is how far back a first ingest reaches without --since.
const DefaultSpan = 7 * 24 * time.Hour

// doorSpan is how far back the main route sees (ACTIVITIES: older records are
// behind another route, and the main one answers nothing for them).
const doorSpan = 30 * 24 * time.Hour

// savedMargin is taken off the server's clock at a window's first request: what
// it saved in the last moments may not have been visible yet.
const savedMargin = 2 * time.Minute

// freshFor is how long the finished windows of a run that was interrupted need
// not be asked for again: an hour, after which late records are looked for
// anyway.
const freshFor = time.Hour

// planWindows cuts [since, until) at UTC midnights, oldest first. Bounds between
// two milliseconds move up to the later one, as they do when they are asked for:
// otherwise the rest of a millisecond would be a window without a question. The
// windows come one by one, because an end far in the future makes millions.
func planWindows(since, until time.Time, services []int64, filter []byte) iter.Seq[Window] {
	since, until = wholeMillis(since), wholeMillis(until)
	return func(yield func(Window) bool) {
		for from := since; from.Before(until); {
			end := from.Truncate(windowSize).Add(windowSize)
			if end.After(until) {
				end = until
			}
			if !yield(Window{Since: from, Until: end, Services: services, Filter: filter}) {
				return
			}
			from = end
		}
	}
}

// countWindows is how many windows planWindows makes.
func countWindows(since, until time.Time) int {
	since, until = wholeMillis(since), wholeMillis(until)
	if !since.Before(until) {
		return 0
	}
	last := until.Add(-time.Millisecond)
	seconds := last.Truncate(windowSize).Unix() - since.Truncate(windowSize).Unix()
	return int(seconds/int64(windowSize/time.Second)) + 1
}

func wholeMillis(t time.Time) time.Time { return time.UnixMilli(ceilMillis(t)).UTC() }

// distinct are the services in order, each once.
func distinct(services []int64) []int64 {
	services = slices.Clone(services)
	slices.Sort(services)
	return slices.Compact(services)
}

// effective is a filter that has been checked, or nil where it filters nothing:
// what is read with it is as complete as without.
func effective(filter []byte) []byte {
	filter = bytes.TrimSpace(filter)
	if len(filter) < 2 || len(bytes.TrimSpace(filter[1:len(filter)-1])) == 0 {
		return nil
	}
	return filter
}

// windowKey names a window and its question in the ledger. A filter may hold
// people's names, so it goes in as a hash.
func windowKey(w Window) string {
	key := fmt.Sprintf("date/%d/%d", w.Since.UnixMilli(), w.Until.UnixMilli())
	for _, s := range distinct(w.Services) {
		key += fmt.Sprintf("/%d", s)
	}
	if len(w.Filter) > 0 {
		sum := sha256.Sum256(w.Filter)
		key += "/" + hex.EncodeToString(sum[:8])
	}
	return key
}

// standing says how far an earlier run came with a window.
type standing struct {
	done   bool
	cursor store.Cursor // that says so
	from   Position
}

// stand looks a window up among the scans that the lake knows. Only a run that
// did not come to its end is gone on with, and only for a while: whoever asks
// again after a complete run wants it asked again.
func stand(s *store.Snapshot, w Window, now time.Time) standing {
	c, ok := s.Cursors[windowKey(w)]
	if !ok || now.Sub(c.At) > freshFor || now.Before(c.At) {
		return standing{}
	}
	for _, r := range s.Runs {
		if r.RunID == c.RunID && r.Outcome == OutcomeComplete {
			return standing{}
		}
	}
	if c.Done {
		// Of a window that was not over yet, only the beginning was read.
		return standing{done: !c.FirstAsked.Before(w.Until), cursor: c}
	}
	if len(c.Filters) == 0 {
		return standing{}
	}
	return standing{from: Position{Filters: c.Filters, FirstAsked: c.FirstAsked, Pages: c.Pages, Records: c.Records, Requests: c.Requests}}
}

// ledgerServices are the services as the ledger names them: one by one, or nil
// alone for all at once.
func ledgerServices(services []int64) []*int64 {
	if len(services) == 0 {
		return []*int64{nil}
	}
	named := make([]*int64, len(services))
	for i := range services {
		named[i] = &services[i]
	}
	return named
}

// LastComplete is the end of the latest interval that is complete for these
// services (none: for all); zero if there is none. Holes before it are not its
// business. Where an interval reaches beyond the save time that it is complete
// through, it counts up to that time: nothing is saved before it happens, so
// what happened later cannot have been seen.
func LastComplete(coverage []store.Rectangle, services []int64) time.Time {
	var common time.Time
	for i, service := range ledgerServices(services) {
		var last time.Time
		for _, r := range coverage {
			covers := r.Service == nil || service != nil && *r.Service == *service
			end := r.Until
			if r.ThroughCreated.Before(end) {
				end = r.ThroughCreated
			}
			if r.State == StateComplete && covers && end.After(last) {
				last = end
			}
		}
		if i == 0 || last.Before(common) {
			common = last
		}
	}
	return common
}

// lateOverlap is how far before its last complete point a lake is read again
// when nobody says from where: most records are saved minutes after they
// happened, some hours.
const lateOverlap = 24 * time.Hour

// DefaultSince is where an ingest that is told no beginning begins: a day
// before the last complete point, or at a window that failed within the last
// 30 days; a week back for a lake that knows nothing of these services.
func DefaultSince(s *store.Snapshot, services []int64, until time.Time) time.Time {
	last := LastComplete(s.Coverage, services)
	if last.IsZero() {
		return until.Add(-DefaultSpan)
	}
	since := last.Add(-lateOverlap)
	for _, service := range ledgerServices(services) {
		for _, stretch := range s.CoverageOf(service, until.Add(-doorSpan), last) {
			if stretch.State == StateFailed && stretch.Since.Before(since) {
				since = stretch.Since
			}
		}
	}
	return since
}

// States of a rectangle of coverage.
const (
	StateComplete   = store.StateComplete
	StateFiltered   = store.StateFiltered
	StateFailed     = store.StateFailed
	StateImported   = store.StateImported
	StateBeyondDoor = store.StateBeyondDoor
)

// rectangles are the ledger's entries for a window whose scan has ended. Of a
// window that the 30-day door divides, the younger part has the counts.
func rectangles(w Window, at Position, runID, failure string) []store.Rectangle {
	until := w.Until
	if at.FirstAsked.Before(until) {
		until = at.FirstAsked.Truncate(time.Millisecond)
	}
	base := store.Rectangle{
		State: StateComplete, ThroughCreated: at.FirstAsked.Add(-savedMargin).Truncate(time.Millisecond), Route: "activities",
		RunID: runID, Records: at.Records, Requests: at.Requests, Reason: failure, Filter: ledgerFilter(w.Filter),
	}
	switch {
	case failure != "":
		base.State = StateFailed
		until = w.Until
	case len(w.Filter) > 0:
		base.State = StateFiltered
	}
	services := ledgerServices(w.Services)
	door := at.FirstAsked.Add(-doorSpan).Truncate(time.Millisecond)
	var out []store.Rectangle
	add := func(since, until time.Time, state string) {
		if !since.Before(until) {
			return
		}
		for _, s := range services {
			r := base
			r.Since, r.Until, r.Service, r.State = since.UTC(), until.UTC(), s, state
			out = append(out, r)
		}
	}
	old := w.Since
	if door.After(old) && base.State == StateComplete {
		if old = door; old.After(until) {
			old = until
		}
	}
	add(w.Since, old, StateBeyondDoor)
	if old.Before(until) {
		for i := range out {
			out[i].Records, out[i].Requests = 0, 0
		}
	}
	add(old, until, base.State)
	return out
}
