package parquetfile

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/parquet"
)

// maxBound is the longest byte string that is a bound: a longer one is left out
// and not cut.
const maxBound = 256

// bounds are the least and the greatest value of a chunk.
type bounds struct {
	set           bool
	least, most   int64 // bits of the number
	leastB, mostB []byte
}

func (b *bounds) reset() { b.set, b.leastB, b.mostB = false, b.leastB[:0], b.mostB[:0] }

func (b *bounds) addBytes(v []byte) {
	if !b.set {
		b.set = true
		b.leastB, b.mostB = append(b.leastB[:0], v...), append(b.mostB[:0], v...)
		return
	}
	if bytes.Compare(v, b.leastB) < 0 {
		b.leastB = append(b.leastB[:0], v...)
	} else if bytes.Compare(v, b.mostB) > 0 {
		b.mostB = append(b.mostB[:0], v...)
	}
}

func (b *bounds) addInt(v int64) {
	if !b.set {
		b.set, b.least, b.most = true, v, v
		return
	}
	b.least, b.most = min(b.least, v), max(b.most, v)
}

// addDouble takes the bits of a double. What is no number has no place in the
// order.
func (b *bounds) addDouble(v int64) {
	f := math.Float64frombits(uint64(v))
	switch {
	case f != f:
	case !b.set:
		b.set, b.least, b.most = true, v, v
	case f < math.Float64frombits(uint64(b.least)):
		b.least = v
	case f > math.Float64frombits(uint64(b.most)):
		b.most = v
	}
}

func (b *bounds) add(kind parquet.Type, v int64) {
	if kind == parquet.Types.Double {
		b.addDouble(v)
	} else {
		b.addInt(v)
	}
}

// encoded appends both to dst as the footer has them; nil: there is none.
func (b *bounds) encoded(kind parquet.Type, dst []byte) (least, most, rest []byte) {
	if !b.set {
		return nil, nil, dst
	}
	if dst == nil {
		dst = []byte{} // so that a bound that is empty is there
	}
	if kind == parquet.Types.ByteArray {
		if len(b.leastB) <= maxBound {
			least, dst = clip(dst, append(dst, b.leastB...))
		}
		if len(b.mostB) <= maxBound {
			most, dst = clip(dst, append(dst, b.mostB...))
		}
		return least, most, dst
	}
	low, high := b.least, b.most
	if kind == parquet.Types.Double {
		// The two zeros are equal and not the same: the bounds hold both.
		if math.Float64frombits(uint64(low)) == 0 {
			low = math.MinInt64
		}
		if math.Float64frombits(uint64(high)) == 0 {
			high = 0
		}
	}
	least, dst = clip(dst, appendPlain(dst, kind, low))
	most, dst = clip(dst, appendPlain(dst, kind, high))
	return least, most, dst
}

// clip is what was appended to before, and all.
func clip(before, after []byte) (added, all []byte) {
	return after[len(before):len(after):len(after)], after
}

// appendPlain appends a number as PLAIN has it; a boolean takes a byte.
func appendPlain(dst []byte, kind parquet.Type, v int64) []byte {
	switch kind {
	case parquet.Types.Boolean:
		return append(dst, byte(v))
	case parquet.Types.Int32:
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	default:
		return binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
}

// plainWidth is how many bytes a number takes in a dictionary, which booleans
// never have.
func plainWidth(kind parquet.Type) int {
	if kind == parquet.Types.Int32 {
		return 4
	}
	return 8
}
