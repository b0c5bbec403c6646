package query

import (
	"bufio"
	"bytes"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/mattn/go-runewidth"
)

// lineWriter writes a line for each value, with an empty line between rows:
// for wide rows, and for reading one record. A text of several lines keeps
// them, each behind the place where values begin, so that no text can look
// like a value of its own.
type lineWriter struct {
	w       *bufio.Writer
	columns []Column
	heads   []string // the name and " = ", all of one width
	next    string   // before the second line of a text
	plan    bool
	rows    int64
	cell    []byte
	shown   []byte
}

func newLine(w *bufio.Writer, rows *Rows) *lineWriter {
	l := &lineWriter{w: w, columns: rows.Columns(), plan: rows.Explains()}
	widest := 0
	for _, c := range l.columns {
		name := string(appendVisible(nil, c.Name))
		l.heads = append(l.heads, name)
		widest = max(widest, runewidth.StringWidth(name))
	}
	for k, name := range l.heads {
		l.heads[k] = strings.Repeat(" ", widest-runewidth.StringWidth(name)) + name + " = "
	}
	l.next = "\n" + strings.Repeat(" ", widest+len(" = "))
	return l
}

func (l *lineWriter) write(batch arrow.RecordBatch, n int) error {
	if l.plan {
		return writePlan(l.w, l.columns, batch, n)
	}
	for i := range n {
		if l.rows > 0 {
			l.w.WriteByte('\n')
		}
		l.rows++
		for k, c := range l.columns {
			l.w.WriteString(l.heads[k])
			a := plain(batch.Column(k))
			if isNull(a, i) {
				l.w.WriteString("NULL\n")
				continue
			}
			l.cell = appendText(l.cell[:0], c.typ, a, i)
			l.shown = appendVisibleLines(l.shown[:0], string(l.cell))
			for rest := l.shown; ; {
				line, more, found := bytes.Cut(rest, []byte("\n"))
				l.w.Write(line)
				if !found {
					break
				}
				l.w.WriteString(l.next)
				rest = more
			}
			if err := l.w.WriteByte('\n'); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *lineWriter) end(res Result) error {
	if l.plan || res.Rows > 0 && res.Shown == res.Rows && !res.More {
		return nil
	}
	if l.rows > 0 {
		l.w.WriteByte('\n')
	}
	_, err := l.w.WriteString(footer(res) + "\n")
	return err
}
