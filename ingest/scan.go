package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// The bounds of a scan. None is reached by a service that works.
const (
	defaultLimit = 5000      // records a page, the API's most; it gives what it likes
	maxPages     = 1_000_000 // of one window
	maxEmpty     = 1000      // empty pages in a row, each with a new cursor
	maxRepeats   = 3         // times that a question is asked again because its cursor did not move
)

// ScanOptions are the ways to run a scan; the zero value works.
type ScanOptions struct {
	Limit *PageSize // records a page to ask for; nil: as many as the API gives

	// Numbers counts the pages of a run that makes several scans; nil to count
	// each scan by itself. Page.Number is what it shows after the page.
	Numbers *atomic.Int64

	// prompt says that each page is released before the next one is asked for.
	prompt bool
}

// Scan is the walk through one window. It is used once, by one goroutine.
type Scan struct {
	client *Client
	ctx    context.Context
	window Window
	limit  *PageSize
	number *atomic.Int64
	prompt bool

	// The state, owned by the goroutine that fetches.
	asking     []byte                // the filters to send next
	seen       map[[16]byte]struct{} // hashes of the cursors of this scan
	firstAsked time.Time             // the server's clock when the first page was asked for
	pages      int64
	repeats    int // answers in a row whose cursor had been seen
	empty      int // empty pages in a row
	sent       int64
	whole      bool // a page may be as large as any body

	used atomic.Bool
}

// Scan prepares the walk through w. Nothing is sent before All is ranged over.
func (c *Client) Scan(ctx context.Context, w Window, o ScanOptions) *Scan {
	s := &Scan{client: c, ctx: ctx, window: w, limit: o.Limit, number: o.Numbers, prompt: o.prompt}
	if s.limit == nil {
		s.limit = NewPageSize(0)
	}
	if s.number == nil {
		s.number = new(atomic.Int64)
	}
	return s
}

// All yields the window's pages in order. An error comes last, alone, and after
// all pages that were read before it.
//
// While the caller works on a page the next one is fetched, and no more than
// that one. A page may be used until Release, or until the page after next is
// asked for; the last two pages of a loop stay good after it. When the loop
// ends, early or not, the request under way is cancelled and nothing runs on.
func (s *Scan) All() iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) {
		if s.used.Swap(true) {
			yield(nil, errors.New("scan used twice"))
			return
		}
		type result struct {
			page *Page
			err  error
		}
		ctx, cancel := context.WithCancel(s.ctx)
		results := make(chan result) // unbuffered: one page ahead is enough
		go func() {
			defer close(results)
			emit := func(page *Page) bool {
				select {
				case results <- result{page: page}:
					return true
				case <-ctx.Done():
					page.Release()
					return false
				}
			}
			if err := s.run(ctx, emit); err != nil {
				// Whoever ranges is either waiting for this or draining.
				results <- result{err: err}
			}
		}()
		defer func() {
			cancel()
			for r := range results { // until the goroutine has ended
				r.page.Release()
			}
		}()
		var before *Page
		for r := range results {
			if !yield(r.page, r.err) || r.err != nil {
				return
			}
			before.Release()
			before = r.page
		}
	}
}

// Sent is how many requests the scan has sent: those of its pages, and those of
// a question that was never answered or of a page that nobody took. It is known
// once the loop over All has ended.
func (s *Scan) Sent() int64 { return s.sent }

// run fetches page after page and hands each to emit, which says whether more is
// wanted. The error is the scan's last word.
func (s *Scan) run(ctx context.Context, emit func(*Page) bool) error {
	if err := s.window.check(); err != nil {
		return err
	}
	s.asking = s.window.filters()
	s.seen = map[[16]byte]struct{}{cursorHash(s.asking): {}}
	for {
		if s.pages >= maxPages {
			return s.fail(s.stalled(fmt.Sprintf("more than %d pages", maxPages)))
		}
		limit := s.limit.Get()
		answer, requests, err := s.client.ask(ctx, s.ask(limit), scannable)
		s.sent += int64(requests)
		if err != nil && s.askForLess(limit, err) {
			answer.Release()
			continue
		}
		if err != nil {
			// An answer without a word on how to go on still has its records.
			if answer != nil && len(answer.Page.Records) > 0 && ctx.Err() == nil {
				if !emit(s.page(answer)) {
					return ctx.Err()
				}
			} else {
				answer.Release()
			}
			return s.fail(err)
		}
		page := s.page(answer)
		s.limit.Accept(limit)
		s.askForMore(limit, page)
		last, stuck := s.advance(page)
		repeats := s.repeats // emit gives the page away
		if !emit(page) {
			return ctx.Err()
		}
		switch {
		case stuck != nil:
			return s.fail(stuck)
		case last:
			return nil
		case repeats > 0:
			if err := s.client.pause(ctx, s.client.options.Retry.backoff(repeats), "the cursor did not move"); err != nil {
				return err
			}
		}
	}
}

