package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Writer changes the index in a directory. Whoever uses one holds the lake's
// lock: two writers at once are not provided for. The zero value of every
// field but Dir works.
type Writer struct {
	Dir      string
	FS       FS          // the real disk
	FileMode fs.FileMode // 0400: a run never changes
	DirMode  fs.FileMode // 0700
}

func (w Writer) withDefaults() Writer {
	if w.FS == nil {
		w.FS = osFS{}
	}
	if w.FileMode == 0 {
		w.FileMode = 0o400
	}
	if w.DirMode == 0 {
		w.DirMode = 0o700
	}
	return w
}

// create makes a temporary file of the directory, and the directory.
func (w Writer) create(path string) (File, error) {
	if err := w.FS.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := w.FS.Create(path, w.FileMode)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := w.FS.MkdirAll(w.Dir, w.DirMode); err != nil {
		return nil, err
	}
	if err := w.FS.SyncDir(filepath.Dir(w.Dir)); err != nil {
		return nil, err
	}
	return w.FS.Create(path, w.FileMode)
}

// RemoveStray removes the files that ix, which was opened after the last
// change, does not use. Readers that have them open keep them. That is the
// caller's decision, since only it knows whether another program's newer runs
// may go.
func (w Writer) RemoveStray(ix *Index) error {
	w = w.withDefaults()
	for _, name := range ix.stray {
		if err := w.FS.Remove(filepath.Join(w.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("tidy up index: %w", err)
		}
	}
	return nil
}

// Clear removes every file of the index: it is made anew.
func (w Writer) Clear() error {
	w = w.withDefaults()
	list, err := os.ReadDir(w.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clear index: %w", err)
	}
	for _, e := range list {
		if _, _, ok := parseRunName(e.Name()); !ok && !isTemp(e.Name()) {
			continue
		}
		if err := w.FS.Remove(filepath.Join(w.Dir, e.Name())); err != nil {
			return fmt.Errorf("clear index: %w", err)
		}
	}
	return nil
}

// entry is one pair (value, cell) in memory; cell is a number of some table.
type entry struct {
	hash uint64
	cell uint32
	kind Kind
}

func compare(a, b entry) int {
	switch {
	case a == b:
		return 0
	case less(a, b):
		return -1
	}
	return 1
}

func less(a, b entry) bool {
	if a.kind != b.kind {
		return a.kind < b.kind
	}
	if a.hash != b.hash {
		return a.hash < b.hash
	}
	return a.cell < b.cell
}

// runWriter writes one run front to back: entries arrive sorted.
type runWriter struct {
	file   File
	path   string // where it is now, to be named in errors
	footer footer
	seed   uint32
	cells  []Cell
	fences []byte

	buf   []byte // whole blocks not written yet
	b     block  // the block being filled
	count int    // entries in it
	last  entry
}

func newRunWriter(file File, path string, span Span, cells []Cell) *runWriter {
	return &runWriter{
		file: file, path: path, footer: footer{span: span}, seed: span.seed(), cells: cells,
		buf: make([]byte, 0, windowBlocks*blockSize), b: make(block, blockSize),
	}
}

// add takes the next entry; the one before again is left out.
func (w *runWriter) add(e entry) error {
	f := &w.footer
	if n := len(f.sections); n == 0 || f.sections[n-1].kind != e.kind {
		if err := w.flushBlock(); err != nil {
			return err
		}
		f.sections = append(f.sections, section{kind: e.kind, min: e.hash})
	} else if e == w.last {
		return nil
	}
	if w.count == blockEntries {
		if err := w.flushBlock(); err != nil {
			return err
		}
	}
	if w.count == 0 {
		w.fences = binary.LittleEndian.AppendUint64(w.fences, e.hash)
	}
	at := w.b[w.count*entrySize:]
	binary.LittleEndian.PutUint64(at, e.hash)
	binary.LittleEndian.PutUint32(at[8:], e.cell)
	w.count++
	s := &f.sections[len(f.sections)-1]
	s.max = e.hash
	s.entries++
	w.last = e
	return nil
}

func (w *runWriter) flushBlock() error {
	if w.count == 0 {
		return nil
	}
	w.b.seal(w.footer.blocks, w.last.kind, w.count, w.seed)
	w.buf = append(w.buf, w.b...)
	clear(w.b)
	w.count = 0
	w.footer.blocks++
	if len(w.buf) == cap(w.buf) {
		return w.flush()
	}
	return nil
}

func (w *runWriter) flush() error {
	_, err := w.file.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// finish writes what follows the blocks. It neither syncs nor closes.
func (w *runWriter) finish() error {
	if err := w.flushBlock(); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	var cells []byte
	for _, c := range w.cells {
		cells = appendCell(cells, c)
	}
	w.footer.cells = int64(len(w.cells))
	w.footer.fenceSum, w.footer.cellSum = checksum(w.seed, w.fences), checksum(w.seed, cells)
	w.footer.size = w.footer.footerOffset() + footerSize
	for _, part := range [][]byte{w.fences, cells, w.footer.encode()} {
		if _, err := w.file.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// source fills a run with entries in order.
type source func(add func(entry) error) error

// writeRun makes a run durable under its name: written beside, synced,
// renamed, directory synced. Before the rename nothing has changed.
func (w Writer) writeRun(span Span, cells []Cell, fill source) (Info, error) {
	name := runName(span.From, span.To)
	path := filepath.Join(w.Dir, name)
	tmp := filepath.Join(w.Dir, "."+name+tempSuffix)
	rw, err := w.writeTemp(tmp, span, cells, fill, true)
	if err != nil {
		return Info{}, fmt.Errorf("write index %q: %w", path, err)
	}
	if err := w.FS.Rename(tmp, path); err != nil {
		w.FS.Remove(tmp) // if that fails too it is stray
		return Info{}, fmt.Errorf("write index %q: %w", path, err)
	}
	if err := w.FS.SyncDir(w.Dir); err != nil {
		return Info{}, fmt.Errorf("write index %q: %w", path, err)
	}
	r := run{path: path, footer: rw.footer}
	return r.info(), nil
}

// writeTemp writes a run to a file that no reader looks at.
func (w Writer) writeTemp(tmp string, span Span, cells []Cell, fill source, sync bool) (*runWriter, error) {
	f, err := w.create(tmp)
	if err != nil {
		return nil, err
	}
	rw := newRunWriter(f, tmp, span, cells)
	if err = fill(rw.add); err == nil {
		err = rw.finish()
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		w.FS.Remove(tmp)
		return nil, err
	}
	return rw, nil
}

// spill writes a run that only this process reads: its name is gone when this
// returns, its space when it is closed.
func (w Writer) spill(span Span, n int, cells []Cell, fill source) (*run, error) {
	tmp := filepath.Join(w.Dir, fmt.Sprintf("%sspill-%d%s", tempPrefix, n, tempSuffix))
	if _, err := w.writeTemp(tmp, span, cells, fill, false); err != nil {
		return nil, err
	}
	r, err := openRun(tmp)
	if rerr := w.FS.Remove(tmp); err == nil && rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
		r.close()
		return nil, rerr
	}
	return r, err
}
