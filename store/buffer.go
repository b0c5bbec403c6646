package store

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"

	"mdcalake/store/index"
)

// Rows wait per partition until they are written as a file. All partitions
// share one budget of memory. When it is used up, a partition that has long
// seen no row is finished and is written (that is all that ever happens for
// input sorted by time); else a partition that has enough for a file of its own is
// written; else the largest one is spilled: its rows go, compressed, into
// a temporary file without a name and come back when the partition is written.

const (
	chunkBytes = 256 << 10
	spillBlock = 4 << 20 // bytes of rows that are compressed together
	leastSpill = 20      // while rows are brought back, a cell with less than this part of the budget is not worth spilling
)

// waitingRow is what is asked of a waiting row without decoding it, and the
// place of its bytes.
type waitingRow struct {
	timestamp int64
	id        uint64 // hash of the activity_id, as the value index has it
	key       uint64 // the same, as dedupe has it
	hash      int64  // content_hash
	chunk     uint32
	off       uint32
}

func newWaitingRow(r *Row, chunk, off uint32) waitingRow {
	id := r.id()
	return waitingRow{timestamp: r.Numbers[Timestamp], id: index.Hash(index.ActivityID, id), key: dedupeKey(id), hash: r.ContentHash, chunk: chunk, off: off}
}

// cell is one partition's waiting rows. Guarded by the run's mutex, except for
// what takeRows has handed out.
type cell struct {
	partition Partition
	rows      []waitingRow
	chunks    [][]byte
	memory    int   // bytes of the chunks
	raw       int64 // bytes of the waiting records, the spilled ones included
	spilled   []spillSegment
	lastRow   int64 // count of rows of the run when it last got one
	busy      bool  // being written or spilled by another goroutine
}

type spillSegment struct {
	off        int64
	compressed int
	size       int
}

// append takes a row, in a chunk of free if it needs one; free may be nil.
func (c *cell) append(free *freeChunks, w waitingRow, encoded []byte, rawBytes int) (grown int) {
	n := len(c.chunks)
	if n == 0 || cap(c.chunks[n-1])-len(c.chunks[n-1]) < len(encoded) {
		// A lone small partition should not cost a quarter of a megabyte: the
		// first chunks are smaller.
		size := max(min(chunkBytes, max(16<<10, c.memory)), len(encoded))
		c.chunks = append(c.chunks, free.get(size))
		c.memory += size
		grown = size
		n++
	}
	last := &c.chunks[n-1]
	w.chunk, w.off = uint32(n-1), uint32(len(*last))
	c.rows = append(c.rows, w)
	*last = append(*last, encoded...)
	c.raw += int64(rawBytes)
	return grown
}

// freeChunks are chunks whose rows have gone, for the next ones: new memory has to
// be cleared by the system, by us and by the garbage collector. Guarded by the
// run's mutex.
type freeChunks struct {
	bySize map[int][][]byte
	memory int
}

// mostFree bounds what is kept: chunks of a size that nobody asks for.
const mostFree = 32 << 20

func (f *freeChunks) get(size int) []byte {
	if f != nil {
		if list := f.bySize[size]; len(list) > 0 {
			chunk := list[len(list)-1]
			f.bySize[size] = list[:len(list)-1]
			f.memory -= size
			return chunk[:0]
		}
	}
	return make([]byte, 0, size)
}

// put takes chunks that nothing refers to any more.
func (f *freeChunks) put(chunks [][]byte) {
	if f.bySize == nil {
		f.bySize = map[int][][]byte{}
	}
	for _, chunk := range chunks {
		// Larger ones were made for one giant record.
		if size := cap(chunk); size <= chunkBytes && f.memory+size <= mostFree {
			f.bySize[size] = append(f.bySize[size], chunk)
			f.memory += size
		}
	}
}

// taken is a cell's rows, handed out to be written or spilled.
type taken struct {
	rows    []waitingRow
	chunks  [][]byte
	spilled []spillSegment
	memory  int
	loaded  int // bytes of the spilled rows once they are back
	raw     int64
}

func (c *cell) take(withSpilled bool) taken {
	t := taken{rows: c.rows, chunks: c.chunks, memory: c.memory}
	c.rows, c.chunks, c.memory = nil, nil, 0
	if withSpilled {
		t.spilled, t.raw = c.spilled, c.raw
		c.spilled, c.raw = nil, 0
	}
	return t
}

// sort puts the rows in the order of the file: by time, and in the order of
// arrival within a millisecond.
func (t *taken) sort() {
	slices.SortFunc(t.rows, func(a, b waitingRow) int {
		return cmp.Or(cmp.Compare(a.timestamp, b.timestamp), cmp.Compare(a.chunk, b.chunk), cmp.Compare(a.off, b.off))
	})
}

