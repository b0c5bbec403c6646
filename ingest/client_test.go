package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/ingest"
)

// canary is the token of all tests: no error, wait or printed value may show it.
const canary = "c4naryc4naryc4naryc4naryc4naryc4naryc4naryc4naryc4naryc4naryc4na"

var (
	start   = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	onePage = `{"data":[{"_id":"a"}],"hasNext":false}`
)

// api is a local server that answers by a list of steps; the last one repeats.
type api struct {
	*httptest.Server
	t     testing.TB
	mu    sync.Mutex
	steps []http.HandlerFunc
	asked []asked
}

type asked struct {
	method, path, body string
	header             http.Header
}

// maxRequests ends a test whose loop would not.
const maxRequests = 3000

func serve(t testing.TB, steps ...http.HandlerFunc) *api {
	t.Helper()
	a := &api{t: t, steps: steps}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	n := len(a.asked)
	a.asked = append(a.asked, asked{r.Method, r.URL.RequestURI(), string(body), r.Header.Clone()})
	step := a.steps[min(n, len(a.steps)-1)]
	a.mu.Unlock()
	if n >= maxRequests {
		a.t.Error("too many requests")
		w.WriteHeader(http.StatusTeapot)
		return
	}
	w.Header().Set("Date", start.Format(http.TimeFormat))
	step(w, r)
}

func (a *api) requests() []asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked)
}

func (a *api) bodies() []string {
	var s []string
	for _, r := range a.requests() {
		s = append(s, r.body)
	}
	return s
}

// The steps.

func body(text string) http.HandlerFunc { return status(200, text) }

func status(code int, text string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header()[header[i]] = []string{header[i+1]}
		}
		w.WriteHeader(code)
		io.WriteString(w, text)
	}
}

func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		io.WriteString(conn, text)
	}
}

func gzipped(text string, cut int) http.HandlerFunc {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(b.Bytes()[:b.Len()-cut])
	}
}

// bench is a client under test with what it did.
type bench struct {
	*ingest.Client
	clock *ingest.ManualClock
	mu    sync.Mutex
	waits []string
}

func client(t testing.TB, url string, change ...func(*ingest.ClientOptions)) *bench {
	t.Helper()
	token, err := ingest.NewTokenCredential(canary)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{clock: ingest.NewManualClock(start)}
	o := ingest.ClientOptions{
		BaseURL: url, Credential: token, Clock: b.clock,
		Retry: ingest.RetryOptions{Jitter: func() float64 { return 0 }}, // back-offs of 1, 2, 4 ... s
		OnWait: func(d time.Duration, why string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.waits = append(b.waits, fmt.Sprint(d, " ", why))
			if strings.Contains(why, canary) {
				t.Errorf("a wait shows the token: %s", why)
			}
		},
	}
	for _, f := range change {
		f(&o)
	}
	if b.Client, err = ingest.NewClient(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func seconds(n ...float64) []time.Duration {
	var d []time.Duration
	for _, s := range n {
		d = append(d, time.Duration(s*float64(time.Second)))
	}
	return d
}

// ask sends one request and looks for the canary in what comes back.
func (b *bench) ask(t testing.TB) (*ingest.Answer, error) {
	t.Helper()
	a, err := b.Activities(t.Context(), []byte(`{"filters":{}}`))
	noCanary(t, err)
	return a, err
}

func noCanary(t testing.TB, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		for _, s := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err), hint(err)} {
			if strings.Contains(s, canary) {
				t.Errorf("the token is shown: %s", s)
			}
		}
	}
}

