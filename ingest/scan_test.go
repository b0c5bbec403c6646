package ingest_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/ingest"
)

var (
	day   = ingest.Window{Since: start, Until: start.Add(24 * time.Hour)}
	first = `{"date":{"gte":1793534400000,"lte":1793620799999}}`
)

// more is an answer with records a, b, ... and a cursor; end one without.
func more(cursor string, records ...string) http.HandlerFunc {
	return body(`{"data":[` + strings.Join(records, ",") + `],"hasNext":true,"nextQueryFilters":` + cursor + `}`)
}

func end(records ...string) http.HandlerFunc {
	return body(`{"data":[` + strings.Join(records, ",") + `],"hasNext":false}`)
}

func cursor(n int) string { return fmt.Sprintf(`{"date":{"gte":%d}}`, n) }

func asks(filters string) string {
	return `{"filters":` + filters + `,"isScan":true,"limit":5000,"sortField":"date","sortDirection":"asc"}`
}

// walk is all that a scan gave, in words.
type walk struct {
	records  []string
	pages    []*ingest.Page
	requests []string
	err      error
}

func scan(t testing.TB, b *bench, w ingest.Window) walk {
	t.Helper()
	var got walk
	for p, err := range b.Scan(t.Context(), w, ingest.ScanOptions{}).All() {
		if err != nil {
			noCanary(t, err)
			got.err = err
			continue
		}
		if got.err != nil {
			t.Error("a page after the error")
		}
		got.records = append(got.records, texts(p.Records)...)
		if sha256.Sum256(p.Body) != p.SHA256 {
			t.Error("hash of another body")
		}
		got.requests = append(got.requests, string(p.Request))
		got.pages = append(got.pages, p)
	}
	return got
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: (-want +got)\n%s", what, d)
	}
}

func TestAScanSendsCursorsBackVerbatim(t *testing.T) {
	odd := []string{
		"{ \"date\" :\t{\"lte\":1.793620799999e12,\"gte\":1793534400000.0 , \"gte\":-0 },\r\n \"zzz\":[null,{\"\\u0041\":\"\\/\"}]}",
		`{"date":{"range":[{"start":1,"end":2}],"gte":12345678901234567890123}}`,
		"{\"text\":\"\xff\u2028<&>\"}",
	}
	srv := serve(t, more(odd[0], "1", "2"), more(odd[1]), more(odd[2], "3"), end("4"))
	b := client(t, srv.URL)
	got := scan(t, b, day)
	if got.err != nil {
		t.Fatal(got.err)
	}
	want := []string{asks(first), asks(odd[0]), asks(odd[1]), asks(odd[2])}
	same(t, "requests", want, srv.bodies())
	same(t, "requests told", want, got.requests)
	same(t, "records", []string{"1", "2", "3", "4"}, got.records)
	for i, p := range got.pages {
		if p.Number != int64(i+1) || p.Last != (i == 3) || p.Repeated || !p.Date.Equal(start) || !p.FirstAsked.Equal(start) || p.Requests != 1 {
			t.Errorf("page %d: %+v", i, p)
		}
	}
}

