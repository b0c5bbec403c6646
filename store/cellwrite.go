package store

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// From waiting rows to files that are whole on the disk. They are part of the
// lake only with the commit.

// writeCell judges a cell's rows and writes those that are new. Files that
// hold a row that is no longer current are written again without it. name is
// what was reserved for the new file; empty: nothing was.
func (a *Append) writeCell(ctx context.Context, p Partition, t taken, name string) error {
	// Waiting rows, ids and Parquet writers cost memory, so only a few cells are
	// here at a time; the last step, waiting for the disk, is none of that.
	a.encoders <- struct{}{}
	leave := sync.OnceFunc(func() {
		t.back.close()
		<-a.encoders
	})
	defer leave()
	if err := a.makeRoom(); err != nil {
		return err
	}
	if err := a.spill.load(&t); err != nil {
		return err
	}
	t.sort()
	idx := a.cellIndex(p)
	if err := a.setAside(ctx, p, idx, &t); err != nil {
		return err
	}
	v, err := a.judge(ctx, idx, &t)
	if err != nil {
		return err
	}
	for _, fileNo := range slices.Sorted(maps.Keys(v.replaced)) {
		if err := a.tx.rewrite(ctx, idx.files[fileNo], v.replaced[fileNo]); err != nil {
			return err
		}
	}
	path, err := a.writeNewRows(p, &t, v, name, leave)
	if err != nil {
		return err
	}
	if len(v.replaced) == 0 && len(v.dropped) == 0 { // else places have moved
		idx.settle(path)
		a.dedupe.keep(p, idx)
	}
	return a.carryOut(&v.outcome)
}

// carryOut counts what was decided and writes the revisions that came of it,
// if there are enough for a file.
func (a *Append) carryOut(o *outcome) error {
	var full []revisionRow
	a.mu.Lock()
	a.run.Added += o.added
	a.run.Duplicates += o.duplicates
	a.run.Revisions += o.revised
	for _, r := range o.revisions {
		full = append(full, a.batch.revisions.add(a.limits().side, len(r.encoded), r)...)
	}
	a.mu.Unlock()
	return a.writeRevisions(full)
}

// sideRows are rows of a side table that wait for their file.
type sideRows[T any] struct {
	rows  []T
	bytes int
}

// add takes a row and answers all that wait when there are enough for a file.
func (s *sideRows[T]) add(limit, size int, row T) []T {
	s.rows = append(s.rows, row)
	if s.bytes += size; s.bytes < limit {
		return nil
	}
	return s.take()
}

func (s *sideRows[T]) take() []T {
	rows := s.rows
	s.rows, s.bytes = nil, 0
	return rows
}

// settle gives the rows that waited their place in the file just written.
func (idx *cellIndex) settle(path string) {
	if path == "" {
		return
	}
	file := int32(len(idx.files))
	idx.files = append(idx.files, path)
	for key, k := range idx.rows {
		if k.file == inBatch {
			k.file = file
			idx.rows[key] = k
		}
	}
}

func (a *Append) writeNewRows(p Partition, t *taken, v *verdict, name string, leave func()) (string, error) {
	if len(v.keep) == len(v.dropped) {
		return "", nil
	}
	if name == "" {
		var err error
		if name, err = a.tx.reserveOne(a.tx.dataName(p)); err != nil {
			return "", err
		}
	}
	f, err := a.tx.newData(p, name, quick)
	if err != nil {
		return "", err
	}
	var row Row
	for i, w := range v.keep {
		if v.dropped[i] {
			continue
		}
		if err := t.decode(w, &row); err != nil {
			return "", f.abandon(err)
		}
		row.Ingested, row.RunID = a.ingested, a.run.RunID
		if err := a.w.values.add(&row); err != nil {
			return "", f.abandon(err)
		}
		if err := f.table.append(&row, nil); err != nil {
			return "", f.abandon(err)
		}
	}
	if err := f.table.close(); err != nil {
		return "", f.abandon(err)
	}
	leave()
	*t = taken{}
	return f.path, a.tx.finish(f)
}

// writeRevisions writes a file of payloads that are not current.
func (a *Append) writeRevisions(rows []revisionRow) error {
	if len(rows) == 0 {
		return nil
	}
	name, err := a.tx.reserveOne(a.tx.sideName(revisionsDir))
	if err != nil {
		return err
	}
	f, err := a.tx.newTable(name, RevisionColumns, true, quick)
	if err != nil {
		return err
	}
	var row Row
	for i := range rows {
		rev := &rows[i]
		if _, err := decodeRow(rev.encoded, &row); err != nil {
			return f.abandon(err)
		}
		row.Ingested, row.RunID = rev.ingested, rev.runID
		if err := f.table.append(&row, &rev.by); err != nil {
			return f.abandon(err)
		}
	}
	if err := f.table.close(); err != nil {
		return f.abandon(err)
	}
	return a.tx.finishSide(f, f.table.rows, f.table.stats)
}

// writeQuarantine writes a file of new records that could not be lifted.
func (a *Append) writeQuarantine(rows []Quarantined) error {
	if len(rows) == 0 {
		return nil
	}
	if err := a.prepare(); err != nil {
		return err
	}
	return a.tx.writeQuarantine(firstSeen(rows, a.run.RunID, a.ingested))
}
