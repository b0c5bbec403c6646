package hunts

import (
	"fmt"
	"time"

	"mdcalake/store"
)

// leastBaseline is the least that says anything: Microsoft's own engine learns
// for 7 days before it alerts
// (learn.microsoft.com/defender-cloud-apps/anomaly-detection-policy).
const leastBaseline = 7 * 24 * time.Hour

// Baseline is the part of the time before the window that was collected, as far
// as a hunt's baseline goes.
type Baseline struct {
	Wanted, Covered time.Duration
	// Why tells what ended it.
	Why string
}

// BaselineOf looks up in the ledger how much of the wanted time before since was
// collected. What was asked for of one service alone
// ends where that service has a hole.
func BaselineOf(s *store.Snapshot, since time.Time, wanted time.Duration) Baseline {
	b := Baseline{Wanted: wanted, Covered: wanted}
	from := since.Add(-wanted)
	for _, h := range s.Holes(s.CoverageByService(from, since)) {
		end := h.Until
		if end.IsZero() || end.After(since) {
			end = since
		}
		if covered := since.Sub(end); covered < b.Covered {
			b.Covered, b.Why = max(covered, 0), h.State
			if h.Reason != "" {
				b.Why += " (" + h.Reason + ")"
			}
			if h.Service != nil {
				b.Why += fmt.Sprintf(", service %d", *h.Service)
			}
		}
	}
	if len(s.Coverage) == 0 && wanted > 0 {
		b.Covered, b.Why = 0, store.NeverAsked
	}
	return b
}

// Whole says that all of it was collected.
func (b Baseline) Whole() bool { return b.Covered >= b.Wanted }

// Enough says that the hunt may compare with it.
func (b Baseline) Enough() bool { return b.Covered >= min(b.Wanted, leastBaseline) }

// String is as in "23 of 90 days".
func (b Baseline) String() string {
	return fmt.Sprintf("%s of %s days", days(b.Covered), days(b.Wanted))
}

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprint(int(d / (24 * time.Hour)))
	}
	return fmt.Sprintf("%.1f", d.Hours()/24)
}