func TestTheFirstRequestOfAWindow(t *testing.T) {
	for name, c := range map[string]struct {
		window  ingest.Window
		limit   int
		filters string
	}{
		"plain":         {day, 0, first},
		"services":      {ingest.Window{Since: day.Since, Until: day.Until, Services: []int64{15600, 20893}}, 100, `{"date":{"gte":1793534400000,"lte":1793620799999},"service":{"eq":[15600,20893]}}`},
		"parts of a ms": {ingest.Window{Since: start.Add(time.Nanosecond), Until: start.Add(time.Second + time.Microsecond)}, 1, `{"date":{"gte":1793534400001,"lte":1793534401000}}`},
		"another zone":  {ingest.Window{Since: day.Since.In(time.FixedZone("", 3600)), Until: day.Until}, 0, first},
		"saved from":    {ingest.Window{CreatedSince: start, SortField: ingest.SortCreated}, 0, `{"created":{"gte":1793534400000}}`},
		"open":          {ingest.Window{Since: start}, 0, `{"date":{"gte":1793534400000}}`},
		"both times": {ingest.Window{Since: day.Since, Until: day.Until, CreatedSince: start.Add(1), CreatedUntil: start.Add(time.Second), SortField: ingest.SortCreated, Services: []int64{7}, Filter: []byte(`{"a":1}`)}, 0,
			`{"date":{"gte":1793534400000,"lte":1793620799999},"created":{"gte":1793534400001,"lte":1793534400999},"service":{"eq":[7]},"a":1}`},
		"saved until":  {ingest.Window{Since: start, CreatedUntil: start.Add(time.Second)}, 0, `{"date":{"gte":1793534400000},"created":{"lte":1793534400999}}`},
		"empty filter": {ingest.Window{Since: day.Since, Until: day.Until, Filter: []byte(" { } ")}, 0, first},
		"filter":       {ingest.Window{Since: day.Since, Until: day.Until, Filter: []byte("\n{ \"b\" : {\"eq\":[1.0]}, \"a\":{\"isset\":true} }\n"), Services: []int64{1}}, 0, `{"date":{"gte":1793534400000,"lte":1793620799999},"service":{"eq":[1]},"b" : {"eq":[1.0]}, "a":{"isset":true}}`},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, end())
			b := client(t, srv.URL)
			for _, err := range b.Scan(t.Context(), c.window, ingest.ScanOptions{Limit: ingest.NewPageSize(c.limit)}).All() {
				if err != nil {
					t.Fatal(err)
				}
			}
			want := asks(c.filters)
			if c.window.SortField == ingest.SortCreated {
				want = strings.Replace(want, `"sortField":"date"`, `"sortField":"created"`, 1)
			}
			if c.limit > 0 {
				want = strings.Replace(want, "5000", fmt.Sprint(c.limit), 1)
			}
			same(t, "request", []string{want}, srv.bodies())
		})
	}
}

func TestFiltersAreChecked(t *testing.T) {
	for _, good := range []string{"", " ", "{}", `{"user.username":{"eq":["a"]}}`, `{"a":{"date":1,"created":1}}`, `{"service":{"eq":1}}`} {
		if err := ingest.CheckFilter([]byte(good), nil); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"[]": "no JSON object", "null": "no JSON object", `"x"`: "no JSON object", `{"a":1`: "no JSON object", `{"a":1}{}`: "no JSON object",
		`{a:1}`: "no JSON object", "{\"a\":\"\xff\"}": "no JSON object", `{"a":01}`: "no JSON object", "\ufeff{}": "no JSON object",
		`{"date":{}}`: "bounds the date", `{"a":1,"d\u0061te":1}`: "bounds the date", `{"service":{"eq":1}}`: "so does --service",
		`{"created":{"gte":1}}`: "bounds the time of saving",
	} {
		err := ingest.CheckFilter([]byte(bad), []int64{1})
		var e *ingest.OptionError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || hint(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	srv := serve(t, end())
	b := client(t, srv.URL)
	for _, w := range []ingest.Window{
		{}, {Until: start}, {Since: start, Until: start}, {Since: day.Until, Until: start},
		{Since: start.Add(1), Until: start.Add(2)}, {CreatedUntil: start}, {CreatedSince: start, CreatedUntil: start}, {Since: start, CreatedSince: day.Until, CreatedUntil: start},
		{Since: start, Until: day.Until, Filter: []byte(`{"date":1}`)},
	} {
		var e *ingest.OptionError
		if got := scan(t, b, w); !errors.As(got.err, &e) || len(got.pages) != 0 {
			t.Errorf("%v: %v", w, got.err)
		}
	}
	if len(srv.requests()) != 0 {
		t.Error("a request was sent")
	}
}

func TestEmptyPagesAreNoEnd(t *testing.T) {
	srv := serve(t, more(cursor(1)), more(cursor(2)), more(cursor(3)), end("1"))
	got := scan(t, client(t, srv.URL), day)
	same(t, "records", []string{"1"}, got.records)
	if got.err != nil || len(got.pages) != 4 {
		t.Error(got.err)
	}

	n := 0
	srv = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 600 { // a record, and the count begins anew
			more(cursor(n), "1")(w, r)
			return
		}
		more(cursor(n))(w, r)
	})
	got = scan(t, client(t, srv.URL), day)
	var stalled *ingest.StalledError
	if !errors.As(got.err, &stalled) || !strings.Contains(got.err.Error(), "1000 empty pages in a row") || len(got.pages) != 1600 {
		t.Errorf("%d pages, %v", len(got.pages), got.err)
	}
}

