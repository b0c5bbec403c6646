package simulator_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

const day = 24 * time.Hour

// archive asks the archived route for what happened from since to until.
func (c client) archive(since, until time.Time, rest string) answer {
	c.t.Helper()
	body := fmt.Sprintf(`{"filters":{"date":{"range":[{"start":%d,"end":%d}]}}%s}`, since.UnixMilli(), until.UnixMilli(), rest)
	return c.do("POST", "/api/v1/archived_activities/", "application/json", body)
}

// weeks reads the archived route from begin to the clock, week by week.
func (c client) weeks(begin time.Time, limit int) (records [][]byte) {
	c.t.Helper()
	for since := begin; since.Before(now); since = since.Add(7 * day) {
		for skip := 0; ; {
			a := c.archive(since, since.Add(7*day-time.Millisecond), fmt.Sprintf(`,"limit":%d,"skip":%d`, limit, skip))
			if a.Status != 200 || a.HasNext == nil || a.Next != nil || a.Total == nil {
				c.t.Fatalf("%s from %d: %d %.300s", since, skip, a.Status, a.Body)
			}
			for _, d := range a.Data {
				records = append(records, d)
			}
			if skip += len(a.Data); !*a.HasNext {
				break
			}
		}
	}
	return records
}

func TestTheArchiveShowsWhatLiesBehindTheDoor(t *testing.T) {
	o := simulator.Options{Seed: 8, Count: 2000, Days: 200, Door: 30 * day, Revisions: 0.1, Archive: simulator.Archive{Steady: true}}
	s := newSim(t, o)
	var want [][]byte
	for p := range s.ExpectedArchived(time.Time{}, time.Time{}) {
		want = append(want, p.Bytes())
	}
	got := client{t: t, s: s}.weeks(now.Add(-203*day), 90)
	sameSet(t, got, want)
	oldest := now
	for _, b := range got {
		if at := time.UnixMilli(facet(t, b, "timestamp")); at.Before(oldest) {
			oldest = at
		}
	}
	if age := now.Sub(oldest); age > 180*day || age < 175*day {
		t.Errorf("the oldest record is %s old, want nearly 180 days", age)
	}
	main := truth(s)
	if len(main) >= len(want)/2 || len(main) == 0 {
		t.Errorf("%d records before the door, %d in the archive", len(main), len(want))
	}
	if st := s.Stats(); st.Archived == 0 || st.Archived != st.Pages || st.Records != len(want) {
		t.Errorf("stats %+v", st)
	}
	o.Archive.Span = 40 * day
	sameSet(t, client{t: t, s: newSim(t, o)}.weeks(now.Add(-56*day), 250), client{t: t, s: s}.weeks(now.Add(-40*day), 250))
}

func TestTiesOfTheArchiveHaveNoOrder(t *testing.T) {
	o := simulator.Options{Seed: 8, Count: 200, Pile: simulator.Pile{Size: 60}}
	visible := len(truth(newSim(t, o)))
	orders := func(o simulator.Options, path string) (distinct map[string]bool, first string) {
		c := client{t: t, s: newSim(t, o)}
		distinct = map[string]bool{}
		for range 4 {
			body := fmt.Sprintf(`{"filters":{"date":{"range":[{"start":%d,"end":%d}]}},"limit":250}`, now.Add(-7*day).UnixMilli(), now.UnixMilli())
			a := c.do("POST", path, "application/json", body)
			if len(a.Data) != visible {
				t.Fatalf("%d records, want %d", len(a.Data), visible)
			}
			var key strings.Builder
			last := now.UnixMilli()
			for _, b := range a.Data {
				at := facet(t, b, "timestamp")
				if at > last {
					t.Fatal("not in order of time")
				}
				last = at
				key.WriteString(decoded(t, b)["_id"].(string) + " ")
			}
			distinct[key.String()] = true
			if first == "" {
				first = key.String()
			}
		}
		return distinct, first
	}
	distinct, first := orders(o, "/api/v1/archived_activities/")
	if len(distinct) != 4 {
		t.Errorf("four calls gave %d orders, want four", len(distinct))
	}
	if _, again := orders(o, "/api/v1/archived_activities/"); again != first {
		t.Error("the first call of a seed has not the same order again")
	}
	if distinct, _ := orders(o, "/api/v1/activities/"); len(distinct) != 1 {
		t.Errorf("the main route has %d orders, want one", len(distinct))
	}
	o.Archive.Steady = true
	if distinct, _ := orders(o, "/cas/api/v1/archived_activities"); len(distinct) != 1 {
		t.Errorf("a steady archive has %d orders, want one", len(distinct))
	}
}

