package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
	"mdcalake/store"
)

// In a bubble time passes when everyone waits, and months take as long as the
// work in them. No real network goes into it: requests are handed to the
// simulator as function calls.

// bubble is a service, a client and a lake whose time is the bubble's.
type bubble struct {
	t    *testing.T
	sim  *simulator.Simulator
	dir  string
	took time.Duration // every answer
	rate int           // requests a minute that the client allows itself; 0: no limit

	client   *ingest.Client
	mu       sync.Mutex
	down     bool                          // the network is away
	spoils   func(created, date span) bool // questions that are answered by 500; nil: none
	inFlight int
	most     int // requests at a time
	warnings []string
	reports  []ingest.Progress
}

// bubbleTest names the test that this process is to run in a bubble.
const bubbleTest = "MDCALAKE_BUBBLE_TEST"

// inBubble runs a test at noon of the day that all tests have. Each bubble has a
// process of its own: the Parquet library pools its compressors, and what was
// made in a bubble may not be used outside of it.
func inBubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	if os.Getenv(bubbleTest) == t.Name() {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(now))
			f(t)
		})
		return
	}
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	test := "^" + strings.ReplaceAll(regexp.QuoteMeta(t.Name()), "/", "$/^") + "$"
	c := exec.CommandContext(t.Context(), program, "-test.run="+test, "-test.v", "-test.timeout=5m")
	c.Env = append(os.Environ(), bubbleTest+"="+t.Name())
	out, err := c.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name()+" ")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// newBubble serves the records of options. It is for a test in a bubble.
func newBubble(t *testing.T, o simulator.Options) *bubble {
	t.Helper()
	b := &bubble{t: t, dir: lakeDir(t)}
	b.serve(o)
	return b
}

// serve puts another service in the place of the last one.
func (b *bubble) serve(o simulator.Options) {
	b.t.Helper()
	o.Token, o.Clock = canary, time.Now
	var err error
	if b.sim, err = simulator.New(o); err != nil {
		b.t.Fatal(err)
	}
}

// connect makes a client; it is called when took and rate are set.
func (b *bubble) connect() {
	b.t.Helper()
	token, err := ingest.NewTokenCredential(canary)
	if err != nil {
		b.t.Fatal(err)
	}
	b.client, err = ingest.NewClient(ingest.ClientOptions{BaseURL: "http://localhost", Credential: token, Rate: b.rate})
	if err != nil {
		b.t.Fatal(err)
	}
	b.client.SetTransport(b)
}

// RoundTrip answers a request of the client.
func (b *bubble) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	b.inFlight++
	b.most = max(b.most, b.inFlight)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.inFlight--
		b.mu.Unlock()
	}()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(b.took)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-timer.C:
	}
	b.mu.Lock()
	down := b.down
	b.mu.Unlock()
	if down {
		return nil, errors.New("network is unreachable")
	}
	if b.spoils != nil {
		var q struct {
			Filters struct{ Date, Created struct{ Gte, Lte *int64 } }
		}
		if err := json.Unmarshal(body, &q); err != nil {
			return nil, err
		}
		between := func(gte, lte *int64) (s span) {
			if s.until = now.AddDate(1, 0, 0); lte != nil {
				s.until = time.UnixMilli(*lte + 1)
			}
			if gte != nil {
				s.since = time.UnixMilli(*gte)
			}
			return s
		}
		if f := q.Filters; f.Created.Gte != nil && b.spoils(between(f.Created.Gte, f.Created.Lte), between(f.Date.Gte, f.Date.Lte)) {
			rec := httptest.NewRecorder()
			rec.WriteHeader(http.StatusInternalServerError)
			return rec.Result(), nil
		}
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	b.sim.ServeHTTP(rec, r)
	return rec.Result(), nil
}

func (b *bubble) setDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

// run ingests from since on.
func (b *bubble) run(ctx context.Context, since time.Time, change func(*ingest.Options)) (*ingest.Summary, error) {
	b.t.Helper()
	if b.client == nil {
		b.connect()
	}
	lake, err := store.OpenWriter(b.dir, store.WriterOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer lake.Close()
	o := ingest.Options{
		Client: b.client, Writer: lake, Since: since,
		Warn:     func(text string) { b.warnings = append(b.warnings, text) },
		Progress: func(p ingest.Progress) { b.reports = append(b.reports, p) },
	}
	if change != nil {
		change(&o)
	}
	s, err := ingest.Run(ctx, o)
	noCanary(b.t, err)
	return s, err
}
