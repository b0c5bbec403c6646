package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Which of these records does the lake have already, and which are revisions?
//
// A payload that is in `activities` or in `revisions` is a duplicate: same
// content_hash, or the same record spelled otherwise. Of two payloads of one
// _id the order (created, NULL lowest; then ingested; then content_hash)
// decides which is current; the other one goes to `revisions`.
//
// The question is asked cell by cell, when the cell's rows are about to be
// written. The cell's files are read only if the value index, or the batch
// itself, says that one of the ids may stand in them: most records are new, and
// then no file is opened, however many the cell has. Rows whose id may
// stand in another cell wait until all others are written (settle.go). Ids are
// keyed by a hash whose seed is the process's own, so that nobody can choose
// ids that collide; and where it matters, the ids themselves are compared.

// indexedRows bounds the rows whose keys are kept between batches, about 30
// bytes each. Of a cell that has more, only the keys that are asked for are read.
const indexedRows = 400_000

// knownRow is what dedupe keeps of a row of the cell.
type knownRow struct {
	hash int64 // content_hash
	file int32 // in cellIndex.files; inBatch: a row that waits
	row  int32
}

const inBatch = -1

// cellIndex are the rows of one cell by the hash of their id; of one that is in
// part, those that were asked for, or none yet.
type cellIndex struct {
	files  []string
	rows   map[uint64]knownRow
	inPart bool
}

type dedupe struct {
	w *Writer

	mu    sync.Mutex
	files map[Partition][]string // committed ones
	cells map[Partition]*cellIndex
	kept  int // rows in cells

	past pastPayloads
	bad  map[[32]byte]bool // quarantined bytes; nil: not read yet
}

// revisionRow is a payload on its way to `revisions`.
type revisionRow struct {
	encoded  []byte
	ingested int64
	runID    string
	by       replacement
}

func (d *dedupe) reset(w *Writer) {
	*d = dedupe{w: w, files: map[Partition][]string{}, cells: map[Partition]*cellIndex{}, past: newPastPayloads()}
	for path, f := range w.state.files {
		d.files[f.Partition] = append(d.files[f.Partition], path)
	}
}

// committed takes over what a commit changed.
func (d *dedupe) committed(c change, bad, released map[[32]byte]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, f := range c.removes {
		d.files[f.Partition] = slices.DeleteFunc(d.files[f.Partition], func(p string) bool { return p == path })
	}
	for path, f := range c.adds {
		d.files[f.partition] = append(d.files[f.partition], path)
	}
	if d.bad != nil {
		maps.DeleteFunc(d.bad, func(sum [32]byte, _ bool) bool { return released[sum] })
		maps.Copy(d.bad, bad)
	}
	d.past = newPastPayloads() // the value index knows them now
}

// dedupeSeed is the process's own.
var dedupeSeed = maphash.MakeSeed()

func dedupeKey(id []byte) uint64 { return maphash.Bytes(dedupeSeed, id) }

// cellIndex answers the index of a cell: of its committed files, with what the
// batch under way has added and replaced. It is the caller's alone until keep
// takes it back. One that is in part has still to be read (readCell) if any of
// the cell's rows matter.
func (a *Append) cellIndex(p Partition) *cellIndex {
	d := &a.dedupe
	d.mu.Lock()
	idx := d.cells[p]
	if idx != nil {
		d.kept -= len(idx.rows)
		delete(d.cells, p)
	}
	d.mu.Unlock()
	if idx == nil {
		idx = &cellIndex{rows: map[uint64]knownRow{}, inPart: len(a.filesOf(p)) > 0}
	}
	return idx
}

// filesOf are the files of a cell as the batch under way would leave it.
func (a *Append) filesOf(p Partition) []string {
	a.dedupe.mu.Lock()
	committed := slices.Clone(a.dedupe.files[p])
	a.dedupe.mu.Unlock()
	return a.tx.cellFiles(p, committed)
}