func TestWhatTheArchiveRefuses(t *testing.T) {
	end := now.UnixMilli()
	week := func(filters string) string {
		return fmt.Sprintf(`{"date":{"range":[{"start":%d,"end":%d}]}%s}`, end-7*24*3_600_000, end, filters)
	}
	many := simulator.Options{Seed: 8, Count: 9000}
	scan := many
	scan.Archive.Scan = simulator.ArchiveScanRefused
	deep := many
	deep.Archive.Reach = -1
	refuse := many
	refuse.Paging.Refuse = true
	small := many
	small.Archive.Cap = 50
	for _, c := range []struct {
		name    string
		o       simulator.Options
		filters string
		rest    string
		status  int
		records int // -1: not looked at
	}{
		{"a week", many, week(``), ``, 200, 100},
		{"two ranges within a week", many, fmt.Sprintf(`{"date":{"range":[{"start":%d,"end":%d},{"start":%d,"end":%d}]}}`, end-7*24*3_600_000, end-6*24*3_600_000, end-3_600_000, end), ``, 200, 100},
		{"its filters", many, week(`,"service":{"eq":20893},"activity.id":{"eq":"x"},"activity.eventActionType":{"eq":"x"},"actionType":{"eq":"x"},"ip.address":{"eq":"1.1.1.1"},"location.country":{"eq":"DE"},"user.username":{"eq":"x"}`), ``, 200, 0},
		{"no date", many, `{}`, ``, 400, 0},
		{"no range", many, fmt.Sprintf(`{"date":{"gte":%d,"lte":%d}}`, end-1000, end), ``, 400, 0},
		{"range and bound", many, fmt.Sprintf(`{"date":{"range":[{"start":%d,"end":%d}],"lte":%d}}`, end-1000, end, end), ``, 400, 0},
		{"an object", many, fmt.Sprintf(`{"date":{"range":{"start":%d,"end":%d}}}`, end-1000, end), ``, 400, 0},
		{"days", many, `{"date":{"gte_ndays":2}}`, ``, 400, 0},
		{"open at the end", many, fmt.Sprintf(`{"date":{"range":[{"start":%d}]}}`, end), ``, 400, 0},
		{"a ms more than a week", many, fmt.Sprintf(`{"date":{"range":[{"start":%d,"end":%d}]}}`, end-7*24*3_600_000-1, end), ``, 400, 0},
		{"two ranges farther apart", many, fmt.Sprintf(`{"date":{"range":[{"start":%d,"end":%d},{"start":%d,"end":%d}]}}`, end-9*24*3_600_000, end-8*24*3_600_000, end-3_600_000, end), ``, 400, 0},
		{"created", many, week(`,"created":{"gte":1}`), ``, 400, 0},
		{"another filter", many, week(`,"user.domain":{"isset":true}`), ``, 400, 0},
		{"sorted by created", many, week(``), `,"sortField":"created"`, 400, 0},
		{"a scan is a plain page", many, week(``), `,"isScan":true,"limit":5000`, 200, 250},
		{"a scan", scan, week(``), `,"isScan":true`, 400, 0},
		{"not a scan", scan, week(``), `,"isScan":false`, 200, 100},
		{"a limit cut", many, week(``), `,"limit":251`, 200, 250},
		{"a limit refused", refuse, week(``), `,"limit":251`, 400, 0},
		{"a smaller cap", small, week(``), `,"limit":100`, 200, 50},
		{"the reach", many, week(``), `,"limit":250,"skip":4750`, 200, 250},
		{"past the reach", many, week(``), `,"limit":250,"skip":4751`, 400, 0},
		{"without end", deep, week(``), `,"limit":250,"skip":6000`, 200, 250},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := client{t: t, s: newSim(t, c.o)}.do("POST", "/api/v1/archived_activities/", "application/json", `{"filters":`+c.filters+c.rest+`}`)
			if a.Status != c.status || len(a.Data) != c.records {
				t.Errorf("%d with %d records: %.300s", a.Status, len(a.Data), a.Body)
			}
			if a.Status == 400 && !strings.Contains(string(a.Body), "CONSOLE_FORMS_NOT_VALID_VALUE") {
				t.Errorf("refused with %s", a.Body)
			}
		})
	}
	c := client{t: t, s: newSim(t, many)}
	if a := c.do("GET", "/api/v1/archived_activities/", "", ""); a.Status != 405 {
		t.Errorf("GET: %d", a.Status)
	}
	many.Archive.Closed = true
	c = client{t: t, s: newSim(t, many)}
	for _, path := range []string{"/api/v1/archived_activities/", "/api/v1/archived_activities/count/"} {
		if a := c.do("POST", path, "application/json", `{"filters":`+week(``)+`}`); a.Status != 404 {
			t.Errorf("closed %s: %d", path, a.Status)
		}
	}
}

