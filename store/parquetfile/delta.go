package parquetfile

import (
	"encoding/binary"
	"math/bits"
)

// DELTA_BINARY_PACKED, for what grows in small steps: times, positions.
// https://github.com/apache/parquet-format/blob/master/Encodings.md#DELTAENC

const (
	deltaBlock     = 128
	deltaMiniblock = 32
)

// appendDelta encodes values of 64 bits, or of 32: differences wrap around in
// that width.
func appendDelta(dst []byte, values []int64, narrow bool) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaBlock/deltaMiniblock)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	var last int64
	if len(values) > 0 {
		last, values = values[0], values[1:]
	}
	dst = binary.AppendVarint(dst, last)
	var deltas [deltaBlock]int64
	for len(values) > 0 {
		n := min(len(values), deltaBlock)
		for i, v := range values[:n] {
			d := v - last
			if narrow {
				d = int64(int32(d))
			}
			deltas[i], last = d, v
		}
		dst = appendDeltaBlock(dst, deltas[:n])
		values = values[n:]
	}
	return dst
}

func appendDeltaBlock(dst []byte, deltas []int64) []byte {
	least := deltas[0]
	for _, d := range deltas {
		least = min(least, d)
	}
	dst = binary.AppendVarint(dst, least)
	widths := len(dst)
	for range deltaBlock / deltaMiniblock {
		dst = append(dst, 0) // of a miniblock that is not needed
	}
	for n := 0; len(deltas) > 0; n++ {
		var mini [deltaMiniblock]uint64
		var all uint64
		size := min(len(deltas), deltaMiniblock)
		for i, d := range deltas[:size] {
			mini[i] = uint64(d - least)
			all |= mini[i]
		}
		width := bits.Len64(all)
		dst[widths+n] = byte(width)
		dst = appendMiniblock(dst, &mini, width)
		deltas = deltas[size:]
	}
	return dst
}

// appendMiniblock packs a whole miniblock: 4 bytes for each bit of the width.
func appendMiniblock(dst []byte, mini *[deltaMiniblock]uint64, width int) []byte {
	if width == 0 {
		return dst
	}
	var low uint64
	have := 0
	for _, v := range mini {
		low |= v << have
		if have += width; have < 64 {
			continue
		}
		dst = binary.LittleEndian.AppendUint64(dst, low)
		have -= 64
		low = v >> (width - have) // Go shifts by 64 to zero
	}
	for ; have > 0; have -= 8 {
		dst = append(dst, byte(low))
		low >>= 8
	}
	return dst
}