func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestARequestIsWhatTheAPIExpects(t *testing.T) {
	srv := serve(t, body(onePage))
	c := client(t, srv.URL+"/cas/", func(o *ingest.ClientOptions) { o.UserAgent = "mdcalake/1" })
	a, err := c.ask(t)
	if err != nil {
		t.Fatal(err)
	}
	got := srv.requests()[0]
	if got.method != "POST" || got.path != "/cas/api/v1/activities/" || got.body != `{"filters":{}}` {
		t.Errorf("%+v", got)
	}
	for name, want := range map[string]string{
		"Authorization": "Token " + canary, "Content-Type": "application/json", "Accept": "application/json", "User-Agent": "mdcalake/1",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q", name, got.header.Get(name))
		}
	}
	if string(a.Body) != onePage || a.SHA256 != sha256.Sum256([]byte(onePage)) || a.Status != 200 || a.Requests != 1 {
		t.Errorf("%+v", a)
	}
	if !a.Date.Equal(start) || !a.Asked.Equal(start) || !a.Received.Equal(start) {
		t.Errorf("times %v %v %v", a.Date, a.Asked, a.Received)
	}
	if c.Host() != strings.TrimPrefix(srv.URL, "http://") || c.CredentialKind() != "token" {
		t.Error(c.Host(), c.CredentialKind())
	}
	a.Release()
	a.Release()
	if a.Body != nil {
		t.Error("released body is still there")
	}
}

func TestAskedIsBeforeTheServersDate(t *testing.T) {
	var c *bench
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		c.clock.Advance(7 * time.Second) // the query takes its time
		body(onePage)(w, r)
	}, status(200, onePage, "Date", "yesterday"))
	c = client(t, srv.URL)
	if a, err := c.ask(t); err != nil || !a.Asked.Equal(start.Add(-7*time.Second)) {
		t.Errorf("%v %v", a, err)
	}
	if a, err := c.ask(t); err != nil || !a.Date.IsZero() || !a.Asked.Equal(start) {
		t.Errorf("without a Date it is as far from ours as it was: %v %v", a, err)
	}
}

func TestBodiesMayBeCompressed(t *testing.T) {
	c := client(t, serve(t, gzipped(onePage, 0)).URL)
	a, err := c.ask(t)
	if err != nil || string(a.Body) != onePage {
		t.Fatal(a, err)
	}
}

func TestBodiesOfAllSizesArriveWhole(t *testing.T) {
	var sizes []int
	for _, n := range []int{1, 511, 512, 513, 4096, 1 << 20, 20<<20 + 7} {
		sizes = append(sizes, n, n) // twice, to meet a used buffer
	}
	n := 0
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		page := `{"data":["` + strings.Repeat("x", sizes[n/2]) + `"],"hasNext":false}`
		n++
		if n%2 == 0 {
			w.Header().Set("Content-Length", fmt.Sprint(len(page)))
		}
		io.WriteString(w, page)
	})
	c := client(t, srv.URL)
	for i := range sizes {
		a, err := c.ask(t)
		if err != nil || len(a.Page.Records) != 1 || len(a.Page.Records[0]) != sizes[i/2]+2 || sha256.Sum256(a.Body) != a.SHA256 {
			t.Fatal(i, err)
		}
		a.Release()
	}
}

