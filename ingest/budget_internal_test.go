package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// body is one that comes in steps, is then whole, and is given back later.
type body struct {
	size, step int64
	wait       time.Duration // between two steps
	fails      bool          // in the middle
}

// TestTheBudgetHoldsAndNeverLocksUp reads bodies side by side, as windows do,
// with one lifter who takes his time over each.
func TestTheBudgetHoldsAndNeverLocksUp(t *testing.T) {
	const size = 1000
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 1))
				b := newBudget(size)
				var largest, most int64
				look := func() {
					b.mu.Lock()
					defer b.mu.Unlock()
					most = max(most, b.held)
				}
				lifter := make(chan *share)
				var lifting sync.WaitGroup
				lifting.Go(func() {
					for s := range lifter {
						time.Sleep(time.Second)
						s.giveBack()
					}
				})
				var reading sync.WaitGroup
				for range 1 + r.IntN(16) {
					var bodies []body
					for range 1 + r.IntN(6) {
						x := body{size: 1 + r.Int64N(1500), step: 1 + r.Int64N(400), wait: time.Duration(r.IntN(3)) * time.Second, fails: r.IntN(8) == 0}
						if r.IntN(3) == 0 {
							x.step = x.size // its length is known
						}
						largest = max(largest, x.size+x.step)
						bodies = append(bodies, x)
					}
					reading.Go(func() {
						for _, x := range bodies {
							s := b.begin()
							for n := x.step; ; n += x.step {
								if err := s.take(t.Context(), n, nil); err != nil {
									t.Error(err)
								}
								look()
								time.Sleep(x.wait)
								if n >= x.size || x.fails {
									break
								}
							}
							if x.fails {
								s.giveBack()
								continue
							}
							s.whole(true)
							lifter <- s
						}
					})
				}
				reading.Wait() // or the bubble is stuck, and says so
				close(lifter)
				lifting.Wait()
				if most > size+largest {
					t.Errorf("held %d of %d, the largest body had %d", most, size, largest)
				}
				if b.held != 0 || b.soon != 0 || len(b.reading) != 0 {
					t.Errorf("in the end %d are held, %d of them soon given back, by %d", b.held, b.soon, len(b.reading))
				}
			})
		})
	}
}

// A body that waits for another one, as an answer does that is kept while it is
// asked again, must not be waited for.
func TestAKeptBodyIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		kept := b.begin()
		must(t, kept.take(t.Context(), 90, nil))
		kept.whole(true)
		kept.keep()
		next := b.begin()
		must(t, next.take(t.Context(), 80, nil))
		next.whole(true)
		kept.giveBack()
		next.giveBack()
		next.giveBack()
		if b.held != 0 || b.soon != 0 {
			t.Errorf("%d held", b.held)
		}
	})
}

func TestWhoWaitsForMemoryCanBeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		first, second := b.begin(), b.begin()
		must(t, first.take(t.Context(), 100, nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var told []bool
		err := second.take(ctx, 1, func(waiting bool) { told = append(told, waiting) })
		if !errors.Is(err, context.DeadlineExceeded) || fmt.Sprint(told) != "[true]" {
			t.Errorf("%v, told %v", err, told)
		}
		second.giveBack()
		time.AfterFunc(time.Minute, first.giveBack)
		third := b.begin()
		told = nil
		must(t, third.take(t.Context(), 60, func(waiting bool) { told = append(told, waiting) }))
		if fmt.Sprint(told) != "[true false]" {
			t.Errorf("told %v", told)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
