package ingest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"mdcalake/store"
)

// A batch is committed when it has this many bytes or is this old, at the end
// of a window, and when the run is told to stop.
const (
	commitBytes = 64 << 20
	commitEvery = 60 * time.Second
)

// maxFailedWindows is how many windows in a row may fail before the run gives
// up: the trouble is then not the windows'.
const maxFailedWindows = 3

// Outcomes of a run.
const (
	OutcomeRunning     = store.OutcomeRunning
	OutcomeComplete    = store.OutcomeComplete
	OutcomePartial     = "partial" // some windows failed
	OutcomeInterrupted = "interrupted"
	OutcomeFailed      = "failed"
)

// Options say what to fetch and where to put it. Client, Writer, Since and
// Until are needed.
type Options struct {
	Client       *Client
	Writer       *store.Writer
	Since, Until time.Time // event time, [Since, Until); Until is cut at the server's clock
	Services     []int64   // app ids; none for all
	Filter       []byte    // further filters as JSON text
	PageSize     int       // records a request; 0: as many as the API gives
	KeepPages    bool      // keep the bodies of the answers in the lake
	Clock        Clock     // nil: the system's

	ToolVersion, Operator, CaseID, ClientID string

	// Progress is told how far the run is, often; it must return at once.
	Progress func(Progress)
	// Warn is told in a sentence of what the person should know but what does
	// not stop the run.
	Warn func(text string)

	commitBytes int64 // 0: the constant; tests set less
}

// Progress is where a run stands.
type Progress struct {
	Window         Window
	WindowNumber   int // from 1
	Windows        int
	Requests       int64
	Run            store.Run
	Elapsed        time.Duration
	Done           float64 // share of the asked event time, or of an import's bytes, that is behind, 0 to 1
	Read, Size     int64   // bytes of an import's inputs, as they are on the disk; a Size of 0 is not known
	Committed      bool    // a commit has just been made
	WindowFinished bool
}

// Summary is what a run did.
type Summary struct {
	Run            store.Run
	Windows        int // that begin before the server's clock
	Finished       int // scanned to their end
	Kept           int // finished by an interrupted run just before, not asked for again
	Failed         []FailedWindow
	NotWhole       []Shortfall // inputs of an import that did not come in whole
	Declared       *Declared   // what became of an import's declaration, if there was one
	OutsideWindow  int64       // records outside what was asked: the filter was not honoured
	Version        int64
	Head           string // VERSION:SHA256 of the log; empty: nothing was committed
	Elapsed        time.Duration
	FutureOfServer bool // all that was asked lies ahead of the server's clock
}

// FailedWindow is a window that could not be read to its end.
type FailedWindow struct {
	Window Window
	Err    error
}

// Run fetches what is asked for and appends it to the lake. What was committed
// before an error stays, and the same call later goes on from there. The
// Summary is never nil.
func Run(ctx context.Context, o Options) (*Summary, error) {
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.commitBytes == 0 {
		o.commitBytes = commitBytes
	}
	r := &run{o: o, summary: &Summary{}, started: o.Clock.Now()}
	err := r.do(ctx)
	r.summary.Elapsed = o.Clock.Now().Sub(r.started)
	return r.summary, err
}

// run is one run on its way.
type run struct {
	o        Options
	summary  *Summary
	started  time.Time
	append   *store.Append
	workers  []*worker
	snapshot *store.Snapshot
	facts    store.Run
	pages    atomic.Int64 // numbers of the run's pages

	requests   int64 // of finished windows
	inWindow   int64 // of the window under way, in this run
	serverNow  time.Time
	lastCommit time.Time
	bytes      int64 // of the batch
	batch      store.Commit
	committed  bool
	inARow     int // windows that failed one after the other
}