func TestFaultsAreRetriedVerbatim(t *testing.T) {
	html := "<!DOCTYPE html><script>var __ADALLOM_CONSTS = 1</script>"
	half := `{"data":[{"_id":"a"},{"_i`
	var (
		statusErr   *ingest.StatusError
		malformed   *ingest.MalformedError
		unreachable *ingest.UnreachableError
	)
	for name, c := range map[string]struct {
		fault http.HandlerFunc
		want  any
		text  string
	}{
		"408":                {status(408, ""), &statusErr, "status 408 Request Timeout (after 6 tries)"},
		"500":                {status(500, `{"detail":"boom"}`), &statusErr, "status 500 Internal Server Error: boom (after 6 tries)"},
		"500 in HTML":        {status(500, html), &statusErr, "status 500 Internal Server Error: an HTML page (after 6 tries)"},
		"502":                {status(502, ""), &statusErr, "502"},
		"504":                {status(504, "upstream\x1b[31m\r\n\x00 gone"), &statusErr, "upstream [31m gone"},
		"HTML with 200":      {body(html), &malformed, "HTML"},
		"empty body":         {body(""), &malformed, "empty body"},
		"empty object":       {body("{}"), &malformed, "no data in it"},
		"data null alone":    {body(`{"data":null}`), &malformed, "no data in it"},
		"data null":          {body(`{"data":null,"hasNext":true,"nextQueryFilters":{"date":{}}}`), &malformed, "no data in it"},
		"no data":            {body(`{"hasNext":false}`), &malformed, "no data in it"},
		"cut JSON":           {body(half), &malformed, "cut"},
		"cut body":           {raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + half), &malformed, "cut at byte 25"},
		"cut chunks":         {raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n19\r\n" + half + "\r\n"), &malformed, "cut"},
		"too short a length": {raw("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\n" + onePage), &malformed, "cut"},
		"cut gzip":           {gzipped(onePage, 12), &malformed, "cut"},
		"damaged gzip":       {status(200, "no gzip, surely", "Content-Encoding", "gzip"), &malformed, "compressed data damaged"},
		"hung up":            {raw(""), &unreachable, "EOF"},
		"no HTTP":            {raw("SSH-2.0\r\n\r\n"), &unreachable, "malformed HTTP"},
		"bad chunks":         {raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), &unreachable, "chunk"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, c.fault, c.fault, body(onePage))
			b := client(t, srv.URL)
			a, err := b.ask(t)
			if err != nil || a.Requests != 3 {
				t.Fatalf("after two faults: %+v, %v", a, err)
			}
			if d := cmp.Diff(seconds(1, 2), b.clock.Sleeps()); d != "" {
				t.Error(d)
			}
			if s := srv.bodies(); s[0] != s[1] || s[1] != s[2] {
				t.Errorf("not verbatim: %q", s)
			}

			srv = serve(t, c.fault)
			b = client(t, srv.URL)
			a, err = b.ask(t)
			if a != nil || !errors.As(err, c.want) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), "(after 6 tries)") {
				t.Errorf("%v, %T %v", a, err, err)
			}
			if hint(err) == "" {
				t.Error("no hint")
			}
			if d := cmp.Diff(seconds(1, 2, 4, 8, 16), b.clock.Sleeps()); d != "" {
				t.Error(d)
			}
			if n := len(srv.requests()); n != 6 {
				t.Errorf("%d requests", n)
			}
			if len(b.waits) != 5 {
				t.Errorf("waits told: %q", b.waits)
			}
		})
	}
}

func TestARefusedConnectionIsFinalUnlessTheHostHasAnswered(t *testing.T) {
	for name, tc := range map[string]struct {
		answered bool
		tries    int
	}{"never answered": {false, 1}, "answered before": {true, 6}} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, body(onePage))
			b := client(t, srv.URL)
			if tc.answered {
				if _, err := b.ask(t); err != nil {
					t.Fatal(err)
				}
			}
			srv.Close()
			_, err := b.ask(t)
			var unreachable *ingest.UnreachableError
			if !errors.As(err, &unreachable) || unreachable.Tries != tc.tries || !strings.Contains(hint(err), "nothing listens") {
				t.Error(err, hint(err), unreachable)
			}
			if n := len(b.clock.Sleeps()); n != tc.tries-1 {
				t.Errorf("%d back-offs", n)
			}
		})
	}
}

func TestRetryAfterOfABusyServiceIsObeyed(t *testing.T) {
	srv := serve(t, status(503, "", "Retry-After", "40"), status(503, "", "Retry-After", "7200"), body(onePage))
	b := client(t, srv.URL)
	if _, err := b.ask(t); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(seconds(40, 300), b.clock.Sleeps()); d != "" {
		t.Error(d)
	}
}

func TestBackoffIsBoundedAndJittered(t *testing.T) {
	b := client(t, serve(t, status(500, "")).URL, func(o *ingest.ClientOptions) {
		o.Retry = ingest.RetryOptions{Tries: 5, Base: 16 * time.Second, Max: 50 * time.Second, Jitter: func() float64 { return 0.5 }}
	})
	if _, err := b.ask(t); err == nil {
		t.Fatal("no error")
	}
	if d := cmp.Diff(seconds(12, 24, 37.5, 37.5), b.clock.Sleeps()); d != "" {
		t.Error(d)
	}
}

