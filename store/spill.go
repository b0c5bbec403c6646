package store

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"
	"sync"

	"github.com/klauspost/compress/s2"
)

// Rows that wait on the disk. A segment is what a cell held when it was spilled,
// in the order of the file to come, as blocks of rows that are compressed each by
// itself; in front of each block stands what is asked of its rows to judge them.
//
// A cell's rows come back in the order of its file. So every segment is read from
// its beginning to its end, and one block of each is in memory, however large
// the cell is: to have it all there at once made the peak grow with the input, by
// 40 % from 200,000 records to 2 million.

// spillBlock is how many bytes of rows a block has. However badly it is
// compressed, it fits into a chunk, and is kept for the next one.
const spillBlock = 192 << 10

// spillSegment is where the rows of a spilled cell are.
type spillSegment struct {
	blocks []blockPlace
	rows   int
	size   int // bytes of the rows
}

// blockPlace is where a block is: at off those of its rows, then itself.
type blockPlace struct {
	off        int64
	rows       int
	compressed int
	size       int
}

// loaded is the memory that the segment takes once its rows come back.
func (s *spillSegment) loaded() int {
	return min(s.size, spillBlock) + s.rows*waitingRowBytes
}

const (
	waitingRowBytes = 48 // in memory
	rowPlaceBytes   = 40 // on disk
)

// spillFile has no name: a crash leaves nothing. Several goroutines may use it at
// once.
type spillFile struct {
	f *os.File

	mu   sync.Mutex
	size int64
	free freeChunks // memory of blocks that have come in or gone out
}

// mostFreeBlocks is kept of the memory of blocks.
const mostFreeBlocks = 8 << 20

func newSpillFile(dir string) (*spillFile, error) {
	f, err := os.CreateTemp(dir, spillPrefix)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return &spillFile{f: f, free: freeChunks{most: mostFreeBlocks}}, nil
}

// reserve answers where so many bytes may be written.
func (s *spillFile) reserve(n int) (off int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	off = s.size
	s.size += int64(n)
	return off
}

// memory is so much memory, or more, with nothing in it.
func (s *spillFile) memory(size int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free.get(max(16<<10, 1<<bits.Len(uint(max(size, 1)-1))))
}

// giveBack takes memory that was handed out.
func (s *spillFile) giveBack(b ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free.put(b)
}

// put writes the rows of t, none of which may have been spilled before.
func (s *spillFile) put(t taken) (spillSegment, error) {
	t.sort()
	var g spillSegment
	block, places := s.memory(min(t.memory, spillBlock)), s.memory(0)
	defer func() { s.giveBack(block, places) }()
	flush := func() error {
		if len(block) == 0 {
			return nil
		}
		b, err := s.write(block, places)
		g.blocks, g.rows, g.size = append(g.blocks, b), g.rows+b.rows, g.size+b.size
		block, places = block[:0], places[:0]
		return err
	}
	for _, w := range t.rows {
		row, err := t.encoded(w)
		if err != nil {
			return g, err
		}
		if len(block)+len(row) > spillBlock {
			if err := flush(); err != nil {
				return g, err
			}
		}
		w.off = uint32(len(block))
		places = w.appendPlace(places)
		block = append(block, row...)
	}
	return g, flush()
}

func (s *spillFile) write(block, places []byte) (blockPlace, error) {
	packed := s.memory(s2.MaxEncodedLen(len(block)))
	packed = s2.Encode(packed[:cap(packed)], block)
	defer s.giveBack(packed)
	b := blockPlace{rows: len(places) / rowPlaceBytes, compressed: len(packed), size: len(block)}
	b.off = s.reserve(len(places) + len(packed))
	_, err := s.f.WriteAt(places, b.off)
	if err == nil {
		_, err = s.f.WriteAt(packed, b.off+int64(len(places)))
	}
	if err != nil {
		return b, fmt.Errorf("spill waiting rows: %w", err)
	}
	return b, nil
}

// appendPlace writes a row's place in its block, and what is asked of it.
func (w waitingRow) appendPlace(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(w.timestamp))
	dst = binary.LittleEndian.AppendUint64(dst, w.id)
	dst = binary.LittleEndian.AppendUint64(dst, w.key)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(w.hash))
	dst = binary.LittleEndian.AppendUint32(dst, w.off)
	return binary.LittleEndian.AppendUint32(dst, w.size)
}

