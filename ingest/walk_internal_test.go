package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// readTo takes the pages of a reading as a run does, and looks into them.
func readTo(t *testing.T, g *reading, c *Client, each func(*Page)) error {
	t.Helper()
	events := make(chan event)
	var numbers atomic.Int64
	go func() {
		err := g.walk(t.Context(), c, ScanOptions{Limit: NewPageSize(0), Numbers: &numbers}, events)
		events <- event{from: g, err: err}
	}()
	w := newWorker()
	for e := range events {
		if e.page == nil {
			return e.err
		}
		var all tally
		for _, record := range e.page.Records {
			if err := w.decoder.Decode(record, &w.row); err != nil {
				t.Fatal(err)
			}
			all.see(&w.row, &g.window, false)
		}
		g.note(e.page, all, 0)
		if each != nil {
			each(e.page)
		}
		e.page.Release()
		close(e.taken)
	}
	return nil
}

// recordAt is a record of an event time.
func recordAt(ms int64) string {
	return fmt.Sprintf(`{"_id":"%d","timestamp":%d,"created":%d}`, ms, ms, ms+1000)
}

func TestAWindowIsLookedAtAgainFromItsLastRecordOn(t *testing.T) {
	clock := NewManualClock(at("2026-11-20T12:00:00Z"))
	end := func(times ...string) string {
		var records []string
		for _, text := range times {
			records = append(records, recordAt(at(text).UnixMilli()))
		}
		return `{"data":[` + strings.Join(records, ",") + `],"hasNext":false}`
	}
	const a, b, c = "2026-11-01T01:00:00Z", "2026-11-01T02:00:00Z", "2026-11-01T03:00:00Z"
	bounds := func(since, until string) string {
		return fmt.Sprintf(`{"filters":{"date":{"gte":%d,"lte":%d}},`, at(since).UnixMilli(), at(until).UnixMilli()-1)
	}
	for name, x := range map[string]struct {
		window  Window
		answers []string
		want    []string
	}{
		"an empty window is asked for twice":    {dayWindow(), []string{end(), end()}, []string{bounds("2026-11-01", "2026-11-02"), bounds("2026-11-01", "2026-11-02")}},
		"one that was empty for once":           {dayWindow(), []string{end(), end(a), end(a)}, []string{bounds("2026-11-01", "2026-11-02"), bounds("2026-11-01", "2026-11-02"), bounds(a, "2026-11-02")}},
		"from the last record on":               {dayWindow(), []string{end(a, b), end(b)}, []string{bounds("2026-11-01", "2026-11-02"), bounds(b, "2026-11-02")}},
		"an answer without it confirms nothing": {dayWindow(), []string{end(a, b), end(), end(b)}, []string{bounds("2026-11-01", "2026-11-02"), bounds(b, "2026-11-02"), bounds(b, "2026-11-02")}},
		"unless it stays so":                    {dayWindow(), []string{end(a, b), end()}, []string{bounds("2026-11-01", "2026-11-02"), bounds(b, "2026-11-02"), bounds(b, "2026-11-02"), bounds(b, "2026-11-02")}},
		"an end that was too early":             {dayWindow(), []string{end(a), end(a, b), end(b, c), end(c)}, []string{bounds("2026-11-01", "2026-11-02"), bounds(a, "2026-11-02"), bounds(b, "2026-11-02"), bounds(c, "2026-11-02")}},
		"ahead of the clock nothing is looked for": {Window{Since: at("2026-11-20"), Until: at("2026-11-21")}, []string{end("2026-11-20T11:00:00Z"), end("2026-11-20T11:00:00Z")},
			[]string{bounds("2026-11-20", "2026-11-21"), bounds("2026-11-20T11:00:00Z", "2026-11-20T12:00:00Z")}},
		"a record ahead of the clock is enough": {Window{Since: at("2026-11-20"), Until: at("2026-11-21")}, []string{end("2026-11-20T12:30:00Z")}, []string{bounds("2026-11-20", "2026-11-21")}},
		"all ahead of the clock":                {Window{Since: at("2026-11-21"), Until: at("2026-11-22")}, []string{end()}, []string{bounds("2026-11-21", "2026-11-22")}},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			client := testClient(t, clock, func(w http.ResponseWriter, r *http.Request) {
				text := requestText(r)
				asked = append(asked, text[:strings.Index(text, `"isScan"`)])
				fmt.Fprint(w, x.answers[min(len(asked), len(x.answers))-1])
			})
			g := readingOf(x.window)
			if err := readTo(t, g, client, nil); err != nil {
				t.Fatal(err)
			}
			same(t, "asked for", x.want, asked)
			if n := g.requests.Load(); n != int64(len(asked)) || g.pages != n {
				t.Errorf("%d requests and %d pages of %d", n, g.pages, len(asked))
			}
		})
	}
}