func TestRefusalsAreNotRetried(t *testing.T) {
	for name, c := range map[string]struct {
		step    http.HandlerFunc
		text    string
		hint    string
		refused bool
	}{
		"filter":               {status(400, `{"filters":[{"error":"<v> is not valid","errorMessageCode":"X"}],"error":true}`), "status 400 Bad Request: <v> is not valid", "--filter", false},
		"filter with the word": {status(400, `{"detail":"throttled is not valid"}`), "throttled is not valid", "--filter", false},
		"token":                {status(401, `{"detail":"Invalid token."}`), "status 401 Unauthorized: Invalid token.", "token", true},
		"role":                 {status(403, `Insufficient role based permission(s)`), "status 403 Forbidden: Insufficient role based permission(s)", "role", true},
		"address":              {status(404, `<html><script>var __ADALLOM_CONSTS</script>Page not found`), "status 404 Not Found: an HTML page", "Settings > Cloud Apps > About", false},
		"teapot":               {status(418, ""), "status 418 I'm a teapot", "--url", false},
		"301":                  {status(301, "", "Location", "https://elsewhere.example:8443/x?token="+canary), "redirect to https://elsewhere.example:8443 not followed", "configured host only", false},
		"307, same host":       {status(307, "", "Location", "/login"), "redirect to http://127.0.0.1", "configured host only", false},
		"302 to nowhere":       {status(302, ""), "redirect to nowhere", "configured host only", false},
		"nested":               {status(409, `{"error":{"message":"odd"}}`), "odd", "--url", false},
		"long":                 {status(422, strings.Repeat("long ", 1000)), " l...", "--url", false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, c.step)
			b := client(t, srv.URL)
			_, err := b.ask(t)
			var e *ingest.StatusError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.text) || len(err.Error()) > 250 {
				t.Errorf("%T %v", err, err)
			}
			if !strings.Contains(hint(err), c.hint) {
				t.Errorf("hint %q", hint(err))
			}
			if errors.Is(err, ingest.ErrSignInRefused) != c.refused {
				t.Errorf("refused: %v", !c.refused)
			}
			if n := len(srv.requests()); n != 1 || len(b.clock.Sleeps()) != 0 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	other := serve(t, body(onePage))
	for _, code := range []int{301, 302, 303, 307, 308} {
		srv := serve(t, status(code, "", "Location", other.URL+"/api/v1/activities/"))
		if _, err := client(t, srv.URL).ask(t); err == nil || !strings.Contains(err.Error(), other.URL) {
			t.Errorf("%d: %v", code, err)
		}
	}
	if n := len(other.requests()); n != 0 {
		t.Errorf("the other host saw %d requests", n)
	}
}

func TestThrottlingWaitsAsLongAsTheAPISays(t *testing.T) {
	date := func(d time.Duration) string { return start.Add(d).Format(http.TimeFormat) }
	drf := `{"detail":"Request was throttled. Expected available in 37 seconds."}`
	for name, c := range map[string]struct {
		step http.HandlerFunc
		want float64
	}{
		"seconds":               {status(429, drf, "Retry-After", "17"), 17},
		"odd case and spaces":   {status(429, "", "retry-after", " 17 "), 17},
		"zero":                  {status(429, "", "Retry-After", "0"), 1},
		"date":                  {status(429, "", "Retry-After", date(90*time.Second)), 90},
		"date, our clock off":   {status(429, "", "Retry-After", date(time.Hour+50*time.Second), "Date", date(time.Hour)), 50},
		"date, no server date":  {status(429, "", "Retry-After", date(90*time.Second), "Date", "x"), 90},
		"past date":             {status(429, "", "Retry-After", date(-time.Second)), 60},
		"date of now":           {status(429, "", "Retry-After", date(0)), 1},
		"negative":              {status(429, "", "Retry-After", "-5"), 60},
		"long":                  {status(429, "", "Retry-After", "301"), 300},
		"an hour":               {status(429, "", "Retry-After", "3600"), 300},
		"absurd":                {status(429, "", "Retry-After", "86401"), 60},
		"beyond 64 bits":        {status(429, "", "Retry-After", "99999999999999999999"), 60},
		"nonsense":              {status(429, "", "Retry-After", "soon"), 60},
		"text of the framework": {status(429, drf), 37},
		"one second":            {status(429, `{"detail":"Expected available in 1 second."}`), 1},
		"part of a second":      {status(429, `{"detail":"Expected available in 2.5 seconds."}`), 2.5},
		"nested text":           {status(429, `{"error":{"code":"TooManyRequests","message":"Please try again in 42 seconds."}}`), 42},
		"huge text":             {status(429, `{"detail":"Expected available in 999999 seconds."}`), 60},
		"minus in text":         {status(429, `{"detail":"Expected available in -3 seconds."}`), 60},
		"nothing said":          {status(429, ""), 60},
		"HTML":                  {status(429, "<html>wait 5 seconds</html>"), 60},
		"403 throttled":         {status(403, drf), 37},
		"503 throttled":         {status(503, drf), 37},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, c.step, body(onePage))
			b := client(t, srv.URL)
			a, err := b.ask(t)
			if err != nil || a.Requests != 2 {
				t.Fatal(a, err)
			}
			if d := cmp.Diff(seconds(c.want), b.clock.Sleeps()); d != "" {
				t.Error(d)
			}
			if len(b.waits) != 1 || !strings.Contains(b.waits[0], "throttled by the API") {
				t.Errorf("%q", b.waits)
			}
		})
	}
}

