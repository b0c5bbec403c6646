package ingest

import (
	"math"
	"testing"
	"time"

	"mdcalake/store"
)

// planNow is the time of the planner's tests. The door stands at 2026-10-21T12.
var planNow = at("2026-11-20T12:00:00Z")

// rect is a rectangle of the ledger that reached a save time.
func rect(since, until, state, through string) store.Rectangle {
	r := store.Rectangle{Since: at(since), Until: at(until), State: state}
	if through != "" {
		r.ThroughCreated = at(through)
	}
	return r
}

func of(service int64, r store.Rectangle) store.Rectangle {
	r.Service = &service
	return r
}

// askFor is a question for an interval.
func askFor(since, until string) Question { return Question{Since: at(since), Until: at(until)} }

// inWords are needs in words, to be compared.
func inWords(ns []need) (all []string) {
	for _, n := range ns {
		text := Window{Since: n.since, Until: n.until, Services: n.services}.String() + ": " + n.why
		if n.archived {
			text += ", archived"
		}
		all = append(all, text)
	}
	return all
}

func TestWhatIsNeededFollowsFromTheLedger(t *testing.T) {
	const (
		old  = "2026-11-01"
		then = "2026-11-02"
	)
	week := askFor("2026-11-13", "2026-11-20")
	early := askFor(old, then)
	behind := askFor("2026-10-01", "2026-10-02")
	with := func(q Question, change func(*Question)) Question { change(&q); return q }
	archived := func(q *Question) { q.Archived = true }
	again := func(q *Question) { q.Again = true }
	for name, c := range map[string]struct {
		ledger []store.Rectangle
		q      Question
		want   []string
	}{
		"a lake that knows nothing": {nil, week, []string{"2026-11-13T00:00:00Z..2026-11-20T00:00:00Z: not read yet"}},
		"an empty question":         {nil, askFor("2026-11-13", "2026-11-13"), nil},
		"the wrong way round":       {nil, askFor("2026-11-14", "2026-11-13"), nil},
		"bounds between milliseconds": {nil, askFor("2026-11-13T00:00:00.0001Z", "2026-11-13T01:00:00.0009Z"),
			[]string{"2026-11-13T00:00:00.001Z..2026-11-13T01:00:00.001Z: not read yet"}},
		"nothing between two milliseconds": {nil, askFor("2026-11-13T00:00:00.0001Z", "2026-11-13T00:00:00.0002Z"), nil},

		// Each state.
		"complete, and old enough": {[]store.Rectangle{rect(old, then, "complete", "2026-11-20")}, early, nil},
		"complete, a day was missing": {[]store.Rectangle{rect(old, then, "complete", "2026-11-20"), rect("2026-11-03", "2026-11-04", "complete", "2026-11-20")}, askFor(old, "2026-11-04"),
			[]string{"2026-11-02T00:00:00Z..2026-11-03T00:00:00Z: not read yet"}},
		"read before its end": {[]store.Rectangle{rect(old, then, "complete", "2026-11-01T18:00:00Z"), rect(old, "2026-11-01T18:00:00Z", "complete", "2026-11-20")}, early,
			[]string{"2026-11-01T18:00:00Z..2026-11-02T00:00:00Z: not read yet"}},
		"partial":  {[]store.Rectangle{rect(old, then, "partial", "2026-11-20")}, early, []string{"2026-11-01T00:00:00Z..2026-11-02T00:00:00Z: not read yet"}},
		"filtered": {[]store.Rectangle{rect(old, then, "filtered", "2026-11-20")}, early, []string{"2026-11-01T00:00:00Z..2026-11-02T00:00:00Z: not read yet"}},
		"failed":   {[]store.Rectangle{rect(old, then, "failed", "2026-11-20")}, early, []string{"2026-11-01T00:00:00Z..2026-11-02T00:00:00Z: not read yet"}},
		"imported": {[]store.Rectangle{rect(old, then, "imported", "")}, early, []string{"2026-11-01T00:00:00Z..2026-11-02T00:00:00Z: not read yet"}},
		// A purge tells what the lake has no more, not what was read.
		"purged, and read": {[]store.Rectangle{rect(old, then, "complete", "2026-11-20"), rect(old, then, "purged", "")}, early, nil},
		"purged, and never read": {[]store.Rectangle{rect(old, "2026-11-01T06:00:00Z", "complete", "2026-11-20"), rect(old, then, "purged", "")}, early,
			[]string{"2026-11-01T06:00:00Z..2026-11-02T00:00:00Z: not read yet"}},
		"purged, and due again": {[]store.Rectangle{rect("2026-11-19", "2026-11-20", "complete", "2026-11-20"), rect(old, "2026-11-20", "purged", "")}, askFor("2026-11-19", "2026-11-20"),
			[]string{"2026-11-19T00:00:00Z..2026-11-19T11:00:00Z: late records", "2026-11-19T23:00:00Z..2026-11-20T00:00:00Z: late records"}},

		// Behind the door the main route has nothing.
		"behind the door, never asked":      {nil, behind, []string{"2026-10-01T00:00:00Z..2026-10-02T00:00:00Z: not read yet"}},
		"behind the door, and said so":      {[]store.Rectangle{rect("2026-10-01", "2026-10-02", "beyond the door", "2026-11-10")}, behind, nil},
		"behind the door, failed":           {[]store.Rectangle{rect("2026-10-01", "2026-10-02", "failed", "2026-10-03")}, behind, nil},
		"behind the door, imported":         {[]store.Rectangle{rect("2026-10-01", "2026-10-02", "imported", "")}, behind, nil},
		"behind the door, filtered":         {[]store.Rectangle{rect("2026-10-01", "2026-10-02", "filtered", "2026-10-03")}, behind, nil},
		"behind the door, partial":          {[]store.Rectangle{rect("2026-10-01", "2026-10-02", "partial", "2026-10-03")}, behind, nil},
		"behind the door, never to its end": {[]store.Rectangle{rect("2026-10-01", "2026-10-02", "complete", "2026-10-01T23:58:00Z")}, behind, nil},
		"the door divides what failed": {[]store.Rectangle{rect("2026-10-21", "2026-10-22", "failed", "2026-10-23")}, askFor("2026-10-21", "2026-10-22"),
			[]string{"2026-10-21T12:00:00Z..2026-10-22T00:00:00Z: not read yet"}},
		"a week late, but behind the door by now": {[]store.Rectangle{rect("2026-10-20", "2026-10-23", "complete", "2026-10-23")}, askFor("2026-10-20", "2026-10-23"),
			[]string{"2026-10-21T12:00:00Z..2026-10-23T00:00:00Z: late records"}},
		"archived": {nil, with(askFor("2026-10-20", "2026-10-23"), archived),
			[]string{"2026-10-20T00:00:00Z..2026-10-21T12:00:00Z: not read yet, archived", "2026-10-21T12:00:00Z..2026-10-23T00:00:00Z: not read yet"}},
		"archived, said to be behind the door": {[]store.Rectangle{rect("2026-10-01", "2026-10-02", "beyond the door", "2026-11-10")}, with(behind, archived),
			[]string{"2026-10-01T00:00:00Z..2026-10-02T00:00:00Z: not read yet, archived"}},
		"archived, and read": {[]store.Rectangle{rect("2026-10-01", "2026-10-02", "complete", "2026-11-10")}, with(behind, archived), nil},
		"archived, failed": {[]store.Rectangle{rect("2026-10-01", "2026-10-02", "failed", "2026-11-10")}, with(behind, archived),
			[]string{"2026-10-01T00:00:00Z..2026-10-02T00:00:00Z: not read yet, archived"}},
		"archived, nothing behind the door": {nil, with(week, archived), []string{"2026-11-13T00:00:00Z..2026-11-20T00:00:00Z: not read yet"}},

		// Again.
		"again": {[]store.Rectangle{rect(old, then, "complete", "2026-11-20")}, with(early, again), []string{"2026-11-01T00:00:00Z..2026-11-02T00:00:00Z: again"}},
		"again, a hole in it": {[]store.Rectangle{rect(old, "2026-11-01T12:00:00Z", "complete", "2026-11-20")}, with(early, again),
			[]string{"2026-11-01T00:00:00Z..2026-11-02T00:00:00Z: again"}},
		"again, and behind the door": {[]store.Rectangle{rect("2026-10-01", "2026-10-02", "failed", "2026-10-03")}, with(behind, again), []string{"2026-10-01T00:00:00Z..2026-10-02T00:00:00Z: again"}},

		// Services.
		"services in one question": {nil, with(early, func(q *Question) { q.Services = []int64{5, 7} }),
			[]string{"2026-11-01T00:00:00Z..2026-11-02T00:00:00Z of services 5,7: not read yet"}},
		"all services say something of each": {[]store.Rectangle{rect(old, then, "complete", "2026-11-20")}, with(early, func(q *Question) { q.Services = []int64{5} }), nil},
		"one service says nothing of all": {[]store.Rectangle{of(5, rect(old, then, "complete", "2026-11-20"))}, early,
			[]string{"2026-11-01T00:00:00Z..2026-11-02T00:00:00Z: not read yet"}},
		"services that have been read to different times": {
			[]store.Rectangle{of(5, rect(old, "2026-11-01T06:00:00Z", "complete", "2026-11-20")), of(7, rect("2026-11-01T03:00:00Z", "2026-11-01T09:00:00Z", "complete", "2026-11-20"))},
			with(early, func(q *Question) { q.Services = []int64{5, 7, 9} }),
			[]string{
				"2026-11-01T00:00:00Z..2026-11-01T03:00:00Z of services 7,9: not read yet",
				"2026-11-01T03:00:00Z..2026-11-01T06:00:00Z of services 9: not read yet",
				"2026-11-01T06:00:00Z..2026-11-01T09:00:00Z of services 5,9: not read yet",
				"2026-11-01T09:00:00Z..2026-11-02T00:00:00Z of services 5,7,9: not read yet",
			}},
		"a service late, another never read": {
			[]store.Rectangle{of(5, rect("2026-11-19", "2026-11-20", "complete", "2026-11-20"))},
			with(askFor("2026-11-19", "2026-11-20"), func(q *Question) { q.Services = []int64{5, 7} }),
			[]string{
				"2026-11-19T00:00:00Z..2026-11-19T11:00:00Z of services 5,7: not read yet",
				"2026-11-19T11:00:00Z..2026-11-19T23:00:00Z of services 7: not read yet",
				"2026-11-19T23:00:00Z..2026-11-20T00:00:00Z of services 5,7: not read yet",
			}},
		"services and the archived route": {[]store.Rectangle{of(5, rect("2026-10-20", "2026-10-21", "complete", "2026-11-10"))},
			with(askFor("2026-10-20", "2026-10-23"), func(q *Question) { q.Archived, q.Services = true, []int64{5, 7} }),
			[]string{
				"2026-10-20T00:00:00Z..2026-10-21T00:00:00Z of services 7: not read yet, archived",
				"2026-10-21T00:00:00Z..2026-10-21T12:00:00Z of services 5,7: not read yet, archived",
				"2026-10-21T12:00:00Z..2026-10-23T00:00:00Z of services 5,7: not read yet",
			}},
	} {
		t.Run(name, func(t *testing.T) {
			same(t, "needs", c.want, inWords(needs(&store.Snapshot{Coverage: c.ledger}, c.q, planNow)))
		})
	}
}

