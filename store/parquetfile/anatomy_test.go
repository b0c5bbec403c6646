package parquetfile_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/klauspost/compress/zstd"
)

// A reading of Parquet files that shares nothing with the writer nor with
// arrow-go: the footer, each page header and the levels, as the format's
// documents have them. Readers are lenient; this one looks at each number that
// they may pass over.

// thriftStruct is a structure of Thrift's compact protocol by its field ids:
// bool, int64, []byte, []any or thriftStruct.
type thriftStruct map[int16]any

func (s thriftStruct) int(id int16) int64 {
	n, ok := s[id].(int64)
	if !ok {
		panic(fmt.Sprintf("field %d is %v, not a number", id, s[id]))
	}
	return n
}

func (s thriftStruct) child(id int16) thriftStruct { return s[id].(thriftStruct) }

func (s thriftStruct) list(id int16) []any { return s[id].([]any) }

type thriftReader struct{ b []byte }

func (r *thriftReader) byte() byte {
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *thriftReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		panic("a number that does not end")
	}
	r.b = r.b[n:]
	return v
}

func (r *thriftReader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *thriftReader) structure() thriftStruct {
	s := thriftStruct{}
	var id int16
	for {
		head := r.byte()
		if head == 0 {
			return s
		}
		before := id
		if d := head >> 4; d != 0 {
			id += int16(d)
		} else {
			id = int16(r.varint())
		}
		if id <= before {
			panic(fmt.Sprintf("field %d after %d", id, before))
		}
		if kind := head & 15; kind == 1 || kind == 2 {
			s[id] = kind == 1
		} else {
			s[id] = r.value(kind)
		}
	}
}

func (r *thriftReader) value(kind byte) any {
	switch kind {
	case 4, 5, 6:
		v := r.varint()
		if kind == 4 && v != int64(int16(v)) || kind == 5 && v != int64(int32(v)) {
			panic(fmt.Sprintf("%d is too large for its type %d", v, kind))
		}
		return v
	case 8:
		n := r.uvarint()
		v := r.b[:n:n]
		r.b = r.b[n:]
		return v
	case 9:
		head := r.byte()
		n := uint64(head >> 4)
		if n == 15 {
			n = r.uvarint()
		}
		list := []any{}
		for range n {
			list = append(list, r.value(head&15))
		}
		return list
	case 12:
		return r.structure()
	default:
		panic(fmt.Sprintf("type %d", kind))
	}
}

// anatomy is a file taken apart.
type anatomy struct {
	footer thriftStruct
	groups [][]chunkAnatomy
}

type chunkAnatomy struct {
	meta  thriftStruct // ColumnMetaData
	pages []pageAnatomy
}

type pageAnatomy struct {
	dictionary bool
	encoding   int64
	values     int64
	rows       int64 // of a data page
	indexWidth int   // of a data page of indices
	body       []byte
}

// dissect takes a file apart and complains of whatever is not as the format and
// the footer say. The maxima of the levels are of each leaf.
func dissect(file []byte, maxRep, maxDef []uint8) (a anatomy, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("take the file apart: %v", p)
		}
	}()
	if !bytes.HasPrefix(file, []byte("PAR1")) || !bytes.HasSuffix(file, []byte("PAR1")) {
		return a, fmt.Errorf("no magic")
	}
	end := len(file) - 8
	size := int(binary.LittleEndian.Uint32(file[end:]))
	r := thriftReader{file[end-size : end]}
	a.footer = r.structure()
	if len(r.b) > 0 {
		return a, fmt.Errorf("%d bytes behind the footer's structure", len(r.b))
	}
	at := int64(4)
	var rows int64
	for n, g := range a.footer.list(4) {
		group := g.(thriftStruct)
		rows += group.int(3)
		chunks, next, err := dissectGroup(file, at, group, maxRep, maxDef)
		if err != nil {
			return a, fmt.Errorf("row group %d: %w", n, err)
		}
		if group.int(7) != int64(n) {
			return a, fmt.Errorf("row group %d says that it is %d", n, group.int(7))
		}
		a.groups, at = append(a.groups, chunks), next
	}
	if rows != a.footer.int(3) {
		return a, fmt.Errorf("%d rows in the row groups, the footer says %d", rows, a.footer.int(3))
	}
	if at != int64(end-size) {
		return a, fmt.Errorf("pages end at %d, the footer begins at %d", at, end-size)
	}
	if orders := a.footer.list(7); len(orders) != len(maxRep) {
		return a, fmt.Errorf("%d column orders", len(orders))
	}
	return a, nil
}