// A service that says "0" and means a minute is not asked twenty times in twenty
// seconds, and given up.
func TestAWaitThatIsTooShortGetsLonger(t *testing.T) {
	zero, other := status(429, "", "Retry-After", "0"), status(429, "", "Retry-After", "5")
	b := client(t, serve(t, zero, zero, zero, other, zero, zero, zero, zero, zero, body(onePage)).URL)
	if _, err := b.ask(t); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(seconds(1, 2, 4, 5, 8, 16, 32, 60, 60), b.clock.Sleeps()); d != "" {
		t.Error(d)
	}
}

func TestThrottlingHasABoundOfItsOwn(t *testing.T) {
	srv := serve(t, status(429, `{"detail":"Request was throttled."}`))
	b := client(t, srv.URL)
	_, err := b.ask(t)
	var slow *ingest.ThrottledError
	if !errors.As(err, &slow) || slow.Tries != 20 || slow.Wait != time.Minute || err.Error() != "throttled: Request was throttled. (after 20 tries)" || hint(err) == "" {
		t.Errorf("%v", err)
	}
	if n := len(srv.requests()); n != 20 {
		t.Errorf("%d requests", n)
	}

	// Between faults it counts as none of them, and they not as throttling.
	f, s := status(500, ""), status(429, "", "Retry-After", "10")
	srv = serve(t, f, s, f, s, s, f, f, s, f, s, body(onePage))
	b = client(t, srv.URL)
	if a, err := b.ask(t); err != nil || a.Requests != 11 {
		t.Fatal(a, err)
	}
	if d := cmp.Diff(seconds(1, 10, 2, 10, 10, 4, 8, 10, 16, 10), b.clock.Sleeps()); d != "" {
		t.Error(d)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	long := `{"data":["` + strings.Repeat("x", 1000) + `"],"hasNext":false}`
	for _, step := range []http.HandlerFunc{body(long), gzipped(long, 0)} {
		srv := serve(t, step)
		_, err := client(t, srv.URL, func(o *ingest.ClientOptions) { o.MaxBody = int64(len(long)) - 1 }).ask(t)
		var malformed *ingest.MalformedError
		if !errors.As(err, &malformed) || !strings.Contains(err.Error(), "body longer than") || !strings.Contains(hint(err), "--page-size") || len(srv.requests()) != 1 {
			t.Error(err, hint(err))
		}
		if _, err := client(t, srv.URL, func(o *ingest.ClientOptions) { o.MaxBody = int64(len(long)) }).ask(t); err != nil {
			t.Error("a body of just that length:", err)
		}
	}
}

func TestASilentPeerIsLeft(t *testing.T) {
	hold := make(chan struct{})
	silent := func(before string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if before != "" {
				io.WriteString(w, before)
				http.NewResponseController(w).Flush()
			}
			select {
			case <-r.Context().Done():
			case <-hold:
			}
		}
	}
	trickle := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"data":[`)
		for range 10000 {
			select {
			case <-r.Context().Done():
				return
			case <-hold:
				return
			case <-time.After(time.Millisecond):
				io.WriteString(w, " ")
				http.NewResponseController(w).Flush()
			}
		}
	}
	for name, c := range map[string]struct {
		step     http.HandlerFunc
		timeouts ingest.Timeouts
		text     string
	}{
		"before the header": {silent(""), ingest.Timeouts{Header: 20 * time.Millisecond}, "timeout awaiting response headers"},
		"in the body":       {silent(`{"data":[`), ingest.Timeouts{Stall: 20 * time.Millisecond}, "connection lost after 9 bytes: no byte of the body for too long"},
		"a trickle":         {trickle, ingest.Timeouts{Body: 50 * time.Millisecond}, "body not complete in time"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, c.step, body(onePage))
			b := client(t, srv.URL, func(o *ingest.ClientOptions) { o.Timeouts = c.timeouts })
			a, err := b.ask(t)
			if err != nil || a.Requests != 2 {
				t.Error(a, err)
			}
			if len(b.waits) != 1 || !strings.Contains(b.waits[0], c.text) {
				t.Errorf("%q", b.waits)
			}
		})
	}
	close(hold)
}

func TestCancellingPassesThrough(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	srv := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if _, err := client(t, srv.URL).Activities(ctx, []byte("{}")); !errors.Is(err, context.Canceled) {
		t.Error("in flight:", err)
	}
	if _, err := client(t, srv.URL).Activities(ctx, []byte("{}")); !errors.Is(err, context.Canceled) {
		t.Error("before:", err)
	}
	if n := len(srv.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}

	ctx, cancel = context.WithCancel(t.Context())
	srv = serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"data":[`)
		http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	if _, err := client(t, srv.URL).Activities(ctx, []byte("{}")); !errors.Is(err, context.Canceled) {
		t.Error("in the body:", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	srv = serve(t, status(500, ""))
	b := client(t, srv.URL, func(o *ingest.ClientOptions) { o.OnWait = func(time.Duration, string) { cancel() } })
	if _, err := b.Activities(ctx, []byte("{}")); !errors.Is(err, context.Canceled) || len(srv.requests()) != 1 {
		t.Error("in a back-off:", err)
	}
}

func TestTLSIsVerified(t *testing.T) {
	srv := httptest.NewUnstartedServer(body(onePage))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	var unreachable *ingest.UnreachableError

	b := client(t, srv.URL)
	_, err := b.ask(t)
	if !errors.As(err, &unreachable) || unreachable.Tries != 1 || !strings.Contains(hint(err), "--ca-file") || len(b.clock.Sleeps()) != 0 {
		t.Error("unknown root:", err, hint(err))
	}

	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, srv.URL, func(o *ingest.ClientOptions) { o.CAFile = file }).ask(t); err != nil {
		t.Error("with --ca-file:", err)
	}

	plain := serve(t, body(onePage))
	b = client(t, strings.Replace(plain.URL, "http:", "https:", 1))
	if _, err := b.ask(t); !errors.As(err, &unreachable) || unreachable.Tries != 1 || !strings.Contains(hint(err), "plain http") {
		t.Error("https to plain http:", err, hint(err))
	}
}

func TestTheTokenIsNeverShown(t *testing.T) {
	echo := "you sent Token " + canary
	for name, step := range map[string]http.HandlerFunc{
		"detail":      status(401, `{"detail":"`+echo+`"}`),
		"text":        status(400, strings.Repeat("x", 150)+echo),
		"escaped":     status(400, `{"detail":"\u0063`+canary[1:]+`"}`),
		"cut off":     status(400, `{"detail":"`+echo[:60]+`"}`),
		"re-encoded":  status(400, `{"detail":"got `+canary+`%3D%3D, sorry"}`),
		"html":        status(404, "<html>"+echo),
		"redirect":    status(302, "", "Location", "https://"+canary+"/"),
		"throttled":   status(429, `{"detail":"`+echo+`"}`),
		"no http":     raw(echo + "\r\n\r\n"),
		"header":      raw("HTTP/1.1 200 OK\r\n" + echo + "\r\n\r\n"),
		"length":      raw("HTTP/1.1 200 OK\r\nContent-Length: " + canary + "\r\n\r\n"),
		"encoding":    raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + canary + "\r\n\r\n"),
		"chunk":       raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + canary + "\r\n"),
		"body":        body(echo),
		"member name": body(`{"` + canary + `":nope}`),
		"hung up":     raw(""),
	} {
		t.Run(name, func(t *testing.T) {
			b := client(t, serve(t, step).URL)
			_, err := b.ask(t)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), canary[:20]) || strings.Contains(err.Error(), "%3D") {
				t.Errorf("a part of the token is shown: %v", err)
			}
		})
	}
	token, _ := ingest.NewTokenCredential(canary)
	for _, v := range []any{token, *token, client(t, "https://h").Client, ingest.ClientOptions{Credential: token}, &ingest.ClientOptions{Credential: token}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, canary) || strings.Contains(s, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s shows it: %s", verb, s)
			}
		}
	}
}

