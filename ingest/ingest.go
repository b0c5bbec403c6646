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
	OutcomeRunning     = "running"
	OutcomeComplete    = "complete"
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
	Clock        Clock     // nil: the system's

	ToolVersion, Operator, CaseID, ClientID string

	// Progress is told how far the run is, often; it must return at once.
	Progress func(Progress)
	// Warn is told in a sentence of what the person should know but what does
	// not stop the run.
	Warn func(text string)
}

// Progress is where a run stands.
type Progress struct {
	Window         Window
	WindowNumber   int // from 1
	Windows        int
	Requests       int64
	Run            store.Run
	Elapsed        time.Duration
	Done           float64 // share of the asked event time that is behind, 0 to 1
	Committed      bool    // a commit has just been made
	WindowFinished bool
}

// Summary is what a run did.
type Summary struct {
	Run            store.Run
	Windows        int
	Finished       int // scanned to their end
	Kept           int // finished by an interrupted run just before, not asked for again
	Failed         []FailedWindow
	OutsideWindow  int64 // records outside what was asked: the filter was not honoured
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
	if !r.o.Since.Before(r.o.Until) {
		return &OptionError{Option: "time range", Problem: fmt.Sprintf("is empty: it begins at %s and ends at %s", r.o.Since.UTC().Format(time.RFC3339), r.o.Until.UTC().Format(time.RFC3339)), hint: "--since must be before --until"}
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
	windows := planWindows(r.o.Since, r.o.Until, r.o.Services, r.o.Filter)
	r.summary.Windows = len(windows)
	for n, w := range windows {
		if !r.serverNow.IsZero() && !w.Since.Before(r.serverNow) {
			r.summary.Windows = n // nothing can have happened there yet
			break
		}
		standing := stand(r.snapshot, w, r.o.Clock.Now())
		if standing.done {
			r.summary.Kept++
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
			r.o.Warn(fmt.Sprintf("window %s is not whole: %v; going on with the next", w, err))
			if r.inARow++; r.inARow >= maxFailedWindows {
				return r.stop(ctx, fmt.Errorf("%d windows in a row could not be read, the last one: %w", r.inARow, err))
			}
		}
	}
	if r.pages.Load() == 0 {
		return nil // an interrupted run had everything already
	}
	outcome := OutcomeComplete
	if len(r.summary.Failed) > 0 {
		outcome = OutcomePartial
	}
	return r.end(ctx, outcome)
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
	var fault *storeError
	if errors.As(err, &fault) {
		return fault.err // the batch is lost, what was committed is not
	}
	if !r.committed && r.batchEmpty() {
		return err
	}
	outcome := OutcomeFailed
	if ctx.Err() != nil {
		outcome = OutcomeInterrupted
	}
	// The commit is made whole even though the run has been told to stop.
	if cerr := r.end(context.WithoutCancel(ctx), outcome); cerr != nil {
		return errors.Join(err, cerr)
	}
	return err
}

func (r *run) batchEmpty() bool {
	return r.bytes == 0 && len(r.batch.Coverage) == 0 && len(r.batch.Pages) == 0
}

// end makes the last commit.
func (r *run) end(ctx context.Context, outcome string) error {
	r.summary.FutureOfServer = !r.o.Since.Before(r.serverNow)
	r.facts.Outcome = outcome
	r.facts.Ended = r.o.Clock.Now().UTC().Truncate(time.Millisecond)
	return r.commit(ctx)
}

// window scans one window. The error is the scan's or a storeError.
func (r *run) window(ctx context.Context, w Window, n int, from Position) error {
	at := from
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
		r.clock(page)
		t, err := liftPage(ctx, r.append, r.workers, page.Records, pageNumber(page.Number), w)
		if err != nil {
			return lakeFault(err)
		}
		if t.outside > 0 {
			r.outside(w, t.outside)
		}
		at = page.Position
		r.inWindow = at.Requests - requestsBefore
		r.bytes += int64(len(page.Body))
		r.batch.Pages = append(r.batch.Pages, store.PageFact{
			Page: page.Number, SHA256: hex.EncodeToString(page.SHA256[:]), Bytes: int64(len(page.Body)), Records: int64(len(page.Records)), Fetched: page.Date.UTC(),
		})
		page.Release()
		r.progress(w, n, t.last, false)
		if !page.Last && (r.bytes >= commitBytes || r.o.Clock.Now().Sub(r.lastCommit) >= commitEvery) {
			r.cursor(w, at, false)
			if err := r.commit(ctx); err != nil {
				return lakeFault(err)
			}
			r.progress(w, n, t.last, true)
		}
	}
	r.requests += r.inWindow
	r.inWindow = 0
	if failure != nil {
		if at.Pages > 0 && len(at.Filters) > 0 {
			r.cursor(w, at, false)
		}
		if ctx.Err() == nil && r.pages.Load() > 0 {
			if at.FirstAsked.IsZero() {
				at.FirstAsked = r.serverNow
			}
			r.batch.Coverage = append(r.batch.Coverage, rectangles(w, at, r.facts.RunID, short(failure))...)
		}
		return failure
	}
	r.cursor(w, at, true)
	r.batch.Coverage = append(r.batch.Coverage, rectangles(w, at, r.facts.RunID, "")...)
	if n == r.summary.Windows-1 {
		return nil // the run's last commit takes it along
	}
	if err := r.commit(ctx); err != nil {
		return lakeFault(err)
	}
	r.progress(w, n, w.Until.UnixMilli(), true)
	return nil
}

