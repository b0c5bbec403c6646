package query

import (
	"bufio"

	"github.com/apache/arrow-go/v18/arrow"
)

// tsvWriter writes a line for each row and a tab between cells, whatever is in
// them: cut, awk and sort need no more. Tab, line end, carriage return and
// backslash within a text are \t, \n, \r and \\, and NULL is \N, as
// PostgreSQL's COPY, MySQL and ClickHouse write and read it. Nothing is in
// quotes.
type tsvWriter struct {
	w           *bufio.Writer
	columns     []Column
	raw         bool
	terminal    bool
	neutralised int64
	cell        []byte
	line        []byte
}

func newTSV(w *bufio.Writer, rows *Rows, o WriteOptions) (*tsvWriter, error) {
	t := &tsvWriter{w: w, columns: rows.Columns(), raw: o.RawCSV, terminal: o.Terminal}
	if o.NoHeader {
		return t, nil
	}
	for i, c := range t.columns {
		if i > 0 {
			t.line = append(t.line, '\t')
		}
		t.appendCell([]byte(c.Name), true)
	}
	_, err := w.Write(append(t.line, '\n'))
	return t, err
}

func (t *tsvWriter) write(batch arrow.RecordBatch, n int) error {
	for i := range n {
		t.line = t.line[:0]
		for k, c := range t.columns {
			if k > 0 {
				t.line = append(t.line, '\t')
			}
			a := plain(batch.Column(k))
			if isNull(a, i) {
				t.line = append(t.line, `\N`...)
				continue
			}
			t.cell = appendText(t.cell[:0], c.typ, a, i)
			t.appendCell(t.cell, c.typ.free())
		}
		t.line = append(t.line, '\n')
		if _, err := t.w.Write(t.line); err != nil {
			return err
		}
	}
	return nil
}

// appendCell appends a cell to t.line. A tab or a carriage return at its
// beginning is a backslash in the end, which no spreadsheet runs.
func (t *tsvWriter) appendCell(cell []byte, free bool) {
	if free && !t.raw && isFormula(cell) && cell[0] > ' ' {
		t.line = append(t.line, '\'')
		t.neutralised++
	}
	from := len(t.line)
	start := 0
	for i, c := range cell {
		var escaped byte
		switch c {
		case '\t':
			escaped = 't'
		case '\n':
			escaped = 'n'
		case '\r':
			escaped = 'r'
		case '\\':
			escaped = '\\'
		default:
			continue
		}
		t.line = append(append(t.line, cell[start:i]...), '\\', escaped)
		start = i + 1
	}
	t.line = append(t.line, cell[start:]...)
	if t.terminal {
		t.line = appendVisible(t.line[:from], string(t.line[from:]))
	}
}

func (t *tsvWriter) end(Result) error { return nil }

func (t *tsvWriter) count() int64 { return t.neutralised }
