package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Which of these records does the lake have already, and which are revisions?
//
// A payload that is in its cell or in `revisions` is a duplicate: same
// content_hash, or the same record spelled otherwise. Of two payloads of one
// _id the order (created, NULL lowest; then ingested; then content_hash)
// decides which is current; the other one goes to `revisions`.
//
// The question is asked cell by cell, when the cell's rows are about to be
// written: only the ids of that cell are in memory then. They are keyed by a
// hash whose seed is the process's own, so that nobody can choose ids that
// collide; and where it matters, the ids themselves are compared.

// indexedRows bounds the rows whose keys are kept between batches, about 50
// bytes each.
const indexedRows = 400_000

// knownRow is what dedupe keeps of a row of the cell.
type knownRow struct {
	hash     int64 // content_hash
	created  int64 // math.MinInt64: NULL
	ingested int64
	file     int32 // in cellIndex.files; inBatch: a row that waits
	row      int32
}

const inBatch = -1

// cellIndex are the rows of one cell by the hash of their id.
type cellIndex struct {
	files []string
	rows  map[uint64]knownRow
}

type dedupe struct {
	w    *Writer
	seed maphash.Seed

	mu    sync.Mutex
	files map[Partition][]string // committed ones
	cells map[Partition]*cellIndex
	kept  int // rows in cells

	revisionsRead bool
	revisions     map[uint64][]revisionKey
	bad           map[[32]byte]bool // quarantined bytes; nil: not read yet
}

type revisionKey struct {
	hash      int64
	canonical [sha256.Size]byte // zero: none
}

// revisionRow is a payload on its way to `revisions`.
type revisionRow struct {
	encoded  []byte
	ingested int64
	runID    string
	by       replacement
}

func (d *dedupe) reset(w *Writer) {
	*d = dedupe{w: w, seed: maphash.MakeSeed(), files: map[Partition][]string{}, cells: map[Partition]*cellIndex{}, revisions: map[uint64][]revisionKey{}}
	for path, f := range w.state.files {
		d.files[f.Partition] = append(d.files[f.Partition], path)
	}
}

// committed takes over what a commit changed.
func (d *dedupe) committed(c change, bad map[[32]byte]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, f := range c.removes {
		d.files[f.Partition] = slices.DeleteFunc(d.files[f.Partition], func(p string) bool { return p == path })
	}
	for path, f := range c.adds {
		d.files[f.partition] = append(d.files[f.partition], path)
	}
	if d.bad != nil {
		maps.Copy(d.bad, bad)
	}
}

func (d *dedupe) key(id []byte) uint64 { return maphash.Bytes(d.seed, id) }

// cellIndex answers the index of a cell: of its committed files, with what the
// batch under way has added and replaced. It is the caller's alone until keep
// takes it back.
func (a *Append) cellIndex(ctx context.Context, p Partition) (*cellIndex, error) {
	d := &a.dedupe
	d.mu.Lock()
	idx := d.cells[p]
	if idx != nil {
		d.kept -= len(idx.rows)
		delete(d.cells, p)
	}
	committed := append([]string{}, d.files[p]...)
	d.mu.Unlock()
	if idx != nil {
		return idx, nil
	}
	idx = &cellIndex{rows: map[uint64]knownRow{}}
	for _, f := range a.tx.cellFiles(p, committed) {
		if err := d.indexFile(ctx, idx, f); err != nil {
			return nil, err
		}
	}
	return idx, nil
}

func (d *dedupe) indexFile(ctx context.Context, idx *cellIndex, path string) error {
	file := int32(len(idx.files))
	idx.files = append(idx.files, path)
	row := int32(0)
	err := readColumns(ctx, d.w.layout.path(path), []string{"activity_id", "created", "content_hash", "ingested"}, func(b arrow.RecordBatch) error {
		ids, ok1 := b.Column(0).(*array.String)
		created, ok2 := b.Column(1).(*array.Timestamp)
		hashes, ok3 := b.Column(2).(*array.Int64)
		ingested, ok4 := b.Column(3).(*array.Timestamp)
		if !ok1 || !ok2 || !ok3 || !ok4 {
			return errors.New("its columns have other types than ours")
		}
		for i := range int(b.NumRows()) {
			k := knownRow{hash: hashes.Value(i), created: math.MinInt64, ingested: int64(ingested.Value(i)) / 1000, file: file, row: row}
			if created.IsValid(i) {
				k.created = int64(created.Value(i)) / 1000
			}
			idx.rows[d.key([]byte(ids.Value(i)))] = k
			row++
		}
		return nil
	})
	if err != nil {
		return readFault(ctx, path, err)
	}
	return nil
}

// keep remembers an index for the next batch, within bounds.
func (d *dedupe) keep(p Partition, idx *cellIndex) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cells[p] = idx
	d.kept += len(idx.rows)
	for q, other := range d.cells {
		if d.kept <= indexedRows {
			return
		}
		if q != p || len(d.cells) == 1 {
			d.kept -= len(other.rows)
			delete(d.cells, q)
		}
	}
}

