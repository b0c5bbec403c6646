package parquetfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Form is how a file trades time for size.
type Form struct {
	Level     int // of zstd, as its own program counts; klauspost's has four: 1, 3, 6, 10
	PageBytes int // of a page of PLAIN values, before compression
}

// Writer writes one file after the other. It is not safe for concurrent use.
//
// The values of a row go to the leaves, each of which gets at least one entry;
// then EndRow. Errors come from EndGroup and Close: those of the writer below, and
// a leaf whose rows are not the row group's. After one the file is lost, and each
// call answers it again until the next Begin.
type Writer struct {
	Leaves []Leaf

	layout *Layout
	limits limits
	zstd   *zstd.Encoder
	sink   io.Writer
	offset int64 // in the file
	err    error // the first one; it stays until the next file

	groupRows int64
	rows      int64
	groups    []group
	bounds    []byte // that the chunks refer to

	// Scratch:
	body, packed, page, text []byte
	thrift                   thrift
}

// group is a row group that is written.
type group struct {
	rows   int64
	chunks []chunk
}

// NewWriter makes a writer without a file.
func NewWriter(l *Layout, f Form) (*Writer, error) {
	// A window as large as a page: what lies further back is in another one.
	window := zstd.MinWindowSize
	for window < f.PageBytes && window < 8<<20 {
		window *= 2
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(f.Level)), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true), zstd.WithWindowSize(window))
	if err != nil {
		return nil, fmt.Errorf("make the zstd encoder: %w", err)
	}
	w := &Writer{layout: l, limits: usualLimits, err: errNoFile, zstd: enc, Leaves: make([]Leaf, len(l.leaves))}
	w.limits.pageBytes = f.PageBytes
	for i := range w.Leaves {
		w.Leaves[i].spec, w.Leaves[i].w = &l.leaves[i], w
	}
	return w, nil
}

// forgetGiants lets go of the buffers that one giant record has grown.
func (w *Writer) forgetGiants() {
	most := w.limits.kept
	forget(&w.body, most)
	forget(&w.packed, most)
	forget(&w.page, most)
	forget(&w.text, most)
	forget(&w.bounds, most)
	forget(&w.thrift.b, most)
	for i := range w.Leaves {
		l := &w.Leaves[i]
		forget(&l.rep, most)
		forget(&l.def, most)
		forget(&l.plain, most)
		forget(&l.aside.body, most)
		forget(&l.aside.packed, most)
		forget(&l.deltas, most)
		forget(&l.pages, most)
		forget(&l.bounds.leastB, most)
		forget(&l.bounds.mostB, most)
		forget(&l.dict.arena, most)
		forget(&l.dict.ends, most)
		forget(&l.dict.words, most)
		forget(&l.dict.table, most)
		forget(&l.dict.indices, most)
	}
}

// forget drops a buffer that takes more than so many bytes.
func forget[T uint8 | uint32 | uint64 | int64](buffer *[]T, most int) {
	var one T
	if cap(*buffer)*binary.Size(one) > most {
		*buffer = nil
	}
}

var magic = []byte("PAR1")

// Begin begins a file. What came of the file before is forgotten, whole or not.
func (w *Writer) Begin(sink io.Writer) error {
	w.sink, w.err, w.offset, w.rows = sink, nil, 0, 0
	for i := range w.Leaves {
		w.Leaves[i].aside.wait() // of a file that was given up: its buffers are still in use
	}
	w.forgetGiants()
	w.groups, w.bounds = w.groups[:0], w.bounds[:0]
	w.beginGroup()
	return w.write(magic)
}

func (w *Writer) beginGroup() {
	w.groupRows = 0
	for i := range w.Leaves {
		w.Leaves[i].begin()
	}
}

// EndRow ends a row.
func (w *Writer) EndRow() { w.groupRows++ }

// GroupRows is how many rows the row group under way has.
func (w *Writer) GroupRows() int64 { return w.groupRows }

// EndGroup ends the row group under way, if it has rows.
func (w *Writer) EndGroup() error {
	if w.err != nil || w.groupRows == 0 {
		return w.err
	}
	g := group{rows: w.groupRows, chunks: make([]chunk, len(w.Leaves))}
	for i := range w.Leaves {
		l := &w.Leaves[i]
		if err := l.end(); err != nil {
			w.fail(err)
			return w.err
		}
		g.chunks[i] = l.chunk
	}
	w.groups = append(w.groups, g)
	w.rows += w.groupRows
	w.beginGroup()
	return nil
}

// Close ends the row group and the file. The sink is not closed. keyValues are
// pairs for the footer.
func (w *Writer) Close(createdBy string, keyValues [][2]string) error {
	if err := w.EndGroup(); err != nil {
		return err
	}
	if err := w.write(w.footer(createdBy, keyValues)); err != nil {
		return err
	}
	w.sink, w.err = nil, errNoFile
	return nil
}

var errNoFile = errors.New("no Parquet file is open; Begin begins one")

// fail keeps the first error. What was written by then may be a part of a page,
// and nothing may follow it.
func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *Writer) write(b []byte) error {
	if w.err != nil {
		return w.err
	}
	n, err := w.sink.Write(b)
	w.offset += int64(n)
	if err != nil {
		w.fail(err)
	}
	return w.err
}

// appendPage appends a page, with its header in front, in the codec of its
// chunk.
func (w *Writer) appendPage(dst []byte, c *chunk, h pageHeader, body []byte) []byte {
	packed := body
	if c.codec == codecZstd {
		w.packed = w.zstd.EncodeAll(body, w.packed[:0])
		packed = w.packed
	}
	return w.appendPacked(dst, c, h, body, packed)
}

// appendPacked appends a page that is in the codec of its chunk.
func (w *Writer) appendPacked(dst []byte, c *chunk, h pageHeader, body, packed []byte) []byte {
	if n := max(len(body), len(packed)); n > w.limits.page {
		w.fail(fmt.Errorf("a row needs a page of %d bytes, Parquet has %d at most", n, w.limits.page))
	}
	header := h.encode(&w.thrift, len(body), len(packed))
	c.uncompressed += int64(len(header) + len(body))
	c.compressed += int64(len(header) + len(packed))
	return append(append(dst, header...), packed...)
}
