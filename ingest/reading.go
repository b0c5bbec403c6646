package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"mdcalake/store"
)

// A reading is the work on one window. Its goroutine asks the API; the run's own
// goroutine takes the pages, one at a time from all readings, and is the only
// one that looks into them.
//
// hasNext false alone is no proof that a window is at its end: the API was seen
// to say so while records remained. So a window is looked at again from its last
// record on, until that one comes and nothing new.
type reading struct {
	task

	// What has come. The run's goroutine writes it while it has a page of this
	// reading; this one reads it in between.
	asked     time.Time // see claim
	pages     int64
	records   int64
	requests  atomic.Int64 // both count: those that no page has counted are known to this goroutine alone
	reached   time.Time    // the greatest time of a record inside the window, along the scan; zero: none yet
	inside    int64        // records inside the window
	last      int          // records of the last page
	fullest   int          // and of the largest one with more behind it
	standing  int          // pages in a row with records, and none of them later than reached
	settled   time.Time    // reached by the pages before the last one: it has shown that they were in order
	disorder  bool         // pages did not come in order: reached says nothing of what is before it
	door      time.Time    // events before it may have been hidden from a page that was to show them
	repeated  bool         // the cursor of the last page did not move: the next one may begin where it began
	before    time.Time    // reached, before the question of the last page was first asked
	claimed   time.Time    // along the scan: everything before is in a commit's ledger
	counted   counts       // of what was claimed
	unwelcome error        // why no further page is wanted
}

// counts are what a claim has in it.
type counts struct{ records, requests int64 }

// confirmations are the requests that a window takes beyond its pages.
const confirmations = 1

// An answer without the record that it was asked from on confirms nothing, but
// the record may be gone: so many of them are believed.
const enoughEmpty = 3

// So many records of one millisecond, if they fill a page, tell nothing of what
// is behind them.
const manyTies = 10

// So many pages of one millisecond are read, and no more: a cursor that is another
// one each time may lead nowhere all the same. The archived route has bounds of its
// own.
const mostStanding = 100

// event is what a reading tells its run: a page, or how it ended.
type event struct {
	from  *reading
	page  *Page
	taken chan struct{} // closed when the page has been dealt with
	err   error         // with no page
}

// walk reads the window of g. Pages go to events, each of which must be taken.
func (g *reading) walk(ctx context.Context, c *Client, o ScanOptions, events chan<- event) error {
	if g.archived {
		return g.walkArchived(ctx, c, o, events)
	}
	w := g.window
	for first, empty := true, 0; ; first = false {
		before, known := g.reached, g.inside
		sent, err := g.scan(ctx, c.Scan(ctx, w, o), events)
		g.requests.Add(sent)
		if err != nil {
			return err
		}
		if empty++; g.inside > known {
			empty = 0
		}
		if !first && g.reached.Equal(before) && (empty == 0 || before.IsZero() || empty == enoughEmpty) {
			// Nothing came that was not known.
			if n := g.last; n >= manyTies && (n == o.Limit.Get() || n == g.fullest) {
				return &StalledError{Why: "a page of nothing but the last millisecond, and no word of more", Pages: g.pages}
			}
			return nil
		}
		// What has come up since the window was first asked for is the next one's: a
		// busy service would bring something new at every look.
		since, until := w.along()
		since = later(since, g.reached)
		if asked := g.asked.Truncate(time.Millisecond); until.IsZero() || asked.Before(until) {
			until = asked
		}
		if !since.Before(until) {
			return nil
		}
		w = w.part(since, until)
	}
}

