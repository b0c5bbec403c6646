package store

import (
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"mdcalake/store/parquetfile"
)

// Files of `quarantine`: the few columns of records that could not be lifted.

// quarantineRow is a row of such a file: the record, and who saw it first.
type quarantineRow struct {
	Quarantined
	runID     string
	firstSeen int64 // ms
}

// firstSeen are the rows of records that a commit sees for the first time.
func firstSeen(records []Quarantined, runID string, ingested int64) []quarantineRow {
	rows := make([]quarantineRow, len(records))
	for i, q := range records {
		rows[i] = quarantineRow{q, runID, ingested}
	}
	return rows
}

// storedQuarantine are the columns that are in the files.
var storedQuarantine = QuarantineColumns[:len(QuarantineColumns)-2]

// quarantineWriter writes one file.
type quarantineWriter struct {
	sink  *hashingWriter
	kind  *fileKind
	w     *parquetfile.Writer
	bytes int // of the row group under way
	rows  int64
}

func newQuarantineWriter(sink *hashingWriter) (*quarantineWriter, error) {
	kind, err := kindOfFile(storedQuarantine, false)
	if err != nil {
		return nil, err
	}
	w, err := kind.writer(quick)
	if err != nil {
		return nil, err
	}
	return &quarantineWriter{sink: sink, kind: kind, w: w}, w.Begin(sink)
}

func (q *quarantineWriter) append(r *quarantineRow) error {
	leaves := q.w.Leaves
	leaves[0].Bytes(0, r.Bytes)
	leaves[1].Text(0, sha256Hex(r.Bytes))
	leaves[2].Text(0, r.Reason)
	leaves[3].Text(0, r.runID)
	number(&leaves[4], int64(r.Page), r.Page != 0)
	number(&leaves[5], int64(r.Position), true)
	leaves[6].Int(0, r.firstSeen*1000)
	q.w.EndRow()
	q.rows++
	if q.bytes += len(r.Bytes); q.bytes >= sideBytes {
		q.bytes = 0
		return q.w.EndGroup()
	}
	return nil
}

// close ends the file: everything is in the writer below when it returns.
func (q *quarantineWriter) close() error {
	if err := q.w.Close(createdBy, nil); err != nil {
		return err
	}
	q.kind.giveBack(quick, q.w)
	q.w = nil
	return q.sink.finish()
}

// writeQuarantineFile writes a whole file.
func writeQuarantineFile(sink *hashingWriter, rows []quarantineRow) error {
	w, err := newQuarantineWriter(sink)
	if err != nil {
		return err
	}
	for i := range rows {
		if err := w.append(&rows[i]); err != nil {
			return err
		}
	}
	return w.close()
}

// writeQuarantine writes a file of the change.
func (t *transaction) writeQuarantine(rows []quarantineRow) error {
	name, err := t.reserveOne(t.sideName(quarantineDir))
	if err != nil {
		return err
	}
	f, err := t.newFile(name)
	if err != nil {
		return err
	}
	f.sink = newHashingWriter(f.f)
	if err := writeQuarantineFile(f.sink, rows); err != nil {
		return f.abandon(err)
	}
	return t.finishSide(f, int64(len(rows)), emptyStats())
}

// readQuarantine reads the rows of a file; they may be kept.
func readQuarantine(ctx context.Context, path string, each func(*quarantineRow) error) error {
	names := []string{"bytes", "reason", "run_id", "page", "position", "first_seen"}
	return readColumns(ctx, path, names, func(b arrow.RecordBatch) error {
		data, ok1 := b.Column(0).(*array.Binary)
		reason, ok2 := b.Column(1).(*array.String)
		run, ok3 := b.Column(2).(*array.String)
		page, ok4 := b.Column(3).(*array.Int32)
		position, ok5 := b.Column(4).(*array.Int32)
		first, ok6 := b.Column(5).(*array.Timestamp)
		if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 {
			return errOtherTypes
		}
		for i := range int(b.NumRows()) {
			r := &quarantineRow{
				Quarantined: Quarantined{
					Bytes:  append([]byte{}, data.Value(i)...),
					Reason: strings.Clone(reason.Value(i)),
				},
				runID:     strings.Clone(run.Value(i)),
				firstSeen: int64(first.Value(i)) / 1000,
			}
			if page.IsValid(i) {
				r.Page = page.Value(i)
			}
			if position.IsValid(i) {
				r.Position = position.Value(i)
			}
			if err := each(r); err != nil {
				return err
			}
		}
		return nil
	})
}
