package ingest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"mdcalake/ingest"
)

// busiest is the largest number of times within any minute.
func busiest(times []time.Time) (most int) {
	first := 0
	for i, t := range times {
		for t.Sub(times[first]) >= time.Minute {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func TestTheRateHoldsInAnyMinute(t *testing.T) {
	for _, rate := range []int{1, 2, 3, 28, 30, 600} {
		for name, think := range map[string]func(i int) time.Duration{
			"at once":     func(int) time.Duration { return 0 },
			"slow starts": func(i int) time.Duration { return time.Duration(i%9/8) * 20 * time.Second },
			"uneven":      func(i int) time.Duration { return time.Duration(i*7919%4001) * time.Millisecond },
		} {
			clock := ingest.NewManualClock(start)
			l := ingest.NewLimiter(rate, clock, nil)
			var times []time.Time
			for i := range 4*rate + 50 {
				clock.Advance(think(i))
				if err := l.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				times = append(times, clock.Now())
			}
			if n := busiest(times); n > rate {
				t.Errorf("%d a minute, %s: %d requests in a minute", rate, name, n)
			}
			if name == "at once" {
				took := times[len(times)-1].Sub(times[0]).Seconds()
				if forced := float64(len(times)-1) / float64(rate) * 60; took > forced*1.05 {
					t.Errorf("%d a minute: %d requests took %.1f s, the rate forces %.1f s", rate, len(times), took, forced)
				}
			}
		}
	}
}

func TestASlowAnswerIsMadeGood(t *testing.T) {
	clock := ingest.NewManualClock(start)
	l := ingest.NewLimiter(28, clock, nil)
	const n = 281
	for i := range n {
		if err := l.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Duration(1+i%2*2) * time.Second) // 1 s and 3 s, 2 s on average
	}
	if took := clock.Now().Sub(start); took > 10*time.Minute*105/100 {
		t.Errorf("took %v for what 10m allow", took)
	}
}

func TestAHoldIsForEveryone(t *testing.T) {
	clock := ingest.NewManualClock(start)
	var told []string
	l := ingest.NewLimiter(0, clock, func(d time.Duration, why string) { told = append(told, d.String()+" "+why) })
	for range 100 {
		if err := l.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !clock.Now().Equal(start) {
		t.Error("rate 0 waited")
	}
	l.Hold(50*time.Second, "long")
	l.Hold(20*time.Second, "short")
	if err := l.Wait(t.Context()); err != nil || !clock.Now().Equal(start.Add(50*time.Second)) {
		t.Error(err, clock.Now())
	}
	if len(told) != 1 || told[0] != "50s long" {
		t.Errorf("%q", told)
	}
	l.Hold(time.Hour, "again")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTheLimiterIsShared(t *testing.T) {
	clock := ingest.NewManualClock(start)
	l := ingest.NewLimiter(28, clock, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 14 {
				if err := l.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if took := clock.Now().Sub(start); took < 3*time.Minute {
		t.Errorf("112 requests in %v", took)
	}
}

func TestTheSystemClockSleeps(t *testing.T) {
	clock := ingest.SystemClock()
	before := clock.Now()
	if err := clock.Sleep(t.Context(), time.Millisecond); err != nil || clock.Now().Sub(before) < time.Millisecond {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if err := clock.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := clock.Sleep(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
