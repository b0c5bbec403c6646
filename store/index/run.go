package index

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sort"
	"sync"
)

// run is an open run. It is read with ReadAt and not through a map of the
// file: doc.go, "Why not mmap".
type run struct {
	path string
	file *os.File
	footer
	seed uint32

	once     sync.Once
	loadErr  error
	fences   []uint64 // the first hash of each block
	cellList []Cell   // by number, ascending
}

// openRun opens a run and reads its footer; nothing else is read before it is
// needed.
func openRun(path string) (*run, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &run{path: path, file: f}
	if err := r.readFooter(); err != nil {
		f.Close()
		return nil, err
	}
	r.seed = r.span.seed()
	return r, nil
}

func (r *run) readFooter() error {
	info, err := r.file.Stat()
	if err != nil {
		return &RunError{Path: r.path, Err: err}
	}
	if !info.Mode().IsRegular() || info.Size() < footerSize {
		return damaged(r.path, "%d bytes, too few for a run", info.Size())
	}
	var b [footerSize]byte
	if err := r.readAt(b[:], info.Size()-footerSize); err != nil {
		return err
	}
	r.footer, err = decodeFooter(r.path, b[:], info.Size())
	return err
}

func (r *run) close() error { return r.file.Close() }

// readAt fills b. A file that has become shorter is damage.
func (r *run) readAt(b []byte, at int64) error {
	_, err := r.file.ReadAt(b, at)
	if errors.Is(err, io.EOF) {
		return damaged(r.path, "it ends before byte %d", at+int64(len(b)))
	}
	if err != nil {
		return &RunError{Path: r.path, Err: err}
	}
	return nil
}

// load reads fences and cells, once: 8 bytes for 340 entries, 12 for a cell.
func (r *run) load() error {
	r.once.Do(func() { r.loadErr = r.loadNow() })
	return r.loadErr
}

func (r *run) loadNow() error {
	// Both lengths are part of the file's size, which was compared with the
	// file's: a forged footer cannot ask for more memory than the file has.
	b := make([]byte, max(r.blocks*fenceSize, r.cells*cellSize))
	part := b[:r.blocks*fenceSize]
	if err := r.readAt(part, r.fencesOffset()); err != nil {
		return err
	}
	if checksum(r.seed, part) != r.fenceSum {
		return damaged(r.path, "wrong checksum of the fences")
	}
	fences := make([]uint64, r.blocks)
	for i := range fences {
		fences[i] = binary.LittleEndian.Uint64(part[i*fenceSize:])
	}
	part = b[:r.cells*cellSize]
	if err := r.readAt(part, r.cellsOffset()); err != nil {
		return err
	}
	if checksum(r.seed, part) != r.cellSum {
		return damaged(r.path, "wrong checksum of the cells")
	}
	cells := make([]Cell, r.cells)
	for i := range cells {
		cells[i] = decodeCell(part[i*cellSize:])
		if i > 0 && cells[i-1].Compare(cells[i]) >= 0 {
			return damaged(r.path, "cell %d is out of order", i)
		}
	}
	r.fences, r.cellList = fences, cells
	return nil
}

// checked looks at block n, which was read into b.
func (r *run) checked(n int64, b block) (count int, err error) {
	kind, count := r.block(n)
	if what := b.check(n, kind, count, r.seed); what != "" {
		return 0, damaged(r.path, "block %d: %s", n, what)
	}
	return count, nil
}

// cell is the cell with a number that a block holds.
func (r *run) cell(number uint32) (Cell, error) {
	if int(number) >= len(r.cellList) {
		return Cell{}, damaged(r.path, "cell number %d of %d", number, len(r.cellList))
	}
	return r.cellList[number], nil
}

// windowBlocks is how much of a run is read at once, where much is wanted:
// 256 KiB.
const windowBlocks = 64

type window [windowBlocks * blockSize]byte

var windows = sync.Pool{New: func() any { return new(window) }}

// walk is one pass over the blocks of a kind, forwards.
type walk struct {
	r      *run
	s      *section
	fences []uint64 // of this kind
	buf    *window

	from, to int64 // blocks in buf, of this kind
	at       int64 // the block that is looked at; -1 before the first
	b        block
	count    int
	pos      int // no entry before pos matters any more
}

// move makes block n the one that is looked at. hashes are those that are
// still to be found: they say how far it pays to read ahead.
func (w *walk) move(n int64, hashes []uint64) error {
	if n == w.at {
		return nil
	}
	if n < w.from || n >= w.to {
		ahead := w.ahead(n, hashes)
		if err := w.r.readAt(w.buf[:ahead*blockSize], (w.s.first+n)*blockSize); err != nil {
			return err
		}
		w.from, w.to = n, n+ahead
	}
	w.b = w.buf[(n-w.from)*blockSize : (n-w.from+1)*blockSize]
	count, err := w.r.checked(w.s.first+n, w.b)
	if err != nil {
		return err
	}
	if w.b.hash(0) != w.fences[n] {
		return damaged(w.r.path, "block %d begins with %x, want %x", w.s.first+n, w.b.hash(0), w.fences[n])
	}
	w.at, w.count, w.pos = n, count, 0
	return nil
}