func (r *run) do(ctx context.Context) error {
	if err := CheckFilter(r.o.Filter, r.o.Services); err != nil {
		return err
	}
	r.o.Services, r.o.Filter = distinct(r.o.Services), effective(r.o.Filter)
	if r.summary.Windows = countWindows(r.o.Since, r.o.Until); r.summary.Windows == 0 {
		return &OptionError{Option: "time range", Problem: fmt.Sprintf("is empty: it begins at %s and ends at %s", r.o.Since.UTC().Format(time.RFC3339Nano), r.o.Until.UTC().Format(time.RFC3339Nano)), hint: "--since must be before --until"}
	}
	host := apiHost(r.o.Client.Host())
	if err := r.o.Writer.CheckTenant(host); err != nil {
		return err
	}
	var err error
	if r.snapshot, err = r.o.Writer.Snapshot(); err != nil {
		return err
	}
	r.facts = store.Run{
		RunID: store.NewRunID(r.started), Started: r.started.UTC().Truncate(time.Millisecond), Outcome: OutcomeRunning, Verb: "ingest", Host: host,
		CredentialKind: r.o.Client.CredentialKind(), ClientID: r.o.ClientID, ToolVersion: r.o.ToolVersion, Operator: r.o.Operator, CaseID: r.o.CaseID,
	}
	if r.append, err = r.o.Writer.Begin(r.facts); err != nil {
		return err
	}
	defer r.append.Close()
	for range min(2, runtime.GOMAXPROCS(0)) {
		r.workers = append(r.workers, newWorker())
	}
	r.lastCommit = r.started
	err = r.windows(ctx)
	r.summary.Run = r.currentRun()
	return err
}

// apiHost is the API's host as the ledger names it: without the port, which
// says nothing of the tenant, and one name for this machine, where the port of a
// simulator or a tunnel is another one every time.
func apiHost(address string) string {
	host := strings.ToLower(address)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if loopback(host) {
		return "localhost"
	}
	return host
}

// windows walks through all windows and ends the run.
func (r *run) windows(ctx context.Context) error {
	n := -1
	for w := range planWindows(r.o.Since, r.o.Until, r.o.Services, r.o.Filter) {
		n++
		if !r.serverNow.IsZero() && !w.Since.Before(r.serverNow) {
			break // nothing can have happened there yet
		}
		standing := stand(r.snapshot, w, r.o.Clock.Now())
		if standing.done {
			r.summary.Kept++
			// It is this run's now: once the run is complete, it is asked for again.
			standing.cursor.RunID = r.facts.RunID
			r.batch.Cursors = append(r.batch.Cursors, standing.cursor)
			continue
		}
		err := r.window(ctx, w, n, standing.from)
		switch {
		case err == nil:
			r.inARow = 0
			r.summary.Finished++
		case r.final(ctx, err):
			return r.stop(ctx, err)
		default:
			r.summary.Failed = append(r.summary.Failed, FailedWindow{Window: w, Err: err})
			if r.inARow++; r.inARow >= maxFailedWindows {
				return r.stop(ctx, fmt.Errorf("%d windows in a row could not be read, the last one: %w", r.inARow, err))
			}
			r.o.Warn(fmt.Sprintf("window %s is not whole: %v", w, err))
		}
	}
	outcome := OutcomeComplete
	if len(r.summary.Failed) > 0 {
		outcome = OutcomePartial
	}
	r.ended(outcome)
	if r.pages.Load() == 0 {
		return nil // an interrupted run had everything already
	}
	if err := r.commit(ctx); err != nil {
		return r.stop(ctx, lakeFault(err))
	}
	return nil
}

