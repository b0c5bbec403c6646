package ingest

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"mdcalake/store"
)

// pageOf is a page of so many records that took a request, and its tally: the
// times along the scan, in the order in which they came.
func pageOf(asked time.Time, times ...time.Time) (*Page, tally) {
	p := &Page{FirstAsked: asked, Requests: 1, Records: make([][]byte, len(times)), Body: make([]byte, 10*len(times))}
	var t tally
	for i, at := range times {
		ms := at.UnixMilli()
		if i == 0 {
			t.first, t.last = ms, ms
		}
		t.disorder = t.disorder || ms < t.last
		t.first, t.last = min(t.first, ms), max(t.last, ms)
		t.inside++
	}
	return p, t
}

// show lets a reading see a page.
func (g *reading) show(asked string, times ...string) {
	var all []time.Time
	for _, t := range times {
		all = append(all, at(t))
	}
	p, t := pageOf(at(asked), all...)
	g.note(p, t, 0)
}

const readingAsked = "2026-11-20T12:00:00Z"

func readingOf(w Window) *reading { return &reading{task: task{window: w, why: whyHole}} }

func dayWindow() Window { return Window{Since: at("2026-11-01"), Until: at("2026-11-02")} }

func TestAReadingNotesWhatItsPagesShow(t *testing.T) {
	g := readingOf(dayWindow())
	g.show(readingAsked, "2026-11-01T01:00:00Z", "2026-11-01T02:00:00Z")
	g.show("2026-11-20T12:05:00Z", "2026-11-01T02:00:00Z", "2026-11-01T03:00:00Z")
	g.show("2026-11-20T12:06:00Z")
	if g.pages != 3 || g.records != 4 || g.requests.Load() != 3 || g.disorder || !g.reached.Equal(at("2026-11-01T03:00:00Z")) || !g.asked.Equal(at(readingAsked)) {
		t.Errorf("%+v", g)
	}
}

func TestAReadingWasAskedForByTheEarlierClock(t *testing.T) {
	for offset, want := range map[time.Duration]string{0: readingAsked, time.Hour: "2026-11-20T11:00:00Z", -time.Hour: readingAsked} {
		g := readingOf(dayWindow())
		p, tally := pageOf(at(readingAsked)) // by the server's clock, which is so much ahead of ours
		g.note(p, tally, offset)
		if !g.asked.Equal(at(want)) {
			t.Errorf("an offset of %v: %v", offset, g.asked)
		}
	}
}

func TestWhichPagesComeInOrder(t *testing.T) {
	const a, b, c, d = "2026-11-01T01:00:00Z", "2026-11-01T02:00:00Z", "2026-11-01T03:00:00Z", "2026-11-01T04:00:00Z"
	type page struct {
		times    []string
		repeated bool // its cursor did not move
	}
	for name, x := range map[string]struct {
		pages    []page
		disorder bool
	}{
		"in order":                                  {[]page{{[]string{a, b}, false}, {[]string{c}, false}}, false},
		"ties":                                      {[]page{{[]string{a, a}, false}, {[]string{a, b}, false}}, false},
		"out of order on a page":                    {[]page{{[]string{b, a}, false}}, true},
		"overlapping pages":                         {[]page{{[]string{a, c}, false}, {[]string{b, d}, false}}, true},
		"the same question again":                   {[]page{{[]string{a}, false}, {[]string{b, c}, true}, {[]string{b, d}, false}}, false},
		"again and again":                           {[]page{{[]string{a}, false}, {[]string{b, c}, true}, {[]string{b, c}, true}, {[]string{b, d}, false}}, false},
		"again, with nothing in between":            {[]page{{[]string{a}, false}, {[]string{b, c}, true}, {nil, true}, {[]string{b, d}, false}}, false},
		"again, but from before it":                 {[]page{{[]string{b}, false}, {[]string{b, c}, true}, {[]string{a, d}, false}}, true},
		"no longer the same question":               {[]page{{[]string{a}, false}, {[]string{b, c}, true}, {[]string{b, c}, false}, {[]string{b, d}, false}}, true},
		"no longer, with nothing in between either": {[]page{{[]string{a}, false}, {[]string{b, c}, true}, {nil, false}, {[]string{b, d}, false}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := readingOf(dayWindow())
			for _, page := range x.pages {
				var times []time.Time
				for _, text := range page.times {
					times = append(times, at(text))
				}
				p, tally := pageOf(at(readingAsked), times...)
				p.Repeated = page.repeated
				g.note(p, tally, 0)
			}
			if g.disorder != x.disorder {
				t.Errorf("disorder %v", g.disorder)
			}
		})
	}
}

