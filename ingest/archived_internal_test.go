package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheRequestsOfTheArchivedRoute(t *testing.T) {
	since, until := at("2026-08-01"), at("2026-08-08T00:00:00.0001Z")
	for name, c := range map[string]struct {
		window Window
		skip   int
		want   string
	}{
		"plain":      {Window{}, 0, `{"filters":{"date":{"range":[{"start":1785542400000,"end":1786147200000}]}},"skip":0,"limit":250,"sortField":"date","sortDirection":"asc"}`},
		"by skip":    {Window{}, 500, `{"filters":{"date":{"range":[{"start":1785542400000,"end":1786147200000}]}},"skip":500,"limit":250,"sortField":"date","sortDirection":"asc"}`},
		"services":   {Window{Services: []int64{5, 7}}, 0, `{"filters":{"date":{"range":[{"start":1785542400000,"end":1786147200000}]},"service":{"eq":[5,7]}},"skip":0,"limit":250,"sortField":"date","sortDirection":"asc"}`},
		"a filter":   {Window{Filter: []byte(`{ "ip" : {"eq":["192.0.2.1"]} }`)}, 0, `{"filters":{"date":{"range":[{"start":1785542400000,"end":1786147200000}]},"ip" : {"eq":["192.0.2.1"]}},"skip":0,"limit":250,"sortField":"date","sortDirection":"asc"}`},
		"both":       {Window{Services: []int64{5}, Filter: []byte(`{"a":1}`)}, 0, `{"filters":{"date":{"range":[{"start":1785542400000,"end":1786147200000}]},"service":{"eq":[5]},"a":1},"skip":0,"limit":250,"sortField":"date","sortDirection":"asc"}`},
		"no filter":  {Window{Filter: []byte(` {} `)}, 0, `{"filters":{"date":{"range":[{"start":1785542400000,"end":1786147200000}]}},"skip":0,"limit":250,"sortField":"date","sortDirection":"asc"}`},
		"the window": {Window{Since: since, Until: since.Add(time.Hour)}, 0, `{"filters":{"date":{"range":[{"start":1785542400000,"end":1786147200000}]}},"skip":0,"limit":250,"sortField":"date","sortDirection":"asc"}`}, // of which this is a part
	} {
		t.Run(name, func(t *testing.T) {
			a := archivedScan{g: readingOf(c.window)}
			same(t, "request", c.want, string(a.request(since, until, c.skip)))
		})
	}
}

// archive is the archived route: times in ms, several records may have the same.
type archive struct {
	times     []int64
	cap       int  // of a page; 0: what is asked for
	lies      bool // it says that there is no more, though there is
	unsorted  bool
	moreNever bool // it says that there is more, though there is not
	hiccup    int  // the request to which it answers that there is nothing, from 1
	requests  int
	paths     map[string]bool
	dice      *rand.Rand
}