func TestClientOptionsAreChecked(t *testing.T) {
	token, _ := ingest.NewTokenCredential(canary)
	for url, want := range map[string]string{
		"":                                 "is missing",
		"tenant.example":                   "https://",
		"tenant.example:443":               "https://",
		"ftp://tenant.example":             "https://",
		"https:tenant.example":             "https://",
		"https://":                         "no host",
		"https:///x":                       "no host",
		"http://tenant.example":            "plain http",
		"http://127.0.0.1.example":         "plain http",
		"http://10.0.0.1":                  "plain http",
		"https://u:" + canary + "@h":       "user name or password",
		"https://u@h":                      "user name or password",
		"https://u:" + canary + "@h:x":     "no URL",
		"https://h/?x=1":                   "query",
		"https://h?":                       "query",
		"https://h/#x":                     "fragment",
		"https://h/#":                      "fragment",
		"https://h/api/v1":                 "leave /api/v1",
		"https://h/cas/api/v1/activities/": "leave /api/v1",
		"https://h\x00":                    "no URL",
		"https://[::1":                     "no URL",
	} {
		_, err := ingest.NewClient(ingest.ClientOptions{BaseURL: url, Credential: token})
		var e *ingest.OptionError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || hint(err) == "" {
			t.Errorf("%q: %v", url, err)
		}
		noCanary(t, err)
	}
	for _, url := range []string{"https://h", " https://h/\n", "https://h:8443/a/b/", "http://localhost:1", "http://127.0.0.2:1", "http://[::1]:1", "HTTPS://H"} {
		if _, err := ingest.NewClient(ingest.ClientOptions{BaseURL: url, Credential: token}); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "none.pem")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*ingest.ClientOptions){
		"credential": func(o *ingest.ClientOptions) { o.Credential = nil },
		"rate":       func(o *ingest.ClientOptions) { o.Rate = -1 },
		"body":       func(o *ingest.ClientOptions) { o.MaxBody = -1 },
		"timeout":    func(o *ingest.ClientOptions) { o.Timeouts.Stall = -1 },
		"retry":      func(o *ingest.ClientOptions) { o.Retry.Tries = -1 },
		"CA file":    func(o *ingest.ClientOptions) { o.CAFile = missing },
		"no CA":      func(o *ingest.ClientOptions) { o.CAFile = empty },
	} {
		o := ingest.ClientOptions{BaseURL: "https://h", Credential: token}
		change(&o)
		if _, err := ingest.NewClient(o); err == nil {
			t.Error(name, "was taken")
		}
	}
}

