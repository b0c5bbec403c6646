package main

import (
	"fmt"
	"strings"
	"time"

	"mdcalake/ingest"
)

// describeIngest is how far an ingest is, in one line: the windows that are read
// side by side, what has come, what the rate leaves, and how long it will take.
func describeIngest(at ingest.Progress, eta bool) string {
	parts := []string{readingOf(at)}
	came := things(at.Run.Records, "record", "records")
	if sec := at.Elapsed.Seconds(); sec > 0.5 && at.Round == 0 {
		came += fmt.Sprintf(" (%s/s)", count(int64(float64(at.Run.Records)/sec)))
	}
	parts = append(parts, came, things(at.Requests, "request", "requests"))
	if eta && at.LeftInMinute >= 0 {
		parts = append(parts, fmt.Sprintf("%d left this minute", at.LeftInMinute))
	}
	if eta && at.Done > 0.01 && at.Done < 1 {
		left := time.Duration(float64(at.Elapsed) * (1 - at.Done) / at.Done)
		parts = append(parts, "about "+left.Round(time.Second).String()+" to go")
	}
	return strings.Join(parts, ", ")
}

// readingOf says what is being read.
func readingOf(at ingest.Progress) string {
	if at.Round > 0 && at.WindowNumber >= at.Windows {
		return fmt.Sprintf("following, round %d", at.Round)
	}
	text := fmt.Sprintf("window %d of %d", at.WindowNumber, at.Windows)
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
		return text
	case first.Format(time.DateOnly) == last.Format(time.DateOnly):
		return text + " (" + first.Format(time.DateOnly) + ")"
	}
	return fmt.Sprintf("%s (%d from %s to %s)", text, len(at.Reading), first.Format(time.DateOnly), last.Format(time.DateOnly))
}
