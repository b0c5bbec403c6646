package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// What becomes of a run when a window cannot be read, or comes otherwise than it
// was asked for: one bad window spoils itself, and trouble that is not the
// windows' ends the run.

// maxFailures is how many readings may fail one after the other, without a page
// in between, before the run gives up: the trouble is then not the windows'.
const maxFailures = 3

// spoiled deals with a reading that did not come to its end.
func (r *run) spoiled(ctx context.Context, g *reading, err error) {
	stopped := r.fault != nil || ctx.Err() != nil
	if !stopped {
		g.brokeOff()
	}
	r.claim(g, false)
	if stopped {
		r.cut = true
		g.tail.ended(g, err)
		return // it was stopped, and what it read is kept
	}
	if g.pages == 0 {
		r.inARow++
	}
	var unreachable *UnreachableError
	var stalled *StalledError
	switch {
	case g.archived && refusedRoute(err):
		r.closeArchive(g, err)
	case r.final(g, err):
		r.fault = err
		if r.pages.Load() > 0 && g.tail == nil {
			r.giveUp(g, g.left(), err)
		}
	case r.o.Tail != nil && errors.As(err, &unreachable):
		// The network will come back; until the next round nothing is asked.
		g.tail.ended(g, err)
		if g.tail == nil {
			r.agenda.urgent(task{window: g.left(), archived: g.archived, why: g.why, attempt: g.attempt})
			r.replaced++
		}
		r.paused = true
		r.warnOnce("unreachable", fmt.Sprintf("the API cannot be reached, the next round tries again: %v", err))
	case r.inARow >= maxFailures && r.o.Tail == nil:
		r.fault = fmt.Errorf("%d windows in a row could not be read, the last one: %w", r.inARow, err)
	case g.tail != nil && !errors.As(err, &stalled):
		g.tail.ended(g, err) // the next round reads it again
		g.tail.refused = true
		if r.pages.Load() == 0 {
			r.leaveToWindows() // they show whether anything is answered at all
		}
		r.warnOnce("tail", fmt.Sprintf("%s could not be read, the next round tries again: %v", r.shown(g.window), err))
	default:
		r.failed(g, err)
	}
}

// leaveToWindows lets windows of event time read what the tail does not come to:
// where the service cannot give a part of it, they are divided, and the rest comes.
func (r *run) leaveToWindows() {
	snapshot, err := r.o.Writer.Snapshot()
	if err != nil {
		r.fault = lakeFault(err)
		return
	}
	r.agenda.needs = needs(snapshot, r.o.question(), r.now())
	r.expected = r.finished + r.agenda.weight()
}

// failed puts what is left of a window back on the agenda, in parts, or gives
// it up.
func (r *run) failed(g *reading, err error) {
	again, failed := g.afterFailure(err)
	r.agenda.urgent(again...)
	if len(again) > 0 {
		r.replaced++
	}
	g.tail.divided(len(again))
	for _, w := range failed {
		r.summary.Failed = append(r.summary.Failed, FailedWindow{Window: w, Err: err})
		r.o.Warn(fmt.Sprintf("window %s is not whole: %v", r.shown(w), err))
		r.giveUp(g, w, err)
	}
}

// closeArchive gives up all that the archived route was to tell. It is not
// documented, and a tenant may have none; the main route has its own say.
func (r *run) closeArchive(g *reading, err error) {
	parts := []Window{g.left()}
	r.agenda.needs = slices.DeleteFunc(r.agenda.needs, func(n need) bool {
		if n.archived {
			parts = append(parts, Window{Since: n.since, Until: n.until, Services: n.services, Filter: r.o.Filter})
		}
		return n.archived
	})
	r.agenda.first = slices.DeleteFunc(r.agenda.first, func(t task) bool {
		if t.archived {
			parts = append(parts, t.window)
		}
		return t.archived
	})
	r.warnOnce("archived", fmt.Sprintf("the archived route does not answer, so what happened more than 30 days ago was not read: %v", err))
	for _, w := range parts {
		r.summary.Failed = append(r.summary.Failed, FailedWindow{Window: w, Err: err})
		r.giveUp(g, w, err)
	}
}

// refusedRoute tells an answer that the route itself is not there, or not for
// us, from one about the question's moment.
func refusedRoute(err error) bool {
	var status *StatusError
	if !errors.As(err, &status) {
		return false
	}
	switch status.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented:
		return true
	}
	return false
}

// giveUp notes in the ledger that a part of a window could not be read.
func (r *run) giveUp(g *reading, part Window, err error) {
	if g.asked.IsZero() {
		g.asked = r.now()
	}
	c := g.claim(part, r.facts.RunID)
	c.failure = ledgerReason(part, err)
	r.batch.Coverage = append(r.batch.Coverage, c.rectangles()...)
}

// final tells errors that end the run from those that only spoil a window. A
// service that has not answered at all is no window's fault; nothing has been
// made of the lake then.
func (r *run) final(g *reading, err error) bool {
	var unreachable *UnreachableError
	var option *OptionError
	var ignored *IgnoredFilterError
	switch {
	case errors.As(err, &option), errors.Is(err, ErrSignInRefused):
		return true
	case r.pages.Load() == 0:
		return g.tail == nil || errors.As(err, &unreachable) || !worthRetrying(err)
	case errors.As(err, &unreachable):
		return r.o.Tail == nil
	case errors.As(err, &ignored):
		return g.tail == nil
	}
	var status *StatusError
	if errors.As(err, &status) && status.Status < 500 && status.Status != 408 {
		// The question is wrong, and the next window asks the same one; but a cursor
		// may be refused where the question was not, and so may the other order.
		return g.pages == 0 && (g.tail != nil || g.window.sortField() == SortDate) || status.Status != 400
	}
	return false
}

// storeError marks an error of the lake, to tell it from the service's.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

func lakeFault(err error) error {
	if err == nil {
		return nil
	}
	return &storeError{err}
}

// outside deals with records that nobody asked for. They are kept; but a page
// with nothing else says that the API does not honour what it is asked.
func (r *run) outside(g *reading, p *Page, t tally) {
	if t.outside == 0 {
		return
	}
	r.summary.OutsideWindow += t.outside
	if t.inside == 0 && t.outside >= manyOutside && !p.Last {
		g.unwelcome = &IgnoredFilterError{Window: g.window, Records: len(p.Records)}
		return
	}
	records := "records"
	if t.outside == 1 {
		records = "record"
	}
	r.warnOnce("outside", fmt.Sprintf("the API sent %d %s outside of window %s: it did not honour the filter; kept all the same", t.outside, records, r.shown(g.window)))
}

// manyOutside is how many records nobody can have put on a page by mistake.
const manyOutside = 10

func (r *run) warnOnce(about, text string) {
	if r.warned[about] {
		return
	}
	if r.warned == nil {
		r.warned = map[string]bool{}
	}
	r.warned[about] = true
	r.o.Warn(text)
}
