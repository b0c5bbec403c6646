package simulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/ingest/simulator"
)

func TestScanDeliversExactlyTheTruth(t *testing.T) {
	o := simulator.Options{Seed: 9, Count: 350, Days: 2, Revisions: 0.05}
	want := truth(newSim(t, o))
	start, end := now.AddDate(0, 0, -2).UnixMilli(), now.UnixMilli()
	shapes := map[string]string{
		"no filter":    `{}`,
		"gte and lte":  fmt.Sprintf(`{"date":{"gte":%d,"lte":%d}}`, start, end),
		"range object": fmt.Sprintf(`{"date":{"range":{"start":%d,"end":%d}}}`, start, end),
		"range list":   fmt.Sprintf(`{"date":{"range":[{"start":%d,"end":%d},{"start":%d,"end":%d}]}}`, start, start+40_000_000, start+40_000_001, end),
		"floats":       fmt.Sprintf(`{"date":{"gte":%d.0,"lte":%d.0}}`, start, end),
		"ndays":        `{"date":{"gte_ndays":2}}`,
		"saved":        fmt.Sprintf(`{"created":{"gte":%d,"lte":%d}}`, start, end),
	}
	for name, filters := range shapes {
		for _, field := range []string{"date", "created"} {
			for _, direction := range []string{"asc", "desc"} {
				limits := []int{37}
				if name == "gte and lte" {
					limits = []int{1, 7, 100, 5000}
				}
				for _, limit := range limits {
					t.Run(fmt.Sprintf("%s/%s/%s/%d", name, field, direction, limit), func(t *testing.T) {
						s := newSim(t, o)
						rest := fmt.Sprintf(`,"limit":%d,"sortField":%q,"sortDirection":%q`, limit, field, direction)
						got, _ := client{t: t, s: s}.scan(filters, rest, 3000)
						sameSet(t, got, want)
						key := map[string]string{"date": "timestamp", "created": "created"}[field]
						for i := 1; i < len(got); i++ {
							a, b := facet(t, got[i-1], key), facet(t, got[i], key)
							if direction == "asc" && a > b || direction == "desc" && a < b {
								t.Fatalf("record %d out of order: %d, %d", i, a, b)
							}
						}
					})
				}
			}
		}
	}
}

