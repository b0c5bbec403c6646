package ingest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// RaceEnabled says, to the tests outside of the package too, whether the race
// detector runs.
const RaceEnabled = raceEnabled

// at reads a time; a day alone is its midnight.
func at(text string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02"} {
		if v, err := time.Parse(layout, text); err == nil {
			return v.UTC()
		}
	}
	panic("no time: " + text)
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: (-want +got)\n%s", what, d)
	}
}
