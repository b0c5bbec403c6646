package simulator_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"mdcalake/ingest/simulator"
)

func TestBrokenText(t *testing.T) {
	o := simulator.Options{Seed: 3, Count: 1500, BrokenText: 0.1}
	s := newSim(t, o)
	notUTF8, surrogates, repeated := 0, 0, 0
	for p := range s.Expected() {
		b := p.Bytes()
		if !json.Valid(b) {
			t.Fatalf("the grammar is broken too: %.500s", b)
		}
		if !utf8.Valid(b) {
			notUTF8++
		}
		if bytes.Contains(b, []byte(`half \ud83d and \udc00`)) {
			surrogates++
		}
		if bytes.Count(b, []byte(`,"timestamp":`)) == 2 {
			repeated++
			if facet(t, b, "timestamp") != *p.Timestamp || bytes.Count(b, []byte(`"appName":`)) != 2 {
				t.Fatalf("the first timestamp is not the true one: %.500s", b)
			}
		}
	}
	for name, n := range map[string]int{"invalid UTF-8": notUTF8, "surrogates": surrogates, "repeated keys": repeated} {
		if n < 25 || n > 90 {
			t.Errorf("%d of 1500 records have %s, want about 50", n, name)
		}
	}
	got, _ := client{t: t, s: s}.scan(`{}`, `,"limit":100`, 200)
	sameSet(t, got, truth(s))
	o.BrokenText = 0
	if plain := ndjson(t, newSim(t, o), time.Time{}, time.Time{}); !utf8.Valid(plain) {
		t.Error("without the switch there is broken text too")
	}
}

// A page of 20 MB records, and numbers that no float holds, come through.
func TestRecordsOfTwentyMegabytes(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 3, Count: 3, Services: []int64{20893}, Huge: 1, HugeBytes: 20 << 20})
	a := client{t: t, s: s}.post(`{"isScan":true}`)
	if len(a.Data) == 0 {
		t.Fatal("no records")
	}
	for _, b := range a.Data {
		if len(b) < 20<<20 {
			t.Errorf("a record of %d bytes", len(b))
		}
	}
}
