package query

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// withoutResidue is the array with zeros where it holds NULL. DuckDB leaves
// there what the memory held before; a format that writes whole buffers would
// carry that into a file, and the same answer would not be the same bytes. The
// caller releases it.
func withoutResidue(a arrow.Array) arrow.Array {
	d := cleanData(a.Data())
	defer d.Release()
	return array.MakeFromData(d)
}

// cleanData returns what the caller releases.
func cleanData(d arrow.ArrayData) arrow.ArrayData {
	buffers := slices.Clone(d.Buffers())
	// A NULL of a variable length takes no bytes.
	if t, ok := d.DataType().(arrow.FixedWidthDataType); ok && d.NullN() != 0 && len(buffers) == 2 && buffers[0] != nil && buffers[1] != nil {
		values := memory.NewBufferBytes(slices.Clone(buffers[1].Bytes()))
		zeroNulls(values.Bytes(), buffers[0].Bytes(), d.Offset(), d.Len(), t.BitWidth())
		buffers[1] = values
	}
	children := make([]arrow.ArrayData, len(d.Children()))
	for i, c := range d.Children() {
		children[i] = cleanData(c)
		defer children[i].Release()
	}
	return array.NewData(d.DataType(), d.Len(), buffers, children, d.NullN(), d.Offset())
}

func zeroNulls(values, valid []byte, offset, n, width int) {
	for i := offset; i < offset+n; i++ {
		switch {
		case bitutil.BitIsSet(valid, i):
		case width == 1:
			bitutil.ClearBit(values, i)
		default:
			clear(values[i*width/8 : (i+1)*width/8])
		}
	}
}
