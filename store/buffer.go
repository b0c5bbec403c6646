package store

import (
	"cmp"
	"slices"

	"mdcalake/store/index"
)

// Rows wait per partition until they are written as a file. All partitions
// share one budget of memory. When it is used up, a partition that has long
// seen no row is finished and is written (that is all that ever happens for
// input sorted by time); else a partition that has enough for a file of its own is
// written; else the largest one is spilled (spill.go): its rows go, compressed, into
// a temporary file without a name and come back when the partition is written.

const (
	chunkBytes = 256 << 10
	leastSpill = 20 // while rows are brought back, a cell with less than this part of the budget is not worth spilling
)

// waitingRow is what is asked of a waiting row without decoding it, and the
// place of its bytes.
type waitingRow struct {
	timestamp int64
	id        uint64 // hash of the activity_id, as the value index has it
	key       uint64 // the same, as dedupe has it
	hash      int64  // content_hash
	chunk     uint32
	off, size uint32
}

// newWaitingRow has no place yet: append gives it one.
func newWaitingRow(r *Row) waitingRow {
	id := r.id()
	return waitingRow{timestamp: r.Numbers[Timestamp], id: index.Hash(index.ActivityID, id), key: dedupeKey(id), hash: r.ContentHash}
}

// cell is one partition's waiting rows. Guarded by the run's mutex, except for
// what takeRows has handed out.
type cell struct {
	partition Partition
	rows      []waitingRow
	chunks    [][]byte
	memory    int   // bytes of the chunks
	raw       int64 // bytes of the waiting records, the spilled ones included
	count     int   // of them
	spilled   []spillSegment
	lastRow   int64 // count of rows of the run when it last got one
	busy      bool  // being written or spilled by another goroutine
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
	w.chunk, w.off, w.size = uint32(n-1), uint32(len(*last)), uint32(len(encoded))
	c.rows = append(c.rows, w)
	*last = append(*last, encoded...)
	c.raw += int64(rawBytes)
	c.count++
	return grown
}

// freeChunks are chunks whose rows have gone, for the next ones: new memory has to
// be cleared by the system, by us and by the garbage collector. What is kept is
// bounded: there may be chunks of a size that nobody asks for.
type freeChunks struct {
	most   int // bytes that are kept
	bySize map[int][][]byte
	memory int
}

// mostFree is kept of the chunks of cells, which the run's mutex guards.
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
		if size := cap(chunk); size <= chunkBytes && f.memory+size <= f.most {
			f.bySize[size] = append(f.bySize[size], chunk)
			f.memory += size
		}
	}
}

// taken is a cell's rows, handed out to be written or spilled. Chunks of rows
// count from the first block that comes back, if any does.
type taken struct {
	rows    []waitingRow
	chunks  [][]byte
	spilled []spillSegment
	back    *comingBack
	memory  int
	loaded  int // bytes that the spilled rows will take
	raw     int64
}

func (c *cell) take(withSpilled bool) taken {
	t := taken{rows: c.rows, chunks: c.chunks, memory: c.memory}
	c.rows, c.chunks, c.memory = nil, nil, 0
	if withSpilled {
		t.spilled, t.raw = c.spilled, c.raw
		c.spilled, c.raw, c.count = nil, 0, 0
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

// encoded are the bytes of a row. Those of a spilled one are valid until the next
// one is asked for.
func (t *taken) encoded(w waitingRow) ([]byte, error) {
	chunk, n := []byte(nil), int(w.chunk)
	if n < t.back.blocks() {
		var err error
		if chunk, err = t.back.block(n); err != nil {
			return nil, err
		}
	} else {
		chunk = t.chunks[n-t.back.blocks()]
	}
	return chunk[w.off : w.off+w.size], nil
}

// decode reads a row, whose bytes it shares.
func (t *taken) decode(w waitingRow, r *Row) error {
	b, err := t.encoded(w)
	if err != nil {
		return err
	}
	_, err = decodeRow(b, r)
	return err
}
