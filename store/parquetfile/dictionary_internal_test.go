package parquetfile

import (
	"hash/maphash"
	"testing"
)

// Two values with one hash are two values still. None such can be had, so a slot
// of the table is forged: it has the hash of the second and leads to the first.
func TestValuesWithOneHashStayApart(t *testing.T) {
	t.Run("numbers", func(t *testing.T) {
		var d dictionary
		d.reset()
		d.addWord(1)
		h := hashWord(2)
		d.table[h&(firstTable-1)] = h&^0xffffffff | 1
		d.addWord(3) // so that the first is not the last one
		if isNew := d.addWord(2); !isNew || len(d.words) != 3 || d.words[d.indices[2]] != 2 {
			t.Errorf("2 is new: %v; values %v, indices %v", isNew, d.words, d.indices)
		}
	})
	t.Run("strings", func(t *testing.T) {
		var d dictionary
		d.reset()
		d.addBytes([]byte("1"))
		h := maphash.Bytes(hashSeed, []byte("2"))
		d.table[h&(firstTable-1)] = h&^0xffffffff | 1
		d.addBytes([]byte("3"))
		if isNew := d.addBytes([]byte("2")); !isNew || len(d.ends) != 3 || string(d.value(d.indices[2])) != "2" {
			t.Errorf("2 is new: %v; %d values, indices %v", isNew, len(d.ends), d.indices)
		}
	})
}