// final tells errors that end the run from those that only spoil a window. A
// service that has not answered at all is no window's fault; nothing has been
// made of the lake then.
func (r *run) final(ctx context.Context, err error) bool {
	var unreachable *UnreachableError
	var option *OptionError
	var fault *storeError
	switch {
	case ctx.Err() != nil, errors.As(err, &fault), errors.As(err, &option), errors.Is(err, ErrSignInRefused), errors.As(err, &unreachable):
		return true
	}
	var status *StatusError
	if errors.As(err, &status) && status.Status < 500 && status.Status != 408 {
		return true // the question is wrong; the next window asks the same one
	}
	return r.pages.Load() == 0
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

// stop ends the run early: what was read is kept, with the place to go on from.
func (r *run) stop(ctx context.Context, err error) error {
	outcome := OutcomeFailed
	if ctx.Err() != nil {
		outcome = OutcomeInterrupted
	}
	r.ended(outcome)
	var fault *storeError
	if errors.As(err, &fault) {
		return fault.err // the batch is lost, what was committed is not
	}
	if !r.committed && len(r.batch.Pages) == 0 {
		return err // the service has given nothing: no trace of the run is left
	}
	if cerr := r.commit(ctx); cerr != nil {
		return errors.Join(err, cerr)
	}
	return err
}

// ended notes how the run came to its end.
func (r *run) ended(outcome string) {
	r.facts.Outcome = outcome
	r.facts.Ended = r.o.Clock.Now().UTC().Truncate(time.Millisecond)
	r.summary.FutureOfServer = !r.serverNow.IsZero() && !r.o.Since.Before(r.serverNow)
}

// window scans one window. The error is the scan's or a storeError.
func (r *run) window(ctx context.Context, w Window, n int, from Position) error {
	at, read := from, false
	requestsBefore := from.Requests
	scan := r.o.Client.Scan(ctx, w, from, ScanOptions{Limit: r.o.PageSize, Numbers: &r.pages})
	var failure error
	for page, err := range scan.All() {
		if err != nil {
			failure = err
			break
		}
		if page.Restarted {
			requestsBefore = 0
		}
		r.clock(page, n)
		// Not broken off when the run is told to stop: a page half lifted would
		// spoil the whole batch.
		t, err := liftPage(context.WithoutCancel(ctx), r.append, r.workers, page.Records, pageNumber(page.Number), w)
		if err != nil {
			return lakeFault(err)
		}
		if t.outside > 0 {
			r.outside(w, t.outside)
		}
		if r.o.KeepPages {
			if err := r.append.KeepPage(page.Number, page.Body); err != nil {
				return lakeFault(err)
			}
		}
		at, read = page.Position, true
		r.inWindow = at.Requests - requestsBefore
		r.bytes += int64(len(page.Body))
		r.batch.Pages = append(r.batch.Pages, store.PageFact{
			Page: page.Number, SHA256: hex.EncodeToString(page.SHA256[:]), Bytes: int64(len(page.Body)), Records: int64(len(page.Records)), Fetched: page.Date.UTC(),
		})
		page.Release()
		r.progress(w, n, t.last, false)
		if !page.Last && (r.bytes >= r.o.commitBytes || r.append.Full() || r.o.Clock.Now().Sub(r.lastCommit) >= commitEvery) {
			r.cursor(w, at, false)
			if err := r.commit(ctx); err != nil {
				return lakeFault(err)
			}
			r.progress(w, n, t.last, true)
		}
	}
	at.Requests += scan.Sent() - r.inWindow // what no page has counted
	r.requests += scan.Sent()
	r.inWindow = 0
	if failure != nil {
		// Without a page the ledger knows the place already, and since when.
		if read {
			r.cursor(w, at, false)
		}
		if ctx.Err() == nil && r.pages.Load() > 0 {
			if at.FirstAsked.IsZero() {
				at.FirstAsked = r.serverNow
			}
			r.batch.Coverage = append(r.batch.Coverage, rectangles(w, at, r.facts.RunID, ledgerReason(w, failure))...)
		}
		return failure
	}
	r.cursor(w, at, true)
	r.batch.Coverage = append(r.batch.Coverage, rectangles(w, at, r.facts.RunID, "")...)
	last := n == r.summary.Windows-1 // then the run's last commit takes it along
	if !last {
		if err := r.commit(ctx); err != nil {
			return lakeFault(err)
		}
	}
	r.report(Progress{Window: w, WindowNumber: n + 1, Committed: !last, WindowFinished: true}, w.Until)
	return nil
}

// clock learns the server's time from a page, and so how many windows can have
// something in them; the nth is being read.
func (r *run) clock(p *Page, n int) {
	now := r.o.Clock.Now()
	switch {
	case !p.Date.IsZero():
		r.serverNow = p.Date
		if r.facts.ClockOffsetMS == nil {
			offset := p.Date.Sub(now).Milliseconds()
			r.facts.ClockOffsetMS = &offset
		}
	default:
		if r.serverNow.IsZero() {
			r.o.Warn("the API sends no Date header; this machine's clock is taken for the server's")
		}
		r.serverNow = now
	}
	r.summary.Windows = max(n+1, countWindows(r.o.Since, r.end()))
}

// end is the end of what is asked for, as far as it can have happened.
func (r *run) end() time.Time {
	if !r.serverNow.IsZero() && r.serverNow.Before(r.o.Until) {
		return r.serverNow
	}
	return r.o.Until
}

func (r *run) outside(w Window, n int64) {
	if r.summary.OutsideWindow == 0 {
		records := "records"
		if n == 1 {
			records = "record"
		}
		r.o.Warn(fmt.Sprintf("the API sent %d %s outside of window %s: it did not honour the date filter; kept all the same", n, records, w))
	}
	r.summary.OutsideWindow += n
}

// cursor notes in the batch where the window stands.
func (r *run) cursor(w Window, at Position, done bool) {
	c := store.Cursor{Key: windowKey(w), RunID: r.facts.RunID, Done: done, FirstAsked: at.FirstAsked.UTC(), At: r.o.Clock.Now().UTC(), Pages: at.Pages, Records: at.Records, Requests: at.Requests}
	// The service's cursor repeats the filter, which may name people: such a window
	// begins anew.
	if !done && len(w.Filter) == 0 {
		c.Filters = at.Filters
	}
	r.batch.Cursors = append(r.batch.Cursors, c)
}

// commit makes the batch part of the lake, also when the run has been told to
// stop: what was read is not read twice.
func (r *run) commit(ctx context.Context) error {
	r.batch.Run = r.facts
	r.batch.Run.Requests = r.requests + r.inWindow
	receipt, err := r.append.Commit(context.WithoutCancel(ctx), r.batch)
	var committed *store.CommittedError
	switch {
	case errors.As(err, &committed):
		receipt = committed.Receipt
	case err != nil:
		return err
	}
	r.batch, r.bytes, r.committed, r.lastCommit = store.Commit{}, 0, true, r.o.Clock.Now()
	r.summary.Version = receipt.Version
	r.summary.Head = fmt.Sprintf("%d:%s", receipt.Version, receipt.Head)
	return err
}

func (r *run) currentRun() store.Run {
	now := r.append.Run()
	now.Requests = r.requests + r.inWindow
	now.Outcome, now.Ended = r.facts.Outcome, r.facts.Ended
	return now
}

// progress tells of a page, or of a commit behind it.
func (r *run) progress(w Window, n int, lastMillis int64, committed bool) {
	reached := w.Since
	if last := time.UnixMilli(lastMillis); last.After(w.Since) && !last.After(w.Until) {
		reached = last
	}
	r.report(Progress{Window: w, WindowNumber: n + 1, Committed: committed}, reached)
}

// report fills in what every report has.
func (r *run) report(p Progress, reached time.Time) {
	p.Windows, p.Requests, p.Run, p.Elapsed = r.summary.Windows, r.requests+r.inWindow, r.currentRun(), r.o.Clock.Now().Sub(r.started)
	if span := r.end().Sub(r.o.Since); span > 0 {
		p.Done = max(0, min(1, float64(reached.Sub(r.o.Since))/float64(span)))
	}
	r.o.Progress(p)
}

// pageNumber fits a page's number into its column.
func pageNumber(n int64) int32 { return int32(min(n, 1<<31-1)) }
