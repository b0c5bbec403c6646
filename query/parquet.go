package query

import (
	"bufio"
	"cmp"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	bindings "github.com/duckdb/duckdb-go-bindings"
)

// parquetWriter writes Parquet, front to back: w need not seek.
type parquetWriter struct {
	*columnar
	file  *pqarrow.FileWriter
	gate  *gate
	rows  int64 // in the open row group
	bytes int64
}

// The writer keeps a row group in memory, and for each column a page and a
// dictionary. The level is one of which the encoder's windows are small.
const (
	groupRows  = 122_880 // DuckDB's own
	groupBytes = 16 << 20
	pageBytes  = 256 << 10
	zstdLevel  = 1
)

func newParquet(w *bufio.Writer, rows *Rows) (*parquetWriter, error) {
	// Parquet, or its writer, knows no INTERVAL.
	c, err := newColumnar(rows, bindings.TypeInterval)
	if err != nil {
		return nil, err
	}
	props := parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(zstdLevel),
		parquet.WithDataPageSize(pageBytes),
		parquet.WithDictionaryPageSizeLimit(pageBytes),
		parquet.WithMaxRowGroupLength(groupRows),
		parquet.WithCreatedBy("mdcalake"),
		parquet.WithVersion(parquet.V2_LATEST),
	)
	g := &gate{w: w}
	file, err := pqarrow.NewFileWriter(c.schema, g, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return nil, err
	}
	return &parquetWriter{columnar: c, file: file, gate: g}, nil
}

// gate lets through until it is shut, or a write has failed. The library
// learns of no failure: at one it would write a footer, where it does not
// panic. (Nor is this a Closer: it closes what it can, and w is not ours to
// close.)
type gate struct {
	w    io.Writer
	shut bool
	err  error
}

func (g *gate) Write(p []byte) (int, error) {
	if !g.shut && g.err == nil {
		_, g.err = g.w.Write(p)
	}
	return len(p), nil
}

func (p *parquetWriter) write(batch arrow.RecordBatch, n int) error {
	out, err := p.convert(batch, n)
	if err != nil {
		return err
	}
	defer out.Release()
	// A row group ends by its rows or by its size, whichever comes first: the
	// writer keeps it in memory.
	if p.rows += int64(n); p.rows > groupRows || p.bytes > groupBytes {
		err := p.file.NewBufferedRowGroupChecked() // writes the one before
		if err = cmp.Or(p.gate.err, err); err != nil {
			return err
		}
		p.rows, p.bytes = int64(n), 0
	}
	for _, a := range out.Columns() {
		p.bytes += int64(a.Data().SizeInBytes())
	}
	err = p.file.WriteBuffered(out)
	return cmp.Or(p.gate.err, err)
}

func (p *parquetWriter) end(Result) error {
	file := p.file
	p.file = nil
	err := file.Close()
	return cmp.Or(p.gate.err, err)
}

// release frees what a writer holds that did not come to its end. Closing it
// writes the open row group and a footer: half an answer is no whole file.
func (p *parquetWriter) release() {
	if p.file != nil {
		p.gate.shut = true
		p.file.Close()
	}
}
