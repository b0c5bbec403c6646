package ingest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mdcalake/store"
)

// A run: windows are read side by side under one limiter, and what comes is
// lifted and committed by one goroutine, this one. So everything here but the
// counters of pages is touched by one goroutine alone.

// A batch is committed when it has this many bytes or is this old, and when the
// run ends or is told to stop. The end of a window is no reason of its own:
// where windows are small, many of them share a commit.
const (
	commitBytes = 64 << 20
	commitEvery = 60 * time.Second
)

// maxFailures is how many readings may fail one after the other, without a page
// in between, before the run gives up: the trouble is then not the windows'.
const maxFailures = 3

// Outcomes of a run.
const (
	OutcomeRunning     = store.OutcomeRunning
	OutcomeComplete    = store.OutcomeComplete
	OutcomePartial     = "partial" // some windows failed
	OutcomeInterrupted = "interrupted"
	OutcomeFailed      = "failed"
)

// Options say what to fetch and where to put it. Client, Writer and Since are
// needed.
type Options struct {
	Client *Client
	Writer *store.Writer
	// Since and Until bound event time, [Since, Until). A zero Until is open: it
	// takes what there is, events with a time somewhat ahead too.
	Since, Until time.Time
	Services     []int64 // app ids; none for all
	Filter       []byte  // further filters as JSON text
	Again        bool    // read also what has been read and is not due again
	Archived     bool    // read what is older than 30 days, too, on the archived route
	Order        Order   // "" is NewestFirst
	Parallel     int     // windows at a time; 0: as many as keep the rate busy
	PageSize     int     // records a request; 0: as many as the API gives
	KeepPages    bool    // keep the bodies of the answers in the lake
	Tail         *Tail   // follow what is saved; nil: do not
	Clock        Clock   // nil: the system's

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
	Window         Window   // that the report is about
	Reading        []Window // under way
	WindowNumber   int      // windows that have been begun
	Windows        int      // and that there will be, as far as can be said
	Requests       int64
	LeftInMinute   int // requests that the rate leaves in this minute; -1: no limit
	Run            store.Run
	Elapsed        time.Duration
	Done           float64 // share of what is to be read, or of an import's bytes, that is behind, 0 to 1
	Read, Size     int64   // bytes of an import's inputs, as they are on the disk; a Size of 0 is not known
	Committed      bool    // a commit has just been made
	WindowFinished bool
	Round          int // of the tail, from 1; 0: none yet
}

// Summary is what a run did.
type Summary struct {
	Run            store.Run
	Windows        int // that were begun
	Finished       int // scanned to their end
	Failed         []FailedWindow
	NotWhole       []Shortfall // inputs of an import that did not come in whole
	Declared       *Declared   // what became of an import's declaration, if there was one
	OutsideWindow  int64       // records outside what was asked: the filter was not honoured
	Rounds         int         // of the tail
	Version        int64
	Head           string // VERSION:SHA256 of the log; empty: nothing was committed
	Elapsed        time.Duration
	FutureOfServer bool // all that was asked lies ahead of the server's clock
	NothingToDo    bool // all that was asked for has been read, and nothing is due again
}

// FailedWindow is a window that could not be read to its end.
type FailedWindow struct {
	Window Window
	Err    error
}

// Run fetches what of the question is not in the lake yet, or due again, and
// appends it. What was committed before an error stays, and the same call later
// goes on from there. With a Tail it goes on until its time is up. The Summary
// is never nil.
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
	r := &run{o: o, summary: &Summary{}, started: o.Clock.Now(), reading: map[*reading]bool{}, events: make(chan event)}
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
	facts    store.Run
	pages    atomic.Int64 // numbers of the run's pages
	pageSize *PageSize

	agenda   agenda
	reading  map[*reading]bool
	events   chan event
	begun    int
	expected float64       // what there is to read, in parts of the agenda's own measure
	finished float64       // and what of it is behind
	took     time.Duration // a page, smoothed

	requests   int64 // of readings that have ended
	serverNow  time.Time
	offset     time.Duration // the server's clock minus ours
	lastCommit time.Time
	bytes      int64 // of the batch
	fresh      bool  // the batch may have something new
	batch      store.Commit
	committed  bool
	inARow     int  // readings that failed one after the other
	paused     bool // nothing is begun before the next round
	cut        bool // a reading was stopped
	warned     map[string]bool
	fault      error // ends the run
}