// none is what is compared with nothing.
var none []string

// claimed are rectangles in words, with their counts.
func claimed(rects []store.Rectangle) (all []string) {
	for _, r := range rects {
		all = append(all, fmt.Sprintf("%s %s, %d records, %d requests", Window{Since: r.Since, Until: r.Until}, r.State, r.Records, r.Requests))
	}
	return all
}

func TestAWindowIsClaimedBitByBit(t *testing.T) {
	g := readingOf(dayWindow())
	claim := func(done bool, want ...string) {
		t.Helper()
		same(t, "claims", want, claimed(g.claims("r", done)))
	}
	claim(false) // nothing has come
	g.show(readingAsked, "2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z")
	claim(false) // there may be more of its first millisecond
	g.show(readingAsked, "2026-11-01T00:00:00Z", "2026-11-01T05:00:00Z")
	claim(false) // the next page may show that this one is in no order
	g.show(readingAsked, "2026-11-01T05:00:00Z")
	claim(false, "2026-11-01T00:00:00Z..2026-11-01T05:00:00Z complete, 5 records, 3 requests")
	claim(false) // once
	g.show(readingAsked, "2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z")
	claim(false)
	g.show(readingAsked, "2026-11-01T07:00:00Z", "2026-11-01T08:00:00Z")
	claim(false, "2026-11-01T05:00:00Z..2026-11-01T07:00:00Z complete, 4 records, 2 requests")
	g.show(readingAsked)
	claim(true, "2026-11-01T07:00:00Z..2026-11-02T00:00:00Z complete, 0 records, 1 requests")
}

func TestWhatDoesNotComeInOrderIsClaimedAtTheEnd(t *testing.T) {
	g := readingOf(dayWindow())
	g.show(readingAsked, "2026-11-01T01:00:00Z", "2026-11-01T05:00:00Z")
	g.claims("r", false)
	g.show(readingAsked, "2026-11-01T03:00:00Z")
	g.show(readingAsked, "2026-11-01T09:00:00Z")
	same(t, "on the way", none, claimed(g.claims("r", false)))
	same(t, "at the end", []string{"2026-11-01T00:00:00Z..2026-11-02T00:00:00Z complete, 4 records, 3 requests"}, claimed(g.claims("r", true)))

	g = readingOf(dayWindow())
	g.archived = true
	g.show("2026-12-20", "2026-11-01T01:00:00Z", "2026-11-01T05:00:00Z")
	same(t, "archived, on the way", none, claimed(g.claims("r", false)))
	same(t, "archived, at the end", []string{"2026-11-01T00:00:00Z..2026-11-02T00:00:00Z complete, 2 records, 1 requests"}, claimed(g.claims("r", true)))
}

// A millisecond that is complete through its first records would hide that the
// others failed.
func TestAMillisecondAlongSaveTimeIsClaimedAtItsEnd(t *testing.T) {
	g := readingOf(Window{Since: at("2026-11-01"), Until: at("2026-11-01T00:00:00.001Z"), SortField: SortCreated})
	g.show(readingAsked, "2026-11-03", "2026-11-04")
	same(t, "on the way", none, claimed(g.claims("r", false)))
	same(t, "at the end", []string{"2026-11-01T00:00:00Z..2026-11-01T00:00:00.001Z complete, 2 records, 1 requests"}, claimed(g.claims("r", true)))
}