// ahead is how many blocks to read from n: a whole window where at least a
// quarter of its blocks is wanted, less where hashes are few.
func (w *walk) ahead(n int64, hashes []uint64) int64 {
	blocks := min(windowBlocks, w.s.blocks-n)
	for blocks > 1 {
		wanted := len(hashes)
		if n+blocks < w.s.blocks {
			wanted = gallop(hashes, 0, w.fences[n+blocks])
		}
		if int64(wanted)*4 >= blocks {
			break
		}
		blocks /= 2
	}
	return blocks
}

// lookup calls visit for each entry of each hash. Both sides are sorted and
// walked once; whatever one side lacks, the other leaps over.
func (r *run) lookup(s *section, hashes []uint64, visit func(i int, cell Cell)) error {
	if err := r.load(); err != nil {
		return err
	}
	buf := windows.Get().(*window)
	defer windows.Put(buf)
	w := walk{r: r, s: s, fences: r.fences[s.first : s.first+s.blocks], buf: buf, at: -1}
	for i := gallop(hashes, 0, s.min); i < len(hashes) && hashes[i] <= s.max; {
		h := hashes[i]
		// The last block that begins before h: h may be at its end, and go on
		// in the next.
		near := max(w.at, 0)
		n := max(near, int64(gallop(w.fences, int(near), h))-1)
		if err := w.move(n, hashes[i:]); err != nil {
			return err
		}
		w.skip(h)
		same := i + 1
		for same < len(hashes) && hashes[same] == h {
			same++
		}
		for {
			if w.pos == w.count {
				if w.at+1 == s.blocks || w.fences[w.at+1] > h {
					break
				}
				if err := w.move(w.at+1, hashes[same:]); err != nil {
					return err
				}
			}
			if w.b.hash(w.pos) != h {
				break
			}
			cell, err := r.cell(w.b.cell(w.pos))
			if err != nil {
				return err
			}
			for j := i; j < same; j++ {
				visit(j, cell)
			}
			w.pos++
		}
		// The next hash that can be here is not before the next entry.
		switch {
		case w.pos < w.count:
			i = gallop(hashes, same, w.b.hash(w.pos))
		case w.at+1 < s.blocks:
			i = gallop(hashes, same, w.fences[w.at+1])
		default:
			return nil
		}
	}
	return nil
}

// skip moves pos to the first entry of the block that is not before h.
func (w *walk) skip(h uint64) {
	low, high := w.pos, w.count
	for low < high {
		if mid := int(uint(low+high) >> 1); w.b.hash(mid) < h {
			low = mid + 1
		} else {
			high = mid
		}
	}
	w.pos = low
}

// gallop is the first index from start on whose hash is not before h; near
// ones are found in few steps.
func gallop(hashes []uint64, start int, h uint64) int {
	if start >= len(hashes) || hashes[start] >= h {
		return start
	}
	step := 1
	for start+step < len(hashes) && hashes[start+step] < h {
		start += step
		step *= 2
	}
	rest := hashes[start+1 : min(start+step, len(hashes))]
	return start + 1 + sort.Search(len(rest), func(i int) bool { return rest[i] >= h })
}

// appendCells appends the cells of one hash.
func (r *run) appendCells(dst []Cell, s *section, h uint64) ([]Cell, error) {
	one := [1]uint64{h}
	err := r.lookup(s, one[:], func(_ int, c Cell) { dst = append(dst, c) })
	return dst, err
}

// check reads all of the run.
func (r *run) check(ctx context.Context) error {
	if err := r.load(); err != nil {
		return err
	}
	c, err := newCursor(r, identity(len(r.cellList)), windowBlocks)
	if err != nil {
		return err
	}
	var last entry
	for i := range r.sections {
		s := &r.sections[i]
		for n := range s.entries {
			if n%(1<<20) == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			ok, err := c.next()
			if err != nil {
				return err
			}
			switch {
			case !ok:
				return damaged(r.path, "entry %d of %v is missing", n, s.kind)
			case !(i == 0 && n == 0) && compare(last, c.e) >= 0:
				return damaged(r.path, "entry %d of %v is out of order", n, s.kind)
			case n%blockEntries == 0 && c.e.hash != r.fences[s.first+n/blockEntries]:
				return damaged(r.path, "entry %d of %v is not its fence", n, s.kind)
			case n == 0 && c.e.hash != s.min, n == s.entries-1 && c.e.hash != s.max:
				return damaged(r.path, "entry %d of %v is not the bound that the footer gives", n, s.kind)
			}
			last = c.e
		}
	}
	return nil
}