func dissectGroup(file []byte, at int64, group thriftStruct, maxRep, maxDef []uint8) (chunks []chunkAnatomy, next int64, err error) {
	if group.int(5) != at {
		return nil, 0, fmt.Errorf("it begins at %d and says %d", at, group.int(5))
	}
	var plain, packed int64
	if len(group.list(1)) != len(maxRep) {
		return nil, 0, fmt.Errorf("%d columns", len(group.list(1)))
	}
	for i, c := range group.list(1) {
		column := c.(thriftStruct)
		chunk := chunkAnatomy{meta: column.child(3)}
		if column.int(2) != at {
			return nil, 0, fmt.Errorf("column %d begins at %d and says %d", i, at, column.int(2))
		}
		plain, packed = plain+chunk.meta.int(6), packed+chunk.meta.int(7)
		if err := chunk.dissect(file, at, group.int(3), maxRep[i], maxDef[i]); err != nil {
			return nil, 0, fmt.Errorf("column %d: %w", i, err)
		}
		at += chunk.meta.int(7)
		chunks = append(chunks, chunk)
	}
	if group.int(2) != plain || group.int(6) != packed {
		return nil, 0, fmt.Errorf("its chunks take %d, %d packed; it says %d, %d", plain, packed, group.int(2), group.int(6))
	}
	return chunks, at, nil
}

var unpack, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))

// dissect walks the pages: they fill total_compressed_size to the byte, and all
// that the footer says of them is so.
func (c *chunkAnatomy) dissect(file []byte, at, rows int64, maxRep, maxDef uint8) error {
	r := thriftReader{file[at : at+c.meta.int(7)]}
	var plain, entries, pageRows int64
	counts := map[[2]int64]int64{}
	dictionaryOffset, hasDictionary := c.meta[11].(int64)
	for len(r.b) > 0 {
		here := at + c.meta.int(7) - int64(len(r.b))
		before := len(r.b)
		header := r.structure()
		headerSize := int64(before - len(r.b))
		body := r.b[:header.int(3)]
		r.b = r.b[len(body):]
		switch c.meta.int(4) {
		case 0:
		case 6:
			var err error
			if body, err = unpack.DecodeAll(body, nil); err != nil {
				return err
			}
		default:
			return fmt.Errorf("codec %d", c.meta.int(4))
		}
		if int64(len(body)) != header.int(2) {
			return fmt.Errorf("page at %d: %d bytes, its header says %d", here, len(body), header.int(2))
		}
		plain += headerSize + int64(len(body))
		page := pageAnatomy{dictionary: header.int(1) == 2, body: body}
		if page.dictionary {
			if len(c.pages) > 0 || !hasDictionary || dictionaryOffset != here {
				return fmt.Errorf("a dictionary page at %d, the footer says %d", here, dictionaryOffset)
			}
			page.values, page.encoding = header.child(7).int(1), header.child(7).int(2)
		} else {
			first := len(c.pages) == 0 || len(c.pages) == 1 && c.pages[0].dictionary
			if first && c.meta.int(9) != here {
				return fmt.Errorf("the first data page is at %d, the footer says %d", here, c.meta.int(9))
			}
			data := header.child(5)
			page.values, page.encoding = data.int(1), data.int(2)
			if data.int(3) != 3 || data.int(4) != 3 {
				return fmt.Errorf("levels are encoded as %d, %d", data.int(3), data.int(4))
			}
			if err := page.levels(maxRep, maxDef); err != nil {
				return fmt.Errorf("page at %d: %w", here, err)
			}
			entries += page.values
			pageRows += page.rows
		}
		counts[[2]int64{header.int(1), page.encoding}]++
		c.pages = append(c.pages, page)
	}
	if hasDictionary && !c.pages[0].dictionary {
		return fmt.Errorf("the footer's dictionary page is none")
	}
	if plain != c.meta.int(6) || entries != c.meta.int(5) || pageRows != rows {
		return fmt.Errorf("%d bytes, %d entries, %d rows; the footer says %d, %d, %d", plain, entries, pageRows, c.meta.int(6), c.meta.int(5), rows)
	}
	return c.checkEncodings(counts)
}