func (r *run) do(ctx context.Context) error {
	if err := r.check(); err != nil {
		return err
	}
	snapshot, err := r.o.Writer.Snapshot()
	if err != nil {
		return err
	}
	r.plan(snapshot)
	if r.agenda.empty() && r.o.Tail == nil {
		r.summary.NothingToDo, r.summary.Run.Outcome = true, OutcomeComplete
		return nil
	}
	r.facts = store.Run{
		RunID: store.NewRunID(r.started), Started: r.started.UTC().Truncate(time.Millisecond), Outcome: OutcomeRunning, Verb: "ingest", Host: apiHost(r.o.Client.Host()),
		CredentialKind: r.o.Client.CredentialKind(), ClientID: r.o.ClientID, ToolVersion: r.o.ToolVersion, Operator: r.o.Operator, CaseID: r.o.CaseID,
		PageSize: int64(r.pageSize.Get()),
	}
	if r.append, err = r.o.Writer.Begin(r.facts); err != nil {
		return err
	}
	defer r.append.Close()
	for range min(2, runtime.GOMAXPROCS(0)) {
		r.workers = append(r.workers, newWorker())
	}
	r.lastCommit = r.started
	err = r.read(ctx)
	r.summary.Run = r.currentRun()
	return err
}

// check looks at what is asked for before anything is sent.
func (r *run) check() error {
	if err := CheckFilter(r.o.Filter, r.o.Services); err != nil {
		return err
	}
	r.o.Services, r.o.Filter = distinct(r.o.Services), effective(r.o.Filter)
	if r.o.Until.IsZero() {
		r.o.Until = later(r.started.Add(openSpan), r.o.Since.Add(openSpan))
	}
	if since, until := wholeMillis(r.o.Since), wholeMillis(r.o.Until); !since.Before(until) {
		return &OptionError{Option: "time range", Problem: fmt.Sprintf("is empty: it begins at %s and ends at %s", r.o.Since.UTC().Format(time.RFC3339Nano), r.o.Until.UTC().Format(time.RFC3339Nano)), hint: "--since must be before --until"}
	}
	r.pageSize = NewPageSize(r.o.PageSize)
	return r.o.Writer.CheckTenant(apiHost(r.o.Client.Host()))
}

// plan fills the agenda.
func (r *run) plan(s *store.Snapshot) {
	q := r.o.question()
	r.agenda = agenda{filter: r.o.Filter, order: r.o.Order, now: r.started, density: newDensity(s, r.o.Services), pageSize: r.pageSize, parallel: max(r.o.Parallel, unlimitedParallel)}
	if r.o.Tail != nil {
		q = r.o.Tail.plan(s, q, r.started)
	}
	r.agenda.needs = needs(s, q, r.started)
	r.expected = r.agenda.weight()
}

func (o Options) question() Question {
	return Question{Since: o.Since, Until: o.Until, Services: o.Services, Filter: o.Filter, Again: o.Again, Archived: o.Archived}
}

