package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// The bounds of a scan. None is reached by a service that works.
const (
	defaultLimit = 5000      // records a page, the API's most; it gives what it likes
	maxPages     = 1_000_000 // of one window
	maxEmpty     = 1000      // empty pages in a row, each with a new cursor
	maxRepeats   = 3         // times that a question is asked again because its cursor did not move
)

// A Window is what one scan reads: the activities that happened in [Since, Until).
type Window struct {
	Since, Until time.Time
	Services     []int64 // app ids; none for all
	Filter       []byte  // further filters, a JSON object as text; nil for none
}

func (w Window) String() string {
	s := w.Since.UTC().Format(time.RFC3339Nano) + ".." + w.Until.UTC().Format(time.RFC3339Nano)
	if len(w.Services) > 0 {
		s += " of services " + joinInts(w.Services)
	}
	return s
}

func joinInts(ns []int64) string {
	var b []byte
	for i, n := range ns {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(b)
}

// check says what is wrong with a window before anything is sent.
func (w Window) check() error {
	switch {
	case w.Since.IsZero() || w.Until.IsZero():
		return &OptionError{Option: "window", Problem: "has no beginning or no end", hint: "give --since and --until"}
	case ceilMillis(w.Since) >= ceilMillis(w.Until):
		return &OptionError{Option: "window " + w.String(), Problem: "is empty", hint: "--since must be before --until"}
	}
	return CheckFilter(w.Filter, w.Services)
}

// filters are the filters of the window's first request. The user's own follow
// ours in their own order and bytes.
func (w Window) filters() []byte {
	b := []byte(`{"date":{"gte":`)
	b = strconv.AppendInt(b, ceilMillis(w.Since), 10)
	b = append(b, `,"lte":`...)
	b = strconv.AppendInt(b, ceilMillis(w.Until)-1, 10) // lte is inclusive
	b = append(b, '}')
	if len(w.Services) > 0 {
		b = append(b, `,"service":{"eq":[`+joinInts(w.Services)+`]}`...)
	}
	if inner := bytes.TrimSpace(w.Filter); len(inner) > 0 {
		if inner = bytes.TrimSpace(inner[1 : len(inner)-1]); len(inner) > 0 {
			b = append(append(b, ','), inner...)
		}
	}
	return append(b, '}')
}

// ceilMillis is the first whole millisecond not before t: activities have whole
// milliseconds, so a bound between two of them means the later one.
func ceilMillis(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) {
		ms++
	}
	return ms
}

// CheckFilter says what is wrong with a user's filter: it must be a JSON object,
// must not bound the date, and must not name services if services are given.
// nil is no filter and fine.
func CheckFilter(filter []byte, services []int64) error {
	bad := func(problem, hint string) error {
		return &OptionError{Option: "filter", Problem: problem, hint: hint}
	}
	filter = bytes.TrimSpace(filter)
	if len(filter) == 0 {
		return nil
	}
	const shape = `a filter looks like {"user.username":{"eq":["ada@example.com"]}}`
	if filter[0] != '{' || !json.Valid(filter) || !utf8.Valid(filter) {
		return bad("is no JSON object", shape)
	}
	e := envelope{b: filter}
	return e.members(func(name string) error {
		switch {
		case name == "date":
			return bad("bounds the date", "use --since and --until: they are what coverage is counted by")
		case name == "service" && len(services) > 0:
			return bad("names services, and so does --service", "give one of the two")
		}
		_, err := e.value()
		return err
	})
}

// A Position is where a scan stands between two pages. The zero value is the
// window's beginning. After the last page it is where that page was asked from,
// so that a scan from there gives the last page again and not the whole window.
type Position struct {
	Filters    []byte    // the cursor to send next, verbatim; nil for the beginning
	FirstAsked time.Time // the server's clock when the window's first page was asked for
	Pages      int64     // pages of the window so far
	Records    int64     // records on them, repeated ones too
	Requests   int64     // requests they took, retries too
}

// ScanOptions are the ways to run a scan; the zero value works.
type ScanOptions struct {
	Limit int // records a page to ask for; 5000

	// Numbers counts the pages of a run that makes several scans; nil to count
	// each scan by itself. Page.Number is what it shows after the page.
	Numbers *atomic.Int64
}

// Scan is the walk through one window. It is used once, by one goroutine.
type Scan struct {
	client *Client
	ctx    context.Context
	window Window
	limit  int
	number *atomic.Int64

	// The state, owned by the goroutine that fetches.
	start     []byte // the filters of the window's beginning
	asking    []byte // the filters to send next
	at        Position
	seen      map[[16]byte]struct{} // hashes of the cursors of this scan
	resumed   bool
	restarted bool
	paged     bool // a page came
	repeats   int  // answers in a row whose cursor had been seen
	empty     int  // empty pages in a row
	sent      int64

	used atomic.Bool
}

