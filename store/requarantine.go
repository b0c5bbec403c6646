package store

import (
	"context"
	"crypto/sha256"
	"time"
)

// A record is quarantined because the decoder of that day could not lift it. A
// better one lifts it later: then it becomes a row and leaves the quarantine, in
// one commit.

// Retried is what a look at the quarantine with the present decoder found.
type Retried struct {
	Lifted map[string]int64 // records that can be lifted now, by the reason why they could not
	Stayed int64            // records that still cannot
}

// Count is how many records can be lifted now.
func (r *Retried) Count() (n int64) {
	for _, k := range r.Lifted {
		n += k
	}
	return n
}

// QuarantineRow is a record of the table quarantine.
type QuarantineRow struct {
	Quarantined
	RunID     string
	FirstSeen time.Time
	LastSeen  time.Time
	TimesSeen int64
}

// ReadQuarantine reads the quarantine in the order in which it was written.
func (l *Lake) ReadQuarantine(ctx context.Context, each func(*QuarantineRow) error) error {
	for _, f := range l.snapshot.Quarantine {
		var failed error
		err := readQuarantine(ctx, l.layout.path(f.Path), func(q *quarantineRow) error {
			seen := l.snapshot.Seen[sha256Hex(q.Bytes)]
			r := &QuarantineRow{Quarantined: q.Quarantined, RunID: q.runID, FirstSeen: time.UnixMilli(q.firstSeen).UTC(), TimesSeen: 1 + seen.Times}
			r.LastSeen = r.FirstSeen
			if seen.LastSeen.After(r.LastSeen) {
				r.LastSeen = seen.LastSeen
			}
			failed = each(r)
			return failed
		})
		if failed != nil {
			return failed
		}
		if err != nil {
			return &LakeError{Op: "read quarantine", Path: l.layout.root, Err: readFault(ctx, f.Path, err)}
		}
	}
	return nil
}

// Requarantine lifts the quarantined records again. Those that lift are added to
// the batch, with the run's id and no page, and leave the quarantine with the
// next Commit; the rest stays as it is. lift fills the row from the record's
// bytes, or answers why it cannot. more says that the batch is full: Commit, and
// call it again. An error that is not lift's ends the run.
func (a *Append) Requarantine(ctx context.Context, lift func(record []byte, row *Row) error) (r Retried, more bool, err error) {
	r.Lifted = map[string]int64{}
	for _, f := range sortedFiles(a.w.state.quarantine) {
		if a.Full() {
			return r, true, nil
		}
		if err := a.requarantine(ctx, f, lift, &r); err != nil {
			return r, false, a.fail(err)
		}
	}
	return r, false, nil
}

// requarantine looks at one file again. It is small: see sideBytes.
func (a *Append) requarantine(ctx context.Context, f File, lift func(record []byte, row *Row) error, r *Retried) error {
	var stay []quarantineRow
	var row Row
	var failed error
	before := r.Count()
	err := readQuarantine(ctx, a.w.layout.path(f.Path), func(q *quarantineRow) error {
		if lift(q.Bytes, &row) != nil || !a.takesTenant(&row) {
			stay = append(stay, *q)
			return nil
		}
		row.Page = 0 // no request of this run brought it
		if failed = a.Add(ctx, &row); failed == nil {
			r.Lifted[q.Reason]++
			a.released(q.Bytes)
		}
		return failed
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return readFault(ctx, f.Path, err)
	}
	r.Stayed += int64(len(stay))
	if r.Count() == before {
		return nil
	}
	if err := a.prepare(); err != nil {
		return err
	}
	a.tx.removeSide(f.Path)
	if len(stay) == 0 {
		return nil
	}
	return a.tx.writeQuarantine(stay)
}

// released notes bytes that leave the quarantine.
func (a *Append) released(record []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batch.released[sha256.Sum256(record)] = true
}

// takesTenant says whether the lake takes rows of this row's tenant.
func (a *Append) takesTenant(r *Row) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.checkTenant(r) == nil
}