// failing is a credential that cannot sign.
type failing struct{ err error }

func (f failing) Authorize(context.Context, *http.Request) error { return f.err }
func (failing) Refused(*http.Request) bool                       { return false }
func (failing) Kind() string                                     { return "badge" }

// renewing signs with a counted token and can always get another.
type renewing struct {
	token, refused *int
}

func (r renewing) Authorize(_ context.Context, request *http.Request) error {
	*r.token++
	request.Header.Set("Authorization", fmt.Sprintf("Bearer %s-%d", canary, *r.token))
	return nil
}
func (r renewing) Refused(*http.Request) bool { *r.refused++; return true }
func (renewing) Kind() string                 { return "badge" }

func TestARefusedCredentialIsRenewedOnceForARequest(t *testing.T) {
	gone := status(401, `{"detail":"Signature has expired."}`)
	for name, c := range map[string]struct {
		steps   []http.HandlerFunc
		fixed   bool // a token that cannot be renewed
		sent    int
		refused int
		fails   bool
	}{
		"renewed":           {steps: []http.HandlerFunc{gone, body(onePage)}, sent: 2, refused: 1},
		"refused again":     {steps: []http.HandlerFunc{gone}, sent: 2, refused: 2, fails: true},
		"between faults":    {steps: []http.HandlerFunc{status(503, ""), gone, status(503, ""), body(onePage)}, sent: 4, refused: 1},
		"a token that is":   {steps: []http.HandlerFunc{gone}, fixed: true, sent: 1, fails: true},
		"403 is no 401":     {steps: []http.HandlerFunc{status(403, "")}, sent: 1, fails: true},
		"throttled between": {steps: []http.HandlerFunc{gone, status(429, "", "Retry-After", "1"), body(onePage)}, sent: 3, refused: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var token, refused int
			srv := serve(t, c.steps...)
			b := client(t, srv.URL, func(o *ingest.ClientOptions) {
				if !c.fixed {
					o.Credential = renewing{&token, &refused}
				}
			})
			_, err := b.ask(t)
			if (err != nil) != c.fails || err != nil && !errors.Is(err, ingest.ErrSignInRefused) {
				t.Error(err)
			}
			if len(srv.requests()) != c.sent || refused != c.refused {
				t.Errorf("%d requests, %d refusals, want %d and %d", len(srv.requests()), refused, c.sent, c.refused)
			}
		})
	}
}

