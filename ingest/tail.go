package ingest

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"mdcalake/store"
)

// The tail follows save time: every so often it reads what was saved since the
// last time, whenever that happened, and a little of what was saved before, which
// may have become visible late. So late records need no second reading of their
// windows, as long as the tail has no gap.

// How long a round reaches back before the save time that the last one is
// complete through: twice the visibility lag that all but one of a thousand
// records stay under, between these bounds.
const (
	leastOverlap  = 10 * time.Minute
	mostOverlap   = 6 * time.Hour
	lagPercentile = 0.999
	lagMemory     = 1 << 20 // records; then all that were counted count half
)

// A tail that was away catches up in stretches of save time no longer than this,
// so that several of them can be read at a time.
const catchUpSpan = 6 * time.Hour

// Tail is what following knows from one run to the next of a process. It is
// used by one run at a time.
type Tail struct {
	Every time.Duration // between two rounds
	For   time.Duration // a run begins no round, and no window, after so long; 0: an hour

	through  time.Time           // the save time that the last round is complete through; zero: none yet
	seen     map[int64]time.Time // payloads of the overlap, by hash, and when they were saved
	known    time.Time           // all that was saved since is in seen; zero: no round has ended well yet
	lags     lags
	reading  int       // windows of the round under way
	spoiled  bool      // one of them failed
	refused  bool      // by an answer, and not by the network
	failures int       // rounds in a row before it of which a window was refused
	began    time.Time // the save time that the round began at
	old      time.Time // no later round reaches back so far
	complete time.Time // what the round will be complete through
}

// plan takes out of the question what the tail will read, and finds out where
// the tail goes on.
func (t *Tail) plan(s *store.Snapshot, q Question, now time.Time) Question {
	// The last run may have had no time to end its round; what it has read of it
	// is not read again, or a tail with much to catch up never would.
	if read := tailThrough(s, q, now); read.After(t.through) {
		t.through, t.known = read, time.Time{}
	}
	if now.Sub(t.through) > doorSpan {
		t.beginAnew(now) // nothing to go on from
		return q
	}
	// What happens after the tail's beginning is saved after it.
	q.Until, q.Followed = earlier(q.Until, t.begin()), t.begin()
	return q
}

// failedRounds is how many rounds in a row may be refused. The trouble is then a
// save time that the service cannot give, and no round would ever come past it.
const failedRounds = 3

// stuck says that the next round would be refused like those before it.
func (t *Tail) stuck() bool { return t.reading == 0 && t.refused && t.failures+1 >= failedRounds }

// beginAnew gives up what the tail has not read: windows of event time will.
func (t *Tail) beginAnew(now time.Time) {
	t.through, t.known = now.Add(-savedMargin), time.Time{}
	t.refused, t.failures = false, 0
}

// begin is where the next round begins.
func (t *Tail) begin() time.Time { return t.through.Add(-t.overlap()) }

// tailThrough is the save time that earlier tails of the same question came to
// without a gap; zero if there were none. A tail that was stopped while it caught
// up may have read what was saved last, and not what was saved before it. What
// it was before the door does not matter.
func tailThrough(s *store.Snapshot, q Question, now time.Time) time.Time {
	var all time.Time
	for i, service := range ledgerServices(q.Services) {
		var read []store.Rectangle
		for _, r := range s.Coverage {
			same := r.Service == nil || service != nil && *r.Service == *service
			ofTail := !r.SinceCreated.IsZero() && !r.Until.Before(r.ThroughCreated)
			if same && ofTail && r.State == q.state() && r.Filter == ledgerFilter(q.Filter) && now.Sub(r.ThroughCreated) <= doorSpan {
				read = append(read, r)
			}
		}
		slices.SortFunc(read, func(a, b store.Rectangle) int { return a.SinceCreated.Compare(b.SinceCreated) })
		var through time.Time
		for _, r := range read {
			if !through.IsZero() && r.SinceCreated.After(through) {
				break
			}
			through = later(through, r.ThroughCreated)
		}
		if i == 0 || through.Before(all) {
			all = through
		}
	}
	return all
}

// state is what the ledger calls what has been read for the question.
func (q Question) state() string {
	if len(q.Filter) > 0 {
		return StateFiltered
	}
	return StateComplete
}

func (t *Tail) overlap() time.Duration {
	return max(leastOverlap, min(mostOverlap, 2*t.lags.percentile(lagPercentile)))
}

// round makes the windows of a round.
func (t *Tail) round(q Question, now time.Time) []task {
	base := Window{Since: floorDay(now.Add(-doorSpan)), SortField: SortCreated, Services: q.Services, Filter: q.Filter}
	var out []task
	since := t.begin()
	t.began, t.old = since, now.Add(-savedMargin-clockTolerance-mostOverlap)
	for now.Sub(since) > catchUpSpan+mostOverlap {
		w := base
		w.CreatedSince, w.CreatedUntil = since, since.Truncate(catchUpSpan).Add(catchUpSpan)
		out = append(out, task{window: w, tail: t, why: whyTail})
		since = w.CreatedUntil
	}
	base.CreatedSince = since // and open: what is saved meanwhile comes along
	out = append(out, task{window: base, tail: t, why: whyTail})
	if t.refused {
		t.failures++
	}
	t.reading, t.spoiled, t.refused, t.complete = len(out), false, false, time.Time{}
	return out
}

