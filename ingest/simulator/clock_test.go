package simulator_test

import (
	"testing"
	"testing/synctest"
	"time"

	"mdcalake/ingest/simulator"
)

func TestAClockThatRunsFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			speed float64
			want  time.Duration
		}{{1, time.Minute}, {60, time.Hour}, {0.5, 30 * time.Second}, {0, 0}} {
			clock := simulator.Running(now, c.speed)
			time.Sleep(time.Minute) // the test's time is not real
			if got := clock().Sub(now); got != c.want {
				t.Errorf("speed %v: a minute is %s, want %s", c.speed, got, c.want)
			}
		}
	})
}

func TestAFastClockAlsoCountsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, simulator.Options{Count: 10, RatePerMinute: 1, Clock: simulator.Running(now, 30)})
		c := client{t: t, s: s}
		var statuses [3]int
		for i, wait := range []time.Duration{0, time.Second, time.Second} {
			time.Sleep(wait)
			statuses[i] = c.post(`{}`).Status
		}
		if statuses != [3]int{200, 429, 200} {
			t.Errorf("answers at 0, 30 and 60 s of the simulator's clock: %v", statuses)
		}
	})
}

func TestAClockThatIsMoved(t *testing.T) {
	clock := simulator.NewClock(now)
	clock.Advance(time.Hour)
	if got := clock.Now(); !got.Equal(now.Add(time.Hour)) {
		t.Errorf("advanced to %s", got)
	}
	clock.Set(now.Add(-time.Hour))
	s := newSim(t, simulator.Options{Count: 1, Clock: clock.Now})
	if !s.Now().Equal(now.Add(-time.Hour)) {
		t.Errorf("set to %s", s.Now())
	}
}
