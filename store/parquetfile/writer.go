package parquetfile

import (
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
// then EndRow. Errors are those of the writer below, and come from EndGroup and
// Close.
type Writer struct {
	Leaves []Leaf

	layout    *Layout
	pageBytes int
	zstd      *zstd.Encoder
	sink      io.Writer
	offset    int64 // in the file

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
	w := &Writer{layout: l, pageBytes: f.PageBytes, zstd: enc, Leaves: make([]Leaf, len(l.leaves))}
	for i := range w.Leaves {
		w.Leaves[i].spec, w.Leaves[i].w = &l.leaves[i], w
	}
	return w, nil
}

// maxKept is what a buffer may keep for the next file: one giant record is not to
// be paid for in all of them.
const maxKept = 32 << 20

func (w *Writer) forgetGiants() {
	buffers := []*[]byte{&w.body, &w.packed, &w.page}
	for i := range w.Leaves {
		l := &w.Leaves[i]
		buffers = append(buffers, &l.plain, &l.pages, &l.dict.arena)
	}
	for _, b := range buffers {
		if cap(*b) > maxKept {
			*b = nil
		}
	}
}

var magic = []byte("PAR1")

// Begin begins a file. What came of the file before is forgotten, whole or not.
func (w *Writer) Begin(sink io.Writer) error {
	w.sink, w.offset, w.rows, w.groupRows = sink, 0, 0, 0
	w.groups, w.bounds = w.groups[:0], nil
	w.forgetGiants()
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
	if w.groupRows == 0 {
		return nil
	}
	g := group{rows: w.groupRows, chunks: make([]chunk, len(w.Leaves))}
	for i := range w.Leaves {
		l := &w.Leaves[i]
		if err := l.end(); err != nil {
			return err
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
	err := w.write(w.footer(createdBy, keyValues))
	w.sink = nil
	return err
}

func (w *Writer) write(b []byte) error {
	n, err := w.sink.Write(b)
	w.offset += int64(n)
	return err
}

// appendPage appends a page, with its header in front, in the codec of its
// chunk.
func (w *Writer) appendPage(dst []byte, c *chunk, h pageHeader, body []byte) []byte {
	packed := body
	if c.codec == codecZstd {
		w.packed = w.zstd.EncodeAll(body, w.packed[:0])
		packed = w.packed
	}
	header := h.encode(&w.thrift, len(body), len(packed))
	c.uncompressed += int64(len(header) + len(body))
	c.compressed += int64(len(header) + len(packed))
	return append(append(dst, header...), packed...)
}
