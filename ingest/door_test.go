package ingest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// The door moves while a window is read, and the clocks may differ about where it
// is: what may have been behind it when a page was made is not called complete.

// atTheDoor is a service with records every few seconds around the door.
func atTheDoor(o *simulator.Options) {
	o.Start, o.End, o.Count, o.Door = door.Add(-2*time.Hour), door.Add(4*time.Hour), 2000, 30*24*time.Hour
}

func TestTheDoorOfAServerWhoseClockIsAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.serve(func(o *simulator.Options) {
		atTheDoor(o)
		o.Clock = func() time.Time { return w.clock.Now().Add(time.Hour) }
	})
	w.mustRun(func(o *ingest.Options) {
		o.Since, o.Until, o.PageSize = door.Add(-time.Hour), door.Add(4*time.Hour), 500
	})
	claimsHold(t, w.dir, doorless(t, atTheDoor))
	same(t, "coverage", []string{"beyond the door 10-21T11:00..10-21T13:00", "complete 10-21T13:00..10-21T16:00"}, coverage(t, w.dir))
}

// Pages that take longer than what they hold took to happen.
func TestTheDoorOvertakesASlowScan(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var o simulator.Options
		atTheDoor(&o)
		b := newBubble(t, o)
		b.took = 2 * time.Minute
		ask := func(o *ingest.Options) { o.Until, o.PageSize, o.Order = door.Add(4*time.Hour), 10, ingest.OldestFirst }
		o.Door, o.Clock = 0, time.Now
		all, err := simulator.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.run(t.Context(), door.Add(-time.Hour), ask); err != nil {
			t.Fatal(err)
		}
		claimsHold(t, b.dir, all)
	})
}

// A clock of ours that is fast divides a question where the archived route has
// nothing yet. Which of the clocks is right nobody knows: what lies between their
// doors is complete when it is behind both.
func TestTheDoorOfAClockThatIsFast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	serve := func(behind time.Time) {
		w.serve(func(o *simulator.Options) {
			atTheDoor(o)
			o.Clock = func() time.Time { return w.clock.Now().Add(-time.Hour) }
		})
		w.serveBy(archiveBehindDoor(t, w.sim, behind))
	}
	serve(door.Add(-time.Hour))
	ask := func(o *ingest.Options) {
		o.Since, o.Until, o.PageSize, o.Archived = door.Add(-2*time.Hour), door.Add(4*time.Hour), 500, true
	}
	w.mustRun(ask)
	claimsHold(t, w.dir, doorless(t, atTheDoor))
	same(t, "coverage", []string{"complete 10-21T10:00..10-21T11:00", "never asked 10-21T11:00..10-21T12:00", "complete 10-21T12:00..10-21T16:00"}, coverage(t, w.dir))
	w.clock.Advance(2 * time.Hour)
	serve(door.Add(time.Hour))
	w.mustRun(ask)
	same(t, "coverage", []string{"complete 10-21T10:00..10-21T16:00"}, coverage(t, w.dir))
	truth(t, w.dir, doorless(t, atTheDoor).Expected())
}

// archiveBehindDoor lets the archived route of a service have only what is older
// than a time.
func archiveBehindDoor(t *testing.T, service http.Handler, door time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "archived") {
			var question map[string]any
			if err := json.NewDecoder(r.Body).Decode(&question); err != nil {
				t.Error(err)
			}
			span := question["filters"].(map[string]any)["date"].(map[string]any)["range"].([]any)[0].(map[string]any)
			span["end"] = min(span["end"].(float64), float64(door.UnixMilli()-1))
			span["start"] = min(span["start"].(float64), span["end"].(float64))
			body, err := json.Marshal(question)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		service.ServeHTTP(w, r)
	})
}