const whyTail = "saved since the last round"

// note looks at the rows of a page: fresh ones were not seen in the round
// before. What was saved before that round ended, and is fresh all the same,
// became visible late; what was saved since could not be seen any earlier. Of a
// page that no tail asked for everything is fresh.
func (t *Tail) note(rows tally, now time.Time) (fresh bool) {
	if t == nil {
		return rows.inside > 0 || rows.outside > 0
	}
	if t.seen == nil {
		t.seen = map[int64]time.Time{}
	}
	fresh = rows.timeless > 0 // records without a save time
	for _, r := range rows.saved {
		if _, ok := t.seen[r.hash]; ok {
			continue
		}
		fresh = true
		saved := time.UnixMilli(r.created)
		if !saved.Before(t.old) { // a tail that catches up with weeks need not remember them
			t.seen[r.hash] = saved
		}
		switch {
		case t.known.IsZero() || saved.Before(t.known):
			// Nobody knows whether it was there before.
		case saved.Before(t.through):
			t.lags.add(now.Sub(saved))
		default:
			t.lags.add(0)
		}
	}
	return fresh
}

// ended counts a window of the round out.
func (t *Tail) ended(g *reading, err error) {
	if t == nil {
		return
	}
	if err != nil {
		t.spoiled = true
	} else if g.window.CreatedUntil.IsZero() {
		t.complete = g.asked.Add(-savedMargin)
	}
	t.oneLess()
}

// divided puts the parts of a window in its place. What of it is given up is in
// the ledger; the round goes on behind it.
func (t *Tail) divided(parts int) {
	if t != nil {
		t.reading += parts
		t.oneLess()
	}
}

// oneLess ends the round with its last window.
func (t *Tail) oneLess() {
	t.reading--
	if t.reading > 0 || t.spoiled || !t.complete.After(t.through) {
		return
	}
	t.through, t.known, t.failures = t.complete, t.began, 0
	for hash, saved := range t.seen { // what no later round will see again
		if saved.Before(t.begin()) {
			delete(t.seen, hash)
		}
	}
}

// lags counts how long records took from being saved to being fetched, by
// powers of a quarter of two, from a second on. What is long ago counts less and
// less: a service that was slow for a day is not slow for ever.
type lags struct {
	counts [64]int64
	all    int64
}

func (l *lags) add(d time.Duration) {
	i := int(4 * math.Log2(max(1, d.Seconds())))
	l.counts[min(i, len(l.counts)-1)]++
	if l.all++; l.all < lagMemory {
		return
	}
	l.all = 0
	for i := range l.counts {
		l.counts[i] /= 2
		l.all += l.counts[i]
	}
}

// percentile is what a share of the lags stays under; 0 for no lags.
func (l *lags) percentile(share float64) time.Duration {
	if l.all == 0 {
		return 0
	}
	want := int64(math.Ceil(share * float64(l.all)))
	for i, n := range l.counts {
		if want -= n; want <= 0 {
			return time.Duration(math.Exp2(float64(i+1)/4) * float64(time.Second))
		}
	}
	return mostOverlap
}

// rounds are the rounds of one run. A nil one has none.
type rounds struct {
	tail  *Tail
	clock Clock
	next  time.Time     // of the next round, if armed
	end   time.Time     // no round begins later
	wake  chan struct{} // when a round is due
	armed bool
}

// rounds begins the clockwork; the first round is due at once.
func (t *Tail) rounds(ctx context.Context, clock Clock) *rounds {
	if t == nil {
		return nil
	}
	t.reading = 0 // a round that the last run did not end is begun anew
	now := clock.Now()
	r := &rounds{tail: t, clock: clock, next: now, end: now.Add(cmp.Or(t.For, time.Hour)), wake: make(chan struct{}, 1)}
	r.arm(ctx)
	return r
}

// arm sets the alarm for the next round, if there is to be one.
func (r *rounds) arm(ctx context.Context) {
	now := r.clock.Now()
	if r.armed = !r.next.After(r.end); !r.armed {
		return
	}
	wait := r.next.Sub(now)
	go func() {
		if r.clock.Sleep(ctx, wait) == nil {
			r.wake <- struct{}{}
		}
	}()
}

func (r *rounds) due() <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.wake
}

// more tells whether a round is still to come.
func (r *rounds) more() bool { return r != nil && r.armed }

// over tells whether it is too late to begin anything.
func (r *rounds) over() bool { return r != nil && r.clock.Now().After(r.end) }

// begin takes the round that is due, and sets the alarm for the one after it.
// Where the last one is still under way, it does this one's work.
func (r *rounds) begin(ctx context.Context, q Question, now time.Time) (windows []task) {
	if r.tail.reading == 0 {
		windows = r.tail.round(q, now)
	}
	for local := r.clock.Now(); !r.next.After(local); {
		r.next = r.next.Add(max(r.tail.Every, time.Second))
	}
	r.arm(ctx)
	return windows
}
