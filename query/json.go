package query

import (
	"bufio"

	"github.com/apache/arrow-go/v18/arrow"
)

// jsonWriter writes one object for a row: lines (jsonl), or one array with a
// line for each row.
type jsonWriter struct {
	w        *bufio.Writer
	columns  []Column
	keys     [][]byte // "name":, ready to write
	array    bool
	terminal bool
	rows     int64
	line     []byte
	shown    []byte
}

func newJSON(w *bufio.Writer, rows *Rows, f Format, o WriteOptions) *jsonWriter {
	j := &jsonWriter{w: w, columns: rows.Columns(), array: f == JSON, terminal: o.Terminal}
	names := make([]string, len(j.columns))
	for i, c := range j.columns {
		names[i] = c.Name
	}
	for _, n := range uniqueNames(names) {
		j.keys = append(j.keys, append(appendJSONString(nil, n), ':'))
	}
	return j
}

func (j *jsonWriter) write(batch arrow.RecordBatch, n int) error {
	for i := range n {
		b := j.line[:0]
		if j.array {
			if j.rows == 0 {
				b = append(b, "[\n"...)
			} else {
				b = append(b, ",\n"...)
			}
		}
		b = append(b, '{')
		for k, c := range j.columns {
			if k > 0 {
				b = append(b, ',')
			}
			b = append(b, j.keys[k]...)
			b = appendJSON(b, c.typ, batch.Column(k), i)
		}
		b = append(b, '}')
		if !j.array {
			b = append(b, '\n')
		}
		j.line = b
		j.rows++
		if j.terminal {
			j.shown = appendJSONVisible(j.shown[:0], string(b))
			b = j.shown
		}
		if _, err := j.w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func (j *jsonWriter) end(Result) error {
	var err error
	switch {
	case !j.array:
	case j.rows == 0:
		_, err = j.w.WriteString("[]\n")
	default:
		_, err = j.w.WriteString("\n]\n")
	}
	return err
}