func (a *archive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.requests++
	if a.paths == nil {
		a.paths = map[string]bool{}
	}
	a.paths[r.URL.Path] = true
	if a.requests > 3000 {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	if a.requests == a.hiccup {
		fmt.Fprint(w, `{"data":[],"hasNext":false}`)
		return
	}
	text := requestText(r)
	var filters struct {
		Date struct {
			Range []struct{ Start, End int64 }
		}
	}
	var skip, limit int
	if err := errors.Join(jsonOf(text, "filters", &filters), jsonOf(text, "skip", &skip), jsonOf(text, "limit", &limit)); err != nil || len(filters.Date.Range) != 1 || skip+limit > archivedReach || limit > archivedPage {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if a.cap > 0 {
		limit = min(limit, a.cap)
	}
	type row struct {
		ms    int64
		n     int
		order int
	}
	var rows []row
	for n, ms := range a.times {
		if between := filters.Date.Range[0]; ms >= between.Start && ms <= between.End {
			rows = append(rows, row{ms, n, a.dice.Int()}) // ties come in another order each time
		}
	}
	slices.SortFunc(rows, func(x, y row) int { return cmp.Or(cmp.Compare(x.ms, y.ms), cmp.Compare(x.order, y.order)) })
	if a.unsorted {
		slices.Reverse(rows)
	}
	rows = rows[min(skip, len(rows)):]
	more := len(rows) > limit
	var records []string
	for _, x := range rows[:min(limit, len(rows))] {
		records = append(records, fmt.Sprintf(`{"_id":"%d","timestamp":%d}`, x.n, x.ms))
	}
	fmt.Fprintf(w, `{"data":[%s],"hasNext":%v}`, strings.Join(records, ","), more && !a.lies || a.moreNever)
}

// spread are so many times a second apart.
func spread(n int) (times []int64) {
	for i := range int64(n) {
		times = append(times, at("2026-08-01").UnixMilli()+i*1000)
	}
	return times
}

// heaped are so many records of one millisecond.
func heaped(n int, second int64) []int64 {
	return slices.Repeat([]int64{at("2026-08-01").UnixMilli() + second*1000}, n)
}

func TestTheArchivedRouteIsReadWithoutLoss(t *testing.T) {
	var stalled *StalledError
	for name, c := range map[string]struct {
		archive  archive
		requests int // at most
		stalls   string
	}{
		"nothing":                          {archive{}, 2, ""},
		"nothing at first":                 {archive{times: spread(100), hiccup: 1}, 4, ""},
		"nothing in between":               {archive{times: spread(600), hiccup: 2}, 7, ""},
		"nothing of a full millisecond":    {archive{times: append(spread(300), heaped(600, 0)...), hiccup: 2}, 60, ""},
		"a page":                           {archive{times: spread(100)}, 2, ""},
		"a page and no more":               {archive{times: spread(250)}, 2, ""},
		"many pages":                       {archive{times: spread(1500)}, 9, ""},
		"ties at the end of a page":        {archive{times: append(spread(249), heaped(20, 248)...)}, 4, ""},
		"a millisecond fills a page":       {archive{times: append(spread(300), heaped(250, 100)...)}, 14, ""},
		"and many":                         {archive{times: append(spread(300), heaped(2000, 100)...)}, 160, ""},
		"the first millisecond":            {archive{times: append(spread(300), heaped(600, 0)...)}, 60, ""},
		"pages of a hundred":               {archive{times: append(spread(300), heaped(150, 100)...), cap: 100}, 40, ""},
		"pages of a hundred, as many":      {archive{times: append(spread(300), heaped(100, 100)...), cap: 100}, 40, ""},
		"pages of one":                     {archive{times: append(spread(10), heaped(5, 5)...), cap: 1}, 120, ""},
		"it says too early that it is all": {archive{times: spread(1500), lies: true}, 9, ""},
		"more than it shows":               {archive{times: heaped(5200, 0)}, 25, "more records in one millisecond than the archived route shows"},
		"more, and nothing comes":          {archive{times: spread(10), moreNever: true}, 12, "gives nothing new"},
		"more, and nothing ever came":      {archive{moreNever: true}, 3, "gives nothing new"},
		"not in the order of time":         {archive{times: spread(300), unsorted: true}, 1, "not give records in the order"},
	} {
		t.Run(name, func(t *testing.T) {
			c.archive.dice = rand.New(rand.NewPCG(1, 2))
			client := testClient(t, NewManualClock(at("2026-11-20T12:00:00Z")), c.archive.ServeHTTP)
			g := readingOf(Window{Since: at("2026-08-01"), Until: at("2026-08-02")})
			g.archived = true
			seen := map[string]bool{}
			err := readTo(t, g, client, func(p *Page) {
				for _, r := range p.Records {
					seen[string(r)] = true
				}
			})
			switch {
			case c.stalls != "" && (!errors.As(err, &stalled) || !strings.Contains(err.Error(), c.stalls)):
				t.Errorf("want that it stalls, got %v", err)
			case c.stalls == "" && err != nil:
				t.Error(err)
			case c.stalls == "" && len(seen) != len(c.archive.times):
				t.Errorf("%d records of %d", len(seen), len(c.archive.times))
			}
			if c.archive.requests > c.requests || g.requests.Load() != int64(c.archive.requests) {
				t.Errorf("%d requests, at most %d wanted; %d told of", c.archive.requests, c.requests, g.requests.Load())
			}
			if len(c.archive.paths) != 1 || !c.archive.paths["/api/v1/archived_activities/"] {
				t.Errorf("asked at %v", c.archive.paths)
			}
		})
	}
}
