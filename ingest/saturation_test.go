package ingest_test

import (
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// A big tenant's page takes 8 s. One window after the other would use a quarter
// of the rate: windows side by side use all of it.
func TestTheRateIsKeptBusy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBubble(t, simulator.Options{Seed: 5, Start: now.AddDate(0, 0, -20), End: now.AddDate(0, 0, -1), Count: 3000, RatePerMinute: 30})
		b.took, b.rate = 8*time.Second, 28
		began := time.Now()
		s, err := b.run(t.Context(), now.AddDate(0, 0, -20), func(o *ingest.Options) { o.PageSize = 10; o.Until = now.AddDate(0, 0, -1) })
		if err != nil || s.Run.Outcome != "complete" {
			t.Fatal(err, s)
		}
		truth(t, b.dir, b.sim.Expected())
		stats := b.sim.Stats()
		forced := time.Duration(float64(stats.Requests) / 28 * float64(time.Minute))
		took := time.Since(began)
		t.Logf("%d requests in %v, the rate forces %v; %d windows, %d at a time", stats.Requests, took, forced, s.Windows, b.most)
		if took > forced*100/95 || stats.Throttled > 0 {
			t.Errorf("%d requests took %v, the rate forces %v", stats.Requests, took, forced)
		}
		if least := (3000 + 9) / 10; stats.Requests > least*105/100+2*s.Windows {
			t.Errorf("%d requests for %d pages and %d windows", stats.Requests, least, s.Windows)
		}
	})
}