// One window's fresh token may be dead again before it comes to be used, while
// those of others work.
func TestARefusedCredentialIsRenewedAgainWhereOthersWork(t *testing.T) {
	gone := status(401, `{"detail":"Signature has expired."}`)
	var token, refused int
	var b *bench
	others := func(w http.ResponseWriter, r *http.Request) {
		if _, err := b.Activities(context.Background(), []byte(`{}`)); err != nil {
			t.Error(err)
		}
		gone(w, r)
	}
	steps := []http.HandlerFunc{gone}
	for range 4 {
		steps = append(steps, others, body(onePage))
	}
	for extra, fails := range []bool{false, true} {
		token, refused = 0, 0
		srv := serve(t, append(append(steps[:len(steps):len(steps)], slices.Repeat([]http.HandlerFunc{others, body(onePage)}, extra)...), body(onePage))...)
		b = client(t, srv.URL, func(o *ingest.ClientOptions) { o.Credential = renewing{&token, &refused} })
		if _, err := b.ask(t); (err != nil) != fails {
			t.Errorf("%d refusals: %v", refused, err)
		}
	}
}

// The generic host leads to machines that do not hold the tenant.
func TestAMachineWithoutTheTenantIsAskedAgain(t *testing.T) {
	lost := status(401, `{"detail":"Invalid JSON Web Key Set"}`)
	for _, bearer := range []bool{false, true} {
		var token, refused int
		change := func(o *ingest.ClientOptions) {
			if bearer {
				o.Credential = renewing{&token, &refused}
			}
		}
		b := client(t, serve(t, lost, lost, body(onePage)).URL, change)
		if _, err := b.ask(t); err != nil || fmt.Sprint(b.clock.Sleeps()) != "[1s 2s]" {
			t.Error(err, b.waits)
		}
		srv := serve(t, lost)
		b = client(t, srv.URL, change)
		_, err := b.ask(t)
		if !errors.Is(err, ingest.ErrSignInRefused) || !strings.Contains(hint(err), "the tenant's own API URL") || len(srv.requests()) != 6 {
			t.Errorf("%v, hint %q, %d requests", err, hint(err), len(srv.requests()))
		}
		if refused != 0 {
			t.Error("the token was blamed")
		}
	}
}

func TestACredentialThatFailsIsFinal(t *testing.T) {
	srv := serve(t, body(onePage))
	b := client(t, srv.URL, func(o *ingest.ClientOptions) { o.Credential = failing{ingest.ErrSignInRefused} })
	_, err := b.ask(t)
	if !errors.Is(err, ingest.ErrSignInRefused) || err.Error() != "sign in with badge: sign-in refused" || hint(err) == "" {
		t.Error(err)
	}
	if len(srv.requests()) != 0 {
		t.Error("a request was sent unsigned")
	}
}