// What lies ahead of the clock is not claimed, and its records are told of with
// what is.
func TestWhatCannotBeClaimedYetIsCountedLater(t *testing.T) {
	g := readingOf(Window{Since: at("2026-10-20"), CreatedSince: at("2026-11-20T11:00:00Z"), SortField: SortCreated})
	g.show(readingAsked, "2026-11-20T11:10:00Z", "2026-11-20T11:30:00Z")
	same(t, "claims", none, claimed(g.claims("r", false)))
	g.show(readingAsked, "2026-11-20T11:59:00Z")
	same(t, "claims", []string{"2026-10-22T00:00:00Z..2026-11-20T11:30:00Z complete, 3 records, 2 requests"}, claimed(g.claims("r", false)))
	g.show(readingAsked, "2026-11-20T11:59:20Z")
	same(t, "claims", []string{"2026-10-22T00:00:00Z..2026-11-20T11:58:00.001Z complete, 1 records, 1 requests"}, claimed(g.claims("r", false)))
	g.show(readingAsked, "2026-11-20T11:59:30Z")
	same(t, "claims", none, claimed(g.claims("r", false)))
	same(t, "claims", none, claimed(g.claims("r", true)))
	if g.counted.records != 4 {
		t.Errorf("%d records have been told of", g.counted.records)
	}
}

func TestWhatIsLeftOfAWindow(t *testing.T) {
	g := readingOf(dayWindow())
	same(t, "nothing came", dayWindow(), g.left())
	g.show(readingAsked, "2026-11-01T05:00:00Z")
	same(t, "some came", Window{Since: at("2026-11-01T05:00:00Z"), Until: at("2026-11-02")}, g.left())
	g.show(readingAsked, "2026-11-01T04:00:00Z")
	same(t, "out of order", dayWindow(), g.left())
	g = readingOf(Window{Since: at("2026-10-20"), CreatedSince: at("2026-11-20"), SortField: SortCreated})
	g.show(readingAsked, "2026-11-20T01:00:00Z")
	same(t, "along save time", Window{Since: at("2026-10-20"), CreatedSince: at("2026-11-20T01:00:00Z"), SortField: SortCreated}, g.left())
}