func readPlace(b []byte, chunk uint32) waitingRow {
	return waitingRow{
		timestamp: int64(binary.LittleEndian.Uint64(b)),
		id:        binary.LittleEndian.Uint64(b[8:]),
		key:       binary.LittleEndian.Uint64(b[16:]),
		hash:      int64(binary.LittleEndian.Uint64(b[24:])),
		chunk:     chunk,
		off:       binary.LittleEndian.Uint32(b[32:]),
		size:      binary.LittleEndian.Uint32(b[36:]),
	}
}

// comingBack are the spilled rows of a cell on their way back. Nil: it has none.
type comingBack struct {
	from     *spillFile
	place    []blockPlace // of the blocks of all segments
	segment  []int        // of each block
	standing []int        // the block of each segment that is in memory; -1: none
	memory   [][]byte     // of each segment
}

// load brings the rows that were spilled back among those of t, in front of those
// that came later; their bytes come as they are asked for. close ends it.
func (s *spillFile) load(t *taken) error {
	if len(t.spilled) == 0 {
		return nil
	}
	back := &comingBack{from: s, standing: make([]int, len(t.spilled)), memory: make([][]byte, len(t.spilled))}
	rows := len(t.rows)
	for n, g := range t.spilled {
		rows += g.rows
		back.standing[n] = -1
		for _, b := range g.blocks {
			back.place = append(back.place, b)
			back.segment = append(back.segment, n)
		}
	}
	late := t.rows
	t.rows = make([]waitingRow, 0, rows)
	var places []byte
	defer func() { s.giveBack(places) }()
	for n, b := range back.place {
		size := b.rows * rowPlaceBytes
		if cap(places) < size {
			s.giveBack(places)
			places = s.memory(size)
		}
		places = places[:size]
		if _, err := s.f.ReadAt(places, b.off); err != nil {
			return fmt.Errorf("read spilled rows back: %w", err)
		}
		for at := 0; at < size; at += rowPlaceBytes {
			t.rows = append(t.rows, readPlace(places[at:], uint32(n)))
		}
	}
	for _, w := range late {
		w.chunk += uint32(len(back.place))
		t.rows = append(t.rows, w)
	}
	t.spilled, t.back = nil, back
	return nil
}

func (b *comingBack) blocks() int {
	if b == nil {
		return 0
	}
	return len(b.place)
}

// block is one of the blocks, until another one of its segment is asked for.
func (b *comingBack) block(n int) ([]byte, error) {
	g := b.segment[n]
	if b.standing[g] == n {
		return b.memory[g], nil
	}
	p := b.place[n]
	packed := b.from.memory(p.compressed)[:p.compressed]
	defer b.from.giveBack(packed)
	if _, err := b.from.f.ReadAt(packed, p.off+int64(p.rows*rowPlaceBytes)); err != nil {
		return nil, fmt.Errorf("read spilled rows back: %w", err)
	}
	if cap(b.memory[g]) < p.size {
		b.from.giveBack(b.memory[g])
		b.memory[g] = b.from.memory(p.size)
	}
	block, err := s2.Decode(b.memory[g][:p.size], packed)
	if err != nil || len(block) != p.size {
		return nil, fmt.Errorf("read spilled rows back: %w", errRowCodec)
	}
	b.memory[g], b.standing[g] = block, n
	return block, nil
}

// whole has every block in memory at once, among the chunks of t: for who looks
// at rows in any order.
func (s *spillFile) whole(t *taken) (all [][]byte, err error) {
	if err := s.load(t); err != nil || t.back == nil {
		return nil, err
	}
	back := t.back
	for n, p := range back.place {
		block, err := back.block(n)
		if err != nil {
			return all, err
		}
		all = append(all, append(s.memory(p.size), block...))
	}
	back.close()
	t.back, t.chunks = nil, append(all[:len(all):len(all)], t.chunks...)
	return all, nil
}

// close gives the memory of the rows back.
func (b *comingBack) close() {
	if b != nil {
		b.from.giveBack(b.memory...)
		*b = comingBack{from: b.from}
	}
}

func (s *spillFile) Close() error {
	if s == nil {
		return nil
	}
	return s.f.Close()
}