// short keeps an error fit for the log.
func short(err error) string {
	text := err.Error()
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + " ..."
	}
	return text
}

// clock learns the server's time from a page.
func (r *run) clock(p *Page) {
	if p.Date.IsZero() {
		if r.serverNow.IsZero() {
			r.o.Warn("the API sends no Date header; this machine's clock is taken for the server's")
		}
		r.serverNow = r.o.Clock.Now()
		return
	}
	r.serverNow = p.Date
	offset := p.Date.Sub(r.o.Clock.Now()).Milliseconds()
	if r.facts.ClockOffsetMS == nil {
		r.facts.ClockOffsetMS = &offset
	}
}

func (r *run) outside(w Window, n int64) {
	if r.summary.OutsideWindow == 0 {
		r.o.Warn(fmt.Sprintf("the API sent %d records outside of window %s: it did not honour the date filter; they are kept", n, w))
	}
	r.summary.OutsideWindow += n
}

// cursor notes in the batch where the window stands.
func (r *run) cursor(w Window, at Position, done bool) {
	c := store.Cursor{Key: windowKey(w), RunID: r.facts.RunID, Done: done, FirstAsked: at.FirstAsked.UTC(), At: r.o.Clock.Now().UTC(), Pages: at.Pages, Records: at.Records, Requests: at.Requests}
	if !done {
		c.Filters = at.Filters
	}
	r.batch.Cursors = append(r.batch.Cursors, c)
}

// commit makes the batch part of the lake.
func (r *run) commit(ctx context.Context) error {
	r.batch.Run = r.facts
	r.batch.Run.Requests = r.requests + r.inWindow
	receipt, err := r.append.Commit(ctx, r.batch)
	if err != nil {
		return err
	}
	r.batch, r.bytes, r.committed, r.lastCommit = store.Commit{}, 0, true, r.o.Clock.Now()
	r.summary.Version = receipt.Version
	r.summary.Head = fmt.Sprintf("%d:%s", receipt.Version, receipt.Head)
	return nil
}

func (r *run) currentRun() store.Run {
	now := r.append.Run()
	now.Requests = r.requests + r.inWindow
	now.Outcome, now.Ended = r.facts.Outcome, r.facts.Ended
	return now
}

func (r *run) progress(w Window, n int, lastMillis int64, committed bool) {
	span := r.o.Until.Sub(r.o.Since)
	done := 0.0
	if t := time.UnixMilli(lastMillis); t.After(r.o.Since) && span > 0 {
		done = min(1, float64(t.Sub(r.o.Since))/float64(span))
	}
	r.o.Progress(Progress{
		Window: w, WindowNumber: n + 1, Windows: r.summary.Windows, Requests: r.requests + r.inWindow, Run: r.currentRun(),
		Elapsed: r.o.Clock.Now().Sub(r.started), Done: done, Committed: committed, WindowFinished: !w.Until.After(time.UnixMilli(lastMillis)),
	})
}

// pageNumber fits a page's number into its column.
func pageNumber(n int64) int32 { return int32(min(n, 1<<31-1)) }
