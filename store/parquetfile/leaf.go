package parquetfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/parquet"
)

// leastCompressed: smaller chunks are not compressed. A page takes zstd some
// microseconds, whatever its size, and a lake has tens of thousands of them.
const leastCompressed = 512

// limits are where pages and dictionaries end; tests have smaller ones.
type limits struct {
	// pageBytes ends a page of PLAIN values.
	pageBytes int
	// pageEntries ends a page of dictionary indices or of nothing but NULL; more
	// than a row group has rows.
	pageEntries int
	// dictionaryPage ends it by what its values would take, PLAIN: so much is
	// written again when the dictionary is given up.
	dictionaryPage int
	// dictionaryBytes: a larger dictionary is of little use, as each reader has to
	// read it first.
	dictionaryBytes int
	// sampleValues is how many values are looked at before a dictionary with
	// hardly any repetition is given up early.
	sampleValues int
	// page is the largest page that its header can tell of.
	page int
	// aside: smaller pages are not compressed aside, it would not pay.
	aside int
	// kept is what a buffer may keep for the next file: one giant record is not to
	// be paid for in all of them.
	kept int
}

var usualLimits = limits{
	pageEntries: 1 << 17, dictionaryPage: 8 << 20, dictionaryBytes: 1 << 20, sampleValues: 512,
	page: math.MaxInt32, aside: 64 << 10, kept: 32 << 20,
}

// Leaf takes the values of one leaf column. An entry is a value or a NULL, at a
// definition and a repetition level as Parquet has them: a leaf of a flat column
// has one entry a row, at repetition level 0.
type Leaf struct {
	spec *leafSpec
	w    *Writer

	// Of the page under way:
	entries  int
	rep, def []uint8
	plain    []byte  // PLAIN values; booleans take a byte
	deltas   []int64 // values that will be delta encoded
	dict     dictionary
	wouldBe  int // bytes that the values in dict.indices would take, PLAIN

	// Of the chunk:
	inDictionary bool // values go there
	sampled      bool
	rows         int64 // in its pages
	nulls        int64
	bounds       bounds
	pages        []byte
	aside        aside
	chunk        chunk
}

// begin resets the leaf for a chunk.
func (l *Leaf) begin() {
	l.clearPage()
	l.dict.reset()
	l.inDictionary, l.sampled = l.spec.Encoding == Dictionary, false
	l.rows, l.nulls = 0, 0
	l.bounds.reset()
	l.pages = l.pages[:0]
	l.chunk = chunk{}
}

func (l *Leaf) clearPage() {
	l.entries, l.wouldBe = 0, 0
	l.rep, l.def, l.plain, l.deltas = l.rep[:0], l.def[:0], l.plain[:0], l.deltas[:0]
	l.dict.indices = l.dict.indices[:0]
}

// Null appends an entry without a value.
func (l *Leaf) Null(rep, def uint8) {
	l.entry(rep, def)
	l.nulls++
}

// Bytes appends a value of type BYTE_ARRAY. It is copied.
func (l *Leaf) Bytes(rep uint8, v []byte) {
	l.entry(rep, l.spec.maxDef)
	if l.inDictionary {
		l.wouldBe += 4 + len(v)
		if l.dict.addBytes(v) {
			l.weigh()
		}
		return
	}
	if l.spec.Bounds {
		l.bounds.addBytes(v)
	}
	l.plain = append(binary.LittleEndian.AppendUint32(l.plain, uint32(len(v))), v...)
}

// Text is Bytes for a string.
func (l *Leaf) Text(rep uint8, v string) {
	l.w.text = append(l.w.text[:0], v...)
	l.Bytes(rep, l.w.text)
}

// Int appends a value of type INT32 or INT64, a BOOLEAN as 0 or 1, or the bits of
// a DOUBLE.
func (l *Leaf) Int(rep uint8, v int64) {
	l.entry(rep, l.spec.maxDef)
	if l.inDictionary {
		l.wouldBe += plainWidth(l.spec.kind)
		if l.dict.addWord(uint64(v)) {
			l.weigh()
		}
		return
	}
	if l.spec.Bounds {
		l.bounds.add(l.spec.kind, v)
	}
	if l.spec.Encoding == Delta {
		l.deltas = append(l.deltas, v)
		return
	}
	l.plain = appendPlain(l.plain, l.spec.kind, v)
}

// entry begins an entry. A page ends in front of a row, never within it.
func (l *Leaf) entry(rep, def uint8) {
	most := &l.w.limits
	if rep == 0 && (len(l.plain) >= most.pageBytes || l.entries >= most.pageEntries || l.wouldBe >= most.dictionaryPage) {
		l.flush(false)
	}
	l.entries++
	if l.spec.maxDef > 0 {
		l.def = append(l.def, def)
	}
	if l.spec.maxRep > 0 {
		l.rep = append(l.rep, rep)
	}
}

// weigh gives a dictionary up that grows too large, or that hardly repeats.
func (l *Leaf) weigh() {
	most := &l.w.limits
	n := len(l.dict.indices)
	unique := !l.sampled && n >= most.sampleValues && 4*l.dict.size() > 3*n
	l.sampled = l.sampled || n >= most.sampleValues
	if unique || l.dict.bytes(plainWidth(l.spec.kind)) > most.dictionaryBytes {
		l.giveUp()
	}
}

// giveUp goes on with PLAIN. Pages that are done keep the dictionary.
func (l *Leaf) giveUp() {
	l.inDictionary = false
	if l.spec.Bounds {
		l.addDictionaryBounds()
	}
	for _, n := range l.dict.indices {
		if l.spec.kind == parquet.Types.ByteArray {
			v := l.dict.value(n)
			l.plain = append(binary.LittleEndian.AppendUint32(l.plain, uint32(len(v))), v...)
		} else {
			l.plain = appendPlain(l.plain, l.spec.kind, int64(l.dict.words[n]))
		}
	}
	l.dict.indices, l.wouldBe = l.dict.indices[:0], 0
}