// leastLimit is the fewest records that the API documents for a page of a scan.
const leastLimit = 500

// ask is the next question: the filters verbatim, the rest always the same. A
// page that would fill the memory of all pages is not worth having while fewer
// records can be asked for.
func (s *Scan) ask(limit int) ask {
	b := make([]byte, 0, len(s.asking)+96)
	b = append(b, `{"filters":`...)
	b = append(b, s.asking...)
	b = append(b, `,"isScan":true,"limit":`...)
	b = strconv.AppendInt(b, int64(limit), 10)
	b = append(b, `,"sortField":"`...)
	b = append(b, s.window.sortField()...)
	b = append(b, `","sortDirection":"asc"}`...)
	most := s.client.options.Memory
	if s.whole || limit == 1 {
		most = s.client.options.MaxBody
	}
	return ask{url: s.client.endpoint, body: b, most: min(most, s.client.options.MaxBody), soon: s.prompt}
}

// askForLess makes the pages smaller where one was too large to be held, or where
// the API refuses the first question: it may allow no more than it documents
// (ACTIVITIES_API 3.1). It takes it back where the API refuses to give so few:
// then a page may be as large as any body.
func (s *Scan) askForLess(limit int, err error) bool {
	var malformed *MalformedError
	var status *StatusError
	switch {
	case errors.As(err, &malformed) && malformed.tooLong && limit > 1 && !s.whole:
		s.limit.Halve(limit)
		return true
	case errors.As(err, &status) && status.Status == http.StatusBadRequest && s.pages == 0 && s.limit.Refuse(limit, leastLimit):
		return true
	case errors.As(err, &status) && status.Status == http.StatusBadRequest && limit < min(leastLimit, s.limit.first) && !s.whole:
		s.limit, s.whole = NewPageSize(min(leastLimit, s.limit.first)), true
		return true
	}
	return false
}

// askForMore makes the pages larger again where a full one left much room: what
// was too large was perhaps a few records only.
func (s *Scan) askForMore(limit int, p *Page) {
	if !s.whole && 2*len(p.Records) >= limit && 4*int64(len(p.Body)) <= s.client.options.Memory {
		s.limit.Double(limit)
	}
}

// scannable tells whether an answer says how a scan goes on. The end must be
// said: hasNext false, which outweighs a cursor beside it. A cursor without
// hasNext says well enough that there is more. Neither of them, or hasNext true
// without a cursor, says nothing, and to take it for the end would lose records.
func scannable(p *Page) error {
	if err := listable(p); err != nil {
		return err
	}
	switch {
	case p.HasNextPresent && !p.HasNext, usableCursor(p.NextQueryFilters):
		return nil
	case p.HasNextPresent:
		return &MalformedError{What: "hasNext without nextQueryFilters", Offset: -1}
	default:
		return &MalformedError{What: "neither hasNext nor nextQueryFilters", Offset: -1}
	}
}

// page counts an answer in and makes the caller's page of it.
func (s *Scan) page(a *Answer) *Page {
	if s.firstAsked.IsZero() {
		s.firstAsked = a.Asked
	}
	s.pages++
	p := a.Page
	p.Number = s.number.Add(1)
	p.FirstAsked, p.Answered, p.Took, p.Offset, p.Requests = s.firstAsked, a.answered(), a.Took, a.Offset, int64(a.Requests)
	return p
}

// advance decides what is asked next, and notes it in the page. An error says
// that nothing more can be asked; the page itself is good.
func (s *Scan) advance(p *Page) (last bool, err error) {
	if !p.HasNext && (p.HasNextPresent || !usableCursor(p.NextQueryFilters)) {
		p.Last = true
		return true, nil
	}
	if s.empty++; len(p.Records) > 0 {
		s.empty = 0
	}
	hash := cursorHash(p.NextQueryFilters)
	if _, ok := s.seen[hash]; ok {
		p.Repeated = true
		if s.repeats++; s.repeats > maxRepeats {
			return false, s.stalled("more records in one millisecond than a page, or the service repeats itself")
		}
		return false, nil
	}
	s.repeats = 0
	s.seen[hash] = struct{}{}
	s.asking = bytes.Clone(p.NextQueryFilters)
	if s.empty >= maxEmpty {
		return false, s.stalled(fmt.Sprintf("%d empty pages in a row", maxEmpty))
	}
	return false, nil
}

func (s *Scan) stalled(why string) error {
	hash := cursorHash(s.asking)
	return &StalledError{Why: why, Pages: s.pages, Cursor: hex.EncodeToString(hash[:])}
}

func (s *Scan) fail(err error) error {
	return fmt.Errorf("read page %d of window %s: %w", s.pages+1, s.window, err)
}

// cursorHash is enough of a SHA-256 to tell a million cursors apart.
func cursorHash(cursor []byte) [16]byte {
	sum := sha256.Sum256(cursor)
	return [16]byte(sum[:16])
}
