package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// testClient is a client of a handler, with a clock that stands still until
// someone waits. The server says the clock's time.
func testClient(t testing.TB, clock *ManualClock, handler http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", clock.Now().UTC().Format(http.TimeFormat))
		handler(w, r)
	}))
	t.Cleanup(srv.Close)
	token, err := NewTokenCredential(strings.Repeat("0", 64))
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(ClientOptions{BaseURL: srv.URL, Credential: token, Clock: clock, Retry: RetryOptions{Jitter: func() float64 { return 0 }}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAWindowHasABoundOfPages(t *testing.T) {
	clock, n := NewManualClock(at("2026-11-20T12:00:00Z")), 0
	c := testClient(t, clock, func(w http.ResponseWriter, _ *http.Request) {
		n++
		fmt.Fprintf(w, `{"data":[%d],"hasNext":true,"nextQueryFilters":{"n":%d}}`, n, n)
	})
	s := c.Scan(t.Context(), Window{Since: clock.Now().Add(-time.Hour)}, ScanOptions{})
	s.pages = maxPages - 2
	pages := 0
	var last error
	for _, err := range s.All() {
		if last = err; err == nil {
			pages++
		}
	}
	var stalled *StalledError
	if !errors.As(last, &stalled) || !strings.Contains(last.Error(), "more than 1000000 pages") || pages != 2 || n != 2 || s.Sent() != 2 {
		t.Errorf("%d pages of %d requests, %d told: %v", pages, n, s.Sent(), last)
	}
}

// requestText is the body of a request.
func requestText(r *http.Request) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

// jsonOf reads a member of a request.
func jsonOf(request, member string, into any) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(request), &members); err != nil {
		return err
	}
	return json.Unmarshal(members[member], into)
}
