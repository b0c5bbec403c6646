package store_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mdcalake/store"
)

// Coverage as a grid: event times across, save times up, a millisecond each
// way. A rectangle marks the cells that were read, and what is complete is seen
// by looking at every cell.

// gridTimes is how many milliseconds the grid has each way. A midnight is among
// them.
const gridTimes = 16

func grid(n int) time.Time { return at(2, 0).Add(time.Duration(n-5) * time.Millisecond) }

// isRead says whether a rectangle has read the cell of an event time and a save
// time.
func isRead(r store.Rectangle, event, created int) bool {
	return covers(r, event) && (r.SinceCreated.IsZero() || grid(created).After(r.SinceCreated)) && !grid(created).After(r.ThroughCreated)
}

func covers(r store.Rectangle, event int) bool {
	return !r.Since.After(grid(event)) && r.Until.After(grid(event))
}

// plainly is the coverage of one event time, looked at by itself.
func plainly(ledger []store.Rectangle, service *int64, filter string, event int) store.Stretch {
	var complete, others []store.Rectangle
	for _, r := range ledger {
		switch {
		case !covers(r, event), r.Service != nil && (service == nil || *r.Service != *service):
		case r.State == "complete" || r.State == "filtered" && r.Filter == filter:
			if r.SinceCreated.IsZero() || r.SinceCreated.Before(r.ThroughCreated) { // else it has no cell
				complete = append(complete, r)
			}
		default:
			others = append(others, r)
		}
	}
	order := []string{"never asked", "beyond the door", "failed", "filtered", "after", "partial", "imported", "complete", "purged"}
	best, reached := store.Stretch{State: "never asked"}, time.Time{}
	say := func(rank string, s store.Stretch, through time.Time) {
		old, new := slices.Index(order, best.State), slices.Index(order, rank)
		if new > old || new == old && !through.Before(reached) {
			best, reached = s, through
		}
	}
	for _, r := range others {
		say(r.State, store.Stretch{State: r.State, Reason: r.Reason}, r.ThroughCreated)
	}
	// Nothing is saved before it happens: the cells that count begin here.
	through := event - 1
	for through < 3*gridTimes && slices.ContainsFunc(complete, func(r store.Rectangle) bool { return isRead(r, event, through+1) }) {
		through++
	}
	var first, early time.Time // first save time that was read from; the latest that was read to before the event
	asked := false             // whether all save times before the event were read by something
	for _, r := range complete {
		if r.SinceCreated.IsZero() || r.SinceCreated.Before(grid(event)) {
			asked = true
			if r.ThroughCreated.After(early) {
				early = r.ThroughCreated
			}
		}
		if first.IsZero() || r.SinceCreated.Before(first) {
			first = r.SinceCreated
		}
	}
	switch {
	case through >= event:
		say("complete", store.Stretch{State: "complete", Through: grid(through)}, time.Time{})
	case asked: // before it could have happened
		say("complete", store.Stretch{State: "complete", Through: early}, time.Time{})
	case len(complete) > 0:
		say("after", store.Stretch{State: "partial", Reason: "read only what was saved after " + first.Format(time.RFC3339Nano)}, time.Time{})
	}
	return best
}

var gridServices = []int64{1, 2}

func drawRectangle(t *rapid.T) store.Rectangle {
	from := rapid.IntRange(0, gridTimes-1).Draw(t, "from")
	r := store.Rectangle{
		Since: grid(from), Until: grid(from + rapid.IntRange(0, 8).Draw(t, "length")),
		State: rapid.SampledFrom([]string{"complete", "complete", "complete", "complete", "filtered", "filtered", "imported", "partial", "failed", "beyond the door", "purged"}).Draw(t, "state"),
		RunID: rapid.SampledFrom([]string{"1", "1", "1", "2"}).Draw(t, "run"), Records: rapid.Int64Range(0, 9).Draw(t, "records"), Requests: 1,
	}
	if rapid.IntRange(0, 3).Draw(t, "seen through") > 0 {
		r.ThroughCreated = grid(rapid.IntRange(0, gridTimes).Draw(t, "through"))
	}
	if rapid.Bool().Draw(t, "by save time") {
		r.SinceCreated = grid(rapid.IntRange(0, gridTimes).Draw(t, "after"))
	}
	if r.State == "filtered" {
		r.Filter = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "filter")
	} else if r.State != "complete" {
		r.Reason = rapid.SampledFrom([]string{"", "x"}).Draw(t, "reason")
	}
	if n := rapid.IntRange(-2, 1).Draw(t, "service"); n >= 0 {
		r.Service = &gridServices[n]
	}
	return r
}

