package main

import (
	"math"
	"regexp"
	"strconv"
	"time"
)

var relativeTime = regexp.MustCompile(`^(\d+)(s|m|h|d|w)$`)

// parseTime reads a time of the command line: RFC 3339, a UTC date, or how long
// ago (30d, 12h, 90m).
func parseTime(flag, text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t.UTC(), nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	if text == "now" {
		return now.UTC(), nil
	}
	if m := relativeTime.FindStringSubmatch(text); m != nil {
		unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[m[2]]
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err == nil && n <= math.MaxInt64/int64(unit) {
			return now.UTC().Add(-time.Duration(n) * unit).Truncate(time.Millisecond), nil
		}
	}
	return time.Time{}, usage("write 2026-11-01, 2026-11-01T08:00:00Z, or how long ago: 30d, 12h, 90m", "--%s %q is no time", flag, text)
}
