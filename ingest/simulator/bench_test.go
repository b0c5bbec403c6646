package simulator_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"mdcalake/ingest/simulator"
)

// discard is a ResponseWriter that keeps nothing, so that the page is what is measured.
type discard struct {
	header http.Header
	n      int64
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { d.n += int64(len(p)); return len(p), nil }

func BenchmarkPages(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
		more string
	}{
		{"500 by date", 500, ``},
		{"5000 by date", 5000, ``},
		{"500 by created", 500, `,"sortField":"created","sortDirection":"asc"`},
		{"500 of one service", 500, `,"filters":{"service":{"eq":[20893]}}`},
		{"500 of one user", 500, `,"filters":{"user.domain":{"eq":["fabrikam.example"]}}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newSim(b, simulator.Options{Seed: 3, Count: 200_000, Days: 60})
			var sent int64
			for b.Loop() {
				w := &discard{header: http.Header{}}
				r := httptest.NewRequest("POST", "/api/v1/activities/", strings.NewReader(fmt.Sprintf(`{"isScan":true,"limit":%d%s}`, c.size, c.more)))
				r.Header.Set("Authorization", "Token x")
				s.ServeHTTP(w, r)
				sent = w.n
			}
			b.SetBytes(sent)
		})
	}
}

// BenchmarkTwoMillion is the whole index of two million records, sorted both ways.
func BenchmarkTwoMillion(b *testing.B) {
	for b.Loop() {
		s := newSim(b, simulator.Options{Seed: 3, Count: 2_000_000, Days: 60})
		c := client{t: b, s: s}
		c.post(`{"isScan":true,"limit":1,"sortField":"created","sortDirection":"asc"}`)
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB")
		runtime.KeepAlive(s)
	}
}