// inRevisions says whether a payload is in `revisions`, and remembers it if
// add is set. The table is read when the first conflict asks for it.
func (d *dedupe) inRevisions(ctx context.Context, r *Row, add bool) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.revisionsRead {
		for _, f := range sortedFiles(d.w.state.revisions) {
			err := readRows(ctx, d.w.layout.path(f.Path), func(old *Row, _ int64) error {
				k := d.key(old.Bytes(old.Strings[ActivityID]))
				d.revisions[k] = append(d.revisions[k], newRevisionKey(old))
				return nil
			})
			if err != nil {
				return false, readFault(ctx, f.Path, err)
			}
		}
		d.revisionsRead = true
	}
	id, key := d.key(r.Bytes(r.Strings[ActivityID])), newRevisionKey(r)
	for _, old := range d.revisions[id] {
		if old.hash == key.hash || old.canonical == key.canonical && key.canonical != [sha256.Size]byte{} {
			return true, nil
		}
	}
	if add {
		d.revisions[id] = append(d.revisions[id], key)
	}
	return false, nil
}

func newRevisionKey(r *Row) revisionKey {
	k := revisionKey{hash: r.ContentHash}
	if r.Original == nil {
		if text, err := canonical(r.Raw()); err == nil {
			k.canonical = sha256.Sum256(text)
		}
	}
	return k
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

// verdict is what becomes of a cell's rows.
type verdict struct {
	keep       []waitingRow
	dropped    map[int]bool             // of keep: beaten by a later row of the batch
	replaced   map[int32]map[int32]bool // rows of files that are no longer current
	revisions  []revisionRow
	added      int64
	duplicates int64
	revised    int64
}

type place struct{ file, row int32 }

type diskRow struct {
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
		if _, err := decodeRow(t.encoded(w), &row); err != nil {
			return nil, err
		}
		id := row.Bytes(row.Strings[ActivityID])
		key := a.dedupe.key(id)
		k, hit := idx.rows[key]
		if !hit {
			idx.rows[key] = v.take(w, &row, a.ingested)
			v.added++
			continue
		}
		if k.hash == row.ContentHash {
			v.duplicates++
			continue
		}
		rival := diskRow{ingested: a.ingested, runID: a.run.RunID}
		if k.file == inBatch {
			rival.encoded = t.encoded(v.keep[k.row])
		} else {
			rival = rivals[place{k.file, k.row}]
		}
		if _, err := decodeRow(rival.encoded, &other); err != nil {
			return nil, err
		}
		if string(other.Bytes(other.Strings[ActivityID])) != string(id) {
			v.take(w, &row, a.ingested) // another id with the same hash
			v.added++
			continue
		}
		known := sameRecord(&other, &row)
		if !known {
			if known, err = a.dedupe.inRevisions(ctx, &row, false); err != nil {
				return nil, err
			}
		}
		if known {
			v.duplicates++
			continue
		}
		v.revised++
		by := replacement{at: a.ingested, run: rival.runID, hash: k.hash}
		if !current(&row, a.ingested, &k) {
			err = a.revise(ctx, v, diskRow{encoded: t.encoded(w), ingested: a.ingested, runID: a.run.RunID}, &row, by)
		} else {
			by.run, by.hash = a.run.RunID, row.ContentHash
			if err = a.revise(ctx, v, rival, &other, by); err == nil {
				v.drop(k)
				idx.rows[key] = v.take(w, &row, a.ingested)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

// current says whether the new payload is the current one of the two.
func current(r *Row, ingested int64, old *knownRow) bool {
	if c := createdKey(r); c != old.created {
		return c > old.created
	}
	if ingested != old.ingested {
		return ingested > old.ingested
	}
	return r.ContentHash > old.hash
}

func (v *verdict) take(w waitingRow, r *Row, ingested int64) knownRow {
	v.keep = append(v.keep, w)
	return knownRow{hash: r.ContentHash, created: createdKey(r), ingested: ingested, file: inBatch, row: int32(len(v.keep) - 1)}
}

func (v *verdict) drop(k knownRow) {
	if k.file == inBatch {
		v.dropped[int(k.row)] = true
		return
	}
	if v.replaced[k.file] == nil {
		v.replaced[k.file] = map[int32]bool{}
	}
	v.replaced[k.file][k.row] = true
}

func (a *Append) revise(ctx context.Context, v *verdict, d diskRow, r *Row, by replacement) error {
	if _, err := a.dedupe.inRevisions(ctx, r, true); err != nil {
		return err
	}
	v.revisions = append(v.revisions, revisionRow{encoded: append([]byte{}, appendRow(nil, r)...), ingested: d.ingested, runID: d.runID, by: by})
	return nil
}

// rivals reads the rows of the cell's files that a waiting row contradicts:
// same id, other content. Each file is read once.
func (a *Append) rivals(ctx context.Context, idx *cellIndex, t *taken) (map[place]diskRow, error) {
	if len(idx.files) == 0 {
		return nil, nil
	}
	wanted := map[int32]map[int32]bool{}
	var row Row
	for _, w := range t.rows {
		if _, err := decodeRow(t.encoded(w), &row); err != nil {
			return nil, err
		}
		k, hit := idx.rows[a.dedupe.key(row.Bytes(row.Strings[ActivityID]))]
		if !hit || k.file == inBatch || k.hash == row.ContentHash {
			continue
		}
		if wanted[k.file] == nil {
			wanted[k.file] = map[int32]bool{}
		}
		wanted[k.file][k.row] = true
	}
	found := map[place]diskRow{}
	for file, rows := range wanted {
		path := idx.files[file]
		err := readRows(ctx, a.w.layout.path(path), func(r *Row, index int64) error {
			if rows[int32(index)] {
				found[place{file, int32(index)}] = diskRow{encoded: appendRow(nil, r), ingested: r.Ingested, runID: r.RunID}
			}
			return nil
		})
		if err != nil {
			return nil, readFault(ctx, path, err)
		}
	}
	return found, nil
}
