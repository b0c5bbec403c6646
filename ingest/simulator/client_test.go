package simulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"mdcalake/ingest/simulator"
)

// client is a plain reference client: it keeps what it is given and sends back
// what it was told.
type client struct {
	t   testing.TB
	s   *simulator.Simulator
	key string
}

// answer is a page as a client sees it.
type answer struct {
	Status  int
	Header  http.Header
	Body    []byte
	Data    []json.RawMessage
	HasNext *bool
	Next    json.RawMessage `json:"nextQueryFilters"`
	Total   *int
}

func (c client) do(method, path, contentType string, body string) answer {
	c.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if c.key == "" {
		c.key = "Token abc"
	}
	r.Header.Set("Authorization", c.key)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	c.s.ServeHTTP(w, r)
	a := answer{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
	if a.Status == http.StatusOK && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		_ = json.Unmarshal(a.Body, &a) // some tests ask for broken JSON
	}
	return a
}

func (c client) post(body string) answer {
	c.t.Helper()
	return c.do(http.MethodPost, "/api/v1/activities/", "application/json", body)
}

// scan follows nextQueryFilters to the end and returns the records in order.
// It gives up after a number of requests, so that no fault makes it loop.
func (c client) scan(filters, rest string, most int) (records [][]byte, requests int) {
	c.t.Helper()
	for requests < most {
		requests++
		a := c.post(fmt.Sprintf(`{"filters":%s,"isScan":true%s}`, filters, rest))
		if a.Status != http.StatusOK {
			c.t.Fatalf("request %d: status %d: %s", requests, a.Status, a.Body)
		}
		for _, d := range a.Data {
			records = append(records, d)
		}
		if a.HasNext == nil || !*a.HasNext {
			if a.Next != nil {
				c.t.Fatalf("last page carries nextQueryFilters %s", a.Next)
			}
			return records, requests
		}
		filters = string(a.Next)
	}
	c.t.Fatalf("scan did not end within %d requests", most)
	return nil, 0
}

// truth is the expected bytes in order of event time.
func truth(s *simulator.Simulator) [][]byte {
	var list [][]byte
	for p := range s.Expected() {
		list = append(list, p.Bytes())
	}
	return list
}

// sameSet says how two lists of records differ when order does not count.
func sameSet(t testing.TB, got, want [][]byte) {
	t.Helper()
	count := map[string]int{}
	for _, b := range want {
		count[string(b)]++
	}
	extra := 0
	for _, b := range got {
		if count[string(b)]--; count[string(b)] < 0 {
			extra++
		}
	}
	missing := 0
	for _, n := range count {
		missing += max(0, n)
	}
	if extra > 0 || missing > 0 {
		t.Fatalf("got %d records, want %d: %d too many, %d missing", len(got), len(want), extra, missing)
	}
}

// facet reads a number of a record of ours, where it stands before any nested
// member of that name.
func facet(t testing.TB, record []byte, name string) int64 {
	t.Helper()
	_, rest, ok := bytes.Cut(record, []byte(`"`+name+`":`))
	end := bytes.IndexAny(rest, ",}")
	if !ok || end < 0 {
		t.Fatalf("no %s in %.200s", name, record)
	}
	n, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func decoded(t testing.TB, record []byte) map[string]any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(record))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil && err != io.EOF {
		t.Fatalf("%v in %.200s", err, record)
	}
	return m
}