func TestFaultsMeetTheArchiveToo(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 8, Count: 300, Faults: []simulator.Fault{{Kind: simulator.FaultEmptyPage, Page: 2}, {Kind: simulator.FaultStatus503, Page: 3}}})
	c := client{t: t, s: s}
	first := c.archive(now.Add(-7*day), now, ``)
	empty := c.archive(now.Add(-7*day), now, ``)
	if len(first.Data) != 100 || len(empty.Data) != 0 || !*empty.HasNext || empty.Next != nil {
		t.Errorf("%d records, then %.200s", len(first.Data), empty.Body)
	}
	if a := c.archive(now.Add(-7*day), now, ``); a.Status != 503 {
		t.Errorf("third: %d", a.Status)
	}
}

func TestCounts(t *testing.T) {
	o := simulator.Options{Seed: 8, Count: 2000, Days: 60, Door: 30 * day}
	type counted struct {
		Total         int
		MoreThanTotal *bool
		SearchedSince int64
	}
	ask := func(o simulator.Options, path, filters string) (c counted, status int) {
		a := client{t: t, s: newSim(t, o)}.do("POST", path, "application/json", `{"filters":`+filters+`}`)
		if a.Status == 200 {
			if err := json.Unmarshal(a.Body, &c); err != nil || c.MoreThanTotal == nil {
				t.Fatalf("%v: %s", err, a.Body)
			}
		}
		return c, a.Status
	}
	all := len(truth(newSim(t, o)))
	if c, status := ask(o, "/api/v1/activities/count/", `{}`); status != 200 || c.Total != all || *c.MoreThanTotal || c.SearchedSince != now.Add(-30*day).UnixMilli() {
		t.Errorf("all: %d %+v, want %d", status, c, all)
	}
	since := now.Add(-3 * day).UnixMilli()
	if c, _ := ask(o, "/cas/api/v1/activities/count", fmt.Sprintf(`{"date":{"gte":%d},"service":{"eq":20893}}`, since)); c.SearchedSince != since || c.Total == 0 || c.Total > all/5 {
		t.Errorf("some: %+v of %d", c, all)
	}
	old := fmt.Sprintf(`{"date":{"range":[{"start":%d,"end":%d}]}}`, now.Add(-50*day).UnixMilli(), now.Add(-45*day).UnixMilli())
	want := 0
	for range newSim(t, o).ExpectedArchived(now.Add(-50*day), now.Add(-45*day).Add(time.Millisecond)) {
		want++
	}
	if c, _ := ask(o, "/api/v1/archived_activities/count/", old); c.Total != want || want == 0 {
		t.Errorf("archived: %+v, want %d", c, want)
	}
	if c, _ := ask(o, "/api/v1/activities/count/", old); c.Total != 0 {
		t.Errorf("behind the door: %+v", c)
	}
	if _, status := ask(o, "/api/v1/archived_activities/count/", `{}`); status != 400 {
		t.Errorf("archived without a date: %d", status)
	}
	o.Paging.CountExtra = 17
	if c, _ := ask(o, "/api/v1/activities/count/", `{}`); c.Total != all+17 {
		t.Errorf("seventeen above: %+v, want %d", c, all+17)
	}
	o.Paging.CountCap = 100
	if c, _ := ask(o, "/api/v1/activities/count/", `{}`); c.Total != 100 || !*c.MoreThanTotal {
		t.Errorf("capped: %+v", c)
	}
	s := newSim(t, o)
	c := client{t: t, s: s}
	c.do("POST", "/api/v1/activities/count/", "application/json", `{}`)
	if a := c.do("GET", "/api/v1/activities/count/", "", ""); a.Status != 405 {
		t.Errorf("GET: %d", a.Status)
	}
	if st := s.Stats(); st.Counts != 1 || st.Pages != 0 {
		t.Errorf("stats %+v", st)
	}
}