// A service that saves something new at every moment lets a window end all the
// same: what came up after its first question is for the next one.
func TestABusyServiceLetsAWindowEnd(t *testing.T) {
	for name, w := range map[string]Window{
		"of events":      {Since: at("2026-11-20T11:00:00Z"), Until: at("2026-11-21")},
		"of a tail":      {Since: at("2026-10-20"), CreatedSince: at("2026-11-20T11:00:00Z"), SortField: SortCreated},
		"of all to come": {Since: at("2026-11-20T11:00:00Z")},
	} {
		t.Run(name, func(t *testing.T) {
			clock, n := NewManualClock(at("2026-11-20T12:00:00Z")), 0
			c := testClient(t, clock, func(w http.ResponseWriter, r *http.Request) {
				var bounds struct {
					Date, Created struct{ Lte int64 }
				}
				text := requestText(r)
				if err := jsonOf(text, "filters", &bounds); err != nil {
					t.Error(err)
				}
				if n++; n > 100 {
					t.Fatal("no end")
				}
				clock.Advance(2 * time.Second)
				newest := clock.Now().UnixMilli() - 3_000 // saved a second before
				for _, until := range []int64{bounds.Date.Lte, bounds.Created.Lte - 1000} {
					if until > 0 {
						newest = min(newest, until)
					}
				}
				fmt.Fprintf(w, `{"data":[%s],"hasNext":false}`, recordAt(newest))
			})
			if err := readTo(t, readingOf(w), c, nil); err != nil || n > 4 {
				t.Errorf("%d requests, %v", n, err)
			}
		})
	}
}

func TestAReadingThatIsNotWelcomeEnds(t *testing.T) {
	clock, n := NewManualClock(at("2026-11-20T12:00:00Z")), 0
	next := make(chan struct{})
	c := testClient(t, clock, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 2 {
			<-next // asked for while the first page is being taken
		}
		fmt.Fprintf(w, `{"data":[%s],"hasNext":true,"nextQueryFilters":{"n":%d}}`, recordAt(at("2026-11-01T01:00:00Z").UnixMilli()+int64(n)), n)
	})
	g := readingOf(dayWindow())
	lake := errors.New("the lake is full")
	err := readTo(t, g, c, func(*Page) { g.unwelcome = lake; close(next) })
	if !errors.Is(err, lake) || g.pages != 1 || g.requests.Load() < 1 || g.requests.Load() > 3 {
		t.Errorf("%d pages, %d requests: %v", g.pages, g.requests.Load(), err)
	}
}

// A service whose cursor is another one each time, and leads nowhere all the same.
func TestPagesThatNeverComeFurtherEnd(t *testing.T) {
	clock := NewManualClock(at("2026-11-20T12:00:00Z"))
	var requests atomic.Int64 // the page ahead may still be asked for at the end
	c := testClient(t, clock, func(w http.ResponseWriter, _ *http.Request) {
		n := requests.Add(1)
		if n > 300 {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		fmt.Fprintf(w, `{"data":[%s],"hasNext":true,"nextQueryFilters":{"n":%d}}`, recordAt(at("2026-11-01T01:00:00Z").UnixMilli()), n)
	})
	err := readTo(t, readingOf(dayWindow()), c, nil)
	var stalled *StalledError
	if n := requests.Load(); !errors.As(err, &stalled) || n > 110 {
		t.Errorf("%d requests: %v", n, err)
	}
}

// An answer that says neither how to go on nor anything else gives its memory back
// with the question.
func TestAnAnswerThatIsOfNoUseHoldsNoMemory(t *testing.T) {
	c := testClient(t, NewManualClock(at("2026-11-20T12:00:00Z")), func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":[],"hasNext":true}`)
	})
	if err := readTo(t, readingOf(dayWindow()), c, nil); err == nil || c.memory.held != 0 {
		t.Errorf("%d bytes are held after %v", c.memory.held, err)
	}
}

// A page that comes when the run has a fault is not taken, and was asked for all
// the same.
func TestTheRequestsOfAPageThatIsNotTakenAreCounted(t *testing.T) {
	g, fault := readingOf(dayWindow()), errors.New("the sign-in is refused")
	r := &run{fault: fault}
	r.take(t.Context(), event{from: g, page: &Page{Requests: 3}, taken: make(chan struct{})})
	if n := g.requests.Load(); n != 3 || g.pages != 0 || g.unwelcome != fault {
		t.Errorf("%d requests: %+v", n, g)
	}
}

func TestARequestThatWasNeverAnsweredIsCounted(t *testing.T) {
	clock, n := NewManualClock(at("2026-11-20T12:00:00Z")), 0
	c := testClient(t, clock, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n > 1 {
			w.WriteHeader(500)
			return
		}
		fmt.Fprintf(w, `{"data":[%s],"hasNext":true,"nextQueryFilters":{"n":1}}`, recordAt(at("2026-11-01T01:00:00Z").UnixMilli()))
	})
	g := readingOf(dayWindow())
	err := readTo(t, g, c, nil)
	var status *StatusError
	if !errors.As(err, &status) || g.pages != 1 || g.requests.Load() != int64(n) || n != 7 {
		t.Errorf("%d requests of %d: %v", g.requests.Load(), n, err)
	}
}