// drawRounds are rectangles of one question that may go on from each other:
// rounds of a tail, which may leave a gap, or pieces of a window, up or down.
func drawRounds(t *rapid.T) []store.Rectangle {
	r := drawRectangle(t)
	rounds := []store.Rectangle{r}
	tail := rapid.Bool().Draw(t, "tail") && !r.ThroughCreated.IsZero()
	down := rapid.Bool().Draw(t, "down")
	step := func(label string, least int) time.Duration {
		return time.Duration(rapid.IntRange(least, 3).Draw(t, label)) * time.Millisecond
	}
	for range rapid.IntRange(0, 5).Draw(t, "rounds") {
		switch {
		case tail && r.SinceCreated.IsZero():
			r.SinceCreated = r.ThroughCreated
		case tail:
			r.SinceCreated = r.ThroughCreated.Add(-step("overlap", -1))
			r.ThroughCreated, r.Until = r.ThroughCreated.Add(step("later", 0)), r.Until.Add(step("longer", 0))
		case down:
			r.Since, r.Until = r.Since.Add(-step("length", 0)), r.Since
		default:
			r.Since, r.Until = r.Until, r.Until.Add(step("length", 0))
		}
		r.Records++
		if rapid.IntRange(0, 3).Draw(t, "something else") == 0 {
			rounds = append(rounds, drawRival(t, r))
		}
		rounds = append(rounds, r)
	}
	return rounds
}

// drawRival is a rectangle over and about another, which differs in one thing
// or the other.
func drawRival(t *rapid.T, r store.Rectangle) store.Rectangle {
	span := func() time.Duration { return time.Duration(rapid.IntRange(-3, 3).Draw(t, "moved")) * time.Millisecond }
	r.Since, r.Until = r.Since.Add(span()), r.Until.Add(span())
	switch rapid.IntRange(0, 5).Draw(t, "difference") {
	case 0:
		if r.State != "complete" && r.State != "filtered" {
			r.Reason = "y"
		}
	case 1:
		if !r.ThroughCreated.IsZero() {
			r.ThroughCreated = r.ThroughCreated.Add(span())
		}
	case 2:
		r.State = "failed"
	case 3:
		r.Service = &gridServices[0]
	case 4:
		r.RunID = "2"
	case 5:
		if r.State == "filtered" {
			r.Filter = "a"
		}
	}
	return r
}

// drawLedger lets several questions be asked at a time.
func drawLedger(t *rapid.T) (ledger []store.Rectangle) {
	questions := rapid.SliceOfN(rapid.Custom(drawRounds), 0, 6).Draw(t, "questions")
	for len(questions) > 0 {
		i := rapid.IntRange(0, len(questions)-1).Draw(t, "next")
		ledger = append(ledger, questions[i][0])
		if questions[i] = questions[i][1:]; len(questions[i]) == 0 {
			questions = slices.Delete(questions, i, i+1)
		}
	}
	return ledger
}

func TestCoverageIsThatOfEachCell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ledger := drawLedger(t)
		s := &store.Snapshot{Coverage: ledger}
		for _, service := range []*int64{nil, &gridServices[0]} {
			for _, filter := range []string{"", "a"} {
				stretches := s.CoverageOfFilter(service, filter, grid(0), grid(gridTimes))
				for event := range gridTimes {
					if len(stretches) > 0 && !stretches[0].Until.After(grid(event)) {
						stretches = stretches[1:]
					}
					if len(stretches) == 0 || stretches[0].Since.After(grid(event)) {
						t.Fatalf("event time %s is missing", grid(event))
					}
					have, want := stretches[0], plainly(ledger, service, filter, event)
					if have.State != want.State || have.Reason != want.Reason || !have.Through.Equal(want.Through) {
						t.Fatalf("service %v, filter %q, event time %s:\n%+v, want\n%+v", service, filter, grid(event), have, want)
					}
				}
			}
		}
	})
}
