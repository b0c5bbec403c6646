package ingest

import (
	"context"
	"errors"
	"math"
	"sync"

	"mdcalake/store"
)

// From records to rows of the lake, on as many processors as are given. What
// cannot be lifted is quarantined with its bytes; the rest goes on.

// worker turns records into rows. Each goroutine needs one of its own.
type worker struct {
	decoder *Decoder
	row     store.Row
}

func newWorker() *worker { return &worker{decoder: NewDecoder()} }

// lift puts one record into the batch. The row it made stays in w.row when
// the answer is true.
func (w *worker) lift(ctx context.Context, a *store.Append, record []byte, page, position int32) (lifted bool, err error) {
	var unusable *Unusable
	err = w.decoder.Decode(record, &w.row)
	if errors.As(err, &unusable) {
		return false, a.Quarantine(ctx, store.Quarantined{Bytes: record, Reason: unusable.Reason, Page: page, Position: position})
	}
	if err != nil {
		return false, err
	}
	w.row.Page = page
	return true, a.Add(ctx, &w.row)
}

// tally is what a batch of records showed beside going into the lake.
type tally struct {
	last    int64 // greatest timestamp in ms
	outside int64 // of the window that was asked for
}

// liftPage lifts a page's records with all workers. In the steady state
// nothing is allocated but by the store.
func liftPage(ctx context.Context, a *store.Append, workers []*worker, records [][]byte, page int32, asked Window) (tally, error) {
	since, until := ceilMillis(asked.Since), ceilMillis(asked.Until)
	tallies := make([]tally, len(workers))
	errs := make([]error, len(workers))
	share := (len(records) + len(workers) - 1) / len(workers)
	var wg sync.WaitGroup
	for n, w := range workers {
		from, to := min(n*share, len(records)), min((n+1)*share, len(records))
		t := &tallies[n]
		t.last = math.MinInt64
		work := func() {
			for i := from; i < to; i++ {
				lifted, err := w.lift(ctx, a, records[i], page, int32(i))
				if err != nil {
					errs[n] = err
					return
				}
				if lifted {
					t.see(w.row.Numbers[store.Timestamp], since, until)
				}
			}
		}
		if n == len(workers)-1 {
			work()
			break
		}
		wg.Add(1)
		go func() { defer wg.Done(); work() }()
	}
	wg.Wait()
	total := tallies[0]
	for _, t := range tallies[1:] {
		total.last, total.outside = max(total.last, t.last), total.outside+t.outside
	}
	return total, errors.Join(errs...)
}

func (t *tally) see(ms, since, until int64) {
	t.last = max(t.last, ms)
	if ms < since || ms >= until {
		t.outside++
	}
}