func (l *Leaf) addDictionaryBounds() {
	for n := range l.dict.ends {
		l.bounds.addBytes(l.dict.value(uint32(n)))
	}
	for _, v := range l.dict.words {
		l.bounds.add(l.spec.kind, int64(v))
	}
}

// flush ends the page under way, which may be the last of its chunk.
func (l *Leaf) flush(last bool) {
	if l.entries == 0 {
		return
	}
	if l.inDictionary && l.chunk.dictionaryPages == 0 && !l.pays() {
		l.giveUp()
	}
	body := l.plain
	asItIs := l.spec.maxDef == 0 && l.spec.maxRep == 0 && !l.inDictionary && l.spec.kind != parquet.Types.Boolean && l.spec.Encoding != Delta
	if !asItIs {
		body = l.w.body[:0]
		body = appendLevels(body, l.rep, l.spec.repBits)
		body = appendLevels(body, l.def, l.spec.defBits)
		body = l.appendValues(body)
		l.w.body = body
	}
	encoding := int32(encodingPlain)
	switch {
	case l.inDictionary:
		encoding = encodingDictionary
		l.chunk.dictionaryPages++
	case l.spec.Encoding == Delta:
		encoding = encodingDelta
		l.chunk.otherPages++
	default:
		l.chunk.otherPages++
	}
	size := len(body)
	if l.inDictionary {
		size += l.dict.bytes(plainWidth(l.spec.kind))
	}
	l.chooseCodec(size, last)
	h := pageHeader{values: int32(l.entries), encoding: encoding}
	l.appendAside()
	if !last && asItIs && len(body) >= l.w.limits.aside && l.chunk.codec == codecZstd {
		l.plain = l.aside.begin(l.w.zstd, h, l.plain)
	} else {
		l.pages = l.w.appendPage(l.pages, &l.chunk, h, body)
	}
	l.chunk.entries += int64(l.entries)
	if l.spec.maxRep > 0 {
		l.rows += int64(bytes.Count(l.rep, []byte{0}))
	} else {
		l.rows += int64(l.entries)
	}
	l.clearPage()
}

// pays says whether the dictionary is smaller than the values as they stand; with
// none it is not. That is asked before its first page.
func (l *Leaf) pays() bool {
	indices := len(l.dict.indices) * l.dict.indexBits() / 8
	return l.dict.size() > 0 && l.dict.bytes(plainWidth(l.spec.kind))+indices < l.wouldBe
}

// chooseCodec is for the first page, of the size that it and its dictionary have.
// Only of a page that is the last as well is the chunk known to be small.
func (l *Leaf) chooseCodec(size int, last bool) {
	if l.chunk.codec == codecOpen {
		l.chunk.codec = codecZstd
		if l.spec.Random || last && size < leastCompressed {
			l.chunk.codec = codecNone
		}
	}
}

func (l *Leaf) appendValues(dst []byte) []byte {
	switch {
	case l.inDictionary:
		width := l.dict.indexBits()
		return appendHybrid(append(dst, byte(width)), l.dict.indices, width)
	case l.spec.Encoding == Delta:
		return appendDelta(dst, l.deltas, l.spec.kind == parquet.Types.Int32)
	case l.spec.kind == parquet.Types.Boolean:
		return appendBits(dst, l.plain)
	default:
		return append(dst, l.plain...)
	}
}

// appendLevels encodes levels with their length in front; none where there can be
// but one.
func appendLevels(dst []byte, levels []uint8, width int) []byte {
	if width == 0 {
		return dst
	}
	begin := len(dst)
	dst = appendHybrid(append(dst, 0, 0, 0, 0), levels, width)
	binary.LittleEndian.PutUint32(dst[begin:], uint32(len(dst)-begin-4))
	return dst
}

// appendBits packs booleans, the first one in the lowest bit.
func appendBits(dst, values []byte) []byte {
	for len(values) > 0 {
		n := min(8, len(values))
		var b byte
		for i, v := range values[:n] {
			b |= v << i
		}
		dst, values = append(dst, b), values[n:]
	}
	return dst
}

// end ends the chunk: its pages, the dictionary's in front, go to the file.
func (l *Leaf) end() error {
	l.flush(true)
	l.appendAside()
	c := &l.chunk
	if l.rows != l.w.groupRows {
		return fmt.Errorf("column %s: it has entries for %d rows, the row group has %d", strings.Join(l.spec.path, "."), l.rows, l.w.groupRows)
	}
	if l.spec.Bounds && l.inDictionary {
		l.addDictionaryBounds()
	}
	c.offset = l.w.offset
	if c.dictionaryPages > 0 {
		body := l.w.body[:0]
		for n := range l.dict.ends {
			v := l.dict.value(uint32(n))
			body = append(binary.LittleEndian.AppendUint32(body, uint32(len(v))), v...)
		}
		for _, v := range l.dict.words {
			body = appendPlain(body, l.spec.kind, int64(v))
		}
		l.w.body = body
		page := l.w.appendPage(l.w.page[:0], c, pageHeader{values: int32(l.dict.size()), encoding: encodingPlain, dictionary: true}, body)
		l.w.page = page
		if err := l.w.write(page); err != nil {
			return err
		}
	}
	c.dataOffset = l.w.offset
	if err := l.w.write(l.pages); err != nil {
		return err
	}
	c.nulls = l.nulls
	c.least, c.most, l.w.bounds = l.bounds.encoded(l.spec.kind, l.w.bounds)
	return nil
}