// PlanRun says what a run with these options would read. It asks nobody and
// changes nothing; Client and Writer are not looked at.
func PlanRun(s *store.Snapshot, o Options, now time.Time) (Plan, error) {
	r := &run{o: o, started: now}
	if err := CheckFilter(o.Filter, o.Services); err != nil {
		return Plan{}, err
	}
	r.o.Services, r.o.Filter = distinct(o.Services), effective(o.Filter)
	if o.Until.IsZero() {
		r.o.Until = later(now.Add(openSpan), o.Since.Add(openSpan))
	}
	r.pageSize = NewPageSize(o.PageSize)
	r.plan(s)
	return r.agenda.plan(), nil
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

// read works through the agenda and ends the run.
func (r *run) read(ctx context.Context) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	rounds := r.o.Tail.rounds(within, r.o.Clock)
	for {
		if !rounds.over() {
			r.fill(within)
		}
		if len(r.reading) == 0 && (r.fault != nil || ctx.Err() != nil || rounds.over() || (r.agenda.empty() || r.paused) && !rounds.more()) {
			break
		}
		select {
		case e := <-r.events:
			if e.page != nil {
				r.take(ctx, e)
			} else {
				r.end(ctx, e)
			}
		case <-rounds.due():
			r.paused = false
			r.agenda.urgent(rounds.begin(within, r.o.question(), r.now())...)
			r.summary.Rounds++
		case <-r.stopped(ctx):
		}
		if r.fault != nil {
			cancel()
		}
	}
	switch {
	case r.fault != nil:
		return r.stop(ctx, r.fault)
	case ctx.Err() != nil && r.o.Tail == nil && (r.cut || !r.agenda.empty()):
		return r.stop(ctx, ctx.Err())
	}
	return r.finish(ctx)
}

// stopped wakes the run when it is told to stop while nothing is under way.
func (r *run) stopped(ctx context.Context) <-chan struct{} {
	if len(r.reading) > 0 {
		return nil // the readings notice, and say so
	}
	return ctx.Done()
}

// finish commits what is left of a run that has come to its end.
func (r *run) finish(ctx context.Context) error {
	outcome := OutcomeComplete
	switch {
	case len(r.summary.Failed) > 0:
		outcome = OutcomePartial
	case r.o.Tail != nil && (ctx.Err() != nil || !r.agenda.empty()): // how following ends
		outcome = OutcomeInterrupted
	}
	r.ended(outcome)
	if !r.committed && len(r.batch.Pages) == 0 {
		return nil // stopped before anything came: no trace is left
	}
	if err := r.commit(ctx); err != nil {
		return r.stop(ctx, lakeFault(err))
	}
	return nil
}

// The windows that are read at a time where nothing else is said: as many as
// keep the rate busy, each of them waiting for a page most of the time.
const (
	unlimitedParallel = 4
	mostParallel      = 16
	usualPageTime     = 8 * time.Second
)

// parallel is how many windows may be under way. The first page comes alone:
// where the door is shut, one knock is enough.
func (r *run) parallel() int {
	if r.pages.Load() == 0 {
		return 1
	}
	if r.o.Parallel > 0 {
		return r.o.Parallel
	}
	rate := r.o.Client.Rate()
	if rate == 0 {
		return unlimitedParallel
	}
	took := r.took
	if took == 0 {
		took = usualPageTime
	}
	return max(2, min(mostParallel, int(took.Minutes()*float64(rate))+2))
}

// fill begins as many windows as may be under way.
func (r *run) fill(ctx context.Context) {
	for r.fault == nil && ctx.Err() == nil && !r.paused && len(r.reading) < r.parallel() {
		r.agenda.parallel = r.parallel()
		t, ok := r.agenda.next()
		if !ok {
			return
		}
		if !r.serverNow.IsZero() && !t.window.Since.IsZero() && !t.window.Since.Before(r.serverNow) {
			continue // nothing can have happened there yet
		}
		r.begun++
		g := &reading{task: t, number: r.begun}
		r.reading[g] = true
		r.summary.Windows = r.begun
		go func() {
			err := g.walk(ctx, r.o.Client, ScanOptions{Limit: r.pageSize, Numbers: &r.pages, prompt: true}, r.events)
			r.events <- event{from: g, err: err}
		}()
	}
}

