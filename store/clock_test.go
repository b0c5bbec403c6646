package store_test

import (
	"testing"
	"time"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

// A clock that is set back, or stands, changes nothing: every commit's value
// of `ingested` is larger than the one before, and so the order of payloads,
// where created does not decide it, is that of their arrival.
func TestAClockThatIsSetBackChangesNoOrder(t *testing.T) {
	dir := storetest.Dir(t)
	first := few(0, 1)[0]
	first.Created = 0
	var last int64
	for i, clock := range []int64{base, base - 365*24*3600*1000, base - 1, base, base, base + 1} {
		r := revised(first, int64(i))
		r.Created = 0
		storetest.Ingest(t, dir, store.WriterOptions{Clock: func() time.Time { return time.UnixMilli(clock) }}, r)
		l, err := store.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		ingested := l.Snapshot().Ingested
		l.Close()
		if ingested <= last {
			t.Errorf("commit %d: ingested is %d, not later than %d", i, ingested, last)
		}
		last = ingested
		if have, revisions := storetest.Rows(t, dir); len(have[r.ID]) != 1 || have[r.ID][0] != string(r.Bytes()) || len(revisions[r.ID]) != i {
			t.Errorf("commit %d: current is %q, with %d revisions; want the latest", i, have[r.ID], len(revisions[r.ID]))
		}
	}
}
