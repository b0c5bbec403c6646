package main

import (
	"fmt"
	"strings"
	"time"

	"mdcalake/ingest"
)

// describeIngest is how far an ingest is, in one line: what has come, how long
// it will take, what the rate leaves, and the windows that are read side by side.
// A narrow terminal cuts its end off, so the first things come first.
func describeIngest(at ingest.Progress, eta bool) string {
	parts := []string{stage(at)}
	came := things(at.Run.Records, "record", "records")
	if sec := at.Elapsed.Seconds(); sec > 0.5 && at.Round == 0 {
		came += fmt.Sprintf(" (%s/s)", count(int64(float64(at.Run.Records)/sec)))
	}
	parts = append(parts, came)
	if eta && at.Done > 0.01 && at.Done < 1 {
		left := time.Duration(float64(at.Elapsed) * (1 - at.Done) / at.Done)
		parts = append(parts, "about "+left.Round(time.Second).String()+" to go")
	}
	parts = append(parts, things(at.Requests, "request", "requests"))
	if eta && at.LeftInMinute >= 0 {
		parts = append(parts, fmt.Sprintf("%d left this minute", at.LeftInMinute))
	}
	if now := readingNow(at); now != "" {
		parts = append(parts, now)
	}
	return strings.Join(parts, ", ")
}

// stage is where the run is.
func stage(at ingest.Progress) string {
	if at.Round > 0 && at.WindowNumber >= at.Windows {
		return fmt.Sprintf("following, round %d", at.Round)
	}
	return fmt.Sprintf("window %d of %d", at.WindowNumber, at.Windows)
}

// readingNow is what is being read of the time that was asked for.
func readingNow(at ingest.Progress) string {
	var first, last time.Time
	for _, w := range at.Reading {
		if w.CreatedSince.IsZero() && (first.IsZero() || w.Since.Before(first)) {
			first = w.Since
		}
		if w.CreatedSince.IsZero() && w.Since.After(last) {
			last = w.Since
		}
	}
	switch {
	case first.IsZero():
		return ""
	case first.Format(time.DateOnly) == last.Format(time.DateOnly):
		return "reading " + first.Format(time.DateOnly)
	}
	return fmt.Sprintf("reading %d windows from %s to %s", len(at.Reading), first.Format(time.DateOnly), last.Format(time.DateOnly))
}
