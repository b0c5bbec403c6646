package query

import (
	"bufio"
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	bindings "github.com/duckdb/duckdb-go-bindings"
)

// csvWriter writes RFC 4180 with plain line ends. NULL is an empty cell, an
// empty text is "".
//
// Text that a spreadsheet would run gets an apostrophe in front unless the
// caller wants it raw (isFormula).
type csvWriter struct {
	w           *bufio.Writer
	columns     []Column
	comma       byte
	raw         bool
	terminal    bool
	neutralised int64
	cell        []byte
	shown       []byte
}

func newCSV(w *bufio.Writer, rows *Rows, o WriteOptions) (*csvWriter, error) {
	c := &csvWriter{w: w, columns: rows.Columns(), comma: ',', raw: o.RawCSV, terminal: o.Terminal}
	if o.NoHeader {
		return c, nil
	}
	for i, col := range c.columns {
		if i > 0 {
			w.WriteByte(c.comma)
		}
		c.cell = append(c.cell[:0], col.Name...)
		c.writeCell(true)
	}
	return c, w.WriteByte('\n')
}

func (c *csvWriter) write(batch arrow.RecordBatch, n int) error {
	for i := range n {
		for k, col := range c.columns {
			if k > 0 {
				c.w.WriteByte(c.comma)
			}
			a := plain(batch.Column(k))
			if isNull(a, i) {
				continue
			}
			c.cell = appendText(c.cell[:0], col.typ, a, i)
			c.writeCell(col.typ.free())
		}
		if err := c.w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

// writeCell writes c.cell. Errors stay in the writer: the line's end has them.
func (c *csvWriter) writeCell(free bool) {
	cell := c.cell
	if free && !c.raw && isFormula(cell) {
		c.shown = append(append(c.shown[:0], '\''), cell...)
		cell = c.shown
		c.neutralised++
	}
	if c.terminal {
		cell = appendVisibleBut(nil, string(cell), "\n\t")
	}
	if !c.mustQuote(cell) {
		c.w.Write(cell)
		return
	}
	c.w.WriteByte('"')
	start := 0
	for i, b := range cell {
		if b == '"' {
			c.w.Write(cell[start : i+1])
			start = i // again: doubled
		}
	}
	c.w.Write(cell[start:])
	c.w.WriteByte('"')
}

func (c *csvWriter) mustQuote(cell []byte) bool {
	if len(cell) == 0 || cell[0] == ' ' || cell[len(cell)-1] == ' ' {
		return true
	}
	for _, b := range cell {
		if b == c.comma || b == '"' || b == '\n' || b == '\r' {
			return true
		}
	}
	return false
}

func (c *csvWriter) end(Result) error { return nil }

func (c *csvWriter) count() int64 { return c.neutralised }

// isFormula says whether a spreadsheet would run a text: it takes one that
// begins with = + - or @ for a formula, in their wide forms too, also behind a
// tab or a line end and behind what has no width, and a formula may fetch and run
// things. A byte order mark at the begin of a file would be taken for the file's.
func isFormula(cell []byte) bool {
	first, _ := utf8.DecodeRune(bytes.TrimLeft(cell, "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"))
	return bytes.HasPrefix(cell, []byte("\ufeff")) || strings.ContainsRune("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20", first)
}

// free says whether a value of the type is text that anybody may have chosen.
// The sign of a number, a time or an interval is ours.
func (t *valueType) free() bool {
	switch t.id {
	case bindings.TypeInterval, bindings.TypeDate, bindings.TypeTime, bindings.TypeTimestamp, bindings.TypeTimestampTZ,
		bindings.TypeTimestampS, bindings.TypeTimestampMS, bindings.TypeTimestampNS:
		return false
	}
	return !t.numeric()
}