func (t *taken) encoded(w waitingRow) []byte { return t.chunks[w.chunk][w.off:] }

// spillFile holds spilled rows. It has no name: a crash leaves nothing. Several
// goroutines may use it at once.
type spillFile struct {
	f *os.File

	mu   sync.Mutex
	size int64
	free [][]byte // memory of cells that have come in or gone out
}

func newSpillFile(dir string) (*spillFile, error) {
	f, err := os.CreateTemp(dir, spillPrefix)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return &spillFile{f: f}, nil
}

// reserve answers where so many bytes may be written.
func (s *spillFile) reserve(n int) (off int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	off = s.size
	s.size += int64(n)
	return off
}

const (
	// mostFreeMemory is how many pieces of memory wait for the next cell, and
	// largestFree how large they may be: one that is never needed again is not kept.
	mostFreeMemory = 4
	largestFree    = 32 << 20
)

// memory is so much memory, or more.
func (s *spillFile) memory(size int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range s.free {
		if cap(b) >= size {
			s.free = slices.Delete(s.free, i, i+1)
			return b[:0]
		}
	}
	return make([]byte, 0, max(64<<10, size+size/4))
}

// giveBack takes memory that was handed out. In the place of a smaller one, if
// there is enough.
func (s *spillFile) giveBack(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cap(b) == 0 || cap(b) > largestFree {
		return
	}
	if len(s.free) < mostFreeMemory {
		s.free = append(s.free, b)
		return
	}
	for i := range s.free {
		if cap(s.free[i]) < cap(b) {
			s.free[i] = b
			return
		}
	}
}

// put writes the rows of t and answers where they are.
func (s *spillFile) put(t taken) ([]spillSegment, error) {
	var segments []spillSegment
	size := min(t.memory, spillBlock)
	block, packed := s.memory(size), s.memory(s2.MaxEncodedLen(size))
	defer func() {
		s.giveBack(block)
		s.giveBack(packed)
	}()
	flush := func() error {
		if len(block) == 0 {
			return nil
		}
		packed = s2.Encode(packed[:cap(packed)], block)
		off := s.reserve(len(packed))
		if _, err := s.f.WriteAt(packed, off); err != nil {
			return fmt.Errorf("spill waiting rows: %w", err)
		}
		segments = append(segments, spillSegment{off: off, compressed: len(packed), size: len(block)})
		block = block[:0]
		return nil
	}
	for _, chunk := range t.chunks {
		if len(block)+len(chunk) > spillBlock {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		block = append(block, chunk...)
	}
	return segments, flush()
}

// load brings the spilled rows of t back, in front of those that came later.
// They are in one piece of memory, which is to be given back when nothing
// refers to them any more.
func (s *spillFile) load(t *taken) (all []byte, err error) {
	if len(t.spilled) == 0 {
		return nil, nil
	}
	late := *t
	t.rows, t.chunks = nil, nil
	size := 0
	for _, seg := range t.spilled {
		size += seg.size
	}
	all = s.memory(size)
	var packed []byte
	defer func() { s.giveBack(packed) }()
	var row Row
	for _, seg := range t.spilled {
		if cap(packed) < seg.compressed {
			s.giveBack(packed)
			packed = s.memory(seg.compressed)
		}
		packed = packed[:seg.compressed]
		if _, err := s.f.ReadAt(packed, seg.off); err != nil {
			return nil, fmt.Errorf("read spilled rows back: %w", err)
		}
		end := len(all) + seg.size
		chunk, err := s2.Decode(all[len(all):end:end], packed)
		if err != nil || len(chunk) != seg.size {
			return nil, fmt.Errorf("read spilled rows back: %w", errRowCodec)
		}
		all = all[:end]
		if err := t.index(chunk, &row); err != nil {
			return nil, err
		}
	}
	base := uint32(len(t.chunks))
	for _, w := range late.rows {
		w.chunk += base
		t.rows = append(t.rows, w)
	}
	t.chunks = append(t.chunks, late.chunks...)
	t.spilled = nil
	return all, nil
}

func (t *taken) index(chunk []byte, row *Row) error {
	n := uint32(len(t.chunks))
	t.chunks = append(t.chunks, chunk)
	for rest := chunk; len(rest) > 0; {
		off := uint32(len(chunk) - len(rest))
		var err error
		if rest, err = decodeRow(rest, row); err != nil {
			return fmt.Errorf("read spilled rows back: %w", err)
		}
		t.rows = append(t.rows, newWaitingRow(row, n, off))
	}
	return nil
}

func (s *spillFile) Close() error {
	if s == nil {
		return nil
	}
	return s.f.Close()
}
