package simulator_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

// now is where the tests' clocks stand.
var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func newSim(t testing.TB, o simulator.Options) *simulator.Simulator {
	t.Helper()
	if o.Clock == nil {
		o.Clock = at(now)
	}
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ndjson(t testing.TB, s *simulator.Simulator, since, until time.Time) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.WriteNDJSON(&b, since, until); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEveryRecordIsValidJSON(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 3, Count: 20000})
	var sizes []int
	services := map[int64]bool{}
	ids := map[string]bool{}
	for p := range s.Expected() {
		b := p.Bytes()
		if !json.Valid(b) {
			t.Fatalf("not valid: %.2000s", b)
		}
		sizes = append(sizes, len(b))
		services[*p.AppID] = true
		if ids[*p.ID] {
			t.Fatalf("_id %s twice", *p.ID)
		}
		ids[*p.ID] = true
	}
	slices.Sort(sizes)
	n := len(sizes)
	if n < 19500 || n > 20000 {
		t.Errorf("%d of 20000 records visible", n)
	}
	sum := 0
	for _, s := range sizes {
		sum += s
	}
	t.Logf("min %d median %d mean %d p99 %d max %d, %d services", sizes[0], sizes[n/2], sum/n, sizes[n*99/100], sizes[n-1], len(services))
	if m := sizes[n/2]; m < 3000 || m > 5000 {
		t.Errorf("median size %d, want 3000 to 5000", m)
	}
	if sizes[n-1] < 100_000 {
		t.Errorf("largest record has %d bytes, want some beyond 100,000", sizes[n-1])
	}
	if sizes[n*995/1000] > 100_000 {
		t.Errorf("more than 5 in 1000 records are beyond 100,000 bytes")
	}
	if len(services) < 12 {
		t.Errorf("%d services, want at least 12", len(services))
	}
}

func BenchmarkBodies(b *testing.B) {
	s := newSim(b, simulator.Options{Seed: 3, Count: 20000})
	b.ReportAllocs()
	var buf []byte
	var size int64
	for b.Loop() {
		size = 0
		for p := range s.Expected() {
			buf = p.AppendTo(buf[:0])
			size += int64(len(buf))
		}
	}
	b.SetBytes(size)
}