// Scan prepares the walk through w from a position, which is the zero Position
// or one that an earlier scan of the same window handed out. Nothing is sent
// before All is ranged over.
func (c *Client) Scan(ctx context.Context, w Window, from Position, o ScanOptions) *Scan {
	s := &Scan{client: c, ctx: ctx, window: w, limit: o.Limit, number: o.Numbers, at: from}
	if s.limit <= 0 {
		s.limit = defaultLimit
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
	s.begin()
	for {
		if s.at.Pages >= maxPages {
			return s.fail(s.stalled(fmt.Sprintf("more than %d pages", maxPages)))
		}
		answer, requests, err := s.client.ask(ctx, s.request(), scannable)
		s.sent += int64(requests)
		if err != nil && s.restart(err) {
			answer.Release()
			continue
		}
		if err != nil {
			// An answer without a word on how to go on still has its records.
			if answer != nil && len(answer.Page.Records) > 0 && ctx.Err() == nil {
				if !emit(s.page(answer)) {
					return ctx.Err()
				}
			}
			return s.fail(err)
		}
		page := s.page(answer)
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

// begin sets the scan to its position, or to the window's beginning.
func (s *Scan) begin() {
	s.start = s.window.filters()
	s.fromStart()
	if len(s.at.Filters) == 0 {
		s.at = Position{Filters: s.start}
		return
	}
	if !usableCursor(s.at.Filters) || !json.Valid(s.at.Filters) {
		// Damaged where it was stored: to send it could ask for anything.
		s.restarted = true
		s.at = Position{Filters: s.start}
		return
	}
	s.resumed = true
	s.asking = bytes.Clone(s.at.Filters)
	s.at.Filters = s.asking
	s.seen[cursorHash(s.asking)] = struct{}{}
}

// fromStart makes the window's beginning the next question, with no cursor seen.
func (s *Scan) fromStart() {
	s.asking = s.start
	s.seen = map[[16]byte]struct{}{cursorHash(s.start): {}}
}

// restart goes back to the window's beginning if err is the API's refusal of a
// stored cursor: filters go out of date with the service. Once, and only before
// the first page; afterwards a refusal means what it says.
func (s *Scan) restart(err error) bool {
	var status *StatusError
	if !s.resumed || s.paged || !errors.As(err, &status) || status.Status != http.StatusBadRequest {
		return false
	}
	s.restarted, s.resumed = true, false                             // so it cannot happen twice
	s.at = Position{Filters: s.start, Requests: int64(status.Tries)} // the refusal belongs to the new walk
	s.fromStart()                                                    // the way back may lead over the refused cursor again
	return true
}

// request is the body to send: the filters verbatim, the rest always the same.
func (s *Scan) request() []byte {
	b := make([]byte, 0, len(s.asking)+96)
	b = append(b, `{"filters":`...)
	b = append(b, s.asking...)
	b = append(b, `,"isScan":true,"limit":`...)
	b = strconv.AppendInt(b, int64(s.limit), 10)
	return append(b, `,"sortField":"date","sortDirection":"asc"}`...)
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
	s.paged = true
	if s.at.FirstAsked.IsZero() {
		s.at.FirstAsked = a.Asked
	}
	s.at.Pages++
	s.at.Records += int64(len(a.Page.Records))
	s.at.Requests += int64(a.Requests)
	p := a.Page
	p.Number = s.number.Add(1)
	p.Position = s.at
	p.Resumed, p.Restarted = s.resumed, s.restarted
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
	s.at.Filters, p.Position.Filters = s.asking, s.asking
	if s.empty >= maxEmpty {
		return false, s.stalled(fmt.Sprintf("%d empty pages in a row", maxEmpty))
	}
	return false, nil
}

func (s *Scan) stalled(why string) error {
	hash := cursorHash(s.asking)
	return &StalledError{Why: why, Pages: s.at.Pages, Cursor: hex.EncodeToString(hash[:])}
}

func (s *Scan) fail(err error) error {
	return fmt.Errorf("read page %d of window %s: %w", s.at.Pages+1, s.window, err)
}

// cursorHash is enough of a SHA-256 to tell a million cursors apart.
func cursorHash(cursor []byte) [16]byte {
	sum := sha256.Sum256(cursor)
	return [16]byte(sum[:16])
}
