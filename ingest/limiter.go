package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The API allows 30 requests a minute and tenant, and other tools of the same
// tenant share them: so the command asks for 28 by default, and the burst stays
// small. The bucket spreads requests over the minute and lets a slow answer be
// made good by a quicker one; on top of it, the times of the last requests make
// the promise exact, because a bucket alone lets rate + burst through in the
// worst minute.
const (
	limitPeriod = time.Minute
	limitBurst  = 2
)

// A 429 says that someone else uses more of the tenant's rate than was thought:
// after the silence the pace is slower, and it recovers by one request a minute
// every minute.
const (
	slowerBy  = 0.7
	slowestOf = 4.0 // requests a minute, or the limit itself if that is less
)

// Limiter paces the requests of one tenant: at most so many in any minute, and
// none at all while the API has asked for silence. It is shared by all windows
// of a run and may be used by several goroutines.
type Limiter struct {
	clock  Clock
	onWait func(d time.Duration, why string)

	mu      sync.Mutex
	bucket  *rate.Limiter // nil: no limit
	granted []time.Time   // ring of the last requests, one place per request allowed in a minute
	next    int
	until   time.Time // nobody asks before this
	why     string
	pace    float64   // requests a minute: at most len(granted)
	pacedAt time.Time // when the pace was last looked at
}

// NewLimiter returns a limiter for so many requests a minute; 0 is no limit,
// which still obeys Hold. onWait, if not nil, is told of each wait beforehand.
func NewLimiter(perMinute int, clock Clock, onWait func(d time.Duration, why string)) *Limiter {
	l := &Limiter{clock: clock, onWait: onWait}
	if perMinute > 0 {
		l.bucket = rate.NewLimiter(rate.Limit(float64(perMinute)/limitPeriod.Seconds()), limitBurst)
		l.granted = make([]time.Time, perMinute)
		l.pace = float64(perMinute)
	}
	return l
}

// Wait returns when one request may be sent, or the context's error.
func (l *Limiter) Wait(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		d, why := l.take()
		if d <= 0 {
			return nil
		}
		if l.onWait != nil {
			l.onWait(d, why)
		}
		if err := l.clock.Sleep(ctx, d); err != nil {
			return err
		}
	}
}

// take grants a request now, or says how long to wait before asking again. A
// wait reserves nothing, so a waiter that gives up leaves nothing to undo.
func (l *Limiter) take() (time.Duration, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if now.Before(l.until) {
		return l.until.Sub(now), l.why
	}
	if l.bucket == nil {
		return 0, ""
	}
	l.recover(now)
	why := fmt.Sprintf("pacing: %.0f requests a minute", l.pace)
	if oldest := l.granted[l.next]; !oldest.IsZero() {
		if d := oldest.Add(limitPeriod).Sub(now); d > 0 {
			return d, why
		}
	}
	if r := l.bucket.ReserveN(now, 1); r.DelayFrom(now) > 0 {
		d := r.DelayFrom(now)
		r.CancelAt(now)
		// Rounded up, or the last nanosecond of a float would be slept alone.
		return (d + time.Millisecond - 1).Truncate(time.Millisecond), why
	}
	l.granted[l.next] = now
	l.next = (l.next + 1) % len(l.granted)
	return 0, ""
}

// Hold keeps everyone from asking for d from now on; a hold that ends later
// stays. why is told to those who wait.
func (l *Limiter) Hold(d time.Duration, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := l.clock.Now().Add(d); until.After(l.until) {
		l.until, l.why = until, why
	}
}

// Throttled is Hold for an answer of 429: what comes after the silence comes at
// a slower pace. Answers that come while everyone is held already tell of the
// same trouble and slow nothing further.
func (l *Limiter) Throttled(d time.Duration, why string) {
	l.mu.Lock()
	now := l.clock.Now()
	if l.bucket != nil && !now.Before(l.until) {
		l.recover(now)
		l.setPace(max(l.pace*slowerBy, min(slowestOf, float64(len(l.granted)))), now)
	}
	l.mu.Unlock()
	l.Hold(d, why)
}

// recover lets the pace grow with the time since it was last looked at.
func (l *Limiter) recover(now time.Time) {
	most := float64(len(l.granted))
	if l.pace >= most {
		return
	}
	l.setPace(min(most, l.pace+now.Sub(later(l.pacedAt, l.until)).Minutes()), now)
}

func (l *Limiter) setPace(pace float64, now time.Time) {
	if pace < l.pace || now.After(l.pacedAt) {
		l.pace, l.pacedAt = pace, now
		l.bucket.SetLimitAt(now, rate.Limit(pace/limitPeriod.Seconds()))
	}
}

// PerMinute is the most requests a minute; 0: no limit.
func (l *Limiter) PerMinute() int { return len(l.granted) }

// Left is how many requests the last minute leaves of the limit; -1: there is
// no limit.
func (l *Limiter) Left() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bucket == nil {
		return -1
	}
	left, now := 0, l.clock.Now()
	for _, at := range l.granted {
		if at.IsZero() || now.Sub(at) >= limitPeriod {
			left++
		}
	}
	return left
}