func TestCursorIsTheCallersFiltersWithOneBoundMoved(t *testing.T) {
	start, end := now.AddDate(0, 0, -7).UnixMilli(), now.UnixMilli()
	for _, c := range []struct{ name, filters, rest, want string }{
		{"descending", `{"date":{"gte":S,"lte":E},"service":{"eq":[20893]}}`, ``, `{"date":{"gte":S,"lte":M},"service":{"eq":[20893]}}`},
		{"descending without upper bound", `{"service":{"eq":20893},"date":{"gte":S}}`, ``, `{"service":{"eq":20893},"date":{"gte":S,"lte":M}}`},
		{"range object", `{"date":{"range":{"start":S,"end":E}}}`, ``, `{"date":{"range":{"start":S,"end":E},"lte":M}}`},
		{"range list ascending", `{"date":{"range":[{"start":S,"end":E}]}}`, `,"sortDirection":"asc"`, `{"date":{"range":[{"start":S,"end":E}],"gte":M}}`},
		{"ascending", `{"date":{"gte":S,"lte":E}}`, `,"sortDirection":"asc"`, `{"date":{"gte":M,"lte":E}}`},
		{"ndays", `{"date":{"gte_ndays":6}}`, ``, `{"date":{"gte_ndays":6,"lte":M}}`},
		{"floats stay floats", `{"date":{"gte":S.0}}`, ``, `{"date":{"gte":S.0,"lte":M}}`},
		{"created", `{"date":{"gte":S}}`, `,"sortField":"created"`, `{"date":{"gte":S},"created":{"lte":M}}`},
		{"created ascending", `{"created":{"gt":S}}`, `,"sortField":"created","sortDirection":"asc"`, `{"created":{"gt":S,"gte":M}}`},
		{"nothing asked", `{}`, ``, `{"date":{"lte":M}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := strings.NewReplacer("S", fmt.Sprint(start), "E", fmt.Sprint(end))
			s := newSim(t, simulator.Options{Seed: 4, Count: 3000})
			a := client{t: t, s: s}.post(`{"filters":` + r.Replace(c.filters) + `,"isScan":true,"limit":60` + c.rest + `}`)
			if a.HasNext == nil || !*a.HasNext {
				t.Fatalf("want more, got %.200s", a.Body)
			}
			if len(a.Data) >= 60 {
				t.Errorf("page of %d was not cut at its last millisecond", len(a.Data))
			}
			// The moved bound lies beyond the last record kept.
			parts := strings.SplitN(r.Replace(c.want), "M", 2)
			if !strings.HasPrefix(string(a.Next), parts[0]) || !strings.HasSuffix(string(a.Next), parts[1]) {
				t.Fatalf("cursor %s, want %s", a.Next, r.Replace(c.want))
			}
			moved := strings.TrimSuffix(strings.TrimPrefix(string(a.Next), parts[0]), parts[1])
			var bound int64
			if err := json.Unmarshal([]byte(moved), &bound); err != nil {
				t.Fatalf("moved bound %q: %v", moved, err)
			}
			key := "timestamp"
			if strings.Contains(c.rest, "created") {
				key = "created"
			}
			last := facet(t, a.Data[len(a.Data)-1], key)
			if asc := strings.Contains(c.rest, "asc"); asc && bound <= last || !asc && bound >= last {
				t.Errorf("bound %d, last record kept %d", bound, last)
			}
		})
	}
}

func TestPileOfOneMillisecond(t *testing.T) {
	for _, same := range []bool{false, true} {
		o := simulator.Options{Seed: 5, Count: 400, Pile: simulator.Pile{Size: 90, SameCreated: same}}
		want := truth(newSim(t, o))
		for _, direction := range []string{"asc", "desc"} {
			for _, field := range []string{"date", "created"} {
				s := newSim(t, o)
				got, _ := client{t: t, s: s}.scan(`{}`, fmt.Sprintf(`,"limit":20,"sortField":%q,"sortDirection":%q`, field, direction), 400)
				sameSet(t, got, want)
				largest := 0
				for _, r := range s.Stats().Log {
					largest = max(largest, r.Records)
				}
				if wholePile := field == "date" || same; wholePile != (largest >= 90) {
					t.Errorf("same %v, %s: largest page %d", same, field, largest)
				}
			}
		}
	}

	t.Run("the cursor stands still by a switch", func(t *testing.T) {
		s := newSim(t, simulator.Options{Seed: 5, Count: 400, Pile: simulator.Pile{Size: 90}, Cursor: simulator.Cursor{StandStill: true}})
		filters, seen := "{}", map[string]int{}
		for range 60 {
			a := client{t: t, s: s}.post(`{"filters":` + filters + `,"isScan":true,"limit":20}`)
			if a.Next == nil {
				t.Fatal("scan ended though a millisecond holds more than a page")
			}
			filters = string(a.Next)
			seen[filters]++
		}
		if seen[filters] < 10 {
			t.Errorf("cursor %s came %d times, want the scan to hang on it", filters, seen[filters])
		}
	})
}

func TestFixedTailStillLosesNothing(t *testing.T) {
	o := simulator.Options{Seed: 6, Count: 800, Cursor: simulator.Cursor{DropTail: 3}}
	s := newSim(t, o)
	got, _ := client{t: t, s: s}.scan(`{}`, `,"limit":25`, 400)
	have := map[string]bool{}
	for _, b := range got {
		have[string(b)] = true
	}
	for _, b := range truth(s) {
		if !have[string(b)] {
			t.Fatalf("missing %.80s", b)
		}
	}
}

func TestExtraMemberOfTheCursor(t *testing.T) {
	o := simulator.Options{Seed: 6, Count: 600, Cursor: simulator.Cursor{RequireExtra: true}}
	s := newSim(t, o)
	c := client{t: t, s: s}
	got, _ := c.scan(`{}`, `,"limit":50`, 100)
	sameSet(t, got, truth(s))

	a := c.post(`{"isScan":true,"limit":50}`)
	var next map[string]json.RawMessage
	if err := json.Unmarshal(a.Next, &next); err != nil || len(next) != 2 {
		t.Fatalf("cursor %s, %v: want date and one member more", a.Next, err)
	}
	stripped, _ := json.Marshal(map[string]json.RawMessage{"date": next["date"]})
	if a = c.post(fmt.Sprintf(`{"filters":%s,"isScan":true,"limit":50}`, stripped)); a.Status != 400 {
		t.Errorf("a cursor without its extra member gave %d, want 400", a.Status)
	}

	s = newSim(t, simulator.Options{Seed: 6, Count: 600, Cursor: simulator.Cursor{RefuseAt: 2}})
	c = client{t: t, s: s}
	filters := "{}"
	var statuses []int
	for range 5 {
		a := c.post(`{"filters":` + filters + `,"isScan":true,"limit":50}`)
		statuses = append(statuses, a.Status)
		if a.Status == 200 {
			filters = string(a.Next)
		}
	}
	if diff := cmp.Diff([]int{200, 200, 400, 200, 200}, statuses); diff != "" {
		t.Error(diff)
	}
}

func TestRecordsAppearWhenTheyAreSaved(t *testing.T) {
	clock := now.AddDate(0, 0, -4)
	o := simulator.Options{Seed: 8, Count: 3000, Start: now.AddDate(0, 0, -5), End: now, Clock: func() time.Time { return clock }}
	s := newSim(t, o)
	c := client{t: t, s: s}
	before, _ := c.scan(`{}`, `,"limit":5000`, 9)
	if len(before) == 0 {
		t.Fatal("nothing visible after a day")
	}
	for _, b := range before {
		if facet(t, b, "created") > clock.UnixMilli() {
			t.Fatalf("visible before it was saved: %.300s", b)
		}
	}
	clock = now.AddDate(0, 0, 9)
	after, _ := c.scan(`{}`, `,"limit":5000`, 9)
	if len(after) != 3000 {
		t.Errorf("%d records in the end, want 3000", len(after))
	}
	late := 0
	for _, b := range after {
		if d := facet(t, b, "created") - facet(t, b, "timestamp"); d > 24*3600*1000 {
			late++
		}
	}
	if late < 10 || late > 150 {
		t.Errorf("%d of 3000 records were more than a day late", late)
	}
}

func TestDoorHidesOldRecords(t *testing.T) {
	o := simulator.Options{Seed: 8, Count: 1000, Days: 60, Door: 30 * 24 * time.Hour}
	s := newSim(t, o)
	got, _ := client{t: t, s: s}.scan(`{}`, ``, 20)
	sameSet(t, got, truth(s))
	for _, b := range got {
		if facet(t, b, "timestamp") < now.AddDate(0, 0, -30).UnixMilli() {
			t.Fatal("a record beyond the door is visible")
		}
	}
	if len(got) == 0 || len(got) > 700 {
		t.Errorf("%d of 1000 records of 60 days behind a door of 30", len(got))
	}
}

func TestCaps(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 1, Count: 7000})
	old := newSim(t, simulator.Options{Seed: 1, Count: 7000, Paging: simulator.Paging{PlainCap: 100, Refuse: true}})
	for _, c := range []struct {
		name   string
		s      *simulator.Simulator
		method string
		path   string
		body   string
		status int
		least  int
		most   int
	}{
		{"plain default", s, "POST", "", `{}`, 200, 100, 100},
		{"plain 250", s, "POST", "", `{"limit":250}`, 200, 250, 250},
		{"plain cut to 250", s, "POST", "", `{"limit":9999}`, 200, 250, 250},
		{"plain 100 of old", old, "POST", "", `{"limit":100}`, 200, 100, 100},
		{"plain refused", old, "POST", "", `{"limit":101}`, 400, 0, 0},
		{"scan refused", old, "POST", "", `{"limit":5001,"isScan":true}`, 400, 0, 0},
		{"zero refused", old, "POST", "", `{"limit":0}`, 400, 0, 0},
		{"scan default", s, "POST", "", `{"isScan":true}`, 200, 480, 499},
		{"scan 5000", s, "POST", "", `{"isScan":true,"limit":5000}`, 200, 4900, 4999},
		{"scan cut to 5000", s, "POST", "", `{"isScan":"true","limit":"60000"}`, 200, 4900, 4999},
		{"scan by GET cut to 500", s, "GET", "?isScan=True&limit=5000", ``, 200, 480, 499},
		{"scan by GET with a body", s, "GET", "", `{"isScan":true,"limit":5000}`, 200, 480, 499},
		{"limit as float", s, "POST", "", `{"limit":30.0,"skip":10.0}`, 200, 30, 30},
		{"skip to the reach", s, "POST", "", `{"limit":100,"skip":4900}`, 200, 100, 100},
		{"skip past the reach", s, "POST", "", `{"limit":100,"skip":4901}`, 400, 0, 0},
		{"nonsense", s, "POST", "", `{"limit":"many"}`, 400, 0, 0},
		{"negative", s, "POST", "", `{"limit":-4}`, 400, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := client{t: t, s: c.s}.do(c.method, "/api/v1/activities/"+c.path, "application/json", c.body)
			if a.Status != c.status || len(a.Data) < c.least || len(a.Data) > c.most {
				t.Errorf("status %d with %d records, want %d with %d to %d", a.Status, len(a.Data), c.status, c.least, c.most)
			}
		})
	}
	beyond := newSim(t, simulator.Options{Seed: 1, Count: 7000, Paging: simulator.Paging{EmptyBeyond: true}})
	a := client{t: t, s: beyond}.post(`{"skip":6000}`)
	if a.Status != 200 || len(a.Data) != 0 || *a.HasNext {
		t.Errorf("beyond the reach: %d %.200s", a.Status, a.Body)
	}
}

func TestPlainListPagesBySkip(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 1, Count: 600})
	c := client{t: t, s: s}
	var got [][]byte
	for skip := 0; ; skip += 90 {
		a := c.post(fmt.Sprintf(`{"limit":90,"skip":%d}`, skip))
		if a.Next != nil {
			t.Fatal("a plain list carries nextQueryFilters")
		}
		for _, b := range a.Data {
			got = append(got, b)
		}
		if !*a.HasNext {
			break
		}
	}
	sameSet(t, got, truth(s))
}

func TestTotalCountsWhatRemains(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 1, Count: 900})
	c := client{t: t, s: s}
	left := len(truth(s))
	filters := "{}"
	for {
		a := c.post(`{"filters":` + filters + `,"isScan":true,"limit":100}`)
		if *a.Total != left {
			t.Fatalf("total %d, want %d", *a.Total, left)
		}
		left -= len(a.Data)
		if !*a.HasNext {
			break
		}
		filters = string(a.Next)
	}
	a := c.post(`{"isScan":true,"performAsyncTotal":true}`)
	if a.Total != nil || !bytes.Contains(a.Body, []byte(`"performAsyncTotal":true`)) {
		t.Error("performAsyncTotal is not honoured")
	}
}