func TestACursorThatDoesNotMoveIsAskedAgain(t *testing.T) {
	srv := serve(t, more(cursor(1), "1"), more(cursor(1)), more(cursor(1), "2"), more(cursor(1)), more(cursor(2), "2", "3"), end("4"))
	b := client(t, srv.URL)
	got := scan(t, b, day)
	if got.err != nil {
		t.Fatal(got.err)
	}
	c := asks(cursor(1))
	same(t, "requests", []string{asks(first), c, c, c, c, asks(cursor(2))}, srv.bodies())
	same(t, "records", []string{"1", "2", "2", "3", "4"}, got.records)
	same(t, "back-offs", seconds(1, 2, 4), b.clock.Sleeps())
	var repeated []bool
	for _, p := range got.pages {
		repeated = append(repeated, p.Repeated)
	}
	same(t, "repeated", []bool{false, true, true, true, false, false}, repeated)
}

func TestAScanThatStallsIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		steps []http.HandlerFunc
		want  []string // cursors asked for
	}{
		"back to the start": {[]http.HandlerFunc{more(first, "1")}, []string{first, first, first, first}},
		"stands still":      {[]http.HandlerFunc{more(cursor(1), "1")}, []string{first, cursor(1), cursor(1), cursor(1), cursor(1)}},
		"goes round":        {[]http.HandlerFunc{more(cursor(1), "1"), more(cursor(2), "1"), more(cursor(1), "1")}, []string{first, cursor(1), cursor(2), cursor(2), cursor(2), cursor(2)}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, c.steps...)
			got := scan(t, client(t, srv.URL), day)
			var want []string
			for _, f := range c.want {
				want = append(want, asks(f))
			}
			same(t, "requests", want, srv.bodies())
			var stalled *ingest.StalledError
			if !errors.As(got.err, &stalled) || stalled.Pages != int64(len(want)) || len(stalled.Cursor) != 32 || hint(got.err) == "" {
				t.Fatalf("%#v %v", stalled, got.err)
			}
			if !strings.Contains(got.err.Error(), "of window 2026-11-01T12:00:00Z..2026-11-02T12:00:00Z: unpageable after ") {
				t.Error(got.err)
			}
			if len(got.records) != len(want) {
				t.Errorf("%d records of %d pages", len(got.records), len(want))
			}
		})
	}
}

func TestAPageWithoutAWordOnHowToGoOn(t *testing.T) {
	for name, c := range map[string]struct{ answer, text string }{
		"no cursor":        {`{"data":[1,2],"hasNext":true}`, "hasNext without nextQueryFilters"},
		"null cursor":      {`{"data":[1,2],"hasNext":true,"nextQueryFilters":null}`, "hasNext without nextQueryFilters"},
		"text for cursor":  {`{"data":[1,2],"hasNext":true,"nextQueryFilters":"x"}`, "hasNext without nextQueryFilters"},
		"unbounded cursor": {`{"data":[1,2],"hasNext":true,"nextQueryFilters":{ }}`, "hasNext without nextQueryFilters"},
		"neither":          {`{"data":[1,2]}`, "neither hasNext nor nextQueryFilters"},
		"null hasNext":     {`{"data":[1,2],"hasNext":null}`, "neither hasNext nor nextQueryFilters"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, more(cursor(1), "0"), body(c.answer))
			b := client(t, srv.URL)
			got := scan(t, b, day)
			var malformed *ingest.MalformedError
			if !errors.As(got.err, &malformed) || !strings.Contains(got.err.Error(), "read page 3 of window") || !strings.Contains(got.err.Error(), c.text+" (after 6 tries)") {
				t.Error(got.err)
			}
			same(t, "records", []string{"0", "1", "2"}, got.records)
			same(t, "back-offs", seconds(1, 2, 4, 8, 16), b.clock.Sleeps())
			last := got.pages[len(got.pages)-1]
			if last.Last || last.Requests != 6 {
				t.Errorf("%+v", last)
			}

			// Once well again, nothing is doubled; and a last try of another kind loses nothing.
			srv = serve(t, body(c.answer), more(cursor(1), "1", "2"), end())
			if got := scan(t, client(t, srv.URL), day); got.err != nil || len(got.records) != 2 {
				t.Error(got.records, got.err)
			}
			srv = serve(t, body(c.answer), status(404, ""))
			if got := scan(t, client(t, srv.URL), day); got.err == nil || len(got.records) != 2 {
				t.Error(got.records, got.err)
			}
		})
	}
}

