package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"mdcalake/ingest"
)

// fastClock runs many times as fast as the machine's clock, and shows the same
// time in every process that was given the same three numbers. Months of
// following pass in minutes, and both sides wait for each other as they would.
type fastClock struct {
	began time.Time // by the machine's clock
	shows time.Time // what it showed then
	speed float64
}

// fastClockVariable carries a fastClock to a process under test.
const fastClockVariable = "MDCALAKE_TEST_CLOCK"

func (c fastClock) String() string {
	return fmt.Sprintf("%d %d %g", c.began.UnixNano(), c.shows.UnixNano(), c.speed)
}

func parseFastClock(text string) (c fastClock, err error) {
	var began, shows int64
	_, err = fmt.Sscanf(text, "%d %d %g", &began, &shows, &c.speed)
	c.began, c.shows = time.Unix(0, began), time.Unix(0, shows).UTC()
	return c, err
}

func (c fastClock) Now() time.Time {
	return c.shows.Add(time.Duration(float64(time.Since(c.began)) * c.speed))
}

func (c fastClock) Sleep(ctx context.Context, d time.Duration) error {
	return ingest.SystemClock().Sleep(ctx, time.Duration(float64(d)/c.speed)+time.Microsecond)
}

// testedMain is main, with the clock of the environment if there is one.
func testedMain() {
	text := os.Getenv(fastClockVariable)
	if text == "" {
		main()
	}
	clock, err := parseFastClock(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, fastClockVariable, err)
		os.Exit(exitUsage)
	}
	mainWith(func(c console) console {
		c.clock = clock
		return c
	})
}

// hurriedClock shows a time now, and runs so fast that an ingest commits with
// every page.
func hurriedClock(now time.Time) string {
	return fastClockVariable + "=" + fastClock{began: time.Now(), shows: now, speed: 20_000}.String()
}

// clockAt is a clock of the usual speed that shows a time now, for a service
// whose clock was set: the program must not think that its records are from long
// ago.
func clockAt(now time.Time) string {
	return fastClockVariable + "=" + fastClock{began: time.Now(), shows: now, speed: 1}.String()
}