// What was read through a save time is due again from then on, at each age.
func TestLateRecordsAreReadAtEachAge(t *testing.T) {
	day := func(through string) store.Rectangle { return rect("2026-11-01", "2026-11-02", "complete", through) }
	for name, c := range map[string]struct {
		through, now string
		followed     string
		want         []string
	}{
		"just read": {"2026-11-02T00:00:00Z", "2026-11-02T00:02:00Z", "", nil},
		"an hour after its first quarter, which had been read at that age": {"2026-11-02T00:00:00Z", "2026-11-02T00:21:59Z", "", nil},
		"an hour after a quarter that had not":                             {"2026-11-02T00:00:00Z", "2026-11-02T00:22:00Z", "", []string{"2026-11-01T23:00:00Z..2026-11-01T23:15:00Z: late records"}},
		"an hour after its end":                                            {"2026-11-02T00:00:00Z", "2026-11-02T01:07:00Z", "", []string{"2026-11-01T00:00:00Z..2026-11-01T01:00:00Z: late records", "2026-11-01T23:00:00Z..2026-11-02T00:00:00Z: late records"}},
		"a day after its first hour":                                       {"2026-11-02T01:00:00Z", "2026-11-02T02:07:00Z", "", []string{"2026-11-01T01:00:00Z..2026-11-01T02:00:00Z: late records"}},
		"a day after its first hour, less a bit":                           {"2026-11-02T01:00:00Z", "2026-11-02T02:06:59Z", "", nil},
		"a day after its end":                                              {"2026-11-02T01:00:00Z", "2026-11-03T00:07:00Z", "", []string{"2026-11-01T01:00:00Z..2026-11-02T00:00:00Z: late records"}},
		"a week after its end":                                             {"2026-11-03T00:00:00Z", "2026-11-09T00:07:00Z", "", []string{"2026-11-01T00:00:00Z..2026-11-02T00:00:00Z: late records"}},
		"a week after its end, less a bit":                                 {"2026-11-03T00:00:00Z", "2026-11-09T00:06:59Z", "", nil},
		"read at that age":                                                 {"2026-11-09T00:00:00Z", "2026-11-29T00:00:00Z", "", nil},
		"a tail has gone on from it":                                       {"2026-11-02T00:00:00Z", "2026-11-02T02:00:00Z", "2026-11-01T23:50:00Z", nil},
		"a tail began too late for it":                                     {"2026-11-02T00:00:00Z", "2026-11-02T01:07:00Z", "2026-11-02T00:50:00Z", []string{"2026-11-01T00:00:00Z..2026-11-01T01:00:00Z: late records", "2026-11-01T23:00:00Z..2026-11-02T00:00:00Z: late records"}},
	} {
		t.Run(name, func(t *testing.T) {
			q := askFor("2026-11-01", "2026-11-02")
			if c.followed != "" {
				q.Followed = at(c.followed)
			}
			same(t, "needs", c.want, inWords(needs(&store.Snapshot{Coverage: []store.Rectangle{day(c.through)}}, q, at(c.now))))
		})
	}
}

