package ingest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// roundTimes follows for a while: each round takes as long as takes says, and
// the times of their beginnings are told, from the start on.
func roundTimes(t *testing.T, tail *Tail, most int, takes func(round int) time.Duration) (times []time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	start := time.Now()
	r := tail.rounds(ctx, SystemClock())
	for r.more() && len(times) < most {
		<-r.due()
		windows := r.begin(ctx, Question{}, time.Now())
		times = append(times, time.Since(start))
		time.Sleep(takes(len(times)))
		for _, x := range windows {
			tail.ends(x, time.Now(), nil)
		}
	}
	return times
}

func quick(int) time.Duration { return 0 }

func TestRoundsComeAtTheirTimes(t *testing.T) {
	const m = time.Minute
	for name, c := range map[string]struct {
		tail  Tail
		takes func(int) time.Duration
		want  []time.Duration
	}{
		"the first at once, and the others every so often": {Tail{Every: 5 * m, For: 17 * m}, quick, []time.Duration{0, 5 * m, 10 * m, 15 * m}},
		"one at the last moment":                           {Tail{Every: 5 * m, For: 15 * m}, quick, []time.Duration{0, 5 * m, 10 * m, 15 * m}},
		"one alone":                                        {Tail{Every: 5 * m, For: m}, quick, []time.Duration{0}},
		"a short one takes nothing off the pace":           {Tail{Every: 5 * m, For: 11 * m}, func(int) time.Duration { return 2 * m }, []time.Duration{0, 5 * m, 10 * m}},
		"a long one leaves some out":                       {Tail{Every: 5 * m, For: 31 * m}, func(round int) time.Duration { return time.Duration(3-min(2, round)) * 6 * m }, []time.Duration{0, 12 * m, 18 * m, 24 * m, 30 * m}},
		"never more often than each second":                {Tail{For: 3 * time.Second}, quick, []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tail := c.tail
				tail.through = time.Now()
				same(t, "rounds", c.want, roundTimes(t, &tail, 100, c.takes))
			})
		})
	}
}

func TestARoundUnderWayDoesTheWorkOfTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tail := &Tail{Every: time.Minute, For: time.Hour, through: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := tail.rounds(ctx, SystemClock())
		<-r.due()
		first := r.begin(ctx, Question{}, time.Now())
		<-r.due()
		if second := r.begin(ctx, Question{}, time.Now()); len(first) != 1 || len(second) != 0 {
			t.Errorf("%d windows, and then %d", len(first), len(second))
		}
		tail.ends(first[0], time.Now(), nil)
		<-r.due()
		if third := r.begin(ctx, Question{}, time.Now()); len(third) != 1 {
			t.Errorf("%d windows after it", len(third))
		}
	})
}

// A run that ends in the middle of a round leaves windows that nobody will read;
// the tail goes on with the next run of the process all the same.
func TestATailOutlivesARunThatEndsInARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tail := &Tail{Every: time.Minute, For: time.Hour, through: time.Now().Add(-3 * day)}
		from := tail.begin()
		for run := range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			r := tail.rounds(ctx, SystemClock())
			<-r.due()
			windows := r.begin(ctx, Question{}, time.Now())
			if len(windows) < 10 || !windows[0].window.CreatedSince.Equal(from) {
				t.Fatalf("run %d: %v", run, windowsOf(windows))
			}
			tail.ends(windows[0], time.Now(), nil)
			tail.ends(windows[len(windows)-1], time.Now(), nil)
			cancel()
			time.Sleep(10 * time.Minute)
		}
	})
}

func TestWhenItIsTooLateForAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := (&Tail{Every: 40 * time.Second, For: time.Minute}).rounds(ctx, SystemClock())
		if r.over() || !r.more() {
			t.Error("over at the beginning")
		}
		<-r.due()
		r.begin(ctx, Question{}, time.Now())
		time.Sleep(time.Minute)
		if r.over() || !r.more() {
			t.Error("over at the last moment, with a round that is due")
		}
		time.Sleep(time.Millisecond)
		if !r.over() {
			t.Error("not over after it")
		}
		<-r.due()
		r.begin(ctx, Question{}, time.Now())
		if r.more() {
			t.Error("a round behind the end")
		}
		cancel()

		ctx, cancel = context.WithCancel(t.Context())
		r = (&Tail{Every: time.Hour, For: 10 * time.Hour}).rounds(ctx, SystemClock())
		<-r.due()
		r.begin(ctx, Question{}, time.Now())
		cancel()
		synctest.Wait() // nothing waits for the next round
		select {
		case <-r.due():
			t.Error("a round after the run was told to stop")
		default:
		}
	})
	var none *rounds
	if none.due() != nil || none.more() || none.over() || (*Tail)(nil).rounds(t.Context(), SystemClock()) != nil {
		t.Error("a run without a tail has rounds")
	}
}
