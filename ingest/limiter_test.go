package ingest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

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

// counted asks as fast as the limiter lets it, and counts the requests of each
// of so many minutes.
func counted(t *testing.T, l *ingest.Limiter, clock *ingest.ManualClock, minutes int) []int {
	t.Helper()
	counts := make([]int, minutes)
	for begin := clock.Now(); ; {
		if err := l.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		minute := int(clock.Now().Sub(begin) / time.Minute)
		if minute >= minutes {
			return counts
		}
		counts[minute]++
	}
}

// within tells whether each count is what is wanted, or one less or more: a
// request may fall on either side of a minute's end. The burst comes on top, in
// the first one.
func within(want, got []int) bool {
	for i, burst := range got {
		if burst -= want[i]; burst < -1 || burst > 1 && (i > 0 || burst > 2) {
			return false
		}
	}
	return len(want) == len(got)
}

func TestAfterA429ThePaceIsSlowerAndRecovers(t *testing.T) {
	for name, c := range map[string]struct {
		rate     int
		troubles int // each after the silence of the one before
		want     []int
	}{
		"none":                {28, 0, []int{28, 28}},
		"one":                 {28, 1, []int{20, 21, 22, 23, 24, 25, 26, 27, 28, 28}},
		"two":                 {28, 2, []int{14, 15, 16, 17}},
		"as many as you like": {28, 20, []int{4, 5, 6, 7, 8}},
		"a small limit":       {3, 20, []int{3, 3, 3}},
		"the smallest":        {1, 20, []int{1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			clock := ingest.NewManualClock(start)
			l := ingest.NewLimiter(c.rate, clock, nil)
			for range c.troubles {
				l.Throttled(10*time.Minute, "throttled") // in which nothing recovers
				clock.Advance(10 * time.Minute)
			}
			if got := counted(t, l, clock, len(c.want)); !within(c.want, got) {
				t.Errorf("requests a minute: %v, want about %v", got, c.want)
			}
		})
	}
}

func TestA429HoldsEveryoneAsLongAsItSays(t *testing.T) {
	for _, rate := range []int{0, 28} {
		clock := ingest.NewManualClock(start)
		l := ingest.NewLimiter(rate, clock, nil)
		l.Throttled(40*time.Second, "throttled")
		l.Throttled(15*time.Second, "throttled")
		if err := l.Wait(t.Context()); err != nil || !clock.Now().Equal(start.Add(40*time.Second)) {
			t.Errorf("rate %d: %v after %v", rate, err, clock.Now().Sub(start))
		}
	}
}

func TestSeveral429OfOneTroubleSlowOnce(t *testing.T) {
	clock := ingest.NewManualClock(start)
	l := ingest.NewLimiter(28, clock, nil)
	for range 16 { // windows whose requests were under way
		l.Throttled(time.Minute, "throttled")
		clock.Advance(3 * time.Second)
	}
	clock.Advance(time.Minute)
	if got := counted(t, l, clock, 3); !within([]int{20, 21, 22}, got) {
		t.Errorf("requests a minute: %v", got)
	}
}

func TestARecoveredPaceIsToldToThoseWhoWait(t *testing.T) {
	clock := ingest.NewManualClock(start)
	var told []string
	l := ingest.NewLimiter(28, clock, func(_ time.Duration, why string) { told = append(told, why) })
	l.Throttled(time.Minute, "throttled by the API")
	counted(t, l, clock, 20)
	want := []string{"throttled by the API", "pacing: 20 requests a minute", "pacing: 28 requests a minute"}
	if len(told) < 3 || told[0] != want[0] || told[1] != want[1] || told[len(told)-1] != want[2] {
		t.Errorf("%q ... %q", told[:min(3, len(told))], told[len(told)-1])
	}
}

// Whatever the API says and however long the client thinks, no minute has more
// requests than the limit, and no silence is broken.
func TestTheRateHoldsThroughTrouble(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perMinute := rapid.IntRange(1, 40).Draw(t, "rate")
		clock := ingest.NewManualClock(start)
		l := ingest.NewLimiter(perMinute, clock, nil)
		var times []time.Time
		var silent time.Time
		for range rapid.IntRange(1, 6*perMinute).Draw(t, "requests") {
			clock.Advance(time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 7, 500, 4000, 90_000}).Draw(t, "thinks")) * time.Millisecond)
			if rapid.IntRange(0, 9).Draw(t, "trouble") == 0 {
				wait := time.Duration(rapid.IntRange(0, 300_000).Draw(t, "wait")) * time.Millisecond
				l.Throttled(wait, "throttled")
				if until := clock.Now().Add(wait); until.After(silent) {
					silent = until
				}
			}
			if err := l.Wait(context.Background()); err != nil {
				t.Fatal(err)
			}
			if clock.Now().Before(silent) {
				t.Fatalf("asked %v before the end of a silence", silent.Sub(clock.Now()))
			}
			times = append(times, clock.Now())
		}
		if n := busiest(times); n > perMinute {
			t.Fatalf("%d requests in a minute of %d", n, perMinute)
		}
	})
}
