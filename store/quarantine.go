package store

import (
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
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

// quarantineWriter writes one file. The bytes of a row must stay as they are
// until its row group ends.
type quarantineWriter struct {
	sink   *hashingWriter
	w      *file.Writer
	leaves []leaf
	bytes  int // that wait in the leaves
	rows   int64
}

func newQuarantineWriter(sink *hashingWriter) (*quarantineWriter, error) {
	root, _, err := fileSchema(storedQuarantine, false)
	if err != nil {
		return nil, err
	}
	// No statistics and no dictionaries: bad bytes are of any length, and there
	// are few of them.
	w, err := file.NewParquetWriterWithError(sink, root, file.WithWriterProps(parquet.NewWriterProperties(
		parquet.WithCreatedBy("mdcalake"), parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(quick.level),
		parquet.WithDictionaryDefault(false), parquet.WithStats(false))))
	return &quarantineWriter{sink: sink, w: w, leaves: make([]leaf, root.NumFields())}, err
}

func (q *quarantineWriter) append(r *quarantineRow) error {
	q.leaves[0].text(r.Bytes, false, true)
	q.leaves[1].text([]byte(sha256Hex(r.Bytes)), false, true)
	q.leaves[2].text([]byte(r.Reason), false, true)
	q.leaves[3].text([]byte(r.runID), false, true)
	q.leaves[4].integer(r.Page, r.Page != 0)
	q.leaves[5].integer(r.Position, true)
	q.leaves[6].long(r.firstSeen*1000, true, true)
	q.rows++
	if q.bytes += len(r.Bytes); q.bytes >= sideBytes {
		return q.closeGroup()
	}
	return nil
}

func (q *quarantineWriter) closeGroup() error {
	group, err := q.w.AppendBufferedRowGroupChecked()
	if err != nil {
		return err
	}
	if err := writeLeaves(group, q.leaves); err != nil {
		return err
	}
	q.bytes = 0
	return group.Close()
}

// close ends the file: everything is in the writer below when it returns.
func (q *quarantineWriter) close() error {
	if len(q.leaves[0].bytes) > 0 {
		if err := q.closeGroup(); err != nil {
			return err
		}
	}
	if err := q.w.Close(); err != nil {
		return err
	}
	return q.sink.Flush()
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
