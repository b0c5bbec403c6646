package parquetfile

import "encoding/binary"

// Names of the format are those of parquet.thrift, numbers its field ids:
// https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift

const (
	encodingPlain      = 0
	encodingRLE        = 3
	encodingDelta      = 5
	encodingDictionary = 8

	pageData       = 0
	pageDictionary = 2
)

// codec is the CompressionCodec of a chunk.
type codec uint8

const (
	codecOpen codec = iota // not decided yet
	codecNone
	codecZstd
)

func (c codec) number() int32 {
	if c == codecZstd {
		return 6
	}
	return 0
}

// chunk is what the footer says of a column chunk.
type chunk struct {
	codec                    codec
	entries                  int64
	nulls                    int64
	uncompressed, compressed int64
	offset                   int64 // of the first page
	dataOffset               int64 // of the first data page
	dictionaryPages          int32 // data pages of indices
	otherPages               int32
	least, most              []byte
}

// pageHeader is what stands in front of a page.
type pageHeader struct {
	values     int32 // entries; in a dictionary, values
	encoding   int32
	dictionary bool
}

// encode is valid until t is used again.
func (h pageHeader) encode(t *thrift, size, packed int) []byte {
	t.reset()
	kind := int32(pageData)
	if h.dictionary {
		kind = pageDictionary
	}
	t.i32(1, kind)
	t.i32(2, int32(size))
	t.i32(3, int32(packed))
	if h.dictionary {
		t.open(7) // DictionaryPageHeader
		t.i32(1, h.values)
		t.i32(2, h.encoding)
		t.close()
	} else {
		t.open(5) // DataPageHeader
		t.i32(1, h.values)
		t.i32(2, h.encoding)
		t.i32(3, encodingRLE) // of the definition levels
		t.i32(4, encodingRLE) // of the repetition levels
		t.close()
	}
	t.close()
	return t.b
}

// footer is FileMetaData, its length and the magic. It is valid until the writer
// is used again.
func (w *Writer) footer(createdBy string, keyValues [][2]string) []byte {
	t := &w.thrift
	t.reset()
	t.i32(1, 2) // version
	t.list(2, thriftStruct, w.layout.nodes)
	t.b = append(t.b, w.layout.elements...)
	t.i64(3, w.rows)
	t.list(4, thriftStruct, len(w.groups))
	for i := range w.groups {
		w.rowGroup(t, i)
	}
	if len(keyValues) > 0 {
		t.list(5, thriftStruct, len(keyValues))
		for _, kv := range keyValues {
			t.openElement()
			t.text(1, kv[0])
			t.text(2, kv[1])
			t.close()
		}
	}
	t.text(6, createdBy)
	t.list(7, thriftStruct, len(w.Leaves))
	for range w.Leaves {
		t.openElement() // ColumnOrder
		t.open(1)       // TYPE_ORDER
		t.close()
		t.close()
	}
	t.close()
	t.b = binary.LittleEndian.AppendUint32(t.b, uint32(len(t.b)))
	return append(t.b, magic...)
}

func (w *Writer) rowGroup(t *thrift, n int) {
	g := &w.groups[n]
	var uncompressed, compressed int64
	t.openElement()
	t.list(1, thriftStruct, len(g.chunks))
	for i := range g.chunks {
		c := &g.chunks[i]
		uncompressed += c.uncompressed
		compressed += c.compressed
		t.openElement() // ColumnChunk
		t.i64(2, c.offset)
		t.open(3)
		c.encode(t, &w.layout.leaves[i])
		t.close()
		t.close()
	}
	t.i64(2, uncompressed)
	t.i64(3, g.rows)
	t.i64(5, g.chunks[0].offset)
	t.i64(6, compressed)
	if n <= 1<<15-1 {
		t.i16(7, int16(n))
	}
	t.close()
}

// encode writes ColumnMetaData.
func (c *chunk) encode(t *thrift, spec *leafSpec) {
	other := int32(encodingPlain)
	if spec.Encoding == Delta {
		other = encodingDelta
	}
	t.i32(1, int32(spec.kind))
	encodings := []int32{encodingRLE}
	if c.dictionaryPages > 0 {
		encodings = append(encodings, encodingPlain, encodingDictionary)
	} else {
		encodings = append(encodings, other)
	}
	t.list(2, thriftI32, len(encodings))
	for _, e := range encodings {
		t.b = binary.AppendVarint(t.b, int64(e))
	}
	t.list(3, thriftBinary, len(spec.path))
	for _, name := range spec.path {
		t.element(name)
	}
	t.i32(4, c.codec.number())
	t.i64(5, c.entries)
	t.i64(6, c.uncompressed)
	t.i64(7, c.compressed)
	t.i64(9, c.dataOffset)
	if c.dictionaryPages > 0 {
		t.i64(11, c.offset)
	}
	t.open(12) // Statistics
	t.i64(3, c.nulls)
	if c.most != nil {
		t.bytes(5, c.most)
	}
	if c.least != nil {
		t.bytes(6, c.least)
	}
	t.close()
	c.encodePages(t, other)
}

// encodePages writes which pages there are: readers that see that all of them
// have the dictionary look into it before anything else.
func (c *chunk) encodePages(t *thrift, other int32) {
	type pages struct{ kind, encoding, count int32 }
	var list []pages
	if c.dictionaryPages > 0 {
		list = append(list, pages{pageDictionary, encodingPlain, 1}, pages{pageData, encodingDictionary, c.dictionaryPages})
	}
	if c.otherPages > 0 {
		list = append(list, pages{pageData, other, c.otherPages})
	}
	t.list(13, thriftStruct, len(list))
	for _, p := range list {
		t.openElement()
		t.i32(1, p.kind)
		t.i32(2, p.encoding)
		t.i32(3, p.count)
		t.close()
	}
}
