package parquetfile

import "encoding/binary"

// Levels and dictionary indices: runs of equal values, and packed bits for
// what does not repeat.
// https://github.com/apache/parquet-format/blob/master/Encodings.md#RLE

// shortestRun is how many equal values become a run: packed bits come in groups
// of eight.
const shortestRun = 8

// appendHybrid encodes values of so many bits.
func appendHybrid[T uint8 | uint32](dst []byte, values []T, width int) []byte {
	packed := 0 // from here on values wait to be packed
	for i := 0; i < len(values); {
		v, end := values[i], i+1
		for end < len(values) && values[end] == v {
			end++
		}
		// Packed bits end with a whole group, so a run gives some of its values away.
		begin := i + -(i-packed)&7
		if end-begin >= shortestRun {
			dst = appendPacked(dst, values[packed:begin], width)
			dst = appendRun(dst, uint32(v), end-begin, width)
			packed = end
		}
		i = end
	}
	return appendPacked(dst, values[packed:], width)
}

// appendRun encodes n equal values.
func appendRun(dst []byte, v uint32, n, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for bits := 0; bits < width; bits += 8 {
		dst = append(dst, byte(v>>bits))
	}
	return dst
}

// appendPacked packs values; the last group is filled up with zeros.
func appendPacked[T uint8 | uint32](dst []byte, values []T, width int) []byte {
	if len(values) == 0 {
		return dst
	}
	groups := (len(values) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	end := len(dst) + groups*width
	var bits uint64
	have := 0
	for _, v := range values {
		bits |= uint64(v) << have
		for have += width; have >= 8; have -= 8 {
			dst = append(dst, byte(bits))
			bits >>= 8
		}
	}
	for len(dst) < end {
		dst = append(dst, byte(bits))
		bits = 0
	}
	return dst
}
