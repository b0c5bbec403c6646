package simulator_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"mdcalake/ingest/simulator"
)

// Each shape, on the first page and on the second: S and E are the caller's
// bounds, M a moved one, N now and D six days before it.
func TestShapesOfTheCursor(t *testing.T) {
	start, end := now.AddDate(0, 0, -6).UnixMilli()+5, now.UnixMilli()-60_000
	const asc, desc = `,"sortDirection":"asc"`, ``
	const saved, savedAsc = `,"sortField":"created"`, `,"sortField":"created","sortDirection":"asc"`
	for _, c := range []struct {
		shape               simulator.CursorShape
		filters, rest, want string
	}{
		{simulator.ShapeCaller, `{"date":{"gte":S,"lte":E}}`, desc, `{"date":{"gte":S,"lte":M}}`},
		{simulator.ShapeCaller, `{"date":{"gte":S,"lte":E}}`, saved, `{"date":{"gte":S,"lte":E},"created":{"lte":M}}`},
		{simulator.ShapeCaller, `{"date":{"gte":S,"lte":E}}`, savedAsc, `{"date":{"gte":S,"lte":E},"created":{"gte":M}}`},
		{simulator.ShapeCaller, `{"created":{"gte":S,"lte":E},"date":{"gte":S}}`, saved, `{"created":{"gte":S,"lte":M},"date":{"gte":S}}`},
		{simulator.ShapeRange, `{"date":{"gte":S,"lte":E},"service":{"neq":1}}`, desc, `{"date":{"range":{"start":S,"end":E},"lte":M},"service":{"neq":1}}`},
		{simulator.ShapeRange, `{"date":{"range":[{"start":S,"end":E}]}}`, asc, `{"date":{"range":{"start":S,"end":E},"gte":M}}`},
		{simulator.ShapeRange, `{"date":{"gte_ndays":6}}`, desc, `{"date":{"range":{"start":D,"end":N},"lte":M}}`},
		{simulator.ShapeRange, `{}`, desc, `{"date":{"range":{"start":0,"end":N},"lte":M}}`},
		{simulator.ShapeRange, `{"date":{"gte":S,"lte":E}}`, savedAsc, `{"date":{"gte":S,"lte":E},"created":{"range":{"start":0,"end":N},"gte":M}}`},
		{simulator.ShapeRangeList, `{"date":{"gte":S,"lte":E}}`, asc, `{"date":{"range":[{"start":S,"end":E}],"gte":M}}`},
		{simulator.ShapeRangeList, `{"date":{"range":{"start":S,"end":E}}}`, desc, `{"date":{"range":[{"start":S,"end":E}],"lte":M}}`},
		{simulator.ShapeRangeList, `{"created":{"gt":S}}`, saved, `{"created":{"range":[{"start":S+1,"end":N}],"lte":M}}`},
		{simulator.ShapeResolved, `{"date":{"gte_ndays":6}}`, desc, `{"date":{"gte":D,"lte":M}}`},
		{simulator.ShapeResolved, `{"date":{"gte_ndays":6,"lte_ndays":0}}`, asc, `{"date":{"gte":M,"lte":N}}`},
		{simulator.ShapeResolved, `{"date":{"range":{"start":S,"end":E}}}`, desc, `{"date":{"range":{"start":S,"end":E},"lte":M}}`},
	} {
		t.Run(fmt.Sprintf("%s %s%s", c.shape, c.filters, c.rest), func(t *testing.T) {
			r := strings.NewReplacer("S+1", fmt.Sprint(start+1), "S", fmt.Sprint(start), "E", fmt.Sprint(end), "N", fmt.Sprint(now.UnixMilli()), "D", fmt.Sprint(now.AddDate(0, 0, -6).UnixMilli()))
			want := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(r.Replace(c.want)), "M", `(\d{13})`) + "$")
			s := newSim(t, simulator.Options{Seed: 4, Count: 900, Cursor: simulator.Cursor{Shape: c.shape}})
			filters := r.Replace(c.filters)
			for page := range 2 {
				a := client{t: t, s: s}.post(`{"filters":` + filters + `,"isScan":true,"limit":60` + c.rest + `}`)
				if !want.Match(a.Next) {
					t.Fatalf("page %d: cursor %s, want %s", page+1, a.Next, want)
				}
				filters = string(a.Next)
			}
			got, _ := client{t: t, s: s}.scan(r.Replace(c.filters), `,"limit":60`+c.rest, 60)
			whole, _ := client{t: t, s: newSim(t, simulator.Options{Seed: 4, Count: 900})}.scan(r.Replace(c.filters), `,"limit":5000`+c.rest, 60)
			sameSet(t, got, whole)
		})
	}
	// More than one interval cannot be one object: it stays as it came.
	s := newSim(t, simulator.Options{Seed: 4, Count: 900, Cursor: simulator.Cursor{Shape: simulator.ShapeRange}})
	two := fmt.Sprintf(`{"date":{"range":[{"start":%d,"end":%d},{"start":%d,"end":%d}]}}`, start, start+90_000_000, end-90_000_000, end)
	a := client{t: t, s: s}.post(`{"filters":` + two + `,"isScan":true,"limit":30}`)
	if !strings.HasPrefix(string(a.Next), strings.TrimSuffix(two, "}}")+`,"lte":`) {
		t.Errorf("two intervals: %s", a.Next)
	}
}

