package ingest

import (
	"context"
	"errors"
	"sync"

	"github.com/zeebo/xxh3"

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
	if err := w.decoder.Decode(record, &w.row); err != nil {
		var unusable *Unusable
		if errors.As(err, &unusable) {
			err = a.Quarantine(ctx, store.Quarantined{Bytes: record, Reason: unusable.Reason, Page: page, Position: position})
		}
		return false, err
	}
	w.row.Page = page
	return true, a.Add(ctx, &w.row)
}

// tally is what a page's records showed beside going into the lake.
type tally struct {
	inside      int   // records of the window
	outside     int64 // and not of it
	timeless    int   // of it, without the time that the scan runs along
	first, last int64 // least and greatest time of those inside, in ms, along the scan
	disorder    bool  // they do not ascend
	saved       []savedRow
}

// savedRow is when a record was saved, and what tells its payload from others.
type savedRow struct{ created, hash int64 }

// liftPage lifts a page's records with all workers. In the steady state
// nothing is allocated but by the store, and for the tail.
func liftPage(ctx context.Context, a *store.Append, workers []*worker, records [][]byte, page int32, asked Window, tail bool) (tally, error) {
	tallies := make([]tally, len(workers))
	errs := make([]error, len(workers))
	share := (len(records) + len(workers) - 1) / len(workers)
	var wg sync.WaitGroup
	for n, w := range workers {
		from, to := min(n*share, len(records)), min((n+1)*share, len(records))
		t := &tallies[n]
		work := func() {
			for i := from; i < to; i++ {
				lifted, err := w.lift(ctx, a, records[i], page, int32(i))
				if err != nil {
					errs[n] = err
					return
				}
				if lifted {
					t.see(&w.row, &asked, tail)
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
	for i := range tallies[1:] {
		total.add(&tallies[1+i])
	}
	return total, errors.Join(errs...)
}

// see counts a row in.
func (t *tally) see(r *store.Row, asked *Window, tail bool) {
	number := func(column int) *int64 {
		if !r.HasNumber(column) {
			return nil
		}
		return &r.Numbers[column]
	}
	created := number(store.Created)
	if !asked.holds(r.Numbers[store.Timestamp], created, number(store.AppID)) {
		t.outside++
		return
	}
	if tail && created != nil {
		t.saved = append(t.saved, savedRow{*created, int64(xxh3.Hash(r.Verbatim()))})
	}
	along := r.Numbers[store.Timestamp]
	if asked.sortField() == SortCreated {
		if created == nil {
			t.timeless++ // it has no place in the order
			return
		}
		along = *created
	}
	if t.inside == 0 {
		t.first, t.last = along, along
	}
	t.inside++
	t.disorder = t.disorder || along < t.last
	t.first, t.last = min(t.first, along), max(t.last, along)
}

// add joins the tally of the records behind.
func (t *tally) add(o *tally) {
	t.outside += o.outside
	t.timeless += o.timeless
	t.saved = append(t.saved, o.saved...)
	switch {
	case o.inside == 0:
		return
	case t.inside == 0:
		t.first, t.last, t.disorder = o.first, o.last, o.disorder
	default:
		t.disorder = t.disorder || o.disorder || o.first < t.last
		t.first, t.last = min(t.first, o.first), max(t.last, o.last)
	}
	t.inside += o.inside
}
