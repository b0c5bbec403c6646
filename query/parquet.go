package query

import (
	"bufio"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	bindings "github.com/duckdb/duckdb-go-bindings"
)

// parquetWriter writes Parquet, front to back: w need not seek. Types stay
// what they are; those that Parquet or its writer does not know (INTERVAL,
// UNION, BIT, BIGNUM, UHUGEINT) become the text that csv has for them.
type parquetWriter struct {
	file    *pqarrow.FileWriter
	schema  *arrow.Schema
	columns []Column
	asText  []bool
	rows    int64 // in the open row group
	bytes   int64
}

const (
	groupRows  = 122_880 // DuckDB's own
	groupBytes = 64 << 20
)

func newParquet(w *bufio.Writer, rows *Rows) (*parquetWriter, error) {
	p := &parquetWriter{columns: rows.Columns()}
	var names []string
	for _, c := range p.columns {
		names = append(names, c.Name)
	}
	names = uniqueNames(names)
	var fields []arrow.Field
	for i, f := range rows.Schema().Fields() {
		p.asText = append(p.asText, !p.columns[i].typ.inParquet())
		f.Name, f.Metadata = names[i], arrow.Metadata{}
		if p.asText[i] {
			f.Type = arrow.BinaryTypes.String
		} else {
			f.Type = parquetType(f.Type)
		}
		fields = append(fields, f)
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("the answer has no columns")
	}
	p.schema = arrow.NewSchema(fields, nil)
	props := parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithMaxRowGroupLength(groupRows),
		parquet.WithCreatedBy("mdcalake"),
		parquet.WithVersion(parquet.V2_LATEST),
	)
	// The writer closes what it is given where it can: w is not ours to close.
	file, err := pqarrow.NewFileWriter(p.schema, struct{ io.Writer }{w}, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return nil, err
	}
	p.file = file
	return p, nil
}

// inParquet says whether a value of the type keeps it in Parquet.
func (t *valueType) inParquet() bool {
	switch t.id {
	case bindings.TypeInterval, bindings.TypeUnion, bindings.TypeBit, bindings.TypeBigNum, bindings.TypeUHugeInt:
		return false
	}
	for i, c := range t.children {
		// A nested ENUM is a nested dictionary, which the writer does not take.
		if !c.inParquet() || c.id == bindings.TypeEnum || t.names != nil && t.names[i] == "" {
			return false
		}
	}
	return !(t.id == bindings.TypeStruct && len(t.children) == 0)
}

// parquetType takes the dictionaries of an ENUM off: its values are text.
func parquetType(t arrow.DataType) arrow.DataType {
	if d, ok := t.(*arrow.DictionaryType); ok {
		return d.ValueType
	}
	return t
}

func (p *parquetWriter) write(batch arrow.RecordBatch, n int) error {
	if int64(n) < batch.NumRows() {
		batch = batch.NewSlice(0, int64(n))
		defer batch.Release()
	}
	columns := make([]arrow.Array, len(p.columns))
	for k, c := range p.columns {
		a := batch.Column(k)
		_, isDictionary := a.(*array.Dictionary)
		if !p.asText[k] && !isDictionary {
			columns[k] = a
			continue
		}
		columns[k] = textArray(c.typ, a)
		defer columns[k].Release()
	}
	out := array.NewRecordBatch(p.schema, columns, int64(n))
	defer out.Release()
	// A row group ends by its rows or by its size, whichever comes first: the
	// writer keeps it in memory.
	if p.rows += int64(n); p.rows > groupRows || p.bytes > groupBytes {
		p.file.NewBufferedRowGroup()
		p.rows, p.bytes = int64(n), 0
	}
	for _, a := range columns {
		p.bytes += int64(a.Data().SizeInBytes())
	}
	return p.file.WriteBuffered(out)
}

func textArray(t *valueType, a arrow.Array) arrow.Array {
	a = plain(a)
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	var buf []byte
	for i := range a.Len() {
		if isNull(a, i) {
			b.AppendNull()
			continue
		}
		buf = appendText(buf[:0], t, a, i)
		b.Append(string(buf))
	}
	return b.NewArray()
}

func (p *parquetWriter) end(Result) error {
	file := p.file
	p.file = nil
	return file.Close()
}

// release frees what a writer holds that did not come to its end.
func (p *parquetWriter) release() {
	if p.file != nil {
		p.file.Close()
	}
}
