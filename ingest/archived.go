package ingest

import (
	"context"
	"strconv"
	"time"

	"github.com/zeebo/xxh3"
)

// The archived route: what happened more than 30 days ago. It is not documented
// (ACTIVITIES_API 1.2 says who uses it and how): no scan, date as a list of one
// range of a week at most, pages by skip and limit, hasNext, no cursor, and an
// order of equal times that changes from call to call.
//
// To skip along a moving order loses records, so pages are not skipped: the next
// page begins at the time of the last record, and brings the records of that
// millisecond once more. Only where one millisecond fills a page, its records
// are read by skip, again and again until as many have come as there are.

const (
	archivedPage = 250     // records of a page, at most
	archivedSpan = 7 * day // longest range
	// A millisecond is read so often at most, and so far by skip.
	archivedPasses = 20
	archivedReach  = 5000
)

// walkArchived reads the window of g on the archived route.
func (g *reading) walkArchived(ctx context.Context, c *Client, o ScanOptions, events chan<- event) error {
	a := archivedScan{g: g, ctx: ctx, client: c, numbers: o, events: events}
	since := wholeMillis(g.window.Since)
	until := wholeMillis(g.window.Until)
	for again, empty := false, 0; since.Before(until); {
		before, known := g.reached, g.inside
		page, err := a.page(since, until, 0)
		if err != nil {
			return err
		}
		if empty++; g.inside > known {
			empty = 0
		}
		switch {
		case g.disorder:
			return &StalledError{Why: "the archived route does not give records in the order of their time", Pages: g.pages}
		case (page.full || page.more) && g.reached.Equal(since):
			if err := a.millisecond(since); err != nil {
				return err
			}
			since, again = since.Add(time.Millisecond), false
		case !g.reached.Equal(before):
			since, again = later(since, g.reached), false
		case page.more && !again:
			again = true // it says that there is more, and gives nothing new
		case page.more:
			return &StalledError{Why: "the archived route says that there is more, and gives nothing new", Pages: g.pages}
		case empty == 0, empty > 1 && g.reached.IsZero(), empty == enoughEmpty:
			return nil // what is known has come once more, or nothing often enough, as on the main route
		}
	}
	return nil
}

type archivedScan struct {
	g       *reading
	ctx     context.Context
	client  *Client
	numbers ScanOptions
	events  chan<- event
	asked   time.Time
	hashes  map[uint64]struct{} // of the records of one millisecond; nil: not wanted
}

// archivedPageInfo is what a page said.
type archivedPageInfo struct {
	records    int
	full, more bool
}

// page asks for one page and hands it out.
func (a *archivedScan) page(since, until time.Time, skip int) (archivedPageInfo, error) {
	answer, requests, err := a.client.ask(a.ctx, ask{url: a.client.archived, body: a.request(since, until, skip), most: a.client.options.MaxBody, soon: true}, listable)
	if err != nil {
		answer.Release()
		a.g.requests.Add(int64(requests))
		return archivedPageInfo{}, err
	}
	p := answer.Page
	if a.asked.IsZero() {
		a.asked = answer.Asked
	}
	p.Number = a.numbers.Numbers.Add(1)
	p.FirstAsked, p.Answered, p.Took, p.Offset, p.Requests = a.asked, answer.answered(), answer.Took, answer.Offset, int64(requests)
	p.Last = !p.HasNext
	for _, record := range p.Records {
		if a.hashes != nil {
			a.hashes[xxh3.Hash(record)] = struct{}{}
		}
	}
	info := archivedPageInfo{records: len(p.Records), full: len(p.Records) >= archivedPage, more: p.HasNext}
	return info, a.g.hand(p, a.events)
}

// millisecond reads all records of one millisecond, which fill more than a page.
// How many there are is seen where skip comes to their end.
func (a *archivedScan) millisecond(at time.Time) error {
	a.hashes = map[uint64]struct{}{}
	defer func() { a.hashes = nil }()
	doubts := 0
	for range archivedPasses {
		all, more, sound := 0, false, false
		for {
			if all+archivedPage > archivedReach {
				return &StalledError{Why: "more records in one millisecond than the archived route shows", Pages: a.g.pages}
			}
			page, err := a.page(at, at.Add(time.Millisecond), all)
			if err != nil {
				return err
			}
			all += page.records // it may give fewer than were asked for
			if page.records == 0 {
				sound = all > 0 && !more // it is no end where something was to come
				break
			}
			if more = page.more; !page.full && !more {
				sound = true
				break
			}
		}
		if !sound {
			doubts++
		}
		if len(a.hashes) >= all && (sound || doubts == enoughEmpty) {
			return nil
		}
	}
	return &StalledError{Why: "the records of one millisecond are others in each pass", Pages: a.g.pages}
}

// request is the body to send.
func (a *archivedScan) request(since, until time.Time, skip int) []byte {
	b := []byte(`{"filters":{"date":{"range":[{"start":`)
	b = strconv.AppendInt(b, ceilMillis(since), 10)
	b = strconv.AppendInt(append(b, `,"end":`...), ceilMillis(until)-1, 10)
	b = append(b, `}]}`...)
	w := Window{Services: a.g.window.Services, Filter: a.g.window.Filter}
	if more := w.filters(); len(more) > 2 {
		b = append(append(b, ','), more[1:len(more)-1]...)
	}
	b = append(b, `},"skip":`...)
	b = strconv.AppendInt(b, int64(skip), 10)
	b = append(b, `,"limit":`...)
	b = strconv.AppendInt(b, archivedPage, 10)
	return append(b, `,"sortField":"date","sortDirection":"asc"}`...)
}
