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
	leave := sync.OnceFunc(func() { <-a.encoders })
	defer leave()
	if err := a.spill.load(&t); err != nil {
		return err
	}
	t.sort()
	idx, err := a.cellIndex(ctx, p)
	if err != nil {
		return err
	}
	v, err := a.judge(ctx, idx, &t)
	if err != nil {
		return err
	}
	for _, fileNo := range slices.Sorted(maps.Keys(v.replaced)) {
		if err := a.rewrite(ctx, p, idx.files[fileNo], v.replaced[fileNo]); err != nil {
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
	var full []revisionRow
	a.mu.Lock()
	a.run.Added += v.added
	a.run.Duplicates += v.duplicates
	a.run.Revisions += v.revised
	for _, r := range v.revisions {
		full = append(full, a.batch.revisions.add(a.limits().side, len(r.encoded), r)...)
	}
	a.mu.Unlock()
	return a.writeRevisions(full)
}

// sideRows are rows of a side table that wait for their file, and the files
// that are whole already.
type sideRows[T any] struct {
	rows  []T
	bytes int
	files []newFile
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

// cellFiles are the files of a cell as the batch under way would leave it.
func (a *Append) cellFiles(p Partition, committed []string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var files []string
	for _, path := range committed {
		if _, gone := a.batch.removes[path]; !gone {
			files = append(files, path)
		}
	}
	for path, f := range a.batch.adds {
		if f.partition == p {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	return files
}

func (a *Append) writeNewRows(p Partition, t *taken, v *verdict, name string, leave func()) (string, error) {
	if len(v.keep) == len(v.dropped) {
		return "", nil
	}
	if name == "" {
		reserved, err := a.reserve(func(n int) string { return dataName(p, a.run.RunID, n) })
		if err != nil {
			return "", err
		}
		name = reserved[0]
	}
	f, err := a.newTable(name, Columns, false)
	if err != nil {
		return "", err
	}
	f.partition = p
	var row Row
	for i, w := range v.keep {
		if v.dropped[i] {
			continue
		}
		if _, err := decodeRow(t.encoded(w), &row); err != nil {
			return "", f.abandon(err)
		}
		row.Ingested, row.RunID = a.ingested, a.run.RunID
		if err := f.table.append(&row, nil); err != nil {
			return "", f.abandon(err)
		}
	}
	if err := f.table.close(); err != nil {
		return "", f.abandon(err)
	}
	*t = taken{}
	leave()
	return f.path, a.finish(f)
}

// rewrite puts a copy of a file of the cell, without some of its rows, in its
// place; nothing, if no row is left.
func (a *Append) rewrite(ctx context.Context, p Partition, path string, without map[int32]bool) error {
	if int64(len(without)) < a.rowsIn(path) {
		if err := a.copyFile(ctx, p, path, without); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, fresh := a.batch.adds[path]; fresh {
		delete(a.batch.adds, path)
		return a.w.removeIfThere(path)
	}
	a.batch.removes[path] = a.dedupe.table[path]
	return nil
}

func (a *Append) rowsIn(path string) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f, fresh := a.batch.adds[path]; fresh {
		return f.rows
	}
	return a.dedupe.table[path].Rows
}

func (a *Append) copyFile(ctx context.Context, p Partition, path string, without map[int32]bool) error {
	reserved, err := a.reserve(func(n int) string { return dataName(p, a.run.RunID, n) })
	if err != nil {
		return err
	}
	f, err := a.newTable(reserved[0], Columns, false)
	if err != nil {
		return err
	}
	f.partition = p
	var werr error
	err = readRows(ctx, a.w.layout.path(path), func(r *Row, index int64) error {
		if without[int32(index)] {
			return nil
		}
		werr = f.table.append(r, nil)
		r.Text = nil // the writer has it now
		return werr
	})
	if werr != nil {
		return f.abandon(werr)
	}
	if err != nil {
		return f.abandon(readFault(ctx, path, err))
	}
	if err := f.table.close(); err != nil {
		return f.abandon(err)
	}
	return a.finish(f)
}

// openFile is a file under way: hidden beside its place until it is whole.
type openFile struct {
	fs    FS
	path  string // in the lake
	temp  string // absolute
	f     WritableFile
	table *tableWriter
	sink  *hashingWriter

	partition Partition
}

// newFile begins a file whose name is reserved.
func (a *Append) newFile(rel string) (*openFile, error) {
	temp := a.w.layout.path(tempName(rel))
	f, err := a.w.opts.FS.Create(temp, a.w.layout.fileMode())
	if err != nil {
		return nil, err
	}
	return &openFile{fs: a.w.opts.FS, path: rel, temp: temp, f: f}, nil
}

// newTable begins a Parquet file of rows.
func (a *Append) newTable(rel string, columns []Column, withKeys bool) (*openFile, error) {
	f, err := a.newFile(rel)
	if err != nil {
		return nil, err
	}
	f.table, err = newTableWriter(f.f, columns, withKeys, a.w.opts.ToolVersion, quick)
	if err != nil {
		return nil, f.abandon(err)
	}
	f.sink = f.table.sink
	return f, nil
}

// abandon drops a file under way and passes the error on. What cannot be
// deleted now is in the pending file.
func (f *openFile) abandon(err error) error {
	f.f.Close()
	f.fs.Remove(f.temp)
	return err
}

// seal makes the file whole and durable under its own name.
func (f *openFile) seal(l layout) error {
	// The mode comes first, so that the sync covers it.
	if err := f.fs.Chmod(f.temp, l.dataMode()); err != nil {
		return f.abandon(err)
	}
	if err := f.f.Sync(); err != nil {
		return f.abandon(err)
	}
	if err := f.f.Close(); err != nil {
		return err
	}
	return f.fs.Rename(f.temp, l.path(f.path))
}

func (f *openFile) newFile(rows int64, stats Stats) newFile {
	return newFile{path: f.path, partition: f.partition, size: f.sink.size, sha256: f.sink.hex(), rows: rows, stats: stats}
}

// finish seals a closed file of activities and adds it to the batch.
func (a *Append) finish(f *openFile) error {
	if err := f.seal(a.w.layout); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batch.adds[f.path] = f.newFile(f.table.rows, f.table.stats)
	return nil
}

// writeRevisions writes a file of payloads that are not current.
func (a *Append) writeRevisions(rows []revisionRow) error {
	if len(rows) == 0 {
		return nil
	}
	reserved, err := a.reserve(func(n int) string { return sideName(revisionsDir, a.run.RunID, n) })
	if err != nil {
		return err
	}
	f, err := a.newTable(reserved[0], RevisionColumns, true)
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
	if err := f.seal(a.w.layout); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batch.revisions.files = append(a.batch.revisions.files, f.newFile(f.table.rows, f.table.stats))
	return nil
}

// writeQuarantine writes a file of new records that could not be lifted.
func (a *Append) writeQuarantine(rows []Quarantined) error {
	if len(rows) == 0 {
		return nil
	}
	if err := a.prepare(); err != nil {
		return err
	}
	reserved, err := a.reserve(func(n int) string { return sideName(quarantineDir, a.run.RunID, n) })
	if err != nil {
		return err
	}
	f, err := a.newFile(reserved[0])
	if err != nil {
		return err
	}
	f.sink = newHashingWriter(f.f)
	if err := writeQuarantineFile(f.sink, firstSeen(rows, a.run.RunID, a.ingested)); err != nil {
		return f.abandon(err)
	}
	if err := f.seal(a.w.layout); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batch.quarantine.files = append(a.batch.quarantine.files, f.newFile(int64(len(rows)), emptyStats()))
	return nil
}
