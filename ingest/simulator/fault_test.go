package simulator_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/ingest/simulator"
)

func TestCredential(t *testing.T) {
	s := newSim(t, simulator.Options{Count: 10, Token: "s3cret"})
	for key, status := range map[string]int{
		"Token s3cret": 200, "Bearer s3cret": 200, "token s3cret": 200, "Token  s3cret": 200,
		"Token other": 401, "Token ": 401, "Basic s3cret": 401, "s3cret": 401,
	} {
		a := client{t: t, s: s, key: key}.post(`{}`)
		if a.Status != status {
			t.Errorf("%q: status %d, want %d", key, a.Status, status)
		}
		if status == 401 && string(a.Body) != `{"detail":"Invalid token."}` {
			t.Errorf("%q: body %s", key, a.Body)
		}
	}
	s = newSim(t, simulator.Options{Count: 10, Forbidden: true})
	if a := (client{t: t, s: s}).post(`{}`); a.Status != 403 || string(a.Body) != `{"detail":"Insufficient role based permission(s)"}` {
		t.Errorf("forbidden: %d %s", a.Status, a.Body)
	}
	if st := s.Stats(); st.Forbidden != 1 || st.Requests != 1 {
		t.Errorf("stats %+v", st)
	}
}

// startAt serves over a real connection.
func startAt(t *testing.T, o simulator.Options) *simulator.Server {
	t.Helper()
	o.Clock = at(now)
	srv, err := simulator.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

func overWire(t *testing.T, srv *simulator.Server) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequest("POST", srv.URL+"/api/v1/activities/", strings.NewReader(`{"isScan":true,"limit":50}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Token x")
	req.Header.Set("Content-Type", "application/json")
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

func TestEachFaultMeetsExactlyOneRequest(t *testing.T) {
	for _, kind := range simulator.FaultKinds {
		if kind == simulator.FaultStall || kind == simulator.FaultOutside {
			continue // one needs a client that gives up, one a query with bounds: tests of their own
		}
		t.Run(string(kind), func(t *testing.T) {
			srv := startAt(t, simulator.Options{Seed: 2, Count: 300, Faults: []simulator.Fault{{Kind: kind, Page: 2}}, Wire: simulator.Wire{Trickle: time.Millisecond}})
			sound := func(res *http.Response, body []byte, err error) bool {
				var a answer
				return err == nil && res.StatusCode == 200 && json.Unmarshal(body, &a) == nil && len(a.Data) == 49 && a.Next != nil && a.Total != nil && *a.Total == len(truth(srv.Simulator))
			}
			_, first, err := overWire(t, srv)
			if err != nil || !json.Valid(first) {
				t.Fatalf("first: %v", err)
			}
			res, body, err := overWire(t, srv)
			checkFault(t, kind, first, res, body, err)
			if string(body) == string(first) && kind != simulator.FaultStuckCursor && kind != simulator.FaultTrickle {
				t.Error("the answer is as if nothing had happened")
			}
			res, body, err = overWire(t, srv)
			if !sound(res, body, err) || string(body) != string(first) {
				t.Errorf("third: %v %.200s", err, body)
			}
			st := srv.Stats()
			if diff := cmp.Diff(map[simulator.FaultKind]int{kind: 1}, st.Served); diff != "" || st.Faults != 1 || st.Requests != 3 {
				t.Errorf("%d faults in %d requests, served %s", st.Faults, st.Requests, diff)
			}
		})
	}
}

// checkFault says what the client of each fault must see.
func checkFault(t *testing.T, kind simulator.FaultKind, first []byte, res *http.Response, body []byte, err error) {
	t.Helper()
	switch kind {
	case simulator.FaultReset, simulator.FaultShortBody, simulator.FaultCutChunked, simulator.FaultResetBody:
		if err == nil {
			t.Fatalf("no error, status %d", res.StatusCode)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if e := json.Unmarshal(body, &a); (kind == simulator.FaultCutJSON || kind == simulator.FaultCutClosed) && e == nil {
		t.Fatal("the JSON is whole")
	}
	var sound answer
	if e := json.Unmarshal(first, &sound); e != nil {
		t.Fatal(e)
	}
	var code int
	if n, _ := fmt.Sscanf(string(kind), "status-%d", &code); n == 1 && res.StatusCode != code {
		t.Errorf("status %d, want %d", res.StatusCode, code)
	}
	more := a.HasNext != nil && *a.HasNext
	ok := true
	switch kind {
	case simulator.FaultHTML200:
		ok = res.StatusCode == 200 && strings.Contains(string(body), "__ADALLOM_CONSTS")
	case simulator.FaultHTML500:
		ok = res.StatusCode == 500 && strings.Contains(string(body), "contact support")
	case simulator.FaultStatus400:
		ok = strings.Contains(string(body), "CONSOLE_FORMS_NOT_VALID_VALUE")
	case simulator.FaultKeySet401:
		ok = res.StatusCode == 401 && string(body) == `{"detail":"Invalid JSON Web Key Set"}`
	case simulator.FaultStatus404:
		ok = strings.Contains(string(body), "__ADALLOM_CONSTS") && strings.Contains(string(body), "Page not found")
	case simulator.FaultHTML429:
		ok = res.Status == "429 TOO MANY REQUESTS" && strings.HasPrefix(string(body), "<html>") && res.Header.Get("Retry-After") == ""
	case simulator.FaultRedirect:
		ok = res.StatusCode == 302 && res.Header.Get("Location") != ""
	case simulator.FaultRedirect307:
		ok = res.StatusCode == 307 && res.Header.Get("Location") != ""
	case simulator.FaultCutJSON:
		ok = res.ContentLength == int64(len(body))
	case simulator.FaultCutClosed:
		ok = res.ContentLength == -1 && len(res.TransferEncoding) == 0
	case simulator.FaultTrickle:
		ok = string(body) == string(first)
	case simulator.FaultMark:
		ok = string(body) == "\xef\xbb\xbf"+string(first)
	case simulator.FaultEmptyMoved:
		ok = len(a.Data) == 0 && more && string(a.Next) > string(sound.Next)
	case simulator.FaultEmptyPage:
		ok = len(a.Data) == 0 && more && string(a.Next) == "{}"
	case simulator.FaultNullData:
		ok = strings.HasPrefix(string(body), `{"data":null,`) && more
	case simulator.FaultEmptyObject:
		ok = string(body) == "{}"
	case simulator.FaultTwice:
		ok = len(a.Data) == len(sound.Data)+1
	case simulator.FaultStuckCursor:
		ok = more && string(a.Next) == "{}" && len(a.Data) == len(sound.Data)
	case simulator.FaultNoCursor:
		ok = more && a.Next == nil
	case simulator.FaultEarlyEnd:
		ok = !more && a.Next == nil && len(a.Data) > 0
	case simulator.FaultWrongTotal:
		ok = *a.Total != *sound.Total
	case simulator.FaultNoTotal:
		ok = a.Total == nil
	case simulator.FaultOverlap:
		ok = more && string(a.Next) > string(sound.Next)
	case simulator.FaultDisorder:
		ok = string(a.Data[0]) == string(sound.Data[len(sound.Data)-1])
	}
	if !ok {
		t.Errorf("%d %.300s", res.StatusCode, body)
	}
}

func TestOutsider(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 2, Count: 300, Faults: []simulator.Fault{{Kind: simulator.FaultOutside, Request: 1}}})
	from := now.AddDate(0, 0, -2).UnixMilli()
	a := client{t: t, s: s}.post(fmt.Sprintf(`{"filters":{"date":{"gte":%d}}}`, from))
	outside := 0
	for _, b := range a.Data {
		if facet(t, b, "timestamp") < from {
			outside++
		}
	}
	if outside != 1 {
		t.Errorf("%d records are outside the range, want 1", outside)
	}
}

func TestStallEndsWhenTheClientLeaves(t *testing.T) {
	srv := startAt(t, simulator.Options{Seed: 2, Count: 300, Faults: []simulator.Fault{{Kind: simulator.FaultStall, Request: 1}}})
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /api/v1/activities/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token x\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.CopyN(io.Discard, res.Body, res.ContentLength/2); err != nil {
		t.Errorf("%d bytes of the first half: %v", n, err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestScanProceedsAfterEmptyPages(t *testing.T) {
	o := simulator.Options{Seed: 2, Count: 500, Faults: []simulator.Fault{{Kind: simulator.FaultEmptyPage, Every: 2}}}
	s := newSim(t, o)
	got, _ := client{t: t, s: s}.scan(`{}`, `,"limit":60`, 60)
	sameSet(t, got, truth(s))
}

func TestWrongAndMissingTotals(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 2, Count: 500, Paging: simulator.Paging{WrongTotal: true}})
	seen := map[int]bool{}
	for range 5 {
		seen[*client{t: t, s: s}.post(`{}`).Total] = true
	}
	if len(seen) < 3 {
		t.Errorf("totals %v do not drift", seen)
	}
	s = newSim(t, simulator.Options{Seed: 2, Count: 500, Paging: simulator.Paging{NoTotal: true}})
	if a := (client{t: t, s: s}).post(`{}`); a.Total != nil {
		t.Error("total is there")
	}
}

func TestFeedbackIsRefusedAndCounted(t *testing.T) {
	s := newSim(t, simulator.Options{Count: 10})
	c := client{t: t, s: s}
	for _, path := range []string{"/api/v1/activities/abc/feedback", "/cas/api/v1/activities/abc/feedback/"} {
		if a := c.do("POST", path, "application/json", `{"feedbackValue":"0"}`); a.Status != 403 {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	if st := s.Stats(); st.Feedback != 2 || st.Pages != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestFetchGivesTheExactRecord(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 2, Count: 400, Revisions: 0.3})
	c := client{t: t, s: s}
	n := 0
	for p := range s.Expected() {
		if !p.Current {
			continue
		}
		if n++; n > 150 {
			break
		}
		for _, path := range []string{"/api/v1/activities/%s/", "/cas/api/v1/activities/%s"} {
			a := c.do("GET", fmt.Sprintf(path, *p.ID), "", "")
			if a.Status != 200 || string(a.Body) != string(p.Bytes()) {
				t.Fatalf("%s: %d %.100s", *p.ID, a.Status, a.Body)
			}
		}
	}
	a := c.do("GET", "/api/v1/activities/0123/", "", "")
	if a.Status != 404 || !strings.Contains(string(a.Body), "Page not found") {
		t.Errorf("unknown: %d %s", a.Status, a.Body)
	}
	if a := c.do("PUT", "/api/v1/activities/", "", ""); a.Status != 405 {
		t.Errorf("PUT: %d", a.Status)
	}
	if a := c.do("GET", "/api/v1/alerts/", "", ""); a.Status != 404 {
		t.Errorf("other route: %d", a.Status)
	}
}

func TestRedirectsGoWhereTheOptionsSay(t *testing.T) {
	s := newSim(t, simulator.Options{Count: 1, RedirectTo: "http://127.0.0.1:9/x", Faults: []simulator.Fault{{Kind: simulator.FaultRedirect307, Request: 1}}})
	if a := (client{t: t, s: s}).post(`{}`); a.Status != 307 || a.Header.Get("Location") != "http://127.0.0.1:9/x" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
}

func TestDateHeaderAndItsSkew(t *testing.T) {
	s := newSim(t, simulator.Options{Count: 1, DateSkew: -3 * time.Hour})
	a := client{t: t, s: s}.post(`{}`)
	if want := now.Add(-3 * time.Hour).Format(http.TimeFormat); a.Header.Get("Date") != want {
		t.Errorf("Date %q, want %q", a.Header.Get("Date"), want)
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 2, Count: 400})
	want := truth(s)
	var wg sync.WaitGroup
	got := make([][][]byte, 4)
	for i := range got {
		wg.Go(func() {
			rest := `,"limit":90,"sortField":"` + []string{"date", "created"}[i%2] + `"`
			got[i], _ = client{t: t, s: s}.scan(`{}`, rest, 60)
		})
	}
	wg.Wait()
	for i := range got {
		sameSet(t, got[i], want)
	}
}

func TestLogOfRequests(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 2, Count: 300})
	client{t: t, s: s}.scan(`{"date":{"gte_ndays":3}}`, `,"limit":50,"sortField":"created","sortDirection":"asc"`, 30)
	st := s.Stats()
	if st.Pages != len(st.Log) || st.Requests != st.Pages {
		t.Fatalf("stats %+v", st)
	}
	first := st.Log[0]
	if first.Filters != `{"date":{"gte_ndays":3}}` || first.Limit != 50 || !first.Scan || first.SortField != "created" || first.SortDirection != "asc" || first.Records != 49 || !first.HasNext || first.Status != 200 {
		t.Errorf("first line of the log: %+v", first)
	}
	if st.Log[1].Filters != first.Cursor {
		t.Errorf("second request sent %s, was told %s", st.Log[1].Filters, first.Cursor)
	}
}