func TestACursorWithoutHasNextIsFollowed(t *testing.T) {
	srv := serve(t, body(`{"data":[1],"nextQueryFilters":`+cursor(1)+`}`), end("2"))
	if got := scan(t, client(t, srv.URL), day); got.err != nil || len(got.records) != 2 {
		t.Error(got.records, got.err)
	}
}

func TestHasNextFalseOutweighsACursor(t *testing.T) {
	srv := serve(t, body(`{"data":[1],"hasNext":false,"nextQueryFilters":`+cursor(1)+`}`))
	if got := scan(t, client(t, srv.URL), day); got.err != nil || len(srv.requests()) != 1 || !got.pages[0].Last {
		t.Error(got.err)
	}
}

func TestAFailureComesAfterThePagesBeforeIt(t *testing.T) {
	srv := serve(t, more(cursor(1), "1"), status(403, `{"detail":"Insufficient role based permission(s)"}`))
	got := scan(t, client(t, srv.URL), day)
	if !errors.Is(got.err, ingest.ErrSignInRefused) || hint(got.err) == "" {
		t.Error(got.err)
	}
	same(t, "records", []string{"1"}, got.records)
	if got.pages[0].Body == nil {
		t.Error("the error took the last page's memory")
	}
	if want := "read page 2 of window 2026-11-01T12:00:00Z..2026-11-02T12:00:00Z: status 403 Forbidden: Insufficient role based permission(s)"; got.err.Error() != want {
		t.Errorf("%v", got.err)
	}
}

func TestScansOfARunCountTogether(t *testing.T) {
	b := client(t, serve(t, more(cursor(1)), end(), more(cursor(1)), end()).URL)
	var numbers atomic.Int64
	var got []int64
	for range 2 {
		for p, err := range b.Scan(t.Context(), day, ingest.ScanOptions{Numbers: &numbers}).All() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p.Number)
		}
	}
	same(t, "numbers", []int64{1, 2, 3, 4}, got)
}

// turnstile is a server that counts up and shows each request, as it comes.
func turnstile(t testing.TB, last int) (srv *api, came chan int) {
	came = make(chan int, 100)
	n := 0
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		came <- n
		if n == last {
			end(fmt.Sprint(n))(w, r)
			return
		}
		more(cursor(n), fmt.Sprint(n))(w, r)
	}), came
}

func TestTheNextPageIsFetchedWhileTheCallerWorks(t *testing.T) {
	srv, came := turnstile(t, 5)
	n := 0
	for p, err := range client(t, srv.URL).Scan(t.Context(), day, ingest.ScanOptions{}).All() {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			<-came
		}
		if n < 5 {
			if got := <-came; got != n+1 { // arrives though nobody has asked for the next page
				t.Errorf("request %d", got)
			}
		}
		// The one after it does not: the fetched page waits to be taken.
		runtime.Gosched()
		if len(srv.requests()) > n+1 {
			t.Errorf("%d requests at page %d", len(srv.requests()), n)
		}
		if string(p.Records[0]) != fmt.Sprint(n) {
			t.Errorf("page %d has record %s", n, p.Records[0])
		}
	}
	if n != 5 || len(srv.requests()) != 5 {
		t.Errorf("%d pages, %d requests", n, len(srv.requests()))
	}
}