// scan hands the pages of one scan out. sent are the requests that no page has
// counted.
func (g *reading) scan(ctx context.Context, s *Scan, events chan<- event) (sent int64, err error) {
	counted := int64(0)
	for page, fault := range s.All() {
		if err = fault; err == nil {
			counted += page.Requests
			err = g.hand(page, events)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	return s.Sent() - counted, err
}

// hand gives a page to the run and waits until it has been taken.
func (g *reading) hand(page *Page, events chan<- event) error {
	taken := make(chan struct{})
	events <- event{from: g, page: page, taken: taken}
	<-taken
	return g.unwelcome
}

// note takes over what a page showed.
func (g *reading) note(p *Page, t tally, offset time.Duration) {
	if g.asked.IsZero() {
		g.asked = earlier(p.FirstAsked, p.FirstAsked.Add(-offset)) // by the earlier clock
	}
	g.pages++
	g.records += int64(len(p.Records))
	g.requests.Add(p.Requests)
	g.inside += int64(t.inside)
	if g.last = len(p.Records); p.HasNext {
		g.fullest = max(g.fullest, g.last)
	}
	from := g.reached
	if g.repeated { // the same question was asked again
		from = g.before
	}
	g.before, g.repeated = from, p.Repeated
	if t.inside > 0 {
		first, last := time.UnixMilli(t.first).UTC(), time.UnixMilli(t.last).UTC()
		if g.disorder = g.disorder || t.disorder || first.Before(from); !g.disorder {
			g.settled = later(g.settled, from)
		}
		if g.standing++; last.After(g.reached) {
			g.reached, g.standing = last, 0
		}
		if g.standing >= mostStanding && p.HasNext && !g.archived {
			g.unwelcome = &StalledError{Why: fmt.Sprintf("%d pages in a row come no further", g.standing), Pages: g.pages}
		}
	}
	// The door moves on while pages come: it hides nothing from one that begins
	// this side of it.
	if door := p.Answered.Add(-doorSpan); g.disorder || g.window.sortField() != SortDate || from.Before(door) {
		g.door = later(g.door, door)
	}
}

// brokeOff lets the last page count, too: what is read again goes on from its end,
// and shows no more of its order.
func (g *reading) brokeOff() { g.settled = g.reached }

// claims are what may be said of the window with the next commit: the part
// before the last page, or, once it has been read, all of it.
func (g *reading) claims(runID string, done bool) []store.Rectangle {
	since, until := g.window.along()
	since = later(since, g.claimed)
	if !done {
		// What was saved first of a millisecond is claimed with the rest of it only:
		// that it is complete through then would hide that the rest has failed.
		if g.disorder || g.archived || since.IsZero() || g.settled.IsZero() {
			return nil
		}
		until = g.settled
	}
	if !until.IsZero() && !since.Before(until) {
		return nil
	}
	counted := g.counted
	out := g.claim(g.window.part(since, until), runID).rectangles()
	if len(out) == 0 {
		g.counted = counted // the next claim tells of them
		return nil
	}
	g.claimed = until
	return out
}

// claim is a claim of a part of the window, with all that was not counted yet.
func (g *reading) claim(part Window, runID string) claim {
	requests := g.requests.Load()
	c := claim{
		window: part, archived: g.archived, asked: g.asked, door: g.door, runID: runID,
		records: g.records - g.counted.records, requests: requests - g.counted.requests,
	}
	g.counted = counts{g.records, requests}
	return c
}

// left is the part of the window that has not been read for sure.
func (g *reading) left() Window {
	if g.reached.IsZero() || g.disorder || g.archived {
		return g.window
	}
	_, until := g.window.along()
	return g.window.part(g.reached, until)
}

// most attempts at one stretch of a window, each at half of it.
const maxAttempts = 3

// afterFailure says what becomes of a window whose reading failed: which parts
// are read again, and which are given up. What was read in order counts as read;
// claims has been told of it.
func (g *reading) afterFailure(err error) (again []task, failed []Window) {
	since, until := g.window.along()
	left, attempt := g.left(), g.attempt+1
	if from, _ := left.along(); since.Before(from) {
		since, attempt = from, 0 // it came on
	}
	retry := func(w Window, attempt int) {
		again = append(again, task{window: w, archived: g.archived, tail: g.tail, why: g.why, attempt: attempt})
	}
	var stalled *StalledError
	var status *StatusError
	errors.As(err, &stalled)
	errors.As(err, &status)
	inOrder := !g.reached.IsZero() && !g.disorder && !g.archived
	one := !until.IsZero() && !since.Add(time.Millisecond).Before(until)
	refused := status != nil && status.Status == http.StatusBadRequest // a cursor, say
	switch {
	case (stalled != nil || refused && attempt > 1) && (inOrder || one):
		// More records in one millisecond than a page holds: inside of it the scan
		// runs along the other time. Where that one fills a page, too, it has to give
		// up. A refused cursor leads nowhere either, where the next page begins with
		// such a millisecond.
		at := later(since, g.reached)
		full := left.part(at, at.Add(time.Millisecond)).other()
		if from, to := full.along(); !from.IsZero() && !to.IsZero() && !from.Add(time.Millisecond).Before(to) {
			failed = append(failed, full)
		} else {
			retry(full, attempt)
		}
		if rest := left.part(at.Add(time.Millisecond), until); until.IsZero() || at.Add(time.Millisecond).Before(until) {
			retry(rest, 0)
		}
	case attempt >= maxAttempts:
		failed = append(failed, left)
	case until.IsZero() || one || since.IsZero() || refused && attempt < 2:
		retry(left, attempt) // the same from here, asked anew
	default:
		middle := since.Add(until.Sub(since) / 2).Truncate(time.Millisecond)
		retry(left.part(since, middle), attempt)
		retry(left.part(middle, until), attempt)
	}
	return again, failed
}

// IgnoredFilterError is an API that answers something else than was asked.
type IgnoredFilterError struct {
	Window  Window
	Records int // on the page, none of which was asked for
}

func (e *IgnoredFilterError) Error() string {
	return fmt.Sprintf("none of %d records of a page is of window %s: the API does not honour the filter", e.Records, e.Window)
}

// Hint says what to do.
func (e *IgnoredFilterError) Hint() string {
	return "the records are kept; try again later, and if it stays so, report it: no time range can be read"
}
