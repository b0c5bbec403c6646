package simulator

import (
	"sync"
	"time"
)

// limiter admits so many requests in any minute of its clock.
type limiter struct {
	perMinute int
	clock     func() time.Time

	mu    sync.Mutex
	taken []time.Time // admitted in the last minute, oldest first
}

// admit takes one request from the budget; if there is none left, wait is the
// time until there is.
func (l *limiter) admit() (wait time.Duration, ok bool) {
	if l.perMinute <= 0 {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	keep := 0
	for keep < len(l.taken) && now.Sub(l.taken[keep]) >= time.Minute {
		keep++
	}
	l.taken = l.taken[keep:]
	if len(l.taken) < l.perMinute {
		l.taken = append(l.taken, now)
		return 0, true
	}
	return time.Minute - now.Sub(l.taken[0]), false
}
