package ingest_test

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// harvest scans all that the simulator holds and compares the set of payloads
// with the truth. Pages that come twice are the store's business, so it is a set.
func harvest(t *testing.T, o simulator.Options, limit int, change ...func(*ingest.ClientOptions)) (missing, foreign int, pages int64, err error) {
	t.Helper()
	clock := ingest.NewManualClock(start)
	o.Clock, o.Token = clock.Now, canary
	srv, e := simulator.Start(o)
	if e != nil {
		t.Fatal(e)
	}
	defer srv.Close()
	b := client(t, srv.URL, append([]func(*ingest.ClientOptions){func(o *ingest.ClientOptions) {
		o.Clock, o.Timeouts.Stall = clock, 100*time.Millisecond
	}}, change...)...)
	since, until := srv.Span()
	w := ingest.Window{Since: since, Until: until}

	want := map[[32]byte]bool{}
	for p := range srv.ExpectedBetween(since, until) {
		want[sha256.Sum256(p.Bytes())] = false
	}
	for p, e := range b.Scan(t.Context(), w, ingest.ScanOptions{Limit: ingest.NewPageSize(limit)}).All() {
		if e != nil {
			noCanary(t, e)
			err = e
			break
		}
		pages++
		for _, r := range p.Records {
			hash := sha256.Sum256(r)
			if _, ok := want[hash]; !ok {
				foreign++
				continue
			}
			want[hash] = true
		}
	}
	for _, got := range want {
		if !got {
			missing++
		}
	}
	return missing, foreign, pages, err
}

func TestEveryRecordOfTheSimulatorArrives(t *testing.T) {
	base := simulator.Options{Seed: 7, Start: start.AddDate(0, 0, -2), End: start.Add(-time.Hour), Count: 300}
	for name, change := range map[string]func(o *simulator.Options){
		"nothing wrong":     func(*simulator.Options) {},
		"odd records":       func(o *simulator.Options) { o.Revisions, o.BadRecords, o.Huge, o.HugeBytes = 0.05, 0.05, 0.01, 100_000 },
		"fixed tail":        func(o *simulator.Options) { o.Cursor.DropTail = 3 },
		"opaque cursor":     func(o *simulator.Options) { o.Cursor.RequireExtra = true },
		"a pile":            func(o *simulator.Options) { o.Pile.Size = 150 },
		"throttled":         func(o *simulator.Options) { o.RatePerMinute = 5 },
		"throttled in text": func(o *simulator.Options) { o.RatePerMinute = 5; o.Throttle.NoRetryAfter = true },
		"nested throttling": func(o *simulator.Options) {
			o.RatePerMinute, o.Throttle = 5, simulator.Throttle{NoRetryAfter: true, Body: simulator.ThrottleNested}
		},
		"throttled without a word": func(o *simulator.Options) {
			o.RatePerMinute, o.Throttle = 5, simulator.Throttle{NoRetryAfter: true, Body: simulator.ThrottleEmpty}
		},
		"wrong total": func(o *simulator.Options) { o.Paging.WrongTotal = true },
	} {
		t.Run(name, func(t *testing.T) {
			o := base
			change(&o)
			missing, _, pages, err := harvest(t, o, 50)
			if err != nil || missing > 0 || pages < 3 {
				t.Errorf("%d missing on %d pages: %v", missing, pages, err)
			}
		})
	}
	for _, kind := range simulator.FaultKinds {
		final := map[simulator.FaultKind]bool{
			simulator.FaultStatus400: true, simulator.FaultStatus401: true, simulator.FaultStatus403: true,
			simulator.FaultStatus404: true, simulator.FaultRedirect: true, simulator.FaultRedirect307: true,
		}
		// A page that lies well cannot be told from the truth here; the Run
		// reads windows again later for that.
		lies := kind == simulator.FaultEarlyEnd
		t.Run(string(kind), func(t *testing.T) {
			o := base
			o.Faults = []simulator.Fault{{Kind: kind, Request: 3, Times: 2}}
			missing, _, _, err := harvest(t, o, 50)
			if final[kind] != (err != nil) {
				t.Fatal(err)
			}
			if missing > 0 && !lies && err == nil {
				t.Errorf("%d missing", missing)
			}
		})
	}
}

func TestAMillisecondThatFillsAPageIsUnpageable(t *testing.T) {
	o := simulator.Options{Seed: 7, Start: start.AddDate(0, 0, -2), End: start.Add(-time.Hour), Count: 1000}
	o.Pile.Size, o.Cursor.StandStill = 300, true
	_, _, _, err := harvest(t, o, 100)
	var stalled *ingest.StalledError
	if !errors.As(err, &stalled) {
		t.Error(err)
	}
}