func TestIgnoredFilters(t *testing.T) {
	all := truth(newSim(t, simulator.Options{Seed: 4, Count: 500}))
	from, to := now.AddDate(0, 0, -3).UnixMilli(), now.AddDate(0, 0, -2).UnixMilli()
	window := fmt.Sprintf(`{"date":{"gte":%d,"lte":%d},"service":{"eq":20893}}`, from, to)
	inside := func(b []byte) bool {
		at := facet(t, b, "timestamp")
		return at >= from && at <= to
	}
	mail := func(b []byte) bool { return facet(t, b, "appId") == 20893 }
	for _, c := range []struct {
		ignore []string
		want   func([]byte) bool
	}{
		{nil, func(b []byte) bool { return inside(b) && mail(b) }},
		{[]string{"service"}, inside},
		{[]string{"date"}, mail},
		{[]string{"date", "service"}, func([]byte) bool { return true }},
		{[]string{"created"}, func(b []byte) bool { return inside(b) && mail(b) }},
	} {
		for _, rest := range []string{``, `,"sortDirection":"asc"`, `,"sortField":"created","sortDirection":"asc"`} {
			s := newSim(t, simulator.Options{Seed: 4, Count: 500, Paging: simulator.Paging{Ignore: c.ignore}})
			got, _ := client{t: t, s: s}.scan(window, `,"limit":60`+rest, 40)
			var want [][]byte
			for _, b := range all {
				if c.want(b) {
					want = append(want, b)
				}
			}
			t.Run(fmt.Sprint(c.ignore, rest), func(t *testing.T) { sameSet(t, got, want) })
		}
	}
	// What is not valid is refused all the same, and a former name is the present one.
	s := newSim(t, simulator.Options{Seed: 4, Count: 500, Paging: simulator.Paging{Ignore: []string{"date", "activity.eventActionType"}}})
	c := client{t: t, s: s}
	if a := c.post(`{"filters":{"date":{"gte":"soon"}}}`); a.Status != 400 {
		t.Errorf("nonsense: %d", a.Status)
	}
	if a := c.post(`{"filters":{"activity.eventType":{"eq":"nothing"}}}`); len(a.Data) != 100 {
		t.Errorf("by its former name: %d records", len(a.Data))
	}
	body := fmt.Sprintf(`{"filters":{"date":{"range":[{"start":%d,"end":%d}]}}}`, from, from+1)
	if a := c.do("POST", "/api/v1/archived_activities/", "application/json", body); len(a.Data) != 100 {
		t.Errorf("archived: %d records", len(a.Data))
	}
	var count struct{ Total int }
	if err := json.Unmarshal(c.do("POST", "/api/v1/activities/count/", "application/json", body).Body, &count); err != nil || count.Total != len(all) {
		t.Errorf("count: %v, %d of %d", err, count.Total, len(all))
	}
}