func TestTheFarEndsOfTime(t *testing.T) {
	var ledger []store.Rectangle
	q := Question{Since: at("1677-01-01"), Until: at("9999-12-31"), Archived: true}
	same(t, "needs", []string{"1677-01-01T00:00:00Z..2026-10-21T12:00:00Z: not read yet, archived", "2026-10-21T12:00:00Z..9999-12-31T00:00:00Z: not read yet"}, inWords(needs(&store.Snapshot{Coverage: ledger}, q, planNow)))
	ledger = []store.Rectangle{{Since: q.Since, Until: at("2026-11-20T12:00:00Z"), State: StateComplete, ThroughCreated: time.UnixMilli(math.MaxInt32 * 1000)}}
	same(t, "needs", []string{"2026-11-20T12:00:00Z..9999-12-31T00:00:00Z: not read yet"}, inWords(needs(&store.Snapshot{Coverage: ledger}, q, planNow)))
}

func TestAnIngestThatIsToldNoBeginning(t *testing.T) {
	complete := func(since, until string) store.Rectangle { return rect(since, until, "complete", until) }
	for name, c := range map[string]struct {
		ledger   []store.Rectangle
		services []int64
		want     string
	}{
		"a new lake: a week":                              {nil, nil, "2026-11-13T12:00:00Z"},
		"where its knowledge begins":                      {[]store.Rectangle{complete("2026-11-01", "2026-11-18")}, nil, "2026-11-01"},
		"which may be less than a week ago":               {[]store.Rectangle{complete("2026-11-18", "2026-11-19")}, nil, "2026-11-18"},
		"as far as the door is open":                      {[]store.Rectangle{complete("2026-01-01", "2026-11-19")}, nil, "2026-10-21T12:00:00Z"},
		"what failed was asked for":                       {[]store.Rectangle{rect("2026-11-01", "2026-11-02", "failed", "2026-11-03"), complete("2026-11-10", "2026-11-18")}, nil, "2026-11-01"},
		"what was read in part, too":                      {[]store.Rectangle{rect("2026-11-01", "2026-11-02", "partial", "2026-11-03")}, nil, "2026-11-01"},
		"what was imported says nothing":                  {[]store.Rectangle{rect("2026-11-01", "2026-11-02", "imported", "")}, nil, "2026-11-13T12:00:00Z"},
		"a purge takes nothing away":                      {[]store.Rectangle{complete("2026-11-01", "2026-11-18"), rect("2026-10-30", "2026-11-10", "purged", "")}, nil, "2026-11-01"},
		"nor what was purged or filtered":                 {[]store.Rectangle{rect("2026-11-01", "2026-11-02", "purged", ""), rect("2026-11-02", "2026-11-03", "filtered", "2026-11-04")}, nil, "2026-11-13T12:00:00Z"},
		"a hole is no beginning":                          {[]store.Rectangle{complete("2026-09-01", "2026-10-01"), complete("2026-11-16", "2026-11-18")}, nil, "2026-11-16"},
		"all services say something of one":               {[]store.Rectangle{complete("2026-11-01", "2026-11-18")}, []int64{5}, "2026-11-01"},
		"one service says nothing of another":             {[]store.Rectangle{of(5, complete("2026-11-01", "2026-11-18"))}, []int64{7}, "2026-11-13T12:00:00Z"},
		"nor of all":                                      {[]store.Rectangle{of(5, complete("2026-11-01", "2026-11-18"))}, nil, "2026-11-13T12:00:00Z"},
		"of several services the earliest":                {[]store.Rectangle{of(5, complete("2026-11-16", "2026-11-18")), of(7, complete("2026-11-15", "2026-11-18"))}, []int64{5, 7}, "2026-11-15"},
		"of several services, whatever the order":         {[]store.Rectangle{of(5, complete("2026-11-16", "2026-11-18")), of(7, complete("2026-11-15", "2026-11-18"))}, []int64{7, 5, 7}, "2026-11-15"},
		"a service that is not known is asked for a week": {[]store.Rectangle{of(5, complete("2026-11-16", "2026-11-18"))}, []int64{5, 7}, "2026-11-13T12:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := DefaultSince(&store.Snapshot{Coverage: c.ledger}, c.services, nil, planNow); !got.Equal(at(c.want)) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
