package simulator

import (
	"sync"
	"time"
)

// Clock is a clock that a test moves: Options{Clock: clock.Now}. It is safe for
// concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at a moment.
func NewClock(at time.Time) *Clock { return &Clock{now: at} }

// Now is the moment at which the clock stands.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set puts the clock at a moment, which may lie in its past.
func (c *Clock) Set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = at
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Running returns a clock that shows start now and runs speed times as fast as
// real time. A speed of 1 keeps time, 0 stands still.
func Running(start time.Time, speed float64) func() time.Time {
	begin := time.Now()
	return func() time.Time {
		return start.Add(time.Duration(float64(time.Since(begin)) * speed))
	}
}