// take puts a page into the batch. A page that was handed out is stored, also
// when the run has been told to stop.
func (r *run) take(ctx context.Context, e event) {
	defer close(e.taken)
	defer e.page.Release()
	g, page := e.from, e.page
	if r.fault != nil {
		g.unwelcome = r.fault
		return
	}
	r.inARow = 0
	r.clock(page)
	if r.took == 0 {
		r.took = page.Took
	}
	r.took += (page.Took - r.took) / 8
	// Not broken off when the run is told to stop: a page half lifted would spoil
	// the whole batch.
	t, err := liftPage(context.WithoutCancel(ctx), r.append, r.workers, page.Records, pageNumber(page.Number), g.window, g.tail != nil)
	if err == nil && r.o.KeepPages {
		err = r.append.KeepPage(page.Number, page.Body)
	}
	if err != nil {
		r.fault = lakeFault(err)
		g.unwelcome = r.fault
		return
	}
	before := later(g.window.Since, g.reached)
	g.note(page, t, r.offset)
	r.measure(g, before, g.reached, int64(len(page.Records)), int64(len(page.Body)))
	r.outside(g, page, t)
	if n := int64(len(page.Records)); page.HasNext && n > r.facts.PageRecords && !g.archived {
		r.facts.PageRecords = n
		r.agenda.density.givesAPage(n, r.facts.PageSize)
	}
	r.fresh = g.tail.note(t, r.now()) || r.fresh
	r.bytes += int64(len(page.Body))
	r.batch.Pages = append(r.batch.Pages, store.PageFact{
		Page: page.Number, SHA256: hex.EncodeToString(page.SHA256[:]), Bytes: int64(len(page.Body)), Records: int64(len(page.Records)), Fetched: page.Date.UTC(),
	})
	r.report(Progress{Window: g.window})
	if r.bytes >= r.o.commitBytes || r.append.Full() || r.fresh && r.o.Clock.Now().Sub(r.lastCommit) >= commitEvery {
		r.commitOnTheWay(ctx, g)
	}
}

// measure tells the density what a window by event time has shown.
func (r *run) measure(g *reading, since, until time.Time, records, bytes int64) {
	if g.tail == nil && g.window.sortField() == SortDate {
		r.agenda.density.saw(time.Duration(passed(since, until, r.now())*float64(time.Second)), records, bytes)
	}
}

func (r *run) commitOnTheWay(ctx context.Context, g *reading) {
	if err := r.commit(ctx); err != nil {
		r.fault = lakeFault(err)
		g.unwelcome = r.fault
		return
	}
	r.report(Progress{Window: g.window, Committed: true})
}

// end deals with a reading that has ended, well or not.
func (r *run) end(ctx context.Context, e event) {
	g := e.from
	delete(r.reading, g)
	r.requests += g.requests.Load()
	err := e.err
	if err == nil {
		err = g.unwelcome
	}
	if err == nil {
		r.batch.Coverage = append(r.batch.Coverage, g.claims(r.facts.RunID, true)...)
		r.measure(g, later(g.window.Since, g.reached), g.window.Until, 0, 0)
		if g.tail == nil {
			r.finished += passed(g.window.Since, g.window.Until, r.now())
		}
		r.summary.Finished++
		g.tail.ended(g, nil)
		r.report(Progress{Window: g.window, WindowFinished: true})
		if g.tail != nil && r.fresh && len(r.reading) == 0 {
			r.commitOnTheWay(ctx, g)
		}
		return
	}
	r.batch.Coverage = append(r.batch.Coverage, g.claims(r.facts.RunID, false)...)
	if r.fault != nil || ctx.Err() != nil {
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
		}
		r.paused = true
		r.warnOnce("unreachable", fmt.Sprintf("the API cannot be reached, the next round tries again: %v", err))
	case r.inARow >= maxFailures && r.o.Tail == nil:
		r.fault = fmt.Errorf("%d windows in a row could not be read, the last one: %w", r.inARow, err)
	case g.tail != nil && !errors.As(err, &stalled):
		g.tail.ended(g, err) // the next round reads it again
		r.warnOnce("tail", fmt.Sprintf("%s could not be read, the next round tries again: %v", g.window, err))
	default:
		r.failed(g, err)
	}
}

