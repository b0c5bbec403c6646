package store

import "time"

// A tail reads a round every five minutes for months, and a long window is
// claimed piece by piece: a hundred thousand rectangles a year, of which nearly
// all only go on from one that the same run has left. The fold keeps one
// rectangle for those. The entries of the log stay as they are.

// joinReach is how many rectangles back the fold looks for one that a new one
// goes on from. The parallel windows of a run and the services that it asks for
// by name lie between one piece and the next.
const joinReach = 256

// addCoverage takes in the rectangles of an entry.
//
// A rectangle that goes on from an earlier one is taken into that one's place,
// and so comes to stand before what lies in between. That is all of the same run,
// and none of it is a purge, or a rival: of two rivals the later entry decides.
//
// What was joined depends on the ledger alone, so that a cached fold goes on as
// the fold of the whole log does.
func (s *fold) addCoverage(rects []Rectangle) {
	for _, r := range rects {
		if !joinLedger(s.coverage, &r) {
			s.coverage = append(s.coverage, r)
		}
	}
}

// joinLedger says whether r could be taken into one of the ledger's rectangles.
func joinLedger(ledger []Rectangle, r *Rectangle) bool {
	for i := len(ledger) - 1; i >= max(0, len(ledger)-joinReach); i-- {
		old := &ledger[i]
		switch {
		case old.RunID != r.RunID || old.State == StatePurged:
			return false
		case old.join(r):
			return true
		case old.rivals(r):
			return false
		}
	}
	return false
}

// rivals says whether, where both cover an event time, the later entry decides
// what is said of it.
func (r *Rectangle) rivals(next *Rectangle) bool {
	return r.ThroughCreated.Equal(next.ThroughCreated) && (r.State != next.State || r.Reason != next.Reason) && rank(r.State) == rank(next.State)
}

// join takes next into r, if it goes on from r and both together are one
// rectangle. What is joined says of every event time what the two said
// (coveragefold.go), whatever other rectangles lie over them:
//
//   - Pieces of a window that touch, with the same bounds of save time, are one
//     rectangle as they stand. What touches at a UTC midnight stays apart, for
//     there windows end: whether two of them were begun within the same second
//     of the server's clock is chance, and each has counts of its own.
//   - Rounds of a tail [a, x) by (c, d] and [a, y) by (c', d'] with x <= y,
//     c <= c' <= d <= d' are one rectangle [a, y) by (c, d'] but for a corner: of
//     the event times in [x, y) nobody has read the save times in (c, c']. There
//     is nothing: nothing is saved before it happens, and c' < x. So the second
//     round is a beginning for every such event time, and so is the joined one;
//     both reach d'. For event times before x, both cover them: if (c, d] is a
//     beginning or reached, (c', d'] is reached, as c' <= d; else neither is, and
//     c is the first save time of both.
//
// With c' = x the corner is not empty: what happened at x may have been saved
// in the same millisecond. And where c' > d, what was saved in (d, c'] is
// missing.
func (r *Rectangle) join(next *Rectangle) bool {
	meet := r.Since.Equal(next.Since) || r.Until.Equal(next.Since) || r.Since.Equal(next.Until)
	if !meet || !r.asks(next) || !r.Since.Before(r.Until) || !next.Since.Before(next.Until) {
		return false
	}
	sameSaved := r.SinceCreated.Equal(next.SinceCreated) && r.ThroughCreated.Equal(next.ThroughCreated)
	switch {
	case sameSaved && r.Until.Equal(next.Since) && !isMidnight(r.Until):
		r.Until = next.Until
	case sameSaved && r.Since.Equal(next.Until) && !isMidnight(r.Since):
		r.Since = next.Since
	case r.Since.Equal(next.Since) && r.isRoundBefore(next):
		r.Until, r.ThroughCreated = next.Until, next.ThroughCreated
	default:
		return false
	}
	r.Records += next.Records
	r.Requests += next.Requests
	return true
}

// isMidnight says whether a UTC day begins at t.
func isMidnight(t time.Time) bool { return t.Equal(t.Truncate(24 * time.Hour)) }

// asks says whether both are of one question of one run, and ended alike.
func (r *Rectangle) asks(next *Rectangle) bool {
	sameService := r.Service == next.Service || r.Service != nil && next.Service != nil && *r.Service == *next.Service
	return sameService && r.State == next.State && r.Filter == next.Filter && r.Route == next.Route && r.Reason == next.Reason && r.RunID == next.RunID
}

// isRoundBefore says whether next is the round of a tail that goes on from the
// round r, both from the same event time on.
func (r *Rectangle) isRoundBefore(next *Rectangle) bool {
	ordered := r.bySaveTime() && !r.SinceCreated.After(next.SinceCreated) && !r.ThroughCreated.After(next.ThroughCreated) && !r.Until.After(next.Until)
	gapFree := !next.SinceCreated.After(r.ThroughCreated) && next.SinceCreated.Before(next.ThroughCreated)
	cornerEmpty := r.Until.Equal(next.Until) || next.SinceCreated.Before(r.Until)
	return ordered && gapFree && cornerEmpty
}
