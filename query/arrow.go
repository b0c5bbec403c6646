package query

import (
	"bufio"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// arrowWriter writes an Arrow IPC stream: the schema, batches, and a mark of
// the end, without which a reader knows that it is not whole. It is not
// compressed, for not every reader takes that.
type arrowWriter struct {
	*columnar
	stream *ipc.Writer
}

func newArrow(w *bufio.Writer, rows *Rows) (*arrowWriter, error) {
	c, err := newColumnar(rows)
	if err != nil {
		return nil, err
	}
	return &arrowWriter{columnar: c, stream: ipc.NewWriter(w, ipc.WithSchema(c.schema))}, nil
}

func (a *arrowWriter) write(batch arrow.RecordBatch, n int) error {
	out, err := a.convert(batch, n)
	if err != nil {
		return err
	}
	defer out.Release()
	columns := make([]arrow.Array, out.NumCols())
	for k, col := range out.Columns() {
		columns[k] = withoutResidue(col)
		defer columns[k].Release()
	}
	clean := array.NewRecordBatch(out.Schema(), columns, out.NumRows())
	defer clean.Release()
	return a.stream.Write(clean)
}

// end writes the schema as well, should there have been no rows.
func (a *arrowWriter) end(Result) error { return a.stream.Close() }