func TestWhatBecomesOfAWindowThatFails(t *testing.T) {
	var (
		stalled = fmt.Errorf("read page 3: %w", &StalledError{Why: "x"})
		refused = fmt.Errorf("read page 3: %w", &StatusError{Status: http.StatusBadRequest})
		broken  = fmt.Errorf("read page 3: %w", &StatusError{Status: 500})
	)
	ms := func(since string) Window {
		return Window{Since: at(since), Until: at(since).Add(time.Millisecond), SortField: SortCreated}
	}
	between := func(since, until string) Window { return Window{Since: at(since), Until: at(until)} }
	within := func(since, until string) Window {
		w := ms("2026-11-01T05:00:00Z")
		if since != "" {
			w.CreatedSince = at(since)
		}
		if until != "" {
			w.CreatedUntil = at(until)
		}
		return w
	}
	tail := Window{Since: at("2026-10-20"), CreatedSince: at("2026-11-02"), SortField: SortCreated}
	for name, c := range map[string]struct {
		window  Window
		attempt int
		shown   []string
		change  func(*reading)
		err     error
		again   []task
		failed  []Window
	}{
		"broken, at once: its halves": {window: dayWindow(), err: broken, again: []task{
			{window: between("2026-11-01", "2026-11-01T12:00:00Z"), attempt: 1}, {window: between("2026-11-01T12:00:00Z", "2026-11-02"), attempt: 1}}},
		"broken after some records: the halves of the rest": {window: dayWindow(), attempt: 2, shown: []string{"2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z"}, err: broken, again: []task{
			{window: between("2026-11-01T06:00:00Z", "2026-11-01T15:00:00Z")}, {window: between("2026-11-01T15:00:00Z", "2026-11-02")}}},
		"broken once too often":                         {window: dayWindow(), attempt: 2, err: broken, failed: []Window{dayWindow()}},
		"broken once too often, after its first record": {window: dayWindow(), attempt: 2, shown: []string{"2026-11-01"}, err: broken, failed: []Window{dayWindow()}},
		"a millisecond has no halves":                   {window: between("2026-11-01", "2026-11-01T00:00:00.001Z"), err: broken, again: []task{{window: between("2026-11-01", "2026-11-01T00:00:00.001Z"), attempt: 1}}},
		"two have":                                      {window: between("2026-11-01", "2026-11-01T00:00:00.002Z"), err: broken, again: []task{{window: between("2026-11-01", "2026-11-01T00:00:00.001Z"), attempt: 1}, {window: between("2026-11-01T00:00:00.001Z", "2026-11-01T00:00:00.002Z"), attempt: 1}}},
		"an open end has no half":                       {window: Window{Since: at("2026-11-01")}, err: broken, again: []task{{window: Window{Since: at("2026-11-01")}, attempt: 1}}},
		"a refused cursor: from there, asked anew":      {window: dayWindow(), shown: []string{"2026-11-01T06:00:00Z"}, err: refused, again: []task{{window: between("2026-11-01T06:00:00Z", "2026-11-02")}}},
		"refused without getting on":                    {window: dayWindow(), err: refused, again: []task{{window: dayWindow(), attempt: 1}}},
		"and again: its halves":                         {window: dayWindow(), attempt: 1, err: refused, again: []task{{window: between("2026-11-01", "2026-11-01T12:00:00Z"), attempt: 2}, {window: between("2026-11-01T12:00:00Z", "2026-11-02"), attempt: 2}}},
		"and again":                                     {window: dayWindow(), attempt: 2, err: refused, failed: []Window{dayWindow()}},
		"out of order: all of it": {window: dayWindow(), shown: []string{"2026-11-01T06:00:00Z", "2026-11-01T05:00:00Z"}, err: broken, again: []task{
			{window: between("2026-11-01", "2026-11-01T12:00:00Z"), attempt: 1}, {window: between("2026-11-01T12:00:00Z", "2026-11-02"), attempt: 1}}},
		"archived: all of it": {window: dayWindow(), shown: []string{"2026-11-01T06:00:00Z"}, change: func(g *reading) { g.archived = true }, err: broken, again: []task{
			{window: between("2026-11-01", "2026-11-01T12:00:00Z"), attempt: 1, archived: true}, {window: between("2026-11-01T12:00:00Z", "2026-11-02"), attempt: 1, archived: true}}},

		"stalled before any record: its halves": {window: dayWindow(), err: stalled, again: []task{
			{window: between("2026-11-01", "2026-11-01T12:00:00Z"), attempt: 1}, {window: between("2026-11-01T12:00:00Z", "2026-11-02"), attempt: 1}}},
		"stalled at a millisecond: along save time, and what is behind it": {window: dayWindow(), attempt: 2, shown: []string{"2026-11-01T05:00:00Z"}, err: stalled, again: []task{
			{window: ms("2026-11-01T05:00:00Z")}, {window: between("2026-11-01T05:00:00.001Z", "2026-11-02")}}},
		"stalled at the first one": {window: between("2026-11-01T05:00:00Z", "2026-11-02"), attempt: 1, shown: []string{"2026-11-01T05:00:00Z"}, err: stalled, again: []task{
			{window: ms("2026-11-01T05:00:00Z"), attempt: 2}, {window: between("2026-11-01T05:00:00.001Z", "2026-11-02")}}},
		"stalled at the last one":                     {window: between("2026-11-01", "2026-11-01T05:00:00.001Z"), shown: []string{"2026-11-01T05:00:00Z"}, err: stalled, again: []task{{window: ms("2026-11-01T05:00:00Z")}}},
		"a millisecond that stalls before any record": {window: between("2026-11-01T05:00:00Z", "2026-11-01T05:00:00.001Z"), err: stalled, again: []task{{window: ms("2026-11-01T05:00:00Z"), attempt: 1}}},
		"stalled along save time: its millisecond is given up": {window: ms("2026-11-01T05:00:00Z"), shown: []string{"2026-11-03"}, err: stalled,
			again: []task{{window: within("2026-11-03T00:00:00.001Z", "")}}, failed: []Window{within("2026-11-03", "2026-11-03T00:00:00.001Z").other()}},
		"stalled at the last save time": {window: within("2026-11-02", "2026-11-03T00:00:00.001Z"), shown: []string{"2026-11-03"}, err: stalled,
			failed: []Window{within("2026-11-03", "2026-11-03T00:00:00.001Z").other()}},
		"stalled along save time before any record":  {window: ms("2026-11-01T05:00:00Z"), err: stalled, again: []task{{window: ms("2026-11-01T05:00:00Z"), attempt: 1}}},
		"and once too often":                         {window: ms("2026-11-01T05:00:00Z"), attempt: 2, err: stalled, failed: []Window{ms("2026-11-01T05:00:00Z")}},
		"broken along save time":                     {window: ms("2026-11-01T05:00:00Z"), err: broken, again: []task{{window: ms("2026-11-01T05:00:00Z"), attempt: 1}}},
		"broken along save time, after some records": {window: ms("2026-11-01T05:00:00Z"), shown: []string{"2026-11-03"}, err: broken, again: []task{{window: within("2026-11-03", "")}}},
		"broken between two save times": {window: within("2026-11-03", "2026-11-05"), err: broken, again: []task{
			{window: within("2026-11-03", "2026-11-04"), attempt: 1}, {window: within("2026-11-04", "2026-11-05"), attempt: 1}}},
		"a save time of the tail that fills a page: along event time, and what is behind it": {window: tail, shown: []string{"2026-11-03"}, err: stalled, again: []task{
			{window: Window{Since: at("2026-10-20"), CreatedSince: at("2026-11-03"), CreatedUntil: at("2026-11-03T00:00:00.001Z"), SortField: SortDate}},
			{window: Window{Since: at("2026-10-20"), CreatedSince: at("2026-11-03T00:00:00.001Z"), SortField: SortCreated}}}},
		"and its millisecond, too, is given up": {window: Window{Since: at("2026-10-20"), CreatedSince: at("2026-11-03"), CreatedUntil: at("2026-11-03T00:00:00.001Z"), SortField: SortDate}, shown: []string{"2026-11-01T05:00:00Z"}, err: stalled,
			again:  []task{{window: Window{Since: at("2026-11-01T05:00:00.001Z"), CreatedSince: at("2026-11-03"), CreatedUntil: at("2026-11-03T00:00:00.001Z"), SortField: SortDate}}},
			failed: []Window{within("2026-11-03", "2026-11-03T00:00:00.001Z")}},
		"to the end of time": {window: between("2026-11-01", "9999-12-31"), shown: []string{"2026-11-01T05:00:00Z"}, err: stalled, again: []task{
			{window: ms("2026-11-01T05:00:00Z")}, {window: between("2026-11-01T05:00:00.001Z", "9999-12-31")}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := readingOf(c.window)
			g.attempt = c.attempt
			if c.change != nil {
				c.change(g)
			}
			if c.shown != nil {
				g.show(readingAsked, c.shown...)
			}
			again, failed := g.afterFailure(c.err)
			for i := range c.again {
				c.again[i].why = whyHole
			}
			if len(again) != len(c.again) {
				t.Fatalf("%d tasks: %+v", len(again), again)
			}
			for i, want := range c.again {
				same(t, "window", want.window, again[i].window)
				if again[i].attempt != want.attempt || again[i].archived != want.archived || again[i].why != want.why {
					t.Errorf("%+v, want %+v", again[i], want)
				}
			}
			same(t, "failed", c.failed, failed)
		})
	}
}
