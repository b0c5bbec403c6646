package store

import (
	"context"

	"mdcalake/store/delta"
)

// Small limits, so that a few rows meet all of them.
func (o WriterOptions) WithLimits(buffer int, idleRows, fileRaw int64, side int) WriterOptions {
	o.limits = limits{buffer: buffer, idleRows: idleRows, fileRaw: fileRaw, side: side, contested: min(buffer, 1), piece: min(buffer, 1)}
	return o
}

// WriteWaiting writes what waits as a commit does, and does not commit.
func (a *Append) WriteWaiting(ctx context.Context) error {
	if err := a.prepare(); err != nil {
		return err
	}
	return a.drain(ctx)
}

// KeptKeys is how many rows the indexes hold that are kept between batches, by
// the count and in truth.
func (a *Append) KeptKeys() (count, truth int) {
	for _, idx := range a.dedupe.cells {
		truth += len(idx.rows)
	}
	return a.dedupe.kept, truth
}

// Canonical is the canonical text of a record.
func Canonical(raw []byte) ([]byte, error) { return canonical(raw) }

// Storage is a log directory of a lake.
func Storage(dir string) (delta.Storage, error) {
	l, err := newLayout(dir)
	return logDir{fs: osFS{}, layout: l}, err
}

// StorageOn is a log directory of a lake on a disk of the test's.
func StorageOn(dir string, fs FS) (delta.Storage, error) {
	l, err := newLayout(dir)
	return logDir{fs: fs, layout: l}, err
}

// RewriteRows writes a data file anew, its rows changed on the way, and
// answers its size, hash and statistics for a log entry.
func RewriteRows(path string, out string, change func(*Row)) (size int64, hash, stats string, err error) {
	f, err := osFS{}.Create(out, 0o600)
	if err != nil {
		return 0, "", "", err
	}
	defer f.Close()
	t, err := newTableWriter(f, Columns, false, "test")
	if err != nil {
		return 0, "", "", err
	}
	err = readRows(context.Background(), path, func(r *Row, _ int64) error {
		change(r)
		err := t.append(r, nil)
		r.Text = nil
		return err
	})
	if err == nil {
		err = t.close()
	}
	if err != nil {
		return 0, "", "", err
	}
	stats, err = t.stats.encode(t.rows)
	return t.sink.size, t.sink.hex(), stats, err
}

// WriteRows writes rows as a data file of activities.
func WriteRows(out string, rows []*Row) error {
	f, err := osFS{}.Create(out, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	t, err := newTableWriter(f, Columns, false, "test")
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := t.append(r, nil); err != nil {
			return err
		}
	}
	return t.close()
}

// EncodeDecode sends a row through the form in which it waits.
func EncodeDecode(r *Row, into *Row) error {
	_, err := decodeRow(appendRow(nil, r), into)
	return err
}

// Differs is what verify compares rows with.
func Differs(a, b *Row) string { return differs(a, b) }
