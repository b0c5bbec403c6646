package parquetfile

import (
	"bytes"
	"hash/maphash"
	"math/bits"
)

// dictionary numbers the distinct values of a leaf in the order in which they
// come: byte strings, or numbers of 64 bits. Its memory is used again for the
// next chunk. Hashes are seeded by the process, so that nobody can choose values
// that collide.
type dictionary struct {
	arena []byte   // byte strings, one behind the other
	ends  []uint32 // of each, in the arena
	words []uint64 // numbers

	// table has the upper half of the hash and the value's number plus one in each
	// slot that is taken. Its length is a power of two; it is at most half full.
	table   []uint64
	indices []uint32 // of the values of the page under way
	last    uint32   // number of the value before; values repeat
}

const firstTable = 256

var (
	hashSeed = maphash.MakeSeed()
	wordSeed = maphash.String(hashSeed, "numbers")
	wordOdd  = maphash.String(hashSeed, "factor") | 1
)

func (d *dictionary) reset() {
	d.arena, d.ends, d.words, d.indices, d.last = d.arena[:0], d.ends[:0], d.words[:0], d.indices[:0], 0
	if cap(d.table) < firstTable {
		d.table = make([]uint64, firstTable)
	}
	d.table = d.table[:firstTable]
	clear(d.table)
}

// size is how many values it has.
func (d *dictionary) size() int { return len(d.ends) + len(d.words) }

// bytes is how much room its values take, PLAIN.
func (d *dictionary) bytes(width int) int {
	return len(d.arena) + 4*len(d.ends) + width*len(d.words)
}

// value is a byte string by its number.
func (d *dictionary) value(n uint32) []byte {
	var begin uint32
	if n > 0 {
		begin = d.ends[n-1]
	}
	return d.arena[begin:d.ends[n]]
}

// addBytes appends a value to the page; isNew says that it is none of those
// before.
func (d *dictionary) addBytes(v []byte) (isNew bool) {
	if len(d.ends) > 0 && bytes.Equal(d.value(d.last), v) {
		d.indices = append(d.indices, d.last)
		return false
	}
	h := maphash.Bytes(hashSeed, v)
	mask := uint64(len(d.table) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		slot := d.table[at]
		if slot == 0 {
			d.arena = append(d.arena, v...)
			d.ends = append(d.ends, uint32(len(d.arena)))
			d.take(at, h, uint32(len(d.ends)-1))
			return true
		}
		if slot>>32 == h>>32 {
			if n := uint32(slot) - 1; bytes.Equal(d.value(n), v) {
				d.last = n
				d.indices = append(d.indices, n)
				return false
			}
		}
	}
}

// addWord is addBytes for a number.
func (d *dictionary) addWord(v uint64) (isNew bool) {
	if len(d.words) > 0 && d.words[d.last] == v {
		d.indices = append(d.indices, d.last)
		return false
	}
	h := hashWord(v)
	mask := uint64(len(d.table) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		slot := d.table[at]
		if slot == 0 {
			d.words = append(d.words, v)
			d.take(at, h, uint32(len(d.words)-1))
			return true
		}
		if n := uint32(slot) - 1; slot>>32 == h>>32 && d.words[n] == v {
			d.last = n
			d.indices = append(d.indices, n)
			return false
		}
	}
}

func hashWord(v uint64) uint64 {
	high, low := bits.Mul64(v^wordSeed, wordOdd)
	return high ^ low
}

// take gives a new value the free slot at.
func (d *dictionary) take(at, h uint64, n uint32) {
	d.table[at] = h&^0xffffffff | uint64(n+1)
	d.last = n
	d.indices = append(d.indices, n)
	if 2*int(n+1) > len(d.table) {
		d.grow()
	}
}

// grow doubles the table.
func (d *dictionary) grow() {
	size := 2 * len(d.table)
	if cap(d.table) < size {
		d.table = make([]uint64, size)
	}
	d.table = d.table[:size]
	clear(d.table)
	mask := uint64(size - 1)
	place := func(h uint64, n int) {
		at := h & mask
		for d.table[at] != 0 {
			at = (at + 1) & mask
		}
		d.table[at] = h&^0xffffffff | uint64(n+1)
	}
	for n := range d.ends {
		place(maphash.Bytes(hashSeed, d.value(uint32(n))), n)
	}
	for n, v := range d.words {
		place(hashWord(v), n)
	}
}

// indexBits is the width of an index. One bit at least: readers differ on none.
func (d *dictionary) indexBits() int { return max(1, bits.Len(uint(max(0, d.size()-1)))) }