func TestPagesLastUntilThePageAfterNext(t *testing.T) {
	srv, _ := turnstile(t, 6)
	var pages []*ingest.Page
	for p, err := range client(t, srv.URL).Scan(t.Context(), day, ingest.ScanOptions{}).All() {
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, p)
		for i, p := range pages {
			if alive := i >= len(pages)-2; (p.Records != nil) != alive || (p.Body != nil) != alive {
				t.Errorf("at page %d, page %d: alive %v", len(pages), i+1, !alive)
			}
		}
	}
	for _, p := range pages {
		p.Release()
		p.Release()
		if p.Body != nil {
			t.Error("released, and still there")
		}
	}
}

func TestStoppingCancelsAndLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	hold := make(chan struct{})
	gone := make(chan struct{}, 1)
	srv := serve(t, more(cursor(1), "1"), func(_ http.ResponseWriter, r *http.Request) {
		hold <- struct{}{}
		<-r.Context().Done() // the client hangs up
		gone <- struct{}{}
	})
	b := client(t, srv.URL)
	s := b.Scan(t.Context(), day, ingest.ScanOptions{})
	for p, err := range s.All() {
		if err != nil {
			t.Fatal(err)
		}
		<-hold // the second request is under way
		p.Release()
		break
	}
	<-gone
	if n := len(srv.requests()); n != 2 {
		t.Errorf("%d requests", n)
	}
	for _, err := range s.All() {
		if err == nil || err.Error() != "scan used twice" {
			t.Error(err)
		}
	}
	b.Close()
	srv.Close()
	for range 1000 { // connections end in their own time
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestACancelledScanSaysSo(t *testing.T) {
	for name, when := range map[string]string{"while fetching": "fetch", "while the caller works": "work", "before": "before"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			srv := serve(t, more(cursor(1), "1"), func(w http.ResponseWriter, r *http.Request) {
				if when == "fetch" {
					cancel()
				}
				more(cursor(2), "2")(w, r)
			}, end("3"))
			if when == "before" {
				cancel()
			}
			var last error
			for p, err := range client(t, srv.URL).Scan(ctx, day, ingest.ScanOptions{}).All() {
				last = err
				if err == nil && when == "work" && p.Number == 1 {
					cancel()
				}
			}
			if !errors.Is(last, context.Canceled) {
				t.Error(last)
			}
		})
	}
}

func TestAPanicInTheLoopLeavesNothingBehind(t *testing.T) {
	srv, _ := turnstile(t, 50)
	func() {
		defer func() { _ = recover() }()
		for range client(t, srv.URL).Scan(t.Context(), day, ingest.ScanOptions{}).All() {
			panic("in the loop")
		}
	}()
	if n := len(srv.requests()); n > 2 {
		t.Errorf("%d requests", n)
	}
}

func TestAScanIsPacedByTheRate(t *testing.T) {
	srv, _ := turnstile(t, 57)
	b := client(t, srv.URL, func(o *ingest.ClientOptions) { o.Rate = 28 })
	got := scan(t, b, day)
	if got.err != nil {
		t.Fatal(got.err)
	}
	if took := b.clock.Now().Sub(start); took < 2*time.Minute || took > 126*time.Second {
		t.Errorf("57 requests took %v", took)
	}
}

func TestScansInParallelShareOneClient(t *testing.T) {
	srv := serve(t, end(strings.Repeat("1,", 99)+"1"))
	b := client(t, srv.URL, func(o *ingest.ClientOptions) { o.Rate = 600 })
	var numbers atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				for p, err := range b.Scan(t.Context(), day, ingest.ScanOptions{Numbers: &numbers}).All() {
					if err != nil || len(p.Records) != 100 || string(p.Records[99]) != "1" {
						t.Error(err)
						return
					}
					p.Release()
				}
			}
		})
	}
	wg.Wait()
	if numbers.Load() != 100 || b.clock.Now().Sub(start) < 9*time.Second {
		t.Errorf("%d pages in %v", numbers.Load(), b.clock.Now().Sub(start))
	}
}
