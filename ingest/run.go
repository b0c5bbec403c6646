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
	replaced int           // of those, what was put back onto the agenda, in parts or whole
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
	if err := r.o.Writer.CheckTenant(apiHost(r.o.Client.Host())); err != nil {
		return err
	}
	snapshot, err := r.o.Writer.Snapshot()
	if err != nil {
		return err
	}
	r.plan(snapshot)
	r.tellOfTheDoor()
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

// tellOfTheDoor says that what is asked for is more than what the main route
// shows. An answer of nothing would look like a quiet time.
func (r *run) tellOfTheDoor() {
	door := r.agenda.now.Add(-doorSpan)
	if r.o.Archived || !r.o.Since.Before(door.Add(-clockTolerance)) {
		return
	}
	text := "what happened before " + door.UTC().Format(time.RFC3339)
	if !door.Before(r.o.Until) {
		text = "all that is asked for"
	}
	r.warnOnce("door", text+" is more than 30 days old, and the API's main route does not show it any more: in the ledger it is beyond the door, not complete (--archived asks the route that may have it)")
}

// check looks at what is asked for before anything is sent or planned.
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
	return nil
}

// plan fills the agenda.
func (r *run) plan(s *store.Snapshot) {
	q, now := r.o.question(), serverTime(s, r.started)
	r.agenda = agenda{filter: r.o.Filter, order: r.o.Order, now: now, density: newDensity(s, r.o.Services), pageSize: r.pageSize, parallel: max(r.o.Parallel, unlimitedParallel)}
	if r.o.Tail != nil {
		q = r.o.Tail.plan(s, q, now)
	}
	r.agenda.needs = needs(s, q, now)
	r.expected = r.agenda.weight()
}

// serverTime is a time of ours by the earlier of two clocks, as the last run that
// heard the server's has found them: claims go by it, and so does what is due.
func serverTime(s *store.Snapshot, now time.Time) time.Time {
	for _, r := range slices.Backward(s.Runs) {
		if r.ClockOffsetMS != nil {
			return earlier(now, now.Add(time.Duration(*r.ClockOffsetMS)*time.Millisecond))
		}
	}
	return now
}

func (o Options) question() Question {
	return Question{Since: o.Since, Until: o.Until, Services: o.Services, Filter: o.Filter, Again: o.Again, Archived: o.Archived}
}

// PlanRun says what a run with these options would read. It asks nobody and
// changes nothing; Client and Writer are not looked at.
func PlanRun(s *store.Snapshot, o Options, now time.Time) (Plan, error) {
	r := &run{o: o, started: now}
	if err := r.check(); err != nil {
		return Plan{}, err
	}
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
			if rounds.over() {
				continue // it was to be the last one, and the clock has woken us too late
			}
			r.paused = false
			if r.o.Tail.stuck() {
				r.o.Tail.beginAnew(r.now())
				r.leaveToWindows()
			}
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
	case len(r.summary.Failed) > 0, r.o.Tail != nil && r.o.Tail.spoiled && ctx.Err() == nil:
		outcome = OutcomePartial
	case r.o.Tail != nil && (r.cut || !r.agenda.empty()): // how following ends, in the midst of something
		outcome = OutcomeInterrupted
	}
	r.ended(outcome)
	if !r.committed && len(r.batch.Pages) == 0 {
		if failed := r.summary.Failed; r.pages.Load() == 0 && len(failed) > 0 {
			return failed[0].Err // nothing came, and that is why
		}
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
		g := &reading{task: t}
		r.reading[g] = true
		r.summary.Windows = r.begun - r.replaced
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
		g.requests.Add(page.Requests)
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
		g.requests.Add(page.Requests)
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

// claim puts into the batch what may be said of a window by now. The door moves
// while a run lasts: what it has hidden meanwhile is read on the other route, if
// that is wanted.
func (r *run) claim(g *reading, done bool) {
	claims := g.claims(r.facts.RunID, done)
	r.batch.Coverage = append(r.batch.Coverage, claims...)
	if !r.o.Archived || g.archived || g.tail != nil {
		return
	}
	for _, c := range claims {
		if c.State == StateBeyondDoor && (c.Service == nil || *c.Service == g.window.Services[0]) { // one for all of its services
			w := g.window
			w.Since, w.Until = c.Since, c.Until
			r.agenda.urgent(task{window: w, archived: true, why: g.why})
		}
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
		r.claim(g, true)
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
	r.spoiled(ctx, g, err)
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
	r.summary.Windows = r.begun - r.replaced
	r.facts.Ended = r.o.Clock.Now().UTC().Truncate(time.Millisecond)
	r.summary.FutureOfServer = !r.serverNow.IsZero() && !r.o.Since.Before(r.serverNow)
}

// clock learns the server's time from a page.
func (r *run) clock(p *Page) {
	now := r.o.Clock.Now()
	if p.Date.IsZero() {
		if r.facts.ClockOffsetMS == nil {
			r.warnOnce("date", "the API sends no Date header; this machine's clock is taken for the server's")
		}
		r.serverNow, r.offset = now.Add(p.Offset), p.Offset
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

// commit makes the batch part of the lake, also when the run has been told to
// stop: what was read is not read twice.
func (r *run) commit(ctx context.Context) error {
	for g := range r.reading {
		r.claim(g, false)
	}
	r.batch.Run = r.facts
	r.batch.Run.Requests = r.sent()
	receipt, err := r.append.Commit(context.WithoutCancel(ctx), r.batch)
	if !r.summary.committed(receipt, err) {
		return err
	}
	r.batch, r.bytes, r.fresh, r.committed, r.lastCommit = store.Commit{}, 0, false, true, r.o.Clock.Now()
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
	p.Window = r.shown(p.Window)
	p.WindowNumber, p.Requests, p.Run, p.Elapsed = r.begun-r.replaced, r.sent(), r.currentRun(), r.o.Clock.Now().Sub(r.started)
	p.Windows = p.WindowNumber + r.agenda.count()
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

// shown is a window as people are told of it: an end ahead of the clock is no end
// that anyone asked for.
func (r *run) shown(w Window) Window {
	if w.Until.After(r.now()) {
		w.Until = time.Time{}
	}
	return w
}

// pageNumber fits a page's number into its column.
func pageNumber(n int64) int32 { return int32(min(n, 1<<31-1)) }
