package ingest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// probing asks the five questions of a simulator.
func probing(t *testing.T, change func(*simulator.Options)) (*ingest.ProbeReport, *simulator.Simulator) {
	t.Helper()
	w := newWorld(t, func(o *simulator.Options) {
		o.Start, o.Count, o.Door = now.AddDate(0, 0, -60), 9000, 30*24*time.Hour
		change(o)
	})
	report, err := ingest.Probe(t.Context(), ingest.ProbeOptions{Client: w.Client, Version: "1.2.3", Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	if stats := w.sim.Stats(); stats.Requests != len(report.Answers) || stats.Feedback != 0 {
		t.Errorf("%d requests for %d answers, %d of them feedback", stats.Requests, len(report.Answers), stats.Feedback)
	}
	return report, w.sim
}

// finds looks for findings with these words in them.
func finds(t *testing.T, r *ingest.ProbeReport, words ...string) {
	t.Helper()
	for _, want := range words {
		if !slices.ContainsFunc(r.Findings, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("no finding has %q: %q", want, r.Findings)
		}
	}
}

func TestAProbeTellsHowTheServiceBehaves(t *testing.T) {
	t.Parallel()
	r, sim := probing(t, func(o *simulator.Options) {
		o.Paging.ScanCap, o.Paging.ScanGetCap, o.DateSkew, o.Throttle.ExpensivePerMinute = 100, 70, time.Hour, -1
	})
	if len(r.Answers) != 5 || r.Version != "1.2.3" || r.Host != "localhost" || r.SignIn != "token" || !r.Asked.Equal(now) || !r.Answered() {
		t.Errorf("%+v", r)
	}
	for i, a := range r.Answers {
		if a.Status != 200 || a.Error != "" || a.Bytes == 0 || a.Records == 0 || a.Total != "a number" || !slices.Contains(a.Members, "data") {
			t.Errorf("%d: %+v", i+1, a)
		}
	}
	var routes []string
	for _, asked := range sim.Stats().Log {
		routes = append(routes, asked.Method)
	}
	same(t, "methods", []string{"POST", "POST", "GET", "POST", "POST"}, routes)
	same(t, "cursor", "{date: {gte: int}}", r.Answers[0].Cursor)
	same(t, "cursor of created", "{created: {gte: int}, date: {gte: int}}", r.Answers[1].Cursor)
	same(t, "cursor of days", "{date: {gte: int, gte_ndays: int}}", r.Answers[2].Cursor)
	finds(t, r, "scan by POST gave 9", "scan by GET gave 69 records where 5000 were asked for and more remained", "clock is 1h0m0s ahead", "sorted by created: true (by date: false), 0 of ",
		"by date, the next page begins ", "; 0 of its records were on the one before", "archived route answers this credential")
	if len(r.Feeds) != 3 || r.Feeds[0].AppID != 11161 || !slices.Contains(r.Feeds[0].Members, "_id") || !slices.Contains(r.Feeds[0].Members, "rawDataJson") {
		t.Errorf("%+v", r.Feeds)
	}
}

func TestAProbeOfOtherServices(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change    func(*simulator.Options)
		questions int
		finds     []string
	}{
		"a tenant whose week is a page by POST": {func(o *simulator.Options) { o.Paging.ScanGetCap = 50 }, 5, []string{"all its", "by date, the next page begins"}},
		"a tenant whose week is a page":         {func(o *simulator.Options) { o.Count = 100 }, 4, []string{"no scan had a cursor"}},
		"no archived route":                     {func(o *simulator.Options) { o.Archive.Closed = true }, 5, []string{"archived route does not answer"}},
		"filters that count for nothing": {func(o *simulator.Options) { o.Paging.ScanCap, o.Paging.Ignore = 100, []string{"created"} }, 5,
			[]string{"99 of 99 records saved before the bound"}},
		"a cursor in another shape": {func(o *simulator.Options) { o.Paging.ScanCap, o.Cursor.Shape = 100, simulator.ShapeRange }, 5, []string{"by date, the next page begins"}},
		"a refusal in the middle": {func(o *simulator.Options) {
			o.Paging.ScanCap, o.Faults = 100, []simulator.Fault{{Kind: simulator.FaultStatus500, Request: 2}}
		}, 5, []string{"by date, the next page begins"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := probing(t, c.change)
			if len(r.Answers) != c.questions || !r.Answered() {
				t.Errorf("%d questions: %+v", len(r.Answers), r)
			}
			finds(t, r, c.finds...)
		})
	}
}

// What a 429 looks like is among what nobody knows.
func TestAProbeThatIsThrottled(t *testing.T) {
	t.Parallel()
	for retry, want := range map[simulator.RetryAfter]string{simulator.RetryAfterSeconds: "(Retry-After: 2)", simulator.RetryAfterMissing: "(Retry-After: none)"} {
		r, _ := probing(t, func(o *simulator.Options) {
			o.Throttle.RetryAfter, o.Faults = retry, []simulator.Fault{{Kind: simulator.FaultStatus429, Request: 2}}
		})
		if a := r.Answers[1]; a.Status != 429 || a.Error != "throttled: Request was throttled. Expected available in 2 seconds. "+want {
			t.Errorf("%+v", a)
		}
	}
}

func TestAProbeThatBringsNothing(t *testing.T) {
	t.Parallel()
	r, _ := probing(t, func(o *simulator.Options) {
		o.Faults = []simulator.Fault{{Kind: simulator.FaultStatus500, Request: 1, Times: -1}}
	})
	if r.Answered() || len(r.Answers) != 4 || r.Answers[0].Status != 500 {
		t.Errorf("%+v", r)
	}
	finds(t, r, "no scan was answered with a page")

	w := newWorld(t, func(o *simulator.Options) { o.Forbidden = true })
	if _, err := ingest.Probe(t.Context(), ingest.ProbeOptions{Client: w.Client, Clock: w.clock}); !errors.Is(err, ingest.ErrSignInRefused) {
		t.Error(err)
	}
}

// gossip is a network of a tenant with a name, which the service's words and the
// network's errors have in them.
type gossip struct {
	sim *simulator.Simulator
	n   int
}

const tenantsHost = "contoso.us2.portal.cloudappsecurity.com"

func (g *gossip) RoundTrip(r *http.Request) (*http.Response, error) {
	g.n++
	rec := httptest.NewRecorder()
	switch g.n {
	case 2:
		return nil, fmt.Errorf("read tcp 10.1.2.3:4711->192.0.2.7:443: lookup %s: token %s", tenantsHost, r.Header.Get("Authorization"))
	case 3:
		rec.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(rec, `{"detail":"tenant 9a0e6c1d-0000-4000-8000-000000000001 (contoso.example.com, 97134000) of grace@contoso.com is not on %s, you sent %s"}`, tenantsHost, r.Header.Get("Authorization"))
	case 4:
		rec.Header().Set("Location", "https://fabrikam.eu.portal.cloudappsecurity.com/"+canary)
		rec.WriteHeader(http.StatusFound)
	default:
		rec.Header().Set("X-RateLimit-Limit", "30 for grace@contoso.com")
		rec.Header().Set("Set-Cookie", "session=c0ffee00c0ffee00")
		g.sim.ServeHTTP(rec, r)
	}
	return rec.Result(), nil
}

func TestAProbesReportNamesNobody(t *testing.T) {
	t.Parallel()
	at := now.Add(-time.Hour).UnixMilli()
	record := fmt.Appendf(nil, `{"_id":"97134000_secret","timestamp":%d,"created":%d,"appId":11161,"user":{"userName":"grace"},"Grace Hopper":"grace@contoso.com","description":"swordfish","tenantId":97134000}`, at, at)
	sim, err := simulator.New(simulator.Options{Count: 1500, Days: 6, End: now, Records: [][]byte{record}, Token: canary, Clock: func() time.Time { return now }, Paging: simulator.Paging{ScanCap: 900}})
	if err != nil {
		t.Fatal(err)
	}
	b := client(t, "https://"+tenantsHost, func(o *ingest.ClientOptions) { o.Clock = ingest.NewManualClock(now) })
	b.SetTransport(&gossip{sim: sim})
	r, err := ingest.Probe(t.Context(), ingest.ProbeOptions{Client: b.Client, Clock: ingest.NewManualClock(now)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if r.Host != "TENANT.us2.portal.cloudappsecurity.com" || len(r.Answers) != 5 {
		t.Errorf("%s", text)
	}
	for i, want := range []string{"", "TENANT.us2.portal", "status 400 Bad Request: tenant \\u003cid\\u003e", "redirect to https://TENANT.eu.portal.cloudappsecurity.com not followed"} {
		if got, _ := json.Marshal(r.Answers[i].Error); !strings.Contains(string(got), want) {
			t.Errorf("%d: %s, and not %s", i+1, got, want)
		}
	}
	for _, secret := range []string{canary, "contoso", "fabrikam", "grace", "Grace", "swordfish", "97134000", "9a0e6c1d", "10.1.2.3", "192.0.2.7", "c0ffee"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the report has %q in it: %s", secret, text)
		}
	}
}