// checkEncodings compares the lists of the footer with the pages there are.
func (c *chunkAnatomy) checkEncodings(counts map[[2]int64]int64) error {
	listed := map[int64]bool{}
	for _, e := range c.meta.list(2) {
		listed[e.(int64)] = true
	}
	used := map[int64]bool{3: true}
	for key := range counts {
		used[key[1]] = true
	}
	if fmt.Sprint(listed) != fmt.Sprint(used) {
		return fmt.Errorf("encodings %v, the footer lists %v", used, listed)
	}
	stats := map[[2]int64]int64{}
	for _, s := range c.meta.list(13) {
		s := s.(thriftStruct)
		stats[[2]int64{s.int(1), s.int(2)}] += s.int(3)
	}
	if fmt.Sprint(stats) != fmt.Sprint(counts) {
		return fmt.Errorf("pages by type and encoding %v, the footer says %v", counts, stats)
	}
	return nil
}

// levels takes the levels off the body of a data page.
func (p *pageAnatomy) levels(maxRep, maxDef uint8) error {
	body := p.body
	p.rows = p.values
	if maxRep > 0 {
		reps, err := takeLevels(&body, int(p.values), maxRep)
		if err != nil {
			return fmt.Errorf("repetition levels: %w", err)
		}
		if reps[0] != 0 {
			return fmt.Errorf("it begins within a row")
		}
		p.rows = int64(bytes.Count(reps, []byte{0}))
	}
	if maxDef > 0 {
		if _, err := takeLevels(&body, int(p.values), maxDef); err != nil {
			return fmt.Errorf("definition levels: %w", err)
		}
	}
	if p.encoding == 8 {
		p.indexWidth = int(body[0])
	}
	return nil
}

func takeLevels(body *[]byte, n int, most uint8) ([]byte, error) {
	size := binary.LittleEndian.Uint32(*body)
	b := (*body)[4 : 4+size]
	*body = (*body)[4+size:]
	width := 0
	for 1<<width <= int(most) {
		width++
	}
	values, err := readHybrid(b, n, width)
	levels := make([]byte, 0, len(values))
	for _, v := range values {
		if v > uint64(most) {
			return nil, fmt.Errorf("level %d, the most is %d", v, most)
		}
		levels = append(levels, byte(v))
	}
	return levels, err
}

// readHybrid reads n values of the RLE and bit-packing hybrid, bit by bit.
func readHybrid(b []byte, n, width int) ([]uint64, error) {
	var values []uint64
	for len(b) > 0 {
		head, size := binary.Uvarint(b)
		b = b[size:]
		if head>>1 == 0 || head>>1 > math.MaxInt32 {
			return nil, fmt.Errorf("a run of length %d", head>>1)
		}
		if head&1 == 0 {
			var v uint64
			for i := range (width + 7) / 8 {
				v |= uint64(b[i]) << (8 * i)
			}
			b = b[(width+7)/8:]
			for range head >> 1 {
				values = append(values, v)
			}
			continue
		}
		for i := range int(head>>1) * 8 {
			var v uint64
			for k := range width {
				at := i*width + k
				v |= uint64(b[at/8]>>(at%8)&1) << k
			}
			values = append(values, v)
		}
		b = b[int(head>>1)*width:]
	}
	if len(values) < n || len(values) >= n+8 {
		return nil, fmt.Errorf("%d values for %d", len(values), n)
	}
	return values[:n], nil
}