// failed puts what is left of a window back on the agenda, in parts, or gives
// it up.
func (r *run) failed(g *reading, err error) {
	again, failed := g.afterFailure(err)
	r.agenda.urgent(again...)
	g.tail.divided(len(again))
	for _, w := range failed {
		r.summary.Failed = append(r.summary.Failed, FailedWindow{Window: w, Err: err})
		r.o.Warn(fmt.Sprintf("window %s is not whole: %v", w, err))
		r.giveUp(g, w, err)
	}
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
	case r.pages.Load() == 0, errors.As(err, &option), errors.Is(err, ErrSignInRefused):
		return true
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

// clock learns the server's time from a page.
func (r *run) clock(p *Page) {
	now := r.o.Clock.Now()
	if p.Date.IsZero() {
		r.warnOnce("date", "the API sends no Date header; this machine's clock is taken for the server's")
		r.serverNow, r.offset = now, 0
		return
	}
	r.serverNow, r.offset = p.Date, p.Offset
	if r.facts.ClockOffsetMS == nil {
		offset := r.offset.Milliseconds()
		r.facts.ClockOffsetMS = &offset
	}
	if r.offset.Abs() > clockTolerance {
		r.warnOnce("clock", fmt.Sprintf("the server's clock and this machine's differ by %s; the earlier one counts for what may be claimed as complete", r.offset.Abs().Round(time.Second)))
	}
	r.agenda.now = r.now()
}

// clockTolerance is how far the clocks may be apart before it is told.
const clockTolerance = 5 * time.Minute

// now is the time by the earlier of the two clocks: it decides what may be
// claimed, and a claim too small only costs a second reading.
func (r *run) now() time.Time {
	return earlier(r.o.Clock.Now(), r.o.Clock.Now().Add(r.offset))
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
	r.warnOnce("outside", fmt.Sprintf("the API sent %d %s outside of window %s: it did not honour the filter; kept all the same", t.outside, records, g.window))
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

// commit makes the batch part of the lake, also when the run has been told to
// stop: what was read is not read twice.
func (r *run) commit(ctx context.Context) error {
	for g := range r.reading {
		r.batch.Coverage = append(r.batch.Coverage, g.claims(r.facts.RunID, false)...)
	}
	r.batch.Run = r.facts
	r.batch.Run.Requests = r.sent()
	receipt, err := r.append.Commit(context.WithoutCancel(ctx), r.batch)
	var committed *store.CommittedError
	switch {
	case errors.As(err, &committed):
		receipt = committed.Receipt
	case err != nil:
		return err
	}
	r.batch, r.bytes, r.fresh, r.committed, r.lastCommit = store.Commit{}, 0, false, true, r.o.Clock.Now()
	r.summary.Version = receipt.Version
	r.summary.Head = fmt.Sprintf("%d:%s", receipt.Version, receipt.Head)
	return err
}

// sent is how many requests the run has sent, as far as they have been told of.
func (r *run) sent() int64 {
	n := r.requests
	for g := range r.reading {
		n += g.requests.Load()
	}
	return n
}

func (r *run) currentRun() store.Run {
	now := r.append.Run()
	now.Requests = r.sent()
	now.Outcome, now.Ended = r.facts.Outcome, r.facts.Ended
	return now
}

// report fills in what every report has.
func (r *run) report(p Progress) {
	p.WindowNumber, p.Requests, p.Run, p.Elapsed = r.begun, r.sent(), r.currentRun(), r.o.Clock.Now().Sub(r.started)
	p.Windows = r.begun + r.agenda.count()
	p.Round, p.LeftInMinute = r.summary.Rounds, r.o.Client.Left()
	done := r.finished
	for g := range r.reading {
		p.Reading = append(p.Reading, g.window)
		if g.tail == nil && !g.reached.IsZero() && g.window.sortField() == SortDate {
			done += passed(g.window.Since, g.reached, r.now())
		}
	}
	slices.SortFunc(p.Reading, func(a, b Window) int { return a.Since.Compare(b.Since) })
	if r.expected > 0 {
		p.Done = max(0, min(1, done/r.expected))
	}
	r.o.Progress(p)
}

// pageNumber fits a page's number into its column.
func pageNumber(n int64) int32 { return int32(min(n, 1<<31-1)) }