// readCell makes an index know all rows of its cell, if there are few, or those
// with the keys that are wanted.
func (a *Append) readCell(ctx context.Context, p Partition, idx *cellIndex, wanted map[uint64]bool) error {
	files := a.filesOf(p)
	*idx = cellIndex{rows: map[uint64]knownRow{}, inPart: a.tx.rowsIn(files) > a.limits().indexed}
	for _, f := range files {
		err := a.dedupe.indexFile(ctx, idx, f, func(key uint64) bool { return !idx.inPart || wanted[key] })
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *dedupe) indexFile(ctx context.Context, idx *cellIndex, path string, takes func(key uint64) bool) error {
	file := int32(len(idx.files))
	idx.files = append(idx.files, path)
	row := int32(0)
	err := readColumns(ctx, d.w.layout.path(path), []string{"activity_id", "content_hash"}, func(b arrow.RecordBatch) error {
		ids, ok1 := b.Column(0).(*array.String)
		hashes, ok2 := b.Column(1).(*array.Int64)
		if !ok1 || !ok2 {
			return errOtherTypes
		}
		for i := range int(b.NumRows()) {
			if key := dedupeKey([]byte(ids.Value(i))); takes(key) {
				idx.rows[key] = knownRow{hash: hashes.Value(i), file: file, row: row}
			}
			row++
		}
		return nil
	})
	if err != nil {
		return readFault(ctx, path, err)
	}
	return nil
}

// keep remembers an index for the next batch, within bounds, if it is whole.
func (d *dedupe) keep(p Partition, idx *cellIndex) {
	if idx.inPart {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cells[p] = idx
	d.kept += len(idx.rows)
	for q, other := range d.cells {
		if int64(d.kept) <= d.w.opts.limits.indexed {
			return
		}
		if q != p || len(d.cells) == 1 {
			d.kept -= len(other.rows)
			delete(d.cells, q)
		}
	}
}

// forget drops a cell's index: its rows have moved.
func (d *dedupe) forget(p Partition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if idx := d.cells[p]; idx != nil {
		d.kept -= len(idx.rows)
		delete(d.cells, p)
	}
}

// knownBad are the hashes of the quarantined bytes.
func (d *dedupe) knownBad(ctx context.Context) (map[[32]byte]bool, error) {
	if d.bad != nil {
		return d.bad, nil
	}
	bad := map[[32]byte]bool{}
	for _, f := range sortedFiles(d.w.state.quarantine) {
		err := readColumns(ctx, d.w.layout.path(f.Path), []string{"bytes"}, func(b arrow.RecordBatch) error {
			c, ok := b.Column(0).(*array.Binary)
			if !ok {
				return fmt.Errorf("column %q has type %s", "bytes", b.Column(0).DataType())
			}
			for i := range c.Len() {
				bad[sha256.Sum256(c.Value(i))] = true
			}
			return nil
		})
		if err != nil {
			return nil, readFault(ctx, f.Path, err)
		}
	}
	d.bad = bad
	return bad, nil
}

// outcome is what was decided on some rows.
type outcome struct {
	revisions  []revisionRow
	added      int64
	duplicates int64
	revised    int64
}

// verdict is what becomes of a cell's rows.
type verdict struct {
	outcome
	keep     []waitingRow
	dropped  map[int]bool             // of keep: beaten by a later row of the batch
	replaced map[int32]map[int32]bool // rows of files that are no longer current
}

type place struct{ file, row int32 }

// storedRow is a row as it stands in a file, or will.
type storedRow struct {
	encoded  []byte
	ingested int64
	runID    string
}

// judge decides on every row of t. The index is brought up to date.
func (a *Append) judge(ctx context.Context, idx *cellIndex, t *taken) (*verdict, error) {
	v := &verdict{dropped: map[int]bool{}, replaced: map[int32]map[int32]bool{}}
	rivals, err := a.rivals(ctx, idx, t)
	if err != nil {
		return nil, err
	}
	var row, other Row
	for _, w := range t.rows {
		k, hit := idx.rows[w.key]
		if !hit {
			idx.rows[w.key] = v.take(w)
			v.added++
			continue
		}
		if k.hash == w.hash {
			v.duplicates++
			continue
		}
		rival := storedRow{ingested: a.ingested, runID: a.run.RunID}
		if k.file == inBatch {
			b, err := t.encoded(v.keep[k.row])
			if err != nil {
				return nil, err
			}
			rival.encoded = bytes.Clone(b)
		} else {
			rival = rivals[place{k.file, k.row}]
		}
		encoded, err := t.encoded(w)
		if err != nil {
			return nil, err
		}
		if _, err := decodeRow(encoded, &row); err != nil {
			return nil, err
		}
		if _, err := decodeRow(rival.encoded, &other); err != nil {
			return nil, err
		}
		if !bytes.Equal(other.id(), row.id()) {
			v.take(w) // another id with the same hash
			v.added++
			continue
		}
		newer, err := a.compare(ctx, &v.outcome, &other, rival, &row, encoded)
		if err != nil {
			return nil, err
		}
		if newer {
			v.drop(k)
			idx.rows[w.key] = v.take(w)
		}
	}
	return v, nil
}

// compare decides between the payload that is current so far and another one
// of the same id, which has just come, and notes it in the outcome. newer says
// that the one that came is current now.
func (a *Append) compare(ctx context.Context, o *outcome, now *Row, stored storedRow, came *Row, encoded []byte) (newer bool, err error) {
	known := sameRecord(now, came)
	if !known {
		if known, err = a.knownPast(ctx, came); err != nil {
			return false, err
		}
	}
	if known {
		o.duplicates++
		return false, nil
	}
	o.revised++
	arrived := storedRow{encoded: encoded, ingested: a.ingested, runID: a.run.RunID}
	if isCurrent(came, arrived.ingested, now, stored.ingested) {
		return true, a.revise(o, now, stored, replacement{at: a.ingested, run: arrived.runID, hash: came.ContentHash})
	}
	return false, a.revise(o, came, arrived, replacement{at: a.ingested, run: stored.runID, hash: now.ContentHash})
}

// isCurrent says whether the first payload is the current one of the two.
func isCurrent(a *Row, aIngested int64, b *Row, bIngested int64) bool {
	return cmp.Or(cmp.Compare(createdKey(a), createdKey(b)), cmp.Compare(aIngested, bIngested), cmp.Compare(a.ContentHash, b.ContentHash)) > 0
}

func (v *verdict) take(w waitingRow) knownRow {
	v.keep = append(v.keep, w)
	return knownRow{hash: w.hash, file: inBatch, row: int32(len(v.keep) - 1)}
}

func (v *verdict) drop(k knownRow) {
	if k.file == inBatch {
		v.dropped[int(k.row)] = true
		return
	}
	mark(v.replaced, k.file, k.row)
}

// mark notes a row of a file.
func mark[F comparable](rows map[F]map[int32]bool, file F, row int32) {
	if rows[file] == nil {
		rows[file] = map[int32]bool{}
	}
	rows[file][row] = true
}

// revise sends a payload to `revisions`. The row must be that of s.
func (a *Append) revise(o *outcome, r *Row, s storedRow, by replacement) error {
	a.dedupe.past.add(dedupeKey(r.id()), r)
	o.revisions = append(o.revisions, revisionRow{encoded: bytes.Clone(s.encoded), ingested: s.ingested, runID: s.runID, by: by})
	return a.w.values.addRevision(r)
}

// rivals reads the rows of the cell's files that a waiting row contradicts:
// same id, other content. Each file is read once.
func (a *Append) rivals(ctx context.Context, idx *cellIndex, t *taken) (map[place]storedRow, error) {
	if len(idx.files) == 0 {
		return nil, nil
	}
	wanted := map[int32]map[int32]bool{}
	var contradicting []waitingRow
	for _, w := range t.rows {
		k, hit := idx.rows[w.key]
		if !hit || k.file == inBatch || k.hash == w.hash {
			continue
		}
		mark(wanted, k.file, k.row)
		contradicting = append(contradicting, w)
	}
	found := map[place]storedRow{}
	for file, rows := range wanted {
		err := a.readStored(ctx, idx.files[file], rows, func(index int32, s storedRow) { found[place{file, index}] = s })
		if err != nil {
			return nil, err
		}
	}
	return found, a.learnPast(ctx, t, contradicting)
}

// readStored reads some rows of a file.
func (a *Append) readStored(ctx context.Context, path string, rows map[int32]bool, each func(row int32, s storedRow)) error {
	err := readRows(ctx, a.w.layout.path(path), func(r *Row, index int64) error {
		if rows[int32(index)] {
			each(int32(index), storedRow{encoded: appendRow(nil, r), ingested: r.Ingested, runID: r.RunID})
		}
		return nil
	})
	if err != nil {
		return readFault(ctx, path, err)
	}
	return nil
}
